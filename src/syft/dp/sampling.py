"""Batches as the accounting assumes them: every sample is in a batch with the same chance, independent of all others.

A shuffled data loader is something else and protects less than the formulas of Poisson sampling say
(arXiv 2403.17673), so a private training draws its own batches. The chance comes from the size of the data set.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch.utils._pytree import tree_map_only
from torch.utils.data import DataLoader, IterableDataset, RandomSampler, SequentialSampler
from torch.utils.data import Dataset as TorchDataset

from syft.core.random import SYSTEM_RANDOM
from syft.dp.noise import RandomBytes
from syft.exceptions import UsageError

logger = logging.getLogger("syft.dp")


def drawn_independently(
    size: int, rate: float, source: RandomBytes = SYSTEM_RANDOM
) -> np.ndarray[Any, np.dtype[np.int64]]:
    """Which of ``size`` samples are in a batch: each with chance ``rate``, to within 2^-63.

    Example:
        >>> drawn_independently(3, 1.0).tolist(), drawn_independently(3, 0.0).tolist()
        ([0, 1, 2], [])
    """
    numbers = source.bytes(8 * size).view(np.uint64) >> np.uint64(1)
    return np.flatnonzero(numbers < np.uint64(round(rate * 2**63)))


@dataclass(frozen=True, slots=True)
class Drawn:
    """A batch.

    Attributes:
        number: from 1; 0 before the first.
        size: how many samples are in it, perhaps none.
    """

    number: int
    size: int

    @property
    def is_empty(self) -> bool:
        """Whether it was drawn, and nobody is in it."""
        return self.number > 0 and self.size == 0


class PoissonLoader:
    """Batches of a data set by Poisson sampling; their sizes differ, and one may be empty.

    An empty batch comes as one sample of zeros, so that every model can be called with it; the private optimizer
    knows that nobody is in it, adds its noise and takes the step.

    Args:
        dataset: what to draw from.
        batch_size: the mean size of a batch.
        steps: batches in one iteration over the loader; by default as many as cover the data set on average.
        collate: makes a batch of a list of samples; by default that of torch.
        source: of the random bits.
        options: further arguments of `torch.utils.data.DataLoader`, such as ``num_workers``.

    Raises:
        UsageError: a batch size below 1 or above the data set's size.

    Example:
        >>> data = torch.utils.data.TensorDataset(torch.arange(1000.0))
        >>> loader = PoissonLoader(data, batch_size=100)
        >>> loader.sample_rate, len(loader), len([batch for batch in loader])
        (0.1, 10, 10)
    """

    def __init__(
        self,
        dataset: TorchDataset[Any],
        batch_size: int,
        *,
        steps: int | None = None,
        collate: Callable[[list[Any]], Any] | None = None,
        source: RandomBytes = SYSTEM_RANDOM,
        options: dict[str, Any] | None = None,
    ) -> None:
        self.dataset, self.batch_size = dataset, batch_size
        self._size = len(dataset)  # type: ignore[arg-type]
        if not 1 <= batch_size <= self._size:
            raise UsageError(f"batches of {batch_size} cannot be drawn from {self._size} samples")
        self.sample_rate = batch_size / self._size
        self._steps = steps or math.ceil(self._size / batch_size)
        self._collate = collate or torch.utils.data.default_collate
        self._source, self._options = source, options or {}
        self.drawn = Drawn(0, 0)
        """The batch that was drawn last."""

    @classmethod
    def instead_of(cls, loader: DataLoader[Any], source: RandomBytes = SYSTEM_RANDOM) -> PoissonLoader:
        """Poisson sampling with the data set and the mean batch size of a loader.

        Raises:
            UsageError: a loader whose sampling means something (weights, a data set that only iterates, batches of
                its own), which Poisson sampling would change.
        """
        if isinstance(loader.dataset, IterableDataset):
            raise UsageError("a data set that can only be iterated cannot be sampled; give one with len() and [index]")
        if loader.batch_size is None or type(loader.sampler) not in (RandomSampler, SequentialSampler):
            raise UsageError(
                f"the loader draws its batches by a {type(loader.sampler).__name__} or batches of its own, and private "
                "training draws every sample with the same chance. Give a plain DataLoader(dataset, batch_size=...)."
            )
        rate = loader.batch_size / len(loader.dataset)  # type: ignore[arg-type]
        logger.info("batches are drawn by Poisson sampling at rate %.4g; the loader's own order is not used", rate)
        options = {
            "num_workers": loader.num_workers,
            "pin_memory": loader.pin_memory,
            "timeout": loader.timeout,
            "worker_init_fn": loader.worker_init_fn,
            "multiprocessing_context": loader.multiprocessing_context,
            "prefetch_factor": loader.prefetch_factor,
            "persistent_workers": loader.persistent_workers,
        }
        return cls(loader.dataset, loader.batch_size, collate=loader.collate_fn, source=source, options=options)

    def __len__(self) -> int:
        return self._steps

    def __iter__(self) -> Iterator[Any]:
        inner: DataLoader[Any] = DataLoader(
            self.dataset,
            batch_sampler=_Indices(self),
            collate_fn=_SizedBatch(self.dataset, self._collate),
            **self._options,
        )
        for size, batch in inner:
            self.drawn = Drawn(self.drawn.number + 1, size)
            yield batch


class _Indices:
    """One list of indices a step."""

    def __init__(self, loader: PoissonLoader) -> None:
        self._loader = loader

    def __len__(self) -> int:
        return len(self._loader)

    def __iter__(self) -> Iterator[list[int]]:
        loader = self._loader
        for _ in range(len(loader)):
            yield drawn_independently(loader._size, loader.sample_rate, loader._source).tolist()


class _SizedBatch:
    """Makes a batch of samples, with how many are in it; zeros in the form of a sample where nobody is."""

    def __init__(self, dataset: TorchDataset[Any], collate: Callable[[list[Any]], Any]) -> None:
        self._dataset, self._collate = dataset, collate

    def __call__(self, samples: list[Any]) -> tuple[int, Any]:
        if samples:
            return len(samples), self._collate(samples)
        return 0, tree_map_only(torch.Tensor, torch.zeros_like, self._collate([self._dataset[0]]))
