"""`WorkerRegistry`: which other workers a worker knows."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from typing import Any, Self

from syft.core.messages import ObjectId
from syft.exceptions import WorkerNotFoundException

logger = logging.getLogger("syft.workers")


class WorkerRegistry:
    """The part of a worker that finds other workers by id."""

    id: ObjectId
    client: Any
    _known_workers: dict[ObjectId, Any]
    _store: Any

    def get_worker(self, id_or_worker: Any, fail_hard: bool = False) -> Any:
        """The worker that an id names.

        Args:
            id_or_worker: an id, bytes of an id, or a worker (which is remembered).
            fail_hard: raise for an unknown id instead of returning it unchanged.

        Raises:
            WorkerNotFoundException: unknown id with ``fail_hard``.
        """
        if isinstance(id_or_worker, bytes):
            id_or_worker = id_or_worker.decode()
        if isinstance(id_or_worker, (str, int)):
            if (known := self._known_workers.get(id_or_worker)) is not None:
                return known
            if fail_hard:
                names = ", ".join(map(repr, self._known_workers))
                raise WorkerNotFoundException(
                    f"worker {self.id!r} knows no worker {id_or_worker!r}; it knows {names}. "
                    "Create it first, or pass the worker itself instead of its id."
                )
            logger.warning("worker %r knows no worker %r", self.id, id_or_worker)
            return id_or_worker
        if id_or_worker.id not in self._known_workers:
            self.add_worker(id_or_worker)
        return id_or_worker

    def add_worker(self, worker: WorkerRegistry) -> Self:
        """Remember a worker; returns this one."""
        known = self._known_workers.get(worker.id)
        if known is not None and known is not worker and known._store is not worker._store:
            logger.warning("worker %r replaces the worker it knew as %r", self.id, worker.id)
        self._known_workers[worker.id] = worker
        return self

    def add_workers(self, workers: Iterable[WorkerRegistry]) -> Self:
        """Remember several workers; returns this one."""
        for worker in workers:
            self.add_worker(worker)
        return self

    def remove_worker_from_registry(self, worker_id: ObjectId) -> None:
        """Forget a worker.

        Raises:
            WorkerNotFoundException: no worker of that id is known.
        """
        if self._known_workers.pop(worker_id, None) is None:
            raise WorkerNotFoundException(f"worker {self.id!r} knows no worker {worker_id!r}")

    def remove_worker_from_local_worker_registry(self) -> None:
        """Make the local worker forget this one; a new worker of this id then starts empty."""
        self.client.remove_worker_from_registry(self.id)

    def _introduce(self, newcomer: WorkerRegistry) -> None:
        for worker in list(self._known_workers.values()):
            if worker.id != newcomer.id:
                worker._known_workers[newcomer.id] = newcomer
                newcomer._known_workers[worker.id] = worker
        self._known_workers[newcomer.id] = newcomer
        newcomer._known_workers[self.id] = self

    def _peer(self, id: ObjectId) -> Any:
        known = self._known_workers.get(id)
        if known is None and self.client is not None:
            known = self.client._known_workers.get(id)
        if known is None:
            return self.get_worker(id, fail_hard=True)
        return known
