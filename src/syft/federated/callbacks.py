"""What a training tells about itself while it runs."""

from __future__ import annotations

from dataclasses import dataclass

from torch import nn

from syft.federated.history import RoundRecord
from syft.federated.strategies import ClientUpdate


@dataclass(frozen=True, slots=True)
class BatchReport:
    """One step of one client.

    Args:
        round: the round's number, from 1.
        client: the client's name.
        epoch: the pass over its data, from 1.
        batch: the batch of this pass, from 1.
        samples: how many samples the batch had.
        loss: its loss, or None where it was left on the worker (see ``loss_interval``).
    """

    round: int
    client: str
    epoch: int
    batch: int
    samples: int
    loss: float | None


@dataclass(frozen=True, slots=True)
class WorkReport:
    """How far a worker is with its part of a round, for workers that train by themselves.

    Args:
        round: the round's number, from 1.
        client: the worker's name.
        stage: ``connect``, ``send``, ``train`` or ``fetch``.
        steps: batches that it has trained on.
        total: batches that it will train on; 0 as long as that is not known.
        loss: of its last batch; NaN before the first.
    """

    round: int
    client: str
    stage: str
    steps: int
    total: int
    loss: float


class Callback:
    """Base of all callbacks: write the methods you need, the others do nothing."""

    def on_round_begin(self, round: int, clients: list[str]) -> None:
        """A round begins.

        Args:
            round: its number, from 1.
            clients: the names of those that take part, in the order they train in.
        """

    def on_batch(self, report: BatchReport) -> None:
        """A client has trained on one batch.

        Args:
            report: which one, and its loss where that was fetched.
        """

    def on_client_end(self, round: int, update: ClientUpdate) -> None:
        """A client's model has come back and was found sound, or, under secure aggregation, is part of the sum.

        Args:
            round: the round's number, from 1.
            update: the model and the figures of its training; read it, but do not keep it. Under secure aggregation
                it has no model, and only the figures that are known.
        """

    def on_work(self, report: WorkReport) -> None:
        """A worker that trains by itself has come further.

        Args:
            report: how far.
        """

    def on_client_lost(self, round: int, client: str, error: Exception) -> None:
        """A worker is left out of a round.

        Args:
            round: the round's number, from 1.
            client: its name.
            error: why.
        """

    def on_client_back(self, round: int, client: str) -> None:
        """A worker that was left out before has taken part again.

        Args:
            round: the round's number, from 1.
            client: its name.
        """

    def on_round_end(self, record: RoundRecord, model: nn.Module) -> None:
        """The average is made and evaluated; a checkpoint is written after this.

        Args:
            record: the figures of the round.
            model: the global model.
        """
