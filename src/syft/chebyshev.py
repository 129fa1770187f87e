"""Chebyshev approximation: the coefficients of a function, and the polynomials to evaluate them with."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch

from syft.exceptions import UsageError


def chebyshev_series(func: Callable[[torch.Tensor], torch.Tensor], width: float, terms: int) -> torch.Tensor:
    r"""The Chebyshev coefficients of a function on ``[-width, width]``.

    With ``n = terms``, coefficient ``j`` is

    .. math:: c_j = \frac{2}{n} \sum_{k=1}^{n} \cos\frac{j(2k-1)\pi}{2n}\, f\left(w \cos\frac{(2k-1)\pi}{2n}\right)

    so that ``f(x)`` is about ``c_0 / 2`` plus the sum of ``c_j T_j(x / width)``.

    Args:
        func: takes and returns a tensor of shape ``(terms,)``, float64.
        width: half the length of the interval.
        terms: how many coefficients; at least 1.

    Returns:
        The coefficients, shape ``(terms,)``, of torch's default dtype.

    Raises:
        UsageError: fewer than one term.

    Example:
        >>> [abs(round(c, 3)) for c in chebyshev_series(lambda x: 2 * x**3, 1.0, 4).tolist()]
        [0.0, 1.5, 0.0, 0.5]
    """
    if terms < 1:
        raise UsageError(f"a Chebyshev series has at least 1 term, not {terms}")
    angles = (2 * torch.arange(1, terms + 1, dtype=torch.float64) - 1) * (math.pi / (2 * terms))
    values = func(width * angles.cos()).to(torch.float64)
    orders = torch.arange(terms, dtype=torch.float64)
    coefficients = (2 / terms) * (torch.outer(orders, angles).cos() @ values)
    return coefficients.to(torch.get_default_dtype())


def chebyshev_polynomials(tensor: Any, terms: int = 32) -> Any:
    """The Chebyshev polynomials of odd degree ``1, 3, …, terms - 1`` at every element.

    Only sums and products are used, so encrypted and remote tensors are fine.

    Args:
        tensor: where to evaluate, of any shape.
        terms: twice the number of polynomials; even and at least 6.

    Returns:
        A tensor of shape ``(terms // 2, *tensor.shape)``.

    Raises:
        UsageError: ``terms`` is odd or less than 6.

    Example:
        >>> chebyshev_polynomials(torch.tensor([0.0, 0.5, 1.0]), terms=6)
        tensor([[ 0.0000,  0.5000,  1.0000],
                [-0.0000, -1.0000,  1.0000],
                [ 0.0000,  0.5000,  1.0000]])
    """
    if terms % 2 or terms < 6:
        raise UsageError(f"Chebyshev terms must be even and >= 6, not {terms}")
    y = tensor * tensor * 4 - 2
    polynomials = [tensor, tensor * (y - 1)]
    while len(polynomials) < terms // 2:
        polynomials.append(y * polynomials[-1] - polynomials[-2])
    return torch.stack(polynomials)
