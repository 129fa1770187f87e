"""Batches as the accounting assumes them."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader, Dataset, IterableDataset, TensorDataset, WeightedRandomSampler

from syft.dp.sampling import PoissonLoader, drawn_independently
from syft.exceptions import UsageError

BATCHES, SIZE, RATE = 10_000, 100, 0.07
LIMIT = 5.1  # standard deviations: 1e-6 with some room for the tails of a binomial


def inclusion(batches: list[np.ndarray]) -> np.ndarray:
    """Which sample was in which batch: float64 of shape (BATCHES, SIZE)."""
    table = np.zeros((len(batches), SIZE))
    for row, batch in zip(table, batches, strict=True):
        row[batch] = 1
    return table


def deviations(table: np.ndarray, rate: float) -> dict[str, float]:
    """How far a table is from independent draws at a rate, in standard deviations."""
    batches, size = table.shape
    spread = rate * (1 - rate)
    sizes = table.sum(1)
    variance = size * spread
    # The variance of the empirical variance, for a binomial.
    fourth = variance * (1 + 3 * (size - 2) * spread)
    centred = table - rate
    pairs = centred.T @ centred / (spread * math.sqrt(batches))
    chi_square = ((table.sum(0) - batches * rate) ** 2 / (batches * spread)).sum()
    follow = (centred[1:] * centred[:-1]).sum() / (spread * math.sqrt((batches - 1) * size))
    return {
        "share": (chi_square - size) / math.sqrt(2 * size),
        "variance of the size": (sizes.var() - variance) / math.sqrt((fourth - variance**2) / batches),
        "pairs": (np.triu(pairs, 1) ** 2).sum() / math.sqrt(size * (size - 1)) - math.sqrt(size * (size - 1)) / 2,
        "one batch after another": follow,
    }


def test_batches_are_independent_draws_at_the_rate():
    drawn = [drawn_independently(SIZE, RATE) for _ in range(BATCHES)]
    for what, far in deviations(inclusion(drawn), RATE).items():
        assert abs(far) < LIMIT, what


def test_the_test_finds_shuffled_batches():
    order = [part for _ in range(BATCHES // 14) for part in np.array_split(np.random.permutation(SIZE), 14)]
    found = deviations(inclusion(order), 1 / 14)
    assert abs(found["variance of the size"]) > LIMIT
    assert abs(found["one batch after another"]) > LIMIT


def test_the_test_finds_batches_of_one_size():
    found = deviations(inclusion([np.random.choice(SIZE, 7, replace=False) for _ in range(BATCHES)]), RATE)
    assert abs(found["variance of the size"]) > LIMIT


def test_the_test_finds_another_rate():
    drawn = [drawn_independently(SIZE, RATE * 1.05) for _ in range(BATCHES)]
    assert max(map(abs, deviations(inclusion(drawn), RATE).values())) > LIMIT


def test_nobody_and_everybody():
    assert len(drawn_independently(50, 0.0)) == 0
    assert drawn_independently(50, 1.0).tolist() == list(range(50))


class Sized(Dataset):
    """Many samples, none of which is in memory."""

    def __len__(self) -> int:
        return 60_000

    def __getitem__(self, index: int) -> int:
        return index


def test_the_rate_comes_from_the_data_set():
    loader = PoissonLoader.instead_of(DataLoader(Sized(), batch_size=600))
    assert loader.sample_rate == 0.01
    assert len(loader) == 100
    few = PoissonLoader.instead_of(
        DataLoader(TensorDataset(torch.arange(10)), batch_size=3, shuffle=True, drop_last=True)
    )
    assert few.sample_rate == 0.3
    assert len(few) == 4


@pytest.mark.parametrize(
    "make",
    [
        lambda data: DataLoader(data, batch_size=2, sampler=WeightedRandomSampler([0.5] * 10, 1000)),
        lambda data: DataLoader(data, batch_sampler=[[0, 1], [2, 3]]),
        lambda data: DataLoader(data, batch_size=None),
    ],
)
def test_a_loader_whose_sampling_means_something_is_refused(make):
    with pytest.raises(UsageError, match="same chance"):
        PoissonLoader.instead_of(make(TensorDataset(torch.arange(10))))


def test_a_data_set_that_only_iterates_is_refused():
    class Stream(IterableDataset):
        def __iter__(self):
            return iter(range(10))

    with pytest.raises(UsageError, match="iterated"):
        PoissonLoader.instead_of(DataLoader(Stream(), batch_size=2))


@pytest.mark.parametrize("batch_size", [0, 11])
def test_batches_that_cannot_be_drawn_are_refused(batch_size):
    with pytest.raises(UsageError, match="cannot be drawn"):
        PoissonLoader(TensorDataset(torch.arange(10)), batch_size=batch_size)


def test_an_empty_batch_is_zeros_in_the_form_of_a_sample():
    data = TensorDataset(torch.ones(4, 3, 2), torch.full((4,), 7))
    loader = PoissonLoader(data, batch_size=1, steps=60)
    numbers, empty = [], 0
    for images, labels in loader:
        numbers.append(loader.drawn.number)
        assert len(images) == max(loader.drawn.size, 1)
        if loader.drawn.size == 0:
            empty += 1
            assert torch.equal(images, torch.zeros(1, 3, 2))
            assert torch.equal(labels, torch.zeros(1, dtype=torch.int64))
    assert numbers == list(range(1, 61))
    assert empty  # each is with a chance of 0.75 ** 4: none in 60 has one of 1e-10


def test_samples_come_with_their_collate_function_and_workers():
    loader = PoissonLoader.instead_of(
        DataLoader(TensorDataset(torch.arange(100.0)), batch_size=50, collate_fn=len, num_workers=1)
    )
    for count in loader:
        assert count == loader.drawn.size
