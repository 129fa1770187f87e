"""`Channel`: the worker's end of one client's stream: one message after the other, off the network's thread."""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Executor

from syft.exceptions import ConnectionLost
from syft.transports.stream import REPLY, Buffer, Parcel, Stream

logger = logging.getLogger("syft.transports")

Handle = Callable[[Parcel], Sequence[Buffer] | None]


class Channel:
    """One client's messages, in order.

    Args:
        id: of the session, 16 bytes.
        secret: shows that a later connection belongs to the same client.
        handle: deals with a parcel; the bytes that it returns go back. It never raises.
        pool: where that happens.
        max_parcel: the longest message to accept, in bytes.
        window: bytes that may wait to be sent back before the next message is dealt with.
    """

    def __init__(self, id: bytes, secret: bytes, handle: Handle, pool: Executor, max_parcel: int, window: int) -> None:
        self.id, self.secret = id, secret
        self._handle, self._pool = handle, pool
        self._limits = max_parcel, window
        self._lock = threading.Lock()
        self._inbox: deque[Parcel] = deque()
        self._running = False
        self.ended: str | None = None
        self._then: Callable[[], None] | None = None  # to be done after the last message
        self._complete = False  # whether no more messages are taken
        self.stream = Stream(max_parcel, window)
        self._notify: Callable[[], None] | None = None
        self.left_at: float | None = time.monotonic()

    @property
    def attached(self) -> bool:
        """Whether a connection is there."""
        return self._notify is not None

    @property
    def pending(self) -> int:
        """How many messages wait."""
        return len(self._inbox) + self._running

    @property
    def busy(self) -> bool:
        """Whether a message is being dealt with."""
        return self._running

    def serves(self, notify: Callable[[], None]) -> bool:
        """Whether the connection of this callback is still the one in use."""
        return self._notify is notify

    def attach(self, notify: Callable[[], None], received: int | None) -> None:
        """Go on over a new connection, which replaces the one before.

        Args:
            notify: called, from any thread, when there is something to send.
            received: what the client has received; None starts a new stream.

        Raises:
            DecodeError: the client cannot have received that.
        """
        before, self._notify = self._notify, None
        if before is not None:
            before()
        if received is None:
            self.stream.close("the client has started anew")
            self.stream = Stream(*self._limits)
        else:
            self.stream.resume(received)
        self._notify, self.left_at = notify, None

    def detach(self, notify: Callable[[], None]) -> None:
        """The connection is gone; a newer one is left alone."""
        if self._notify is notify:
            self._notify, self.left_at = None, time.monotonic()

    def deliver(self, parcels: Sequence[Parcel]) -> None:
        """Have these dealt with, after what came before."""
        with self._lock:
            if self.ended is not None or self._complete:
                return
            self._inbox.extend(parcels)
            if self._running or not self._inbox:
                return
            self._running = True
        self._pool.submit(self._run)

    def _run(self) -> None:
        try:
            self._work()
        except BaseException:
            # Not of the message's making: without this the client would wait for ever.
            logger.exception("a session failed")
            self.end("the session failed on the worker")
            raise
        finally:
            then, self._then = self._then, None
            if then is not None:
                then()

    def _work(self) -> None:
        while True:
            with self._lock:
                if not self._inbox or self.ended is not None:
                    self._running = False
                    stream = self.stream
                    break
                parcel = self._inbox.popleft()
            stream = self.stream
            reply = self._handle(parcel)
            stream.dealt(parcel.number)
            if reply is not None:
                try:
                    stream.put(reply, REPLY, parcel.number)
                except ConnectionLost:
                    continue  # the client does not wait for it any more
                self._tell()
        if stream.owes:
            self._tell()

    def _tell(self) -> None:
        notify = self._notify
        if notify is not None:
            notify()

    def finish(self, reason: str, then: Callable[[], None]) -> None:
        """Deal with what has arrived, as nobody takes it back, answer nothing more, and call ``then``."""
        with self._lock:
            self._complete = True
            later = self._running
            if later:
                self._then = then
        self.stream.close(reason)
        if not later:
            then()

    def end(self, reason: str) -> None:
        """Deal with nothing more; a client that is there is told why and its connection closed."""
        with self._lock:
            self.ended = reason
            self._inbox.clear()
        self.stream.close(reason)
        self._tell()
