"""A worker's objects, by id, in the order they came."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from syft.core.messages import ObjectId
from syft.core.naming import names_of
from syft.exceptions import ObjectNotFoundError


class ObjectStore:
    """Objects by id.

    Args:
        worker: whose store it is; errors name it.

    Attributes:
        objects: the live dict, insertion order.
    """

    __slots__ = ("objects", "worker")

    def __init__(self, worker: Any) -> None:
        self.worker = worker
        self.objects: dict[ObjectId, Any] = {}

    def __len__(self) -> int:
        return len(self.objects)

    def get(self, id: ObjectId) -> Any:
        """The object of that id.

        Raises:
            ObjectNotFoundError: there is none.
        """
        try:
            return self.objects[id]
        except KeyError:
            raise ObjectNotFoundError(id, self.worker) from None

    def put(self, id: ObjectId, obj: Any) -> None:
        """Keep the object under that id; an object that was there before is dropped."""
        self.objects[id] = obj

    def discard(self, ids: Iterable[ObjectId]) -> None:
        """Forget these ids; those that are not there are fine."""
        for id in ids:
            self.objects.pop(id, None)

    def search(self, query: Iterable[Any]) -> list[tuple[ObjectId, Any]]:
        """The objects that match every term.

        Args:
            query: tags (all must match exactly) or ids. An empty query matches every tagged object.

        Returns:
            ``(id, object)`` pairs in the order they were stored.
        """
        terms = list(query)
        found = []
        for id, obj in list(self.objects.items()):
            tags, _ = names_of(obj)
            if all(term == id or term in tags for term in terms) and (terms or tags):
                found.append((id, obj))
        return found
