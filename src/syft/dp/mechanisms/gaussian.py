"""`GaussianMechanism`: noise for approximate differential privacy, in proportion to the Euclidean sensitivity."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any, Self

from syft.dp.events import ConcentratedRelease
from syft.dp.mechanisms.discrete import discrete_gaussian
from syft.dp.mechanisms.grid import GridMechanism, checked, step_exponent, steps_of
from syft.exceptions import UsageError

_BITS = 20  # the standard deviation is from 2^20 to 2^21 steps of the grid


class GaussianMechanism(GridMechanism):
    """Gaussian noise of a standard deviation of noise_multiplier times the sensitivity, on a grid.

    Formal guarantee: each `release` is rho-zero-concentrated differentially private with
    ``rho = 1/(2 noise_multiplier^2)`` if one person changes the values by at most ``sensitivity`` in the Euclidean
    norm. Values are rounded to a grid that depends on the noise alone, and the noise is drawn by the exact sampler of
    the discrete Gaussian.

    Args:
        sensitivity: L2 sensitivity, above 0.
        noise_multiplier: standard deviation of the noise by the sensitivity, above 0.

    Raises:
        UsageError: numbers outside their range.

    Example:
        >>> mechanism = GaussianMechanism.calibrated(sensitivity=1.0, epsilon=1.0, delta=1e-5)
        >>> round(mechanism.sigma, 3)
        3.731
    """

    def __init__(self, sensitivity: float, noise_multiplier: float) -> None:
        checked(sensitivity=sensitivity, noise_multiplier=noise_multiplier)
        self.sensitivity, self.noise_multiplier = sensitivity, noise_multiplier

    @classmethod
    def calibrated(cls, sensitivity: float, epsilon: float, delta: float) -> Self:
        """The least noise for which one release of one number is (epsilon, delta)-differentially private.

        The analytic calibration of Balle and Wang (arXiv 1805.06530, theorem 8). `ConcentratedRelease`, which is what
        a ledger is charged with, composes well but says a little more than ``epsilon`` for one release alone.

        Raises:
            UsageError: numbers outside their range.
        """
        return cls(sensitivity, analytic_noise_multiplier(epsilon, delta))

    @property
    def event(self) -> ConcentratedRelease:
        """What a release is for the accountant."""
        return ConcentratedRelease(1 / (2 * self.noise_multiplier**2))

    @property
    def sigma(self) -> float:
        """The standard deviation of the noise."""
        return float(self.sensitivity) * self.noise_multiplier

    def grid(self, dimensions: int = 1) -> int:
        """The k of the grid 2^k on which values are released."""
        return step_exponent(self.sigma, bits=_BITS)

    def _noise(self, dimensions: int, exponent: int) -> Any:
        # Rounding can add a step to the change of each value: sqrt(dimensions) to the norm.
        steps = steps_of(self.sensitivity, exponent) + math.isqrt(dimensions) + 1
        return discrete_gaussian(math.ceil(steps * Fraction(self.noise_multiplier)), dimensions)


def analytic_noise_multiplier(epsilon: float, delta: float) -> float:
    """The least standard deviation by sensitivity that gives (epsilon, delta), to one in a million; never less.

    Args:
        epsilon: above 0.
        delta: between 0 and 1.

    Raises:
        UsageError: numbers outside their range.

    Example:
        >>> round(analytic_noise_multiplier(1.0, 1e-5), 4)
        3.7307
    """
    checked(epsilon=epsilon)
    if not 0 < delta < 1:
        raise UsageError(f"delta={delta} makes no sense for Gaussian noise; it lies between 0 and 1, far below 1")
    enough = 1.0
    while gaussian_delta(enough, epsilon) > delta:
        enough *= 2
    too_little = 0.0 if enough == 1.0 else enough / 2
    while enough > too_little * (1 + 1e-6):
        middle = (enough + too_little) / 2
        if gaussian_delta(middle, epsilon) <= delta:
            enough = middle
        else:
            too_little = middle
    return enough


def gaussian_delta(noise_multiplier: float, epsilon: float) -> float:
    """The least delta for an epsilon of Gaussian noise on one number.

    Balle and Wang (arXiv 1805.06530), theorem 8, with the tails taken a step of the grid to the unsafe side, as the
    noise is discrete (theorem 7 of arXiv 2004.00010).

    Args:
        noise_multiplier: standard deviation by sensitivity.
        epsilon: above 0.
    """
    step = 2.0**-_BITS
    near = epsilon * noise_multiplier - 1 / (2 * noise_multiplier) - step
    far = epsilon * noise_multiplier + 1 / (2 * noise_multiplier) + step
    # exp(epsilon) times the far tail, without overflow: both are near the same size.
    return max(0.0, _tail(near) - math.exp(epsilon + _log_tail(far)))


def _tail(x: float) -> float:
    return math.erfc(x / math.sqrt(2)) / 2


def _log_tail(x: float) -> float:
    if x < 30:
        return math.log(_tail(x))
    # A lower bound of the tail (Gordon 1941), so that delta is never taken to be less than it is.
    return -x * x / 2 + math.log(x / (1 + x * x)) - math.log(2 * math.pi) / 2
