"""What crosses into or out of a virtual worker: a copy, or the memory itself where nobody else holds it.

Copying a model's parameters and gradients twice a batch costs several per cent of a training step. Memory
that the giver gives up and that no other tensor, view or variable shares can change hands instead; nothing
can tell the difference.
"""

from __future__ import annotations

import sys
from typing import Any

import torch

from syft.core.metadata import existing_metadata, metadata_of

_make_subclass = torch.Tensor._make_subclass
_storage_uses = getattr(torch._C, "_storage_Use_Count", None)


def copy_of(tensor: torch.Tensor) -> torch.Tensor:
    """A leaf with the values, the gradient and the names of a tensor, and memory of its own.

    Args:
        tensor: a local tensor.

    Returns:
        A tensor of the same type, dtype, device and ``requires_grad``.
    """
    grad = tensor.grad if tensor.is_leaf else None
    return _leaf_like(tensor, tensor.detach().clone(), None if grad is None else grad.detach().clone())


def handed_over(tensor: torch.Tensor) -> torch.Tensor:
    """Like `copy_of`, for a tensor that its giver empties right afterwards.

    Args:
        tensor: a local leaf.

    Returns:
        A leaf over the tensor's own memory if no other tensor shares it, else over a copy.
    """
    values = tensor.detach()
    # Two uses of the memory: the tensor and its detached self.
    return _leaf_like(tensor, values if _uses(values) == 2 else values.clone(), _take_grad(tensor))


def taken_out(tensor: torch.Tensor) -> torch.Tensor:
    """Like `copy_of`, for a tensor that its worker has just forgotten.

    Args:
        tensor: a tensor that is no longer stored. An autograd graph may still hold it, so its values are
            copied; its gradient is handed over if nobody else shares it.

    Returns:
        A leaf of the same type, dtype, device and ``requires_grad``.
    """
    return _leaf_like(tensor, tensor.detach().clone(), _take_grad(tensor))


def _take_grad(tensor: torch.Tensor) -> torch.Tensor | None:
    if not tensor.is_leaf or tensor.grad is None:
        return None
    grad = tensor.grad
    tensor.grad = None
    if _references(grad) == _ALONE and grad._use_count() == 1 and _uses(grad) == 1:  # type: ignore[attr-defined]
        return grad.detach() if grad.requires_grad else grad
    tensor.grad = grad
    return grad.detach().clone()


def _leaf_like(tensor: torch.Tensor, values: torch.Tensor, grad: torch.Tensor | None) -> torch.Tensor:
    kind = type(tensor)
    out = values
    if kind is torch.nn.Parameter or (kind is not torch.Tensor and isinstance(tensor, torch.nn.Parameter)):
        out = _make_subclass(torch.nn.Parameter, values, tensor.requires_grad)
    elif tensor.requires_grad:
        out.requires_grad_()
    if grad is not None:
        out.grad = grad
    entry = existing_metadata(tensor)
    if entry is not None and (entry.tags or entry.description):
        copied = metadata_of(out)
        copied.id, copied.description = entry.id, entry.description
        copied.tags = None if entry.tags is None else set(entry.tags)
    return out


def _uses(tensor: torch.Tensor) -> int:
    """How many tensors share the memory of this one; 0 if that cannot be known."""
    if _storage_uses is None or tensor.layout is not torch.strided:
        return 0
    return int(_storage_uses(tensor.untyped_storage()._cdata)) - 1  # one use is this question's own


def _references(value: Any) -> int:
    return sys.getrefcount(value)


def _references_of_a_local_variable() -> int:
    alone = torch.zeros(1)
    return _references(alone)


_ALONE = _references_of_a_local_variable()
