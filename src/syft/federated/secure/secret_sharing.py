"""Shamir's secret sharing (Shamir, "How to share a secret", 1979) of secrets of 32 bytes.

A secret is the value at 0 of a random polynomial of degree ``threshold - 1`` over the integers modulo a prime. Share
number x is its value at x, so ``threshold`` shares give the secret and fewer say nothing about it at all.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache

from syft.core.random import SYSTEM_RANDOM
from syft.exceptions import AggregationError

SECRET_BYTES = 32
SHARE_BYTES = 33
PRIME = 2**256 + 297  # the smallest prime that every secret is below
_WIDE_BYTES = 64  # random bytes for a coefficient: reduced modulo the prime they are uniform but for 2^-255


def split_secret(secret: bytes, threshold: int, holders: int) -> list[bytes]:
    """Shares of a secret.

    Args:
        secret: 32 bytes.
        threshold: how many shares give the secret.
        holders: how many shares to make.

    Returns:
        Shares number 1 to ``holders``, 33 bytes each.

    Raises:
        AggregationError: the secret has another length, or the threshold is not from 1 to ``holders``.

    Example:
        >>> shares = split_secret(bytes(range(32)), 2, 3)
        >>> join_shares({1: shares[0], 3: shares[2]}) == bytes(range(32))
        True
    """
    if len(secret) != SECRET_BYTES or not 1 <= threshold <= holders:
        raise AggregationError(
            f"{len(secret)} bytes cannot be shared among {holders} with threshold {threshold}; a secret has "
            f"{SECRET_BYTES} bytes and the threshold is from 1 to the number of holders"
        )
    drawn = SYSTEM_RANDOM.bytes(_WIDE_BYTES * (threshold - 1)).tobytes()
    coefficients = [int.from_bytes(secret, "big")]
    coefficients += [
        int.from_bytes(drawn[at : at + _WIDE_BYTES], "big") % PRIME for at in range(0, len(drawn), _WIDE_BYTES)
    ]
    return [_value_at(x, coefficients).to_bytes(SHARE_BYTES, "big") for x in range(1, holders + 1)]


def join_shares(shares: Mapping[int, bytes]) -> bytes:
    """The secret of some shares: Lagrange's interpolation at 0.

    Args:
        shares: as many as the threshold, by number. With fewer, or with wrong ones, the result is some other value.

    Returns:
        32 bytes.

    Raises:
        AggregationError: these are no shares, or they are of no secret.
    """
    if not shares or any(x < 1 or len(share) != SHARE_BYTES for x, share in shares.items()):
        raise AggregationError(
            f"shares numbered {sorted(shares)} of {sorted({len(share) for share in shares.values()})} bytes make no "
            f"secret; shares have {SHARE_BYTES} bytes and numbers from 1"
        )
    weights = _weights(tuple(shares))
    total = sum(int.from_bytes(share, "big") * w for share, w in zip(shares.values(), weights, strict=True)) % PRIME
    if total >= 1 << (8 * SECRET_BYTES):
        raise AggregationError("the shares do not fit together: one of them is wrong, or there are too few")
    return total.to_bytes(SECRET_BYTES, "big")


@lru_cache(maxsize=8)  # a server joins many secrets out of the same clients' shares
def _weights(numbers: tuple[int, ...]) -> list[int]:
    """How much each share counts in the value at 0."""
    weights = []
    for x in numbers:
        above, below = 1, 1
        for other in numbers:
            if other != x:
                above, below = above * other % PRIME, below * (other - x) % PRIME
        weights.append(above * pow(below, -1, PRIME) % PRIME)
    return weights


def _value_at(x: int, coefficients: list[int]) -> int:
    value = 0
    for coefficient in reversed(coefficients):
        value = (value * x + coefficient) % PRIME
    return value
