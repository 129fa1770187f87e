"""What was released about private data, in the terms that accountants add up.

An event says only how strong the noise was against the influence of one person; it says nothing about the data, so
it can be stored, sent and shown.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from syft.exceptions import UsageError


@dataclass(frozen=True, slots=True)
class GaussianRelease:
    """Values with Gaussian noise on them, computed from all of the data.

    Args:
        noise_multiplier: the standard deviation of the noise by the L2 sensitivity, above 0.
        count: how many such releases.

    Raises:
        UsageError: numbers outside their range.

    Example:
        >>> GaussianRelease(4.0)
        GaussianRelease(noise_multiplier=4.0, count=1)
    """

    noise_multiplier: float
    count: int = 1

    def __post_init__(self) -> None:
        _above_zero("noise_multiplier", self.noise_multiplier)
        _counted("count", self.count)


@dataclass(frozen=True, slots=True)
class SampledGaussian:
    """Steps of DP-SGD: each takes every person with a fixed chance, all alone, and adds Gaussian noise to the sum.

    Args:
        noise_multiplier: the standard deviation of the noise by the L2 sensitivity, above 0.
        sample_rate: the chance of each person to be in a step, from 0 to 1.
        steps: how many steps.

    Raises:
        UsageError: numbers outside their range.

    Example:
        >>> SampledGaussian(noise_multiplier=1.5, sample_rate=0.04, steps=2250).steps
        2250
    """

    noise_multiplier: float
    sample_rate: float
    steps: int

    def __post_init__(self) -> None:
        _above_zero("noise_multiplier", self.noise_multiplier)
        _counted("steps", self.steps)
        if not 0 <= self.sample_rate <= 1:
            raise UsageError(f"sample_rate={self.sample_rate} is no probability; it lies between 0 and 1")


@dataclass(frozen=True, slots=True)
class PureRelease:
    """A release that is epsilon-differentially private with delta 0: Laplace noise, an exponential mechanism.

    Args:
        epsilon: of one release, above 0.
        count: how many such releases.

    Raises:
        UsageError: numbers outside their range.

    Example:
        >>> PureRelease(0.1, count=3).count
        3
    """

    epsilon: float
    count: int = 1

    def __post_init__(self) -> None:
        _above_zero("epsilon", self.epsilon)
        _counted("count", self.count)


@dataclass(frozen=True, slots=True)
class ConcentratedRelease:
    """A release that is rho-zero-concentrated differentially private: discrete Gaussian noise (arXiv 1605.02065).

    Args:
        rho: of one release, above 0.
        count: how many such releases.

    Raises:
        UsageError: numbers outside their range.

    Example:
        >>> ConcentratedRelease(0.005).rho
        0.005
    """

    rho: float
    count: int = 1

    def __post_init__(self) -> None:
        _above_zero("rho", self.rho)
        _counted("count", self.count)


PrivacyEvent = GaussianRelease | SampledGaussian | PureRelease | ConcentratedRelease
"""All that the accountants know."""


def _above_zero(name: str, value: float) -> None:
    if not 0 < value < math.inf:
        raise UsageError(f"{name}={value} makes no sense; it is a finite number above 0")


def _counted(name: str, value: int) -> None:
    if value < 0 or int(value) != value:
        raise UsageError(f"{name}={value} makes no sense; it counts releases: 0, 1, 2, …")
