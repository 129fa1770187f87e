"""Bits of many words, plane by plane: an op on planes takes a bit of every word at once, wherever it stands in it.

The planes are in the order that a tree needs: those of the bits 0, 2, 4 … come first, 1, 3, 5 … after them, and so on
within both halves. The upper and the lower bits of all pairs are two halves at every level then.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np

from syft.exceptions import ProtocolStepError

Words = np.ndarray[Any, Any]
_UNSIGNED = {32: np.uint32, 64: np.uint64}


def dtype_of(width: int) -> Any:
    """The dtype of the words of planes.

    Raises:
        ProtocolStepError: the width is neither 32 nor 64 bits.
    """
    try:
        return _UNSIGNED[width]
    except (KeyError, TypeError):
        raise ProtocolStepError(
            f"comparisons look at {' or '.join(map(str, _UNSIGNED))} bits, not at {width!r}"
        ) from None


def columns(count: int, width: int) -> int:
    """How many words a plane has, for so many words."""
    return -(-count // width)


def sliced(words: Words, width: int) -> Words:
    """The planes of words, by transposing squares of bits (Warren, Hacker's Delight, section 7-3).

    Args:
        words: uint64, in one dimension; of 32 bits the lower halves are taken.
        width: 32 or 64.

    Returns:
        Unsigned words of ``width`` bits, of shape ``(width, columns)``. What is missing in the last ones is 0.
    """
    dtype = dtype_of(width)
    across = columns(words.size, width)
    planes = np.zeros((width, across), dtype)
    planes.reshape(-1)[: words.size] = words
    for axis, shift, mask in _swaps(width):
        pairs = planes.reshape(width // (2 * axis), 2, axis * across)
        low, high = pairs[:, 0], pairs[:, 1]
        moved = low >> shift
        moved ^= high
        moved &= mask
        high ^= moved
        moved <<= shift
        low ^= moved
    return planes


def joined(plane: Words, count: int) -> Words:
    """The bits of one plane, for so many words: booleans in one dimension."""
    bits: Words = plane & _places(8 * plane.itemsize) != 0
    return bits.reshape(-1)[:count]


@lru_cache
def _swaps(width: int) -> tuple[tuple[int, Any, Any], ...]:
    """The steps of the transposition: bit j of a place in a word changes with the bit of its word's number that mirrors
    it, which leaves the planes in the order that is wanted."""
    dtype, swaps = _UNSIGNED[width], []
    size = width.bit_length() - 1
    for j in range(size):
        mask = sum(1 << place for place in range(width) if not place >> j & 1)
        swaps.append((1 << (size - 1 - j), dtype(1 << j), dtype(mask)))
    return tuple(swaps)


@lru_cache
def _places(width: int) -> Words:
    size = width.bit_length() - 1
    mirrored = [1 << int(f"{place:0{size}b}"[::-1], 2) for place in range(width)]
    return np.array(mirrored, _UNSIGNED[width]).reshape(-1, 1)
