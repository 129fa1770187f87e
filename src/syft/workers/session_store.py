"""`SessionStore`: the objects of one client, over those that the worker's owner offers to all."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable
from typing import Any

import torch

from syft.core.messages import Failure, ObjectId
from syft.core.metadata import existing_metadata, metadata_of
from syft.exceptions import CommandNotPermittedError, LimitExceededError, SyftError
from syft.tensors.base import is_wrapper, link_of, wrap
from syft.workers.access import Access, Identity, permits
from syft.workers.store import ObjectStore

_MAX_POISONED = 10_000
_lazy_clone: Callable[[torch.Tensor], torch.Tensor] = getattr(torch, "_lazy_clone", torch.clone)


class Poisoned(SyftError):
    """An object that was asked for was never made, because the command that should have made it failed.

    Attributes:
        failure: how.
    """

    def __init__(self, failure: Failure) -> None:
        self.failure = failure
        super().__init__(failure.message)


class _Counted(dict[ObjectId, Any]):
    """Objects by id that know how much memory they take, and refuse more than there may be."""

    def __init__(self, limit: int) -> None:
        super().__init__()
        self.limit, self.nbytes = limit, 0
        self._storages: dict[int, list[int]] = {}  # by memory: how many objects, and its size
        self._keys: dict[ObjectId, int] = {}

    def __setitem__(self, id: ObjectId, obj: Any) -> None:
        self._release(id)
        memory = _memory(obj)
        if memory is not None:
            key, size = memory
            held = self._storages.get(key)
            if held is None and self.nbytes + size > self.limit:
                super().pop(id, None)
                raise LimitExceededError(
                    f"this object of {size} bytes would bring what you hold on this worker to {self.nbytes + size} "
                    f"bytes, and at most {self.limit} are allowed; delete pointers that you no longer need, or fetch "
                    "objects"
                )
            if held is None:
                held = self._storages[key] = [0, size]
                self.nbytes += size
            held[0] += 1
            self._keys[id] = key
        super().__setitem__(id, obj)

    def __delitem__(self, id: ObjectId) -> None:
        super().__delitem__(id)
        self._release(id)

    def pop(self, id: ObjectId, *default: Any) -> Any:
        self._release(id)
        return super().pop(id, *default)

    def clear(self) -> None:
        super().clear()
        self._storages.clear()
        self._keys.clear()
        self.nbytes = 0

    def _release(self, id: ObjectId) -> None:
        # By the memory that was counted: an op may have given the tensor another since.
        key = self._keys.pop(id, None)
        if key is None:
            return
        held = self._storages[key]
        held[0] -= 1
        if not held[0]:
            del self._storages[key]
            self.nbytes -= held[1]


def _memory(obj: Any) -> tuple[int, int] | None:
    """What tells the memory of a tensor from another's, and its size in bytes."""
    if not isinstance(obj, torch.Tensor) or is_wrapper(obj) or obj.layout is not torch.strided:
        return None
    storage = obj.untyped_storage()
    return storage._cdata, storage.nbytes()


class SessionStore(ObjectStore):
    """What one client sees.

    Its own objects are its own. Those of the owner it may look at and compute with; it gets them copy-on-write, so
    that nothing it does to them reaches the owner or anybody else.

    Args:
        worker: whose store it is; errors name it.
        shared: the owner's objects.
        access: who may do what with these.
        identity: who the client is.
        limit: bytes that its own objects may take.
    """

    __slots__ = ("_borrowed", "access", "identity", "poisoned", "shared")

    def __init__(self, worker: Any, shared: ObjectStore, access: Access, identity: Identity, limit: int) -> None:
        super().__init__(worker)
        self.objects = _Counted(limit)
        self.shared, self.access, self.identity = shared, access, identity
        self.poisoned: dict[ObjectId, Failure] = {}
        self._borrowed: dict[ObjectId, tuple[Any, Any]] = {}

    @property
    def nbytes(self) -> int:
        """Bytes that the client's own tensors take."""
        return self.objects.nbytes if isinstance(self.objects, _Counted) else 0

    def get(self, id: ObjectId) -> Any:
        """The object of that id, the client's own or the owner's.

        Raises:
            ObjectNotFoundError: there is none.
            CommandNotPermittedError: the owner does not let this client use it.
            Poisoned: the command that should have made it failed.
        """
        if id in self.objects:
            return self.objects[id]
        if id in self.poisoned:
            raise Poisoned(self.poisoned[id])
        if id not in self.shared.objects or not self._sees():
            return super().get(id)
        if not permits(self.access.run, self.identity):
            raise CommandNotPermittedError(
                f"the owner of worker {self.worker.id!r} does not let {self.identity.user or 'strangers'} compute with "
                f"object {id}; ask the owner for the right to run"
            )
        original = self.shared.objects[id]
        held = self._borrowed.get(id)
        if held is None or held[0] is not original:
            held = self._borrowed[id] = (original, _borrowed(original))
        return held[1]

    def is_shared(self, id: ObjectId) -> bool:
        """Whether this is the owner's object."""
        return id not in self.objects and id in self.shared.objects and self._sees()

    def put(self, id: ObjectId, obj: Any) -> None:
        """Keep the object; one that was there before is dropped."""
        super().put(id, obj)
        self.poisoned.pop(id, None)

    def discard(self, ids: Iterable[ObjectId]) -> None:
        """Forget these; what is the owner's stays, but for what this client has published itself."""
        for id in ids:
            if id not in self.objects and id in self.shared.objects:
                self._take_back(id)
            self.objects.pop(id, None)
            self.poisoned.pop(id, None)
            self._borrowed.pop(id, None)

    def _take_back(self, id: ObjectId) -> None:
        home = self.worker.home
        if self.identity.role == "owner" or home.published.get(id) == self.worker.publisher:
            home.unpublish(id)

    def poison(self, id: ObjectId, failure: Failure) -> None:
        """Remember why an object was not made."""
        if len(self.poisoned) >= _MAX_POISONED:
            del self.poisoned[next(iter(self.poisoned))]
        self.poisoned[id] = failure

    def search(self, query: Iterable[Any]) -> list[tuple[ObjectId, Any]]:
        """The client's and the owner's objects that match every term."""
        terms = list(query)
        found = super().search(terms)
        if not self._sees():
            return found
        own = {id for id, _ in found}
        return found + [(id, obj) for id, obj in self.shared.search(terms) if id not in own]

    def _sees(self) -> bool:
        return permits(self.access.search, self.identity)


def _borrowed(original: Any) -> Any:
    """An object with the same values that can be changed without changing the original."""
    if is_wrapper(original):
        link = copy.copy(link_of(original))
        child = getattr(link, "child", None)
        if isinstance(child, torch.Tensor) and not is_wrapper(child):
            link.child = _like(child)
        return wrap(link)
    return _like(original) if isinstance(original, torch.Tensor) else original


def _is_torchs_own(tensor: torch.Tensor) -> bool:
    # Copy-on-write crashes the process over memory that torch did not allocate itself: read from a file, numpy's.
    if tensor.layout is not torch.strided or tensor.device.type != "cpu":
        return False
    storage = tensor.untyped_storage()
    return storage.resizable() and not storage.is_shared()


def _like(tensor: torch.Tensor) -> torch.Tensor:
    bare = tensor.detach()
    values = _lazy_clone(bare) if _is_torchs_own(bare) else bare.clone()
    out: torch.Tensor
    if isinstance(tensor, torch.nn.Parameter):
        out = torch.nn.Parameter(values, tensor.requires_grad)
    else:
        out = values.requires_grad_(tensor.requires_grad)
    entry = existing_metadata(tensor)
    if entry is not None:
        named = metadata_of(out)
        named.id, named.description = entry.id, entry.description
        named.tags = None if entry.tags is None else set(entry.tags)
    return out
