"""PATE's costs: the numbers of 0.2.4 where these are right, the authors' for Gaussian noise, and never below the truth."""

from __future__ import annotations

import importlib
import math
import warnings

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from syft.dp import pate
from syft.dp.pate.gnmax import divergence_to_epsilon, gnmax_divergence, gnmax_log_miss
from syft.exceptions import UsageError
from tests.dp.pate.oracle import epsilons, gaussian_argmax, log_moment, renyi

ORDERS = np.array([1.5, 2.0, 3.0, 5.0, 8.0, 16.0, 20.0, 32.0, 64.0])
TOO_FEW = pytest.mark.filterwarnings("ignore:May not have used enough values of l")


@pytest.fixture
def sample() -> tuple[np.ndarray, np.ndarray]:
    """The votes of 0.2.4's own example: 100 teachers, 50 examples, the first ten unanimous."""
    generator = np.random.RandomState(0)
    votes = (generator.rand(100, 50) * 10).astype(int)
    labels = (generator.rand(50) * 10).astype(int)
    votes[:, 0:10] *= 0
    return votes, labels


# --- Laplace noise: 0.2.4's functions ----------------------------------------------------------------


def test_the_oracle_is_what_the_old_release_computed(sample: tuple[np.ndarray, np.ndarray]) -> None:
    votes, labels = sample
    assert epsilons(votes, list(labels), 0.1) == pytest.approx(1.4828339080100443, abs=1e-12)
    assert epsilons(votes, list(labels), 0.05) == pytest.approx(2.7053469701030526, abs=1e-12)


@TOO_FEW
def test_every_example_counts_once(sample: tuple[np.ndarray, np.ndarray]) -> None:
    """0.2.4 took the labels for row numbers: 1.48 in the place of 6.88."""
    votes, labels = sample
    dependent, independent = pate.perform_analysis(votes, labels, noise_eps=0.1)
    assert dependent == pytest.approx(epsilons(votes, list(range(50)), 0.1), abs=1e-9)
    assert dependent == pytest.approx(6.884694464531147, abs=1e-9)
    assert independent == pytest.approx(7.837641821656743, abs=1e-12)
    assert pate.perform_analysis(votes, np.arange(50), noise_eps=0.1) == (dependent, independent)
    assert pate.perform_analysis(votes, labels, noise_eps=0.05)[1] == pytest.approx(3.64470363785289, abs=1e-12)
    there = pate.perform_analysis_torch(torch.tensor(votes), torch.tensor(labels), noise_eps=0.1)
    assert [float(value) for value in there] == pytest.approx([dependent, independent], rel=1e-6)
    assert [value.shape for value in there] == [(), ()]


@TOO_FEW
def test_unanimous_votes_cost_what_the_old_release_said() -> None:
    votes = np.zeros((100, 20), int)
    votes[0] = np.arange(20) % 3
    rows = np.zeros(20, int)
    assert epsilons(votes, list(rows), 0.1) == pytest.approx(1.4430111853452787, abs=1e-12)
    dependent, independent = pate.perform_analysis(votes, rows, noise_eps=0.1)
    assert dependent == pytest.approx(epsilons(votes, list(range(20)), 0.1), abs=1e-9)
    assert independent == pytest.approx(4.702585092994046, abs=1e-12)


def test_the_helpers_keep_their_numbers() -> None:
    five, hundred, eighty = np.array([5.0, 3.0, 2.0]), np.array([100.0, 0.0, 0.0]), np.array([80.0, 15.0, 5.0])
    assert pate.compute_q_noisy_max(five, 0.1) == pytest.approx(2 / 3, abs=1e-15)
    assert pate.compute_q_noisy_max(hundred, 0.1) == pytest.approx(0.0002723995785749091, abs=1e-17)
    assert pate.logmgf_from_counts(five, 0.1, 4) == pytest.approx(0.4, abs=1e-15)
    assert pate.sens_at_k(eighty, 0.1, 4, 2) == pytest.approx(0.002120073155579263, abs=1e-13)
    assert pate.smoothed_sens(eighty, 0.1, 4, 0.09) == pytest.approx(0.0053096334259650595, abs=1e-13)
    assert pate.compute_q_noisy_max_approx(hundred, 0.1) == pytest.approx(0.0002723995785749091, abs=1e-17)
    assert pate.compute_q_noisy_max_approx(eighty, 0.1) >= pate.compute_q_noisy_max(eighty, 0.1)
    assert pate.sens_at_k(five, 0.1, 4, 3) == 0.0
    with pytest.warns(UserWarning, match=r"l of 5.0 too large to compute sensitivity with noise epsilon 0.5"):
        assert pate.sens_at_k(five, 0.5, 5.0, 0) == 0.0


def test_the_torch_twins_say_the_same() -> None:
    """The old twin changed its counts in place and said 0.0187."""
    eighty = torch.tensor([80.0, 15.0, 5.0])
    numbers = pate.tensors_to_literals(
        [
            pate.compute_q_noisy_max_torch(eighty, 0.1), pate.compute_q_noisy_max_approx_torch(eighty, 0.1),
            pate.logmgf_exact_torch(0.01, 0.2, 4), pate.logmgf_from_counts_torch(eighty, 0.1, 4),
            pate.sens_at_k_torch(eighty, 0.1, 4, 2), pate.smooth_sens_torch(eighty, 0.1, 4, 0.09),
        ]
    )  # fmt: skip
    plain = eighty.double().numpy()
    assert numbers == pytest.approx(
        [
            pate.compute_q_noisy_max(plain, 0.1), pate.compute_q_noisy_max_approx(plain, 0.1),
            pate.logmgf_exact(0.01, 0.2, 4), pate.logmgf_from_counts(plain, 0.1, 4),
            pate.sens_at_k(plain, 0.1, 4, 2), 0.0053096334259650595,
        ],
        rel=1e-6,
    )  # fmt: skip
    assert eighty.tolist() == [80, 15, 5]


@settings(max_examples=100)
@given(st.lists(st.integers(0, 200), min_size=2, max_size=6), st.floats(0.01, 2.0), st.integers(1, 20))
def test_moments_are_those_of_the_book(votes: list[int], noise_eps: float, order: int) -> None:
    counts = [float(count) for count in votes]
    found = pate.logmgf_from_counts(np.array(counts), noise_eps, order)
    assert found == pytest.approx(log_moment(counts, noise_eps, order), rel=1e-9, abs=1e-12)


def test_the_theorem_is_not_used_where_it_does_not_hold() -> None:
    """For surprises above 1/(e^eps + 1) 0.2.4 went below what is true by up to log 2."""
    q, epsilon, order = 0.45, 2.0, 4
    wrong = math.log((1 - q) * ((1 - q) / (1 - math.exp(epsilon) * q)) ** order + q * math.exp(epsilon * order))
    # Randomised response with a surprise of 1/(e^eps + 1) has this moment; a larger surprise does not cost less.
    assert wrong < pate.logmgf_exact(q, epsilon, order) <= epsilon * order


@TOO_FEW
def test_labels_need_not_all_occur() -> None:
    same = np.full((30, 5), 3)
    assert pate.perform_analysis(same, np.zeros(5), 0.5)[0] > 0
    assert pate.perform_analysis(np.zeros((30, 5), int), np.zeros(5), 0.5)[0] > 0


@pytest.mark.parametrize(
    ("votes", "labels", "settings"),
    [
        (np.zeros((3, 4)), np.zeros(3), {}), (np.zeros(4), np.zeros(4), {}), (np.zeros((0, 4)), np.zeros(4), {}),
        (np.full((3, 4), -1), np.zeros(4), {}), (np.full((3, 4), 0.5), np.zeros(4), {}),
        (np.zeros((3, 4)), np.zeros(4), {"noise_eps": 0}), (np.zeros((3, 4)), np.zeros(4), {"delta": 1}),
        (np.zeros((3, 4)), np.zeros(4), {"moments": 0}),
    ],
)  # fmt: skip
def test_votes_that_do_not_fit_are_refused(votes: np.ndarray, labels: np.ndarray, settings: dict[str, float]) -> None:
    with pytest.raises(UsageError):
        pate.perform_analysis(votes, labels, **{"noise_eps": 0.1, **settings})  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="there are 2 classes"):
        pate.vote_counts(np.array([[2]]), num_classes=2)


def test_too_few_moments_are_said() -> None:
    votes, labels = np.zeros((100, 20), int), np.zeros(20, int)
    with pytest.warns(UserWarning, match="May not have used enough values of l. Increase 'moments'"):
        pate.perform_analysis(votes, labels, 0.1)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        pate.perform_analysis(votes, labels, 0.1, moments=60)


def test_the_old_path_leads_here() -> None:
    assert importlib.import_module("syft.frameworks.torch.dp.pate") is pate
    assert importlib.import_module("syft.frameworks.torch.dp").pate is pate


# --- Gaussian noise ----------------------------------------------------------------------------------

VOTES = np.array(
    [[240, 2, 2, 1, 1, 1, 1, 1, 1, 0], [150, 60, 20, 10, 10, 0, 0, 0, 0, 0], [200, 30, 10, 10, 0, 0, 0, 0, 0, 0]]
)
# Of the authors' own program (the folder pate_2018 of tensorflow/privacy), for a sigma of 20; with a threshold of 180
# and noise of 25 on it for the second.
AUTHORS = [0.00043724, 0.00045268, 0.0004882, 0.00058297, 0.00081701, 0.00296724, 0.00645036, 0.04701742, 0.31829585]
AUTHORS_THRESHOLD = [0.0036, 0.0048, 0.00703331, 0.01039268, 0.01548787, 0.02956921, 0.03702676, 0.06246764, 0.15170645]


def test_costs_are_those_of_the_authors_program() -> None:
    every = pate.Aggregator(20.0)
    curve = every.curve(VOTES, np.zeros(3), list(ORDERS))
    assert curve == pytest.approx(AUTHORS, abs=5e-9)
    classical = (curve - math.log(1e-5) / (ORDERS - 1)).min()  # their conversion, which ours is never above
    assert classical == pytest.approx(0.4184021134023642, abs=1e-8)
    assert divergence_to_epsilon(curve, 1e-5, list(ORDERS)) < classical
    sure = pate.Aggregator(20.0, 180, 25.0)
    nothing = np.full(3, pate.UNANSWERED)
    assert sure.curve(VOTES, nothing, list(ORDERS)) == pytest.approx(AUTHORS_THRESHOLD, abs=5e-9)
    both = sure.curve(VOTES, np.zeros(3), list(ORDERS))
    assert both == pytest.approx(np.add(AUTHORS, AUTHORS_THRESHOLD), abs=1e-8)


@pytest.mark.parametrize("sigma", [2.0, 5.0, 15.0])
@pytest.mark.parametrize("lead", [0, 0.5, 1, 2, 4, 6, 8])
def test_costs_are_never_below_the_truth(sigma: float, lead: float) -> None:
    """Against the divergence itself, between the laws of the winner for votes that differ in one teacher's."""
    counts = np.array([40.0 + lead * sigma, 40.0, 40.0 - sigma])
    here = gaussian_argmax(counts, sigma)
    bound = gnmax_divergence(gnmax_log_miss(counts[None], sigma), sigma, ORDERS)[0]
    assert 1 - here[0] <= math.exp(gnmax_log_miss(counts[None], sigma)[0]) * (1 + 1e-6) + 1e-14
    for change in ((-1, 1, 0), (1, -1, 0), (-1, 0, 1), (0, -1, 1)):
        there = gaussian_argmax(counts + change, sigma)
        for order, most in zip(ORDERS, bound, strict=True):
            assert renyi(here, there, order) <= most * (1 + 1e-6) + 1e-9
            assert most <= order / sigma**2


def test_agreement_is_cheap() -> None:
    aggregator = pate.Aggregator(sigma=4.0)
    agreed, split = np.tile([200, 0, 0], (100, 1)), np.tile([70, 65, 65], (100, 1))
    labels = np.zeros(100)
    cheap, dear = aggregator.cost(agreed, labels, 1e-5), aggregator.cost(split, labels, 1e-5)
    assert cheap.data_dependent < dear.data_dependent / 20
    assert dear.data_dependent == pytest.approx(dear.data_independent)
    assert cheap.data_independent == dear.data_independent


def test_the_aggregator_answers_what_most_teachers_say() -> None:
    assert pate.Aggregator(1.0).answer(VOTES).tolist() == [0, 0, 0]
    sure = pate.Aggregator(1.0, threshold=220, sigma_threshold=1.0)
    assert sure.answer(VOTES).tolist() == [0, pate.UNANSWERED, pate.UNANSWERED]
    cost = sure.cost(VOTES, sure.answer(VOTES), 1e-5)
    assert cost.answered == 1
    noisy = pate.Aggregator(1000.0).answer(np.tile([10, 9, 8], (300, 1)))
    assert set(noisy) == {0, 1, 2}
    torch.manual_seed(0)
    again = pate.Aggregator(1000.0).answer(np.tile([10, 9, 8], (300, 1)))
    assert (noisy != again).any()


def test_how_often_others_win_is_as_the_law_says() -> None:
    counts, sigma, times = np.array([12.0, 10.0, 5.0]), 4.0, 40_000
    answers = pate.Aggregator(sigma).answer(np.tile(counts, (times, 1)))
    expected = gaussian_argmax(counts, sigma) * times
    seen = np.bincount(answers, minlength=3)
    assert np.abs(seen - expected).max() < 5.2 * math.sqrt(times / 4)  # a false alarm in 10^6
    wrong = gaussian_argmax(counts, sigma * 2 / 3) * times
    assert np.abs(seen - wrong).max() > 5.2 * math.sqrt(times / 4)


@pytest.mark.parametrize(
    "make",
    [
        lambda: pate.Aggregator(0), lambda: pate.Aggregator(1.0, threshold=3),
        lambda: pate.Aggregator(1.0, 3, -1.0), lambda: pate.Aggregator(1.0).answer(np.zeros(3)),
        lambda: pate.Aggregator(1.0).answer(np.full((1, 2), math.nan)), lambda: pate.Aggregator(1.0).answer([[1]]),
        lambda: pate.Aggregator(1.0).cost(VOTES, np.zeros(3), 0),
    ],
)  # fmt: skip
def test_aggregators_that_make_no_sense_are_refused(make: object) -> None:
    with pytest.raises(UsageError):
        make()  # type: ignore[operator]
