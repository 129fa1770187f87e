"""The grid that results are released on: multiples of a power of two that depends on the noise alone.

A floating point number with noise on it can say by its last bits what it was before (Mironov 2012). Here values are
first rounded to whole steps of a grid, one person then changes them by a whole number of steps, and the noise is whole
steps, too: Google's "Secure Noise Generation" with exact discrete samplers in the place of rounded floats.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from fractions import Fraction
from typing import Any

import numpy as np
import torch

from syft.exceptions import UsageError

STEP_BITS = 24  # a step is so many powers of two below the scale of the noise
_MOST_EXTRA_BITS = 10
_FARTHEST = float(1 << 61)


def step_exponent(scale: float, dimensions: int = 1, bits: int = STEP_BITS) -> int:
    """The k of the grid 2^k for noise of a scale; finer where many values share one sensitivity.

    >>> step_exponent(1.0)
    -24
    """
    return math.frexp(scale)[1] - 1 - bits - min(_MOST_EXTRA_BITS, (dimensions - 1).bit_length())


def to_steps(values: np.ndarray[Any, Any], exponent: int) -> np.ndarray[Any, np.dtype[np.int64]]:
    """Values in whole steps of 2^exponent, halves up, so that shifting by whole steps and rounding commute.

    Args:
        values: float64 of any shape. NaN counts as 0; what is farther than 2^61 steps is taken to be that far.
        exponent: of the grid.
    """
    scaled = np.ldexp(np.nan_to_num(values, nan=0.0, posinf=np.inf, neginf=-np.inf), -exponent)
    scaled = np.clip(scaled, -_FARTHEST, _FARTHEST)
    whole = np.floor(scaled)
    return (whole + (scaled - whole >= 0.5)).astype(np.int64)


def exact_to_steps(values: Sequence[Fraction], exponent: int) -> np.ndarray[Any, Any]:
    """As `to_steps`, for exact numbers of any size: an array of Python's integers."""
    step = Fraction(2) ** exponent
    return np.array([math.floor(value / step + Fraction(1, 2)) for value in values], dtype=object)


def from_steps(steps: np.ndarray[Any, Any], exponent: int) -> np.ndarray[Any, np.dtype[np.float64]]:
    """Steps as numbers: float64, each a multiple of 2^exponent."""
    return np.ldexp(steps.astype(np.float64), exponent)


def steps_of(sensitivity: float | Fraction, exponent: int) -> Fraction:
    """A sensitivity in steps, exactly."""
    return Fraction(sensitivity) / Fraction(2) ** exponent


class GridMechanism:
    """What mechanisms with noise on a grid have in common; they say which grid, and which noise."""

    def grid(self, dimensions: int = 1) -> int:
        """The k of the grid 2^k on which so many values are released together."""
        raise NotImplementedError

    def release(self, values: float | torch.Tensor) -> Any:
        """Values with noise.

        Args:
            values: a number, or a tensor of any shape with real numbers. NaN counts as 0.

        Returns:
            A float, or a tensor of torch.float64: multiples of ``2**grid(values.numel())``.
        """
        tensor = torch.as_tensor(values, dtype=torch.float64)
        exponent = self.grid(tensor.numel())
        noisy = self._noisy(to_steps(tensor.detach().cpu().numpy().reshape(-1), exponent), exponent)
        out = torch.from_numpy(noisy).reshape(tensor.shape)
        return out if isinstance(values, torch.Tensor) else float(out)

    def release_exactly(self, values: Sequence[Fraction]) -> np.ndarray[Any, np.dtype[np.float64]]:
        """As `release`, for exact numbers: float64 of shape ``(len(values),)``."""
        exponent = self.grid(len(values))
        return self._noisy(exact_to_steps(values, exponent), exponent)

    def _noisy(self, steps: np.ndarray[Any, Any], exponent: int) -> np.ndarray[Any, np.dtype[np.float64]]:
        return from_steps(steps + self._noise(len(steps), exponent), exponent)

    def _noise(self, dimensions: int, exponent: int) -> Any:
        """Whole steps of the grid, for so many values that share one sensitivity."""
        raise NotImplementedError


def checked(**numbers: float) -> None:
    """Refuse what is not above 0 and finite.

    Raises:
        UsageError: one is not; the text has its name.
    """
    for name, value in numbers.items():
        if not (isinstance(value, int | float | Fraction) and 0 < value < math.inf):
            raise UsageError(f"{name}={value} makes no sense; it is a finite number above 0")
