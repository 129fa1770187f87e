"""Who may see what is inside an object: every private part of it is asked."""

from __future__ import annotations

from typing import Any

import torch

from syft.tensors.base import SyftTensor, is_wrapper


def may_see(value: Any, user: Any) -> bool:
    """Whether a user may see an object with all that would travel with it.

    Args:
        value: a tensor, wrapped or not, a link, or a container of these.
        user: the credential.

    Returns:
        True unless some private tensor in it, however deep, does not allow this user.
    """
    if isinstance(value, torch.Tensor):
        if is_wrapper(value):
            return may_see(value.__dict__.get("child"), user)
        return not value.is_leaf or not is_wrapper(value.grad) or may_see(value.grad, user)
    if isinstance(value, SyftTensor):
        allow = getattr(type(value), "allow", None)
        if allow is not None and not allow(value, user):
            return False
        parts = getattr(type(value), "to_wire", None)
        return may_see(value.child if parts is None else parts(value), user)
    if isinstance(value, dict):
        return all(may_see(k, user) and may_see(v, user) for k, v in value.items())
    if isinstance(value, (list, tuple, set, frozenset)):
        return all(may_see(v, user) for v in value)
    return True
