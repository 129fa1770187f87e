"""Least squares on secret sums of products, in the ring of 64 bits, whatever the units of the columns are.

The moments are scaled by secret powers of two until every column has a mean square between 1/4 and 1. Then nothing in
the normal equations is larger than 1, and what has to be is bounded by the condition of the matrix. The same lines run
on integers that are here and on shared ones; nothing is opened but masked values.

Ranges: columns whose root mean square is between 1/64 and 65536; smaller ones lose digits. Eigenvalues of the scaled
matrix above 2^-12; directions below that are left out, more or less, so that collinear columns give finite results.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch

from syft.encoded import number as n
from syft.encoded.normalising import affine, rescaled, times
from syft.encoded.number import Number
from syft.encoded.ring import ring_of

MOMENT_BITS = 28
"""Fractional binary digits of the moments, and of what the equations are solved with."""
LARGEST_SQUARE = 2.0**32
"""Moments are below it."""
SOLUTION_BITS = 42
SOLVED = 1 << SOLUTION_BITS
"""The scale of solutions."""
ROOT_OF = 1 << 36
"""The scale of what roots are taken of."""

_ONE = 1 << MOMENT_BITS
_LOW, _HIGH = -6, 16
_INVERSE = 1 << 20
_CONDITION = 2.0**-12
_ROOT = 1 << 30
_ROOT_LOW = -13
# 1 / sqrt(m) is about 2.03 - m for m between 1/4 and 1: |1 - m y^2| is below 0.21.
_LINE = 2.03
_ROOT_STEPS = 4


@dataclass(frozen=True, slots=True)
class Powers:
    """Secret powers of two, one a number.

    Attributes:
        down: 2^-e.
        up: 2^e.
    """

    down: Number
    up: Number

    def part(self, start: int, end: int) -> Powers:
        """Those of some of the numbers."""
        return Powers(part(self.down, 0, start, end), part(self.up, 0, start, end))


def powers(squares: Number, low: int = _LOW, high: int = _HIGH) -> Powers:
    """The smallest powers of two whose squares are above the numbers, in one comparison.

    Args:
        squares: numbers of shape (n,).
        low: the least exponent.
        high: the largest exponent; numbers are below 4^high.
    """
    steps = range(low, high)
    limits = torch.tensor([round(squares.scale * 4.0**e) for e in steps]).unsqueeze(1)
    below = n.negative(n.sub(squares.moved("unsqueeze", 0), squares.with_raw(limits)))
    down = _picked(below, [2 ** (high - 1 - e) for e in steps], 1)
    up = _picked(below, [-(2 ** (e - low)) for e in steps], 2 ** (high - low))
    return Powers(squares.with_raw(down, 2**high), squares.with_raw(up, 2**-low))


def _picked(below: Number, steps: list[int], beyond: int) -> n.Integers:
    column = below.with_raw(torch.tensor(steps).unsqueeze(1), 1)
    summed = times(below, column).moved("sum", [0], False).raw
    return ring_of(summed).add(summed, beyond)


def scaled(moments: Number, rows: Powers, columns: Powers) -> Number:
    """Moments of columns that are scaled to a mean square between 1/4 and 1.

    Args:
        moments: of shape (r, c).
        rows: of the r columns.
        columns: of the c columns.
    """
    both = times(rows.down.moved("unsqueeze", 1), columns.down.moved("unsqueeze", 0))
    return rescaled(times(moments, both), _ONE)


def matmul(a: Number, b: Number) -> Number:
    """The matrix product with the product of the scales."""
    return a.with_raw(ring_of(a.raw, b.raw).product("matmul", (), a.raw, b.raw), a.scale * b.scale)


def part(a: Number, dim: int, start: int, end: int) -> Number:
    """A slice."""
    return a.moved("slice", dim, start, end)


def at(a: Number, place: int) -> Number:
    """One element of a vector, as a vector."""
    return part(a, 0, place, place + 1)


def joined(*parts: Number, dim: int = 0) -> Number:
    """Numbers of one scale, one after the other."""
    raws = [one.raw for one in parts]
    return parts[0].with_raw(ring_of(*raws).join(raws, dim))


def diagonal(a: Number) -> Number:
    """The diagonal of a matrix."""
    return a.moved("diagonal", 0, 0, 1)


# --- equations --------------------------------------------------------------------------------------


def inverse(matrix: Number) -> Number:
    """The inverse of a symmetric positive matrix.

    Newton's iteration ``X <- 2 X - X A X`` (Schulz, 1933), which corrects its own rounding errors, sped up by public
    factors: with all eigenvalues known to lie between l and 1, ``2 / (1 + l)`` times X grows the small ones nearly
    fourfold a step (Pan and Schreiber, "An improved Newton iteration for the generalized inverse of a matrix, with
    applications", SIAM J. Sci. Stat. Comput. 1991).

    Args:
        matrix: of shape (k, k), elements at most 1.

    Returns:
        With scale 2^20.
    """
    size = matrix.shape[0]
    unit = torch.eye(size, dtype=torch.int64)
    factors = _factors(_CONDITION / size)
    # The first step, from a multiple of the unit matrix, needs no messages.
    first, following = next(factors) / size, next(factors)
    start = affine([(-first * first, matrix)], 0, matrix.scale << 10)
    start = n.add(start, start.with_raw(unit * round(2 * first * start.scale)))
    x = _scaled_down(start, following)
    for following in factors:
        x = _step(matrix, x, unit, following)
    return x


def _factors(least: float) -> Iterator[float]:
    """What to multiply with before each step, until all eigenvalues of the product are 1; the last one is 1."""
    while 1 - least > 1e-7:
        factor = min(2 / (1 + least), 1.98)
        yield factor
        least = min(x * (2 - x) for x in (factor * least, factor))
    yield 1.0


def _step(matrix: Number, x: Number, unit: torch.Tensor, following: float) -> Number:
    found = rescaled(matmul(matrix, x), _INVERSE)
    missing = n.sub(found.with_raw(unit * _INVERSE), found)
    corrected = matmul(x, missing)
    return _scaled_down(affine([(1, corrected), (1, x)], 0, corrected.scale), following)


def _scaled_down(x: Number, factor: float) -> Number:
    """A multiple, with scale 2^20; the factor is exact to 1 part in 2^18."""
    return x.with_raw(ring_of(x.raw).divide(x.raw, round(x.scale / _INVERSE / factor)), _INVERSE)


def solution(matrix: Number, inverted: Number, right: Number) -> Number:
    """What the matrix takes to the right-hand sides, corrected once by what the rounded inverse misses.

    Args:
        matrix: of shape (k, k).
        inverted: its `inverse`.
        right: of shape (k, m).

    Returns:
        Of shape (k, m), with scale `SOLVED`.
    """
    found = rescaled(matmul(inverted, right), _ONE)
    missing = n.sub(lifted(right, _ONE * _ONE), matmul(matrix, found))
    correction = matmul(inverted, rescaled(missing, 1 << 36))
    return n.add(lifted(found, SOLVED), rescaled(correction, SOLVED))


def lifted(x: Number, scale: int) -> Number:
    """The same number with a scale that is a multiple of its own; no messages."""
    return x.with_raw(ring_of(x.raw).scale(x.raw, scale // x.scale), scale)


def unexplained(squares: Number, right: Number, solved: Number) -> Number:
    """What is left of sums of products when the part that the solved columns explain is taken away.

    Args:
        squares: of shape (m,).
        right: of shape (k, m).
        solved: of shape (k, m), a `solution`.

    Returns:
        Of shape (m,), with scale 2^36.
    """
    found = times(right, rescaled(solved, _ONE)).moved("sum", [0], False)
    return rescaled(n.sub(lifted(squares, found.scale), found), ROOT_OF)


# --- roots ------------------------------------------------------------------------------------------


def roots(x: Number) -> tuple[Number, Number]:
    """Square roots and their reciprocals, of numbers between 2^-26 and 1.

    Goldschmidt's iteration (Markstein, "Software division and square root using Goldschmidt's algorithms", RNC 2004),
    after the numbers were brought between 1/4 and 1. Numbers from 0 to 2^-26 have roots below 2^-12; the
    reciprocals of these mean nothing.

    Args:
        x: of shape (n,), with scale `ROOT_OF`.

    Returns:
        The roots, with scale 2^43, and the reciprocals, with scale 2^30.
    """
    exponents = powers(x, _ROOT_LOW, 0)
    m = rescaled(times(x, times(exponents.down, exponents.down)), _ROOT // 2)
    half = affine([(-0.5, m)], _LINE / 2, _ROOT)
    root = rescaled(_doubled(times(m, half)), _ROOT)
    rows = [root.moved("unsqueeze", 0).raw, half.moved("unsqueeze", 0).raw]
    both = m.with_raw(ring_of(*rows).join(rows, 0), _ROOT)
    for _ in range(_ROOT_STEPS):
        product = times(both.moved("select", 0, 0), both.moved("select", 0, 1))
        # 3/2 - product, so that one product corrects both.
        factor = rescaled(affine([(-1, product)], 1.5, product.scale), _ROOT)
        both = rescaled(times(both, factor), _ROOT)
    root, half = both.moved("select", 0, 0), both.moved("select", 0, 1)
    return times(root, exponents.up), times(_doubled(half), exponents.down)


def _doubled(x: Number) -> Number:
    return x.with_raw(ring_of(x.raw).scale(x.raw, 2))


def split_product(x: Number, power: Number) -> Number:
    """The product of a number with 42 fractional digits and a power of two, both of which use all digits there are.

    Args:
        x: with scale `SOLVED`, below 2^7.
        power: `Powers.down`.

    Returns:
        With scale 2^36.
    """
    high = rescaled(x, 1 << 20)
    low = n.sub(x, lifted(high, SOLVED))
    out = times(high, power)
    return n.add(out, rescaled(times(low, power), out.scale))
