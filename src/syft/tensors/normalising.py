"""How numbers of any size are brought between 1/8 and 1, where a few steps approximate a function well.

Comparing with powers of 8, all at once, says which power of 8 brings a number there. Sources: Catrina and Saxena,
"Secure computation with fixed-point numbers" (FC 2010, section 3.4) normalise by the leading bit; powers of 8 need a
third of the comparisons, and one more step of the iteration after them.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch

from syft.exceptions import UsageError
from syft.tensors import number as n
from syft.tensors.number import Number, settled
from syft.tensors.ring import ring_of

RATIO = 8
_FINE = 1 << 24
_LARGEST = 1 << 31
_LARGEST_UNIT = 1 << 20


@dataclass(frozen=True, slots=True)
class Buckets:
    """In which power of 8 numbers are.

    Attributes:
        values: the numbers, settled.
        below: bits, (levels, …): whether the absolute value is below 8^first, 8^(first + 1), …, 8^last.
        negative: bits, whether numbers are below zero; None if none are.
        first: the power of 8 that the smallest numbers are below.
        last: the power of 8 that numbers should be below.
    """

    values: Number
    below: Number
    negative: Number | None
    first: int
    last: int

    def picked(self, values: Sequence[int], beyond: int = 0) -> Number:
        """An integer for each number, by its bucket; no messages.

        Args:
            values: one for each power of 8, from the first to the last.
            beyond: for numbers that are not below the last one.
        """
        steps = [value - after for value, after in zip(values, (*values[1:], beyond), strict=True)]
        column = torch.tensor(steps).reshape(-1, *[1] * len(self.values.shape))
        summed = times(self.below, self.below.with_raw(column, 1)).moved("sum", [0], False)
        return summed if beyond == 0 else summed.with_raw(ring_of(summed.raw).add(summed.raw, beyond))

    def factor(self) -> Number:
        """What brings a number's absolute value between 1/8 and 1, with the scale 8^last; 0 for what is too large."""
        factors = self.picked([RATIO ** (self.last - level) for level in range(self.first, self.last + 1)])
        if self.negative is not None:
            flipped = times(factors, self.negative)
            factors = n.sub(factors, flipped.with_raw(ring_of(flipped.raw).scale(flipped.raw, 2)))
        return factors.with_raw(factors.raw, RATIO**self.last)


def bounds(unit: int) -> tuple[int, int]:
    """The first and the last power of 8 for numbers of an encoding.

    Raises:
        UsageError: the encoding leaves no room for approximations.
    """
    if unit > _LARGEST_UNIT:
        raise UsageError(
            f"functions are approximated with at most 20 binary or 6 decimal fractional digits, and 1 is written as "
            f"{unit} here; use fewer fractional digits"
        )
    first, last = 0, 0
    while unit * RATIO ** (last + 1) <= _LARGEST:
        last += 1
    while last - first < 10 and RATIO ** (1 - first) <= unit:
        first -= 1
    return first + (unit == 1), last


def buckets(x: Number, *, positive: bool) -> Buckets:
    """Find the power of 8 of each number, in one comparison.

    Args:
        x: below 2^31.5 in absolute value, as integers.
        positive: whether they are known not to be negative, which saves three rounds.
    """
    first, last = bounds(x.unit)
    whole = settled(x)
    whole = whole.with_raw(whole.raw, 1)
    limits = [math.ceil(x.unit * float(RATIO) ** level) for level in range(first, last + 1)]
    sizes = whole
    if not positive:
        sizes, limits = times(whole, whole), [limit * limit for limit in limits]
    column = sizes.with_raw(torch.tensor(limits).reshape(-1, *[1] * len(x.shape)), 1)
    differences = n.sub(sizes.moved("unsqueeze", 0), column)
    if positive:
        return Buckets(whole, n.negative(differences), None, first, last)
    row = whole.moved("unsqueeze", 0).raw
    ring = ring_of(row)
    bits = n.negative(whole.with_raw(ring.join([row, differences.raw], 0), 1))
    below = bits.moved("slice", 0, 1, len(limits) + 1)
    return Buckets(whole, below, bits.moved("select", 0, 0), first, last)


def fine(unit: int) -> int:
    """The scale that approximations work with: a multiple of the unit, up to 2^24."""
    return unit << max(0, (_FINE // unit).bit_length() - 1)


def times(a: Number, b: Number) -> Number:
    """The product with the product of the scales, whatever that is."""
    return a.with_raw(ring_of(a.raw, b.raw).product("mul", (), a.raw, b.raw), a.scale * b.scale)


def rescaled(x: Number, scale: int) -> Number:
    """The same number with another scale."""
    if x.scale == scale:
        return x
    ring = ring_of(x.raw)
    common = math.gcd(x.scale, scale)
    up, down = scale // common, x.scale // common
    raw = x.raw if up == 1 else ring.scale(x.raw, up)
    return x.with_raw(raw if down == 1 else ring.divide(raw, down), scale)


def affine(terms: Sequence[tuple[float, Number]], constant: float, scale: int) -> Number:
    """A sum of multiples of numbers and a constant, without messages.

    Args:
        terms: public factors and numbers of the same shape.
        constant: what is added.
        scale: of the result; factors are exact to 1 part in ``scale / number.scale``.
    """
    total = None
    for factor, x in terms:
        ring = ring_of(x.raw)
        part = ring.scale(x.raw, round(factor * scale / x.scale))
        total = part if total is None else ring_of(total, part).add(total, part)
    offset = round(constant * scale)
    if offset:
        total = ring_of(total).add(total, offset)
    return terms[0][1].with_raw(total, scale)
