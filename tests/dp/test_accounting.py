"""What releases cost: against Google's accountants, and never less than the truth."""

from __future__ import annotations

import math
import random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from syft.dp.accounting import ORDERS, _curve, noise_multiplier_for, spent_epsilon
from syft.dp.events import ConcentratedRelease, GaussianRelease, PureRelease, SampledGaussian
from syft.exceptions import NotSupportedError, UsageError

pytest.importorskip("opacus")
dp_accounting = pytest.importorskip("dp_accounting")


def drawn(count: int, seed: int) -> list[tuple[SampledGaussian, float]]:
    """Settings of training as people use them, and beyond: the noise, rate, steps and delta on log scales."""
    chance = random.Random(seed)
    return [
        (
            SampledGaussian(
                noise_multiplier=math.exp(chance.uniform(math.log(0.5), math.log(20))),
                sample_rate=math.exp(chance.uniform(math.log(1e-4), math.log(0.5))),
                steps=round(math.exp(chance.uniform(0, math.log(2e4)))),
            ),
            10 ** chance.uniform(-9, -3),
        )
        for _ in range(count)
    ]


def reference_event(event: SampledGaussian):
    return dp_accounting.PoissonSampledDpEvent(event.sample_rate, dp_accounting.GaussianDpEvent(event.noise_multiplier))


def reference_curve(event: SampledGaussian) -> np.ndarray:
    """The reference's divergence at the whole orders; between them it returns a looser bound."""
    accountant = dp_accounting.rdp.RdpAccountant(orders=[order for order in ORDERS if order == int(order)])
    accountant.compose(reference_event(event))
    return accountant._rdp


def integrated_curve(event: SampledGaussian) -> np.ndarray:
    """The divergence at the low broken orders by its definition: the integral of a power of the ratio of densities."""
    sigma, rate = event.noise_multiplier, event.sample_rate
    x = np.linspace(-12 * sigma, 12 * sigma + 6, 400_001)
    ratio = np.logaddexp(math.log1p(-rate), math.log(rate) + (x - 0.5) / sigma**2)
    density = np.exp(-((x / sigma) ** 2) / 2) / (sigma * math.sqrt(2 * math.pi))
    orders = np.array([1.1, 1.5, 2.7, 4.3])
    powers = [np.sum(density * np.expm1(order * ratio)) * (x[1] - x[0]) for order in orders]
    return np.log1p(powers) / (orders - 1)


def reference_losses(event: SampledGaussian, delta: float, interval: float) -> tuple[float, float]:
    """A lower and an upper bound of epsilon by the reference's distribution of privacy losses."""
    distribution = dp_accounting.pld.privacy_loss_distribution
    low, high = (
        distribution.from_gaussian_mechanism(
            event.noise_multiplier,
            value_discretization_interval=interval,
            sampling_prob=event.sample_rate,
            pessimistic_estimate=pessimistic,
        )
        .self_compose(event.steps)
        .get_epsilon_for_delta(delta)
        for pessimistic in (False, True)
    )
    return low, high


def check_against_the_references(event: SampledGaussian, delta: float, *, interval: float) -> float:
    step = SampledGaussian(event.noise_multiplier, event.sample_rate, 1)
    whole = np.array([order == int(order) for order in ORDERS])
    np.testing.assert_allclose(_curve(step)[whole], reference_curve(event), rtol=1e-6, atol=1e-13)
    ours = spent_epsilon([event], delta)
    converted, _ = dp_accounting.rdp.compute_epsilon(ORDERS, event.steps * _curve(step), delta)
    if converted > 0:  # the reference knows one more inequality, for costs that are next to nothing
        assert ours == pytest.approx(converted, rel=1e-6)
    low, _ = reference_losses(event, delta, interval)
    assert ours >= low
    return low / ours if ours else 0.0


@pytest.mark.parametrize(("sigma", "rate"), [(0.8, 0.1), (1.0, 0.01), (1.5, 0.04), (4.0, 0.5), (3.0, 1e-3)])
def test_divergences_of_broken_orders_are_their_integrals(sigma, rate):
    event = SampledGaussian(sigma, rate, 1)
    ours = _curve(event)[[ORDERS.index(order) for order in (1.1, 1.5, 2.7, 4.3)]]
    np.testing.assert_allclose(ours, integrated_curve(event), rtol=1e-6)


@pytest.mark.parametrize("part", range(10))
def test_the_renyi_accountant_equals_the_reference_and_is_never_below_the_privacy_loss(part):
    shares = [check_against_the_references(*one, interval=1e-3) for one in drawn(20, seed=part)]
    assert max(shares) > 0.85, "the lower bound is too loose to catch an accountant that is ten per cent too kind"


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_the_renyi_accountant_equals_the_reference_over_five_hundred_settings():
    for event, delta in drawn(500, seed=1000):
        check_against_the_references(event, delta, interval=1e-3)


def check_the_privacy_loss_accountant(event: SampledGaussian, delta: float) -> None:
    ours, (low, high) = spent_epsilon([event], delta, "prv"), reference_losses(event, delta, 2e-4)
    assert low <= ours <= spent_epsilon([event], delta, "rdp")
    if event.steps < 2000:  # more of them are computed on a coarser grid, and the bound says so
        assert ours <= 1.01 * high + 2e-4


@pytest.mark.parametrize("part", range(4))
def test_the_privacy_loss_accountant_is_within_one_per_cent_of_the_reference(part):
    for event, delta in drawn(4, seed=200 + part):
        if event.steps < 2000:
            check_the_privacy_loss_accountant(event, delta)


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_the_privacy_loss_accountant_is_within_one_per_cent_over_many_settings():
    for event, delta in drawn(40, seed=2000):
        if spent_epsilon([event], delta) < 50:  # what protects nobody is beyond its arithmetic
            check_the_privacy_loss_accountant(event, delta)


def test_golden_epsilons_of_opacus():
    event = SampledGaussian(noise_multiplier=1.5, sample_rate=0.04, steps=2250)
    assert spent_epsilon([event], 1e-5) == pytest.approx(7.32911117143, abs=1e-11)
    assert spent_epsilon([event], 1e-5, "prv") == pytest.approx(6.78, abs=0.02)


@settings(max_examples=6, deadline=None)
@given(
    epsilon=st.floats(0.05, 20),
    delta=st.floats(1e-9, 1e-3),
    sample_rate=st.floats(1e-4, 1),
    steps=st.integers(1, 20_000),
)
def test_the_noise_for_a_budget_is_never_too_little_and_hardly_too_much(epsilon, delta, sample_rate, steps):
    sigma = noise_multiplier_for(epsilon, delta, sample_rate, steps)
    assert spent_epsilon([SampledGaussian(sigma, sample_rate, steps)], delta) <= epsilon
    if sigma > 0.1:
        assert spent_epsilon([SampledGaussian(sigma / 1.01, sample_rate, steps)], delta) > epsilon


def test_steps_that_are_told_one_by_one_cost_what_they_cost_together():
    together = [SampledGaussian(1.1, 0.01, 300)]
    one_by_one = [SampledGaussian(1.1, 0.01, 1)] * 300
    assert spent_epsilon(one_by_one, 1e-5) == pytest.approx(spent_epsilon(together, 1e-5), rel=1e-12)


def test_nobody_sampled_costs_nothing_and_everybody_sampled_is_no_sampling():
    assert spent_epsilon([], 1e-5) == spent_epsilon([SampledGaussian(1.0, 0.0, 100)], 1e-5) == 0
    assert spent_epsilon([SampledGaussian(2.0, 1.0, 5)], 1e-5) == spent_epsilon([GaussianRelease(2.0, 5)], 1e-5)


@pytest.mark.parametrize(
    ("event", "exact"),
    [
        (PureRelease(0.5), 0.5),
        (PureRelease(0.01, 20), 0.2),
        (ConcentratedRelease(0.005), 0.4753),  # rho + 2 sqrt(rho log(1/delta)), proposition 1.3 of arXiv 1605.02065
    ],
)
def test_a_release_costs_at_most_what_its_definition_says(event, exact):
    assert 0.7 * exact < spent_epsilon([event], 1e-5) <= exact + 5e-3


def test_many_pure_releases_cost_less_than_their_sum():
    assert 4 < spent_epsilon([PureRelease(0.1, 100)], 1e-5) < 5
    assert spent_epsilon([PureRelease(0.1, 100)], 0) == pytest.approx(10)


def test_a_pure_release_beside_training_costs_at_most_its_epsilon_more():
    training = SampledGaussian(1.1, 0.01, 1000)
    alone, both = spent_epsilon([training], 1e-5), spent_epsilon([training, PureRelease(2.0)], 1e-5)
    assert alone < both <= alone + 2.0


def test_gaussian_noise_has_no_epsilon_at_a_delta_of_zero():
    assert spent_epsilon([GaussianRelease(5.0)], 0) == math.inf


def test_a_zero_concentrated_release_is_a_gaussian_one():
    assert spent_epsilon([ConcentratedRelease(1 / 8, 3)], 1e-6) == spent_epsilon([GaussianRelease(2.0, 3)], 1e-6)


def test_the_privacy_loss_accountant_refuses_what_it_does_not_know():
    with pytest.raises(NotSupportedError, match="accountant='rdp'"):
        spent_epsilon([GaussianRelease(1.0), PureRelease(1.0)], 1e-5, "prv")


@pytest.mark.parametrize(
    "make",
    [
        lambda: GaussianRelease(0.0),
        lambda: GaussianRelease(math.nan),
        lambda: GaussianRelease(1.0, -1),
        lambda: SampledGaussian(1.0, 1.5, 1),
        lambda: SampledGaussian(1.0, math.nan, 1),
        lambda: SampledGaussian(-1.0, 0.5, 1),
        lambda: SampledGaussian(1.0, 0.5, 1.5),
        lambda: PureRelease(math.inf),
        lambda: ConcentratedRelease(-0.1),
        lambda: spent_epsilon([GaussianRelease(1.0)], 1.0),
        lambda: spent_epsilon([GaussianRelease(1.0)], 1e-5, "gdp"),
        lambda: spent_epsilon(["a release"], 1e-5),
        lambda: noise_multiplier_for(0.0, 1e-5, 0.1, 10),
        lambda: noise_multiplier_for(1.0, 0.0, 0.1, 10),
        lambda: noise_multiplier_for(1e-9, 1e-9, 1.0, 10**9),
    ],
)
def test_numbers_that_make_no_sense_are_refused(make):
    with pytest.raises(UsageError):
        make()
