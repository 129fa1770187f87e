"""`Answered`: where a thread waits for the answer to a request."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence

from syft.transports.stream import Buffer


class Answered:
    """Where the answer to one request arrives.

    Args:
        done: called with this, by the link's thread, when it is there.
    """

    __slots__ = ("_done", "_lock", "error", "value")

    def __init__(self, done: Callable[[Answered], None] | None = None) -> None:
        self._lock = threading.Lock()
        self._lock.acquire()
        self._done = done
        self.value: Sequence[Buffer] = ()
        self.error: Exception | None = None

    def settle(self, value: Sequence[Buffer], error: Exception | None = None) -> None:
        """Say what it is; once."""
        self.value, self.error = value, error
        self._lock.release()
        if self._done is not None:
            self._done(self)

    @property
    def settled(self) -> bool:
        """Whether it is there."""
        return not self._lock.locked()

    def wait(self, timeout: float | None) -> bool:
        """Whether it came within so many seconds."""
        return self._lock.acquire(timeout=-1 if timeout is None else timeout)

    def result(self) -> Sequence[Buffer]:
        """The answer, in parts; raises what there was instead of one."""
        if self.error is not None:
            raise self.error
        return self.value
