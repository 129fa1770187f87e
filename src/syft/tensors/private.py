"""`PrivateTensor`: values that only some users may send or fetch, and all that is computed from them."""

from __future__ import annotations

import hmac
from collections.abc import Iterable
from typing import Any, Self

import numpy as np
import torch

from syft.core.ops import Op, Returns
from syft.core.session import SESSION
from syft.exceptions import GetNotPermittedError, SyftError
from syft.tensors.base import SyftTensor, apply
from syft.tensors.chain import ChainTensor, all_of, strip
from syft.tensors.object_pointer import ObjectPointer
from syft.tensors.private_ops import (
    NoStandIn,
    blank,
    has_shapes,
    is_elsewhere,
    memory_of_its_own,
    open_operands,
    rehearse,
    run,
    target_of,
)


class PrivateTensor(ChainTensor):
    """A link that guards what is under it.

    Whatever is computed from a private tensor is private to the users that may see *all* private operands.
    Calls that would give out a value (``bool``, ``equal`` …), whose result has a shape that depends on values
    (``nonzero``, indexing with a private mask …) or that write into a public tensor are refused. An op that
    fails because of the values gives NaN (0 for integers), and says why in ``failure``, for allowed users.

    Args:
        owner: the worker this belongs to.
        id: its own id.
        tags: words to find it by.
        description: a text about it.
        allowed_users: one credential, or several in a list, tuple or set.
        parents: the tensors it was computed from.
        command: the op that computed it.
        failure: why there are no values, if an op failed.
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
        failure: str | None = None,
    ) -> None:
        super().__init__(owner, id, tags, description)
        self.allowed_users = _users(allowed_users)
        self.parents, self.command, self.failure = parents, command, failure

    def settings(self) -> dict[str, Any]:
        """The users travel with the tensor, and why it has no values; its history stays behind."""
        return {"allowed_users": self.allowed_users, "failure": self.failure}

    def allow(self, user: Any) -> bool:
        """Whether this user may see the values."""
        return any(_is_same(user, allowed) for allowed in self.allowed_users)

    def register_credentials(self, users: Any) -> Self:
        """Allow one more user, or several; returns this tensor."""
        self.allowed_users = (*self.allowed_users, *_users(users))
        return self

    def made_of(self, values: torch.Tensor, command: str) -> torch.Tensor:
        """What was computed from this tensor alone, as private as it is.

        Args:
            values: what was computed.
            command: how.

        Returns:
            ``(Wrapper)>PrivateTensor>…``
        """
        users, failure = self.allowed_users, self.failure
        guard = PrivateTensor(self.owner, allowed_users=users, parents=(self,), command=command, failure=failure)
        out: torch.Tensor = guard.on(values)
        return out

    @classmethod
    def default(cls, op: Op, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Run the op on the values; what comes out is as private as what went in.

        Raises:
            GetNotPermittedError: the op would give out a value, write it into a public tensor, or send it away.
        """
        private = all_of(cls, args, kwargs)
        if op.key in METADATA and len(args) == len(private) and not kwargs:
            return apply(op, strip(cls, args), {})
        target = target_of(cls, op, args, kwargs)
        there = [is_elsewhere(link) for link in all_of(SyftTensor, args, kwargs)]
        if any(there) and not all(is_elsewhere(link) for link in private):
            raise GetNotPermittedError(f"{op.name!r} would send private values to the worker of the other operand")
        opened, named = open_operands(cls, args), open_operands(cls, kwargs)
        if target is None:
            result, failure = _run(op, opened, named)
            return _guard(private, op, result, failure or _failure(private))
        if len(private) > 1:
            own = memory_of_its_own(target.child)
            if "out" in named:
                named["out"] = own
            else:
                opened = (own, *opened[1:])
        _, failure = _run(op, opened, named)
        target.child = named.get("out", opened[0]) if len(private) > 1 else target.child
        target.allowed_users, target.failure = _common(private), failure or _failure(private)
        target.command = op.key  # its values are no longer those that somebody made private
        return None if op.returns is Returns.NOTHING else target

    def __repr__(self) -> str:
        if self.owner not in (None, SESSION.local_worker):
            return f"{type(self).__name__}>values that {self.owner.id} guards"
        return super().__repr__() + (f"\n\tFailed: {self.failure}" if self.failure else "")


def _run(op: Op, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[Any, str | None]:
    """The result of an op on opened operands, and why it is blank if it is."""
    try:
        rehearsed = rehearse(op, args, kwargs)
    except NoStandIn:
        return _run_unrehearsed(op, args, kwargs), None
    if not _is_tensors(rehearsed):
        return rehearsed, None  # said without the values
    try:
        result = run(op, args, kwargs)
    except SyftError:
        raise
    except Exception as error:  # whatever it is, it may speak of the values
        return blank(rehearsed), f"{type(error).__name__}: {error}"
    if not has_shapes(result, rehearsed):
        return blank(rehearsed), f"the shape of the result of {op.name!r} depends on values"
    return result, None


def _run_unrehearsed(op: Op, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    try:
        result = run(op, args, kwargs)
    except SyftError:
        raise
    except Exception:
        raise GetNotPermittedError(f"{op.name!r} failed on private values; what it said is not given out") from None
    if not _is_tensors(result):
        raise GetNotPermittedError(
            f"{op.name!r} would give out values of a private tensor; fetch it with .get(user=...)"
        )
    return result


def _users(users: Any) -> tuple[Any, ...]:
    if isinstance(users, (list, tuple, set, frozenset)):
        return tuple(users)
    return () if users is None else (users,)


def _is_same(user: Any, allowed: Any) -> bool:
    # Only equal values of one type: a tensor, a pointer or an object of the caller's could say of itself that
    # it equals anything.
    if type(user) is not type(allowed) or isinstance(user, (torch.Tensor, SyftTensor, ObjectPointer, np.ndarray)):
        return False
    if isinstance(user, str):
        return hmac.compare_digest(user.encode(errors="surrogatepass"), allowed.encode(errors="surrogatepass"))
    if isinstance(user, (tuple, list)):
        return len(user) == len(allowed) and all(map(_is_same, user, allowed))
    return (user == allowed) is True


def _common(private: list[PrivateTensor]) -> tuple[Any, ...]:
    first, *others = private
    return tuple(u for u in first.allowed_users if all(o.allow(u) for o in others))


def _failure(private: list[PrivateTensor]) -> str | None:
    return next((link.failure for link in private if link.failure), None)


def _is_tensors(out: Any) -> bool:
    if isinstance(out, (list, tuple)) and not isinstance(out, torch.Size):
        return all(_is_tensors(o) for o in out)
    return out is None or isinstance(out, (torch.Tensor, SyftTensor))


def _guard(private: list[PrivateTensor], op: Op, out: Any, failure: str | None) -> Any:
    guard = PrivateTensor(private[0].owner, allowed_users=_common(private), failure=failure)
    covered = guard.cover(out)
    for link in covered if isinstance(covered, list) else [covered]:
        if isinstance(link, PrivateTensor):
            link.parents, link.command = tuple(private), op.key
    return covered


METADATA = frozenset(
    "shape size dim ndim numel __len__ dtype device layout requires_grad is_leaf is_complex is_floating_point "
    "is_signed element_size itemsize nbytes stride is_contiguous is_cuda is_cpu is_sparse is_quantized "
    "type retains_grad".split()
)
"""Keys of the ops that say how a tensor is made, and nothing of its values."""


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
