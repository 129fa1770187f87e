"""Requests for values that a worker's owner decides about, one by one."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from syft.core.messages import ObjectId
from syft.exceptions import GetNotPermittedError, GetPendingError, LimitExceededError, ObjectNotFoundError

PENDING, ACCEPTED, REJECTED = "pending", "accepted", "rejected"
_LONGEST_NAME = 64
_LONGEST_REASON = 1000
NOTHING = "no requests"
_MOST_OF_ONE, _MOST = 100, 1000  # requests that wait, of one user and of all


@dataclass(slots=True)
class ValueRequest:
    """Somebody asked for a value.

    Attributes:
        number: its place in the queue.
        object: the id of what was asked for.
        user: who asked; None for a client without a name.
        reason: why, in the asker's words.
        source: how it was computed and from which of the owner's objects; empty if it is one of these itself.
        state: ``"pending"``, ``"accepted"`` or ``"rejected"``.
    """

    number: int
    object: ObjectId
    user: Any
    reason: str
    source: str = ""
    state: str = field(default=PENDING)
    content: bytes = field(default=b"", repr=False)

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
        #0 pending: 'ana' asks for object 7, because: 'a paper'
        >>> requests[0].accept()
        >>> requests.check(7, "ana", "a paper")
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._requests: list[ValueRequest] = []

    def check(self, object: ObjectId, user: Any, reason: Any, content: bytes = b"", source: str = "") -> None:
        """Return if the owner has accepted; otherwise put the request into the queue, once.

        Args:
            object: the id of what is asked for.
            user: who asks.
            reason: why.
            content: stands for the values as they are: who may have some may not have others under the same id.
            source: how the values were computed.

        Raises:
            GetPendingError: the owner has not decided.
            GetNotPermittedError: the owner has refused, or nobody can be called what the user is called.
            LimitExceededError: too many requests wait already.
        """
        if not (user is None or (type(user) is str and len(user) <= _LONGEST_NAME)):
            raise GetNotPermittedError(f"a user who asks for a value has a name of at most {_LONGEST_NAME} characters")
        asked = (object, user, content)
        with self._lock:
            held = next((r for r in self._requests if (r.object, r.user, r.content) == asked), None)
            if held is None:
                self._check_room(user)
                why = reason[:_LONGEST_REASON] if type(reason) is str else ""
                held = ValueRequest(len(self._requests), object, user, why, source, content=content)
                self._requests.append(held)
        if held.state == PENDING:
            raise GetPendingError(
                f"request #{held.number} for object {object} waits for the decision of its owner; call get() again "
                "when it was accepted"
            )
        if held.state == REJECTED:
            raise GetNotPermittedError(f"the owner of object {object} has refused request #{held.number}")

    def _check_room(self, user: Any) -> None:
        waiting = [r.user for r in self._requests if r.state == PENDING]
        if len(waiting) >= _MOST or waiting.count(user) >= _MOST_OF_ONE:
            raise LimitExceededError(
                f"{len(waiting)} requests wait for the owner's decision, {waiting.count(user)} of them yours; ask "
                "again when some were decided"
            )

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
        return "\n".join([described(r.number, r.object, r.user, r.reason, r.source, r.state) for r in self]) or NOTHING


def described(number: int, object: ObjectId, user: Any, reason: str, source: str, state: str) -> str:
    """A request in one line; whatever a client says in it stays in its quotes."""
    made = f", {source}" if source else ""
    why = f", because: {reason!r}" if reason else ""
    return f"#{number} {state}: {user!r} asks for object {object!r}{made}{why}"
