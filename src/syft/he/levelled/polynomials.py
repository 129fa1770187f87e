"""Polynomials in few levels of products, of encrypted and of plain numbers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from syft.exceptions import UsageError


def polyval(x: Any, coefficients: Sequence[float]) -> Any:
    """A polynomial of each number, by Estrin's scheme (1960): degree d takes ceil(log2(d + 1)) levels, 1 takes none.

    Written in sums and products, so that a recorded plan takes as few levels as the function itself.

    Args:
        x: a tensor.
        coefficients: of x^0, x^1 and so on.

    Raises:
        UsageError: there are none.

    Example:
        >>> import torch
        >>> polyval(torch.tensor([2.0, 3.0]), [1, 0, 2])
        tensor([ 9., 19.])
    """
    numbers = list(coefficients)
    if not numbers:
        raise UsageError("a polynomial has one coefficient at least")
    while len(numbers) > 1 and numbers[-1] == 0:
        numbers.pop()
    if len(numbers) == 1:
        return x * 0 + numbers[0]
    powers = [x]  # x^1, x^2, x^4, ...
    while 1 << len(powers) < len(numbers):
        powers.append(powers[-1] * powers[-1])
    return _value(powers, numbers)


def _value(powers: list[Any], numbers: list[float]) -> Any:
    """The value of a polynomial; a number if it is constant."""
    if not any(numbers[1:]):
        return numbers[0]
    at = (len(numbers) - 1).bit_length() - 1
    low, high = _value(powers, numbers[: 1 << at]), _value(powers, numbers[1 << at :])
    if isinstance(high, int | float):
        if high == 0:
            return low
        out = powers[at] if high == 1 else powers[at] * high
    else:
        out = powers[at] * high
    return out if isinstance(low, int | float) and low == 0 else out + low
