"""The verbs of fixed precision: ``fix_precision`` and ``float_precision``, for tensors, modules and optimizers."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import nn

from syft.exceptions import UsageError
from syft.tensors.base import is_wrapper, link_of
from syft.tensors.encoded import EncodedTensor
from syft.tensors.encoding import FIELD, Encoding
from syft.tensors.fixed import FixedPrecisionTensor
from syft.tensors.in_place import swapped
from syft.tensors.number import Number
from syft.tensors.pointer import PointerTensor


def fix_precision(
    self: torch.Tensor,
    base: int = 10,
    precision_fractional: int = 3,
    field: int = FIELD,
    kappa: int = 1,
    dtype: str = "long",
    no_wrap: bool = False,
    storage: str = "auto",
    **names: Any,
) -> Any:
    """Write numbers as integers with a fixed number of fractional digits.

    Args:
        base: of the digits. 2 is fastest and most exact.
        precision_fractional: how many fractional digits; 16 goes well with base 2.
        field: integers must be below half of it.
        kappa: accepted for 0.2.4 code, no effect.
        dtype: ``"long"``, or ``"int"`` for integers of 32 bits.
        no_wrap: return the bare `FixedPrecisionTensor`.
        storage: ``"auto"``.
        **names: ``owner``, ``id``, ``tags``, ``description``.

    Returns:
        ``(Wrapper)>FixedPrecisionTensor>tensor(…)``

    Raises:
        EncodingError: a value is NaN, infinite or too large.
        UsageError: it is fixed already, or remote in another form.

    Example:
        >>> torch.tensor([0.1, -0.3]).fix_precision()
        (Wrapper)>FixedPrecisionTensor>tensor([                100, 4611686018427387604])
    """
    if is_wrapper(self):
        if isinstance(link := link_of(self), PointerTensor):
            settings = {"base": base, "precision_fractional": precision_fractional, "field": field, "dtype": dtype}
            return link.run("mpc.fix_precision", settings).wrap()
        raise UsageError(f"{link} has fixed precision already, or is no tensor of numbers")
    encoding = Encoding(base, precision_fractional, field, kappa, dtype)
    link = FixedPrecisionTensor.of(Number(encoding.encode(self), encoding.scale, encoding))
    link.owner, link._id = names.get("owner"), names.get("id")
    link.tags, link.description = names.get("tags"), names.get("description")
    return link if no_wrap else EncodedTensor(link, requires_grad=self.requires_grad)


def float_precision(self: torch.Tensor) -> Any:
    """The numbers as float32.

    Raises:
        UsageError: the tensor has no fixed precision, or its values are shared: fetch these with ``.get()`` first.
    """
    link = link_of(self) if is_wrapper(self) else None
    if isinstance(link, PointerTensor):
        return link.run("mpc.float_precision").wrap()
    if not isinstance(link, FixedPrecisionTensor):
        raise UsageError("only a fixed-precision tensor can be decoded; this one is " + type(self).__name__)
    if not isinstance(link.child, torch.Tensor):
        raise UsageError("the values are shared; fetch them with .get() before .float_precision()")
    return link.decoded()


def fix_precision_(self: torch.Tensor, *args: Any, **kwargs: Any) -> torch.Tensor:
    """`fix_precision` that changes this very tensor and returns it."""
    return swapped(self, fix_precision(self, *args, **kwargs))


def float_precision_(self: torch.Tensor) -> torch.Tensor:
    """`float_precision` that changes this very tensor and returns it."""
    return swapped(self, float_precision(self))


# --- modules and optimizers -----------------------------------------------------------------------


def change_all(module: nn.Module, change: Callable[[torch.Tensor], torch.Tensor]) -> nn.Module:
    """Change all parameters, their gradients and the floating-point buffers of a module, in place.

    Args:
        module: whose.
        change: makes the new tensor of an old one.

    Returns:
        The module.
    """
    floating = [buffer for buffer in module.buffers() if buffer.dtype.is_floating_point]
    change_each([*module.parameters(), *floating], change)
    return module


def change_each(tensors: Iterable[torch.Tensor], change: Callable[[torch.Tensor], torch.Tensor]) -> None:
    """Change tensors with their gradients, in place.

    Args:
        tensors: leaves, whoever holds them.
        change: makes the new tensor of an old one.
    """
    for tensor in tensors:
        # First the gradient: that of a remote tensor goes with it.
        grad = None if tensor.grad is None else change(tensor.grad)
        tensor.grad = None
        swapped(tensor, change(tensor))
        if grad is not None:
            tensor.grad = grad


def module_fix_precision(self: nn.Module, *args: Any, **kwargs: Any) -> nn.Module:
    """`fix_precision` for all parameters and buffers, in place; returns the module."""
    return change_all(self, lambda tensor: fix_precision(tensor, *args, **kwargs))


def module_float_precision(self: nn.Module) -> nn.Module:
    """`float_precision` for all parameters and buffers, in place; returns the module."""
    return change_all(self, float_precision)


def optimizer_fix_precision(self: torch.optim.Optimizer, *args: Any, **kwargs: Any) -> torch.optim.Optimizer:
    """Return this optimizer: it computes on encoded parameters as it is. Kept for 0.2.4 code."""
    return self


optimizer_float_precision = optimizer_fix_precision
