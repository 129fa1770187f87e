"""Turning a tensor into a wrapper and back without changing its identity.

Optimizers and RNN modules hold on to parameter objects, so a parameter that is sent must stay the very
same object: only its class and what stands behind it change.
"""

from __future__ import annotations

import weakref
from typing import Any

import torch

from syft.exceptions import UsageError
from syft.tensors.base import SyftTensor, WrappedParameter, Wrapper, is_wrapper

_NoTorchFunction = torch._C.DisableTorchFunctionSubclass
_EMPTY = torch.empty(0)


def become_wrapper(tensor: torch.Tensor, link: SyftTensor) -> Any:
    """Make this very tensor the wrapper of a link; its local storage and gradient are released.

    Args:
        tensor: a local tensor or parameter, or a wrapper already.
        link: what it stands for from now on.

    Returns:
        The same object.
    """
    if not is_wrapper(tensor):
        kind = type(tensor)
        is_parameter = kind is torch.nn.Parameter or isinstance(tensor, torch.nn.Parameter)
        if tensor.grad is not None:
            tensor.grad = None
        tensor.data = _EMPTY
        tensor.__dict__["was_class"] = kind
        tensor.__class__ = WrappedParameter if is_parameter else Wrapper
    tensor.child = link  # type: ignore[attr-defined]
    link.parent = weakref.ref(tensor)  # type: ignore[arg-type]
    return tensor


def become_local(tensor: torch.Tensor, value: torch.Tensor) -> Any:
    """Undo `become_wrapper`: this very tensor holds ``value`` and its gradient again.

    Args:
        tensor: a wrapper.
        value: a local leaf tensor, or another wrapper (of a pointer that was pointed to).

    Returns:
        The same object.
    """
    if is_wrapper(value):
        return swapped(tensor, value)
    state = tensor.__dict__
    state.pop("child", None)
    cls = state.pop("was_class", None)
    with _NoTorchFunction():
        if cls is not None and tensor.is_leaf:
            tensor.__class__ = cls
            grad = value.grad
            tensor.data = value.detach()
            if tensor.requires_grad != value.requires_grad:
                tensor.requires_grad_(value.requires_grad)
            if grad is not None:
                tensor.grad = grad
        else:  # made by wrap(): its empty inside cannot take data, so the insides change places
            torch._C._swap_tensor_impl(tensor, value)
            tensor.__class__ = cls or torch.Tensor
    return tensor


def swapped(tensor: torch.Tensor, value: torch.Tensor) -> torch.Tensor:
    """Make this very tensor, which others may hold, what ``value`` is.

    Args:
        tensor: a tensor or a parameter, which stays a parameter.
        value: used up.

    Raises:
        UsageError: a parameter would become a large-precision tensor.
    """
    if isinstance(tensor, torch.nn.Parameter) and not getattr(value.__dict__.get("child"), "trainable", True):
        largest = tensor.detach().abs().max().item()
        raise UsageError(
            "a parameter cannot have large precision, as gradients are of 64 bits: use base=2 and "
            f"precision_fractional=16, and values below 2^30; the largest of this one is {largest:.4g}"
        )
    if isinstance(value, Wrapper):
        return become_wrapper(tensor, value.child)
    if isinstance(tensor, torch.nn.Parameter) and not isinstance(value, torch.nn.Parameter):
        known = value if isinstance(tensor, Wrapper) else tensor  # what was remote is gone there by now
        value = torch.nn.Parameter(value, known.requires_grad)
    # torch.utils.swap_tensors does the same, but refuses tensors that anybody has a weak reference to: ids and tags are
    # kept by these, and RNN modules keep them, too.
    tensor.__class__, value.__class__ = type(value), type(tensor)
    tensor.__dict__, value.__dict__ = value.__dict__, tensor.__dict__
    torch._C._swap_tensor_impl(tensor, value)
    return tensor
