"""Polynomials of encrypted numbers in few levels."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from syft.exceptions import UsageError
from syft.he.operations import add, add_plain, multiply, multiply_plain, square
from syft.he.slots import CiphertextLink, times


def polynomial(x: CiphertextLink, coefficients: Sequence[float]) -> CiphertextLink:
    """A polynomial of each number; with CKKS, degree d takes as many levels as d - 1 has bits: 1 takes none.

    Args:
        x: the numbers.
        coefficients: of x^0, x^1 and so on.

    Raises:
        UsageError: there are none.
        DepthExceededError: there are fewer levels.
    """
    if not len(coefficients):
        raise UsageError("a polynomial has one coefficient at least")
    free = x.arithmetic.free_scaling
    numbers = [float(c) if free else int(c) for c in coefficients]
    while len(numbers) > 1 and numbers[-1] == 0:
        numbers.pop()
    constant = torch.tensor(numbers[0], dtype=torch.float64 if free else torch.int64)
    degree = len(numbers) - 1
    if degree == 0:
        return add_plain(x.with_places(torch.zeros_like(x.places)), constant)
    squares = [x]
    while 2 << len(squares) - 1 <= degree:
        squares.append(square(squares[-1]))
    out = _leading(squares, degree, numbers[-1])
    for power in range(degree - 1, 0, -1):
        if numbers[power]:
            out = add(out, _term(squares, power, numbers[power], out.factor))
    return add_plain(out, constant)


def _leading(squares: list[CiphertextLink], power: int, coefficient: float) -> CiphertextLink:
    """A multiple of the highest power; its coefficient is remembered beside it, and costs nothing."""
    highest = power.bit_length() - 1
    rest = power - (1 << highest)
    if rest:
        return multiply(squares[highest], _leading(squares, rest, coefficient))
    return squares[highest] if coefficient == 1 else multiply_plain(squares[highest], torch.tensor(coefficient))


def _term(squares: list[CiphertextLink], power: int, coefficient: float, factor: float) -> CiphertextLink:
    """A multiple of a power with a given factor beside it, so that it can be added without another product.

    What is multiplied with the coefficient is a low power of x, which has a level to spare.
    """
    highest = power.bit_length() - 1
    rest, top = power - (1 << highest), squares[highest]
    if rest:
        beside = top.factor * top.arithmetic.correction(top.level)
        return multiply(top, _term(squares, rest, coefficient, factor / beside))
    if not top.arithmetic.free_scaling:
        return top if coefficient == 1 else multiply_plain(top, torch.tensor(coefficient))
    return times(top, coefficient * top.factor / factor, factor)
