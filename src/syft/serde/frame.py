"""The frame of a message: its structure first, the raw memory of its tensors behind it.

    byte 0              compression code: 40 none, 41 LZ4, 42 zlib, 44 Zstandard; all the rest is compressed as one
    bytes 1-2           ``SY``
    byte 3              version of the format
    bytes 4-7           number of buffers
    bytes 8-15          length of the body
    from 16             length of each buffer, 8 bytes each
    then                the body: one msgpack value
    then each buffer    at the next multiple of 16, with zeros in between; the last one ends the frame

Numbers are unsigned and little-endian. Buffers have no stored offsets, so they can neither overlap nor
leave holes.
"""

from __future__ import annotations

import struct
from bisect import bisect_right
from collections.abc import Sequence
from itertools import accumulate

from syft.exceptions import DecodeError
from syft.serde.compression import NO_COMPRESSION, Scheme, apply_no_compression, compress, decompress
from syft.serde.limits import Limits

MAGIC = b"SY"
VERSION = 1
ALIGNMENT = 16  # the size of the widest element, complex128

_HEAD = struct.Struct("<2sBIQ")  # what follows the compression code
_HEAD_SIZE = 1 + _HEAD.size
_CODE = bytes((NO_COMPRESSION,))
_PADS = tuple(bytes(n) for n in range(ALIGNMENT))


def lay_out(body: bytes, buffers: Sequence[memoryview]) -> list[bytes | memoryview]:
    """The parts of an uncompressed frame one after the other, without copying a buffer."""
    sizes = [buffer.nbytes for buffer in buffers]
    table = struct.pack(f"<{len(sizes)}Q", *sizes)
    parts: list[bytes | memoryview] = [_CODE, _HEAD.pack(MAGIC, VERSION, len(sizes), len(body)), table, body]
    at = _HEAD_SIZE + len(table) + len(body)
    for buffer, size in zip(buffers, sizes, strict=True):
        parts.append(_PADS[-at % ALIGNMENT])
        parts.append(buffer.cast("B") if size else b"")  # bytes, so that their length is the number of items
        at += -at % ALIGNMENT + size
    return parts


def join(body: bytes, buffers: Sequence[memoryview], scheme: Scheme) -> bytes:
    """Put a frame together; each buffer is copied once (twice with compression)."""
    parts = lay_out(body, buffers)
    if scheme is apply_no_compression:
        return b"".join(parts)
    data, code = compress(b"".join(parts[1:]), scheme)
    return b"".join((bytes((code,)), data))


def split(frame: bytes | bytearray | memoryview, limits: Limits) -> tuple[bytes, list[memoryview | None]]:
    """Take a frame apart into the body and a view of each buffer, copying only the body.

    Raises:
        DecodeError: this is not exactly one frame of this version within the limits.
    """
    try:
        view = memoryview(frame).cast("B")
    except TypeError as error:
        raise DecodeError(f"a message is bytes, not {type(frame).__name__}: {error}") from error
    if not len(view):
        raise DecodeError("the message is empty; have it sent again")
    _check_length(len(view), limits)
    payload = decompress(view[1:], view[0], limits)
    sizes, start, end = _read_head(payload, len(payload), limits)
    body = bytes(payload[start:end])
    buffers: list[memoryview | None] = []
    at = end
    for size in sizes:
        pad = -(at + 1) % ALIGNMENT
        _check_padding(payload[at : at + pad])
        at += pad + size
        buffers.append(payload[at - size : at])
    return body, buffers


def split_parts(
    parts: Sequence[bytes | bytearray | memoryview], limits: Limits
) -> tuple[bytes, list[memoryview | None]]:
    """Like `split`, for a frame in the parts of a `Landing`.

    Raises:
        DecodeError: as `split`.
    """
    starts = list(accumulate(map(len, parts), initial=0))
    first, length = memoryview(parts[0]), starts.pop()
    _check_length(length, limits)
    if len(first) < _HEAD_SIZE or first[0] != NO_COMPRESSION:
        return split(b"".join(parts), limits)
    sizes, start, at = _read_head(first[1:], length - 1, limits)
    wanted = [(1 + start, at - start)]
    at += 1
    for size in sizes:
        pad = -at % ALIGNMENT
        wanted += ((at, pad), (at + pad, size))
        at += pad + size
    found = []
    for place, size in wanted:
        number = bisect_right(starts, place) - 1
        found.append(memoryview(parts[number])[place - starts[number] :][:size])
        if len(found[-1]) < size:  # the parts are not those that this head asks for
            return split(b"".join(parts), limits)
    for padding in found[1::2]:
        _check_padding(padding)
    return bytes(found[0]), list(found[2::2])


def _check_length(length: int, limits: Limits) -> None:
    if length > limits.max_bytes:
        raise DecodeError(
            f"the message has {length} bytes and at most {limits.max_bytes} are accepted; "
            "send it in parts, or raise Limits.max_bytes"
        )


def _check_padding(pad: memoryview) -> None:
    if pad != _PADS[len(pad)]:
        raise DecodeError(f"the message has {len(pad)} bytes other than zero between its buffers")


def places_of(beginning: memoryview, size: int) -> list[tuple[int, int]]:
    """Where the buffers of an uncompressed frame are, from its first bytes: their starts and lengths.

    Raises:
        DecodeError: that cannot be told from these bytes.
    """
    if not len(beginning) or beginning[0] != NO_COMPRESSION:
        raise DecodeError("only what is not compressed has places of its own")
    sizes, _, at = _read_head(beginning[1:], size - 1, Limits(max_bytes=size))
    at += 1
    places = []
    for length in sizes:
        at += -at % ALIGNMENT
        places.append((at, length))
        at += length
    return places


def _read_head(payload: memoryview, whole: int, limits: Limits) -> tuple[tuple[int, ...], int, int]:
    """The sizes of the buffers, and where the body starts and ends; checked to fill the whole exactly."""
    if len(payload) < _HEAD.size:
        raise DecodeError(f"the message is cut off after {len(payload) + 1} bytes; have it sent again")
    magic, version, count, length = _HEAD.unpack_from(payload)
    if magic != MAGIC:
        raise DecodeError(f"the bytes are not a message: they begin with {bytes(payload[:2])!r} and not {MAGIC!r}")
    if version != VERSION:
        raise DecodeError(
            f"the message has format {version} and this syft reads {VERSION}; use one version on both ends"
        )
    if count > limits.max_buffers:
        raise DecodeError(
            f"the message has {count} tensors and at most {limits.max_buffers} are accepted; "
            "send them in parts, or raise Limits.max_buffers"
        )
    start = _HEAD.size + 8 * count
    end = start + length
    if end > whole or start > len(payload):
        raise DecodeError(f"the message declares {end + 1} bytes and more, and has {len(payload) + 1}")
    sizes: tuple[int, ...] = struct.unpack_from(f"<{count}Q", payload, _HEAD.size)
    total = end
    for size in sizes:
        total += -(total + 1) % ALIGNMENT + size
    if total != whole:
        raise DecodeError(f"the message declares {total + 1} bytes and has {whole + 1}; have it sent again")
    return sizes, start, end
