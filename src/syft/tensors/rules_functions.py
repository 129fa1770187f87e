"""Rules of quotients and of functions that are approximated, on encoded tensors."""

from __future__ import annotations

from typing import Any

import torch

from syft.exceptions import UnsupportedOp
from syft.tensors import functions as f
from syft.tensors import number as n
from syft.tensors.encoded import composed, number, rule
from syft.tensors.number import Number

aten = torch.ops.aten


@rule(aten.reciprocal)
def _reciprocal(a: Number) -> Number:
    return f.reciprocal(a)


@rule(aten.div)
def _div(a: Any, b: Any, rounding_mode: str | None = None) -> Number:
    if rounding_mode is not None:
        raise UnsupportedOp(
            f"division with rounding_mode={rounding_mode!r} has no rule for fixed-precision and shared tensors; divide "
            "without it"
        )
    return divided(a, b)


def divided(a: Any, b: Any) -> Number:
    """a / b, where one of them is a number."""
    return f.quotient(number(a, b), b) if isinstance(b, Number) else f.quotient_by_public(a, b)


@composed(torch.Tensor.__rtruediv__)
def _rtruediv(a: Any, b: Any) -> Any:
    return torch.div(torch.as_tensor(b), a)  # torch multiplies by a reciprocal, which was rounded before


@rule(aten.addcdiv)
def _addcdiv(a: Any, b: Any, c: Any, value: Any = 1) -> Number:
    product = divided(b, c)
    return n.add(number(a, product), product if value == 1 else n.multiply(product, number(value, product)))
