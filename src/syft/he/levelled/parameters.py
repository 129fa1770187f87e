"""Which parameters are safe, and which a computation needs: polynomial degree, primes and scale.

A polynomial of degree N holds N / 2 real numbers (CKKS) or N integers (BFV). How many bits the product of all primes
may have at 128 bits of security is a table of the HomomorphicEncryption.org standard (Albrecht et al. 2018, table 1,
ternary secrets, classical attacks), the one that SEAL enforces.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from types import MappingProxyType

from syft.exceptions import EncryptionParametersError

SECURE_BITS: Mapping[int, int] = MappingProxyType({1024: 27, 2048: 54, 4096: 109, 8192: 218, 16384: 438, 32768: 881})
"""By polynomial degree: how many bits all primes together may have."""

LARGEST_PRIME = 60
SMALLEST_SCALE = 20
NOISE_BITS: Mapping[int, int] = MappingProxyType({4096: 19, 8192: 20, 16384: 21, 32768: 22})
"""By degree: how far below the scale the useful bits of CKKS end. Encryption alone leaves errors of up to 2^17
(N = 8192), and operations add to them; see docs/homomorphic.md for what was measured."""


@dataclass(frozen=True, slots=True)
class Parameters:
    """What a context is made of.

    Attributes:
        scheme: ``"ckks"`` or ``"bfv"``.
        degree: of the polynomials.
        prime_bits: of the primes, the special one of key switching last.
        depth: how many products may follow each other.
        scale_bits: CKKS: 1 is written as 2 to this power; else 0.
        precision: CKKS: useful bits after the binary point; else 0.
        plain_modulus: BFV: integers are computed modulo this prime; else 0.
        rotations: whether there are keys to sum up over samples.
    """

    scheme: str
    degree: int
    prime_bits: tuple[int, ...]
    depth: int
    scale_bits: int = 0
    precision: int = 0
    plain_modulus: int = 0
    rotations: bool = False

    @property
    def slots(self) -> int:
        """How many numbers one ciphertext holds."""
        return self.degree // 2 if self.scheme == "ckks" else self.degree


def check_security(degree: int, prime_bits: Sequence[int]) -> None:
    """Refuse what attacks could break, or SEAL cannot do.

    Args:
        degree: of the polynomials.
        prime_bits: the size of each prime.

    Raises:
        EncryptionParametersError: fewer than 128 bits of security, no power of two, or primes of impossible sizes.

    Example:
        >>> check_security(8192, [60, 40, 40, 60])
        >>> check_security(4096, [60, 40, 40, 60])
        Traceback (most recent call last):
        syft.exceptions.EncryptionParametersError: primes of 200 bits together need a polynomial degree of 8192 ...
    """
    if degree not in SECURE_BITS:
        raise EncryptionParametersError(
            f"the polynomial degree is a power of two from {min(SECURE_BITS)} to {max(SECURE_BITS)}, not {degree}"
        )
    if len(prime_bits) < 2 or not all(SMALLEST_SCALE <= bits <= LARGEST_PRIME for bits in prime_bits):
        raise EncryptionParametersError(
            f"there are two primes or more, of {SMALLEST_SCALE} to {LARGEST_PRIME} bits each, not {list(prime_bits)}"
        )
    total = sum(prime_bits)
    if total > SECURE_BITS[degree]:
        needed = next((n for n, bits in SECURE_BITS.items() if bits >= total), None)
        way_out = (
            f"need a polynomial degree of {needed} for 128 bits of security, and it is {degree}"
            if needed
            else f"are more than any degree allows at 128 bits of security: {max(SECURE_BITS.values())}"
        )
        raise EncryptionParametersError(
            f"primes of {total} bits together {way_out}. Take a larger degree, fewer levels (depth) or less precision"
        )


def ckks_parameters(precision: int, depth: int, slots: int | None, largest: float, rotations: bool) -> Parameters:
    """The smallest safe parameters for a computation on real numbers.

    Args:
        precision: useful bits after the binary point.
        depth: how many products may follow each other.
        slots: how many samples are encrypted together, at least; None for what comes of the rest.
        largest: absolute value that results and what is on the way to them may have.
        rotations: whether there will be sums over samples.

    Raises:
        EncryptionParametersError: no safe parameters are that precise and deep.

    Example:
        >>> ckks_parameters(20, 2, None, 1000, False)
        Parameters(scheme='ckks', degree=8192, prime_bits=(52, 40, 40, 52), depth=2, scale_bits=40, precision=20, ...)
    """
    if not (isinstance(depth, int) and depth >= 0 and isinstance(precision, int) and precision >= 1 and largest >= 1):
        raise EncryptionParametersError(
            f"precision={precision} is a number of bits from 1, depth={depth} a number of products from 0, and "
            f"largest={largest} at least 1"
        )
    head = max(4, int(largest).bit_length() + 2)
    for degree, noise in NOISE_BITS.items():
        scale = max(SMALLEST_SCALE + 5, precision + noise)
        ends = scale + head
        bits = (ends, *[scale] * depth, ends)
        if ends <= LARGEST_PRIME and sum(bits) <= SECURE_BITS[degree] and degree // 2 >= (slots or 1):
            return Parameters("ckks", degree, bits, depth, scale, precision, rotations=rotations)
    raise EncryptionParametersError(_nothing_fits(precision, depth, slots, head))


def _nothing_fits(precision: int, depth: int, slots: int | None, head: int) -> str:
    degree, noise = max(NOISE_BITS.items())
    if slots is not None and slots > degree // 2:
        return f"a ciphertext holds {degree // 2} samples at most, not {slots}; encrypt them in several batches"
    if precision + noise + head > LARGEST_PRIME:
        return (
            f"{precision} bits after the binary point and {head} before it are too many: the first prime has "
            f"{LARGEST_PRIME} bits, of which {noise} go to noise. Ask for precision={LARGEST_PRIME - noise - head}, "
            "or a smaller largest="
        )
    most = (SECURE_BITS[degree] - 2 * (precision + noise + head)) // (precision + noise)
    return (
        f"{depth} products in a row with a precision of {precision} bits need more than the {SECURE_BITS[degree]} bits "
        f"of primes that are safe; depth={most} works, or a smaller precision, or a model with fewer layers"
    )


def bfv_parameters(largest: int, depth: int, slots: int | None, rotations: bool) -> Parameters:
    """The smallest safe parameters for a computation on integers.

    Args:
        largest: absolute value that results and what is on the way to them may have.
        depth: how many products may follow each other.
        slots: how many samples are encrypted together, at least; None for what comes of the rest.
        rotations: whether there will be sums over samples.

    Raises:
        EncryptionParametersError: no safe parameters are that large and deep.

    Example:
        >>> bfv_parameters(1000, 1, None, False).degree
        4096
    """
    if not (isinstance(depth, int) and depth >= 0 and isinstance(largest, int) and largest >= 1):
        raise EncryptionParametersError(f"largest={largest} is an integer from 1, and depth={depth} one from 0")
    for degree in (4096, 8192, 16384, 32768):
        log = degree.bit_length() - 1
        bits = _bfv_primes(degree)
        plain = max(largest.bit_length() + 2, log + 3)
        if plain > LARGEST_PRIME:
            raise EncryptionParametersError(f"integers have {LARGEST_PRIME - 3} bits at most, and {largest} has more")
        # A fresh ciphertext loses about log t + log N bits, a product as many, and some.
        budget = sum(bits[:-1]) - plain - log - 8
        if budget >= depth * (plain + log + 6) and degree >= (slots or 1):
            return Parameters("bfv", degree, bits, depth, plain_modulus=_batching(degree, plain), rotations=rotations)
    raise EncryptionParametersError(
        f"no safe parameters hold {depth} products in a row of integers up to {largest} in {slots or 1} slots; ask for "
        "a smaller depth=, largest= or slots="
    )


def _bfv_primes(degree: int) -> tuple[int, ...]:
    # SEAL's own defaults (BFVDefault at 128 bits), as sizes.
    return {
        4096: (36, 36, 37),
        8192: (43, 43, 44, 44, 44),
        16384: (48, 48, 48, 49, 49, 49, 49, 49, 49),
        32768: (55, 55, 55, 55, 55, 55, 55, 55, 55, 55, 55, 55, 55, 55, 55, 56),
    }[degree]


def _batching(degree: int, bits: int) -> int:
    """A prime of so many bits or a few more, with which a ciphertext has a slot for each coefficient."""
    return next(found[0] for size in range(bits, LARGEST_PRIME + 1) if (found := _largest(degree, size, 1)))


@lru_cache(maxsize=64)
def primes(degree: int, prime_bits: tuple[int, ...]) -> tuple[int, ...]:
    """The primes that SEAL makes of these sizes (``CoeffModulus::Create``).

    Of each size it takes the largest that are 1 modulo 2N, and hands them out from the smallest.

    Args:
        degree: of the polynomials.
        prime_bits: the sizes.

    Example:
        >>> primes(8192, (40, 40))
        (1099510890497, 1099511480321)
    """
    found = {size: list(_largest(degree, size, prime_bits.count(size))) for size in set(prime_bits)}
    return tuple([found[size].pop() for size in prime_bits])


def _largest(degree: int, bits: int, count: int) -> list[int]:
    step = 2 * degree
    value = ((1 << bits) - 1) // step * step + 1
    out: list[int] = []
    while len(out) < count and value.bit_length() == bits:
        if _is_prime(value):
            out.append(value)
        value -= step
    return out


def _is_prime(value: int) -> bool:
    """Miller and Rabin's test with the bases that decide up to 2^64 (Sorenson and Webster 2015)."""
    bases = (2, 3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37)
    if value < 2 or any(value % base == 0 for base in bases):
        return value in bases
    odd, twos = value - 1, 0
    while odd % 2 == 0:
        odd, twos = odd // 2, twos + 1
    for base in bases:
        power = pow(base, odd, value)
        if power in (1, value - 1):
            continue
        for _ in range(twos - 1):
            power = power * power % value
            if power == value - 1:
                break
        else:
            return False
    return True
