"""Partitions: every index exactly once, seeded, and skewed in the way that was asked for."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.utils.data import TensorDataset

from syft.exceptions import FederatedError
from syft.federated.partition import Dirichlet, Iid, Partitioner, QuantitySkew, Shards, _dirichlet, split

LABELS = torch.arange(6000) % 10


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def make(kind: str, parts: int, seed: int, *, alpha: float = 0.5, min_samples: int = 1) -> Partitioner:
    generator = seeded(seed)
    return {
        "iid": Iid(parts, generator),
        "dirichlet": Dirichlet(parts, alpha, min_samples, generator),
        "shards": Shards(parts, 2, generator),
        "quantity": QuantitySkew(parts, alpha, min_samples, generator),
    }[kind]


KINDS = ["iid", "dirichlet", "shards", "quantity"]


@pytest.mark.parametrize("kind", KINDS)
@given(
    labels=st.lists(st.integers(-2, 5), min_size=14, max_size=120),
    parts=st.integers(1, 7),
    seed=st.integers(0, 2**32),
    alpha=st.sampled_from([1e-3, 0.1, 1.0, 1000.0]),
    min_samples=st.integers(0, 2),
)
@settings(max_examples=60, deadline=None)
def test_every_index_occurs_exactly_once(
    kind: str, labels: list[int], parts: int, seed: int, alpha: float, min_samples: int
) -> None:
    targets = torch.tensor(labels)
    result = make(kind, parts, seed, alpha=alpha, min_samples=min_samples)(targets)
    assert len(result) == parts
    assert all(part.dtype == torch.int64 and torch.equal(part, part.sort().values) for part in result)
    assert sorted(torch.cat(result).tolist()) == list(range(len(labels)))
    if kind in ("dirichlet", "quantity"):
        assert min(map(len, result)) >= min_samples
    again = make(kind, parts, seed, alpha=alpha, min_samples=min_samples)(labels)
    assert all(torch.equal(one, other) for one, other in zip(result, again, strict=True))


@pytest.mark.parametrize("kind", KINDS)
def test_another_seed_gives_another_partition(kind: str) -> None:
    first, second = (make(kind, 4, seed)(LABELS) for seed in (0, 1))
    assert any(not torch.equal(a, b) for a, b in zip(first, second, strict=True))


@pytest.mark.parametrize("kind", KINDS)
def test_the_default_generator_is_torchs(kind: str) -> None:
    maker = {"iid": Iid, "dirichlet": Dirichlet, "shards": Shards, "quantity": QuantitySkew}[kind]
    torch.manual_seed(3)
    first = maker(4)(LABELS)
    torch.manual_seed(3)
    assert all(torch.equal(a, b) for a, b in zip(first, maker(4)(LABELS), strict=True))


def test_iid_parts_are_even_and_look_alike() -> None:
    parts = Iid(7, seeded())(LABELS)
    assert {len(part) for part in parts} == {857, 858}
    for part in parts:
        counts = torch.bincount(LABELS[part], minlength=10)
        assert counts.min() > 50  # 86 expected, 9 the standard deviation


def largest_share(alpha: float) -> float:
    shares = []
    for part in Dirichlet(5, alpha, generator=seeded())(LABELS):
        counts = torch.bincount(LABELS[part], minlength=10).double()
        shares.append(float(counts.max() / counts.sum()))
    return sum(shares) / len(shares)


def test_dirichlet_skew_grows_as_alpha_falls() -> None:
    harsh, medium, even = (largest_share(alpha) for alpha in (0.05, 1.0, 1000.0))
    assert harsh > medium > even
    assert even < 0.13
    assert harsh > 0.35


def test_dirichlet_fills_up_small_parts() -> None:
    parts = Dirichlet(50, 1e-4, min_samples=20, generator=seeded())(LABELS)
    assert min(map(len, parts)) >= 20


def test_shards_see_few_classes() -> None:
    parts = Shards(20, 2, seeded())(LABELS)
    assert {len(part) for part in parts} == {300}
    assert all(len(LABELS[part].unique()) <= 2 for part in parts)


def test_which_samples_of_a_class_share_a_shard_is_random() -> None:
    labels = torch.zeros(100, dtype=torch.int64)
    (first, _) = Shards(2, 1, seeded())(labels)
    assert first.max() > 60
    assert first.min() < 40


def test_quantity_skew_differs_in_size_and_not_in_mix() -> None:
    parts = QuantitySkew(5, 0.3, generator=seeded(4))(LABELS)
    sizes = sorted(map(len, parts))
    assert sizes[-1] > 3 * sizes[0]
    counts = torch.bincount(LABELS[max(parts, key=len)], minlength=10).double()
    assert float(counts.max() / counts.sum()) < 0.15


@pytest.mark.statistical
@pytest.mark.parametrize("alpha", [0.01, 0.5, 1.0, 5.0])
def test_dirichlet_draws_have_the_right_moments(alpha: float) -> None:
    # Mean 1/3, variance 2/9 / (3 alpha + 1). 4000 draws; bounds of 6 standard errors, false alarms < 1e-7.
    generator, count = seeded(), 4000
    draws = torch.stack([_dirichlet(alpha, 3, generator) for _ in range(count)])
    assert torch.allclose(draws.sum(1), torch.ones(count, dtype=torch.float64))
    variance = 2 / 9 / (3 * alpha + 1)
    assert (draws.mean(0) - 1 / 3).abs().max() < 6 * (variance / count) ** 0.5
    squares = (draws - 1 / 3) ** 2
    assert ((squares.mean(0) - variance).abs() < 6 * squares.std(0) / count**0.5).all()


def test_tiny_alpha_gives_all_to_one_and_never_nan() -> None:
    shares = _dirichlet(1e-5, 100, seeded())
    assert shares.isfinite().all()
    assert shares.sum().item() == pytest.approx(1.0)


def test_targets_may_be_a_column_a_list_or_only_a_number() -> None:
    column = Shards(3, generator=seeded())(LABELS.unsqueeze(1))
    assert torch.equal(column[0], Shards(3, generator=seeded())(LABELS.tolist())[0])
    assert sum(map(len, Iid(3)(10))) == 10
    assert sum(map(len, QuantitySkew(3)(10))) == 10


@pytest.mark.parametrize(
    ("partitioner", "targets", "words"),
    [
        (Iid(0), 5, "cut data into 0 parts"),
        (Iid(6), 5, "5 samples are not enough for 6 parts"),
        (Dirichlet(2, 0.0), LABELS, "alpha is 0.0"),
        (Dirichlet(2, float("nan")), LABELS, "alpha is nan"),
        (QuantitySkew(2, float("inf")), LABELS, "alpha is inf"),
        (Dirichlet(2, min_samples=-1), LABELS, "min_samples is -1"),
        (Dirichlet(3, min_samples=4), [0] * 11, "11 samples are not enough for 3 parts with at least 4 each"),
        (QuantitySkew(3, min_samples=4), 11, "11 samples are not enough for 3 parts with at least 4 each"),
        (Dirichlet(2), 10, "goes by labels, but got only their number, 10"),
        (Shards(2), 10, "goes by labels"),
        (Shards(2, 0), LABELS, "shards_per_part is 0"),
        (Shards(4, 2), [0] * 7, "7 samples are not enough"),
        (Shards(2), torch.zeros(4), "labels are integers of shape (N,), but these are torch.float32"),
        (Dirichlet(2), torch.zeros(4, 2, dtype=torch.int64), "of shape (4, 2)"),
    ],
)
def test_what_cannot_be_cut_is_said(partitioner: Partitioner, targets: Any, words: str) -> None:
    with pytest.raises(FederatedError) as caught:
        partitioner(targets)
    assert words in str(caught.value)


def test_split_gives_views_of_the_data() -> None:
    data = TensorDataset(torch.arange(10.0), LABELS[:10])
    parts = Iid(3, seeded())(data.tensors[1])
    subsets = split(data, parts)
    assert [len(subset) for subset in subsets] == [4, 3, 3]
    assert sorted(float(x) for subset in subsets for x, _ in subset) == [float(i) for i in range(10)]
    with pytest.raises(FederatedError, match="part 0 has indices up to 10, but the data set has 10 samples"):
        split(data, [torch.tensor([1, 10])])
    assert [len(subset) for subset in split(data, [torch.tensor([], dtype=torch.int64)])] == [0]
