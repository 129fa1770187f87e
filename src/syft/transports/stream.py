"""A stream of parcels that survives its connections: numbers, batches, pieces, acknowledgements. No sockets here.

Both ends of a connection have one `Stream`. Each parcel (the bytes of one message) gets the next number of its
direction. What is sent is kept until the other end has dealt with it, so that a broken connection can be replaced:
each end says what it has received, and the other one sends the rest again. A number that arrives twice is dropped,
so nothing is carried out twice.

One websocket message holds

    bytes 0-7     the number of the last parcel of the other end that was dealt with
    then records  flags (1 byte), number (8), the number this answers or 0 (8), length (4), and the bytes

Small parcels share a websocket message. A large one is cut into pieces, one a websocket message, all but the last
with the flag `MORE`: memory stays bounded, and heartbeats pass in between. The bytes of the first piece follow on the
length of the whole (8 bytes).
"""

from __future__ import annotations

import struct
import threading
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from syft.exceptions import ConnectionLost, DecodeError, LimitExceededError
from syft.serde.landing import Landing

Buffer = bytes | bytearray | memoryview

REQUEST = 1  # the sender waits for an answer
MORE = 2  # the parcel goes on in the next record
REPLY = 4  # an answer

_ACK = struct.Struct("<Q")
_RECORD = struct.Struct("<BQQI")
_WHOLE = struct.Struct("<Q")
_BATCH = 1 << 16
_QUICKER_COPIED = 1 << 12  # bytes; and thousands of views that wait would keep the garbage collector busy
PIECE = 1 << 20
MAX_FRAME = PIECE + _ACK.size + _RECORD.size + _WHOLE.size + _BATCH
"""The longest websocket message in bytes."""


@dataclass(frozen=True, slots=True)
class Parcel:
    """The bytes of one message on their way.

    Attributes:
        number: its place in its direction, from 1.
        answers: the number of the parcel it answers, or 0.
        flags: `REQUEST`, `REPLY`.
        parts: its bytes, in one or several pieces of memory; one that arrived in pieces in those of a `Landing`.
        size: how many bytes.
    """

    number: int
    answers: int
    flags: int
    parts: tuple[Buffer, ...]
    size: int


# What waits to be sent or acknowledged, with the fields of a `Parcel`. The garbage collector stops looking at plain
# tuples of plain values; thousands of objects would have it go through all of the program's, over and over.
_Queued = tuple[int, int, int, tuple[Buffer, ...], int]
_NUMBER: Final = 0
_SIZE: Final = 4


class Stream:
    """One end.

    Args:
        max_parcel: the longest parcel to accept, in bytes.
        window: how many bytes may be on their way before `put` waits.
    """

    def __init__(self, max_parcel: int, window: int) -> None:
        self.max_parcel, self.window = max_parcel, window
        self._changed = threading.Condition(threading.Lock())
        self._unsent: deque[_Queued] = deque()
        self._unacknowledged: deque[_Queued] = deque()
        self._cut = 0  # how many bytes of the first unsent parcel were sent
        self._numbered = self._acknowledged = 0
        self._outstanding = 0  # bytes of parcels that were not acknowledged
        self._received = self._dealt = self._told = 0
        self._partial: Landing | None = None
        self._closed: str | None = None
        self.moved = 0  # bytes, in both directions, whatever was sent twice counted twice

    # --- out ----------------------------------------------------------------------------------------

    def put(self, parts: Sequence[Buffer], flags: int = 0, answers: int = 0, *, wait: bool = True) -> int:
        """Queue a parcel; the bytes must not change until it is acknowledged.

        Args:
            parts: its bytes.
            flags: see `Parcel`.
            answers: what it answers.
            wait: wait while more than the window is on its way.

        Returns:
            Its number.

        Raises:
            ConnectionLost: the stream was closed.
        """
        size = sum([len(p) for p in parts])
        with self._changed:
            while wait and self._outstanding and self._outstanding + size > self.window and self._closed is None:
                self._changed.wait(1.0)
            if self._closed is not None:
                raise ConnectionLost(self._closed)
            self._numbered += 1
            self._unsent.append((self._numbered, answers, flags, tuple(parts), size))
            self._outstanding += size
            return self._numbered

    def take(self, *, acknowledge: bool = False) -> list[Buffer] | None:
        """The next websocket message to send, in parts that are one after the other, or None.

        Args:
            acknowledge: give a message without records if there is something to acknowledge.
        """
        with self._changed:
            if not self._unsent and not (acknowledge and self._dealt > self._told):
                return None
            out: list[Buffer] = [_ACK.pack(self._dealt)]
            self._told = self._dealt
            size = 0
            while self._unsent and size < _BATCH:
                number, answers, flags, parts, whole = self._unsent[0]
                if size and whole > _BATCH:
                    break
                taken = min(PIECE, whole - self._cut)
                more = self._cut + taken < whole
                if more and not self._cut:
                    out.append(_RECORD.pack(flags | MORE, number, answers, _WHOLE.size + taken))
                    out.append(_WHOLE.pack(whole))
                else:
                    out.append(_RECORD.pack(flags | MORE if more else flags, number, answers, taken))
                out.extend(parts if taken == whole else _cut(parts, self._cut, taken))
                size += taken + _RECORD.size
                if more:
                    self._cut += taken
                    break
                self._cut = 0
                self._unacknowledged.append(self._unsent.popleft())
        self.moved += sum(map(len, out))
        return out

    def wait_acknowledged(self, number: int, timeout: float | None = None) -> bool:
        """Wait until the other end has dealt with a parcel.

        Raises:
            ConnectionLost: the stream was closed.
        """
        with self._changed:
            self._changed.wait_for(lambda: self._acknowledged >= number or self._closed is not None, timeout)
            if self._acknowledged < number and self._closed is not None:
                raise ConnectionLost(self._closed)
            return self._acknowledged >= number

    def full(self, size: int) -> bool:
        """Whether so many bytes more would have to wait."""
        return self._outstanding + size > self.window and self._closed is None

    @property
    def unsent(self) -> bool:
        """Whether something waits to be sent."""
        return bool(self._unsent)

    @property
    def owes(self) -> bool:
        """Whether something was dealt with that the other end has not been told."""
        return self._dealt > self._told

    # --- in -----------------------------------------------------------------------------------------

    def receive(self, data: bytes | bytearray) -> list[Parcel]:
        """Take a websocket message apart.

        Returns:
            The parcels that it completes, each once, in order.

        Raises:
            DecodeError: it is not one, or does not go on where the last one ended.
            LimitExceededError: a parcel is longer than ``max_parcel``.
        """
        if len(data) < _ACK.size:
            raise DecodeError(f"a frame has {_ACK.size} bytes or more, not {len(data)}")
        self.moved += len(data)
        self._acknowledge(_ACK.unpack_from(data)[0])
        view, at, parcels = memoryview(data), _ACK.size, []
        while at < len(data):
            if at + _RECORD.size > len(data):
                raise DecodeError(f"a record is cut off at byte {at} of {len(data)}")
            flags, number, answers, length = _RECORD.unpack_from(data, at)
            at += _RECORD.size
            if at + length > len(data):
                raise DecodeError(f"a record declares {length} bytes and has {len(data) - at}")
            start = at
            at += length
            if number <= self._received:
                continue
            if number != self._received + 1:
                raise DecodeError(f"parcel {number} came where {self._received + 1} was due")
            if length <= _QUICKER_COPIED and not flags & MORE and self._partial is None:
                self._check_size(length)
                complete: tuple[Buffer, ...] | None = (data[start:at],)
                size = length
            else:
                complete = self._assemble(view[start:at], bool(flags & MORE))
                size = 0 if complete is None else sum(map(len, complete))
            if complete is not None:
                self._received = number
                parcels.append(Parcel(number, answers, flags, complete, size))
        return parcels

    def _assemble(self, payload: memoryview, more: bool) -> tuple[Buffer, ...] | None:
        partial = self._partial
        if partial is None:
            if not more:
                self._check_size(len(payload))
                return (payload,)
            if len(payload) < _WHOLE.size:
                raise DecodeError("the first piece of a message does not say how long the whole is")
            (size,) = _WHOLE.unpack_from(payload)
            self._check_size(size)
            payload = payload[_WHOLE.size :]
            partial = self._partial = Landing(size, payload)
        partial.write(payload)
        if (partial.filled == partial.size) is more:
            raise DecodeError(f"a message of {partial.size} bytes came in pieces of {partial.filled} together")
        if more:
            return None
        self._partial = None
        return tuple(partial.parts)

    def _check_size(self, size: int) -> None:
        if size > self.max_parcel:
            raise LimitExceededError(
                f"a message of {size} bytes arrived and at most {self.max_parcel} are taken; send it in parts, or "
                "raise the limit"
            )

    def dealt(self, number: int) -> None:
        """Say that a received parcel was dealt with; the other end may forget it."""
        self._dealt = max(self._dealt, number)

    def _acknowledge(self, number: int) -> None:
        if number == self._acknowledged:
            return
        with self._changed:
            if not self._acknowledged <= number <= self._numbered:
                raise DecodeError(f"parcel {number} was acknowledged, of {self._numbered} that were sent")
            self._acknowledged = number
            for queue in (self._unacknowledged, self._unsent):
                while queue and queue[0][_NUMBER] <= number:
                    self._outstanding -= queue.popleft()[_SIZE]
                    if queue is self._unsent:
                        self._cut = 0
            self._changed.notify_all()

    # --- a new connection ---------------------------------------------------------------------------

    @property
    def received(self) -> int:
        """The number of the last parcel that arrived whole."""
        return self._received

    def rewind(self) -> None:
        """Take again what arrived and was not dealt with, before a new connection: whoever read it was interrupted."""
        self._received = self._dealt

    def resume(self, received: int) -> None:
        """Go on over a new connection.

        Args:
            received: the last parcel that the other end has received.

        Raises:
            DecodeError: it cannot have.
        """
        with self._changed:
            if not self._acknowledged <= received <= self._numbered:
                raise DecodeError(
                    f"the other end has received {received} parcels, of {self._acknowledged} to {self._numbered}"
                )
            self._partial, self._cut, self._told = None, 0, 0
            while self._unacknowledged and self._unacknowledged[-1][_NUMBER] > received:
                self._unsent.appendleft(self._unacknowledged.pop())
            while self._unsent and self._unsent[0][_NUMBER] <= received:
                self._unacknowledged.append(self._unsent.popleft())

    def close(self, reason: str) -> None:
        """Let nothing pass any more; whoever waits gets a `ConnectionLost` with the reason."""
        with self._changed:
            self._closed = reason
            self._unsent.clear()
            self._unacknowledged.clear()
            self._changed.notify_all()


def _cut(parts: Sequence[Buffer], start: int, length: int) -> list[Buffer]:
    """The bytes from ``start`` on, without copying them."""
    out: list[Buffer] = []
    for part in parts:
        if start >= len(part):
            start -= len(part)
            continue
        piece = memoryview(part)[start : start + length]
        out.append(piece)
        length -= len(piece)
        start = 0
        if not length:
            break
    return out
