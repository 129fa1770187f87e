"""Noise for training: its law, its grid, and where its bits come from."""

from __future__ import annotations

import math
import random

import numpy as np
import pytest
import torch

from syft.dp.noise import SLACK, GridNoise, SeededBytes, standard_gaussian
from syft.exceptions import UsageError

SAMPLES = 200_000
ALPHA = 1e-6


def distance_from_gaussian(values: torch.Tensor, deviation: float) -> float:
    """Kolmogorov's distance, times the square root of how many there are."""
    ordered = np.sort(values.double().numpy().ravel()) / deviation
    expected = torch.special.ndtr(torch.from_numpy(ordered)).numpy()
    steps = np.arange(len(ordered) + 1) / len(ordered)
    return max(np.abs(expected - steps[1:]).max(), np.abs(expected - steps[:-1]).max()) * math.sqrt(len(ordered))


CRITICAL = math.sqrt(-math.log(ALPHA / 2) / 2)  # of Kolmogorov's distance, for many samples


def test_the_noise_is_gaussian():
    assert distance_from_gaussian(standard_gaussian(SAMPLES), 1.0) < CRITICAL


@pytest.mark.parametrize("wrong", [2 / 3, 3 / 2, 1.03])
def test_the_test_of_the_law_finds_a_wrong_deviation(wrong):
    assert distance_from_gaussian(standard_gaussian(SAMPLES) * wrong, 1.0) > CRITICAL


def test_neighbours_in_the_stream_are_uncorrelated():
    noise = standard_gaussian(SAMPLES)
    for shift in (1, 2, SAMPLES // 2, 1 << 15):
        product = (noise * noise.roll(shift)).mean() * math.sqrt(SAMPLES)
        assert abs(float(product)) < 5.3  # 1e-7 on either side


@pytest.mark.parametrize("size", [1, 2, 3, 1001, (1 << 16) + 1])
def test_every_size_comes_out(size):
    noise = standard_gaussian(size)
    assert noise.shape == (size,)
    assert bool(torch.isfinite(noise).all())
    assert len(noise.unique()) == size


def test_a_release_has_the_deviation_that_was_asked_for_and_pays_for_its_grid():
    released = GridNoise(bound=0.5, noise_multiplier=3.0, dimension=SAMPLES).release(torch.zeros(SAMPLES))
    assert distance_from_gaussian(released, 1.5 * (1 + SLACK)) < CRITICAL
    assert distance_from_gaussian(released, 1.0) > CRITICAL


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
@pytest.mark.parametrize(("bound", "noise_multiplier"), [(1.0, 1.1), (0.1, 0.5), (37.0, 40.0), (1e-3, 2.0)])
def test_every_released_number_is_on_the_grid(dtype, bound, noise_multiplier):
    mechanism = GridNoise(bound, noise_multiplier, dimension=10_000)
    exact = bound * torch.randn(10_000).to(dtype)
    released = mechanism.release(exact)
    assert released.dtype == dtype
    steps = released.double() / mechanism.grid
    assert torch.equal(steps, steps.round())


def test_the_textbook_way_is_not_on_the_grid():
    mechanism = GridNoise(1.0, 1.1, dimension=10_000)
    textbook = torch.randn(10_000) + mechanism.deviation * standard_gaussian(10_000).float()
    steps = textbook.double() / mechanism.grid
    assert not torch.equal(steps, steps.round())


def test_the_grid_moves_a_vector_by_less_than_what_the_noise_pays_for():
    mechanism = GridNoise(bound=2.0, noise_multiplier=1.0, dimension=1_200_000)
    assert mechanism.grid * math.sqrt(1_200_000) <= 2.0 * SLACK / 2


def test_no_seed_has_any_influence():
    def drawn() -> torch.Tensor:
        torch.manual_seed(1)
        random.seed(1)
        np.random.seed(1)
        return standard_gaussian(100)

    assert not torch.equal(drawn(), drawn())


def test_noise_by_an_unsafe_seed_is_the_same_every_time():
    first, second, other = (standard_gaussian(100, SeededBytes(seed)) for seed in (5, 5, 6))
    assert torch.equal(first, second)
    assert not torch.equal(first, other)


@pytest.mark.parametrize(
    "numbers", [(0.0, 1.0, 1), (1.0, 0.0, 1), (1.0, 1.0, 0), (math.nan, 1.0, 1), (1.0, math.inf, 1)]
)
def test_noise_that_makes_no_sense_is_refused(numbers):
    with pytest.raises(UsageError):
        GridNoise(*numbers)


def test_a_seed_out_of_range_is_refused():
    with pytest.raises(UsageError, match="2\\^64"):
        SeededBytes(1 << 64)
