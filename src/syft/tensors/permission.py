"""Who may see what is inside an object: every private part of what would travel is asked."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from syft.exceptions import SyftError
from syft.serde.registry import REGISTRY
from syft.tensors.base import SyftTensor, is_wrapper

# Nothing private can be in these.
_OPAQUE = (
    str,
    bytes,
    int,
    float,
    complex,
    type(None),
    np.ndarray,
    np.generic,
    torch.nn.Module,
    torch.jit.ScriptFunction,
)


class _NoSink:
    def add_buffer(self, memory: memoryview) -> int:
        return 0


def may_see(value: Any, user: Any) -> bool:
    """Whether a user may see an object with all that would travel with it.

    Args:
        value: a tensor, wrapped or not, a link, a container of these, or anything else that has a wire form.
        user: the credential.

    Returns:
        True unless some private tensor in it, however deep, does not allow this user.
    """
    if isinstance(value, _OPAQUE) and not isinstance(value, torch.Tensor):
        return True
    if isinstance(value, torch.Tensor):
        if is_wrapper(value):
            return may_see(value.__dict__.get("child"), user)
        return not value.is_leaf or not is_wrapper(value.grad) or may_see(value.grad, user)
    if isinstance(value, dict):
        return all(may_see(k, user) and may_see(v, user) for k, v in value.items())
    if isinstance(value, (list, tuple, set, frozenset)):
        return all(may_see(v, user) for v in value)
    if isinstance(value, SyftTensor):
        allow = getattr(type(value), "allow", None)
        if allow is not None and not allow(value, user):
            return False
        if getattr(type(value), "sealed", False):
            return True  # what is encrypted; encoding it just to look at its parts would take long
    return all(may_see(part, user) for part in _parts(value))


def _parts(value: Any) -> list[Any]:
    entry = REGISTRY.find(type(value))
    if entry is None:
        return [value.child] if isinstance(value, SyftTensor) else []
    try:
        return list(entry.fields(value, _NoSink()))
    except SyftError:  # it has no wire form after all, so nothing of it travels
        return []
