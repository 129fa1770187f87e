"""Frames made by hand, as a stranger would: nothing here uses the encoder under test."""

from __future__ import annotations

import struct
from typing import Any

import msgpack

from syft.serde.limits import DEFAULT_LIMITS
from syft.serde.scan import scan


def tagged(tag: str, *fields: Any) -> list[Any]:
    """An object of a registered type, claimed."""
    return [msgpack.ExtType(1, tag.encode()), *fields]


def frame(structure: Any, *buffers: bytes) -> bytes:
    """An uncompressed frame around a msgpack structure and its buffers."""
    return raw_frame(msgpack.packb(structure), *buffers)


def raw_frame(body: bytes, *buffers: bytes, lengths: list[int] | None = None, **head: Any) -> bytes:
    """An uncompressed frame around any bytes; ``lengths`` and ``head`` (magic, version, count, size) may lie."""
    lengths = [len(b) for b in buffers] if lengths is None else lengths
    frame = struct.pack(
        "<B2sBIQ",
        head.get("code", 40),
        head.get("magic", b"SY"),
        head.get("version", 1),
        head.get("count", len(lengths)),
        head.get("size", len(body)),
    )
    frame += struct.pack(f"<{len(lengths)}Q", *lengths) + body
    for buffer in buffers:
        frame += head.get("pad", b"\0") * (-len(frame) % 16) + buffer
    return frame


def tensor(dtype: Any, shape: Any, buffer: Any = 0, traits: Any = None, layout: Any = "strided") -> list[Any]:
    """The header of a dense tensor, claimed."""
    return tagged("tensor", layout, dtype, shape, buffer, traits)


def body_of(data: bytes) -> bytes:
    """The msgpack body of an uncompressed frame, which must be sound."""
    count, size = struct.unpack_from("<IQ", data, 4)
    body = data[16 + 8 * count :][:size]
    scan(body, DEFAULT_LIMITS)
    return body


def buffers_of(data: bytes) -> list[bytes]:
    """The buffers of an uncompressed frame."""
    count, size = struct.unpack_from("<IQ", data, 4)
    at = 16 + 8 * count + size
    found = []
    for length in struct.unpack_from(f"<{count}Q", data, 16):
        at += -at % 16
        found.append(data[at : at + length])
        at += length
    return found
