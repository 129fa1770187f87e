"""Modules in the place of ReLU and its like in models that are to run on ciphertexts: polynomials."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import nn

from syft.he.levelled.levels import COUNTED, CountingContext
from syft.he.levelled.polynomials import polyval
from syft.he.levelled.slots import CKKSTensor
from syft.he.levelled.tensor import CiphertextTensor


class Square(nn.Module):
    """x * x: the activation that costs least on ciphertexts (Gilad-Bachrach et al. 2016, CryptoNets, section 3).

    Example:
        >>> Square()(torch.tensor([-3.0, 2.0]))
        tensor([9., 4.])
    """

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """The square of each number."""
        return x * x


class Polynomial(nn.Module):
    """A polynomial of each number.

    Args:
        coefficients: of x^0, x^1 and so on.

    Example:
        >>> Polynomial([1, 0, 0.5])(torch.tensor([2.0, 4.0]))
        tensor([3., 9.])
    """

    def __init__(self, coefficients: Sequence[float]) -> None:
        super().__init__()
        self.coefficients = tuple(coefficients)

    def forward(self, x: Any) -> Any:
        """The value at each number."""
        return polyval(x, self.coefficients)

    def extra_repr(self) -> str:
        """What ``repr`` shows."""
        return ", ".join(map(str, self.coefficients))


def levels_needed(model: Callable[[Any], Any], example: torch.Tensor) -> int:
    """How many products in a row a model makes on encrypted inputs: the depth that its context needs.

    The model runs once on ciphertexts that hold nothing, which takes milliseconds.

    Args:
        model: a module or another function of one tensor.
        example: an input, of which only the shape matters.

    Raises:
        UnsupportedOp: the model does something that ciphertexts cannot.

    Example:
        >>> levels_needed(nn.Sequential(nn.Linear(4, 3), Square(), nn.Linear(3, 2)), torch.zeros(1, 4))
        3
    """
    shape = example.shape[1:]
    places = torch.arange(1, shape.numel() + 1).reshape(shape)
    link = CKKSTensor(CountingContext(), [COUNTED] * shape.numel(), places, example.shape[0], 0)
    with torch.no_grad():
        out = model(CiphertextTensor(link))
    return -int(out.child.level)
