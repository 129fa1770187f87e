"""Large integers, one Python integer an element, and the tensors of small digits that they are written as."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

Large = np.ndarray[Any, Any]
"""An array of Python integers, which have as many bits as they need."""

BITS = {torch.uint8: 8, torch.int8: 7, torch.int16: 15, torch.int32: 31, torch.int64: 63}
"""How many bits a digit has, by the type of the tensor that it stands in."""


def large(integers: Any, shape: Sequence[int] | None = None) -> Large:
    """Python integers as an array.

    Args:
        integers: a list of them, an array of them, or a single one.
        shape: of the array; as given when None.

    Example:
        >>> large([2**100, -1], (2, 1)).shape
        (2, 1)
    """
    array = np.asarray(integers, dtype=object)
    return array if shape is None else array.reshape(tuple(shape))


def toward_zero(numerators: Any, denominators: Any) -> Large:
    """Quotients without their fraction, broadcast.

    Example:
        >>> toward_zero(large([7, -7]), 2).tolist()
        [3, -3]
    """
    return large(_TOWARD_ZERO(numerators, denominators))


def _toward_zero(numerator: int, denominator: int) -> int:
    quotient = abs(numerator) // abs(denominator)
    return quotient if (numerator < 0) == (denominator < 0) else -quotient


_TOWARD_ZERO = np.frompyfunc(_toward_zero, 2, 1)


def count_of(largest: int, bits: int) -> int:
    """How many digits a number takes."""
    return max(1, -(-largest.bit_length() // bits))


def written(integers: Large, dtype: torch.dtype, count: int | None = None) -> torch.Tensor:
    """Write integers in digits, which become a new last dimension: the most significant one first.

    Args:
        integers: not negative.
        dtype: of the digits; a key of `BITS`.
        count: of digits; as many as the largest integer needs when None.

    Example:
        >>> written(large([1, 2**31 + 5]), torch.int32)
        tensor([[0, 1],
                [1, 5]], dtype=torch.int32)
    """
    bits = BITS[dtype]
    if count is None:
        count = count_of(max(integers.flat, default=0), bits)
    out = np.empty((*integers.shape, count), dtype=np.int64)
    for place in range(count):
        out[..., place] = (integers >> bits * (count - 1 - place)) & ((1 << bits) - 1)
    return torch.from_numpy(out).to(dtype)


def read(digits: torch.Tensor, bits: int) -> Large:
    """The integers that digits stand for. Digits may be too large or negative, as sums of digits are.

    Example:
        >>> read(torch.tensor([[1, 5], [0, -1]]), 31).tolist()
        [2147483653, -1]
    """
    parts = digits.cpu().numpy().astype(object)
    total = large(np.zeros(parts.shape[:-1], dtype=object))
    for place in range(parts.shape[-1]):
        total = large((total << bits) + parts[..., place])
    return total
