"""What a client gets of the owner's objects: copies that it can change, and guarded ones if it may not fetch them."""

from __future__ import annotations

import copy
from collections.abc import Callable
from types import FunctionType, NoneType
from typing import Any

import numpy as np
import torch

from syft.core.messages import ObjectId
from syft.core.metadata import existing_metadata, metadata_of
from syft.tensors.base import SyftTensor, WrappedParameter, Wrapper, is_wrapper, link_of, wrap
from syft.tensors.object_pointer import ObjectPointer
from syft.tensors.private import PrivateTensor
from syft.workers.accounting import OwnersKey

Cover = Callable[[torch.Tensor], torch.Tensor]
_lazy_clone: Callable[[torch.Tensor], torch.Tensor] = getattr(torch, "_lazy_clone", torch.clone)
_NO_HOLDERS = (str, bytes, int, float, complex, np.ndarray, torch.nn.Module)
_NAMES = frozenset({"tags", "owner", "id", "_id", "_owner", "description"})


def lent(original: Any, borrower: Any) -> Any:
    """An object with the same values that can be changed without changing the original.

    Args:
        original: an object of the owner's.
        borrower: the worker that gets it.

    Returns:
        Copies of tensors, which share their memory until one of them is changed, by themselves or in whatever holds
        them. Other objects of which nothing can be changed but the names are copied with their names.
    """
    return _lent(original, borrower, _like)


def lent_guarded(original: Any, borrower: Any, key: OwnersKey, id: ObjectId) -> Any:
    """Like `lent`, for a client that may not fetch it: nor may it what it computes from it.

    Args:
        original: an object of the owner's.
        borrower: the worker that gets it.
        key: opens it again.
        id: what the object is called.

    Returns:
        The object with each tensor in it made private; None if it holds values of another kind, which nothing guards.
    """
    if not _is_all_tensors(original):
        return None

    def guard(tensor: torch.Tensor) -> torch.Tensor:
        out: torch.Tensor = PrivateTensor(borrower, id, allowed_users=(key,)).on(_like(tensor))
        return out

    return _lent(original, borrower, guard)


def opened(obj: Any, key: OwnersKey | None) -> Any:
    """What is under the guard of a key: a copy, as it is now; None if the object has no such guard."""
    if key is None or not is_wrapper(obj):
        return None
    link = obj.__dict__.get("child")
    if not (isinstance(link, PrivateTensor) and any(user is key for user in link.allowed_users)):
        return None
    child = link.child
    # No gradient goes along: it could be anything that was ever computed here.
    return _copied(child) if isinstance(child, torch.Tensor) else wrap(child)


def origins_of(obj: Any) -> tuple[str | None, list[ObjectId]]:
    """By which op a guarded tensor was computed, and from which of the owner's objects."""
    link = link_of(obj)
    return link.command, [parent.id for parent in link.parents]


def _lent(obj: Any, borrower: Any, cover: Cover) -> Any:
    if isinstance(obj, torch.Tensor):
        return cover(obj)
    lend = getattr(type(obj), "lent", None)
    if lend is not None:
        return lend(obj, borrower, cover)
    kind = type(obj)
    if kind in (list, tuple):
        return kind([_lent(part, borrower, cover) for part in obj])
    if kind is dict:
        return {name: _lent(part, borrower, cover) for name, part in obj.items()}
    if isinstance(obj, np.ndarray):
        return obj.copy()
    if isinstance(obj, torch.jit.ScriptModule):
        return copy.deepcopy(obj)
    if not hasattr(obj, "__dict__"):
        return obj
    twin = copy.copy(obj)
    for name, value in vars(twin).items():
        if isinstance(value, (torch.Tensor, torch.jit.ScriptModule)):
            vars(twin)[name] = _lent(value, borrower, cover)
    return twin


def _is_all_tensors(obj: Any) -> bool:
    if isinstance(obj, torch.Tensor) or hasattr(type(obj), "lent"):
        return True
    if type(obj) in (list, tuple):
        return all(map(_is_all_tensors, obj))
    if type(obj) is dict:
        return all(map(_is_all_tensors, obj.values()))
    held = getattr(obj, "__dict__", None)
    if not held or isinstance(obj, _NO_HOLDERS):
        return False
    return all(
        isinstance(value, (torch.Tensor, FunctionType, NoneType)) or name in _NAMES for name, value in held.items()
    )


def _is_torchs_own(tensor: torch.Tensor) -> bool:
    # Copy-on-write crashes the process over memory that torch did not allocate itself: read from a file, numpy's.
    if tensor.layout is not torch.strided or tensor.device.type != "cpu":
        return False
    storage = tensor.untyped_storage()
    return storage.resizable() and not storage.is_shared()


def _like(tensor: torch.Tensor) -> torch.Tensor:
    if is_wrapper(tensor):
        twin = _like_link(link_of(tensor))
        return wrap(twin) if type(tensor) in (Wrapper, WrappedParameter) else type(tensor)(twin)
    bare = tensor.detach()
    return _named(tensor, _lazy_clone(bare) if _is_torchs_own(bare) else bare.clone())


def _copied(tensor: torch.Tensor) -> torch.Tensor:
    return _named(tensor, tensor.detach().clone())


def _like_link(link: SyftTensor) -> SyftTensor:
    twin = copy.copy(link)
    if isinstance(twin, ObjectPointer):
        twin.gc = False  # the original owns what it points to
    child = twin.child
    if isinstance(child, torch.Tensor):
        twin.child = _like(child)
    elif isinstance(child, SyftTensor):
        twin.child = _like_link(child)
    return twin


def _named(tensor: torch.Tensor, values: torch.Tensor) -> torch.Tensor:
    out: torch.Tensor
    if isinstance(tensor, torch.nn.Parameter):
        out = torch.nn.Parameter(values, tensor.requires_grad)
    else:
        out = values.requires_grad_(tensor.requires_grad)
    entry = existing_metadata(tensor)
    if entry is not None:
        named = metadata_of(out)
        named.id, named.description = entry.id, entry.description
        named.tags = None if entry.tags is None else set(entry.tags)
    return out
