"""How numbers of any size are brought between 1/8 and 1, where a few steps approximate a function well.

Comparing with powers of 8, all at once, says which power of 8 brings a number there. Sources: Catrina and Saxena,
"Secure computation with fixed-point numbers" (FC 2010, section 3.4) normalise by the leading bit; powers of 8 need a
third of the comparisons, and one more step of the iteration after them.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise

import torch

from syft.encoded import number as n
from syft.encoded.number import Number, settled
from syft.encoded.ring import ring_of
from syft.exceptions import UsageError

RATIO = 8
_FINE = 1 << 24
_LARGEST = 1 << 31
_LARGEST_UNIT = 1 << 20


@dataclass(frozen=True, slots=True)
class Buckets:
    """In which power of 8 numbers are.

    Attributes:
        values: the numbers.
        below: bits, (levels, …): whether the absolute value is zero, below 8^first, …, 8^last.
        negative: bits, whether numbers are below zero; None if none are.
        first: the power of 8 that the smallest numbers are below.
        last: the power of 8 that numbers should be below.
    """

    values: Number
    below: Number
    negative: Number | None
    first: int
    last: int

    def picked(self, value: Callable[[int], float], scale: int, zero: float = 0, beyond: float = 0) -> Number:
        """A public number for each number, by its bucket; no messages.

        Args:
            value: what it is for numbers from 8^(level - 1) to 8^level, as a function of the level.
            scale: of the result.
            zero: for zero, and for what is negative where that was ruled out.
            beyond: for numbers that are not below 8^last.
        """
        levels = [value(level) for level in range(self.first, self.last + 1)]
        row = [round(v * scale) for v in (zero, *levels, beyond)]
        column = torch.tensor([v - after for v, after in pairwise(row)]).reshape(-1, *[1] * len(self.values.shape))
        out = times(self.below, self.below.with_raw(column, 1)).moved("sum", [0], False).raw
        return self.values.with_raw(ring_of(out).add(out, row[-1]) if row[-1] else out, scale)

    def factor(self) -> Number:
        """What brings a number's absolute value between 1/8 and 1; 0 for zero and for what is too large."""
        factor = self.picked(lambda level: float(RATIO) ** -level, RATIO**self.last)
        if self.negative is None:
            return factor
        flipped = times(factor, self.negative)
        return n.sub(factor, flipped.with_raw(ring_of(flipped.raw).scale(flipped.raw, 2)))

    def normalised(self, factor: Number, scale: int) -> Number:
        """The absolute values times the factor."""
        return rescaled(times(self.values, factor), scale)


def bounds(unit: int, digits: int = 0) -> tuple[int, int]:
    """The first and the last power of 8 for numbers of an encoding.

    Args:
        unit: of the encoding.
        digits: how many more binary digits the numbers have.

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
    while RATIO ** (1 - first) <= unit << digits:
        first -= 1
    return max(first, last - 10 - digits // 3), last


def buckets(x: Number, *, positive: bool, digits: int = 0, smallest: int = 1) -> Buckets:
    """Find the power of 8 of each number, in one comparison.

    Args:
        x: below 2^31.5 in absolute value, as integers of the encoding.
        positive: whether they are known not to be negative, which saves two rounds.
        digits: how many more binary digits than those of the encoding to look at, if the numbers have them.
        smallest: integers below it count as zero.
    """
    first, last = bounds(x.unit, digits)
    whole = settled(x) if digits == 0 else rescaled(x, x.unit << digits)
    limits = [smallest, *[math.ceil(whole.scale * float(RATIO) ** level) for level in range(first, last + 1)]]
    sizes = whole
    if not positive:
        sizes, limits = times(whole, whole), [limit * limit for limit in limits]
    column = sizes.with_raw(torch.tensor(limits).reshape(-1, *[1] * len(x.shape)))
    differences = n.sub(sizes.moved("unsqueeze", 0), column)
    if positive:
        return Buckets(whole, below_zero(differences), None, first, last)
    row = whole.moved("unsqueeze", 0).raw
    bits = below_zero(whole.with_raw(ring_of(row).join([row, differences.raw], 0)))
    below = bits.moved("slice", 0, 1, len(limits) + 1)
    return Buckets(whole, below, bits.moved("select", 0, 0), first, last)


def below_zero(x: Number) -> Number:
    """1 where a number is below zero, for integers of up to 63 bits."""
    return x.with_raw(ring_of(x.raw).negative_wide(x.raw), 1)


def fine(unit: int) -> int:
    """The scale that approximations work with: a multiple of the unit, up to 2^24."""
    return unit << max(0, (_FINE // unit).bit_length() - 1)


def times(a: Number, b: Number) -> Number:
    """The product with the product of the scales, whatever that is."""
    return a.with_raw(ring_of(a.raw, b.raw).product("mul", (), a.raw, b.raw), a.scale * b.scale)


def rescaled(x: Number, scale: int) -> Number:
    """The same number with another scale; divided twice if the quotient of the scales is above 2^31."""
    if x.scale == scale:
        return x
    if x.scale > scale * _LARGEST:
        x = rescaled(x, x.scale >> 16)
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
