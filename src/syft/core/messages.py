"""What a client can say to a worker, and what the worker can answer: plain frozen data."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Protocol

import torch

ObjectId = int | str


@dataclass(frozen=True, slots=True)
class Ref:
    """Stands for an object in the receiving worker's store, or for an attribute of it (``path``)."""

    id: ObjectId
    path: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Put:
    """Keep these objects under these ids.

    ``user`` is the credential of the sender, for objects that are private. With ``owning``, pointers among
    the objects own what they point to from now on: it dies with them. With ``giving``, the sender empties
    its own objects afterwards, so a worker in the same process may keep their memory. With ``lasting``, the
    objects stay when their sender leaves, for others to find.
    """

    objects: tuple[tuple[ObjectId, Any], ...]
    user: Any = None
    owning: bool = False
    giving: bool = False
    lasting: bool = False


@dataclass(frozen=True, slots=True, init=False)
class Command:
    """Run an op on stored objects and keep its result under an id that the client chose.

    ``op`` is a name of the op table. ``result`` is ``None`` for ops that return nothing new (in-place). What is to
    be forgotten is forgotten first: pointers die at the rate at which commands make them.
    """

    op: str
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    result: ObjectId | None
    grad_enabled: bool
    forget: tuple[ObjectId, ...]

    def __init__(
        self,
        op: str,
        args: tuple[Any, ...],
        kwargs: dict[str, Any] | None = None,
        result: ObjectId | None = None,
        grad_enabled: bool = True,
        forget: tuple[ObjectId, ...] = (),
    ) -> None:
        # Written by hand because it is made for every remote op: the __init__ of a frozen dataclass takes
        # three times as long.
        _SET_OP(self, op)
        _SET_ARGS(self, args)
        _SET_KWARGS(self, {} if kwargs is None else kwargs)
        _SET_RESULT(self, result)
        _SET_GRAD_ENABLED(self, grad_enabled)
        _SET_FORGET(self, forget)


_SET_OP, _SET_ARGS, _SET_KWARGS, _SET_RESULT, _SET_GRAD_ENABLED, _SET_FORGET = (
    vars(Command)[name].__set__ for name in ("op", "args", "kwargs", "result", "grad_enabled", "forget")
)


@dataclass(frozen=True, slots=True)
class Call:
    """Call a stored callable object and keep its result under an id that the client chose."""

    target: Ref
    args: tuple[Any, ...]
    kwargs: dict[str, Any] = field(default_factory=dict)
    result: ObjectId | None = None
    method: str = "__call__"
    grad_enabled: bool = True


@dataclass(frozen=True, slots=True)
class Take:
    """Give the objects back and forget them (or keep them, for a peek that a policy allows)."""

    refs: tuple[Ref, ...]
    user: Any = None
    reason: str = ""
    keep: bool = False


@dataclass(frozen=True, slots=True)
class Relay:
    """Send objects on to another worker; the receiver keeps them under the ids ``as_ids``.

    With ``leave_pointer`` the sender keeps, under each old id, a pointer to where the object went.
    """

    ids: tuple[ObjectId, ...]
    destination: ObjectId
    as_ids: tuple[ObjectId, ...]
    leave_pointer: bool = False
    user: Any = None


@dataclass(frozen=True, slots=True)
class Fetch:
    """The stored object is a pointer: replace it by what it points to."""

    id: ObjectId


@dataclass(frozen=True, slots=True)
class Forget:
    """Drop the objects; ids that are not there are fine."""

    ids: tuple[ObjectId, ...]


@dataclass(frozen=True, slots=True)
class Describe:
    """Ask for the metadata of a tensor: a `Description`, or None for an attribute that is None."""

    ref: Ref


@dataclass(frozen=True, slots=True)
class IsNone:
    """Ask whether an object, or an attribute of it, is missing or None."""

    ref: Ref


@dataclass(frozen=True, slots=True)
class Search:
    """Ask for the objects that carry all of these tags (or have one of these ids)."""

    query: tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class Tag:
    """Set the tags and the description of a stored object."""

    id: ObjectId
    tags: frozenset[Any] | None = None
    description: str | None = None


# --- answers -----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Stored:
    """Stands in a reply for a tensor that stayed on the worker under this id."""

    id: ObjectId


@dataclass(frozen=True, slots=True)
class Shown:
    """What a kernel of a protocol shows by design: masked values, from which nothing follows about what they hide."""

    values: tuple[torch.Tensor, ...]


@dataclass(frozen=True, slots=True)
class Named:
    """Several results that torch gives names, such as ``values`` and ``indices``."""

    names: tuple[str, ...]
    results: tuple[Any, ...]


@dataclass(frozen=True, slots=True, init=False)
class Description:
    """What one may know of a remote tensor without seeing its values."""

    shape: tuple[int, ...]
    dtype: Any
    device: Any
    layout: Any
    stride: tuple[int, ...] | None
    requires_grad: bool
    is_leaf: bool

    def __init__(
        self,
        shape: tuple[int, ...],
        dtype: Any,
        device: Any,
        layout: Any,
        stride: tuple[int, ...] | None,
        requires_grad: bool,
        is_leaf: bool,
    ) -> None:
        # By hand for the same reason as Command's.
        for put, value in zip(_DESCRIBE, (shape, dtype, device, layout, stride, requires_grad, is_leaf), strict=True):
            put(self, value)


_DESCRIBE = tuple(
    vars(Description)[name].__set__
    for name in ("shape", "dtype", "device", "layout", "stride", "requires_grad", "is_leaf")
)


@dataclass(frozen=True, slots=True)
class Gradients:
    """Which leaves have a gradient now, and what it is like; None for those that have none."""

    of: tuple[tuple[ObjectId, Description | None], ...]


@dataclass(frozen=True, slots=True)
class Found:
    """One search result: where to find it and what it is called, never its value."""

    id: ObjectId
    kind: str
    tags: tuple[Any, ...]
    description: str | None
    shape: tuple[int, ...] | None


@dataclass(frozen=True, slots=True)
class Failure:
    """The worker could not do what the message asked.

    ``kind`` is the name of the error's type, looked up in a fixed table by the client, and ``op``
    what failed. ``details`` are the arguments an error type needs to be built again.
    """

    kind: str
    message: str
    op: str
    traceback: str
    details: tuple[Any, ...] = ()


class Location(Protocol):
    """Whatever a pointer may point into: a worker here, a worker far away, a plan being recorded."""

    id: ObjectId
    # What is known of gradients there, by object and path: a `Description`, or None for "has none". It is
    # cleared whenever gradients may have changed, and pointers ask again.
    gradients: dict[tuple[ObjectId, tuple[str, ...]], Any]

    def post(self, message: Any) -> None:
        """Send without waiting; order is kept."""

    def request(self, message: Any) -> Any:
        """Send, wait, return the reply."""

    def forget(self, id: ObjectId) -> None:
        """The object's last pointer died. Never blocks, never raises."""
