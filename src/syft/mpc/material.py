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

    __slots__ = ("correlated", "correlated_at", "nbytes", "random")

    def __init__(self, random: Sequence[Segment], correlated: Sequence[Segment]) -> None:
        self.random, self.correlated = random, correlated
        self.correlated_at = -(-_size(random) // 16) * 16  # a block of the cipher
        self.nbytes = self.correlated_at + _size(correlated)


def _size(segments: Sequence[Segment]) -> int:
    return sum(np.dtype(dtype).itemsize * count for dtype, count, _ in segments)


def _split(strip: Words, segments: Sequence[Segment]) -> list[Words]:
    """The segments as arrays that share the memory of a part of a strip."""
    parts, at = [], 0
    for dtype, count, _ in segments:
        end = at + np.dtype(dtype).itemsize * count
        parts.append(strip[at:end].view(dtype))
        at = end
    return parts


def held(tape: Tape, number: int, layout: Layout, correction: Words | None) -> list[Words]:
    """What a holder knows of one step.

    Args:
        tape: shared with the provider.
        number: of the step.
        layout: of its strip.
        correction: for the last holder, from the provider; None for the others.

    Returns:
        The segments, random ones first.
    """
    start = layout.correlated_at
    parts = _split(tape.strip(number, start), layout.random) if layout.random else []
    if correction is not None:
        return [*parts, *_split(tape.covered(correction, number, start), layout.correlated)]
    if layout.correlated:
        parts += _split(tape.strip(number, layout.nbytes - start, start), layout.correlated)
    return parts


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
    start, size = layout.correlated_at, layout.nbytes - layout.correlated_at
    random = [_split(tape.strip(number, start), layout.random) for tape in tapes] if layout.random else []
    others = [_split(tape.strip(number, size, start), layout.correlated) for tape in tapes[:-1]]
    rest = np.empty(size, np.uint8)
    values = choose([_combined(parts) for parts in zip(*random, strict=True)])
    for value, share, segment, *rests in zip(
        values, _split(rest, layout.correlated), layout.correlated, *others, strict=True
    ):
        combine = np.subtract if segment.additive else np.bitwise_xor
        combine(value.reshape(-1), rests[0], out=share)
        for other in rests[1:]:
            combine(share, other, out=share)
    return tapes[-1].covered(rest, number, start)


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


def _combined(shares: Sequence[Words]) -> Words:
    total, *others = shares
    for other in others:
        total ^= other
    return total
