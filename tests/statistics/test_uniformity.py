"""The toolkit accepts what is uniform, at the rate that it states, and rejects the mistakes that others have made."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest
import torch

from tests.statistics.uniformity import (
    PER_CELL,
    WORDS,
    Implausible,
    assert_plausible,
    assert_same_distribution,
    assert_uniform,
    assert_uniform_residues,
    bit_scores,
    bits_p_value,
    chi_square_tail,
    duplicates,
    duplicates_p_value,
    holes_p_value,
    neighbours_p_value,
    residues_p_value,
    top_bits,
    two_sample_p_value,
)

MANY = 1 << 17


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def words(count: int = MANY, seed: int = 0) -> torch.Tensor:
    # Without bounds, `random_` leaves the top bit alone.
    return torch.randint(0, 256, (count, 8), dtype=torch.uint8, generator=seeded(seed)).view(torch.int64).flatten()


def residues(ring: int, count: int = MANY, seed: int = 0) -> torch.Tensor:
    return torch.randint(ring, (count,), generator=seeded(seed))


# --- the tail ----------------------------------------------------------------------------------------


def closed_form(statistic: float, freedom: int) -> float:
    """By the recurrence Q(a + 1, x) = Q(a, x) + x^a e^-x / Gamma(a + 1); all its terms are positive."""
    x, a = statistic / 2, 0.5 if freedom % 2 else 1.0
    tail = math.erfc(math.sqrt(x)) if freedom % 2 else math.exp(-x)
    while a < freedom / 2:
        tail += math.exp(a * math.log(x) - x - math.lgamma(a + 1))
        a += 1
    return tail


@pytest.mark.parametrize("freedom", [1, 2, 3, 15, 16, 63, 64, 250, 255, 4095])
@pytest.mark.parametrize("deviations", [-2.0, 0.0, 3.0, 8.0, 15.0, 40.0])
def test_the_tail_is_that_of_chi_square(freedom: int, deviations: float) -> None:
    statistic = max(0.5, freedom + deviations * math.sqrt(2 * freedom))
    assert chi_square_tail(statistic, freedom) == pytest.approx(closed_form(statistic, freedom), rel=1e-8, abs=1e-300)


@pytest.mark.parametrize(
    ("statistic", "freedom", "tail"),
    [  # computed with 50 digits
        (23.92812697687947, 1, 1e-6),
        (100.0, 15, 1.3047043436251444e-14),
        (800.0, 256, 2.6917933417203328e-57),
        (600.0, 100, 2.4188285833464858e-72),
    ],
)
def test_known_values_of_the_far_tail(statistic: float, freedom: int, tail: float) -> None:
    assert chi_square_tail(statistic, freedom) == pytest.approx(tail, rel=1e-9, abs=0)


def exact_rate(cells: int, per_cell: int, alpha: float) -> float:
    """How often the sum of (x - m)^2 / m over Poisson counts x is at least chi-square's quantile, by convolution."""
    low, high = 0.0, 10.0 * cells + 200
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if chi_square_tail(middle, cells) > alpha else (low, middle)
    counts = torch.arange(5 * per_cell, dtype=torch.float64)
    chances = (counts * math.log(per_cell) - per_cell - torch.lgamma(counts + 1)).exp()
    squares = ((counts - per_cell) ** 2).long()
    size = 1 << math.ceil(math.log2(2 * high * per_cell))  # so that what wraps around is far beyond the quantile
    kept = squares < size
    one = torch.zeros(size, dtype=torch.float64).index_add(0, squares[kept], chances[kept])
    total = torch.fft.irfft(torch.fft.rfft(one) ** cells, size)
    return float(total[math.ceil(low * per_cell) :].sum())


@pytest.mark.parametrize("cells", [16, 256])
def test_the_stated_rate_holds_with_the_least_number_of_values(cells: int) -> None:
    assert 1e-6 < exact_rate(cells, PER_CELL, 1e-6) < 1.6e-6
    assert exact_rate(cells, PER_CELL // 20, 1e-6) > 6e-6  # the control: fewer would not do


def test_p_values_of_counts_worked_out_by_hand() -> None:
    low, high = torch.tensor([0] * 90 + [1] * 110), torch.tensor([0] * 110 + [1] * 90)
    assert residues_p_value(low, 2) == pytest.approx(math.erfc(1.0))  # (10^2 + 10^2) / 100 = 2 = (sqrt(2) sigma)^2
    assert two_sample_p_value(low, high, 2) == pytest.approx(math.erfc(math.sqrt(2)))  # (20^2 + 20^2) / 200 = 4
    assert holes_p_value(low, 2) == 1
    assert holes_p_value(torch.zeros(200).long(), 2) == pytest.approx(2.0**-199, rel=1e-9, abs=0)
    assert bits_p_value(torch.tensor([-1, 1, 1, 1])) == pytest.approx(1.0)
    assert bits_p_value(torch.zeros(100).long()) == pytest.approx(64 * math.erfc(10 / math.sqrt(2)), rel=1e-9, abs=0)


# --- what is uniform passes ---------------------------------------------------------------------------


def test_uniform_values_pass() -> None:
    assert_uniform(words(WORDS))
    assert_uniform(words(1 << 20, seed=1).reshape(1024, -1))
    for ring in (2, 3, 16, 251, 256, 1000):
        assert_uniform_residues(residues(ring), ring)
        assert_uniform_residues(residues(ring) - 5 * ring // 2, ring)
    assert_same_distribution(residues(16).reshape(-1, 2), residues(16, seed=1).reshape(-1, 2), 16)


@pytest.mark.parametrize(
    "p_value",
    [
        lambda seed: residues_p_value(residues(16, 1600, seed), 16),
        lambda seed: residues_p_value(residues(16, 6400, seed), 16),
        lambda seed: two_sample_p_value(residues(8, 6400, seed), residues(8, 6400, seed + 1000), 8),
        lambda seed: two_sample_p_value(
            residues(4, 3200, seed).reshape(-1, 2), residues(4, 3200, seed + 1000).reshape(-1, 2), 4
        ),
        lambda seed: 1 - (1 - bits_p_value(words(1600, seed)) / 64) ** 64,
    ],
    ids=["residues", "more residues", "two samples", "two samples of pairs", "bits"],
)
def test_p_values_of_uniform_values_are_spread_evenly(p_value: Callable[[int], float]) -> None:
    each = torch.tensor([p_value(seed) for seed in range(200)], dtype=torch.float64)
    # A standard deviation of a share p is sqrt(p (1 - p) / 200).
    for share in (0.1, 0.3, 0.5):
        assert abs(float((each <= share).double().mean()) - share) < 4 * math.sqrt(share * (1 - share) / 200)


def test_bits_score_as_standard_normal() -> None:
    scores = torch.stack([bit_scores(words(4096, seed)) for seed in range(50)])
    assert abs(float(scores.mean())) < 4 / math.sqrt(scores.numel())
    assert float(scores.std()) == pytest.approx(1, abs=4 / math.sqrt(2 * scores.numel()))


# --- what is not uniform does not ---------------------------------------------------------------------


def syft_0_2(ring: int, count: int = MANY) -> torch.Tensor:
    """PySyft 0.2.4, additive_shared.py, `generate_shares`: the upper bound of `random_` is exclusive."""
    return torch.empty(count, dtype=torch.int64).random_(-ring // 2, ring // 2 - 1, generator=seeded())


def crypten(ring: int, count: int = MANY) -> torch.Tensor:
    """CrypTen, common/rng.py, `generate_random_ring_element`: the upper bound of `randint` is exclusive."""
    return torch.randint(-(ring // 2), (ring - 1) // 2, (count,), generator=seeded())


def test_control_the_generator_of_0_2_4_never_draws_7_of_16() -> None:
    drawn = syft_0_2(16)
    assert drawn.remainder(16).unique().tolist() == [*range(7), *range(8, 16)]
    with pytest.raises(Implausible, match=r"residues \(p = .*missing residues \(p = 0"):
        assert_uniform_residues(drawn, 16)


@pytest.mark.parametrize("draw", [syft_0_2, crypten])
@pytest.mark.parametrize("ring", [16, 256, 1024])
def test_control_a_bound_off_by_one_is_found(draw: Callable[[int], torch.Tensor], ring: int) -> None:
    with pytest.raises(Implausible, match="missing residues"):
        assert_uniform_residues(draw(ring), ring)


def test_control_a_bound_off_by_one_is_found_in_an_odd_ring() -> None:
    with pytest.raises(Implausible):
        assert_uniform_residues(crypten(251), 251)


def test_control_in_a_large_ring_only_the_missing_residue_is_seen() -> None:
    ring = 1 << 13
    drawn = crypten(ring, 1 << 20)
    assert residues_p_value(drawn, ring) > 1e-6
    assert holes_p_value(drawn, ring) < 1e-30


def test_control_one_residue_a_little_more_often_is_found() -> None:
    drawn = residues(16)
    drawn[::200] = 3
    with pytest.raises(Implausible, match="residues"):
        assert_uniform_residues(drawn, 16)


def biased(bit: int) -> torch.Tensor:
    ones = (torch.rand(1 << 18, generator=seeded(1)) < 0.51).long()
    return words(1 << 18) & ~(1 << bit if bit < 63 else -(1 << 63)) | (ones << bit)


NOT_UNIFORM: dict[str, tuple[Callable[[], torch.Tensor], str]] = {
    "62 bits": (lambda: torch.randint(1 << 62, (MANY,), generator=seeded()), "top byte"),
    "62 bits and a sign": (lambda: syft_0_2(1 << 62), "top byte"),
    "no top bit": (lambda: torch.empty(MANY, dtype=torch.int64).random_(generator=seeded()), "bits"),
    "even": (lambda: words() << 1, "bottom byte"),
    "lowest bit biased": (lambda: biased(0), "bits"),
    "middle bit biased": (lambda: biased(31), "bits"),
    "highest bit biased": (lambda: biased(63), "bits"),
    "one value": (lambda: words(1).expand(MANY), "repeated words"),
    "second half repeats the first": (lambda: words(MANY // 2).repeat(2), "repeated words"),
    "every value twice": (lambda: words(MANY // 2).repeat_interleave(2), "neighbours"),
    "counter after each value": (lambda: torch.stack([words(), words() + 1], 1), "neighbours"),
    "zeros": (lambda: torch.zeros(MANY, dtype=torch.int64), "bits"),
}


@pytest.mark.parametrize("name", NOT_UNIFORM)
def test_control_words_that_are_not_uniform_are_found(name: str) -> None:
    draw, finding = NOT_UNIFORM[name]
    with pytest.raises(Implausible, match=finding):
        assert_uniform(draw())


def test_control_a_middle_bit_shows_in_the_bits_only() -> None:
    scores = bit_scores(biased(31)).abs()
    assert int(scores.argmax()) == 31
    assert float(scores[31]) == pytest.approx(0.02 * math.sqrt(1 << 18), abs=4)
    assert residues_p_value(top_bits(biased(31), 8), 256) > 1e-6


@pytest.mark.parametrize("mask", [0xF, -1 << 60], ids=["bottom", "top"])
def test_control_a_few_bits_that_repeat_are_found(mask: int) -> None:
    one, other = words(), words(seed=1)
    half_repeated = torch.stack([one, one & mask | other & ~mask], 1).flatten()
    assert neighbours_p_value(half_repeated) < 1e-100


def test_control_words_that_depend_on_the_one_before() -> None:
    assert neighbours_p_value(words()) > 1e-6
    assert neighbours_p_value(torch.stack([words(), -words()], 1).flatten()) < 1e-100
    assert duplicates_p_value(torch.stack([words(), -words()], 1).flatten()) == 1


def test_duplicates_are_counted() -> None:
    assert duplicates(torch.tensor([3, 1, 3, 3, -1, 1])) == 3
    assert duplicates(words()) == 0
    assert duplicates_p_value(words()) == 1
    one = words(1 << 20)
    one[7] = one[70]
    assert duplicates_p_value(one) == pytest.approx(2.0**-25, rel=1e-5, abs=0)
    with pytest.raises(Implausible, match="repeated words"):
        assert_uniform(one)
    one[8] = one[80]
    assert duplicates_p_value(one) == pytest.approx(2.0**-51, rel=1e-5, abs=0)


# --- what a coalition sees ----------------------------------------------------------------------------


def shares(secret: int, parties: int, mask: Callable[[int], torch.Tensor], ring: int = 16) -> torch.Tensor:
    """Additive shares of one secret, a row each time."""
    masks = mask(ring).reshape(-1, parties - 1)
    return torch.cat([masks, secret - masks.sum(1, keepdim=True)], 1) % ring


def uniform(seed: int) -> Callable[[int], torch.Tensor]:
    return lambda ring: residues(ring, 2 * MANY, seed)


@pytest.mark.parametrize("missing", [0, 1, 2])
def test_all_but_one_share_say_nothing(missing: int) -> None:
    seen = [party for party in range(3) if party != missing]
    one, other = shares(0, 3, uniform(1)), shares(5, 3, uniform(2))
    assert_same_distribution(one[:, seen], other[:, seen], 16)


def test_control_all_shares_say_everything() -> None:
    one, other = shares(0, 2, uniform(1)), shares(1, 2, uniform(2))
    with pytest.raises(Implausible, match="joint distributions"):
        assert_same_distribution(one, other, 16)


def test_control_the_last_share_of_0_2_4_depends_on_the_secret() -> None:
    one, other = shares(0, 2, syft_0_2)[:, 1], shares(5, 2, lambda ring: syft_0_2(ring).flip(0))[:, 1]
    assert (one == 9).sum() == 0
    assert (other == 9).sum() > 0
    with pytest.raises(Implausible):
        assert_same_distribution(one, other, 16)


def test_control_shares_that_are_uniform_one_by_one_but_not_together() -> None:
    mask = residues(16, seed=3)
    one, other = torch.stack([mask, mask], 1), torch.stack([mask, mask + 1], 1).flip(0)
    for party in (0, 1):
        assert_same_distribution(one[:, party], other[:, party], 16)
    with pytest.raises(Implausible):
        assert_same_distribution(one, other, 16)


def test_distributions_need_not_be_uniform_to_be_the_same() -> None:
    one, other = (residues(16, seed=seed) ** 2 for seed in (1, 2))
    assert_same_distribution(one, other, 16)
    assert two_sample_p_value(residues(1), residues(1), 16) == 1


# --- the assertions themselves ------------------------------------------------------------------------


def test_the_rate_is_shared_out_among_the_tests() -> None:
    assert_plausible({"a": 1.1e-6})
    assert_plausible({"a": 0.6e-6, "b": 1.0})
    with pytest.raises(Implausible, match=r"less often than 5.0e-07: b \(p = 4.0e-07\)"):
        assert_plausible({"a": 1.0, "b": 0.4e-6})
    with pytest.raises(Implausible):
        assert_plausible({"a": 0.04}, alpha=0.05)
    with pytest.raises(Implausible):
        assert_plausible({"a": math.nan})


def test_too_few_values_are_refused() -> None:
    with pytest.raises(ValueError, match="1599 values are too few for 16 cells; draw at least 1600"):
        residues_p_value(residues(16, 1599), 16)
    with pytest.raises(ValueError, match="too few for 256 cells"):
        two_sample_p_value(residues(16, 3200).reshape(-1, 2), residues(16, 3200).reshape(-1, 2), 16)
    with pytest.raises(ValueError, match=r"shapes \(1600,\) and \(1601,\)"):
        two_sample_p_value(residues(16, 1600), residues(16, 1601), 16)
    with pytest.raises(ValueError, match="too few"):
        assert_uniform(words(WORDS - 2))
