"""Exact samplers of the discrete Laplace and the discrete Gaussian distribution on the integers.

Canonne, Kamath, Steinke, "The Discrete Gaussian for Differential Privacy" (arXiv 2004.00010), algorithms 2 and 3, for
whole arrays. No floating point number is involved, so what is drawn follows the law to the last bit.
"""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from typing import Any

import numpy as np

from syft.core.random import SYSTEM_RANDOM
from syft.dp.mechanisms.coins import bernoulli_exp, geometric, uniform_below
from syft.exceptions import UsageError

Integers = np.ndarray[Any, np.dtype[np.int64]]

_MOST = 1 << 50  # of what a scale is made of: multiples of it stay within int64
_SHORT = 1 << 22
_FAR = 1 << 31  # squares of what is below stay within int64


def discrete_laplace(scale: Fraction | int, size: int) -> Integers:
    """Integers y with a chance in proportion to exp(-abs(y)/scale).

    Added to an integer that one person changes by at most D, with ``scale = D/epsilon``, they make it
    epsilon-differentially private.

    Args:
        scale: above 0, a fraction of integers below 2^50.
        size: how many.

    Returns:
        An array of int64 of shape ``(size,)``.

    Raises:
        UsageError: a scale outside its range.

    Example:
        >>> discrete_laplace(Fraction(1, 1000), 3)  # hardly any noise
        array([0, 0, 0])
    """
    scale = Fraction(scale)
    t, s = scale.numerator, scale.denominator
    if not (0 < t < _MOST and s < _MOST):
        raise UsageError(f"scale={scale} cannot be sampled: it is above 0, a fraction of integers below 2^50")

    def draw(size: int) -> tuple[Integers, Any]:
        below = uniform_below(t, size)
        kept = bernoulli_exp(below, t)
        steps = (below + t * geometric(size)) // s
        minus = (SYSTEM_RANDOM.bytes(size) & 1).astype(np.bool_)
        kept &= ~(minus & (steps == 0))  # or 0 would come twice as often as it should
        return np.where(minus, -steps, steps), kept

    return _kept_only(draw, size)


def discrete_gaussian(sigma: Fraction | int, size: int) -> Integers:
    """Integers y with a chance in proportion to exp(-y^2 / (2 sigma^2)).

    Added to integers that one person changes by at most D in the Euclidean norm, they make them
    rho-zero-concentrated differentially private with ``rho = D^2 / (2 sigma^2)`` (theorem 14 of the paper).

    Args:
        sigma: above 0; an integer up to 2^22 is sampled fastest.
        size: how many.

    Returns:
        An array of int64 of shape ``(size,)``.

    Raises:
        UsageError: a sigma outside its range.

    Example:
        >>> discrete_gaussian(Fraction(1, 100), 3)  # hardly any noise
        array([0, 0, 0])
    """
    sigma = Fraction(sigma)
    p, q = sigma.numerator, sigma.denominator
    if not (0 < p < _MOST and q < _MOST):
        raise UsageError(f"sigma={sigma} cannot be sampled: it is above 0, a fraction of integers below 2^50")
    t = p if q == 1 else p // q + 1  # any scale gives the right law; one near sigma wastes least

    def draw(size: int) -> tuple[Integers, Any]:
        y = discrete_laplace(t, size)
        if q == 1 and p <= _SHORT:
            # Nothing beyond 2^31 ever comes: that would be 2^9 standard deviations, a chance below 2^-180000.
            distance = np.minimum(np.abs(y), _FAR) - p
            return y, bernoulli_exp(distance * distance, 2 * p * p)
        gap = np.abs(y).astype(object) * (t * q * q) - p * p
        return y, bernoulli_exp(gap * gap, 2 * (p * q * t) ** 2)

    return _kept_only(draw, size)


def _kept_only(draw: Callable[[int], tuple[Integers, Any]], size: int) -> Integers:
    """So many of the draws that are kept."""
    parts, missing = [np.empty(0, np.int64)], size
    while missing > 0:
        drawn, kept = draw(missing + missing // 2 + 8)
        parts.append(drawn[kept][:missing])
        missing -= len(parts[-1])
    return np.concatenate(parts)
