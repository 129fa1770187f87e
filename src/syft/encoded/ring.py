"""What numbers ask of the integers under them, be these here or shared: arithmetic modulo 2^64.

Integers that are here are tensors of int64; other kinds bring a ring of their own as their attribute ``ring``.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import torch

from syft.encoded.bilinear import Spec, product
from syft.encoded.moves import move

Integers = Any
"""A tensor of int64, or a link whose class has a ``ring``."""


class Ring(Protocol):
    """Arithmetic on integers modulo 2^64. Operands may be tensors of int64, too, which are public."""

    def add(self, a: Integers, b: Integers | int) -> Integers:
        """The sum, broadcast."""

    def sub(self, a: Integers, b: Integers) -> Integers:
        """The difference, broadcast."""

    def neg(self, a: Integers) -> Integers:
        """The negative."""

    def scale(self, a: Integers, factor: int) -> Integers:
        """A multiple."""

    def product(self, kind: str, spec: Spec, a: Integers, b: Integers) -> Integers:
        """One of `syft.encoded.bilinear.PRODUCTS`."""

    def divide(self, a: Integers, divisor: int) -> Integers:
        """The quotient by a public number, off by less than 2."""

    def negative(self, a: Integers) -> Integers:
        """1 where an element is below zero, else 0."""

    def nonnegative(self, a: Integers) -> Integers:
        """1 where an element is zero or more, else 0."""

    def rectified(self, a: Integers) -> Integers:
        """The elements that are zero or more, 0 in the place of the others."""

    def negative_wide(self, a: Integers) -> Integers:
        """The same for integers of up to 63 bits, also where users have promised smaller ones."""

    def zero(self, a: Integers) -> Integers:
        """1 where an element is zero, else 0."""

    def prepare(self, a: Integers) -> None:
        """Do now, at once for all its parts, what products of parts of this would wait for one by one."""

    def complement(self, bits: Integers) -> Integers:
        """1 - bits."""

    def move(self, name: str, a: Integers, *args: Any) -> Integers:
        """One of `syft.encoded.moves`."""

    def join(self, parts: Sequence[Integers], dim: int) -> Integers:
        """Concatenated along a dimension."""


class LocalRing:
    """The ring of integers that are here.

    >>> LOCAL.divide(torch.tensor([-7, 7]), 2)
    tensor([-3,  3])
    """

    def add(self, a: torch.Tensor, b: Any) -> torch.Tensor:
        """See `Ring`."""
        return a + b

    def sub(self, a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
        """See `Ring`."""
        return a - b

    def neg(self, a: torch.Tensor) -> torch.Tensor:
        """See `Ring`."""
        return -a

    def scale(self, a: torch.Tensor, factor: int) -> torch.Tensor:
        """See `Ring`."""
        return a * factor

    def product(self, kind: str, spec: Spec, a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
        """See `Ring`."""
        return product(kind, spec, a, b)

    def divide(self, a: torch.Tensor, divisor: int) -> torch.Tensor:
        """See `Ring`; rounded towards zero."""
        return torch.div(a, divisor, rounding_mode="trunc")

    def negative(self, a: torch.Tensor) -> torch.Tensor:
        """See `Ring`."""
        return (a < 0).long()

    def negative_wide(self, a: torch.Tensor) -> torch.Tensor:
        """See `Ring`."""
        return self.negative(a)

    def nonnegative(self, a: torch.Tensor) -> torch.Tensor:
        """See `Ring`."""
        return (a >= 0).long()

    def rectified(self, a: torch.Tensor) -> torch.Tensor:
        """See `Ring`."""
        return a.clamp(min=0)

    def zero(self, a: torch.Tensor) -> torch.Tensor:
        """See `Ring`."""
        return (a == 0).long()

    def prepare(self, a: torch.Tensor) -> None:
        """See `Ring`."""

    def complement(self, bits: torch.Tensor) -> torch.Tensor:
        """See `Ring`."""
        return 1 - bits

    def move(self, name: str, a: torch.Tensor, *args: Any) -> torch.Tensor:
        """See `Ring`."""
        return move(name, a, *args)

    def join(self, parts: Sequence[torch.Tensor], dim: int) -> torch.Tensor:
        """See `Ring`."""
        return torch.cat(list(parts), dim)


LOCAL = LocalRing()


def ring_of(*integers: Integers) -> Ring:
    """The ring in which these meet: that of the first that are not here."""
    for one in integers:
        if (ring := getattr(type(one), "ring", None)) is not None:
            return ring
    return LOCAL
