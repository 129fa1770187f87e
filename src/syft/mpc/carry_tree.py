"""Comparison of a masked value with its mask, bit by bit, in a tree (the default protocol).

A secret x is masked as ``y = x + r`` where y is public and the bits of r are shared by exclusive or. The sign of x is
``y's top bit ^ r's top bit ^ [y's low bits < r's low bits]``, and the last is what a tree of generate and propagate
bits computes (Brent and Kung 1982; in multi-party computation: Catrina and de Hoogh, "Improved primitives for secure
multiparty integer computation", SCN 2010, section 3). Because y is public, the leaves and, with the products of
neighbouring bits of r from the provider, the first level cost no round; of 64 bits, 32 pairs are left, five rounds.
``x == 0`` is ``y == r``, for which the propagate bits alone do.

Bits are kept in words as small as they fit. Where pairs of bits take less than a byte, several elements share one.
"""

from __future__ import annotations

import sys
from functools import lru_cache
from typing import Any, ClassVar

import numpy as np
import torch

from syft.mpc.comparison import EQUAL, ORDER, Blinding
from syft.mpc.material import Layout, Segment, Words

U8, U16, U32, U64 = np.uint8, np.uint16, np.uint32, np.uint64
# After `arranged`, the two halves of a word are neighbours, at every level of the tree.
_SWAPS = {
    64: ((U64(31), U64(0x00000000AAAAAAAA)), (U64(14), U64(0x0000CCCC0000CCCC)), (U64(4), U64(0x00F000F000F000F0))),
    32: ((U32(15), U32(0x0000AAAA)), (U32(6), U32(0x00CC00CC))),
}
_WORD = {64: U64, 32: U32}
_HALF = {64: U32, 32: U16}
# Below a byte: which bits of a byte are the upper halves, and how far the lower ones are below.
_PACKED = ((U8(0xF0), U8(4)), (U8(0xCC), U8(2)), (U8(0xAA), U8(1)))


def padded(count: int) -> int:
    """So many elements are compared: eight fit into a byte at the end."""
    return -(-count // 8) * 8


def arranged(words: Words, width: int) -> Words:
    """Bit i moves to where i is with its own bits reversed.

    Args:
        words: of ``width`` bits.
        width: 32 or 64.

    Returns:
        Words of the same kind.
    """
    for shift, mask in _SWAPS[width]:
        moved = (words ^ (words >> shift)) & mask
        words = words ^ moved ^ (moved << shift)
    return words


def low_bits(words: Words, width: int, kind: str) -> Words:
    """What the tree looks at: all bits but the top one for the order, all of them for equality."""
    return words if kind == EQUAL else words & _WORD[width]((1 << (width - 1)) - 1)


def as_words(values: torch.Tensor, width: int) -> Words:
    """The lowest bits of ring elements, a multiple of 8 of them; those that are added are 0."""
    flat = values.reshape(-1).numpy().view(U64)
    count = padded(flat.size)
    if width == 64 and count == flat.size:
        return flat
    out = np.zeros(count, _WORD[width])
    out[: flat.size] = flat
    return out


def _levels(width: int, count: int) -> list[tuple[Any, int]]:
    """The dtype and the count of words of each AND level."""
    levels: list[tuple[Any, int]] = [(U16, count)] if width == 64 else []
    return [*levels, (U8, count), (U8, count // 2), (U8, count // 4), (U8, count // 8)]


@lru_cache(maxsize=1024)
def layout_of(count: int, width: int, kind: str) -> Layout:
    """The strip of one comparison.

    Args:
        count: elements, a multiple of 8.
        width: 32 or 64 bits.
        kind: `ORDER` or `EQUAL`.
    """
    factors, products = (3, 2) if kind == ORDER else (2, 1)
    levels = _levels(width, count)
    return Layout(
        [Segment(dtype, factors * n) for dtype, n in levels],
        [
            Segment(U64, count, additive=True),  # the bit that blinds the result, as a ring element
            Segment(_WORD[width], count),  # the mask
            Segment(_HALF[width], count),  # products of its neighbouring bits
            *[Segment(dtype, products * n) for dtype, n in levels],
            Segment(U8, count // 8),  # the top bit of the mask and the blinding bit
        ],
    )


def choose(mask: Words, blind: Words, width: int, kind: str, factors: list[Words]) -> list[Words]:
    """What the provider knows of one comparison, in the order of the layout.

    Args:
        mask: the masks, words of ``width`` bits.
        blind: a bit for each element, as uint8.
        width: 32 or 64 bits.
        kind: `ORDER` or `EQUAL`.
        factors: the random segments.
    """
    q = arranged(low_bits(mask, width, kind), width)
    half = _HALF[width]
    rows = 3 if kind == ORDER else 2
    parts = [words.reshape(rows, -1) for words in factors]
    products = [part[1:] & part[0] for part in parts]
    top = blind if kind == EQUAL else blind ^ (mask >> _WORD[width](width - 1)).astype(U8)
    return [blind.astype(U64), q, _upper(q, half) & _lower(q, half), *products, packed(top)]


class CarryTree:
    """One holder's side of a comparison.

    Args:
        first: whether this is the holder that adds what is public.
        public: the arranged complement of the masked value's low bits.
        material: the segments of the strip.
        width: 32 or 64 bits.
        kind: `ORDER` or `EQUAL`.
    """

    remote_kind: ClassVar[str] = "mpc_step"

    def __init__(self, first: bool, public: Words, material: list[Words], width: int, kind: str) -> None:
        self.first, self.level = first, 0
        self.rows = 2 if kind == ORDER else 1  # propagate bits, and generate bits after them
        levels = len(_levels(width, 8))
        self.factors = material[:levels]
        blind, q, neighbours, *self.products, self.top = material[levels:]
        self.blinding = Blinding(first, blind)
        half = _HALF[width]
        y_up, y_low = _upper(public, half), _lower(public, half)
        up, low = _upper(q, half), _lower(q, half)
        # propagate = y ^ q, generate = y & q of each bit, y being the complement; then both of each pair.
        state = self.state = np.empty((self.rows, public.size), half)
        mixed = (y_up & low) ^ neighbours
        np.bitwise_xor(mixed, y_low & up, out=state[0])
        if first:
            state[0] ^= y_up & y_low
        if kind == ORDER:
            np.bitwise_xor(y_up & up, y_low & mixed, out=state[1])

    def masked(self) -> Words:
        """What this holder shows at this level, as bytes; at the end its share of the blinded result."""
        if self.level == len(self.factors):
            return self.state[-1] ^ self.top
        up, low = self._halves(self.state)
        shown = self.factors[self.level].reshape(self.rows + 1, -1).copy()
        shown[0] ^= up[0]
        shown[1:] ^= low
        self.state = up
        return shown.reshape(-1).view(U8)

    def opened(self, shown: Words) -> None:
        """Go up a level with what all holders showed together."""
        words = self.factors[self.level]
        opened = shown.view(words.dtype).reshape(self.rows + 1, -1)
        mine = words.reshape(self.rows + 1, -1)
        # The product of the upper propagate bits with the lower bits of both kinds, by a multiplication triple.
        state = (mine[1:] ^ opened[1:] if self.first else mine[1:]) & opened[0]
        state ^= opened[1:] & mine[0]
        state ^= self.products[self.level].reshape(self.rows, -1)
        if self.rows == 2:
            state[1] ^= self.state[1]
        self.state = state
        self.level += 1

    def shares(self, result: Words) -> Words:
        """See `Blinding`."""
        return self.blinding.shares(result)

    def _halves(self, words: Words) -> tuple[Words, Words]:
        """The upper and the lower half of each word, in words of half the size, or of two elements in one byte."""
        size = words.dtype.itemsize
        if size > 1:
            half = U16 if size == 4 else U8
            return _upper(words, half), _lower(words, half)
        upper, shift = _PACKED[self.level - len(self.factors)]
        middle = words.shape[1] // 2
        one, other = words[:, :middle], words[:, middle:]
        up, low = (other & upper) >> shift, (one & ~upper) << shift
        up |= one & upper
        low |= other & ~upper
        return up, low


_UP = int(sys.byteorder == "little")  # where the upper half of a word stands


def _upper(words: Words, half: Any) -> Words:
    return words.view(half)[..., _UP::2]


def _lower(words: Words, half: Any) -> Words:
    return words.view(half)[..., 1 - _UP :: 2]


def packed(bits: Words) -> Words:
    """One bit of each element, a uint8 of 0 or 1, as the tree leaves them: eight in a byte."""
    return np.packbits(bits.reshape(8, -1), axis=0).reshape(-1)


def unpacked(words: Words) -> Words:
    """The inverse of `packed`."""
    return np.unpackbits(words.reshape(1, -1), axis=0).reshape(-1)
