"""Correlated randomness: what holders get from the crypto provider, most of it as keys that they expand themselves.

For each step of a protocol every holder expands a strip of its `Tape`, which the provider can do, too. Random words are
used as they are. Words that depend on each other (a product and its factors) are right for all holders but the last
one, whose strip is corrected by what the provider sends: encrypted by the strip itself, so that whoever relays it
learns nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np

from syft.core.random import Tape

Words = np.ndarray[Any, Any]


class Segment(NamedTuple):
    """Words of one kind in a strip.

    Attributes:
        dtype: an unsigned numpy dtype.
        words: how many.
        additive: shares of the words add up in the ring of the dtype; otherwise they are combined by exclusive or.
    """

    dtype: Any
    words: int
    additive: bool = False


class Layout:
    """How a strip is divided.

    Args:
        random: segments of random words.
        correlated: segments of words that the provider chooses.
    """

    __slots__ = ("_places", "correlated", "correlated_at", "nbytes", "random")

    def __init__(self, random: Sequence[Segment], correlated: Sequence[Segment]) -> None:
        self.random, self.correlated = random, correlated
        self._places: list[tuple[int, int, Any]] = []
        at = self._placed(random, 0)
        self.correlated_at = -(-at // 8) * 8  # words of 8 bytes begin at multiples of 8
        self.nbytes = self._placed(correlated, self.correlated_at)

    def _placed(self, segments: Sequence[Segment], at: int) -> int:
        for dtype, count, _ in segments:
            end = at + np.dtype(dtype).itemsize * count
            self._places.append((at, end, dtype))
            at = end
        return at

    def split(self, strip: Words) -> list[Words]:
        """The segments of a strip as arrays that share its memory, random ones first."""
        return [strip[at:end].view(dtype) for at, end, dtype in self._places]


def held(tape: Tape, number: int, layout: Layout, correction: Words | None) -> list[Words]:
    """What a holder knows of one step.

    Args:
        tape: shared with the provider.
        number: of the step.
        layout: of its strip.
        correction: for the last holder, from the provider; None for the others.

    Returns:
        The segments.
    """
    strip = tape.strip(number, layout.nbytes)
    if correction is not None:
        strip[layout.correlated_at :] ^= correction
    return layout.split(strip)


def dealt(
    tapes: Sequence[Tape], number: int, layout: Layout, choose: Callable[[list[Words]], Sequence[Words]]
) -> Words:
    """What the provider sends to the last holder for one step.

    Args:
        tapes: shared with each holder.
        number: of the step.
        layout: of a strip.
        choose: given the random segments, summed up over the holders, the values of the correlated ones.

    Returns:
        The correction for the last holder, as bytes; random to everybody else.
    """
    strips = [tape.strip(number, layout.nbytes) for tape in tapes]
    parts = [layout.split(strip) for strip in strips]
    kinds = (*layout.random, *layout.correlated)
    first = len(layout.random)
    totals = [_combined([p[i] for p in parts], kinds[i].additive) for i in range(first)]
    out = strips[-1][layout.correlated_at :]  # its own part of that is read no more
    at = 0
    for i, value in enumerate(choose(totals), first):
        dtype, count, additive = kinds[i]
        end = at + np.dtype(dtype).itemsize * count
        rest = value.reshape(-1)
        for other in parts[:-1]:
            rest = rest - other[i] if additive else rest ^ other[i]
        share = out[at:end].view(dtype)
        share ^= rest
        at = end
    return out


@lru_cache(maxsize=1024)
def ring_elements(count: int, how_many: int, *, correlated: bool = True) -> Layout:
    """The strip of so many tensors of ring elements.

    Args:
        count: elements of each.
        how_many: tensors.
        correlated: whether the provider chooses them.
    """
    segments = [Segment(np.uint64, count, additive=True)] * how_many
    return Layout((), segments) if correlated else Layout(segments, ())


def _combined(shares: list[Words], additive: bool) -> Words:
    total = shares[0]
    for share in shares[1:]:
        total = total + share if additive else total ^ share
    return total
