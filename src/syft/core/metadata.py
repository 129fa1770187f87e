"""Ids, owners, tags and descriptions of local tensors, kept beside the tensors.

Attributes set on a plain tensor would be pickled by ``torch.save`` and make ``torch.load`` refuse the
file, so they live in a weak side table: an entry dies with its tensor.
"""

from __future__ import annotations

import weakref
from typing import Any

from syft.core.ids import new_id


class Metadata:
    """What syft knows of one local tensor."""

    __slots__ = ("_ref", "description", "id", "owner", "owners", "pointer", "tags")

    def __init__(self, ref: weakref.ref[Any]) -> None:
        self._ref = ref
        self.id: Any = new_id()
        self.owner: Any = None
        self.tags: set[Any] | None = None
        self.description: str | None = None
        self.pointer: weakref.ref[Any] | None = None  # the last one that send() made
        self.owners: dict[Any, weakref.ref[Any]] = {}  # by worker id, the pointer that owns the copy there


_TABLE: dict[int, Metadata] = {}


def metadata_of(tensor: Any) -> Metadata:
    """The metadata of a local tensor, made on first use.

    Args:
        tensor: any object that can be weakly referenced.

    Returns:
        Its entry; changing the entry changes what the tensor is called.
    """
    key = id(tensor)
    entry = _TABLE.get(key)
    if entry is not None and entry._ref() is tensor:
        return entry
    table = _TABLE

    def forget(dead: weakref.ref[Any]) -> None:
        held = table.get(key)
        if held is not None and held._ref is dead:
            del table[key]

    entry = _TABLE[key] = Metadata(weakref.ref(tensor, forget))
    return entry


def existing_metadata(tensor: Any) -> Metadata | None:
    """The metadata of a local tensor if it has any.

    Args:
        tensor: any object.

    Returns:
        Its entry, or None if nobody ever asked for its id, tags, owner or description.
    """
    entry = _TABLE.get(id(tensor))
    return entry if entry is not None and entry._ref() is tensor else None
