"""`Encoding`: how real numbers are written as integers with a fixed number of fractional digits."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from syft.exceptions import EncodingError, UsageError

FIELD = 2**62
SCALE_BITS = 31
"""The scale has no more, which leaves room for products."""
_DTYPES = {"long": 64, "int64": 64, "int": 32, "int32": 32}


@dataclass(frozen=True, slots=True)
class Encoding:
    """A number x is written as the integer part of ``x * base ** precision_fractional``.

    ``base=2, precision_fractional=16`` is what encrypted computation is fastest and most exact with.

    Attributes:
        base: of the digits.
        precision_fractional: how many fractional digits.
        field: integers are printed modulo it, and must be below half of it.
        kappa: kept for 0.2.4 code, no effect.
        dtype: ``"long"``, or ``"int"`` for integers of 32 bits.

    Raises:
        UsageError: a base below 2, negative digits, or a dtype that does not exist.

    Example:
        >>> Encoding(base=10, precision_fractional=3).encode(torch.tensor([0.1999, -0.1999]))
        tensor([ 199, -199])
    """

    base: int = 10
    precision_fractional: int = 3
    field: int = FIELD
    kappa: int = 1
    dtype: str = "long"

    def __post_init__(self) -> None:
        if self.base < 2 or self.precision_fractional < 0:
            raise UsageError(
                f"fixed precision needs a base of at least 2 and no negative number of digits, not base={self.base}, "
                f"precision_fractional={self.precision_fractional}"
            )
        if self.dtype not in _DTYPES:
            raise UsageError(f"Unsupported arg value for dtype. Use dtype='long' or dtype='int', not {self.dtype!r}.")
        if (
            self.precision_fractional > SCALE_BITS or self.scale >= 1 << SCALE_BITS
        ):  # in this order: powers of a peer's may be enormous
            raise UsageError(
                f"{self.base} ** {self.precision_fractional} is 2^31 or more, which leaves no room for products; use "
                "fewer fractional digits"
            )

    @property
    def scale(self) -> int:
        """What 1 is written as."""
        return int(self.base**self.precision_fractional)

    @property
    def limit(self) -> int:
        """Integers are below this in absolute value."""
        return min(self.field // 2, 1 << (_DTYPES[self.dtype] - 1))

    def encode(self, values: torch.Tensor, scale: int | None = None) -> torch.Tensor:
        """Write numbers as integers, rounding towards zero.

        Args:
            values: a tensor of any real dtype.
            scale: what 1 is written as, if it is not the encoding's own.

        Returns:
            int64, of the same shape.

        Raises:
            EncodingError: a value is NaN, infinite or too large.
        """
        scale = self.scale if scale is None else scale
        values = values.detach()
        if not values.dtype.is_floating_point:
            if values.dtype.is_complex:
                raise EncodingError("complex numbers cannot be written with fixed precision; encode .real and .imag")
            integers = values.to(torch.int64)
            bound = self.limit // scale
            if integers.numel() and int(integers.abs().max()) > bound:
                raise self._too_large(integers, bound)
            return integers * scale
        scaled = values.to(torch.float64) * scale
        if scaled.numel():
            largest = float(scaled.abs().amax())
            if not largest < self.limit:  # NaN is not, either
                raise self._not_encodable(values, largest)
        return scaled.to(torch.int64)

    def decode(self, integers: torch.Tensor, scale: int | None = None) -> torch.Tensor:
        """The numbers as float32."""
        return (integers.to(torch.float64) / (self.scale if scale is None else scale)).to(torch.float32)

    def _not_encodable(self, values: torch.Tensor, largest: float) -> EncodingError:
        bad = values[~torch.isfinite(values)]
        if bad.numel():
            return EncodingError(
                f"{bad.numel()} of {values.numel()} values are {bad.reshape(-1)[0].item()}, which cannot be written "
                "with fixed precision; replace them first, for example with torch.nan_to_num"
            )
        return self._too_large(values, self.limit / self.scale)

    def _too_large(self, values: torch.Tensor, bound: float) -> EncodingError:
        worst = values.reshape(-1)[values.abs().argmax()].item()
        return EncodingError(
            f"{worst} cannot be correctly embedded: choose bigger field or a lower precision. With base={self.base} "
            f"and precision_fractional={self.precision_fractional}, values must stay below {bound:.6g}"
        )
