"""Which other workers a message speaks of: whoever receives it must be able to reach them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from syft.tensors.base import is_wrapper, link_of
from syft.tensors.multi_pointer import MultiPointerTensor
from syft.tensors.object_pointer import ObjectPointer
from syft.workers.base import BaseWorker


def places(value: Any) -> Iterator[Any]:
    """The workers that a value speaks of."""
    if isinstance(value, (list, tuple, set, frozenset)):
        for part in value:
            yield from places(part)
    elif isinstance(value, dict):
        for part in value.values():
            yield from places(part)
    elif isinstance(value, BaseWorker):
        yield value
    elif isinstance(value, ObjectPointer):
        if value.location is not None:
            yield value.location
    elif isinstance(value, MultiPointerTensor):
        yield from places(list(value.child.values()))
    elif is_wrapper(value):
        yield from places(link_of(value))
    else:
        mentioned = getattr(type(value), "mentioned_workers", None)
        if mentioned is not None:
            yield from mentioned(value)
