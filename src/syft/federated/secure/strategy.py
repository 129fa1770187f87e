"""`SecureAggregation`: the strategy with which trainers learn the mean of their clients' models and no single one."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import nn

from syft.exceptions import FederatedError
from syft.federated.averaging import StateDict
from syft.federated.secure.fixed_point import FRACTION_BITS, FixedPoint
from syft.federated.secure.server import AggregationServer, threshold_for
from syft.federated.secure.talk import Talk, talk
from syft.federated.secure.update import Mean, mean_of, size_of
from syft.federated.strategies import ClientUpdate, FedAvg, Strategy

_SESSION_BYTES = 16


class SecureAggregation(Strategy):
    """Sums the clients' updates under masks, so that the server learns their weighted mean and nothing else of them.

    The protocol is that of Bonawitz et al. (CCS 2017), figure 4, with double masking. Clients may drop out at any
    stage; the mean is over those whose masked update arrived. Workers do their part in their service ``aggregation``,
    and what they have trained never leaves them unmasked, nor do their losses, nor, where they count them themselves,
    their samples. A client whose own update is not finite, too long or too large keeps it to itself and is left out.

    Formal guarantee: a server that keeps to the protocol, and sees all messages, learns one sum over at least
    ``threshold`` clients. Fewer than ``threshold`` clients that share what they know with it learn no more about the
    others than the sum of these. The server hands on the clients' public keys: one that hands on keys of its own in
    their place is not kept out.

    Args:
        strategy: what is done with the mean, which it gets as one update; the default is `FedAvg`.
        threshold: how many clients must stay until the end; more than half, and 2 at least. Two thirds when None.
        bits: 32 or 64: how long the numbers are that travel, and with that, how large sums may be.
        fraction_bits: how many of them are after the point; 12 of 32 and 24 of 64 when None.
        max_norm: how long the change of a client's model may be; longer ones are refused by the client itself.
        weighted: weigh clients by their counts of samples; otherwise all alike.

    Raises:
        FederatedError: a number is out of range.

    Example:
        >>> import syft as sy, torch
        >>> from syft.federated import clients_from, FederatedTrainer, SecureAggregation
        >>> hook = sy.TorchHook(torch)
        >>> workers = [sy.VirtualWorker(hook, id=name) for name in ("xia", "yul", "zoe")]
        >>> data = sy.BaseDataset(torch.eye(6), torch.eye(6)).federate(workers)
        >>> model, loss_fn = torch.nn.Linear(6, 6), torch.nn.functional.mse_loss
        >>> trainer = FederatedTrainer(model, clients_from(data, batch_size=2), loss_fn, strategy=SecureAggregation())
        >>> trainer.fit(1)[0].together["samples"]
        6.0
    """

    def __init__(
        self,
        strategy: Strategy | None = None,
        *,
        threshold: int | None = None,
        bits: int = 64,
        fraction_bits: int | None = None,
        max_norm: float | None = None,
        weighted: bool = True,
    ) -> None:
        self.strategy = strategy if strategy is not None else FedAvg()
        if isinstance(self.strategy, SecureAggregation):
            raise FederatedError("a SecureAggregation is given another one; give it what is to be done with the mean.")
        if threshold is not None and threshold < 2:
            raise FederatedError(f"threshold is {threshold}; a sum over one client is its update, so take 2 or more.")
        if max_norm is not None and not max_norm > 0:
            raise FederatedError(f"max_norm is {max_norm}; it must be more than 0, or None.")
        fraction_bits = FRACTION_BITS.get(bits, 0) if fraction_bits is None else fraction_bits
        self.ring = FixedPoint(bits, fraction_bits)
        self.threshold, self.max_norm, self.weighted = threshold, max_norm, weighted
        self.needs_start = self.strategy.needs_start

    @property
    def least(self) -> int:
        """How many clients an aggregation cannot do without, however many there are."""
        return 2 if self.threshold is None else self.threshold

    def check_clients(self, count: int) -> None:
        """See whether so many clients can sum in secret.

        Raises:
            AggregationError: the threshold is not more than half of them, or more than there are.
        """
        threshold_for(count, self.threshold)

    def server(self, clients: Sequence[str], before: StateDict) -> AggregationServer:
        """The server of one aggregation.

        Args:
            clients: the names of those that have trained.
            before: the model that they started from.

        Raises:
            AggregationError: they are too few for the threshold, or more than twice as many.
        """
        threshold = threshold_for(len(clients), self.threshold)
        return AggregationServer(clients, threshold, self.ring, size_of(before), os.urandom(_SESSION_BYTES))

    def conversation(self, clients: Sequence[str], before: StateDict, models: Mapping[str, Any]) -> Talk:
        """One aggregation: what to ask the clients, and in the end the sum.

        Args:
            clients: the names of those that have trained.
            before: the model that they started from.
            models: what each has trained (see `AggregationService.advertise`).

        Raises:
            AggregationError: they are too few for the threshold, or more than twice as many.
        """
        server = self.server(clients, before)
        return talk(server, self.terms(server), models)

    def terms(self, server: AggregationServer) -> dict[str, Any]:
        """What clients have to know for an aggregation (see `AggregationService.advertise`)."""
        return {
            "threshold": server.threshold,
            "bits": self.ring.bits,
            "fraction_bits": self.ring.fraction_bits,
            "max_norm": self.max_norm,
        }

    def mean(self, total: torch.Tensor, before: StateDict) -> Mean:
        """The mean model of what the server has summed.

        Args:
            total: numbers of the ring.
            before: the model that the clients started from.
        """
        return mean_of(self.ring.decode(total), before)

    def after(self, before: StateDict, mean: Mean) -> dict[str, torch.Tensor]:
        """The next global state: what the inner strategy makes of the mean."""
        weight = max(1, round(mean.weight))
        return self.strategy.aggregate(before, [ClientUpdate("all together", mean.state, weight)])

    def together(self, mean: Mean) -> dict[str, float]:
        """What a record says of all clients together (see `RoundRecord`)."""
        return {"samples" if self.weighted else "weight": mean.weight, "train_loss": mean.train_loss}

    def aggregate(self, global_state: StateDict, updates: Sequence[ClientUpdate]) -> dict[str, torch.Tensor]:
        """Never done: trainers that know this strategy get no updates.

        Raises:
            FederatedError: always.
        """
        raise FederatedError(
            f"{len(updates)} updates have arrived in the open and cannot be aggregated in secret any more; use a "
            "FederatedTrainer or a ConcurrentTrainer, which ask for masked ones."
        )

    def local_loss(self, loss: torch.Tensor, model: nn.Module, start: Sequence[torch.Tensor]) -> torch.Tensor:
        """That of the inner strategy (see `Strategy.local_loss`)."""
        return self.strategy.local_loss(loss, model, start)

    def begin(self, model: nn.Module) -> None:
        """Tell the inner strategy (see `Strategy.begin`)."""
        self.strategy.begin(model)

    def state_dict(self) -> dict[str, Any]:
        """What the inner strategy remembers."""
        return self.strategy.state_dict()

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from what `state_dict` gave."""
        self.strategy.load_state_dict(state)
