"""Zstandard, in pieces, so that no length that a message declares makes a receiver allocate more than one piece.

4 bytes     length of what follows, little-endian
then        a Zstandard frame that says its size: exactly `PIECE` bytes, fewer in the last one

"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from typing import Any

from syft.core.optional import require
from syft.exceptions import DecodeError

PIECE = 1 << 20
"""Bytes in a piece before compression."""

_LENGTH = struct.Struct("<I")
_LEVEL = 1  # tensors barely shrink more at higher levels
_PAYS = 0.9  # what shrinks to more than this share is sent as it is


def zstandard() -> Any:
    """The package.

    Raises:
        DependencyError: it is missing.
    """
    return require("zstandard", "compression")


def compress(parts: Sequence[bytes | bytearray | memoryview], *, only_if_it_pays: bool = False) -> list[bytes] | None:
    """Compress bytes that lie in several places.

    Args:
        parts: the bytes.
        only_if_it_pays: give up when they hardly shrink, as the values of tensors often do.

    Returns:
        The compressed pieces with their lengths; None if they hardly shrink.

    Raises:
        DependencyError: the package is missing.
    """
    machine = zstandard().ZstdCompressor(level=_LEVEL, write_content_size=True)
    out: list[bytes] = []
    given = packed = 0
    for piece in _pieces(parts):
        frame = machine.compress(piece)
        out += (_LENGTH.pack(len(frame)), frame)
        given, packed = given + len(piece), packed + len(frame) + _LENGTH.size
        # The structure of a message comes first and always shrinks: small beside its tensors, it decides nothing.
        if only_if_it_pays and packed > _PAYS * given:
            return None
    return out


def _pieces(parts: Sequence[bytes | bytearray | memoryview]) -> Iterator[bytes | bytearray | memoryview]:
    held: list[memoryview] = []
    size = 0
    for part in parts:
        view = memoryview(part).cast("B")
        while len(view):
            taken = view[: PIECE - size]
            held.append(taken)
            size += len(taken)
            view = view[len(taken) :]
            if size == PIECE:
                yield held[0] if len(held) == 1 else b"".join(held)
                held, size = [], 0
    if size:
        yield b"".join(held)


def decompress(payload: memoryview, most: int) -> bytearray:
    """Undo `compress`.

    Args:
        payload: what arrived.
        most: how far it may grow.

    Raises:
        DependencyError: the package is missing.
        DecodeError: it is damaged or cut off, or grows too far.
    """
    package = zstandard()
    machine = package.ZstdDecompressor(max_window_size=PIECE)
    out, at, last = bytearray(), 0, PIECE
    while at < len(payload):
        if last != PIECE:
            raise DecodeError("a compressed message has a short piece before its last one")
        start = at + _LENGTH.size
        end = start + _LENGTH.unpack_from(payload, at)[0] if start <= len(payload) else start
        if end > len(payload):
            raise DecodeError("the compressed message is cut off; have it sent again")
        frame = payload[start:end]
        try:
            size = package.frame_content_size(frame)
            if not 0 < size <= PIECE:
                raise DecodeError(f"a piece of a compressed message says that it has {size} bytes")
            if len(out) + size > most:
                raise DecodeError(
                    f"{len(payload)} compressed bytes grow beyond {most}; have them sent uncompressed, "
                    "or raise Limits.max_expansion or Limits.max_bytes"
                )
            out += machine.decompress(frame, allow_extra_data=False)
        except package.ZstdError as error:
            raise DecodeError(f"the compressed message is damaged: {error}. Have it sent again.") from error
        at, last = end, size
    return out
