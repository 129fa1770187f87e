"""What happened in each round of a training, in plain numbers that go to JSON and back."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from syft.exceptions import FederatedError
from syft.federated.strategies import ClientUpdate


@dataclass(frozen=True, slots=True)
class ClientRecord:
    """One client's part of one round.

    Args:
        samples: how many samples it trained on in one pass; 0 where secure aggregation hides it.
        batches: how many batches it trained on, all local epochs together; likewise.
        train_loss: the mean training loss a sample over all local epochs; NaN where it is hidden.
        seconds: wall time of its training, transport included.
        drift: distance of its parameters from the round's average, relative to the average's length; likewise.
        metrics: what the evaluation of its own model gave; empty if that is off.
    """

    samples: int
    batches: int
    train_loss: float
    seconds: float
    drift: float
    metrics: Mapping[str, float] = field(default_factory=dict)

    @classmethod
    def of(cls, update: ClientUpdate, drift: float, metrics: Mapping[str, float] | None = None) -> ClientRecord:
        """The figures of what a client sent back.

        Args:
            update: what it sent.
            drift: its distance from the average.
            metrics: what the evaluation of its own model gave.
        """
        said = update.metrics
        return cls(update.samples, int(said["batches"]), said["train_loss"], said["seconds"], drift, metrics or {})


@dataclass(frozen=True, slots=True)
class RoundRecord:
    """One round.

    Args:
        round: its number, from 1.
        seconds: wall time, evaluation included.
        clients: the clients that took part, by name.
        metrics: what the evaluation of the global model gave.
        lost: the clients that were left out, by name, and why.
        together: under secure aggregation, what is known of all clients together and of none alone: the sum of their
            weights (``samples``, unless all weigh alike) and their mean ``train_loss``; otherwise empty.
    """

    round: int
    seconds: float
    clients: Mapping[str, ClientRecord]
    metrics: Mapping[str, float] = field(default_factory=dict)
    lost: Mapping[str, str] = field(default_factory=dict)
    together: Mapping[str, float] = field(default_factory=dict)

    @property
    def train_loss(self) -> float:
        """The mean training loss a sample over all clients."""
        if "train_loss" in self.together:
            return self.together["train_loss"]
        samples = sum(client.samples for client in self.clients.values())
        if samples == 0:
            return math.nan
        return sum(client.train_loss * client.samples for client in self.clients.values()) / samples


class History:
    """All rounds of a training, in order.

    Example:
        >>> history = History()
        >>> history.append(RoundRecord(1, 0.5, {"bob": ClientRecord(10, 2, 0.7, 0.4, 0.1)}, {"accuracy": 0.9}))
        >>> history.metric("accuracy"), history.client_figure("bob", "train_loss")
        ([0.9], [0.7])
        >>> History.from_json(history.to_json()) == history
        True
    """

    def __init__(self, rounds: list[RoundRecord] | None = None) -> None:
        self.rounds: list[RoundRecord] = list(rounds or [])

    def append(self, record: RoundRecord) -> None:
        """Add the next round.

        Args:
            record: the round; numbers go up by one.

        Raises:
            FederatedError: the round is not the next one.
        """
        if record.round != len(self.rounds) + 1:
            raise FederatedError(f"round {record.round} cannot follow after {len(self.rounds)} rounds.")
        self.rounds.append(record)

    def __len__(self) -> int:
        return len(self.rounds)

    def __getitem__(self, index: int) -> RoundRecord:
        return self.rounds[index]

    def __eq__(self, other: object) -> bool:
        return isinstance(other, History) and self.rounds == other.rounds

    def __repr__(self) -> str:
        last = f", last {dict(self.rounds[-1].metrics)}" if self.rounds else ""
        return f"<History of {len(self.rounds)} rounds{last}>"

    @property
    def clients(self) -> list[str]:
        """The names of all clients that ever took part, in order of appearance."""
        return list(dict.fromkeys(name for record in self.rounds for name in record.clients))

    def metric(self, name: str) -> list[float]:
        """One figure of the global model over the rounds.

        Args:
            name: as the evaluation called it, or ``train_loss`` for the clients' mean training loss.

        Returns:
            One number a round; NaN where it is missing.
        """
        return [
            record.train_loss if name == "train_loss" else record.metrics.get(name, math.nan) for record in self.rounds
        ]

    def client_figure(self, client: str, name: str) -> list[float]:
        """One figure of one client over the rounds.

        Args:
            client: its name.
            name: ``samples``, ``batches``, ``train_loss``, ``seconds``, ``drift`` or a metric of its own model.

        Returns:
            One number a round; NaN where it did not take part or the figure is missing.
        """
        return [_figure(record.clients.get(client), name) for record in self.rounds]

    def to_dict(self) -> dict[str, Any]:
        """Plain lists and dicts, with None for numbers that are not finite."""
        return {"rounds": [_plain(asdict(record)) for record in self.rounds]}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> History:
        """Build it again from what `to_dict` gave.

        Args:
            data: the dict; None stands for NaN.

        Returns:
            The history.

        Raises:
            FederatedError: the dict does not have that form.
        """
        try:
            return cls([_round_from(entry) for entry in data["rounds"]])
        except (KeyError, TypeError, AttributeError, ValueError) as error:
            raise FederatedError(f"this is not a training history: {error!r}.") from error

    def to_json(self, *, indent: int | None = 2) -> str:
        """The history as JSON text."""
        return json.dumps(self.to_dict(), indent=indent, allow_nan=False)

    @classmethod
    def from_json(cls, text: str) -> History:
        """Build it again from JSON text.

        Args:
            text: as `to_json` gave it.

        Returns:
            The history.

        Raises:
            FederatedError: the text is not JSON or not a history.
        """
        try:
            return cls.from_dict(json.loads(text))
        except json.JSONDecodeError as error:
            raise FederatedError(f"this is not a training history, not even JSON: {error}.") from error


def _figure(record: ClientRecord | None, name: str) -> float:
    if record is None:
        return math.nan
    figures = {**asdict(record), **record.metrics}
    return math.nan if name == "metrics" else float(figures.get(name, math.nan))


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _number(value: float | None) -> float:
    return math.nan if value is None else float(value)


def _round_from(entry: Mapping[str, Any]) -> RoundRecord:
    clients = {
        name: ClientRecord(
            samples=int(client["samples"]),
            batches=int(client["batches"]),
            train_loss=_number(client["train_loss"]),
            seconds=_number(client["seconds"]),
            drift=_number(client["drift"]),
            metrics={key: _number(value) for key, value in client["metrics"].items()},
        )
        for name, client in entry["clients"].items()
    }
    metrics = {key: _number(value) for key, value in entry["metrics"].items()}
    lost = {str(name): str(reason) for name, reason in entry.get("lost", {}).items()}
    together = {str(name): _number(value) for name, value in entry.get("together", {}).items()}
    return RoundRecord(int(entry["round"]), _number(entry["seconds"]), clients, metrics, lost, together)
