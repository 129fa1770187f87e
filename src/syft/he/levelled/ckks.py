"""CKKS (Cheon, Kim, Kim and Song 2017): approximate arithmetic on real numbers.

A number x is written as the integer x * 2^s; a product has the scale 2^2s, and dividing it by a prime near 2^s
("rescaling") takes one level. TenSEAL rescales each product by itself and takes the prime for 2^s. Here

* sums of multiples are rescaled once for the whole sum, which makes layers three to four times as fast, and
* the prime that is really divided by is reckoned with, which makes results ten times as precise.

For the former a sum is made in a second context, which does not rescale, and brought back by two operations with a
factor that is written as the integer 1: such a product changes nothing, but is rescaled.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from syft.core.optional import require
from syft.core.pacing import paced
from syft.he.levelled import protobuf
from syft.he.levelled.arithmetic import Plain, Sums, Vector, summed
from syft.he.levelled.parameters import Parameters, primes
from syft.he.levelled.seal import vector, version, zero

_KEPT_ZEROS = 64  # a few for each level and number of samples


class CkksArithmetic(Sums):
    """Arithmetic on ciphertexts of a CKKS context.

    Args:
        native: TenSEAL's context, without the secret key.
        parameters: of it.
    """

    free_scaling = True

    def __init__(self, native: Any, parameters: Parameters) -> None:
        tenseal = require("tenseal", "he")
        self._make = tenseal._ts_cpp.CKKSVector
        self._native = native.data
        bare = native.serialize(save_public_key=False, save_galois_keys=False, save_relin_keys=False)
        late = tenseal.context_from(bare, n_threads=1)
        late.auto_rescale = False
        self._late = late.data
        self._version = version(protobuf.fields(bare)[1][0])
        self._scale = 2.0**parameters.scale_bits
        self.tiny = 0.5 / self._scale
        self._parameters = parameters
        self._primes = primes(parameters.degree, parameters.prime_bits)
        self._levels: list[Any] = []
        self._zeros: dict[Any, Vector] = {}

    def encrypt(self, values: list[float]) -> Vector:
        """See `Arithmetic`."""
        return self._make(self._native, values)

    def negate(self, a: Vector) -> Vector:
        """See `Arithmetic`."""
        return a.neg()

    def lower(self, a: Vector, level: int) -> Vector:
        """See `Arithmetic`."""
        # TenSEAL brings the sum to the lower of two levels; it is the first operand that it copies before that.
        return a.add(self._zero(self._native, level, self._scale, self._scale, a.size()))

    def multiply(self, a: Vector, b: Vector) -> Vector:
        """See `Arithmetic`."""
        return a.square() if a is b else a.mul(b)

    def correction(self, level: int) -> float:
        """See `Arithmetic`: a product was divided by a prime, and 2^s was meant."""
        return self._primes[level] / self._scale

    def add_plain(self, a: Vector, plain: Plain) -> Vector:
        """See `Arithmetic`."""
        return a.add_plain(plain)

    def multiply_corrected(self, a: Vector, plain: Plain) -> Vector:
        """See `Arithmetic`."""
        return a.mul_plain(plain)

    def plain_cost(self) -> int:
        """See `Arithmetic`."""
        return 1

    def weighted(self, parts: Sequence[Vector], rows: Sequence[Any], level: int) -> list[Vector | None]:
        """See `Arithmetic`."""
        correction, size = self.correction(level), parts[0].size()
        entry = self._zero(self._late, level, self._scale, self._scale, size)
        late = [entry.add(part) for part in parts]
        out: list[Vector | None] = []
        for row in paced(rows):
            terms = [(part, weight) for part, weight in zip(late, row, strict=True) if abs(weight) > self.tiny]
            total = summed((part.mul_plain(weight * correction) for part, weight in terms), owned=True)
            out.append(None if total is None else self._rescaled(total, level, size))
        return out

    def _rescaled(self, total: Vector, level: int, size: int) -> Vector:
        # In TenSEAL a vector writes plain factors with the scale of its own, and claims this scale once it is
        # rescaled. With 1 for it, the factor 1 is the integer 1, and the scale is lost; with 2^s for it, the factor
        # 2^-s is the integer 1, and the scale is back.
        rescaling = self._zero(self._native, level, self._scale**2, 1.0, size).add(total)
        rescaling.mul_plain_(1.0)
        out = self._zero(self._late, level - 1, 1.0, self._scale, size).add(rescaling)
        out.mul_plain_(1 / self._scale)
        out.link_context(self._native)
        return out

    def load(self, ciphertext: bytes, size: int, level: int) -> Vector:
        """A ciphertext that came from elsewhere.

        Args:
            ciphertext: as SEAL writes it.
            size: how many slots are in use.
            level: how many products may follow it.

        Raises:
            ValueError: SEAL does not take it for a ciphertext of this context, or it has another level or scale.
        """
        try:
            out = self._make(self._native, vector(ciphertext, size, self._scale))
            (seen,) = out.ciphertext()
        except (RuntimeError, ValueError, TypeError, IndexError) as error:
            raise ValueError(f"SEAL does not accept a ciphertext: {error}") from None
        if seen.size() != 2 or seen.scale != self._scale or seen.coeff_modulus_size() != level + 1:
            raise ValueError("a ciphertext has two polynomials, the scale of its context, and the primes of its level")
        return out

    def _parms_id(self, level: int) -> Any:
        if not self._levels:
            data = self._native.seal_context().first_context_data()
            while data is not None:
                self._levels.insert(0, data.parms_id())
                data = data.next_context_data()
        return self._levels[level]

    def _zero(self, native: Any, level: int, scale: float, plain_scale: float, size: int) -> Vector:
        key = (native is self._late, level, scale, plain_scale, size)
        found = self._zeros.get(key)
        if found is None:
            if len(self._zeros) >= _KEPT_ZEROS:
                self._zeros.clear()
            made = zero(self._parms_id(level), self._parameters.degree, level + 1, scale, self._version)
            found = self._zeros[key] = self._make(native, vector(made, size, plain_scale))
        return found
