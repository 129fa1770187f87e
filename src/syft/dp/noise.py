"""Gaussian noise for releases: from the operating system's randomness, and safe in floating point.

The textbook way, a float plus a Gaussian float, lets the low bits of the sum give the data away (Mironov 2012,
arXiv 2112.05307). Here the value is rounded to a grid that depends on nothing but the shape and the bound, the noise
is rounded to the same grid, and the two are added exactly: the result is the rounding of a Gaussian mechanism on
grid values, and rounding costs no privacy. The noise is a little larger to pay for the grid (`SLACK`).
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
import torch

from syft.core.random import SYSTEM_RANDOM, Tape
from syft.exceptions import UsageError

SLACK = 2.0**-10
"""By how much more than its bound a value may move: half for the grid, half for norms computed in float32."""
_CHUNK = 1 << 15  # pairs drawn at a time: they stay in the cache
_TURN = 2 * math.pi * 2.0**-53


class RandomBytes(Protocol):
    """Where noise and sampling get their uniform bytes: `SYSTEM_RANDOM`, or a seed in tests."""

    def bytes(self, nbytes: int) -> np.ndarray[Any, np.dtype[np.uint8]]:
        """Uniform bytes: an array of uint8 of shape ``(nbytes,)``."""


class SeededBytes:
    """The same bytes for the same seed: noise from here protects nobody.

    Args:
        seed: any integer below 2^64.

    Example:
        >>> (SeededBytes(7).bytes(4) == SeededBytes(7).bytes(4)).all()
        np.True_
    """

    def __init__(self, seed: int) -> None:
        if not 0 <= seed < 1 << 64:
            raise UsageError(f"the seed {seed} is not between 0 and 2^64 - 1")
        self._tape, self._number = Tape(seed.to_bytes(16, "big")), 0

    def bytes(self, nbytes: int) -> np.ndarray[Any, np.dtype[np.uint8]]:
        """The next strip of the tape: an array of uint8 of shape ``(nbytes,)``."""
        self._number += 1
        return self._tape.strip(self._number, nbytes)


def source_of(unsafe_seed: int | None) -> RandomBytes:
    """Fresh randomness, or the same each time where a seed is given."""
    return SYSTEM_RANDOM if unsafe_seed is None else SeededBytes(unsafe_seed)


def standard_gaussian(size: int, source: RandomBytes = SYSTEM_RANDOM) -> torch.Tensor:
    """Independent standard Gaussians by the method of Box and Muller, from 53 random bits each.

    Args:
        size: how many.
        source: of the bits.

    Returns:
        A tensor of torch.float64 of shape ``(size,)``; none is beyond 8.6, where 1 in 10^17 should be.

    Example:
        >>> standard_gaussian(1000).shape
        torch.Size([1000])
    """
    out = torch.empty(size, dtype=torch.float64)
    for at in range(0, size, 2 * _CHUNK):
        count = min(2 * _CHUNK, size - at)
        half = (count + 1) // 2
        bits = torch.from_numpy(source.bytes(16 * half).view(np.int64)).reshape(2, half)
        uniform = bits.bitwise_right_shift_(11).bitwise_and_((1 << 53) - 1).double()
        radius = uniform[0].add_(1).mul_(2.0**-53).log_().mul_(-2).sqrt_()
        angle = uniform[1].mul_(_TURN)
        torch.mul(angle.cos(), radius, out=out[at : at + half])
        out[at + half : at + count] = angle.sin_().mul_(radius)[: count - half]
    return out


@dataclass(frozen=True)
class GridNoise:
    """Releases vectors that one person moves by a bounded distance, with Gaussian noise on a grid.

    Args:
        bound: by how much one person moves the vector in L2 norm, above 0.
        noise_multiplier: the standard deviation of the noise by ``bound``, above 0.
        dimension: how many numbers the vector has.
        source: of the random bits.

    Raises:
        UsageError: numbers outside their range.

    Example:
        >>> released = GridNoise(bound=1.0, noise_multiplier=2.0, dimension=3).release(torch.zeros(3))
        >>> released.shape, released.dtype
        (torch.Size([3]), torch.float32)
    """

    bound: float
    noise_multiplier: float
    dimension: int
    source: RandomBytes = field(default=SYSTEM_RANDOM, repr=False)

    def __post_init__(self) -> None:
        if not 0 < self.bound < math.inf or not 0 < self.noise_multiplier < math.inf or self.dimension < 1:
            raise UsageError(
                f"noise of {self.noise_multiplier} times the bound {self.bound} on {self.dimension} numbers makes no "
                "sense; all three are above 0 and finite"
            )

    @property
    def grid(self) -> float:
        """The power of two that every released number is a multiple of."""
        return float(2.0 ** math.floor(math.log2(self.bound * SLACK / 2 / math.sqrt(self.dimension))))

    @property
    def deviation(self) -> float:
        """The standard deviation of the noise on each number."""
        return self.noise_multiplier * self.bound * (1 + SLACK)

    def release(self, exact: torch.Tensor) -> torch.Tensor:
        """The tensor with noise on it.

        Args:
            exact: what one person moves by at most ``bound``, or a part of it that shares the bound with others.

        Returns:
            A tensor of the shape, dtype and device of ``exact``; every number is a multiple of `grid`.
        """
        grid = self.grid
        steps = standard_gaussian(exact.numel(), self.source).mul_(self.deviation / grid).round_()
        steps = steps.to(exact.device).reshape(exact.shape)
        # Both are whole numbers of grid steps, so their sum is exact, or the rounding of the exact sum.
        return steps.add_(exact.double().div_(grid).round_()).mul_(grid).to(exact.dtype)
