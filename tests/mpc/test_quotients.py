"""Quotients by public numbers: off by one at most, never grossly wrong, and right in the mean."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from syft.core.random import SYSTEM_RANDOM
from syft.mpc.protocols import divide
from tests.mpc.parties import parties

POWERS = [2, 2**10, 2**16, 2**31]
OTHERS = [3, 7, 10, 1000, 10**6, 2**31 - 1]


@pytest.fixture(autouse=True)
def _hook(hook: Any) -> None:
    """Torch is hooked."""


def values(count: int, divisor: int) -> torch.Tensor:
    """Integers of all magnitudes up to the largest that is documented, the edges among them."""
    limit = 2**62 - divisor
    words = SYSTEM_RANDOM.integers((count,)) >> (SYSTEM_RANDOM.integers((count,)) & 63).clamp(min=1)
    edges = [0, 1, -1, divisor, -divisor, divisor - 1, 1 - divisor, limit, -limit]
    words[: len(edges)] = torch.tensor(edges)
    return words.clamp(-limit, limit)


def hold(quotients: torch.Tensor, x: torch.Tensor, divisor: int) -> None:
    """Fail unless the quotients are as close as is documented."""
    above = quotients - torch.div(x, divisor, rounding_mode="floor")
    if divisor & (divisor - 1) == 0:
        assert ((above == 0) | (above == 1)).all(), "the floor or 1 more"
    else:
        assert ((above >= -1) & (above <= 2)).all(), "no gross errors"
        assert (2 * (above * divisor - x.remainder(divisor)).abs() < 3 * divisor).all(), "off by less than 1.5"


@pytest.mark.parametrize("divisor", POWERS + OTHERS)
@pytest.mark.parametrize("count", [2, 3, 4, 5])
def test_quotients_are_as_close_as_documented(count: int, divisor: int) -> None:
    """A million altogether, over the whole range."""
    x = values(25_000, divisor)
    hold(divide(parties(count).shared(x), divisor).get(), x, divisor)


@pytest.mark.slow
@pytest.mark.parametrize("divisor", [2**16, 1000])
@pytest.mark.parametrize("count", [2, 3, 4, 5])
def test_ten_million_quotients_are_as_close_as_documented(count: int, divisor: int) -> None:
    """For each number of holders."""
    for _ in range(10):
        x = values(1_000_000, divisor)
        hold(divide(parties(count).shared(x), divisor).get(), x, divisor)


@pytest.mark.parametrize("divisor", [2**16, 1000])
def test_dividing_each_share_would_not_do(divisor: int) -> None:
    """Negative control: local truncation fails the same check, with two holders and with three."""
    x = values(25_000, divisor)
    for count in (2, 3):
        shares = [SYSTEM_RANDOM.integers(x.shape) for _ in range(count - 1)]
        shares.append(x - sum(shares))
        total = sum(torch.div(share, divisor, rounding_mode="floor") for share in shares)
        with pytest.raises(AssertionError):
            hold(total, x, divisor)


def formula(x: torch.Tensor, mask: torch.Tensor, divisor: int, bits: int) -> torch.Tensor:
    """What the holders and the provider make of a value and a mask, in a ring of so many bits; unsigned in Python ints.

    Args:
        x: signed, int64.
        mask: unsigned, below ``2 ** bits``, at most 32 bits.
        divisor: public.
        bits: of the ring.
    """
    top, half = 1 << (bits - 1), 1 << (bits - 2)
    offset = half // divisor
    opened = (x + mask + offset * divisor) % (1 << bits)
    upper = opened // top
    public = (opened % top + top % divisor // 2) // divisor + upper * (top // divisor) - offset
    a, b = mask % top // divisor, mask // top * (top // divisor)
    total = (public - a + (1 - 2 * upper) * b) % (1 << bits)
    return torch.where(total >= top, total - (1 << bits), total)


@pytest.mark.parametrize("bits", [8, 10])
def test_the_formula_is_right_for_every_value_and_every_mask_of_a_small_ring(bits: int) -> None:
    """Exhaustively, with all divisors; in the mean over the masks, the result is the true quotient."""
    masks = torch.arange(1 << bits)
    for divisor in range(2, 1 << (bits - 4)):
        limit = (1 << (bits - 2)) - divisor
        x = torch.arange(-limit, limit + 1).unsqueeze(1)
        quotients = formula(x, masks, divisor, bits)
        hold(quotients, x.expand_as(quotients), divisor)
        bias = (quotients.double().mean(1) - x[:, 0] / divisor).abs()
        # Of an odd rest half a unit is lost, and in a small ring values and divisors are not small beside it.
        assert (bias <= 0.5 / divisor + (x[:, 0].abs() + divisor) / (1 << (bits - 1))).all()


def test_the_formula_is_the_protocol() -> None:
    """The mask can be seen here, where the client also knows the value; with it the formula says every single result."""
    for divisor in (2**16, 1000, 7):
        x = values(500, divisor)
        shared = parties(3).shared(x)
        quotients = divide(shared, divisor).get()
        masks = (shared.wire.public.tensor - x).tolist()  # type: ignore[union-attr]
        for value, mask, quotient in zip(x.tolist(), masks, quotients.tolist(), strict=True):
            assert _one(value, mask % 2**64, divisor) == quotient


def _one(x: int, mask: int, divisor: int) -> int:
    # `formula` with numbers that do not fit into tensors.
    top, half = 1 << 63, 1 << 62
    offset = half // divisor
    opened = (x + mask + offset * divisor) % (1 << 64)
    upper = opened // top
    public = (opened % top + top % divisor // 2) // divisor + upper * (top // divisor) - offset
    total = public - mask % top // divisor + (1 - 2 * upper) * (mask // top * (top // divisor))
    return (total + top) % (1 << 64) - top


@pytest.mark.statistical
@pytest.mark.parametrize("divisor", [2**16, 1000, 10, 3, 10**6])
@pytest.mark.parametrize("x", [0, 1, -1, 123456789, -123456789])
def test_quotients_are_right_in_the_mean(x: int, divisor: int) -> None:
    """A model that is trained with them does not drift; six standard deviations, of errors of 1.5 at most."""
    count = 40_000
    quotients = divide(parties(2).shared(torch.full((count,), x)), divisor).get()
    bias = float((quotients.double() - x / divisor).mean())
    assert abs(bias) <= 0.5 / divisor + 6 * 1.5 / count**0.5


def test_rounding_down_would_be_seen_to_drift() -> None:
    """Negative control of the test above."""
    quotients = torch.div(torch.full((40_000,), 123456789), 10, rounding_mode="floor")
    assert abs(float((quotients.double() - 12345678.9).mean())) > 0.5 / 10 + 6 * 1.5 / 200


def test_shapes_of_all_kinds_are_divided() -> None:
    """Empty ones, single numbers, and views that are not contiguous."""
    group = parties(2)
    for shape in ((), (0,), (2, 0, 3), (1, 1), (3, 5)):
        x = torch.arange(torch.Size(shape).numel()).reshape(shape) * 1000 - 5000
        assert divide(group.shared(x), 8).get().shape == torch.Size(shape)
        hold(divide(group.shared(x), 8).get(), x, 8)
    x = torch.arange(15).reshape(3, 5) * 1000
    hold(divide(group.shared(x).moved("t"), 8).get(), x.t(), 8)
    opened = group.shared(x)
    divide(opened, 8)
    hold(divide(opened.moved("t").moved("select", 0, 1), 8).get(), x.t()[1], 8)
