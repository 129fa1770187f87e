"""The few forms of Protocol Buffers in which TenSEAL writes contexts and ciphertexts (its ``proto/*.proto``).

What arrives is never handed to TenSEAL as it is: its parts are taken out here, checked, and put together again.
"""

from __future__ import annotations

import struct

_VARINT, _DOUBLE, _BYTES = 0, 1, 2


def varint(value: int) -> bytes:
    """An unsigned integer, seven bits a byte."""
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def integer(number: int, value: int) -> bytes:
    """A field with an unsigned integer."""
    return varint(number << 3 | _VARINT) + varint(value)


def double(number: int, value: float) -> bytes:
    """A field with a floating-point number."""
    return varint(number << 3 | _DOUBLE) + struct.pack("<d", value)


def message(number: int, content: bytes) -> bytes:
    """A field with bytes, or with another message.

    Example:
        >>> message(2, b"abc")
        b'\\x12\\x03abc'
    """
    return varint(number << 3 | _BYTES) + varint(len(content)) + content


def fields(data: bytes) -> dict[int, list[bytes]]:
    """The fields of a message that hold bytes; other fields are passed over.

    Args:
        data: a message that this process made itself.

    Raises:
        ValueError: it is no message, or is cut off.

    Example:
        >>> fields(integer(1, 300) + message(2, b"abc") + double(3, 0.5))
        {2: [b'abc']}
    """
    out: dict[int, list[bytes]] = {}
    at = 0
    while at < len(data):
        key, at = _read_varint(data, at)
        number, kind = key >> 3, key & 7
        if kind == _VARINT:
            _, at = _read_varint(data, at)
        elif kind == _DOUBLE:
            at += 8
        elif kind == _BYTES:
            length, at = _read_varint(data, at)
            out.setdefault(number, []).append(data[at : at + length])
            at += length
        else:
            raise ValueError(f"a field of kind {kind} is not among those that TenSEAL writes")
    if at != len(data):
        raise ValueError("a Protocol Buffers message is cut off")
    return out


def _read_varint(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        if at >= len(data) or shift > 63:
            raise ValueError("an integer in a Protocol Buffers message is cut off")
        byte = data[at]
        value |= (byte & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if byte < 0x80:
            return value, at
