"""Planes hold the bits of words in the order that a tree takes them."""

from __future__ import annotations

import numpy as np
import pytest

from syft.core.random import SYSTEM_RANDOM
from syft.exceptions import ProtocolStepError
from syft.mpc.bit_planes import columns, dtype_of, joined, sliced


def mirrored(bit: int, width: int) -> int:
    digits = width.bit_length() - 1
    return int(f"{bit:0{digits}b}"[::-1], 2)


@pytest.mark.parametrize("width", [32, 64])
@pytest.mark.parametrize("count", [0, 1, 31, 32, 33, 64, 65, 1000])
def test_each_plane_has_one_bit_of_every_word(count: int, width: int) -> None:
    words = SYSTEM_RANDOM.bytes(8 * count).view(np.uint64)
    before = words.copy()
    planes = sliced(words, width)
    assert planes.shape == (width, columns(count, width)) and planes.dtype == dtype_of(width)
    for bit in range(width):
        assert np.array_equal(joined(planes[mirrored(bit, width)], count), words >> np.uint64(bit) & np.uint64(1) == 1)
    assert np.array_equal(words, before)


@pytest.mark.parametrize("width", [32, 64])
def test_the_halves_of_planes_are_the_lower_and_the_upper_bits_of_pairs_at_every_level(width: int) -> None:
    order = np.array([mirrored(place, width) for place in range(width)])
    while len(order) > 1:
        low, up = order[: len(order) // 2], order[len(order) // 2 :]
        assert np.array_equal(up // (width // len(order)), low // (width // len(order)) + 1)
        order = low


def test_what_is_missing_in_a_plane_is_zero() -> None:
    planes = sliced(np.full(3, 2**64 - 1, np.uint64), 64)
    assert sum(int(word).bit_count() for word in planes.reshape(-1)) == 3 * 64


@pytest.mark.parametrize("width", [16, 0, "64", None, [64]])
def test_other_widths_are_refused(width: object) -> None:
    with pytest.raises(ProtocolStepError, match="32 or 64 bits"):
        dtype_of(width)  # type: ignore[arg-type]
