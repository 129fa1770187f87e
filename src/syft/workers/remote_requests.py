"""The queue of requests for values on a worker elsewhere, for its owner."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from syft.core import messages as m
from syft.exceptions import UsageError
from syft.workers.approvals import NOTHING, described


class RemoteRequests:
    """The queue of requests on a worker elsewhere.

    Args:
        worker: the worker, connected to as its owner.
    """

    def __init__(self, worker: Any) -> None:
        self._worker = worker

    def _rows(self) -> list[list[Any]]:
        rows: list[list[Any]] = self._worker.ask("session", "requests")
        return rows

    def __len__(self) -> int:
        return len(self._rows())

    def __iter__(self) -> Iterator[RemoteRequest]:
        return iter([RemoteRequest(self._worker, *row) for row in self._rows()])

    def __getitem__(self, number: int) -> RemoteRequest:
        for request in self:
            if request.number == number:
                return request
        raise UsageError(f"there is no request #{number} on worker {self._worker.id!r}")

    def __repr__(self) -> str:
        return "\n".join(map(repr, self)) or NOTHING


class RemoteRequest:
    """One request on a worker elsewhere; see `syft.workers.approvals.ValueRequest`."""

    def __init__(
        self, worker: Any, number: int, object: m.ObjectId, user: Any, reason: str, state: str, source: str = ""
    ) -> None:
        self._worker = worker
        self.number, self.object, self.user, self.reason, self.state = number, object, user, reason, state
        self.source = source

    def accept(self) -> None:
        """Let this user have the value."""
        self._worker.ask("session", "decide", self.number, True)

    def reject(self) -> None:
        """Refuse it."""
        self._worker.ask("session", "decide", self.number, False)

    def __repr__(self) -> str:
        return described(self.number, self.object, self.user, self.reason, self.source, self.state)
