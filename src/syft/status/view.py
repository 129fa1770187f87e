"""What the status port asks of a worker. No answer but a prediction holds the value of a tensor."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import torch


@dataclass(frozen=True, slots=True)
class SessionRow:
    """One client of the worker.

    Attributes:
        user: who; None where the worker asks nobody for a name.
        since: when the session began, in seconds since 1970.
        objects: how many objects it holds.
        nbytes: how large they are together.
        connected: whether the client is there now; if not, its lease is running.
        pending: how many requests of this session wait for an answer.
    """

    user: str | None
    since: float
    objects: int
    nbytes: int
    connected: bool
    pending: int


@dataclass(frozen=True, slots=True)
class ObjectRow:
    """One object of the worker, described.

    Attributes:
        id: its id.
        kind: the name of its type.
        shape: of a tensor; None for anything else.
        dtype: of a tensor, such as ``"float32"``; None for anything else.
        tags: what it is found by.
        description: a sentence about it.
        owner: the user whose object it is.
    """

    id: int | str
    kind: str
    shape: tuple[int, ...] | None = None
    dtype: str | None = None
    tags: tuple[str, ...] = ()
    description: str | None = None
    owner: str | None = None


@dataclass(frozen=True, slots=True)
class Traffic:
    """Messages of one kind since the worker started, and their bytes."""

    messages_in: int = 0
    messages_out: int = 0
    bytes_in: int = 0
    bytes_out: int = 0


@dataclass(frozen=True, slots=True)
class TrainingRow:
    """The training that runs on the worker, or ran last.

    Attributes:
        dataset: the key of the data it trains on.
        step: how many steps are done.
        losses: the loss after each step that was kept, the oldest first.
    """

    dataset: str
    step: int
    losses: Sequence[float]


class WorkerView(Protocol):
    """A worker as the status port sees it. Its methods are called from several threads."""

    @property
    def id(self) -> str:
        """The worker's id."""

    @property
    def started(self) -> float:
        """When the worker started, in seconds since 1970."""

    def healthy(self) -> bool:
        """Whether the worker takes messages."""

    def sessions(self) -> Sequence[SessionRow]:
        """The sessions that are open or leased."""

    def objects(self) -> Sequence[ObjectRow]:
        """What the worker holds; descriptions, never values."""

    def traffic(self) -> Mapping[str, Traffic]:
        """What went in and out, by the kind of message."""

    def ops(self) -> int:
        """How many operations ran since the worker started."""

    def training(self) -> TrainingRow | None:
        """The training that runs or ran last; None if there was none."""

    def models(self) -> Sequence[Mapping[str, Any]]:
        """The hosted models that may be shown, each with ``id``, ``version``, ``allow_download`` and
        ``allow_remote_inference``."""

    def predict(self, name: str, data: torch.Tensor, user: str | None) -> torch.Tensor:
        """Run a hosted model.

        Args:
            name: of the model.
            data: the batch, shape and dtype as it came in.
            user: who asks, as `identify` said.

        Raises:
            ModelNotFoundError: there is none of that name for this user.
            ModelPermissionError: it is not run for this user.
        """

    def identify(self, authorization_header: str | None) -> str | None:
        """Who sends a request.

        Args:
            authorization_header: such as ``"Bearer <token>"``; None if the request has none.

        Returns:
            The user; None where the worker demands no token.

        Raises:
            AuthenticationError: the worker demands a token, and this is not one it gave out.
        """
