"""Decrypting many ciphertexts: as many of them in one go as have room in one plaintext."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from syft.core.optional import require
from syft.exceptions import EncodingError
from syft.he.paillier.keys import PaillierPrivateKey


def decrypted(values: Sequence[Any], key: PaillierPrivateKey, bits: int) -> list[int]:
    """The integers that ciphertexts hide.

    A ciphertext to the power of ``2 ** slot`` hides its integer, shifted by so many bits, and products hide sums. So
    many short integers are shifted side by side while they are still encrypted, and decrypted by two powers.

    Args:
        values: ciphertexts under the public half of the key.
        key: the private key.
        bits: all integers are below 2 to this power, up or down.

    Returns:
        As many integers.

    Raises:
        EncodingError: an integer is larger than that: there was an overflow, or the ciphertexts were not computed as
            they are said to be.
    """
    slot = bits + 2
    together = max(1, key.public_key.room // slot)
    out: list[int] = []
    for start in range(0, len(values), together):
        group = values[start : start + together]
        at_p, at_q = (_shifted_together(group, half, slot) for half in key.halves)
        out += _apart(int(key.joined(at_p, at_q)), len(group), slot, bits)
    return out


def _shifted_together(group: Sequence[Any], half: Any, slot: int) -> Any:
    powmod, modulus = require("gmpy2", "he").powmod, half.square
    joined = group[-1] % modulus
    for value in group[-2::-1]:
        joined = powmod(joined, 1 << slot, modulus) * value % modulus
    return half.decrypted(joined)


def _apart(joined: int, count: int, slot: int, bits: int) -> list[int]:
    out, unit = [], 1 << slot
    for _ in range(count):
        value = (joined + unit // 2) % unit - unit // 2
        joined = (joined - value) >> slot
        if abs(value) >> bits:
            break
        out.append(value)
    if joined or len(out) < count:
        raise EncodingError(
            f"an overflow was found when numbers were decrypted: one is longer than the {bits} bits that it can have. "
            "Multiply fewer times, encrypt smaller numbers, or take a longer key, unless somebody has changed the "
            "ciphertexts"
        )
    return out
