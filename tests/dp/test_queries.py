"""Private questions: right on average, charged as said, and moved by one row no more than is charged for."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from syft.dp.accounting import noise_multiplier_for, spent_epsilon
from syft.dp.events import PureRelease
from syft.dp.mechanisms import GaussianMechanism, LaplaceMechanism
from syft.dp.queries import Bounds, Count, Histogram, Mean, Noise, Quantile, Query, Sum, check_rows
from syft.exceptions import UsageError
from tests.statistics.laws import gaussian_below, laplace_below, law_p_value
from tests.statistics.uniformity import ALPHA

HARDLY = Noise(1e6)
AGES = torch.tensor([31.0, 47.0, 25.0, 88.0, 61.0])
BETWEEN = Bounds(0, 120)


def test_answers_are_right_up_to_noise() -> None:
    assert Sum(HARDLY, BETWEEN).answer(AGES) == pytest.approx(252, abs=0.1)
    assert Mean(HARDLY, BETWEEN).answer(AGES) == pytest.approx(50.4, abs=0.1)
    assert Count(HARDLY).answer(AGES) == 5
    assert Count(HARDLY, Bounds(30, 61)).answer(AGES) == 3
    assert Histogram(HARDLY, (0, 30, 60, 90)).answer(AGES) == [1, 2, 2]
    assert Quantile(HARDLY, BETWEEN, 0.5, 120).answer(AGES) == pytest.approx(47, abs=1)
    assert Quantile(HARDLY, BETWEEN, 1.0, 120).answer(AGES) >= 88
    assert Quantile(HARDLY, BETWEEN, 0.0, 120).answer(AGES) <= 25


def test_rows_of_several_numbers() -> None:
    rows = torch.stack([AGES, AGES + 1], 1)
    assert Sum(HARDLY, BETWEEN).answer(rows) == pytest.approx([252, 257], abs=0.1)
    assert Mean(HARDLY, BETWEEN).answer(rows) == pytest.approx([50.4, 51.4], abs=0.1)
    assert np.shape(Sum(HARDLY, BETWEEN).answer(torch.zeros(3, 2, 4))) == (2, 4)
    for query in (Histogram(HARDLY, (0, 1)), Quantile(HARDLY, BETWEEN), Count(HARDLY, BETWEEN)):
        with pytest.raises(UsageError, match="choose a column"):
            query.check(rows.shape)


@pytest.mark.parametrize("dtype", [torch.uint8, torch.int64, torch.float16, torch.bfloat16, torch.float64])
def test_every_real_dtype_has_answers(dtype: torch.dtype) -> None:
    assert Mean(HARDLY, BETWEEN).answer(AGES.to(dtype)) == pytest.approx(50.4, abs=0.3)
    assert Count(HARDLY, Bounds(0, 1)).answer(torch.tensor([True, False])) == 2


def test_sums_do_not_overflow_and_do_not_depend_on_the_order() -> None:
    largest = torch.full((8,), 2**63 - 1)
    bounds = Bounds(0, 2.0**63)
    total = Sum(Noise(1e6), bounds).answer(largest)
    assert total == pytest.approx(8 * 2.0**63, rel=1e-5)
    mixed = torch.tensor([1e16, 1.0, -1e16, 3.0], dtype=torch.float64)  # floats would lose the ones
    exact, rows = Bounds(-1e16, 1e16).total(mixed)
    assert exact == Bounds(-1e16, 1e16).total(mixed.flip(0))[0]
    assert rows == 4
    many = torch.full((3_000_000,), 1.0)
    steps, _ = Bounds(-1, 1).total(many)
    assert steps == [3_000_000 * Bounds(-1, 1).steps[1]]


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf, 1e308])
@pytest.mark.parametrize("bounds", [Bounds(-1, 1), Bounds(2, 3), Bounds(-3, -2), Bounds(0.1, 1e6)])
def test_no_row_moves_a_sum_by_more_than_its_bound(bad: float, bounds: Bounds) -> None:
    rows = torch.tensor([bad, 2.5], dtype=torch.float64)
    with_it, without = bounds.total(rows)[0][0], bounds.total(rows[1:])[0][0]
    low, high = bounds.steps
    assert low <= with_it - without <= high


@settings(max_examples=200, deadline=None)
@given(
    st.lists(st.floats(allow_nan=True, allow_infinity=True, width=32), min_size=1, max_size=6),
    st.floats(-1e6, 1e6),
    st.floats(1e-3, 1e6),
)
def test_sensitivity_holds_for_any_rows_and_bounds(rows: list[float], lower: float, width: float) -> None:
    bounds = Bounds(lower, lower + width) if lower + width > lower else Bounds(0, 1)
    values = torch.tensor(rows)
    with_it, without = bounds.total(values)[0][0], bounds.total(values[1:])[0][0]
    query = Sum(Noise(1.0), bounds)
    sensitivity = Fraction(query.noise.mechanism(1.0).sensitivity) * max(map(abs, bounds.steps))
    assert abs(with_it - without) <= sensitivity


@pytest.mark.parametrize("missing", [0, 1, 4])
def test_a_quantile_is_moved_by_no_more_than_its_sensitivity(missing: int, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[tuple[np.ndarray, int]] = []

    def choose(scores: Any, sensitivity: int, epsilon: float) -> int:
        seen.append((np.array(scores), sensitivity))
        return 0

    monkeypatch.setattr("syft.dp.queries.report_noisy_max", choose)
    for q in (0.0, 0.25, 0.5, 0.9):
        query = Quantile(Noise(1.0), BETWEEN, q, 50)
        query.answer(AGES)
        query.answer(torch.cat([AGES[:missing], AGES[missing + 1 :]]))
        (before, sensitivity), (after, _) = seen[-2:]
        assert np.abs(before - after).max() <= sensitivity
        assert sensitivity < 10_001


def test_costs_are_those_that_were_asked_for() -> None:
    for query in (
        Sum(Noise(0.5), BETWEEN), Mean(Noise(0.5), BETWEEN), Count(Noise(0.5)), Histogram(Noise(0.5), (0, 1)),
        Quantile(Noise(0.5), BETWEEN),
    ):  # fmt: skip
        assert spent_epsilon(query.events((5,)), 0.0) == pytest.approx(0.5)
        assert all(isinstance(event, PureRelease) for event in query.events((5,)))
    for gaussian in (Sum(Noise(0.5, 1e-6), BETWEEN), Mean(Noise(0.5, 1e-6), BETWEEN), Count(Noise(0.5, 1e-6))):
        assert 0.49 < spent_epsilon(gaussian.events((5, 3)), 1e-6) <= 0.5 * (1 + 1e-9)


def test_noise_grows_with_the_numbers_in_a_row() -> None:
    """Laplace noise in proportion to their number, Gaussian noise to its root."""
    shape = (1, 400)
    for noise, factor in ((Noise(1.0), 400), (Noise(1.0, 1e-5), 20)):
        one = Sum(noise, Bounds(-1, 1))._mechanism((1,))
        many = Sum(noise, Bounds(-1, 1))._mechanism(shape)
        assert many.sensitivity / one.sensitivity == pytest.approx(factor)
        answers = np.array(Sum(noise, Bounds(-1, 1)).answer(torch.zeros(shape)))
        assert np.abs(answers).mean() > factor / 2


def test_a_mean_stays_within_its_bounds() -> None:
    for _ in range(20):
        assert 0 <= Mean(Noise(1e-3), BETWEEN).answer(AGES) <= 120
        assert 0 <= Mean(Noise(1e-3), BETWEEN).answer(AGES[:0]) <= 120


def test_bounds_that_lie_only_clip() -> None:
    assert Mean(HARDLY, Bounds(0, 10)).answer(AGES) == pytest.approx(10, abs=0.01)
    assert Sum(HARDLY, Bounds(0, 1e-3)).answer(AGES) == pytest.approx(5e-3, rel=1e-2)


@pytest.mark.parametrize(
    ("lower", "upper"),
    [(1, 0), (1, 1), (math.nan, 1), (0, math.inf), (0, "1"), (0, 1e31), (0, 1e-31), (None, 1), (torch.tensor(0), 1)],
)
def test_bounds_that_bound_nothing_are_refused(lower: Any, upper: Any) -> None:
    with pytest.raises(UsageError, match=r"bound"):
        Bounds(lower, upper)


@pytest.mark.parametrize(
    "make",
    [
        lambda: Noise(0), lambda: Noise(math.nan), lambda: Noise(1.0, 1), lambda: Noise(1.0, "0"),
        lambda: Histogram(HARDLY, (1,)), lambda: Histogram(HARDLY, (1, 1)), lambda: Histogram(HARDLY, (0, math.inf)),
        lambda: Histogram(HARDLY, (0, 1e31)), lambda: Quantile(Noise(1.0, 1e-6), BETWEEN),
        lambda: Quantile(HARDLY, BETWEEN, 1.1), lambda: Quantile(HARDLY, BETWEEN, 0.5, 0),
        lambda: Quantile(HARDLY, BETWEEN, "0"), lambda: check_rows(torch.tensor(1.0)),
        lambda: check_rows(torch.zeros(2, dtype=torch.complex64)), lambda: check_rows(torch.eye(2).to_sparse()),
        lambda: check_rows(torch.zeros(1, 10_001)),
    ],
)  # fmt: skip
def test_questions_that_make_no_sense_are_refused(make: Any) -> None:
    with pytest.raises(UsageError):
        make()


def test_counts_are_noisy_integers() -> None:
    queries: list[Query] = [Count(Noise(0.1)), Count(Noise(0.1, 1e-5))]
    for query in queries:
        answers = {query.answer(AGES) for _ in range(30)}
        assert len(answers) > 3
        assert all(type(answer) is int for answer in answers)


@pytest.mark.parametrize(
    ("noise", "below"),
    [(Noise(0.5), laplace_below(2.0)), (Noise(0.5, 1e-6), gaussian_below(noise_multiplier_for(0.5, 1e-6, 1.0, 1)))],
)
def test_answers_have_the_noise_that_is_charged_for(noise: Noise, below: Any) -> None:
    """3000 answers each, as an answer takes longer than a sample; a false alarm in 10^6."""
    query = Sum(noise, Bounds(-1, 1))
    noises = np.array([query.answer(torch.tensor([0.25, 0.5])) - 0.75 for _ in range(3000)])
    assert law_p_value(noises, below) > ALPHA
    for wrong in (2 / 3, 3 / 2):
        assert law_p_value(noises * wrong, below) < ALPHA


def test_answers_are_on_a_grid() -> None:
    thirds = torch.tensor([1 / 3, 1 / 7, 1 / 11], dtype=torch.float64)
    for query, exponent in (
        (Sum(Noise(1.0), Bounds(0, 1)), LaplaceMechanism(1.0, 1.0).grid()),
        (Sum(Noise(1.0, 1e-5), Bounds(0, 1)), GaussianMechanism(1.0, noise_multiplier_for(1.0, 1e-5, 1.0, 1)).grid()),
        (Mean(Noise(1.0), Bounds(0, 1)), Bounds(0, 1).exponent),
    ):
        answers = np.ldexp([query.answer(thirds) for _ in range(500)], -exponent)
        assert (answers == np.rint(answers)).all()
        textbook = np.ldexp(float(thirds.sum()) + np.random.default_rng(0).laplace(size=500), -exponent)
        assert (textbook == np.rint(textbook)).mean() < 0.5
