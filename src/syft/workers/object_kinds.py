"""What a search result that is no tensor is pointed to with."""

from __future__ import annotations

from typing import Any

from syft.core.messages import Found
from syft.tensors.object_pointer import ObjectPointer
from syft.tensors.object_wrapper import CallablePointer, ObjectWrapper
from syft.tensors.strings import String, StringPointer
from syft.workers.base import POINTERS


def _maker(cls: type[ObjectPointer]) -> Any:
    def make(hit: Found, location: Any, owner: Any) -> ObjectPointer:
        return cls(location, hit.id, owner, None, False, hit.tags or None, hit.description)

    return make


POINTERS[String.remote_kind] = _maker(StringPointer)
POINTERS[ObjectWrapper.remote_kind] = _maker(CallablePointer)
POINTERS["object"] = _maker(ObjectPointer)
