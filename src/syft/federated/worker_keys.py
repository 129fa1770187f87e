"""Lookups by worker: the worker object, its id, and the id as text all name the same entry."""

from __future__ import annotations

from typing import Any

from syft.exceptions import WorkerNotFoundException


def id_of(worker: Any) -> Any:
    """The id of a worker, or the argument itself if it is an id already.

    Args:
        worker: a worker or an id.

    Example:
        >>> id_of("bob")
        'bob'
    """
    return getattr(worker, "id", worker)


class WorkerDict(dict[Any, Any]):
    """A dict keyed by workers, in which a worker's id finds its entry as well.

    It iterates over the workers, as a plain dict would. Several worker objects of one id are one key.

    Raises:
        WorkerNotFoundException: a lookup with ``[]`` for a worker that has no entry.

    Example:
        >>> class Place:
        ...     def __init__(self, id):
        ...         self.id = id
        >>> bob = Place("bob")
        >>> batches = WorkerDict({bob: 1})
        >>> batches[bob], batches["bob"], "bob" in batches, batches.get("alice")
        (1, 1, True, None)
    """

    def _key(self, worker: Any) -> Any:
        if dict.__contains__(self, worker):
            return worker
        wanted = str(id_of(worker))
        return next((key for key in self if str(id_of(key)) == wanted), worker)

    def __missing__(self, worker: Any) -> Any:
        key = self._key(worker)
        if dict.__contains__(self, key):
            return dict.__getitem__(self, key)
        present = ", ".join(str(id_of(key)) for key in self) or "none"
        raise WorkerNotFoundException(
            f"there is no entry for worker {id_of(worker)!r}; there are entries for: {present}. "
            "A worker whose data is used up has none: ask with .get(worker) or iterate over .items()."
        )

    def __contains__(self, worker: object) -> bool:
        return dict.__contains__(self, self._key(worker))

    def get(self, worker: Any, default: Any = None) -> Any:
        """The entry of a worker, or ``default``.

        Args:
            worker: a worker or its id.
            default: what to return for a worker without an entry.
        """
        return dict.get(self, self._key(worker), default)
