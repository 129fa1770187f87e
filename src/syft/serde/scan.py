"""Checks the structure of a msgpack body before anything is built from it.

msgpack's own decoder reserves memory for as many elements as a container declares, each time one is
nested in another, and knows no limit of depth below a thousand. So a body is first walked once, without
building anything, and refused unless all it declares is really there.

The grammar is narrower than msgpack's: an extension may stand only as the first element of an array,
where it is the tag of the object that the other elements describe. There are no timestamps.
"""

from __future__ import annotations

from syft.exceptions import DecodeError
from syft.serde.limits import Limits

TAG_CODE = 1
"""The msgpack extension type of tags."""


_EMPTY_ARRAY, _EMPTY_MAP = -1, -17


def _steps() -> tuple[int, ...]:
    steps = [0] * 256
    for byte in (*range(0x80), *range(0xE0, 0x100), 0xC0, 0xC2, 0xC3):
        steps[byte] = 1
    for byte, size in ((0xCC, 2), (0xD0, 2), (0xCD, 3), (0xD1, 3), (0xCA, 5), (0xCE, 5), (0xD2, 5)):
        steps[byte] = size
    for byte in (0xCB, 0xCF, 0xD3):
        steps[byte] = 9
    for length in range(32):
        steps[0xA0 + length] = 1 + length
    for length in range(16):
        steps[0x90 + length] = _EMPTY_ARRAY - length
        steps[0x80 + length] = _EMPTY_MAP - length
    return tuple(steps)


# What a first byte alone says: > 0 the size of a scalar, < 0 a small container, 0 neither.
_STEPS = _steps()
_BLOBS = {0xC4: 1, 0xC5: 2, 0xC6: 4, 0xD9: 1, 0xDA: 2, 0xDB: 4}  # bytes and strings: bytes of their length
_FIRST_STRING = 0xD9
_CONTAINERS = {0xDC: (2, 1), 0xDD: (4, 1), 0xDE: (2, 2), 0xDF: (4, 2)}  # bytes of their length, values per entry
_TAGS = {0xD4: 1, 0xD5: 2, 0xD6: 4, 0xD7: 8, 0xD8: 16, 0xC7: 0}  # the length of a tag, 0 if the next byte is it


def scan(body: bytes, limits: Limits) -> int:
    """Check that a body is one whole value of the grammar within the limits.

    Args:
        body: msgpack bytes.
        limits: depth, items and length of strings.

    Returns:
        The number of map entries in all, by which the caller can tell whether keys were repeated.

    Raises:
        DecodeError: it is not.
    """
    try:
        end, entries = _walk(body, limits)
    except IndexError:
        raise DecodeError(f"the structure of the message is cut off after {len(body)} bytes") from None
    if end != len(body):
        raise DecodeError(f"the structure of the message ends at byte {end} of {len(body)}")
    return entries


def _walk(body: bytes, limits: Limits) -> tuple[int, int]:
    steps, max_items, max_depth = _STEPS, limits.max_items, limits.max_depth
    at = entries = items = depth = 0
    left = 1  # values still to come in the innermost open container
    outer: list[int] = []  # the same for the containers around it
    while True:
        byte = body[at]
        step = steps[byte]
        left -= 1
        if step > 0:
            at += step
        elif not step and byte in _BLOBS:
            at = _skip_blob(body, at, limits)
        else:
            if step:
                at += 1
                count, per_entry = (_EMPTY_ARRAY - step, 1) if step > _EMPTY_MAP else (_EMPTY_MAP - step, 2)
            else:
                at, count, per_entry = _open(body, at)
            if per_entry == 2:
                entries += count
                count *= 2
            items += count
            if items > max_items:
                raise DecodeError(_too_many(max_items))
            if per_entry == 1 and count and body[at] in _TAGS:
                at = _skip_tag(body, at)
                count -= 1
            outer.append(left)
            left = count
            depth += 1
            if depth > max_depth:
                raise DecodeError(
                    f"the message is nested more than {max_depth} deep; flatten it, or raise Limits.max_depth"
                )
        while not left:
            if not depth:
                return at, entries
            left = outer.pop()
            depth -= 1


def _too_many(max_items: int) -> str:
    return (
        f"the message has more than {max_items} values; send numbers as a tensor or an array, or raise Limits.max_items"
    )


def _skip_blob(body: bytes, at: int, limits: Limits) -> int:
    byte, start = body[at], at + 1 + _BLOBS[body[at]]
    length = int.from_bytes(body[at + 1 : start])
    if byte >= _FIRST_STRING and length > limits.max_str:
        raise DecodeError(
            f"the message has a string of {length} bytes and at most {limits.max_str} are accepted; "
            "send it as bytes, or raise Limits.max_str"
        )
    return start + length


def _open(body: bytes, at: int) -> tuple[int, int, int]:
    """Where a long container's first value is, its count of entries, and the values in each entry."""
    byte = body[at]
    if byte not in _CONTAINERS:
        raise DecodeError(f"byte {at} of the structure is {byte:#04x}, where a value should begin")
    length_bytes, per_entry = _CONTAINERS[byte]
    start = at + 1 + length_bytes
    return start, int.from_bytes(body[at + 1 : start]), per_entry


def _skip_tag(body: bytes, at: int) -> int:
    length, code_at = _TAGS[body[at]], at + 1
    if not length:
        length, code_at = body[at + 1], at + 2
    if body[code_at] != TAG_CODE:
        raise DecodeError(f"byte {at} of the structure begins an extension of type {body[code_at]}: there is none")
    return code_at + 1 + length
