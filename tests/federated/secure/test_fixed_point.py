"""Numbers of the ring are exact in sums, and what does not fit is refused."""

from __future__ import annotations

import math

import pytest
import torch

from syft.exceptions import AggregationError
from syft.federated.secure.fixed_point import FixedPoint


@pytest.mark.parametrize(("bits", "fraction"), [(32, 0), (32, 12), (32, 30), (64, 0), (64, 24), (64, 52)])
def test_a_number_comes_back_but_for_half_a_unit(bits: int, fraction: int) -> None:
    ring = FixedPoint(bits, fraction)
    values = (torch.rand(1000, dtype=torch.float64) * 2 - 1) * min(ring.largest(3), 1e6)
    encoded = ring.encode(values, 3)
    assert encoded.dtype == (torch.int32 if bits == 32 else torch.int64)
    assert float((ring.decode(encoded) - values).abs().max()) <= 2.0 ** -(fraction + 1) + 1e6 * 2**-52


@pytest.mark.parametrize("bits", [32, 64])
@pytest.mark.parametrize("parties", [1, 2, 3, 7, 1000])
def test_the_largest_numbers_of_all_parties_do_not_wrap_around(bits: int, parties: int) -> None:
    ring = FixedPoint(bits, 0)
    most = (2 ** (bits - 1) - 1) // parties
    largest = torch.tensor([math.nextafter(most + 1, 0), -math.nextafter(most + 1, 0)], dtype=torch.float64).trunc()
    encoded = ring.encode(largest, parties).tolist()
    assert abs(sum([encoded[0]] * parties)) < 2 ** (bits - 1) and encoded == [int(largest[0]), int(largest[1])]


@pytest.mark.parametrize("bits", [32, 64])
@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf, 1e300])
def test_what_is_not_finite_or_too_large_is_refused(bits: int, bad: float) -> None:
    with pytest.raises(AggregationError, match="does not go into sums of 2"):
        FixedPoint(bits, 8).encode(torch.tensor([0.0, bad], dtype=torch.float64), 2)


@pytest.mark.parametrize("bits", [32, 64])
def test_the_more_parties_the_less_each_may_add(bits: int) -> None:
    ring = FixedPoint(bits, 8)
    value = torch.tensor([ring.largest(2)], dtype=torch.float64) * 0.999
    ring.encode(value, 2)
    with pytest.raises(AggregationError, match="use more bits"):
        ring.encode(value, 3)


def test_nothing_is_encoded_as_nothing() -> None:
    assert FixedPoint(64, 24).encode(torch.empty(0), 3).shape == (0,)


@pytest.mark.parametrize(("bits", "fraction"), [(16, 8), (31, 8), (128, 8), (32, 31), (64, 63), (64, -1)])
def test_other_rings_are_refused(bits: int, fraction: int) -> None:
    with pytest.raises(AggregationError, match="no ring"):
        FixedPoint(bits, fraction)
