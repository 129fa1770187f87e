"""`SessionStore`: the objects of one client, over those that the worker's owner offers to all."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from syft.core.messages import Failure, ObjectId
from syft.exceptions import CommandNotPermittedError, SyftError
from syft.workers.access import Access, Identity, permits
from syft.workers.accounting import CountedObjects, OwnersKey
from syft.workers.lending import lent, lent_guarded, opened
from syft.workers.store import ObjectStore

_POISON_BYTES = 8 << 20
_POISON_BESIDE = 500  # bytes of a failure besides its texts


class Poisoned(SyftError):
    """An object that was asked for was never made, because the command that should have made it failed.

    Attributes:
        failure: how.
    """

    def __init__(self, failure: Failure) -> None:
        self.failure = failure
        super().__init__(failure.message)


class Poisons(dict[ObjectId, Failure]):
    """Failures by what they kept from being made; the oldest make room for new ones."""

    def __init__(self) -> None:
        super().__init__()
        self._nbytes = 0

    def __setitem__(self, id: ObjectId, failure: Failure) -> None:
        self.pop(id, None)
        size = _length(id, failure)
        while self and self._nbytes + size > _POISON_BYTES:
            self.pop(next(iter(self)))
        if size <= _POISON_BYTES:
            self._nbytes += size
            super().__setitem__(id, failure)

    def pop(self, id: ObjectId, *default: Any) -> Any:
        failure = self.get(id)
        if failure is not None:
            self._nbytes -= _length(id, failure)
        return super().pop(id, *default)


def _length(id: ObjectId, failure: Failure) -> int:
    own = len(id) if isinstance(id, str) else 0
    return _POISON_BESIDE + own + sum(map(len, (failure.kind, failure.message, failure.op, failure.traceback)))


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

    __slots__ = ("_borrowed", "access", "identity", "key", "poisoned", "shared")

    def __init__(self, worker: Any, shared: ObjectStore, access: Access, identity: Identity, limit: int) -> None:
        super().__init__(worker)
        self.objects = CountedObjects(limit)
        self.shared, self.access, self.identity = shared, access, identity
        self.key = None if permits(access.take, identity) else OwnersKey()
        self.poisoned: Poisons = Poisons()
        self._borrowed: dict[ObjectId, tuple[Any, Any]] = {}

    @property
    def nbytes(self) -> int:
        """Bytes that the client's own objects take."""
        return self.objects.nbytes if isinstance(self.objects, CountedObjects) else 0

    def get(self, id: ObjectId) -> Any:
        """The object of that id, the client's own or the owner's.

        Raises:
            ObjectNotFoundError: there is none.
            CommandNotPermittedError: the owner does not let this client use it.
            Poisoned: the command that should have made it failed.
        """
        if id in self.objects:
            return self.objects[id]
        obj = self._borrow(id)
        if obj is None:
            who, kind = self.identity.user or "strangers", type(self.shared.objects[id]).__name__
            raise CommandNotPermittedError(
                f"object {id} of worker {self.worker.id!r} may not be taken by {who}, and nothing guards what is "
                f"computed from a {kind}; ask its owner, or fetch it with .get() if the owner decides about requests"
            )
        return obj

    def open(self, id: ObjectId) -> tuple[Any, bool]:
        """The object of that id as it is given out, and whether its owner has to let it go.

        Raises:
            ObjectNotFoundError: there is none.
            CommandNotPermittedError: the owner does not let this client use it.
            Poisoned: the command that should have made it failed.
        """
        own = id in self.objects
        held = self.objects[id] if own else self._borrow(id)
        bare = opened(held, self.key)
        if bare is not None:
            return bare, True
        if own or not self._guards(id):
            return held, False
        return lent(self.shared.objects[id], self.worker), True

    def _borrow(self, id: ObjectId) -> Any:
        """This client's copy of an object of the owner's; None if it is one that nothing guards and that needs it."""
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
            if self.key is not None and self._guards(id):
                copied = lent_guarded(original, self.worker, self.key, id)
            else:
                copied = lent(original, self.worker)
            held = self._borrowed[id] = (original, copied)
        return held[1]

    def _guards(self, id: ObjectId) -> bool:
        return self.key is not None and self.worker.home.published.get(id) != self.worker.publisher

    def put(self, id: ObjectId, obj: Any) -> None:
        """Keep the object; one that was there before is dropped."""
        super().put(id, obj)
        if self.poisoned:
            self.poisoned.pop(id, None)

    def count_at_least(self, size: int) -> None:
        """Count each object of unknown inside that comes from now on with so many bytes."""
        if isinstance(self.objects, CountedObjects):
            self.objects.floor = size

    def recount(self, ids: Iterable[ObjectId]) -> None:
        """Count objects of the client's anew that may have grown where they are.

        Raises:
            LimitExceededError: one has become too large; it is forgotten.
        """
        objects = self.objects
        if isinstance(objects, CountedObjects):
            for id in ids:
                objects.recount(id)

    def discard(self, ids: Iterable[ObjectId]) -> None:
        """Forget these; what is the owner's stays, but for what this client has published itself."""
        for id in ids:
            if id not in self.objects and id in self.shared.objects:
                self._take_back(id)
            self.objects.pop(id, None)
            if self.poisoned:
                self.poisoned.pop(id, None)
            if self._borrowed:
                self._borrowed.pop(id, None)

    def _take_back(self, id: ObjectId) -> None:
        home = self.worker.home
        if self.identity.role == "owner" or home.published.get(id) == self.worker.publisher:
            home.unpublish(id)

    def poison(self, id: ObjectId, failure: Failure) -> None:
        """Remember why an object was not made."""
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
