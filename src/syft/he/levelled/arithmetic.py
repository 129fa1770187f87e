"""What is computed on single ciphertexts: the operations that CKKS and BFV have in common, and how each does them.

A ciphertext is a vector of slots, one a sample. `Arithmetic` says what there is; the modules `ckks`, `bfv` and
`levels`, which only counts, say how.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, Protocol

Vector = Any
"""A ciphertext: what TenSEAL calls a CKKSVector or a BFVVector."""
Plain = float | list[float]
"""A public operand: the same number for all slots, or one for each."""


class Arithmetic(Protocol):
    """Operations on ciphertexts of one context. None changes its operands. A result of None is zero."""

    free_scaling: bool
    """Whether a factor that is the same for all numbers costs nothing: it is remembered beside the ciphertexts."""
    tiny: float
    """Public factors below this are zero."""

    def encrypt(self, values: list[float]) -> Vector:
        """A fresh ciphertext, at the highest level."""

    def add(self, a: Vector, b: Vector) -> Vector | None:
        """The sum of two ciphertexts of the same level."""

    def total(self, parts: Sequence[Vector]) -> Vector | None:
        """The sum of several of the same level."""

    def subtract(self, a: Vector, b: Vector) -> Vector | None:
        """The difference of two ciphertexts of the same level."""

    def negate(self, a: Vector) -> Vector:
        """The negative."""

    def lower(self, a: Vector, level: int) -> Vector:
        """The same values at a lower level."""

    def multiply(self, a: Vector, b: Vector) -> Vector:
        """The product of two ciphertexts of the same level, one level below; see `correction`."""

    def correction(self, level: int) -> float:
        """What products made at a level are to be multiplied with."""

    def add_plain(self, a: Vector, plain: Plain) -> Vector:
        """A ciphertext plus public numbers."""

    def multiply_corrected(self, a: Vector, plain: Plain) -> Vector:
        """A ciphertext times public numbers, which were multiplied with the `correction` of its level before."""

    def plain_cost(self) -> int:
        """How many levels a product with public numbers takes."""

    def weighted(self, parts: Sequence[Vector], rows: Sequence[Any], level: int) -> list[Vector | None]:
        """Sums of multiples, one a row of weights; a weight of zero costs nothing."""

    def sum_slots(self, a: Vector) -> Vector:
        """The sum over the slots that are in use, in the first one."""


class Sums:
    """What both schemes add up alike.

    SEAL refuses to make a ciphertext that everybody can read, such as that of x - x. Such a sum is zero, whatever x is.
    """

    def add(self, a: Vector, b: Vector) -> Vector | None:
        """See `Arithmetic`."""
        return unless_zero(a.add, b)

    def subtract(self, a: Vector, b: Vector) -> Vector | None:
        """See `Arithmetic`."""
        return unless_zero(a.sub, b)

    def total(self, parts: Sequence[Vector]) -> Vector | None:
        """See `Arithmetic`."""
        return summed(iter(parts))

    def sum_slots(self, a: Vector) -> Vector:
        """See `Arithmetic`."""
        return a.sum()


def unless_zero(operate: Callable[[Vector], Vector], operand: Vector) -> Vector | None:
    """The result of an operation; None where SEAL refuses it because it is zero for everybody to see."""
    try:
        return operate(operand)
    except RuntimeError as error:
        if "transparent" not in str(error):
            raise
        return None


def summed(terms: Iterator[Vector], owned: bool = False) -> Vector | None:
    """The sum of ciphertexts of one level.

    Args:
        terms: one at least.
        owned: whether the first may be changed.
    """
    out: Vector | None = None
    for term in terms:
        if out is None:
            out, ours = term, owned
        elif ours:
            out = unless_zero(out.add_, term)
        else:
            out, ours = unless_zero(out.add, term), True
    return out
