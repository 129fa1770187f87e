"""`Channel`: the worker's end of one client's stream: one message after the other, off the network's thread."""

from __future__ import annotations

import contextlib
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


def _never(parcel: Parcel) -> Sequence[Buffer] | None:
    return None


class Channel:
    """One client's messages, in order.

    Args:
        id: of the session, 16 bytes.
        secret: shows that a later connection belongs to the same client.
        handle: deals with a parcel; the bytes that it returns go back. It never raises.
        pool: where that happens.
        max_parcel: the longest message to accept, in bytes.
        window: bytes that may wait to be sent back before the next message is dealt with.
        at_once: answers what takes no time, in the network's thread; None for all else. It never raises.

    Attributes:
        ended: why nothing is dealt with any more; None while it is.
    """

    def __init__(
        self,
        id: bytes,
        secret: bytes,
        handle: Handle,
        pool: Executor,
        max_parcel: int,
        window: int,
        at_once: Handle = _never,
    ) -> None:
        self.id, self.secret = id, secret
        self._handle, self._pool, self._at_once = handle, pool, at_once
        self._limits = max_parcel, window
        self._lock = threading.Lock()
        self._inbox: deque[tuple[Stream, Parcel]] = deque()  # each with the stream that it came by, for its answer
        self._waiting = 0  # bytes in the inbox
        self._running = False
        self._held = False  # whether messages wait until the client takes its answers
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

    @property
    def crowded(self) -> bool:
        """Whether more waits than a client sends that keeps to its window."""
        return self._waiting > sum(self._limits)

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
        before, self._notify, self.left_at = self._notify, None, time.monotonic()
        if before is not None:
            before()
        if received is None:
            self.stream.close("the client has started anew")
            self.stream = Stream(*self._limits)
        else:
            self.stream.resume(received)
        self._notify, self.left_at = notify, None
        self.go_on()

    def detach(self, notify: Callable[[], None]) -> None:
        """The connection is gone; a newer one is left alone."""
        if self._notify is notify:
            self._notify, self.left_at = None, time.monotonic()

    def deliver(self, parcels: Sequence[Parcel]) -> bool:
        """Have these dealt with, after what came before.

        Returns:
            Whether that is done already, and there is an answer to send.
        """
        stream = self.stream
        with self._lock:
            if self.ended is not None or self._complete or not parcels:
                return False
            alone = len(parcels) == 1 and not self._running and not self._inbox and not stream.full(0)
            if not alone:
                self._queue(stream, parcels)
                return False
            self._running = True
        reply = self._at_once(parcels[0])
        with self._lock:
            self._running = False
            if reply is None:
                self._queue(stream, parcels)
                return False
        stream.dealt(parcels[0].number)
        with contextlib.suppress(ConnectionLost):  # the client does not wait for it any more
            stream.put(reply, REPLY, parcels[0].number, wait=False)
        return True

    def go_on(self) -> None:
        """Deal with what waits for room for its answer, if there is room now."""
        if self._held:
            with self._lock:
                self._start()

    def _queue(self, stream: Stream, parcels: Sequence[Parcel]) -> None:
        for parcel in parcels:
            self._inbox.append((stream, parcel))
            self._waiting += parcel.size
        self._start()

    def _start(self) -> None:
        if self._inbox and not self._running and self.ended is None and not self._hold():
            self._running = True
            self._pool.submit(self._run)

    def _hold(self) -> bool:
        # Marked before it is looked at: room that is made in between is seen here, or the mark is seen there.
        self._held = True
        self._held = self.stream.full(0)
        return self._held

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
                if not self._inbox or self.ended is not None or self._hold():
                    self._running = False
                    stream = self.stream
                    break
                stream, parcel = self._inbox.popleft()
                crowded = self.crowded
                self._waiting -= parcel.size
                relieved = crowded and not self.crowded
            if relieved:
                self._tell()
            reply = self._handle(parcel)
            stream.dealt(parcel.number)
            if reply is not None:
                try:
                    # Never waits: the thread would be lost to the others for as long as the client reads nothing.
                    stream.put(reply, REPLY, parcel.number, wait=False)
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
            self.stream.close(reason)
            self._start()
            later = self._running
            if later:
                self._then = then
        if not later:
            then()

    def end(self, reason: str) -> None:
        """Deal with nothing more; a client that is there is told why and its connection closed."""
        with self._lock:
            self.ended = reason
            self._inbox.clear()
            self._waiting = 0
        self.stream.close(reason)
        self._tell()
