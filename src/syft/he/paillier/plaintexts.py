"""Numbers as integers times a power of 16, as python-paillier has them, but with one exponent for a whole tensor."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from syft.exceptions import EncodingError

BASE_BITS = 4
"""A step of an exponent, as in python-paillier: its base is 16."""
EXPONENTS = {torch.int64: 0, torch.float32: -16, torch.float64: -24}
"""For numbers that are encrypted: 64 bits after the point for float32, 96 for float64, whatever the values are."""
LARGEST_BITS = 64
"""Numbers that are encrypted are below 2 to this power."""
_FINEST = -32  # of a factor: 128 bits after the point
_MANTISSA = 53


def kind_of(dtype: torch.dtype) -> torch.dtype:
    """The dtype that numbers of this one come back with.

    Raises:
        EncodingError: complex numbers cannot be encrypted.
    """
    if dtype.is_complex:
        raise EncodingError("complex numbers cannot be encrypted; encrypt .real and .imag as two tensors")
    if dtype is torch.float64:
        return torch.float64
    return torch.float32 if dtype.is_floating_point else torch.int64


def whole(values: torch.Tensor, exponent: int) -> list[int]:
    """The integers that stand for numbers, rounded to the nearest.

    Args:
        values: of any real dtype and shape; finite.
        exponent: 0 or less.

    Returns:
        For each value, ``round(value / 16 ** exponent)``.

    Raises:
        EncodingError: a value is NaN or infinite.

    Example:
        >>> whole(torch.tensor([1.5, -0.25]), -1)
        [24, -4]
    """
    places = -exponent * BASE_BITS
    if not values.dtype.is_floating_point:
        return [value << places for value in values.detach().reshape(-1).tolist()]
    mantissas, shifts = _parts(values)
    return [
        m << s if s >= 0 else (m + (1 << -s - 1)) >> -s
        for m, s in zip(mantissas.tolist(), (shifts + places).tolist(), strict=True)
    ]


def exponent_for(values: torch.Tensor) -> int:
    """The exponent with which numbers are integers without any rounding; 128 bits after the point at most.

    Args:
        values: of any real dtype and shape; finite.

    Example:
        >>> exponent_for(torch.tensor([1.5, 3.0])), exponent_for(torch.tensor([7])), exponent_for(torch.tensor(2**-8))
        (-1, 0, -2)
    """
    if not values.dtype.is_floating_point or not values.numel():
        return 0
    mantissas, shifts = _parts(values)
    used = mantissas != 0
    lowest = (mantissas & -mantissas)[used]  # the last bit that is set
    places = -(shifts[used] + np.log2(lowest.astype(np.float64)).astype(np.int64))
    return max(_FINEST, -math.ceil(max(int(places.max(initial=0)), 0) / BASE_BITS))


def _parts(values: torch.Tensor) -> tuple[Any, Any]:
    """Integers and powers of two whose products the values are."""
    plain = values.detach().reshape(-1).to("cpu", torch.float64).numpy()
    if not np.isfinite(plain).all():
        bad = plain[~np.isfinite(plain)][0]
        raise EncodingError(
            f"cannot convert float {bad} to integer: only finite numbers can be encrypted, or used with such"
        )
    fractions, exponents = np.frexp(plain)
    return (fractions * 2.0**_MANTISSA).astype(np.int64), exponents.astype(np.int64) - _MANTISSA


def check_range(numbers: Sequence[int], exponent: int) -> None:
    """Refuse numbers that are too large to be encrypted.

    Raises:
        EncodingError: one is 2^64 or more.
    """
    if longest(numbers) > LARGEST_BITS - exponent * BASE_BITS:
        raise EncodingError(
            f"a value of 2^{longest(numbers) + exponent * BASE_BITS - 1} or more overflows: numbers below "
            f"2^{LARGEST_BITS} can be encrypted; divide the tensor by something first"
        )


def longest(numbers: Sequence[int]) -> int:
    """The bits of the longest of these integers, whatever its sign."""
    return max(max(numbers, default=0), -min(numbers, default=0)).bit_length()


def numbers_of(integers: Sequence[Any], exponent: int, dtype: torch.dtype) -> torch.Tensor:
    """The numbers that integers stand for.

    Args:
        integers: Python's or gmpy2's.
        exponent: of any sign.
        dtype: int64, float32 or float64.

    Returns:
        A vector of that dtype; floating point numbers are the nearest there are.

    Raises:
        EncodingError: a number has no room in the dtype.
    """
    places = -exponent * BASE_BITS
    plain = [int(value) for value in integers] if places >= 0 else [int(value) << -places for value in integers]
    unit = 1 << max(places, 0)
    try:
        if dtype is torch.int64:
            return torch.tensor([value // unit for value in plain], dtype=dtype)
        out = torch.tensor([value / unit for value in plain], dtype=torch.float64).to(dtype)
        if bool(out.isfinite().all()):
            return out
    except (OverflowError, RuntimeError, ValueError):  # torch and Python say it differently
        pass
    raise EncodingError(
        f"a decrypted number has no room in {dtype}: the computation has grown beyond it. Scale the numbers before "
        "they are encrypted, or encrypt them as float64"
    )
