"""What hides a plaintext in a ciphertext: random n-th residues modulo n², many at a time.

With an ``h`` in the key, a residue is ``(h^n)^r`` for a random r of half the length of n (Damgård, Jurik and Nielsen
2010, the optimised variant). That exponent is as long as their proof wants it: by Goldreich and Rosen ("On the security
of modular exponentiation", 2003) such powers cannot be told from powers with exponents of full range by who cannot
factor n. As the base never changes, its powers are tabled (Brickell, Gordon, McCurley and Wilson 1992): one product for
each byte of r in place of a squaring for each bit of n.

Without an h, a residue is ``r^n`` for a random r, as in Paillier's paper.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from typing import Any

import numpy as np

from syft.core.optional import require
from syft.core.random import SYSTEM_RANDOM
from syft.he.paillier.keys import PaillierPrivateKey, PaillierPublicKey

TABLED_BITS = 4096
"""Longer keys have no table: it would take more than 70 MB."""
_WORTH_A_TABLE = 64  # making one takes as long as so many powers
_CHUNK = 4096  # residues whose random bytes are drawn at once


class FixedBase:
    """Powers of one base, from a table of ``base ** (byte << 8 * place)``.

    Args:
        base: the base.
        modulus: what all is reduced by.
        length: bytes of an exponent.
    """

    def __init__(self, base: Any, modulus: Any, length: int) -> None:
        self.modulus = modulus
        self._rows = []
        for _ in range(length):
            row = [require("gmpy2", "he").mpz(1)]
            for _ in range(255):
                row.append(row[-1] * base % modulus)
            self._rows.append(row)
            base = row[-1] * base % modulus

    def power(self, exponent: bytes) -> Any:
        """The power with an exponent of that many bytes, the least significant one first."""
        modulus, power = self.modulus, self._rows[0][exponent[0]]
        for row, byte in zip(self._rows[1:], exponent[1:], strict=True):
            power = power * row[byte] % modulus
        return power


class Noise:
    """Residues for whoever has the public key only.

    Args:
        key: the public key.
    """

    def __init__(self, key: PaillierPublicKey) -> None:
        gmpy2 = require("gmpy2", "he")
        self.key = key
        self._base = None if key.h is None else gmpy2.powmod(key.h, key.n, key.nsquare)
        self._length = exponent_bytes(key)
        self._drawn = 0
        self._table: FixedBase | None = None

    def draw(self, count: int) -> Iterator[Any]:
        """So many independent residues."""
        gmpy2 = require("gmpy2", "he")
        n, modulus, base = self.key.n, self.key.nsquare, self._base
        if base is None:
            return (
                gmpy2.powmod(_number(drawn) % n, n, modulus) for drawn in random_strings(count, 2 * self._length + 16)
            )
        self._drawn += count
        if self._table is None and self._drawn >= _WORTH_A_TABLE and self.key.bits <= TABLED_BITS:
            self._table = FixedBase(base, modulus, self._length)
        drawn = random_strings(count, self._length)
        if self._table is not None:
            return map(self._table.power, drawn)
        return (gmpy2.powmod(base, _number(one), modulus) for one in drawn)


class HoldersNoise:
    """The same residues for the holder of the private key, who computes them modulo the squares of both primes.

    Args:
        key: the private key.
    """

    def __init__(self, key: PaillierPrivateKey) -> None:
        gmpy2 = require("gmpy2", "he")
        public = key.public_key
        self._length = exponent_bytes(public)
        self._squares = [half.square for half in key.halves]
        self._primes = [half.prime for half in key.halves]
        self._inverse = gmpy2.invert(*self._squares)
        self._tables: list[FixedBase] | None = None
        if public.h is not None and public.bits <= TABLED_BITS:
            bases = [gmpy2.powmod(public.h, public.n, square) for square in self._squares]
            self._tables = [
                FixedBase(base, square, self._length) for base, square in zip(bases, self._squares, strict=True)
            ]

    def draw(self, count: int) -> Iterator[Any]:
        """So many independent residues."""
        if self._tables is not None:
            first, second = self._tables
            return (self._joined(first.power(r), second.power(r)) for r in random_strings(count, self._length))
        return (self._joined(*self._powers(r)) for r in random_strings(count, 4 * self._length + 16))

    def _powers(self, drawn: bytes) -> Iterator[Any]:
        # a^p for a random a is a random residue modulo p²: the p-th powers there are the n-th powers.
        powmod_sec, r = require("gmpy2", "he").powmod_sec, _number(drawn)
        return (powmod_sec(r, prime, square) for prime, square in zip(self._primes, self._squares, strict=True))

    def _joined(self, at_p: Any, at_q: Any) -> Any:
        square_p, square_q = self._squares
        return at_p + square_p * ((at_q - at_p) * self._inverse % square_q)


@lru_cache(maxsize=4)
def _public_noise(n: int, h: int | None) -> Noise:
    return Noise(PaillierPublicKey(n, h))


def noise_for(key: PaillierPublicKey | PaillierPrivateKey) -> Noise | HoldersNoise:
    """The residues of a key; tables of the last keys are kept, and of private ones with the key."""
    if isinstance(key, PaillierPublicKey):
        return _public_noise(key.n, key.h)
    found = key.__dict__.get("noise")
    if found is None:
        found = key.__dict__["noise"] = HoldersNoise(key)
    return found


def exponent_bytes(key: PaillierPublicKey) -> int:
    """How long the exponents are: half of n."""
    return (key.bits // 2 + 7) // 8


def random_strings(count: int, length: int) -> Iterator[bytes]:
    """So many random strings of that many bytes."""
    for start in range(0, count, _CHUNK):
        drawn = SYSTEM_RANDOM.bytes(min(_CHUNK, count - start) * length)
        yield from (row.tobytes() for row in np.reshape(drawn, (-1, length)))


def _number(drawn: bytes) -> int:
    return int.from_bytes(drawn, "little")
