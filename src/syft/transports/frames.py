"""Websocket frames by the shortest way: whole binary messages, which is what nearly everything is.

They are written and read here, with few copies. Everything else that a peer may send, control frames, messages in
fragments and what is no websocket at all, goes on to the protocol object of the ``websockets`` library as it came.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import Any

from websockets.frames import apply_mask

_BINARY = 0x82  # the last frame of a binary message, which is the only one
_MASKED = 0x80
_SHORT, _LONG = struct.Struct("!BBH"), struct.Struct("!BBQ")
_LENGTH = (struct.Struct("!H"), struct.Struct("!Q"))


def head(size: int, mask: bytes = b"") -> bytes:
    """What stands before the bytes of a binary message.

    Args:
        size: how many there are.
        mask: four random bytes with which they are masked, as those of clients are.

    Example:
        >>> head(5), head(200), head(5, b"mask")
        (b'\\x82\\x05', b'\\x82~\\x00\\xc8', b'\\x82\\x85mask')
    """
    masked = _MASKED if mask else 0
    if size < 126:
        return bytes((_BINARY, masked | size)) + mask
    if size < 1 << 16:
        return _SHORT.pack(_BINARY, masked | 126, size) + mask
    return _LONG.pack(_BINARY, masked | 127, size) + mask


class FrameReader:
    """Finds the messages in what arrives.

    Args:
        pass_on: gets the bytes of everything that is not a whole binary message.
        max_size: the longest message; longer ones are passed on, to be refused.
        masked: whether the other end masks its messages.
    """

    def __init__(self, pass_on: Callable[[bytes], None], max_size: int, *, masked: bool) -> None:
        self._pass_on, self._max_size = pass_on, max_size
        self._marked = _MASKED if masked else 0
        self._rest = b""  # the beginning of a frame whose head is not complete
        self._message: bytearray | None = None  # one that is not complete
        self._filled = 0
        self._mask = b""
        self._passing = 0  # how many bytes still belong to a frame that is passed on
        self._lost = False  # what arrives is no websocket that we could follow

    @property
    def room(self) -> memoryview | None:
        """Where the next bytes of a long message belong; `filled` says how many were put there. None if in none."""
        return None if self._message is None else memoryview(self._message)[self._filled :]

    def filled(self, count: int) -> list[Any]:
        """So many bytes were put into the `room`; the message, if it is complete."""
        self._filled += count
        message = self._message
        if message is None or self._filled < len(message):
            return []
        self._message = None
        return [apply_mask(message, self._mask) if self._marked else message]

    def feed(self, data: bytes) -> list[Any]:
        """Take in what arrived.

        Returns:
            The messages that it completes: bytes or bytearrays.
        """
        if self._rest:
            data, self._rest = self._rest + data, b""
        messages: list[Any] = []
        at, end = 0, len(data)
        while at < end:
            if self._message is not None:
                taken = min(end - at, len(self._message) - self._filled)
                self._message[self._filled : self._filled + taken] = memoryview(data)[at : at + taken]
                messages += self.filled(taken)
                at += taken
            elif self._passing or self._lost:
                taken = end - at if self._lost else min(end - at, self._passing)
                self._passing -= 0 if self._lost else taken
                self._pass_on(data[at : at + taken])
                at += taken
            else:
                at = self._next(data, at, messages)
                if at < 0:
                    break
        return messages

    def _next(self, data: bytes, at: int, messages: list[Any]) -> int:
        """Look at the frame that begins here; where to go on, or -1 if its head is not complete."""
        left = len(data) - at
        size = data[at + 1] & 0x7F if left > 1 else 0
        length = 2 if size < 126 else 4 if size == 126 else 10
        start = at + length + (4 if self._marked else 0)
        if left < 2 or start > len(data):
            self._rest = data[at:]
            return -1
        if size > 125:
            (size,) = _LENGTH[size - 126].unpack_from(data, at + 2)
        if data[at + 1] & _MASKED != self._marked or size > self._max_size:
            self._lost = True
            return at
        if data[at] != _BINARY:
            self._passing = start - at + size
            return at
        self._mask = data[start - 4 : start] if self._marked else b""
        if start + size <= len(data):
            payload = data[start : start + size]
            messages.append(apply_mask(payload, self._mask) if self._marked else payload)
            return start + size
        self._message, self._filled = bytearray(size), 0
        return start
