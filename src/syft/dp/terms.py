"""`TrainingTerms`: what somebody asks of the owner of data: how private a training on them is to be."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from syft.dp.events import SampledGaussian
from syft.exceptions import UsageError


@dataclass(frozen=True, slots=True)
class TrainingTerms:
    """DP-SGD on data that lie elsewhere: the worker that has them clips, samples and adds the noise.

    Args:
        noise_multiplier: the standard deviation of the noise by ``max_grad_norm``, above 0.
        max_grad_norm: what the gradient of one sample is clipped to, above 0.
        user: on a virtual worker, whose budget pays. A served worker knows.

    Raises:
        UsageError: numbers outside their range.

    Example:
        >>> TrainingTerms(noise_multiplier=1.1, max_grad_norm=1.0).event(samples=1000, batch_size=50, steps=40)
        SampledGaussian(noise_multiplier=1.1, sample_rate=0.05, steps=40)
    """

    noise_multiplier: float
    max_grad_norm: float
    user: str | None = None

    def __post_init__(self) -> None:
        for name, value in (("noise_multiplier", self.noise_multiplier), ("max_grad_norm", self.max_grad_norm)):
            if type(value) not in (int, float) or not 0 < value < math.inf:
                raise UsageError(f"{name}={value!r} makes no sense; it is a finite number above 0")
        if not (self.user is None or type(self.user) is str):
            raise UsageError(f"a user is a name or None, not a {type(self.user).__name__}")

    def event(self, samples: int, batch_size: int, steps: int) -> SampledGaussian:
        """What the training is to an accountant.

        Args:
            samples: in the data set.
            batch_size: the mean size of a batch.
            steps: how many.
        """
        return SampledGaussian(self.noise_multiplier, batch_size / samples, steps)

    def to_wire(self) -> list[Any]:
        """What travels."""
        return [self.noise_multiplier, self.max_grad_norm, self.user]

    @classmethod
    def from_wire(cls, data: Any) -> TrainingTerms:
        """The terms again.

        Raises:
            ValueError: the data are no terms.
        """
        if type(data) not in (list, tuple) or len(data) != 3:
            raise ValueError("the terms of a private training are two numbers and a user")
        return cls(*data)
