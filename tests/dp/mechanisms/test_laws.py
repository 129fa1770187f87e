"""The noise has the law that the accountant counts with: 10^5 samples, a false alarm in 10^6, negative controls."""

from __future__ import annotations

import math
from collections.abc import Callable
from fractions import Fraction

import numpy as np
import pytest
import torch

from syft.dp.mechanisms import GaussianMechanism, LaplaceMechanism, discrete_gaussian, discrete_laplace
from syft.dp.mechanisms.coins import bernoulli_exp, geometric, uniform_below
from syft.exceptions import UsageError
from tests.statistics.laws import gaussian_below, integer_law_p_value, laplace_below, law_p_value
from tests.statistics.uniformity import ALPHA, chi_square_tail

MANY = 100_000
WRONG = (2 / 3, 3 / 2)


def laplace_weight(scale: float) -> Callable[[np.ndarray], np.ndarray]:
    return lambda y: np.exp(-np.abs(y) / scale)


def gaussian_weight(sigma: float) -> Callable[[np.ndarray], np.ndarray]:
    return lambda y: np.exp(-(y.astype(float) ** 2) / (2 * sigma**2))


@pytest.mark.parametrize("scale", [Fraction(1, 3), Fraction(1), Fraction(5, 2), Fraction(40)])
def test_discrete_laplace_noise_follows_its_law(scale: Fraction) -> None:
    samples = discrete_laplace(scale, MANY)
    assert integer_law_p_value(samples, laplace_weight(float(scale))) > ALPHA
    for factor in WRONG:
        assert integer_law_p_value(samples, laplace_weight(float(scale) * factor)) < ALPHA


# A short integer, a fraction and a long integer take different ways through the sampler.
@pytest.mark.parametrize("sigma", [Fraction(1, 2), Fraction(1), Fraction(7, 2), Fraction(20)])
def test_discrete_gaussian_noise_follows_its_law(sigma: Fraction) -> None:
    samples = discrete_gaussian(sigma, MANY)
    assert integer_law_p_value(samples, gaussian_weight(float(sigma))) > ALPHA
    for factor in WRONG:
        assert integer_law_p_value(samples, gaussian_weight(float(sigma) * factor)) < ALPHA


@pytest.mark.parametrize("sigma", [1 << 20, (1 << 22) + 1, Fraction(1 << 22, 3), 1 << 40])
def test_wide_discrete_gaussian_noise_is_gaussian(sigma: Fraction | int) -> None:
    samples = discrete_gaussian(sigma, MANY // 5) / float(sigma)
    assert law_p_value(samples, gaussian_below(1.0)) > ALPHA
    for factor in WRONG:
        assert law_p_value(samples, gaussian_below(factor)) < ALPHA


@pytest.mark.parametrize(("sensitivity", "epsilon"), [(1.0, 1.0), (300.0, 0.01), (1e-3, 5.0)])
def test_laplace_releases_follow_their_law(sensitivity: float, epsilon: float) -> None:
    noise = LaplaceMechanism(sensitivity, epsilon).release(torch.zeros(MANY)).numpy()
    assert law_p_value(noise, laplace_below(sensitivity / epsilon)) > ALPHA
    for factor in WRONG:
        assert law_p_value(noise, laplace_below(sensitivity / epsilon * factor)) < ALPHA
    wrong = LaplaceMechanism(sensitivity * 0.9, epsilon).release(torch.zeros(MANY)).numpy()
    assert law_p_value(wrong, laplace_below(sensitivity / epsilon)) < ALPHA


@pytest.mark.parametrize(("sensitivity", "multiplier"), [(1.0, 1.0), (300.0, 20.0), (1e-3, 0.3)])
def test_gaussian_releases_follow_their_law(sensitivity: float, multiplier: float) -> None:
    noise = GaussianMechanism(sensitivity, multiplier).release(torch.zeros(MANY // 2)).numpy()
    assert law_p_value(noise, gaussian_below(sensitivity * multiplier)) > ALPHA
    for factor in WRONG:
        assert law_p_value(noise, gaussian_below(sensitivity * multiplier * factor)) < ALPHA
    wrong = GaussianMechanism(sensitivity * 0.9, multiplier).release(torch.zeros(MANY // 2)).numpy()
    assert law_p_value(wrong, gaussian_below(sensitivity * multiplier)) < ALPHA


def test_integers_get_whole_noise() -> None:
    released = LaplaceMechanism(2, 0.5).release_integers(np.full(MANY, 10))
    assert released.dtype == np.int64
    assert integer_law_p_value(released - 10, laplace_weight(4.0)) > ALPHA
    with pytest.raises(UsageError, match="do not change by 1.5"):
        LaplaceMechanism(1.5, 0.5).release_integers(np.zeros(1, np.int64))


# --- coins -------------------------------------------------------------------------------------------


def _is_rate(heads: int, tosses: int, chance: float) -> bool:
    spread = math.sqrt(tosses * chance * (1 - chance))
    return abs(heads - tosses * chance) < 5.0 * spread + 1e-9  # 5.0 standard deviations: 6e-7


@pytest.mark.parametrize("fraction", [(0, 1), (1, 3), (1, 1), (7, 3), (3 << 70, 2 << 70), (1, 1 << 70)])
def test_coins_of_an_exponential_chance(fraction: tuple[int, int]) -> None:
    n, d = fraction
    numerators = np.array([n] * MANY, dtype=object if d > 1 << 60 else np.int64)
    assert _is_rate(int(bernoulli_exp(numerators, d).sum()), MANY, math.exp(-n / d))
    assert not _is_rate(int(bernoulli_exp(np.full(MANY, 11), 10).sum()), MANY, math.exp(-1))


def test_runs_are_geometric() -> None:
    runs = geometric(MANY)
    assert _is_rate(int((runs >= 1).sum()), MANY, math.exp(-1))
    assert _is_rate(int((runs >= 4).sum()), MANY, math.exp(-4))


@pytest.mark.parametrize("bound", [1, 2, 3, 10, 257])
def test_numbers_below_a_bound_are_uniform(bound: int) -> None:
    counts = np.bincount(uniform_below(bound, MANY), minlength=bound)
    assert len(counts) == bound
    if bound > 1:
        statistic = float(((counts - MANY / bound) ** 2 * bound / MANY).sum())
        assert chi_square_tail(statistic, bound - 1) > ALPHA


@pytest.mark.parametrize("bound", [(1 << 32) + 1, (1 << 61) + 7, (1 << 70) * 3, 1 << 200])
def test_large_bounds_are_reached_evenly(bound: int) -> None:
    drawn = [int(value) for value in uniform_below(bound, 2000)]
    assert 0 <= min(drawn)
    assert max(drawn) < bound
    assert law_p_value(np.array([value / bound for value in drawn]), lambda x: x) > ALPHA


def test_nothing_is_below_zero() -> None:
    with pytest.raises(UsageError):
        uniform_below(0, 1)


@pytest.mark.parametrize("wrong", [0, -1, 1 << 51, Fraction(1, 1 << 51)])
def test_scales_that_cannot_be_sampled_are_refused(wrong: Fraction | int) -> None:
    with pytest.raises(UsageError, match="cannot be sampled"):
        discrete_laplace(wrong, 1)
    with pytest.raises(UsageError, match="cannot be sampled"):
        discrete_gaussian(wrong, 1)
