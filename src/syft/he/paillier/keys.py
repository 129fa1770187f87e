"""Keys of Paillier's cryptosystem: "Public-Key Cryptosystems Based on Composite Degree Residuosity Classes", EUROCRYPT
1999, section 4, with the generator ``n + 1`` and decryption modulo the squares of the two primes (section 7).
"""

from __future__ import annotations

import hashlib
from functools import cached_property
from typing import Any, NoReturn

from syft.core.optional import require
from syft.core.random import SYSTEM_RANDOM
from syft.exceptions import KeyMismatchError, NotSupportedError, UnserializableError, UsageError

LEAST_BITS = 2048
"""Shorter keys will be factored: 2048 bits have 112 bits of security (NIST SP 800-57 part 1, table 2)."""
DEFAULT_BITS = 3072
"""128 bits of security (likewise)."""
MOST_BITS = 8192
_ROUNDS = 40  # of Miller and Rabin's test, after Baillie's, Pomerance's, Selfridge's and Wagstaff's


class PaillierPublicKey:
    """What encrypts, and what computes on what is encrypted.

    Keys of python-paillier are made to keys of this library and back by their ``n``.

    Args:
        n: the product of two primes, of 2048 to 8192 bits.
        h: a number whose powers hide what is encrypted (Damgård, Jurik and Nielsen, "A generalization of Paillier's
            public-key system with applications to electronic voting", 2010, the optimised variant). Whoever makes the
            primes makes it; without one, encrypting takes about fifteen times as long.

    Raises:
        UsageError: these cannot be a key.

    Attributes:
        g: the generator ``n + 1``.
        nsquare: the modulus of ciphertexts.
        max_int: the largest integer, up or down, that can be encrypted; what is between is noticed as an overflow.
    """

    def __init__(self, n: int, h: int | None = None) -> None:
        gmpy2 = require("gmpy2", "he")
        if type(n) is not int or not LEAST_BITS <= n.bit_length() <= MOST_BITS or n % 2 == 0:
            raise UsageError(
                f"a Paillier key is an odd number of {LEAST_BITS} to {MOST_BITS} bits, and this one has "
                f"{n.bit_length() if type(n) is int else type(n).__name__}: shorter ones can be factored. Make "
                f"one with keygen(n_length={DEFAULT_BITS})"
            )
        if h is not None and not (type(h) is int and 1 < h < n - 1 and gmpy2.jacobi(h, n) == 1):
            raise UsageError("the h of a Paillier key is a number below n, coprime to it, with Jacobi symbol 1")
        self.n, self.h = n, h
        self.g, self.max_int = n + 1, n // 3 - 1
        self.nsquare = gmpy2.mpz(n) ** 2

    @property
    def bits(self) -> int:
        """The length of n."""
        return self.n.bit_length()

    @property
    def room(self) -> int:
        """How many bits integers may have, so that no sum of two and no sign is ever mistaken."""
        return self.bits - 3

    @property
    def ciphertext_bytes(self) -> int:
        """How long one ciphertext is."""
        return (2 * self.bits + 7) // 8

    def __eq__(self, other: object) -> bool:
        return isinstance(other, PaillierPublicKey) and self.n == other.n

    def __hash__(self) -> int:
        return hash(self.n)

    def __repr__(self) -> str:
        digits = hashlib.sha256(self.n.to_bytes((self.bits + 7) // 8, "big")).hexdigest()
        return f"<PaillierPublicKey {digits[:10]}>"


class PaillierPrivateKey:
    """What decrypts. It has no wire form and is not pickled; whoever must keep it keeps ``p`` and ``q``.

    Args:
        public_key: its other half.
        p: one prime factor of its n.
        q: the other one.

    Raises:
        UsageError: these are not its factors.
    """

    def __init__(self, public_key: PaillierPublicKey, p: int, q: int) -> None:
        if p * q != public_key.n or p == q or min(p, q) < 2:
            raise UsageError("p and q are not the prime factors of the public key's n; pass those that it was made of")
        mpz = require("gmpy2", "he").mpz
        self.public_key = public_key
        self.p, self.q = (int(p), int(q)) if p < q else (int(q), int(p))
        self.halves = _Half(mpz(self.p), mpz(public_key.n)), _Half(mpz(self.q), mpz(public_key.n))

    @cached_property
    def _p_inverse(self) -> Any:
        return require("gmpy2", "he").invert(self.halves[0].prime, self.halves[1].prime)

    def joined(self, at_p: Any, at_q: Any) -> Any:
        """The integer with these remainders modulo p and q, between ``-n / 2`` and ``n / 2``."""
        n = self.public_key.n
        found = at_p + self.halves[0].prime * ((at_q - at_p) * self._p_inverse % self.halves[1].prime)
        return found if found <= n // 2 else found - n

    def check(self, public_key: PaillierPublicKey) -> None:
        """See whether this key decrypts what that one encrypts.

        Raises:
            KeyMismatchError: it does not.
        """
        if public_key != self.public_key:
            raise KeyMismatchError(
                f"encrypted_number was encrypted against a different key! It was encrypted with {public_key!r}, and "
                f"this is {self!r}; nothing was decrypted"
            )

    def __repr__(self) -> str:
        return f"<PaillierPrivateKey for {self.public_key!r}>"

    def __reduce_ex__(self, protocol: Any) -> NoReturn:
        raise UnserializableError(WHY_PRIVATE)

    def __deepcopy__(self, memo: dict[int, Any]) -> PaillierPrivateKey:
        return self


WHY_PRIVATE = (
    "a private key stays where it is: it is neither sent nor pickled. Send the public key, and fetch what is to be "
    "decrypted to where the private one is; to keep one, keep its p and q where nobody else reads them"
)


class _Half:
    """One prime's part of decryption.

    Args:
        prime: p or q.
        n: their product.
    """

    def __init__(self, prime: Any, n: Any) -> None:
        gmpy2 = require("gmpy2", "he")
        self.prime, self.square = prime, prime**2
        self._factor = gmpy2.invert((gmpy2.powmod(n + 1, prime - 1, self.square) - 1) // prime, prime)

    def decrypted(self, ciphertext: Any) -> Any:
        """The remainder of a plaintext modulo the prime; the time it takes does not depend on the prime's bits."""
        powered = require("gmpy2", "he").powmod_sec(ciphertext, self.prime - 1, self.square)
        return (powered - 1) // self.prime * self._factor % self.prime


def keygen(private_keyring: Any = None, n_length: int = DEFAULT_BITS) -> tuple[PaillierPublicKey, PaillierPrivateKey]:
    """A new pair of keys, drawn from the operating system's generator.

    Args:
        private_keyring: something with ``add``, such as a list of keys of python-paillier: gets the private one, too.
        n_length: bits of n, an even number of 2048 at least.

    Returns:
        The public and the private key.

    Raises:
        UsageError: there are no keys of that length.

    Example:
        >>> import syft as sy, torch
        >>> hook = sy.TorchHook(torch)
        >>> public, private = sy.keygen(n_length=2048)
        >>> torch.tensor([1.5, -2.0]).encrypt(public).decrypt(private)
        tensor([ 1.5000, -2.0000])
    """
    if type(n_length) is not int or n_length % 2 or not LEAST_BITS <= n_length <= MOST_BITS:
        raise UsageError(
            f"there are no keys of {n_length} bits: shorter ones than {LEAST_BITS} can be factored. Take an even "
            f"number of {LEAST_BITS} to {MOST_BITS}; {DEFAULT_BITS} has 128 bits of security"
        )
    gmpy2 = require("gmpy2", "he")
    p, q = _prime(n_length // 2), _prime(n_length // 2)
    while gmpy2.gcd(p - 1, q - 1) != 2 or abs(p - q).bit_length() < n_length // 2 - 100:
        q = _prime(n_length // 2)
    n = p * q
    public = PaillierPublicKey(int(n), int(-(_below(n) ** 2) % n))
    private = PaillierPrivateKey(public, int(p), int(q))
    if private_keyring is not None:
        if not hasattr(private_keyring, "add"):
            raise NotSupportedError(f"a keyring has a method add, and a {type(private_keyring).__name__} has none")
        private_keyring.add(private)
    return public, private


def _prime(bits: int) -> Any:
    """A prime of so many bits, the two upper ones set, that leaves 3 when it is divided by 4: -1 is no square then."""
    gmpy2 = require("gmpy2", "he")
    while True:
        drawn = int.from_bytes(SYSTEM_RANDOM.bytes(bits // 8 + 1).tobytes(), "big") % (1 << bits)
        candidate = gmpy2.mpz(drawn | 3 << (bits - 2) | 3)
        if gmpy2.is_prime(candidate, _ROUNDS):
            return candidate


def _below(n: Any) -> Any:
    """A number from 0 to n - 1; the least likely one has a chance within 2^-128 of the most likely one's."""
    gmpy2 = require("gmpy2", "he")
    return gmpy2.mpz(int.from_bytes(SYSTEM_RANDOM.bytes(n.bit_length() // 8 + 17).tobytes(), "big")) % n
