"""Batches of pointers out of a data set that is spread over workers."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from typing import Any, Literal

import torch
from torch.utils.data import BatchSampler, RandomSampler, Sampler, SequentialSampler

from syft.exceptions import FederatedError
from syft.federated.collate import default_collate
from syft.federated.federate import FederatedDataset
from syft.federated.schedule import Step, Visit, rotating, round_robin, sequential, together
from syft.federated.worker_keys import WorkerDict

Collate = Callable[[list[Any]], Any]

_log = logging.getLogger(__name__)


class FederatedDataLoader:
    """Draws batches whose tensors stay on their workers; every batch is on one worker.

    ===================== ================================= ============================================
    mode                  one step gives                    order
    ===================== ================================= ============================================
    default               ``(data, target)``                all batches of a worker, then the next one's
    ``order=``            ``(data, target)``                one batch of every worker in turn
    ``"round_robin"``
    ``iter_per_worker``   ``{worker: (data, target)}``      one batch of every worker at once
    ``num_iterators=k``   ``{worker: (data, target)}``,     iterator *i* starts at worker *i*; each
                          up to k entries                   iterator passes over all workers, so an
                                                            epoch shows every sample k times
    ===================== ================================= ============================================

    The dicts are keyed by worker objects and also answer to ids: ``batch[alice]``, ``batch["alice"]``. With
    a single worker (two, for ``num_iterators``) the multi modes give plain pairs, as in 0.2.4.

    With ``iter_per_worker``, ``num_iterators`` and ``round_robin`` workers may run out at different times. With
    ``mode="longest"`` the others go on until all samples were seen; ``mode="shortest"`` stops at the first
    that is used up, which is what 0.2.4 did.

    Every ``iter(loader)`` is an epoch of its own, so loops may be nested. ``next(loader)`` goes on with the
    epoch that ``iter(loader)`` started last.

    Args:
        federated_dataset: a `FederatedDataset`.
        batch_size: samples a batch, at most.
        shuffle: draw the samples of each worker in a new random order every epoch.
        num_iterators: how many workers to read at a time; at most one less than there are workers.
        drop_last: leave out the last batch of a worker if it is not full.
        collate_fn: makes a batch of a list of samples, each a pair of pointers. The default one costs one
            operation a field and batch, any other one operation a field and sample.
        iter_per_worker: read all workers at a time.
        mode: ``"longest"`` or ``"shortest"``.
        order: ``"sequential"`` or ``"round_robin"``.
        shuffle_workers: visit the workers in a new random order every epoch.
        generator: where the randomness of all shuffling comes from; torch's default generator if None.
        **options: other options of torch's DataLoader; named in a warning and without effect.

    Raises:
        FederatedError: not a federated data set, or an option out of range.
    """

    def __init__(
        self,
        federated_dataset: FederatedDataset,
        batch_size: int = 8,
        shuffle: bool = False,
        num_iterators: int = 1,
        drop_last: bool = False,
        collate_fn: Collate | None = default_collate,
        iter_per_worker: bool = False,
        *,
        mode: Literal["longest", "shortest"] = "longest",
        order: Literal["sequential", "round_robin"] = "sequential",
        shuffle_workers: bool = False,
        generator: torch.Generator | None = None,
        **options: Any,
    ) -> None:
        if not hasattr(federated_dataset, "workers"):
            raise FederatedError(
                "Your dataset is not a FederatedDataset, please use torch.utils.data.DataLoader instead."
            )
        _check_count("batch_size", batch_size)
        _check_count("num_iterators", num_iterators)
        _check_choice("mode", mode, ("longest", "shortest"))
        _check_choice("order", order, ("sequential", "round_robin"))
        if order == "round_robin" and (iter_per_worker or num_iterators > 1):
            raise FederatedError(
                "order='round_robin' gives the batch of one worker at a time, which excludes iter_per_worker=True and "
                "num_iterators > 1. Leave one of them out."
            )
        if options:
            named = ", ".join(f"{name}: {value}" for name, value in options.items())
            _log.warning("The following options are not supported: %s", named)
        self.federated_dataset = federated_dataset
        self.batch_size, self.shuffle, self.drop_last = batch_size, shuffle, drop_last
        self.collate_fn = collate_fn or default_collate
        self.iter_per_worker, self._wanted_iterators = iter_per_worker, num_iterators
        self.mode, self.order, self.shuffle_workers, self.generator = mode, order, shuffle_workers, generator
        self._running: Iterator[Any] | None = None

    @property
    def workers(self) -> list[Any]:
        """The ids of the workers that hold data."""
        return list(self.federated_dataset.workers)

    @property
    def num_iterators(self) -> int:
        """How many workers are read at a time."""
        workers = len(self.workers)
        if self.iter_per_worker:
            return workers
        return max(1, min(self._wanted_iterators, workers - 1))

    @property
    def batch_samplers(self) -> dict[Any, BatchSampler]:
        """What draws the indices of each worker's batches, by worker id."""
        return {worker: self._batch_sampler(len(self.federated_dataset[worker])) for worker in self.workers}

    def _batch_sampler(self, count: int) -> BatchSampler:
        sampler: Sampler[int]
        if self.shuffle and count:  # a RandomSampler of nothing is an error
            sampler = RandomSampler(range(count), generator=self.generator)
        else:
            sampler = SequentialSampler(range(count))
        return BatchSampler(sampler, self.batch_size, self.drop_last)

    def __len__(self) -> int:
        """The exact number of steps in an epoch.

        With ``num_iterators`` *and* ``shuffle_workers`` it depends on the order drawn; then this is the
        number for the order of ``workers``.
        """
        counts = [len(sampler) for sampler in self.batch_samplers.values()]
        if self._gives_pairs and (self.order == "sequential" or self.mode == "longest"):
            return sum(counts)
        return sum(1 for _ in self._steps(counts))

    @property
    def _gives_pairs(self) -> bool:
        return self.num_iterators == 1 or len(self.workers) == 1

    def _steps(self, counts: list[int]) -> Iterator[Step]:
        shortest = self.mode == "shortest"
        if self._gives_pairs:
            return round_robin(counts, shortest=shortest) if self.order == "round_robin" else sequential(counts)
        if self.iter_per_worker:
            return together(counts, shortest=shortest)
        return rotating(counts, self.num_iterators, shortest=shortest)

    def __iter__(self) -> Iterator[Any]:
        self._running = self._epoch()
        return self._running

    def __next__(self) -> Any:
        if self._running is None:
            iter(self)
        return next(self._running)  # type: ignore[arg-type]

    def _epoch(self) -> Iterator[Any]:
        ids = self.workers
        if self.shuffle_workers:
            ids = [ids[k] for k in torch.randperm(len(ids), generator=self.generator).tolist()]
        datasets = [self.federated_dataset[worker] for worker in ids]
        samplers = [self._batch_sampler(len(dataset)) for dataset in datasets]
        passes: dict[tuple[int, int], Iterator[list[int]]] = {}
        pairs = self._gives_pairs
        for step in self._steps([len(sampler) for sampler in samplers]):
            for visit in step:
                if visit.batch == 0:
                    passes[visit.worker, visit.turn] = iter(samplers[visit.worker])
            # The batch is bound to no name here: while the user waits for the next one, only the user's
            # own names keep it on the worker.
            if pairs:
                yield self._fetch(datasets, passes, step[0])
            else:
                yield WorkerDict((datasets[v.worker].location, self._fetch(datasets, passes, v)) for v in step)

    def _fetch(self, datasets: list[Any], passes: dict[tuple[int, int], Iterator[list[int]]], visit: Visit) -> Any:
        dataset = datasets[visit.worker]
        indices = next(passes[visit.worker, visit.turn])
        if self.collate_fn is not default_collate:
            batch = self.collate_fn([dataset[i] for i in indices])
        elif hasattr(dataset, "batch"):
            batch = dataset.batch(indices)
        else:
            batch = tuple(default_collate([dataset[i] for i in indices]))
        augment = getattr(self.federated_dataset, "augment", None)
        if augment is None:
            return batch
        data, target = batch
        return augment(data), target


def _check_count(name: str, value: Any) -> None:
    if not isinstance(value, int) or isinstance(value, bool) or value <= 0:
        raise FederatedError(f"{name} should be a positive integer value, but got {name}={value}")


def _check_choice(name: str, value: Any, choices: tuple[str, ...]) -> None:
    if value not in choices:
        raise FederatedError(f"{name} should be one of {', '.join(map(repr, choices))}, but got {name}={value!r}")
