"""Do samples follow a law? Chi-square for integers, Kolmogorov and Smirnov for numbers."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from tests.statistics.uniformity import PER_CELL, chi_square_tail

Samples = np.ndarray


def integer_law_p_value(samples: Samples, weight: Callable[[np.ndarray], np.ndarray]) -> float:
    """How often integers that follow a law would fit it worse than these.

    Args:
        samples: int64.
        weight: of each integer, in proportion to its chance; vanishing far from 0.
    """
    reach = int(np.abs(samples).max()) + 1
    while weight(np.array([reach]))[0] > 1e-14 * weight(np.array([0]))[0]:
        reach *= 2
    support = np.arange(-reach, reach + 1)
    chances = weight(support)
    chances = chances / chances.sum()
    seen = np.bincount(samples + reach, minlength=len(support))
    # Cells with too few expected are joined with those further out.
    cells = np.minimum(np.cumsum(chances) * len(samples) / PER_CELL, len(samples) / PER_CELL - 0.5).astype(int)
    expected = np.bincount(cells, chances) * len(samples)
    observed = np.bincount(cells, seen, minlength=len(expected))
    used = expected > 0
    if observed[~used].sum():
        return 0.0
    return chi_square_tail(float(((observed[used] - expected[used]) ** 2 / expected[used]).sum()), int(used.sum()) - 1)


def law_p_value(samples: Samples, below: Callable[[np.ndarray], np.ndarray]) -> float:
    """How often numbers that follow a law would be farther from it than these (Kolmogorov 1933).

    Args:
        samples: float64, many.
        below: the chance of being at most that, for each number.
    """
    n = len(samples)
    chances = below(np.sort(samples))
    steps = np.arange(n + 1) / n
    distance = max((steps[1:] - chances).max(), (chances - steps[:-1]).max())
    x = distance * (math.sqrt(n) + 0.12 + 0.11 / math.sqrt(n))  # Stephens 1970
    return min(1.0, 2 * sum((-1) ** (k - 1) * math.exp(-2 * k * k * x * x) for k in range(1, 101)))


def laplace_below(scale: float) -> Callable[[np.ndarray], np.ndarray]:
    """The distribution function of Laplace noise."""
    return lambda x: np.where(x < 0, np.exp(-np.abs(x) / scale) / 2, 1 - np.exp(-np.abs(x) / scale) / 2)


def gaussian_below(sigma: float) -> Callable[[np.ndarray], np.ndarray]:
    """The distribution function of Gaussian noise."""
    return lambda x: np.array([math.erfc(-value / sigma / math.sqrt(2)) / 2 for value in x])
