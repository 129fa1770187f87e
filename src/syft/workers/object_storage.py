"""`ObjectStorage`: the calls with which users look into and change what a worker holds."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any, Self

from syft.core.messages import ObjectId
from syft.core.naming import set_identity
from syft.workers.store import ObjectStore


class ObjectStorage:
    """The part of a worker that holds objects."""

    is_client_worker: bool
    _store: ObjectStore

    @property
    def _objects(self) -> dict[ObjectId, Any]:
        return self._store.objects

    @_objects.setter
    def _objects(self, objects: dict[ObjectId, Any]) -> None:
        self._store.objects = objects

    def current_objects(self) -> dict[ObjectId, Any]:
        """A shallow copy of what this worker holds, by id."""
        return dict(self._store.objects)

    def set_obj(self, obj: Any) -> None:
        """Hold an object under its own ``id``."""
        self._store.put(obj.id, obj)

    def register_obj(self, obj: Any, obj_id: ObjectId | None = None) -> None:
        """Hold an object under ``obj_id`` (its own id when None) as this worker's own."""
        id = obj.id if obj_id is None else obj_id
        set_identity(obj, id, self)
        self._store.put(id, obj)

    def get_obj(self, id: ObjectId) -> Any:
        """The object of that id.

        Raises:
            ObjectNotFoundError: there is none.
        """
        obj = self._store.get(id)
        set_identity(obj, id, self)
        return obj

    def rm_obj(self, id: ObjectId) -> None:
        """Forget an object; one that is not there is fine."""
        self._store.discard((id,))

    force_rm_obj = rm_obj

    def de_register_obj(self, obj: Any) -> None:
        """Forget an object by itself; one that is not there is fine."""
        self._store.discard((obj.id,))

    def clear_objects(self, return_self: bool = True) -> Self | None:
        """Forget everything; returns the worker unless told not to."""
        self._store.objects.clear()
        return self if return_self else None

    def find_by_id(self, id: ObjectId) -> Any:
        """The object of that id, or None."""
        return self._store.objects.get(id)

    def find_by_tag(self, tag: Any) -> list[Any]:
        """The objects with that tag, in the order they were stored."""
        return self.search([tag])

    def load_data(self, data: Iterable[Any]) -> None:
        """Hold these tensors as this worker's own."""
        for tensor in data:
            self.register_obj(tensor)

    @contextmanager
    def registration_enabled(self) -> Iterator[None]:
        """Clear ``is_client_worker`` for the time of a ``with`` block."""
        before = self.is_client_worker
        self.is_client_worker = False
        try:
            yield
        finally:
            self.is_client_worker = before

    def search(self, query: Any) -> list[Any]:
        """The objects themselves that match every term.

        Args:
            query: a tag, an id, or a list of them; an empty list finds every tagged object.

        Returns:
            Objects in the order they were stored.
        """
        found = self._store.search(terms_of(query))
        for id, obj in found:
            set_identity(obj, id, self)
        return [obj for _, obj in found]


def terms_of(query: Any) -> list[Any]:
    """A search query as a list of terms."""
    return list(query) if isinstance(query, (list, tuple, set)) else [query]
