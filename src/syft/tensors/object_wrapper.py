"""`ObjectWrapper`: something callable that can be sent, and `CallablePointer`, which calls it where it is."""

from __future__ import annotations

from typing import Any

import torch

from syft.core.ids import new_id
from syft.core.messages import Named, Stored
from syft.exceptions import TensorsNotCollocatedException, UnserializableError
from syft.serde.checks import object_id, one_of, optional, text
from syft.serde.registry import serializable
from syft.tensors.base import unwrap
from syft.tensors.object_pointer import ObjectPointer
from syft.tensors.outputs import Outputs
from syft.tensors.pointer import pointer_to
from syft.tensors.torchscript import is_script
from syft.tensors.wire import register_pointer


@serializable("syft.object_wrapper")
class ObjectWrapper:
    """A box with an id around a callable.

    Only TorchScript travels; a box around anything else stays where it was made, and can be called there.

    Args:
        obj: what is in the box.
        id: its id; drawn when None.
        tags: words to find it by.
        description: a text about it.

    Example:
        >>> double = ObjectWrapper(lambda x: 2 * x, id=55)
        >>> double(4)
        8
    """

    remote_kind = "callable"
    remote_methods = frozenset({"__call__"})

    def __init__(self, obj: Any, id: Any = None, tags: Any = None, description: str | None = None) -> None:
        self._obj = obj
        self.id = new_id() if id is None else id
        self.tags = set(tags) if tags is not None else None
        self.description = description

    @property
    def obj(self) -> Any:
        """What is in the box."""
        return self._obj

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self._obj(*args, **kwargs)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} id:{self.id} obj:{self._obj}>"

    def create_pointer(
        self,
        location: Any,
        owner: Any,
        ptr_id: Any = None,
        id_at_location: Any = None,
        garbage_collect_data: bool = False,
        **kwargs: Any,
    ) -> CallablePointer:
        """A pointer to this box, without sending anything; see `create_callable_pointer`.

        Args:
            location: where it points.
            owner: whom the pointer belongs to.
            ptr_id: the pointer's own id.
            id_at_location: the id there; its own when None.
            garbage_collect_data: delete the remote box when the pointer dies.
            **kwargs: accepted for 0.2.4 code, no effect.
        """
        id_at_location = self.id if id_at_location is None else id_at_location
        return create_callable_pointer(
            location, ptr_id, id_at_location, owner, self.tags, self.description, garbage_collect_data
        )

    def to_wire(self) -> Any:
        """What travels: the TorchScript, id, tags and description.

        Raises:
            UnserializableError: what is in the box is no TorchScript.
        """
        if not is_script(self._obj):
            raise UnserializableError(
                f"can not serialize {type(self._obj).__name__!r} object: of what can be called only TorchScript "
                "is sent; make it with torch.jit.script(...) first"
            )
        tags = None if self.tags is None else frozenset(self.tags)
        return self._obj, self.id, tags, self.description

    @classmethod
    def from_wire(cls, data: Any, context: Any) -> ObjectWrapper:
        """The box again."""
        obj, id, tags, description = data
        if not is_script(obj):
            raise ValueError(f"TorchScript was expected in the box, not {type(obj).__name__}")
        return cls(obj, object_id(id), optional(one_of(frozenset))(tags), optional(text)(description))


class CallablePointer(ObjectPointer):
    """Stands for an `ObjectWrapper` on a worker; calling it calls that there.

    Pointers to tensors of the same worker are used as they are; local tensors are sent along.
    """

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Call the remote object.

        Args:
            *args: plain values, local tensors, pointers to the same worker.
            **kwargs: likewise.

        Returns:
            Bare pointers for tensors, `Outputs` of them for several, plain values as they are.

        Raises:
            TensorsNotCollocatedException: a pointer points to another worker.
        """
        self.check_alive()
        self._check_places((args, kwargs))
        return self.call("__call__", *args, **kwargs)

    def _check_places(self, value: Any) -> None:
        link = unwrap(value)
        place = getattr(link, "location", None) if isinstance(value, (torch.Tensor, ObjectPointer)) else None
        if place is not None and place != self.location:
            raise TensorsNotCollocatedException(self, link, attr="a remote callable")
        inner = value.values() if isinstance(value, dict) else value if isinstance(value, (list, tuple)) else ()
        for element in inner:
            self._check_places(element)

    def answer(self, reply: Any) -> Any:
        """Turn a reply into pointers to what stayed there."""
        if isinstance(reply, Stored):
            return pointer_to(self.location, reply.id, self.owner)
        if isinstance(reply, Named):
            return Outputs([self.answer(r) for r in reply.results], reply.names)
        if type(reply) in (list, tuple):
            return type(reply)([self.answer(r) for r in reply])
        if type(reply) is dict:
            return {k: self.answer(v) for k, v in reply.items()}
        return reply


def create_callable_pointer(
    location: Any,
    id: Any,
    id_at_location: Any,
    owner: Any,
    tags: Any,
    description: str | None,
    garbage_collect_data: bool = True,
    register_pointer: bool = True,
) -> CallablePointer:
    """A pointer to a callable object, without sending anything.

    Args:
        location: the worker that holds the object.
        id: the pointer's own id; drawn on first use when None.
        id_at_location: the object's id there.
        owner: the worker this pointer belongs to.
        tags: words the object was tagged with.
        description: its description.
        garbage_collect_data: delete the remote object when the pointer dies.
        register_pointer: accepted for 0.2.4 code, no effect.

    Returns:
        The pointer.
    """
    return CallablePointer(location, id_at_location, owner, id, garbage_collect_data, tags, description)


register_pointer(CallablePointer, "syft.callable_pointer")
