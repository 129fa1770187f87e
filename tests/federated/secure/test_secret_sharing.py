"""Shamir's shares: enough of them give the secret, fewer say nothing."""

from __future__ import annotations

import itertools
import os

import pytest

from syft.exceptions import AggregationError
from syft.federated.secure.secret_sharing import PRIME, SHARE_BYTES, join_shares, split_secret


@pytest.mark.parametrize(("threshold", "holders"), [(1, 1), (1, 3), (2, 2), (2, 4), (3, 5), (5, 5)])
def test_any_threshold_of_shares_gives_the_secret(threshold: int, holders: int) -> None:
    secret = os.urandom(32)
    shares = dict(enumerate(split_secret(secret, threshold, holders), start=1))
    assert {len(share) for share in shares.values()} == {SHARE_BYTES}
    for size in range(threshold, holders + 1):
        for numbers in itertools.combinations(shares, size):
            assert join_shares({number: shares[number] for number in numbers}) == secret


@pytest.mark.parametrize("secret", [bytes(32), b"\xff" * 32])
def test_the_extreme_secrets(secret: bytes) -> None:
    shares = split_secret(secret, 3, 4)
    assert join_shares({2: shares[1], 3: shares[2], 4: shares[3]}) == secret


def test_fewer_shares_fit_every_secret() -> None:
    first, second, _ = split_secret(bytes(32), 3, 3)
    for wanted in (0, 1, PRIME - 1, 2**255):
        # The one polynomial of degree 2 through the wanted value at 0 and both shares exists, whatever is wanted.
        a, b = int.from_bytes(first, "big") - wanted, int.from_bytes(second, "big") - wanted
        square = (b - 2 * a) * pow(2, -1, PRIME) % PRIME
        linear = (a - square) % PRIME
        assert (wanted + linear + square - int.from_bytes(first, "big")) % PRIME == 0
        assert (wanted + 2 * linear + 4 * square - int.from_bytes(second, "big")) % PRIME == 0


def test_shares_of_one_secret_are_drawn_anew() -> None:
    assert len({share for _ in range(20) for share in split_secret(bytes(32), 2, 3)}) == 60


def test_the_bytes_of_a_lonely_share_are_spread_evenly() -> None:
    # Of a share modulo 2^256 + 297 the last 32 bytes are uniform, though the secret is all zeros.
    counts = [0] * 256
    for _ in range(800):
        for byte in split_secret(bytes(32), 2, 1 + 1)[0][1:]:
            counts[byte] += 1
    expected = 800 * 32 / 256
    assert sum((count - expected) ** 2 / expected for count in counts) < 377.1  # alpha = 1e-6, 255 degrees


def test_the_prime_is_one() -> None:
    odd, twos = PRIME - 1, 0
    while odd % 2 == 0:
        odd, twos = odd // 2, twos + 1
    for base in (2, 3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37):  # Miller and Rabin
        x = pow(base, odd, PRIME)
        assert x in (1, PRIME - 1) or PRIME - 1 in [pow(x, 2**k, PRIME) for k in range(twos)]
    assert PRIME > 2**256 and PRIME.bit_length() <= 8 * SHARE_BYTES


@pytest.mark.parametrize(("length", "threshold", "holders"), [(31, 1, 1), (33, 1, 1), (32, 0, 1), (32, 3, 2)])
def test_what_cannot_be_shared_is_refused(length: int, threshold: int, holders: int) -> None:
    with pytest.raises(AggregationError, match="cannot be shared"):
        split_secret(bytes(length), threshold, holders)


@pytest.mark.parametrize("shares", [{}, {0: bytes(33)}, {1: bytes(32)}, {1: bytes(33), 2: b""}])
def test_what_are_no_shares_is_refused(shares: dict[int, bytes]) -> None:
    with pytest.raises(AggregationError, match="make no secret"):
        join_shares(shares)


def test_a_value_that_is_no_secret_is_refused() -> None:
    with pytest.raises(AggregationError, match="do not fit"):
        join_shares({1: (PRIME - 1).to_bytes(SHARE_BYTES, "big")})
