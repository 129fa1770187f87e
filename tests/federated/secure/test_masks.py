"""Masks are uniform, follow from the whole of their key, and a check of uniformity can fail."""

from __future__ import annotations

import os

import numpy as np
import pytest
import torch

from syft.exceptions import AggregationError
from syft.federated.secure.client import AggregationClient
from syft.federated.secure.fixed_point import FixedPoint
from syft.federated.secure.masks import mask_of
from tests.federated.secure.rounds import clients_of, with_masked

CRITICAL = 377.1  # chi-square, 255 degrees of freedom, alpha = 1e-6
COUNT = 1 << 17


def chi_square(vector: torch.Tensor) -> float:
    """How far the bytes of a vector are from being spread evenly."""
    counts = np.bincount(vector.numpy().view(np.uint8), minlength=256)
    expected = counts.sum() / 256
    return float(((counts - expected) ** 2 / expected).sum())


def chi_square_of_bytes(vector: torch.Tensor) -> list[float]:
    """The same for each byte of a number by itself: the first, the second and so on."""
    places = vector.numpy().view(np.uint8).reshape(vector.numel(), -1)
    return [chi_square(torch.from_numpy(np.ascontiguousarray(places[:, at]))) for at in range(places.shape[1])]


def update(bits: int) -> torch.Tensor:
    return FixedPoint(bits, 12).encode(torch.randn(COUNT, generator=torch.Generator().manual_seed(1)) * 30, 4)


@pytest.mark.parametrize("bits", [32, 64])
def test_masks_are_uniform(bits: int) -> None:
    mask = mask_of(os.urandom(16), COUNT, bits)
    assert mask.shape == (COUNT,) and mask.dtype == (torch.int32 if bits == 32 else torch.int64)
    assert all(value < CRITICAL for value in [chi_square(mask), *chi_square_of_bytes(mask)])


@pytest.mark.parametrize("bits", [32, 64])
def test_masked_updates_are_uniform(bits: int) -> None:
    clients = clients_of("abc", 2, FixedPoint(bits, 12))
    vectors = dict.fromkeys(clients, update(bits))
    masked = with_masked(clients, vectors)
    for vector in masked.values():
        assert all(value < CRITICAL for value in [chi_square(vector), *chi_square_of_bytes(vector)])
    difference = masked["a"] - masked["b"]  # of equal updates
    assert all(value < CRITICAL for value in [chi_square(difference), *chi_square_of_bytes(difference)])


@pytest.mark.parametrize("bits", [32, 64])
def test_control_an_update_without_a_mask_is_not_uniform(bits: int) -> None:
    assert chi_square(update(bits)) > 1000
    assert max(chi_square_of_bytes(update(bits))) > 1000


@pytest.mark.parametrize("bits", [32, 64])
def test_control_an_update_under_a_mask_that_is_too_narrow_is_not_uniform(bits: int) -> None:
    narrow = mask_of(os.urandom(16), COUNT, bits) >> 8  # as wide as the ring but for a byte
    assert max(chi_square_of_bytes(update(bits) + narrow)) > 1000


def test_every_bit_of_a_key_counts() -> None:
    key = int.from_bytes(os.urandom(16), "big")
    masks = {mask_of((key ^ (1 << bit)).to_bytes(16, "big"), 2, 64).numpy().tobytes() for bit in range(128)}
    assert len(masks) == 128


@pytest.mark.parametrize("length", [0, 4, 15, 24, 32])
def test_keys_of_other_lengths_are_refused(length: int) -> None:
    with pytest.raises(AggregationError, match="16 bytes"):
        mask_of(bytes(length), 1, 64)


def test_all_keys_of_an_aggregation_have_128_bits_and_differ(monkeypatch: pytest.MonkeyPatch) -> None:
    used: list[bytes] = []

    def spied(key: bytes, size: int, bits: int) -> torch.Tensor:
        used.append(key)
        return mask_of(key, size, bits)

    monkeypatch.setattr("syft.federated.secure.client.mask_of", spied)
    clients = clients_of("abcd", 3, FixedPoint(64, 12))
    with_masked(clients, dict.fromkeys(clients, torch.zeros(5, dtype=torch.int64)))
    assert {len(key) for key in used} == {16}
    assert len(used) == 16 and len(set(used)) == 4 + 6  # each client's own, and one for each pair


def test_control_a_mask_of_32_bits_is_found_by_trying() -> None:
    """What Flower's SecAgg+ did: a key of 256 bits folded to 32, and numpy's generator.

    One in 2**20 of its seeds is tried here, in less than a second; all are 2**20 times that, a matter of days.
    """

    def weak_mask(key: bytes) -> np.ndarray:
        seed = 0
        for at in range(0, len(key), 4):
            seed ^= int.from_bytes(key[at : at + 4], "big")
        return np.random.RandomState(seed).randint(0, 2**32, 3, dtype=np.uint32)

    key = os.urandom(28) + b"\0" * 4
    seed = 0
    for at in range(0, 28, 4):
        seed ^= int.from_bytes(key[at : at + 4], "big")
    seen = np.array([7, 8, 9], np.uint32) + weak_mask(key)  # a small update under that mask
    high = seed >> 12 << 12
    found = [
        guess
        for guess in range(high, high + 4096)
        if ((seen - np.random.RandomState(guess).randint(0, 2**32, 3, dtype=np.uint32)) < 100).all()
    ]
    assert found == [seed]


def test_masks_of_the_client_come_from_the_systems_generator() -> None:
    torch.manual_seed(0)
    np.random.seed(0)
    one = AggregationClient("a", b"s", 2, FixedPoint(64, 12)).advertise()
    torch.manual_seed(0)
    np.random.seed(0)
    assert one != AggregationClient("a", b"s", 2, FixedPoint(64, 12)).advertise()
