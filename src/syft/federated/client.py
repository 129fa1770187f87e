"""One party of a federated training: a worker and the batches it holds.

The batches are pointers, so the data may have been sent there with ``federate`` or loaded by the worker
itself and found by a tag; the trainer cannot tell and never sees it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from syft.exceptions import FederatedError
from syft.federated.dataset import BaseDataset, PointerDataset
from syft.federated.federate import FederatedDataset
from syft.federated.loader import FederatedDataLoader

Batches = Iterable[tuple[Any, Any]]


@dataclass(frozen=True, slots=True)
class Client:
    """A worker and its batches.

    Args:
        worker: the worker or its id.
        batches: gives pairs of pointers ``(data, targets)`` into that worker, afresh each time it is
            iterated over: a list, or a loader over the data of this one worker.
        samples: the weight of its model in the average; None counts the samples of one pass.

    Raises:
        FederatedError: ``batches`` can be iterated over only once, or ``samples`` is below 0.
    """

    worker: Any
    batches: Batches
    samples: int | None = None

    def __post_init__(self) -> None:
        check_reiterable(self.batches)
        if self.samples is not None and self.samples < 0:
            raise FederatedError(f"a client cannot have {self.samples} samples; give 0 or more, or None to count them.")

    @classmethod
    def from_dataset(
        cls, dataset: BaseDataset | PointerDataset, *, batch_size: int, shuffle: bool = False, drop_last: bool = False
    ) -> Client:
        """A client that trains on one data set on a worker.

        Args:
            dataset: a `BaseDataset` of pointers, or a `PointerDataset` as ``send`` and a search give it.
            batch_size: samples a batch.
            shuffle: draw a new order every pass.
            drop_last: leave out a last batch that is not full.

        Returns:
            The client.

        Raises:
            FederatedError: the data set is not on a worker.
        """
        (client,) = clients_from(
            FederatedDataset([dataset]), batch_size=batch_size, shuffle=shuffle, drop_last=drop_last
        ).values()
        return client

    @classmethod
    def from_tensors(
        cls, data: Any, targets: Any, *, batch_size: int, shuffle: bool = False, drop_last: bool = False
    ) -> Client:
        """A client that trains on two tensors on a worker, such as a search for their tags returned.

        Args:
            data: pointer to the samples, along dimension 0.
            targets: pointer to as many targets on the same worker.
            batch_size: samples a batch.
            shuffle: draw a new order every pass.
            drop_last: leave out a last batch that is not full.

        Returns:
            The client.

        Raises:
            FederatedError: the tensors do not fit together or are not on a worker.
        """
        dataset = BaseDataset(data, targets)
        return cls.from_dataset(dataset, batch_size=batch_size, shuffle=shuffle, drop_last=drop_last)


def clients_from(
    dataset: FederatedDataset, *, batch_size: int, shuffle: bool = False, drop_last: bool = False
) -> dict[str, Client]:
    """One client a worker of a federated data set.

    Args:
        dataset: what ``federate`` returned.
        batch_size: samples a batch.
        shuffle: draw a new order every pass, for each worker by itself.
        drop_last: leave out last batches that are not full.

    Returns:
        Clients by the ids of their workers.
    """
    clients = {}
    for part in dataset:
        loader = FederatedDataLoader(
            FederatedDataset([part], augment=dataset.augment),
            batch_size=batch_size,
            shuffle=shuffle,
            drop_last=drop_last,
        )
        clients[str(part.location.id)] = Client(part.location, loader)
    return clients


def check_reiterable(batches: Iterable[Any]) -> None:
    """Refuse iterators: every round goes over the batches again.

    Args:
        batches: what is to be iterated over many times.

    Raises:
        FederatedError: a second pass would find nothing.
    """
    # Not by trying: a DataLoader draws a random number each time it is asked for an iterator. Loaders that
    # can also be called with next() have a length; what really ends after one pass has none.
    if isinstance(batches, Iterator) and not hasattr(batches, "__len__"):
        raise FederatedError(
            f"a {type(batches).__name__} can be gone over only once, and every round needs all batches again; "
            "give a list or a loader."
        )
