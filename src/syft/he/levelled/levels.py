"""How many levels a computation needs: it is run on ciphertexts that hold nothing and are never used up."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from syft.he.levelled.arithmetic import Plain, Vector
from syft.he.levelled.parameters import Parameters

COUNTED: Vector = "a ciphertext"
"""What stands for each of them."""


class CountingArithmetic:
    """Arithmetic that computes nothing."""

    free_scaling = True
    tiny = 0.0

    def encrypt(self, values: list[float]) -> Vector:
        """See `Arithmetic`."""
        return COUNTED

    def add(self, a: Vector, b: Vector) -> Vector:
        """See `Arithmetic`."""
        return COUNTED

    subtract = multiply = add

    def total(self, parts: Sequence[Vector]) -> Vector:
        """See `Arithmetic`."""
        return COUNTED

    def negate(self, a: Vector) -> Vector:
        """See `Arithmetic`."""
        return COUNTED

    sum_slots = negate

    def lower(self, a: Vector, level: int) -> Vector:
        """See `Arithmetic`."""
        return COUNTED

    def correction(self, level: int) -> float:
        """See `Arithmetic`: another one for each level, as in real contexts."""
        return 1 + (1000 + level) * 2.0**-20

    def add_plain(self, a: Vector, plain: Plain) -> Vector:
        """See `Arithmetic`."""
        return COUNTED

    def multiply_corrected(self, a: Vector, plain: Plain) -> Vector:
        """See `Arithmetic`."""
        return COUNTED

    def plain_cost(self) -> int:
        """See `Arithmetic`."""
        return 1

    def weighted(self, parts: Sequence[Vector], rows: Sequence[Any], level: int) -> list[Vector | None]:
        """See `Arithmetic`."""
        return [COUNTED] * len(rows)


class CountingContext:
    """A context of such an arithmetic: its levels have no end."""

    id = scheme = "counting"
    counts_levels = True
    depth = 0
    parameters = Parameters("ckks", 8192, (), 0, rotations=True)
    arithmetic = CountingArithmetic()
