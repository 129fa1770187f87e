"""Functions of numbers in fixed precision: what is no sum or product is approximated by sums and products.

The same lines run on integers that are here and on shared ones. Bounds hold for values of `Encoding` with
``base=2, precision_fractional=16`` and, stated apart, for the default of three decimal digits, where one unit in the
last place (ulp) is 0.001.
"""

from __future__ import annotations

import math
from fractions import Fraction
from functools import lru_cache
from typing import Any

import numpy as np
import torch

from syft.encoded import number as n
from syft.encoded.normalising import RATIO, Buckets, affine, buckets, fine, rescaled, times
from syft.encoded.number import Number, settled
from syft.encoded.polynomials import fitted, picked, polynomial
from syft.encoded.ring import ring_of
from syft.encoded.selection import largest
from syft.exceptions import DivisionByZeroError

_LINE = 128
"""What the coefficients of a line are multiples of 1 over."""
_TOLERANCE = 2e-6
_LARGEST = 1 << 31
_FINER = 8
_LONG = 512
_EXTRA = 8
_FINE = 1 << 24
_LARGEST_DIVISOR = 1 << 20


def reciprocal(x: Number, *, positive: bool = False) -> Number:
    """1 / x, by Goldschmidt's iteration on normalised numbers.

    Sources: Catrina and Saxena, "Secure computation with fixed-point numbers" (FC 2010, section 3.4); the start is the
    best line (Chebyshev).

    Range: ``1 ulp <= |x| < 2^31 ulp`` (0.000015 to 32768 with 16 binary digits, 0.001 to 2 million with three decimal
    ones). Larger values give 0, and so does zero.

    Error: 2 ulp + 4e-6 / |x|.

    Args:
        x: the numbers.
        positive: whether they are known not to be negative, which saves two rounds.
    """
    inverse, factor = _inverse_of(x, positive)
    return settled(times(inverse, factor))


def quotient(a: Number, b: Number, *, positive: bool = False, smallest: int = 1) -> Number:
    """a / b, where b is a number that is not public.

    Range: that of `reciprocal` for b (a / 0 is 0 if b is shared, else an error), ``|a| < 2^31 ulp``
    and ``|a / b| < 2^22``.

    Error: 2 ulp + |a / b| 4e-6 + ulp / (32 |b|).

    Args:
        a: numbers, or public ones.
        b: numbers.
        positive: whether b is known not to be negative, which saves two rounds.
        smallest: as integers, smaller values of b count as zero.
    """
    if isinstance(b.raw, torch.Tensor) and smallest == 1:
        _refuse_zeros(settled(b).raw)
    inverse, factor = _inverse_of(b, positive, smallest)
    # The part between 1 and 8 comes first: what is divided away after it is small beside the result.
    scaled = rescaled(times(inverse, _small(a)), b.unit << _EXTRA)
    return settled(times(scaled, factor))


def quotient_by_public(a: Number, divisor: Any) -> Number:
    """a / divisor, where the divisor is public; no messages until the result is used.

    Range: any divisor but zero; integers up to 2^31.

    Error: 2 ulp, and 1e-6 of the result if the divisor is no integer.

    Args:
        a: numbers.
        divisor: a Python number or a local tensor.

    Raises:
        DivisionByZeroError: it is zero, or has a zero.
    """
    tensor = torch.as_tensor(divisor)
    _refuse_zeros(tensor)
    a = settled(a)
    if tensor.dim() == 0:
        up, down = _as_fraction(float(tensor))
        ring = ring_of(a.raw)
        return a.with_raw(a.raw if up == 1 else ring.scale(a.raw, up), a.scale * down)
    inverse = (tensor.to(torch.float64).reciprocal() * _FINE).round().to(torch.int64)
    return times(a, a.with_raw(inverse, _FINE))


def _refuse_zeros(divisor: torch.Tensor) -> None:
    if bool((divisor == 0).any()):
        raise DivisionByZeroError(
            "a number in fixed precision cannot be divided by zero: there is no infinity to return. Replace the zeros "
            "of the divisor first, for example with torch.where"
        )


def _as_fraction(divisor: float) -> tuple[int, int]:
    """Integers up and down with up / down = 1 / divisor; down is from 1 to 2^31."""
    inverse = Fraction(1 / divisor)
    if divisor == int(divisor):
        inverse = Fraction(1, int(divisor))
    elif abs(divisor) > 1:
        inverse = inverse.limit_denominator(_LARGEST_DIVISOR)
    else:
        inverse = 1 / Fraction(divisor).limit_denominator(_LARGEST_DIVISOR)
    return inverse.numerator, inverse.denominator


def _inverse_of(x: Number, positive: bool, smallest: int = 1) -> tuple[Number, Number]:
    key = (x.scale, x.encoding, smallest)
    known: Any = getattr(x.raw, "one_over", (None, None))
    if known[0] == key:
        return known[1][0], known[1][1]
    found = buckets(x, positive=positive, smallest=smallest)
    factor = found.factor()
    out = _inverse(found.normalised(factor, fine(x.unit))), factor
    if not isinstance(x.raw, torch.Tensor):
        x.raw.one_over = (key, out)  # the gradient of a quotient divides by the same number twice
    return out


def _small(a: Number) -> Number:
    return a if a.scale <= a.unit else settled(a)


@lru_cache(maxsize=64)
def _start(ratio: int) -> tuple[float, float, int]:
    """The best line for 1/m from 1/ratio to 1, and how many steps it takes from there.

    The error 1 - m y of the best line is Chebyshev's polynomial of degree 2, divided by its value at m = 0.
    """
    low = 1 / ratio
    largest = 2 * ((1 + low) / (1 - low)) ** 2 - 1
    slope = 8 / ((1 - low) ** 2 * largest)
    steps = math.ceil(math.log2(math.log(_TOLERANCE) / -math.log(largest)))
    return round(slope * _LINE) / _LINE, round(slope * (1 + low) * _LINE) / _LINE, steps


def _inverse(m: Number, ratio: int = RATIO, out_scale: int | None = None) -> Number:
    """1 / m for m between 1/ratio and 1, with the scale of m or another one.

    With an error e = 1 - m y, 1/m is y (1 + e) (1 + e²) (1 + e⁴) …; both the error and the result are multiplied by
    the error in one product, and divided in one round.
    """
    slope, constant, steps = _start(ratio)
    scale, raised = m.scale, m.scale * m.scale * _LINE
    error = affine([(slope, times(m, m)), (-constant, m)], 1.0, raised)
    start = affine([(-slope, m)], constant, raised)
    rows = [error.moved("unsqueeze", 0).raw, start.moved("unsqueeze", 0).raw]
    both = rescaled(m.with_raw(ring_of(*rows).join(rows, 0), raised), scale)
    kept = m.with_raw(torch.tensor([0, scale]).reshape(2, *[1] * len(m.shape)), scale)
    for _ in range(steps - 1):
        product = times(both, both.moved("select", 0, 0))
        both = rescaled(affine([(1, product), (1, times(both, kept))], 0, product.scale), scale)
    y = both.moved("select", 0, 1)
    product = times(y, both.moved("select", 0, 0))
    return rescaled(affine([(1, product), (1, y)], 0, product.scale), out_scale or scale)


def exp(x: Number, *, negative: bool = False) -> Number:
    """e to the power of x: a public power for each piece of width 3, times a polynomial of degree 8 for the rest.

    Range: all; the result is 0 below -12 (-9 with three decimal digits), and ``2^31 ulp`` above ``log(2^31 ulp)``
    (10.4, or 14.5 with three decimal digits).

    Error: 2 ulp + 4e-6 e^x, or 4e-5 e^x with three decimal digits.

    Args:
        x: the numbers.
        negative: whether they are known not to be positive, which saves comparisons.
    """
    return settled(unsettled_exp(x, negative=negative))


def unsettled_exp(x: Number, *, negative: bool = False) -> Number:
    """What `exp` gives with the scale of the product, up to 2^47 with 16 binary digits."""
    lowest = -3 * math.ceil(math.log(2 * x.unit) / 3)
    highest = 0.0 if negative else math.log(_LARGEST / x.unit)
    ends = [*np.arange(lowest, highest - 0.01, 3)]
    middles, values = [end + 1.5 for end in ends], [math.exp(end + 1.5) for end in ends]
    caps = [0.0] * (len(ends) + 1)
    if not negative:
        ends, middles, values, caps = [*ends, highest], [*middles, 0.0], [*values, 0.0], [*caps, math.exp(highest)]
    u = rescaled(x.with_raw(x.raw, x.scale * 2), fine(x.unit))
    scale = _LARGEST * x.unit // u.scale if negative else 16 * x.unit
    rows = [[0, *[round(m / 2 * u.scale) for m in middles]], [0, *[round(v * scale) for v in values]]]
    rows.append([round(c * scale) for c in caps])
    middle, value, cap = picked(u, [end / 2 for end in ends], rows)
    t = n.sub(u, middle.with_raw(middle.raw, u.scale))
    rest = rescaled(polynomial(t, fitted(_exp_of_double, -0.75, 0.75, 8)), u.scale)
    product = times(rest, value.with_raw(value.raw, scale))
    return product if negative else affine([(1, product), (1, cap.with_raw(cap.raw, scale))], 0, product.scale)


def _exp_of_double(t: Any) -> Any:
    return np.exp(2 * t)


def _of_normalised(t: Any) -> Any:
    return t / 2 + 9 / 16


def _log(t: Any) -> Any:
    return np.log(_of_normalised(t))


def _sqrt(t: Any) -> Any:
    return np.sqrt(_of_normalised(t))


def _rsqrt(t: Any) -> Any:
    return 1 / np.sqrt(_of_normalised(t))


def log(x: Number) -> Number:
    """The natural logarithm: that of a power of 8, plus a polynomial of degree 14 of the number over that power.

    Range: ``0 < x < 2^31 ulp``. The logarithm of zero and of negative numbers is ``log(ulp) - 1``.

    Error: 2 ulp + 6e-6.
    """
    found, t = _variable(x, 0)
    coefficients = fitted(_log, -0.875, 0.875, 14)
    at_zero = float(np.polyval(coefficients[::-1], -1.125))
    rest = polynomial(t, coefficients)
    known = found.picked(
        lambda level: level * math.log(RATIO),
        rest.scale,
        zero=-math.log(x.unit) - 1 - at_zero,
        beyond=found.last * math.log(RATIO) - at_zero,
    )
    return settled(n.add(rest, known))


def sqrt(x: Number) -> Number:
    """The square root: that of a power of 8, times a polynomial of degree 12 of the number over that power.

    Range: ``0 <= x < 2^31 ulp``. The root of negative numbers is 0; that of larger ones is that of the largest.

    Error: 2 ulp + 4e-6 sqrt(x).
    """
    return _root(x, 0.5, fitted(_sqrt, -0.875, 0.875, 12))


def rsqrt(x: Number) -> Number:
    """1 / sqrt(x), as `sqrt` is found, by a polynomial of degree 16.

    Range: ``0 < x < 2^31 ulp``. The result for zero and negative numbers is 0. Numbers that are not rescaled yet, such
    as sums of squares, are looked at with 8 more binary digits.

    Error: 2 ulp + 8e-6 / sqrt(x).
    """
    return _root(x, -0.5, fitted(_rsqrt, -0.875, 0.875, 16))


def _variable(x: Number, digits: int) -> tuple[Buckets, Number]:
    found = buckets(x, positive=True, digits=digits)
    m = found.normalised(found.factor(), fine(x.unit))
    return found, affine([(2, m)], -9 / 8, m.scale)


def _root(x: Number, power: float, coefficients: tuple[float, ...]) -> Number:
    found, t = _variable(x, _FINER if x.scale >= x.unit << _FINER else 0)
    root = rescaled(polynomial(t, coefficients), t.scale)
    scale = min(1 << 23, (_LARGEST * x.unit // root.scale))
    out = times(root, found.picked(lambda level: RATIO ** (level * power), scale))
    return settled(n.add(out, found.picked(lambda _: 0, out.scale, beyond=RATIO ** (found.last * power))))


def _softmax_parts(x: Number, dim: int) -> tuple[Number, Number, Number]:
    """x minus its largest elements, the exponentials of that, and their sums; the last two not settled."""
    x = settled(x)
    shifted = n.sub(x, _highest(x, dim))
    exponentials = unsettled_exp(shifted, negative=True)
    return shifted, exponentials, exponentials.moved("sum", [dim], True)


def softmax(x: Number, dim: int) -> Number:
    """exp(x) over its sum, after the largest elements were subtracted.

    Range: differences below ``2^31 ulp``.

    Error: 3 ulp.
    """
    length = x.shape[dim]
    _, exponentials, sums = _softmax_parts(x, dim)
    if length > _LONG:
        return quotient(settled(exponentials), sums, positive=True)
    ratio = 1 << max(1, (length - 1).bit_length())
    scale = fine(x.unit)
    m = rescaled(sums.with_raw(sums.raw, sums.scale * ratio), scale)
    inverse = _inverse(m, ratio, scale >> 4)
    product = times(rescaled(exponentials, x.unit << 2), inverse)
    return settled(product.with_raw(product.raw, product.scale * ratio))


def log_softmax(x: Number, dim: int) -> Number:
    """x minus the logarithm of the sum of exp(x).

    Range: that of `softmax`.

    Error: 5 ulp.
    """
    shifted, _, sums = _softmax_parts(x, dim)
    return n.sub(shifted, log(sums))


def _highest(x: Number, dim: int) -> Number:
    """The largest elements along a dimension, which is kept with length 1."""
    values = largest(x.moved("transpose", dim, -1)).values
    return values.moved("unsqueeze", -1).moved("transpose", dim, -1)
