"""What the mechanisms promise beside their law: the grid, the sensitivity after rounding, calibration, randomness."""

from __future__ import annotations

import math
import os
import random
from fractions import Fraction

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from syft.dp.accounting import spent_epsilon
from syft.dp.events import ConcentratedRelease, PureRelease
from syft.dp.mechanisms import (
    GaussianMechanism,
    LaplaceMechanism,
    analytic_noise_multiplier,
    discrete_gaussian,
    discrete_laplace,
    exponential_mechanism,
    report_noisy_max,
)
from syft.dp.mechanisms.gaussian import gaussian_delta
from syft.dp.mechanisms.grid import exact_to_steps, step_exponent, to_steps
from syft.dp.mechanisms.laplace import exact_epsilon
from syft.exceptions import UsageError
from tests.statistics.uniformity import ALPHA, chi_square_tail

MANY = 100_000
MECHANISMS = (LaplaceMechanism(1.0, 0.3), GaussianMechanism(1.0, 3.0))


def on_grid(values: np.ndarray, exponent: int) -> float:
    """Which part of the values are multiples of 2^exponent."""
    scaled = np.ldexp(values, -exponent)
    return float((scaled == np.rint(scaled)).mean())


@pytest.mark.parametrize("mechanism", MECHANISMS, ids=["laplace", "gaussian"])
@pytest.mark.parametrize("value", [0.0, 1 / 3, -1e3 / 7])
def test_every_release_is_on_the_grid(mechanism: LaplaceMechanism | GaussianMechanism, value: float) -> None:
    released = mechanism.release(torch.full((MANY,), value, dtype=torch.float64)).numpy()
    assert on_grid(released, mechanism.grid(MANY)) == 1.0
    # The grid does not depend on the data, and the textbook's noise is not on it.
    generator = np.random.default_rng(1)
    assert on_grid(value + generator.laplace(scale=1 / 0.3, size=MANY), mechanism.grid(MANY)) < 0.5


@pytest.mark.parametrize("mechanism", MECHANISMS, ids=["laplace", "gaussian"])
def test_one_number_is_released_as_one(mechanism: LaplaceMechanism | GaussianMechanism) -> None:
    released = mechanism.release(0.1)
    assert type(released) is float
    assert on_grid(np.array([released]), mechanism.grid()) == 1.0
    assert mechanism.release(torch.zeros(2, 3)).shape == (2, 3)
    exact = mechanism.release_exactly([Fraction(1, 3), Fraction(10) ** 30])
    assert on_grid(exact[:1], mechanism.grid(2)) == 1.0
    assert exact[1] == pytest.approx(1e30)


@settings(max_examples=300)
@given(st.floats(-1e6, 1e6), st.floats(0, 100), st.integers(-30, 3))
def test_rounding_adds_less_than_a_step_to_a_change(value: float, change: float, exponent: int) -> None:
    there = value + change
    gap = Fraction(there) - Fraction(value)
    before, after = to_steps(np.array([value, there]), exponent)
    assert abs(int(after) - int(before)) <= math.ceil(abs(gap) / Fraction(2) ** exponent)
    exact = exact_to_steps([Fraction(value), Fraction(there)], exponent)
    assert [int(before), int(after)] == list(exact)


def test_values_that_are_no_numbers_are_taken_for_some() -> None:
    values = np.array([math.nan, math.inf, -math.inf, 1e300])
    assert to_steps(values, 0).tolist() == [0, 1 << 61, -(1 << 61), 1 << 61]
    released = LaplaceMechanism(1.0, 1.0).release(torch.tensor([math.nan, 1.0]))
    assert released.isfinite().all()


@settings(max_examples=200)
@given(st.floats(1e-6, 1e6))
def test_epsilon_is_rounded_to_the_safe_side(epsilon: float) -> None:
    exact = exact_epsilon(epsilon)
    assert Fraction(epsilon) * Fraction(999_998, 1_000_000) <= exact <= Fraction(epsilon)


@pytest.mark.parametrize("epsilon", [0, -1, math.nan, math.inf, 1e-7, 1e7, "1"])
def test_an_epsilon_that_makes_no_sense_is_refused(epsilon: float) -> None:
    with pytest.raises(UsageError, match="makes no sense"):
        LaplaceMechanism(1.0, epsilon)
    with pytest.raises(UsageError, match="makes no sense"):
        report_noisy_max([1, 2], 1, epsilon)


@pytest.mark.parametrize("sensitivity", [0, -1, math.nan, math.inf])
def test_a_sensitivity_is_above_zero(sensitivity: float) -> None:
    for mechanism in (LaplaceMechanism, GaussianMechanism):
        with pytest.raises(UsageError, match="sensitivity="):
            mechanism(sensitivity, 1.0)


# --- what neighbouring inputs show ------------------------------------------------------------------


@pytest.mark.parametrize("epsilon", [0.5, 2.0])
def test_neighbours_are_told_apart_no_better_than_promised(epsilon: float) -> None:
    """Every event's chance differs by at most exp(epsilon); half the noise is caught by the same look."""

    def loss(noise_epsilon: float) -> float:
        here = np.asarray(LaplaceMechanism(1, noise_epsilon).release_integers(np.zeros(MANY, np.int64)))
        there = np.asarray(LaplaceMechanism(1, noise_epsilon).release_integers(np.ones(MANY, np.int64)))
        below, above = (here <= 0).mean(), (there <= 0).mean()
        return math.log(below / above)

    margin = 0.06  # above 5 standard deviations of the estimate
    assert loss(epsilon) < epsilon + margin
    assert loss(2 * epsilon) > epsilon + margin


# --- calibration -------------------------------------------------------------------------------------


@pytest.mark.parametrize(("epsilon", "delta"), [(0.01, 1e-5), (0.5, 1e-8), (1.0, 1e-5), (4.0, 1e-3), (20.0, 1e-6)])
def test_analytic_calibration_is_tight_and_safe(epsilon: float, delta: float) -> None:
    sigma = analytic_noise_multiplier(epsilon, delta)
    assert gaussian_delta(sigma, epsilon) <= delta
    assert gaussian_delta(sigma * 0.9999, epsilon) > delta
    # By integration of what the definition says, the hockey-stick divergence.
    x = np.linspace(-12 * sigma, 12 * sigma + 1, 400_001)
    here, there = (np.exp(-((x - shift) ** 2) / (2 * sigma**2)) for shift in (1.0, 0.0))
    density = np.maximum(here - math.exp(epsilon) * there, 0) / (sigma * math.sqrt(2 * math.pi))
    assert float(np.trapezoid(density, x)) == pytest.approx(delta, rel=1e-2)


def test_the_discrete_noise_itself_keeps_the_promise() -> None:
    """The divergence of the discrete law, summed up: at the calibrated noise it is within delta."""
    epsilon, delta, steps = 1.0, 1e-5, 1 << 10
    sigma = analytic_noise_multiplier(epsilon, delta) * steps
    y = np.arange(-int(14 * sigma), int(14 * sigma))
    weight = np.exp(-(y.astype(float) ** 2) / (2 * sigma**2))
    weight /= weight.sum()
    shifted = np.exp(-((y - steps).astype(float) ** 2) / (2 * sigma**2))
    shifted /= shifted.sum()
    assert np.maximum(shifted - math.exp(epsilon) * weight, 0).sum() <= delta * 1.001


def test_the_textbook_bound_needs_more_noise() -> None:
    assert analytic_noise_multiplier(1.0, 1e-5) < math.sqrt(2 * math.log(1.25 / 1e-5))
    assert analytic_noise_multiplier(100.0, 1e-5) > 0  # far outside the range of the textbook's


def test_events_say_what_was_released() -> None:
    assert LaplaceMechanism(3.0, 0.5).event == PureRelease(0.5)
    mechanism = GaussianMechanism.calibrated(3.0, 1.0, 1e-5)
    assert mechanism.event == ConcentratedRelease(1 / (2 * mechanism.noise_multiplier**2))
    assert 1.0 < spent_epsilon([mechanism.event], 1e-5) < 1.15


@pytest.mark.parametrize("delta", [0, 1, -1, math.nan])
def test_gaussian_noise_needs_a_delta(delta: float) -> None:
    with pytest.raises(UsageError, match="delta"):
        analytic_noise_multiplier(1.0, delta)


# --- choices -----------------------------------------------------------------------------------------


def _counts(choose: object, scores: list[int], epsilon: float, times: int = 5000) -> np.ndarray:
    return np.bincount([choose(scores, 1, epsilon) for _ in range(times)], minlength=len(scores))  # type: ignore[operator]


def test_the_exponential_mechanism_follows_its_law() -> None:
    scores, epsilon = [0, 1, 3, 3], 1.0
    counts = _counts(exponential_mechanism, scores, epsilon)
    for wrong, plausible in ((1.0, True), (1.5, False)):
        weights = np.exp(np.array(scores) * epsilon * wrong / 2)
        expected = weights / weights.sum() * counts.sum()
        assert (chi_square_tail(float(((counts - expected) ** 2 / expected).sum()), 3) > ALPHA) is plausible


def test_report_noisy_max_follows_the_law_of_exponential_noise() -> None:
    scores, epsilon = np.array([0, 1, 3, 3]), 1.0
    counts = _counts(report_noisy_max, list(scores), epsilon)
    generator = np.random.default_rng(7)  # an independent sampler of the definition
    for wrong, plausible in ((1.0, True), (1.5, False)):
        noisy = scores + generator.exponential(2 / epsilon / wrong, (400_000, 4))
        expected = np.bincount(noisy.argmax(1), minlength=4) / 400_000 * counts.sum()
        assert (chi_square_tail(float(((counts - expected) ** 2 / expected).sum()), 3) > ALPHA) is plausible


def test_choices_bear_scores_of_any_size() -> None:
    assert exponential_mechanism([-(10**40), 10**40], 10**30, 1.0) == 1
    assert report_noisy_max([-(10**40), 10**40, 0], 10**30, 1.0) == 1
    assert report_noisy_max(np.array([5]), 1, 1.0) == 0


@pytest.mark.parametrize("arguments", [([], 1), ([1], 0), ([1], 1.0)])
def test_a_choice_needs_candidates_and_an_integer_sensitivity(arguments: tuple[list[int], int]) -> None:
    for choose in (exponential_mechanism, report_noisy_max):
        with pytest.raises(UsageError, match="a choice needs"):
            choose(*arguments, 1.0)


# --- randomness --------------------------------------------------------------------------------------


def _draws() -> tuple[bytes, ...]:
    return (
        discrete_laplace(1000, 8).tobytes(),
        discrete_gaussian(1000, 8).tobytes(),
        LaplaceMechanism(1.0, 1.0).release(torch.zeros(8)).numpy().tobytes(),
        GaussianMechanism(1.0, 1.0).release(torch.zeros(8)).numpy().tobytes(),
    )


def test_no_seed_has_any_influence() -> None:
    drawn = []
    for _ in range(2):
        torch.manual_seed(1)
        random.seed(1)
        np.random.seed(1)
        drawn.append(_draws())
    assert all(here != there for here, there in zip(*drawn, strict=True))


def test_a_fork_draws_noise_of_its_own() -> None:
    discrete_laplace(1000, 1)  # the stream exists before the fork
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        os.write(write, b"".join(_draws()))
        os._exit(0)
    os.close(write)
    with os.fdopen(read, "rb") as pipe:
        there = pipe.read()
    os.waitpid(child, 0)
    here = b"".join(_draws())
    assert len(here) == len(there)
    assert here != there
    assert all(here[at : at + 64] != there[at : at + 64] for at in range(0, len(here), 64))


def test_the_grid_depends_on_the_noise_alone() -> None:
    assert step_exponent(1.0) == step_exponent(1.999) == step_exponent(2.0) - 1
    assert step_exponent(1.0, dimensions=1000) < step_exponent(1.0)
