"""Real numbers as integers of a ring, so that sums of them are exact and masks hide them perfectly."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from syft.exceptions import AggregationError
from syft.federated.secure.masks import DTYPES

FRACTION_BITS = {32: 12, 64: 24}
"""Bits after the point, unless others are asked for."""


@dataclass(frozen=True, slots=True)
class FixedPoint:
    """Integers modulo ``2**bits`` that stand for multiples of ``2**-fraction_bits``.

    Args:
        bits: 32 or 64.
        fraction_bits: bits after the point; at least 0 and at most ``bits - 2``.

    Raises:
        AggregationError: there is no such ring.

    Example:
        >>> ring = FixedPoint(32, 8)
        >>> ring.decode(ring.encode(torch.tensor([0.5, -3.0]), parties=2))
        tensor([ 0.5000, -3.0000], dtype=torch.float64)
    """

    bits: int
    fraction_bits: int

    def __post_init__(self) -> None:
        if self.bits not in DTYPES or not 0 <= self.fraction_bits <= self.bits - 2:
            raise AggregationError(
                f"there is no ring of {self.bits} bits with {self.fraction_bits} after the point; take 32 or 64, and "
                f"at most {self.bits - 2} after the point"
            )

    def largest(self, parties: int) -> float:
        """The largest number, up or down, that each of so many parties may add."""
        return self._most(parties) / 2**self.fraction_bits

    def encode(self, values: torch.Tensor, parties: int) -> torch.Tensor:
        """Numbers of the ring for real ones, rounded to the nearest; at most ``2**-(fraction_bits + 1)`` off.

        Args:
            values: a tensor of a floating point dtype, finite.
            parties: how many such tensors will be summed; each must leave room for the others.

        Returns:
            A tensor of int32 or int64 of the same shape.

        Raises:
            AggregationError: a value is not finite, or so large that the sum could wrap around.
        """
        scaled = values.double() * 2.0**self.fraction_bits
        largest = float(scaled.abs().max()) if scaled.numel() else 0.0
        if not largest <= self._most(parties):  # NaN is not, either
            raise AggregationError(
                f"a value of {largest / 2**self.fraction_bits:.6g} does not go into sums of {parties} numbers of "
                f"{self.bits} bits with {self.fraction_bits} after the point, which take {self.largest(parties):.6g} "
                "each; use more bits, or fewer after the point"
            )
        return scaled.round().to(DTYPES[self.bits])

    def decode(self, total: torch.Tensor) -> torch.Tensor:
        """The real numbers of a sum.

        Args:
            total: a tensor of the ring.

        Returns:
            A tensor of float64.
        """
        return total.double() / 2.0**self.fraction_bits

    def _most(self, parties: int) -> int:
        return (2 ** (self.bits - 1) - 1) // max(parties, 1)
