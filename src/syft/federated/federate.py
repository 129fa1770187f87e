"""One data set spread over workers, and how an ordinary data set becomes one.

Samples are read once, when the data is spread: transforms and random augmentation of the ordinary data
set are frozen from then on. What should differ from epoch to epoch goes into ``augment``, which runs on
the worker each time a batch is drawn.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from typing import Any

import torch
from torch.utils.data import Dataset, TensorDataset

from syft.exceptions import FederatedError, WorkerNotFoundException
from syft.federated.collate import default_collate, select_rows
from syft.federated.dataset import BaseDataset, PointerDataset
from syft.federated.worker_keys import id_of

Augment = Callable[[Any], Any]

_log = logging.getLogger(__name__)
_BLOCK = 1024


class FederatedDataset(Dataset[Any]):
    """Data sets on workers, one a worker. Iterating gives these data sets, not samples.

    Several data sets on one worker become one, in their order: the worker makes a new tensor of both.

    Args:
        datasets: `BaseDataset` objects whose fields are pointers, or `PointerDataset` objects.
        augment: called with the data pointer of every batch that a loader draws, returns the pointer to
            use instead; made of torch functions, which run on the worker.

    Raises:
        FederatedError: a data set is not on a worker.
    """

    def __init__(self, datasets: Iterable[BaseDataset | PointerDataset], augment: Augment | None = None) -> None:
        self.augment = augment
        grouped: dict[Any, list[Any]] = {}
        for dataset in datasets:
            if dataset.location is None:
                raise FederatedError(
                    f"{type(dataset).__name__} number {sum(map(len, grouped.values()))} is not on a worker. Send its "
                    "tensors first, as in BaseDataset(data.send(bob), targets.send(bob)), or use .federate(workers)."
                )
            grouped.setdefault(dataset.location.id, []).append(dataset)
        self.datasets: dict[Any, Any] = {worker: _joined(parts) for worker, parts in grouped.items()}

    @property
    def workers(self) -> list[Any]:
        """The ids of the workers, in the order their data sets were given."""
        return list(self.datasets)

    def __len__(self) -> int:
        return sum(len(dataset) for dataset in self.datasets.values())

    def __getitem__(self, worker: Any) -> Any:
        return self.datasets[self._key(worker)]

    def __iter__(self) -> Iterator[Any]:
        return iter(list(self.datasets.values()))

    def _key(self, worker: Any) -> Any:
        wanted = id_of(worker)
        if wanted in self.datasets:
            return wanted
        for key in self.datasets:
            if str(key) == str(wanted):
                return key
        names = ", ".join(map(str, self.datasets)) or "none"
        raise WorkerNotFoundException(f"no part of this data set is on worker {wanted!r}; it is on: {names}.")

    def get_dataset(self, worker: Any) -> BaseDataset:
        """Fetch the part of one worker and take it out of this set.

        Args:
            worker: the worker or its id.

        Returns:
            The data set with local fields.

        Raises:
            WorkerNotFoundException: no part is on that worker.
        """
        key = self._key(worker)
        fetched: BaseDataset = self.datasets[key].get()
        del self.datasets[key]  # only now: a fetch that the worker refuses must not lose the part
        return fetched

    def __repr__(self) -> str:
        # "accross" is how 0.2.4 prints it, and programs compare it.
        return (
            f"FederatedDataset\n    Distributed accross: {', '.join(map(str, self.workers))}\n"
            f"    Number of datapoints: {len(self)}\n"
        )


def federate(dataset: Dataset[Any], workers: Any, *, augment: Augment | None = None) -> FederatedDataset:
    """Spread a data set over workers in consecutive parts (also a method of every torch data set).

    The first worker gets the first ``ceil(len / workers)`` samples, the next worker as many, and the last
    one the rest. Where that would leave a worker without any sample although there are enough (4 samples
    on 3 workers), the parts differ by at most one sample instead.

    Args:
        dataset: its samples are pairs ``(data, target)`` that stack to tensors. It is read once, here.
        workers: workers or their ids, or a single one. One that occurs twice gets two parts.
        augment: see `FederatedDataset`: what should be random anew in every epoch.

    Returns:
        The spread data set. Its parts are deleted from the workers when it is dropped.

    Raises:
        FederatedError: no workers, no samples, no length, or samples that are not such pairs.
    """
    # A worker can be indexed, so trying to iterate over one would not tell it from a list.
    places = [workers] if isinstance(workers, (str, int)) or hasattr(workers, "id") else list(workers)
    total = _length(dataset)
    if not places or not total:
        raise FederatedError(
            f"there is nothing to spread: {total} samples over {len(places)} workers. Give at least one of each."
        )
    sizes = _part_sizes(total, len(places))
    if len(sizes) < len(places):
        idle = ", ".join(str(id_of(worker)) for worker in places[len(sizes) :])
        _log.warning("%d samples are too few for %d workers: %s get none", total, len(places), idle)
    bounds = [sum(sizes[:k]) for k in range(len(sizes) + 1)]
    shares = [(worker, range(*bounds[k : k + 2])) for k, worker in enumerate(places[: len(sizes)])]
    return distribute(dataset, shares, augment=augment)


def distribute(
    dataset: Dataset[Any], shares: Iterable[tuple[Any, Any]], *, augment: Augment | None = None
) -> FederatedDataset:
    """Spread chosen samples over workers, for instance the parts that a partitioner cut.

    Args:
        dataset: its samples are pairs ``(data, target)`` that stack to tensors. It is read once, here.
        shares: pairs of a worker (or its id) and the indices of its samples: a sequence of ints or a 1-D
            integer tensor. Shares of one worker are joined; shares without samples are left out.
        augment: see `FederatedDataset`.

    Returns:
        The spread data set. Its parts are deleted from the workers when it is dropped.

    Raises:
        FederatedError: samples that are not such pairs.
    """
    joined: dict[Any, tuple[Any, list[int]]] = {}
    for worker, indices in shares:
        mine = joined.setdefault(str(id_of(worker)), (worker, []))[1]
        mine.extend(indices.tolist() if isinstance(indices, torch.Tensor) else indices)
    filled = [(worker, indices) for worker, indices in joined.values() if indices]
    _log.info("Scanning and sending data to %s...", ", ".join(str(id_of(worker)) for worker, _ in filled))
    parts = []
    for (worker, _), (data, targets) in zip(filled, _read(dataset, [mine for _, mine in filled]), strict=True):
        pointers = [field.send(worker) for field in (data, targets)]  # type: ignore[attr-defined]
        parts.append(BaseDataset(*pointers))
    _log.debug("Done!")
    return FederatedDataset(parts, augment=augment)


def _length(dataset: Any) -> int:
    try:
        return len(dataset)
    except TypeError as error:
        raise FederatedError(
            f"a {type(dataset).__name__} without a length cannot be cut into parts. Take a list of its samples first."
        ) from error


def _part_sizes(total: int, parts: int) -> list[int]:
    size = -(-total // parts)
    if size * (parts - 1) < total:
        return [size] * (parts - 1) + [total - size * (parts - 1)]
    parts = min(parts, total)
    return [total // parts + (k < total % parts) for k in range(parts)]


def _read(dataset: Any, shares: Sequence[Sequence[int]]) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
    """Data and targets of each share, one share in memory at a time."""
    if isinstance(dataset, BaseDataset) and dataset.location is not None:
        raise FederatedError(
            f"this data set is on worker {dataset.location.id!r} already. Put it into a FederatedDataset as it is, "
            "or fetch it with .get() first."
        )
    fields = _stacked_fields(dataset)
    if fields is not None:
        yield from ((select_rows(fields[0], share), select_rows(fields[1], share)) for share in shares)
    elif hasattr(dataset, "__getitem__") and not isinstance(dataset, torch.utils.data.IterableDataset):
        yield from (_stack(_samples(dataset, share), len(share)) for share in shares)
    else:
        yield from _read_in_order(dataset, shares)


def _read_in_order(dataset: Any, shares: Sequence[Sequence[int]]) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
    stream = iter(dataset)
    position = 0
    for share in shares:
        if not share or list(share) != list(range(position, position + len(share))):
            raise FederatedError(
                f"a {type(dataset).__name__} is only read in order, so it cannot be cut like this. "
                "Take a list of its samples first."
            )
        position += len(share)
        yield _stack(islice(stream, len(share)), len(share))


def _stacked_fields(dataset: Any) -> tuple[torch.Tensor, torch.Tensor] | None:
    """The two tensors behind a data set that only hands out their rows."""
    if isinstance(dataset, BaseDataset):
        fields = (dataset.data, dataset.targets) if dataset.transform_ is None else ()
    else:
        fields = dataset.tensors if type(dataset) is TensorDataset and len(dataset.tensors) == 2 else ()
    return fields if fields and all(isinstance(field, torch.Tensor) for field in fields) else None


def _samples(dataset: Any, indices: Sequence[int]) -> Iterator[Any]:
    for start in range(0, len(indices), _BLOCK):
        block = list(indices[start : start + _BLOCK])
        many = getattr(dataset, "__getitems__", None)
        yield from many(block) if callable(many) else (dataset[i] for i in block)


def _stack(samples: Iterable[Any], count: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Stack pairs block by block into memory of the final size, so that the peak is one copy."""
    stream = iter(samples)
    filled, out = 0, None
    while block := [_checked(sample) for sample in islice(stream, min(_BLOCK, count - filled))]:
        pair = tuple(_stack_field([sample[side] for sample in block], side) for side in (0, 1))
        if out is None:
            if len(block) == count:
                return pair[0], pair[1]
            out = tuple(field.new_empty((count, *field.shape[1:])) for field in pair)
        for whole, field in zip(out, pair, strict=True):
            if whole.shape[1:] != field.shape[1:] or whole.dtype != field.dtype:
                raise FederatedError(
                    f"samples do not stack: some are {tuple(whole.shape[1:])} of {whole.dtype}, "
                    f"some {tuple(field.shape[1:])} of {field.dtype}. Give them one shape and dtype."
                )
            whole[filled : filled + len(block)] = field
        filled += len(block)
    if out is None or filled < count:
        raise FederatedError(f"the data set should have given {count} samples and gave {filled}: its length is wrong.")
    return out[0], out[1]


def _checked(sample: Any) -> Any:
    if not isinstance(sample, (tuple, list)) or len(sample) != 2:
        what = f"a {type(sample).__name__}"
        what += f" of {len(sample)}" if hasattr(sample, "__len__") and not isinstance(sample, torch.Tensor) else ""
        raise FederatedError(
            f"a federated sample is a pair (data, target), and this data set has {what}. "
            "Wrap it in a Dataset whose __getitem__ returns such pairs."
        )
    return sample


def _stack_field(values: list[Any], side: int) -> torch.Tensor:
    reason: Exception | None = None
    try:
        stacked = default_collate(values)
    except (TypeError, RuntimeError) as error:
        stacked, reason = None, error
    if isinstance(stacked, torch.Tensor):
        return stacked
    raise FederatedError(
        f"the {('data', 'targets')[side]} of these samples do not stack to one tensor (the first is a "
        f"{type(values[0]).__name__}). Return tensors, arrays or numbers of one shape, for example with "
        "transforms.ToTensor()."
    ) from reason


def _joined(parts: list[Any]) -> Any:
    if len(parts) == 1:
        return parts[0]
    transforms = [getattr(part, "transform_", None) for part in parts]
    if any(transform is not transforms[0] for transform in transforms):
        raise FederatedError(
            f"{len(parts)} data sets on worker {parts[0].location.id!r} have different transforms, so they cannot "
            "become one. Give them one transform, or put them into FederatedDatasets of their own."
        )
    return BaseDataset(
        torch.cat([part.data for part in parts]), torch.cat([part.targets for part in parts]), transforms[0]
    )
