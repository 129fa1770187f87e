"""The wire forms of wrappers and pointers.

A pointer that arrives never owns what it points to: owning is said by the message that hands it over. A
pointer that arrives where it points becomes the object itself.
"""

from __future__ import annotations

from typing import Any

import torch

from syft.exceptions import DecodeError, WorkerNotFoundException
from syft.serde.checks import object_id, one_of, optional, text
from syft.serde.registry import register
from syft.tensors.base import SyftTensor, WrappedParameter, Wrapper, link_of, unwrap, wrap
from syft.tensors.multi_pointer import MultiPointerTensor
from syft.tensors.object_pointer import ObjectPointer
from syft.tensors.permission import may_see
from syft.tensors.pointer import PointerTensor


class UnknownLocation:
    """Where a pointer of a decoded message points when nobody says which workers there are.

    Args:
        id: the worker's id.
    """

    client = None

    def __init__(self, id: Any) -> None:
        self.id = id

    def request(self, message: Any) -> Any:
        """Refuse: nobody is there to ask.

        Raises:
            WorkerNotFoundException: always.
        """
        # Not an AttributeError, of which a link would make another question.
        raise WorkerNotFoundException(
            f"worker {self.id!r} is not known here; decode the pointer for a worker that knows it"
        )

    post = request

    def forget(self, id: Any) -> None:
        """Nothing can be forgotten there."""


def _pointer_fields(pointer: ObjectPointer) -> Any:
    location = getattr(pointer.location, "id", None)
    tags = None if pointer.tags is None else frozenset(pointer.tags)
    return location, pointer.id_at_location, pointer.id, pointer.path, tags, pointer.description


def place_of(location: Any, context: Any) -> Any:
    """The worker of that id, as whoever decodes a message knows it."""
    if context is None:
        return UnknownLocation(location)
    return context.get_worker(location, fail_hard=True)


def _pointer_from(cls: type[ObjectPointer]) -> Any:
    def from_wire(data: Any, context: Any) -> Any:
        location, id_at_location, id, path, tags, description = data
        # A worker is named: an object with an ``id`` would be remembered as a worker.
        location, id_at_location, id = object_id(location), object_id(id_at_location), optional(object_id)(id)
        tags, description = optional(one_of(frozenset))(tags), optional(text)(description)
        if not (isinstance(path, tuple) and all(isinstance(p, str) for p in path)):
            raise DecodeError("the attribute path of a pointer is a tuple of words")
        if context is not None and context.id == location and not path:
            obj = context.get_obj(id_at_location)
            # A private object never becomes a part of another one, where nobody would ask its guard.
            if may_see(obj, None):
                return obj
        return cls(
            place_of(location, context),
            id_at_location,
            context,
            id,
            garbage_collect_data=False,
            point_to_attr=path or None,
            tags=tags,
            description=description,
        )

    return from_wire


def register_pointer(cls: type[ObjectPointer], tag: str) -> None:
    """Give a kind of pointer a wire form.

    Args:
        cls: the pointer class; its constructor takes `ObjectPointer`'s arguments.
        tag: its name on the wire.
    """
    register(cls, tag, _pointer_fields, _pointer_from(cls))


def _wrapper_from(data: Any, context: Any) -> Any:
    link = unwrap(data)
    if isinstance(link, SyftTensor):
        return wrap(link)
    if isinstance(link, torch.Tensor):  # a pointer that came home
        return link
    raise DecodeError(f"a wrapper stands over a syft tensor, not over {type(link).__name__}")


def _multi_from(data: Any, context: Any) -> MultiPointerTensor:
    id, children = data
    multi = MultiPointerTensor(context, id)
    # Not by the constructor, which asks the workers for shapes: a message must not make its receiver ask around.
    for pointer in map(unwrap, children):
        if not isinstance(pointer, PointerTensor) or pointer.location.id in multi.child:
            raise DecodeError("a multi-pointer holds one pointer a worker")
        multi.child[pointer.location.id] = pointer
    return multi


register(Wrapper, "syft.wrapper", link_of, _wrapper_from)
register(WrappedParameter, "syft.parameter", link_of, _wrapper_from)
register_pointer(PointerTensor, "syft.pointer")
register_pointer(ObjectPointer, "syft.object_pointer")
register(MultiPointerTensor, "syft.multi_pointer", lambda m: (m._id, list(m.child.values())), _multi_from)
