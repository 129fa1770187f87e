"""Comparison of a masked value with its mask, bit by bit, in a tree (the default protocol).

A secret x is masked as ``y = x + r`` where y is public and the bits of r are shared by exclusive or. The sign of x is
``y's top bit ^ r's top bit ^ [y's low bits < r's low bits]``, and the last is what a tree of generate and propagate
bits computes (Brent and Kung 1982; in multi-party computation: Catrina and de Hoogh, "Improved primitives for secure
multiparty integer computation", SCN 2010, section 3). Because y is public, the leaves and, with the products of
neighbouring bits of r from the provider, the first level cost no round; of 64 bits, 32 pairs are left, five rounds.
``x == 0`` is ``y == r``, for which the propagate bits alone do.

Bits are kept in planes, see `syft.mpc.bit_planes`: each level halves how many there are.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import ClassVar

import numpy as np

from syft.exceptions import ProtocolStepError
from syft.mpc.bit_planes import columns, dtype_of
from syft.mpc.comparison import ORDER, Blinding
from syft.mpc.material import Layout, Segment, Words


def low_bits(planes: Words, kind: str, neutral: int) -> Words:
    """What the tree looks at: all bits but the top one for the order, all of them for equality.

    Args:
        planes: changed in place.
        kind: `ORDER` or `EQUAL`.
        neutral: the bit in the place of the top one.
    """
    if kind == ORDER:
        zero = planes.dtype.type(0)
        planes[-1] = ~zero if neutral else zero
    return planes


@lru_cache(maxsize=1024)
def layout_of(count: int, width: int, kind: str, gate: bool = False) -> Layout:
    """The strip of one comparison.

    Args:
        count: elements.
        width: 32 or 64 bits.
        kind: `ORDER` or `EQUAL`.
        gate: whether the compared value will be multiplied with the result.
    """
    dtype, words = dtype_of(width), columns(count, width)
    factors, products = (3, 2) if kind == ORDER else (2, 1)
    nodes = (width // 2 - 1) * words  # of all levels but the first
    return Layout(
        [Segment(dtype, factors * nodes)],
        [
            # The bit that blinds the result, as a ring element, and its product with the mask.
            *[Segment(np.uint64, count, additive=True)] * (2 if gate else 1),
            Segment(dtype, width * words),  # the mask
            Segment(dtype, width // 2 * words),  # products of its neighbouring bits
            Segment(dtype, products * nodes),
            Segment(dtype, words),  # the top bit of the mask and the blinding bit
        ],
    )


def choose(mask: Words, blind: Words, ring: Sequence[Words], kind: str, factors: list[Words]) -> list[Words]:
    """What the provider knows of one comparison, in the order of the layout.

    Args:
        mask: the planes of the masks; changed.
        blind: a plane of bits that blind the results.
        ring: the ring elements of the layout.
        kind: `ORDER` or `EQUAL`.
        factors: the random segments.
    """
    (words,) = factors
    rows = words.reshape(3 if kind == ORDER else 2, -1)
    top = blind ^ mask[-1] if kind == ORDER else blind
    low_bits(mask, kind, 0)
    half = len(mask) // 2
    return [*ring, mask, mask[half:] & mask[:half], rows[1:] & rows[0], top]


class CarryTree:
    """One holder's side of a comparison.

    Args:
        first: whether this is the holder that adds what is public.
        public: planes of the complement of the masked value's low bits.
        material: the segments of the strip.
        kind: `ORDER` or `EQUAL`.
    """

    remote_kind: ClassVar[str] = "mpc_step"

    def __init__(self, first: bool, public: Words, material: list[Words], kind: str) -> None:
        width, words = public.shape
        half = width // 2
        self.first, self.rows = first, 2 if kind == ORDER else 1  # propagate bits, and generate bits after them
        factors, *ring, mask, neighbours, products, self.top = material
        self.blinding = Blinding(first, *ring)
        self.factors = factors.reshape(self.rows + 1, half - 1, words)
        self.products = products.reshape(self.rows, half - 1, words)
        self.at = 0  # the planes of the levels below
        low, up = mask.reshape(2, half, words)
        y_low, y_up = public[:half], public[half:]
        # propagate = y ^ q, generate = y & q of each bit, y being the complement; then both of each pair.
        self.state = np.empty((self.rows, half, words), public.dtype)
        mixed = y_up & low
        mixed ^= neighbours.reshape(half, words)
        propagate = np.bitwise_and(y_low, up, out=self.state[0])
        propagate ^= mixed
        if first:
            propagate ^= y_up & y_low
        if kind == ORDER:
            mixed &= y_low
            np.bitwise_and(y_up, up, out=self.state[1])
            self.state[1] ^= mixed

    def masked(self) -> Words:
        """What this holder shows at this level; at the end its share of the blinded result, a plane."""
        half = self.state.shape[1] // 2
        if not half:
            return self.state[-1, 0] ^ self.top
        shown = self.factors[:, self.at : self.at + half].copy()
        shown[0] ^= self.state[0, half:]
        shown[1:] ^= self.state[:, :half]
        return shown

    def opened(self, shown: Words) -> None:
        """Go up a level with what all holders showed together."""
        half = self.state.shape[1] // 2
        level = slice(self.at, self.at + half)
        mine = self.factors[:, level]
        if not half or shown.shape != mine.shape:
            raise ProtocolStepError(f"this step of a comparison does not go on with planes of shape {shown.shape}")
        # The product of the upper propagate bits with the lower bits of both kinds, by a multiplication triple.
        state = shown[1:] ^ mine[1:] if self.first else mine[1:].copy()
        state &= shown[0]
        state ^= self.products[:, level]
        state ^= shown[1:] & mine[0]
        if self.rows == 2:
            state[1] ^= self.state[1, half:]
        self.state = state
        self.at += half

    def release(self) -> None:
        """Keep what the bits of the result need, and nothing else."""
        self.factors = self.products = self.top = self.state = np.empty((0, 0, 0), self.top.dtype)
        self.blinding.release()
