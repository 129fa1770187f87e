"""`LaplaceMechanism`: noise for pure differential privacy."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any

import numpy as np

from syft.dp.events import PureRelease
from syft.dp.mechanisms.discrete import discrete_laplace
from syft.dp.mechanisms.grid import GridMechanism, checked, step_exponent, steps_of
from syft.exceptions import UsageError

LEAST_EPSILON, MOST_EPSILON = 1e-6, 1e6
_SIGNIFICANT = 20  # bits of an epsilon; the rest is rounded away, to the safe side


class LaplaceMechanism(GridMechanism):
    """Laplace noise of scale sensitivity/epsilon (Dwork, McSherry, Nissim, Smith 2006) on a grid.

    Formal guarantee: each `release` is epsilon-differentially private if one person changes the values by at most
    ``sensitivity`` in the sum of the absolute changes. It holds for the numbers as they are in the machine: values are
    rounded to a grid that depends on ``sensitivity`` and ``epsilon`` alone, and the noise is drawn by an exact sampler.

    Args:
        sensitivity: L1 sensitivity, above 0.
        epsilon: of one release, from 1e-6 to 1e6.

    Raises:
        UsageError: numbers outside their range.

    Example:
        >>> noisy = LaplaceMechanism(sensitivity=1.0, epsilon=1e6).release(3.0)
        >>> abs(noisy - 3.0) < 0.001
        True
    """

    def __init__(self, sensitivity: float, epsilon: float) -> None:
        checked(sensitivity=sensitivity)
        self.sensitivity, self.epsilon = sensitivity, epsilon
        self._epsilon = exact_epsilon(epsilon)

    @property
    def event(self) -> PureRelease:
        """What a release is for the accountant."""
        return PureRelease(self.epsilon)

    @property
    def scale(self) -> float:
        """Of the noise; its standard deviation is 1.41 times that."""
        return float(self.sensitivity) / self.epsilon

    def grid(self, dimensions: int = 1) -> int:
        """The k of the grid 2^k on which so many values are released together."""
        return step_exponent(self.scale, dimensions)

    def release_integers(self, values: np.ndarray[Any, np.dtype[np.int64]]) -> np.ndarray[Any, np.dtype[np.int64]]:
        """Integers with whole noise, which is the least there can be; the sensitivity must be an integer, too.

        Args:
            values: int64 of any shape, far from the ends of the range.

        Returns:
            int64 of the same shape.

        Raises:
            UsageError: the sensitivity is not an integer.
        """
        if self.sensitivity != int(self.sensitivity):
            raise UsageError(f"integers do not change by {self.sensitivity}; use release for other numbers")
        noise = discrete_laplace(Fraction(int(self.sensitivity)) / self._epsilon, values.size)
        return values + noise.reshape(values.shape)

    def _noise(self, dimensions: int, exponent: int) -> Any:
        # Rounding can add to the change of each value what it lacks to a whole step.
        steps = math.ceil(steps_of(self.sensitivity, exponent)) + dimensions - 1
        return discrete_laplace(math.ceil(steps / self._epsilon), dimensions)


def exact_epsilon(epsilon: float) -> Fraction:
    """A fraction of few digits that is at most this epsilon and at least 0.999999 of it.

    Raises:
        UsageError: an epsilon that no release should have.
    """
    if not (isinstance(epsilon, int | float) and LEAST_EPSILON <= epsilon <= MOST_EPSILON):
        raise UsageError(
            f"epsilon={epsilon} makes no sense for one release; take one from {LEAST_EPSILON} to {MOST_EPSILON:.0f}, "
            "in practice from 0.01 to 10"
        )
    exponent = math.frexp(epsilon)[1] - _SIGNIFICANT
    return math.floor(Fraction(epsilon) / Fraction(2) ** exponent) * Fraction(2) ** exponent
