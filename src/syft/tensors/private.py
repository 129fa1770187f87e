"""`PrivateTensor`: values that only some users may send or fetch, and all that is computed from them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Self

import torch

from syft.core.ops import Op, Returns
from syft.exceptions import GetNotPermittedError
from syft.tensors.base import SyftTensor, apply
from syft.tensors.chain import ChainTensor, all_of, strip


class PrivateTensor(ChainTensor):
    """A link that guards what is under it.

    Whatever is computed from a private tensor is private to the users that may see *all* private operands.
    Calls that would give out a value (``bool``, ``equal`` …) or write it into a public tensor are refused.

    Args:
        owner: the worker this belongs to.
        id: its own id.
        tags: words to find it by.
        description: a text about it.
        allowed_users: one credential, or several in a list, tuple or set.
        parents: the tensors it was computed from.
        command: the op that computed it.
    """

    precedence = 30
    reveals_child = False

    def __init__(
        self,
        owner: Any = None,
        id: Any = None,
        tags: Any = None,
        description: str | None = None,
        allowed_users: Any = (),
        parents: tuple[Any, ...] = (),
        command: str | None = None,
    ) -> None:
        super().__init__(owner, id, tags, description)
        self.allowed_users = _users(allowed_users)
        self.parents, self.command = parents, command

    def settings(self) -> dict[str, Any]:
        """The users travel with the tensor; its history stays behind."""
        return {"allowed_users": self.allowed_users}

    def allow(self, user: Any) -> bool:
        """Whether this user may see the values."""
        return any(user == allowed for allowed in self.allowed_users)

    def register_credentials(self, users: Any) -> Self:
        """Allow one more user, or several; returns this tensor."""
        self.allowed_users = (*self.allowed_users, *_users(users))
        return self

    @classmethod
    def default(cls, op: Op, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Run the op on the values; what comes out is as private as what went in.

        Raises:
            GetNotPermittedError: the op would give out a value or write it into a public tensor.
        """
        private = all_of(cls, args, kwargs)
        writes = op.returns in (Returns.SELF, Returns.NOTHING) or kwargs.get("out") is not None
        target = kwargs.get("out", args[0] if args else None)
        if op.key == "backward" or (writes and not isinstance(target, cls)):
            raise GetNotPermittedError(
                f"{op.name!r} would write what is computed from a private tensor into a public one. "
                "Make the target private too, or use an op that returns a new tensor."
            )
        out = apply(op, strip(cls, args), strip(cls, kwargs))
        if op.returns is Returns.SELF:
            args[0].allowed_users = _common(private)
            return args[0]
        if not _is_tensors(out) and op.key not in _METADATA:
            raise GetNotPermittedError(
                f"{op.name!r} would give out values of a private tensor; fetch it with .get(user=...)"
            )
        return _guard(private, op, out)


def _users(users: Any) -> tuple[Any, ...]:
    if isinstance(users, (list, tuple, set, frozenset)):
        return tuple(users)
    return () if users is None else (users,)


def _common(private: list[PrivateTensor]) -> tuple[Any, ...]:
    first, *others = private
    return tuple(u for u in first.allowed_users if all(o.allow(u) for o in others))


def _is_tensors(out: Any) -> bool:
    if isinstance(out, (list, tuple)) and not isinstance(out, torch.Size):
        return all(_is_tensors(o) for o in out)
    return out is None or isinstance(out, (torch.Tensor, SyftTensor))


def _guard(private: list[PrivateTensor], op: Op, out: Any) -> Any:
    guard = PrivateTensor(private[0].owner, allowed_users=_common(private))
    covered = guard.cover(out)
    for link in covered if isinstance(covered, list) else [covered]:
        if isinstance(link, PrivateTensor):
            link.parents, link.command = tuple(private), op.key
    return covered


_METADATA = frozenset(
    "shape size dim ndim numel __len__ dtype device layout requires_grad is_leaf is_complex is_floating_point "
    "is_signed element_size itemsize nbytes stride is_contiguous is_cuda is_cpu is_sparse is_quantized "
    "is_same_size type retains_grad".split()
)


def private_tensor(
    self: torch.Tensor, *args: Any, allowed_users: Iterable[Any] | Any = (), no_wrap: bool = False, **kwargs: Any
) -> Any:
    """Guard this tensor: only these users may send or fetch it.

    Args:
        *args: accepted for 0.2.4 code.
        allowed_users: one credential, or several in a list, tuple or set; nobody when left out.
        no_wrap: return the bare `PrivateTensor`.
        **kwargs: passed to `PrivateTensor`.

    Returns:
        ``(Wrapper)>PrivateTensor>…``
    """
    return PrivateTensor(allowed_users=allowed_users, **kwargs).on(self, wrap=not no_wrap)
