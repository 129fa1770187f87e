"""Student's t distribution: how likely a coefficient is to be that far from zero by chance."""

from __future__ import annotations

import math

from syft.exceptions import UsageError

_STEPS = 10_000
_TINY = 1e-300
_PRECISION = 1e-15


def two_sided_p(t: float, freedom: int) -> float:
    """The probability of a value at least as far from zero as t.

    Args:
        t: a ratio of a coefficient and its standard error.
        freedom: degrees of freedom.

    Raises:
        UsageError: no degrees of freedom.

    Example:
        >>> round(two_sided_p(2.0, 10), 6)
        0.073388
    """
    if freedom < 1:
        raise UsageError(f"Student's t distribution has at least one degree of freedom, not {freedom}")
    if math.isnan(t):
        return math.nan
    if math.isinf(t):
        return 0.0
    # Of both arguments, which add up to 1, neither is found as 1 minus the other.
    whole = freedom + t * t
    return _beta(freedom / whole, t * t / whole, freedom / 2, 0.5)


def _beta(x: float, rest: float, a: float, b: float) -> float:
    """The regularised incomplete beta function I_x(a, b), where rest is 1 - x.

    DLMF 8.17.22, and 8.17.4 where the fraction converges slowly.
    """
    if x <= 0 or rest <= 0:
        return float(rest <= 0)
    if x > (a + 1) / (a + b + 2):
        return 1 - _beta(rest, x, b, a)
    logarithm = math.lgamma(a + b) - math.lgamma(a) - math.lgamma(b) + a * math.log(x) + b * math.log(rest)
    return math.exp(logarithm) / a * _fraction(x, a, b)


def _fraction(x: float, a: float, b: float) -> float:
    """The continued fraction of DLMF 8.17.22, by Lentz's method as modified by Thompson and Barnett (1986)."""
    c, d = 1.0, 1 / _away_from_zero(1 - (a + b) * x / (a + 1))
    value = d
    for m in range(1, _STEPS):
        even = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m))
        odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1))
        for term in (even, odd):
            d = 1 / _away_from_zero(1 + term * d)
            c = _away_from_zero(1 + term / c)
            value *= c * d
        if abs(c * d - 1) < _PRECISION:
            break
    return value


def _away_from_zero(value: float) -> float:
    return value if abs(value) > _TINY else _TINY
