"""Requests for values that a worker's owner decides about, one by one."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from syft.core.messages import ObjectId
from syft.exceptions import GetNotPermittedError, GetPendingError, ObjectNotFoundError

PENDING, ACCEPTED, REJECTED = "pending", "accepted", "rejected"


@dataclass(slots=True)
class ValueRequest:
    """Somebody asked for a value.

    Attributes:
        number: its place in the queue.
        object: the id of what was asked for.
        user: who asked; None for a client without a name.
        reason: why, in the asker's words.
        state: ``"pending"``, ``"accepted"`` or ``"rejected"``.
    """

    number: int
    object: ObjectId
    user: Any
    reason: str
    state: str = field(default=PENDING)

    def accept(self) -> None:
        """Let this user have the value."""
        self.state = ACCEPTED

    def reject(self) -> None:
        """Refuse it."""
        self.state = REJECTED


class ValueRequests:
    """The queue of one worker: ``worker.requests[0].accept()``.

    Example:
        >>> requests = ValueRequests()
        >>> try:
        ...     requests.check(7, "ana", "a paper")
        ... except GetPendingError:
        ...     print(requests)
        #0 pending: 'ana' asks for object 7, because: a paper
        >>> requests[0].accept()
        >>> requests.check(7, "ana", "a paper")
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._requests: list[ValueRequest] = []

    def check(self, object: ObjectId, user: Any, reason: str) -> None:
        """Return if the owner has accepted; otherwise put the request into the queue, once.

        Raises:
            GetPendingError: the owner has not decided.
            GetNotPermittedError: the owner has refused.
        """
        with self._lock:
            held = next((r for r in self._requests if r.object == object and r.user == user), None)
            if held is None:
                held = ValueRequest(len(self._requests), object, user, str(reason)[:1000])
                self._requests.append(held)
        if held.state == PENDING:
            raise GetPendingError(
                f"request #{held.number} for object {object} waits for the decision of its owner; call get() again "
                "when it was accepted"
            )
        if held.state == REJECTED:
            raise GetNotPermittedError(f"the owner of object {object} has refused request #{held.number}")

    def __getitem__(self, number: int) -> ValueRequest:
        try:
            return self._requests[number]
        except IndexError:
            raise ObjectNotFoundError(
                number, None, f"there is no request #{number}; there are {len(self._requests)}"
            ) from None

    def __len__(self) -> int:
        return len(self._requests)

    def __iter__(self) -> Iterator[ValueRequest]:
        return iter(list(self._requests))

    def __repr__(self) -> str:
        lines = [
            f"#{r.number} {r.state}: {r.user!r} asks for object {r.object}"
            + (f", because: {r.reason}" if r.reason else "")
            for r in self
        ]
        return "\n".join(lines) or "no requests"
