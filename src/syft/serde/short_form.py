"""What the short forms of messages have in common: one flat msgpack array behind one byte, and no more than 1 KiB."""

from __future__ import annotations

from typing import Any

from msgpack import Packer

LONGEST = 1024
"""Bytes of a short form; what is longer takes the general one."""

_IDLE: list[Packer] = []  # taking from the end and putting back are atomic, so that threads never share one
_MAX_IDLE = 8


def packed(first: bytes, fields: list[Any]) -> bytes | None:
    """The bytes of a short form.

    Args:
        first: the byte that says which one.
        fields: plain values.

    Returns:
        None if they take too much, or cannot be written like this.
    """
    try:
        packer = _IDLE.pop()
    except IndexError:
        packer = Packer(strict_types=True, buf_size=LONGEST)
    try:
        body: bytes = packer.pack(fields)
    except (OverflowError, ValueError, TypeError):
        return None  # the general form says what is wrong
    if len(_IDLE) < _MAX_IDLE:
        _IDLE.append(packer)
    return first + body if len(body) < LONGEST else None
