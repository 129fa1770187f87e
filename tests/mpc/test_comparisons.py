"""Comparisons with zero are right for every integer that the width documents."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch

from syft.core.random import SYSTEM_RANDOM
from syft.mpc.protocols import complement, is_negative, is_nonnegative, is_zero, rectified
from syft.mpc.shared import AdditiveSharingTensor
from tests.mpc.parties import EXTREMES, parties

Comparison = Callable[[AdditiveSharingTensor], AdditiveSharingTensor]
KINDS: list[tuple[Comparison, Callable[[torch.Tensor], torch.Tensor]]] = [
    (is_negative, lambda x: (x < 0).long()),
    (is_zero, lambda x: (x == 0).long()),
    (is_nonnegative, lambda x: (x >= 0).long()),
    (lambda x: rectified(x)[0], lambda x: x.clamp(min=0)),
]
all_kinds = pytest.mark.parametrize(("compare", "plain"), KINDS, ids=["sign", "equality", "opposite sign", "rectifier"])


@pytest.fixture(autouse=True)
def _hook(hook: Any) -> None:
    """Torch is hooked."""


@all_kinds
@pytest.mark.parametrize("width", [32, 64])
@pytest.mark.parametrize("shift", [0, 16])
def test_all_integers_of_16_bits_compare_right(compare: Any, plain: Any, width: int, shift: int) -> None:
    """Exhaustively: as the lowest bits, and as the highest ones that a width of 32 looks at."""
    x = torch.arange(-(2**15), 2**15) << shift
    assert torch.equal(compare(parties(2).shared(x, width=width)).get(), plain(x))


@all_kinds
@pytest.mark.parametrize("count", [2, 3, 4, 5])
def test_a_million_integers_of_64_bits_compare_right(compare: Any, plain: Any, count: int) -> None:
    """Of all magnitudes, over the whole ring, extremes among them."""
    x = SYSTEM_RANDOM.integers((125_000,)) >> (SYSTEM_RANDOM.integers((125_000,)) & 63)
    x[: len(EXTREMES)] = torch.tensor(EXTREMES)
    assert torch.equal(compare(parties(count).shared(x)).get(), plain(x))


@all_kinds
@pytest.mark.parametrize("width", [32, 64])
def test_powers_of_two_and_their_neighbours_compare_right(compare: Any, plain: Any, width: int) -> None:
    """Each has a carry that goes through all the bits below it; many masks each."""
    powers = [1 << bit for bit in range(width - 1)]
    edges = {edge for p in powers for edge in (p, -p, p - 1, p + 1, 1 - p, -1 - p)} | {-(1 << (width - 1))}
    x = torch.tensor(sorted(edge for edge in edges if -(1 << (width - 1)) <= edge < 1 << (width - 1))).repeat(50)
    assert torch.equal(compare(parties(3).shared(x, width=width)).get(), plain(x))


@all_kinds
@pytest.mark.parametrize("width", [32, 64])
@pytest.mark.parametrize(
    "shape",
    [(), (0,), (3, 0), *[(n,) for n in (1, 2, 3, 7, 8, 9, 16, 31, 32, 33, 63, 64, 65, 129)], (3, 5), (2, 3, 4, 1)],
)
def test_sizes_that_fill_no_planes_compare_right(compare: Any, plain: Any, width: int, shape: Any) -> None:
    """As many elements as a word has bits share a word of each plane."""
    x = torch.arange(torch.Size(shape).numel()).reshape(shape) - 4
    out = compare(parties(2).shared(x, width=width))
    assert out.shape == x.shape
    assert torch.equal(complement(out).get(), 1 - plain(x))
    assert torch.equal(out.get(), plain(x))


def test_a_width_of_32_looks_at_the_lowest_32_bits_only() -> None:
    """That is what the limit of its range means; a negative control, too: with 64 bits all of these are right."""
    x = torch.tensor([2**31, -(2**31) - 1, 2**32])
    wrong = is_negative(parties(2).shared(x, width=32)).get(), is_zero(parties(2).shared(x, width=32)).get()
    assert torch.equal(wrong[0], torch.tensor([1, 0, 0]))
    assert torch.equal(wrong[1], torch.tensor([0, 0, 1]))
    assert torch.equal(is_negative(parties(2).shared(x)).get(), (x < 0).long())


@pytest.mark.parametrize("op", ["lt", "le", "gt", "ge", "eq", "ne"])
@pytest.mark.parametrize("count", [2, 3])
def test_two_operands_compare_right(op: str, count: int) -> None:
    """All pairs of some numbers whose difference is in the ring; either operand shared, or both."""
    group = parties(count)
    some = torch.tensor([0, 1, -1, 5, -5, 2**30, 2**31, 3 * 10**9, 2**61, -(2**61), 2**62 - 1, -(2**62)])
    x, y = some.repeat_interleave(len(some)), some.repeat(len(some))
    run = {
        "lt": torch.lt, "le": torch.le, "gt": torch.gt, "ge": torch.ge, "eq": torch.eq, "ne": torch.ne
    }[op]  # fmt: skip
    expected = run(x, y).long()
    for a, b in ((group.share(x), group.share(y)), (group.share(x), y), (x, group.share(y))):
        assert torch.equal(run(a, b).get(), expected)


def test_fixed_numbers_compare_as_they_are_shown() -> None:
    """Equal numbers are equal, and bits become numbers of the same encoding."""
    group = parties(2)
    x, y = torch.tensor([1.5, -2.25, 0.0, 0.1]), torch.tensor([1.5, 4.0, -0.0, 0.2])
    for encoding in ({"base": 2, "precision_fractional": 16}, {"base": 10, "precision_fractional": 3}):
        a, b = group.fixed(x, **encoding), group.fixed(y, **encoding)
        for mine, plain in (
            (a > b, x > y),
            (a <= b, x <= y),
            (a == b, x == y),
            (a != b, x != y),
            (a >= 0.05, x >= 0.05),
        ):
            assert torch.equal(mine.get().float_precision(), plain.float())
