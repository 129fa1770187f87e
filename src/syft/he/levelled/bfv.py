"""BFV (Brakerski 2012; Fan and Vercauteren 2012): exact arithmetic on integers modulo a prime."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from syft.core.optional import require
from syft.core.pacing import paced
from syft.he.levelled.arithmetic import Plain, Sums, Vector, summed
from syft.he.levelled.parameters import Parameters
from syft.he.levelled.seal import vector


class BfvArithmetic(Sums):
    """Arithmetic on ciphertexts of a BFV context; its levels are products that the noise leaves room for.

    Args:
        native: TenSEAL's context, without the secret key.
        parameters: of it.
    """

    free_scaling = False
    tiny = 0.5

    def __init__(self, native: Any, parameters: Parameters) -> None:
        self._make = require("tenseal", "he")._ts_cpp.BFVVector
        self._native = native.data
        self._parameters = parameters

    def encrypt(self, values: list[Any]) -> Vector:
        """See `Arithmetic`."""
        return self._make(self._native, values)

    def negate(self, a: Vector) -> Vector:
        """See `Arithmetic`."""
        return self.multiply_corrected(a, -1)

    def lower(self, a: Vector, level: int) -> Vector:
        """See `Arithmetic`: the level is only counted."""
        return a

    def multiply(self, a: Vector, b: Vector) -> Vector:
        """See `Arithmetic`."""
        return a.mul(b)

    def correction(self, level: int) -> float:
        """See `Arithmetic`."""
        return 1

    def add_plain(self, a: Vector, plain: Plain) -> Vector:
        """See `Arithmetic`."""
        return a.add_plain(plain if isinstance(plain, list) else [plain] * a.size())

    def multiply_corrected(self, a: Vector, plain: Plain) -> Vector:
        """See `Arithmetic`."""
        return a.mul_plain(plain if isinstance(plain, list) else [plain] * a.size())

    def plain_cost(self) -> int:
        """See `Arithmetic`: as much noise as a product of ciphertexts makes, if the numbers are large."""
        return 1

    def weighted(self, parts: Sequence[Vector], rows: Sequence[Any], level: int) -> list[Vector | None]:
        """See `Arithmetic`."""
        rows = [[(part, weight) for part, weight in zip(parts, row, strict=True) if weight] for row in rows]
        return [summed((self.multiply_corrected(*term) for term in row), owned=True) for row in paced(rows)]

    def load(self, ciphertext: bytes, size: int, level: int) -> Vector:
        """A ciphertext that came from elsewhere; see `syft.he.levelled.ckks.CkksArithmetic.load`."""
        try:
            out = self._make(self._native, vector(ciphertext, size, None))
            (seen,) = out.ciphertext()
        except (RuntimeError, ValueError, TypeError, IndexError) as error:
            raise ValueError(f"SEAL does not accept a ciphertext: {error}") from None
        if seen.size() != 2 or seen.coeff_modulus_size() != len(self._parameters.prime_bits) - 1:
            raise ValueError("a ciphertext has two polynomials, and the primes of its context")
        return out
