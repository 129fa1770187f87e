"""Functions of numbers in fixed precision: what is no sum or product is approximated by sums and products.

The same lines run on integers that are here and on shared ones. Bounds hold for values of `Encoding` with
``base=2, precision_fractional=16`` and, stated apart, for the default of three decimal digits, where one unit in the
last place (ulp) is 0.001.
"""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import torch

from syft.exceptions import DivisionByZeroError
from syft.tensors.normalising import Buckets, affine, buckets, fine, rescaled, times
from syft.tensors.number import Number, settled
from syft.tensors.ring import ring_of

# The best line for 1/m between 1/8 and 1 leaves an error of 0.434: Chebyshev's polynomial of degree 2 for 1 - m y.
_LINE = (163 / 32, -145 / 32)
_STEPS = 4
_EXTRA = 8
_FINE = 1 << 24
_LARGEST_DIVISOR = 1 << 20


def reciprocal(x: Number, *, positive: bool = False) -> Number:
    """1 / x, by Goldschmidt's iteration on normalised numbers.

    Sources: Catrina and Saxena, "Secure computation with fixed-point numbers" (FC 2010, section 3.4); the start is the
    best line (Chebyshev).

    Range: ``1 ulp <= |x| < 2^31 ulp`` (0.000015 to 32768 with 16 binary digits, 0.001 to 2 million with three decimal
    ones). Larger values give 0; zero gives a large number.

    Error: 2 ulp + 4e-6 / |x|.

    Args:
        x: the numbers.
        positive: whether they are known not to be negative, which saves three rounds.
    """
    inverse, factor = _inverse_of(x, positive)
    return settled(times(inverse, factor))


def quotient(a: Number, b: Number, *, positive: bool = False) -> Number:
    """a / b, where b is a number that is not public.

    Range: that of `reciprocal` for b, ``|a| < 2^31 ulp``, and ``|a / b| < 2^22``.

    Error: 2 ulp + |a / b| 4e-6 + ulp / (32 |b|).

    Args:
        a: numbers, or public ones.
        b: numbers.
        positive: whether b is known not to be negative, which saves three rounds.
    """
    inverse, factor = _inverse_of(b, positive)
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
    if bool((tensor == 0).any()):
        raise DivisionByZeroError(
            "a number in fixed precision cannot be divided by zero: there is no infinity to return. Replace the zeros "
            "of the divisor first, for example with torch.where"
        )
    a = settled(a)
    if tensor.dim() == 0:
        up, down = _as_fraction(float(tensor))
        ring = ring_of(a.raw)
        return a.with_raw(a.raw if up == 1 else ring.scale(a.raw, up), a.scale * down)
    inverse = (tensor.to(torch.float64).reciprocal() * _FINE).round().to(torch.int64)
    return times(a, a.with_raw(inverse, _FINE))


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


def _inverse_of(x: Number, positive: bool) -> tuple[Number, Number]:
    known = getattr(x.raw, "one_over", None)
    if known is None:
        found = buckets(x, positive=positive)
        factor = found.factor()
        known = _inverse(_normalised(found, factor, fine(x.unit))), factor
        if not isinstance(x.raw, torch.Tensor):
            x.raw.one_over = known  # the gradient of a quotient divides by the same number twice
    return known


def _small(a: Number) -> Number:
    return a if a.scale <= a.unit else settled(a)


def _normalised(found: Buckets, factor: Number, scale: int) -> Number:
    product = times(found.values, factor)
    return rescaled(product.with_raw(product.raw, found.values.unit * factor.scale), scale)


def _inverse(m: Number) -> Number:
    """1 / m for m between 1/8 and 1.

    With an error e = 1 - m y, 1/m is y (1 + e) (1 + e²) (1 + e⁴) …; both the error and the result are multiplied by
    the error in one product, and divided in one round.
    """
    scale, raised = m.scale, m.scale * m.scale * 32
    constant, slope = _LINE
    square = times(m, m)
    error = affine([(-slope, square), (-constant, m)], 1.0, raised)
    start = affine([(slope, m)], constant, raised)
    rows = [error.moved("unsqueeze", 0).raw, start.moved("unsqueeze", 0).raw]
    both = rescaled(m.with_raw(ring_of(*rows).join(rows, 0), raised), scale)
    for _ in range(_STEPS - 1):
        error = both.moved("select", 0, 0)
        both = rescaled(_plus_second(times(both, error), both, scale), scale)
    error, y = both.moved("select", 0, 0), both.moved("select", 0, 1)
    product = times(y, error)
    return rescaled(affine([(1, product), (1, y)], 0, product.scale), scale)


def _plus_second(product: Number, both: Number, scale: int) -> Number:
    column = torch.tensor([0, scale]).reshape(2, *[1] * (len(both.shape) - 1))
    kept = times(both, both.with_raw(column, scale))
    return affine([(1, product), (1, kept)], 0, product.scale)
