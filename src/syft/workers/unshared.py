"""Whether tensors are held by nobody else, so that their bytes cannot change any more once they are let go."""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Sequence
from typing import Any

import torch

from syft.workers.tensor_sizes import PLAIN


def unshared(objects: Sequence[Any], holders: int) -> bool:
    """Whether each of these is a plain tensor that only so many others hold, and no other tensor has its memory.

    Args:
        objects: what is to be let go. Its own reference to each does not count.
        holders: references to each that the caller knows of, besides.

    Returns:
        False if in doubt.

    Example:
        >>> held = [torch.zeros(3)]
        >>> unshared(held, holders=0)
        True
        >>> view = held[0][1:]
        >>> unshared(held, holders=0)
        False
    """
    if not all(map(_is_plain, objects)):  # a variable of this function would be another reference
        return False
    if not _free(objects, _OWN_REFERENCES + holders):
        return False
    return not _gradients(_gradients(objects)) and _free(_gradients(objects), _GRADIENTS_REFERENCES)


def _gradients(objects: Sequence[torch.Tensor]) -> list[torch.Tensor]:
    # Those that are sent along: of results, too, and gradients may have gradients.
    return [obj.grad for obj in objects if (obj.is_leaf or obj.retains_grad) and obj.grad is not None]


def _free(tensors: Sequence[torch.Tensor], references: int) -> bool:
    return all(
        [
            _is_plain(tensor) and count <= references and _uses(tensor) <= _OWN_USES
            for tensor, count in zip(tensors, _references(tensors), strict=True)
        ]
    )


def _is_plain(obj: Any) -> bool:
    return type(obj) in PLAIN and obj.layout is torch.strided and obj.device.type == "cpu"


def _references(objects: Sequence[Any]) -> list[int]:
    return [sys.getrefcount(obj) for obj in objects]


def _uses(tensor: torch.Tensor) -> float:
    return _use_count(tensor.untyped_storage()._cdata)


def _references_to_a_gradient() -> int:
    held = torch.zeros(1, requires_grad=True)  # a gradient whose tensor is gone would count differently
    held.grad = torch.zeros(1)
    (count,) = _references(_gradients([held]))
    return count


# No part of torch's public interface: where it is missing, nothing counts as unshared, and all is copied.
_use_count: Callable[[int], float] = getattr(torch._C, "_storage_Use_Count", lambda storage: math.nan)

# What these say of a tensor that nobody else holds: the versions of Python and torch count differently.
(_OWN_REFERENCES,) = _references([torch.zeros(1)])
_GRADIENTS_REFERENCES = _references_to_a_gradient()
_OWN_USES = _uses(torch.zeros(1))
