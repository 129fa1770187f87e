"""The verbs of fixed precision: ``fix_precision`` and ``float_precision``, for tensors, modules and optimizers."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import nn

from syft.core.metadata import existing_metadata
from syft.encoded.encoding import FIELD, SCALE_BITS, Encoding
from syft.encoded.fixed import FixedPrecisionTensor
from syft.encoded.large import LargePrecisionTensor
from syft.encoded.number import Number
from syft.encoded.tensor import EncodedTensor
from syft.exceptions import NotSupportedError, UsageError
from syft.tensors.base import is_wrapper, link_of
from syft.tensors.in_place import swapped
from syft.tensors.pointer import PointerTensor
from syft.tensors.private import PrivateTensor


def fix_precision(
    self: torch.Tensor,
    base: int = 10,
    precision_fractional: int = 3,
    field: int | None = None,
    kappa: int = 1,
    dtype: str = "long",
    no_wrap: bool = False,
    storage: str = "auto",
    internal_type: torch.dtype | None = None,
    *,
    owner: Any = None,
    id: Any = None,
    tags: Any = None,
    description: str | None = None,
) -> Any:
    """Write numbers as integers with a fixed number of fractional digits.

    Args:
        base: of the digits. 2 is fastest and most exact.
        precision_fractional: how many fractional digits; 16 goes well with base 2.
        field: integers must be below half of it: 2^62, or 2^512 with large storage, when None.
        kappa: accepted for 0.2.4 code, no effect.
        dtype: ``"long"``, or ``"int"`` for integers of 32 bits.
        no_wrap: return the bare link.
        storage: ``"large"`` for integers of any size, which are slow and cannot be multiplied when they are shared;
            ``"auto"`` takes it for numbers and precisions that 64 bits have no room for.
        internal_type: of the digits of large storage, ``torch.int32`` when None.
        owner: the worker that the link belongs to.
        id: the link's own.
        tags: words to find it by.
        description: a text about it.

    Returns:
        ``(Wrapper)>FixedPrecisionTensor>tensor(…)``, or ``(Wrapper)>LargePrecisionTensor>tensor(…)``.

    Raises:
        EncodingError: a value is NaN, infinite or too large.
        NotSupportedError: with ``storage="crt"``.
        UsageError: it is fixed already, or remote in another form; or there is no such storage.

    Example:
        >>> import syft as sy
        >>> hook = sy.TorchHook(torch)
        >>> torch.tensor([0.1, -0.3]).fix_precision()
        (Wrapper)>FixedPrecisionTensor>tensor([                100, 4611686018427387604])
    """
    _check_storage(storage)
    given: dict[str, Any] = {"base": base, "precision_fractional": precision_fractional}
    if field is not None:
        given["field"] = field
    if is_wrapper(self):
        if isinstance(link := link_of(self), PointerTensor):
            settings = {**given, "dtype": dtype, "storage": storage, "internal_type": internal_type}
            return link.run("mpc.fix_precision", settings).wrap()
        raise UsageError(f"{link} has fixed precision already, or is no tensor of numbers")
    encoded: FixedPrecisionTensor | LargePrecisionTensor
    if storage == "large" or (dtype == "long" and needs_large(self, base, precision_fractional)):
        model = LargePrecisionTensor(**given, internal_type=internal_type or torch.int32)
        encoded = model.over(model.encode(self))
    else:
        if internal_type is not None:
            warnings.warn(
                "do not provide internal_type if data does not need LargePrecisionTensor to be stored", stacklevel=2
            )
        encoding = Encoding(**given, kappa=kappa, dtype=dtype)
        encoded = FixedPrecisionTensor.of(Number(encoding.encode(self), encoding.scale, encoding))
    encoded.owner, encoded._id, encoded.tags, encoded.description = owner, id, tags, description
    if no_wrap:
        return encoded
    if isinstance(encoded, LargePrecisionTensor):
        return encoded.wrap()
    return EncodedTensor(encoded, requires_grad=self.requires_grad)


def _check_storage(storage: str) -> None:
    if storage == "crt":
        raise NotSupportedError(
            "storage='crt' does not exist here: numbers in residues could be multiplied right only if they were whole. "
            "Use storage='large', which is exact for all of them"
        )
    if storage not in ("auto", "large"):
        raise UsageError(f"there is no storage {storage!r}; there are 'auto' and 'large'")


def needs_large(values: torch.Tensor, base: int, precision_fractional: int) -> bool:
    """Whether numbers of this precision have no room in integers of 64 bits.

    Args:
        values: of any real dtype; NaN and infinite ones have room nowhere, and do not count.
        base: of the digits.
        precision_fractional: how many of them are fractional.

    Example:
        >>> needs_large(torch.tensor([1.5]), 10, 128), needs_large(torch.tensor([1.5]), 10, 3)
        (True, False)
    """
    if base < 2 or precision_fractional <= 0:
        scale = 1
    elif precision_fractional * math.log2(base) >= SCALE_BITS:
        return True
    else:
        scale = base**precision_fractional
    values = values.detach()
    if values.dtype.is_complex or not values.numel():
        return False
    if not values.dtype.is_floating_point:
        return max(abs(int(values.min())), abs(int(values.max()))) * scale >= FIELD // 2
    largest = float(values.to(torch.float64).abs().max())
    return math.isfinite(largest) and largest * scale >= FIELD // 2


def float_precision(self: torch.Tensor) -> Any:
    """The numbers as float32.

    Raises:
        UsageError: the tensor has no fixed precision, or its values are shared: fetch these with ``.get()`` first.
    """
    link = link_of(self) if is_wrapper(self) else None
    if isinstance(link, PointerTensor):
        return link.run("mpc.float_precision").wrap()
    if isinstance(link, PrivateTensor) and isinstance(link.child, FixedPrecisionTensor | LargePrecisionTensor):
        return link.made_of(float_precision(link.child.wrap()), "float_precision")
    if not isinstance(link, (FixedPrecisionTensor, LargePrecisionTensor)):
        raise UsageError("only a fixed-precision tensor can be decoded; this one is " + type(self).__name__)
    if not isinstance(link.child, torch.Tensor):
        raise UsageError("the values are shared; fetch them with .get() before .float_precision()")
    return link.decoded()


def fix_precision_(self: torch.Tensor, *args: Any, **kwargs: Any) -> torch.Tensor:
    """`fix_precision` that changes this very tensor and returns it."""
    known = existing_metadata(self)
    if known is not None:
        kwargs.setdefault("id", known.id)
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
