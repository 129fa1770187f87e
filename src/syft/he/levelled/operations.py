"""Sums and products of encrypted tensors, with each other and with plain ones."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch

from syft.core.pacing import paced
from syft.exceptions import EncodingError, UnsupportedOp
from syft.he.levelled.arithmetic import Vector
from syft.he.levelled.slots import CiphertextLink, aligned, broadcast, broadcast_plain, joined, same_context, times

Link = CiphertextLink


def add(a: Link, b: Link) -> Link:
    """The sum, broadcast."""
    a, b = aligned(a, b)
    arithmetic = a.arithmetic
    return _pairwise(a, b, arithmetic.add, a.level, a.factor, alone=lambda vector: vector)


def subtract(a: Link, b: Link) -> Link:
    """The difference, broadcast."""
    a, b = aligned(a, b)
    arithmetic = a.arithmetic
    return _pairwise(a, b, arithmetic.subtract, a.level, a.factor, alone=arithmetic.negate)


def multiply(a: Link, b: Link) -> Link:
    """The product, broadcast; it takes one level."""
    same_context(a, b)
    level = min(a.level, b.level)
    a, b = (a, b) if a.level == b.level else (a.lowered(level), b.lowered(level))
    factor = a.factor * b.factor * a.arithmetic.correction(level)
    return _pairwise(a, b, a.arithmetic.multiply, a.below(), factor, alone=None)


def square(a: Link) -> Link:
    """The product with itself; it takes one level."""
    return multiply(a, a)


def _pairwise(
    a: Link,
    b: Link,
    operate: Callable[[Vector, Vector], Vector],
    level: int,
    factor: float,
    alone: Callable[[Vector], Vector] | None,
) -> Link:
    """One operation for each pair of ciphertexts that meet.

    Args:
        a: first operand.
        b: second operand, of the same level.
        operate: on two ciphertexts.
        level: of the result.
        factor: of the result.
        alone: what a ciphertext of b becomes where a is zero; None if zero makes zero.
    """
    if a.batch == b.batch and a.places.shape == b.places.shape:
        first, second = a.places, b.places
    else:
        first, second = broadcast(a, b)
    count = first.numel()
    if count == len(a.vectors) == len(b.vectors) and torch.equal(first, second):
        # As most tensors lie; looking each pair up takes longer.
        made = [operate(u, v) for u, v in paced(zip(a.vectors, b.vectors, strict=True))]
        if None not in made:
            return a.with_vectors(made, first, level, factor)
    known: dict[tuple[int, int], int] = {}
    out = Ciphertexts()
    for i, j in paced(zip(first.reshape(-1).tolist(), second.reshape(-1).tolist(), strict=True)):
        if (i, j) not in known:
            if i and j:
                known[i, j] = out.put(operate(a.vector(i), b.vector(j)))
            elif alone is None or i == j:
                known[i, j] = 0
            else:
                known[i, j] = out.put(a.vector(i) if i else alone(b.vector(j)))
        out.places.append(known[i, j])
    return out.like(a, first.shape, level, factor)


class Ciphertexts:
    """Those of a result, and where they stand, while it is made."""

    def __init__(self) -> None:
        self.vectors: list[Vector] = []
        self.places: list[int] = []

    def put(self, made: Vector | None) -> int:
        """One more, which may be zero; its place."""
        if made is None:
            return 0
        self.vectors.append(made)
        return len(self.vectors)

    def like(self, a: Link, shape: Any, level: int, factor: float) -> Link:
        """All of them for the samples of a tensor."""
        places = torch.tensor(self.places, dtype=torch.int64).reshape(shape)
        return a.with_vectors(self.vectors, places, level, factor)


def add_plain(a: Link, plain: torch.Tensor) -> Link:
    """An encrypted tensor plus a plain one, broadcast."""
    arithmetic = a.arithmetic
    values = _checked(a, plain)
    shown = values if a.factor == 1 else values / a.factor

    def add_to(place: int, number: Any) -> Vector:
        if place == 0:
            fresh = arithmetic.encrypt(number if isinstance(number, list) else [number] * a.size)
            return arithmetic.lower(fresh, a.level)
        return arithmetic.add_plain(a.vector(place), number) if number else a.vector(place)

    return _with_plain(a, shown, add_to, a.level, a.factor)


def multiply_plain(a: Link, plain: torch.Tensor) -> Link:
    """An encrypted tensor times a plain one, broadcast; it takes one level, unless the plain one is a single number."""
    arithmetic = a.arithmetic
    values = _checked(a, plain)
    if values.dim() == 0 and arithmetic.free_scaling:
        number = float(values)
        return a.scaled(number) if number else a.with_places(torch.zeros_like(a.places))
    level = a.below(arithmetic.plain_cost())

    def multiply_by(place: int, number: Any) -> Vector | None:
        largest = max(max(number), -min(number)) if isinstance(number, list) else abs(number)
        if place == 0 or largest <= arithmetic.tiny:
            return None
        return arithmetic.multiply_corrected(a.vector(place), number)

    correction = arithmetic.correction(a.level)
    return _with_plain(a, values if correction == 1 else values * correction, multiply_by, level, a.factor)


def _with_plain(a: Link, values: torch.Tensor, operate: Callable[[int, Any], Any], level: int, factor: float) -> Link:
    """One operation for each ciphertext and the plain numbers that it meets: one for all samples, or one for each."""
    places, sample = broadcast_plain(a, values.shape)
    shared = a.batch is None or values.dim() <= len(sample) or values.shape[0] == 1
    if shared:
        lead = [] if a.batch is None or values.dim() <= len(sample) else [0]
        numbers = values[tuple(lead)].expand(sample).reshape(-1).tolist()
    else:
        numbers = values.expand(a.size, *sample).reshape(a.size, -1).t().tolist()
    out = Ciphertexts()
    for place, number in paced(zip(places.reshape(-1).tolist(), numbers, strict=True)):
        out.places.append(out.put(operate(place, number)))
    return out.like(a, sample, level, factor)


def negate(a: Link) -> Link:
    """The negative."""
    return a.scaled(-1) if a.arithmetic.free_scaling else a.each(a.arithmetic.negate)


def total(a: Link, dims: list[int], keepdim: bool = False) -> Link:
    """The sum over some dimensions.

    Args:
        a: the numbers.
        dims: not negative. 0 is that of the samples, and needs a context with ``rotations=True``.
        keepdim: whether the dimensions stay, with size 1.
    """
    over_samples = a.batch is not None and 0 in dims
    inner = [d - (a.batch is not None) for d in dims if not (over_samples and d == 0)]
    if over_samples and keepdim:
        raise UnsupportedOp("a sum over samples leaves no dimension for them; use keepdim=False")
    out = _sum_places(a, inner, keepdim) if inner else a
    return _sum_samples(out) if over_samples else out


def _sum_places(a: Link, dims: list[int], keepdim: bool) -> Link:
    arithmetic = a.arithmetic
    rest = [d for d in range(a.places.dim()) if d not in dims]
    rows = a.places.permute(*rest, *dims).reshape(*[a.places.shape[d] for d in rest], -1)
    out = Ciphertexts()
    for row in paced(rows.reshape(-1, rows.shape[-1]).tolist()):
        parts = [a.vector(place) for place in row if place]
        out.places.append(out.put(arithmetic.total(parts) if parts else None))
    shape = [1 if d in dims else size for d, size in enumerate(a.places.shape)] if keepdim else rows.shape[:-1]
    return out.like(a, shape, a.level, a.factor)


def _sum_samples(a: Link) -> Link:
    if not a.context.parameters.rotations:
        raise UnsupportedOp(
            "a sum over samples moves numbers between slots, which needs keys that this context does not have; make "
            "it with rotations=True"
        )
    used, places = a.compact()
    return a.with_places(places).summed([a.arithmetic.sum_slots(vector) for vector in used])


def weighted(a: Link, rows: torch.Tensor, weights: torch.Tensor) -> Link:
    """Sums of multiples: what linear layers and convolutions are; it takes one level.

    Args:
        a: the numbers.
        rows: int64, (positions, inputs): places of the ciphertexts that are added up at each position.
        weights: (outputs, inputs), the same at each position.

    Returns:
        A link whose places are (positions, outputs).
    """
    values = _checked(a, weights)
    arithmetic, level = a.arithmetic, a.below()
    out = Ciphertexts()
    for row in paced(rows.tolist()):
        here = [i for i, place in enumerate(row) if place]
        made = arithmetic.weighted([a.vector(row[i]) for i in here], values[:, here].tolist(), a.level) if here else []
        out.places += [out.put(vector) for vector in made] if here else [0] * len(values)
    return out.like(a, (rows.shape[0], values.shape[0]), level, a.factor)


def concatenated(parts: list[Link], dim: int) -> Link:
    """One after the other along a dimension that is not that of the samples."""
    first = parts[0]
    for part in parts[1:]:
        if part.batch != first.batch or first.batch is None or dim % len(first.shape) == 0:
            raise UnsupportedOp("encrypted tensors are joined along another dimension than that of their samples")
        same_context(first, part)
    factor = min(parts, key=lambda part: part.level).factor
    same = [part if part.factor == factor else times(part, part.factor / factor, factor) for part in parts]
    level = min(part.level for part in same)
    vectors, places = joined([part.lowered(level) for part in same])
    return first.with_vectors(vectors, torch.cat(places, dim % len(first.shape) - 1), level, factor)


def _checked(a: Link, plain: torch.Tensor) -> torch.Tensor:
    """Plain numbers as they are computed with.

    Raises:
        EncodingError: they are not finite, or no integers where the others are, or too large.
    """
    if a.arithmetic.free_scaling:
        values = plain.detach().to(torch.float64)
        if not bool(values.isfinite().all()):
            raise EncodingError("infinities and what is not a number cannot be computed with on ciphertexts")
        return values
    if plain.dtype.is_floating_point or plain.dtype.is_complex:
        raise EncodingError("integers are encrypted here; use protocol='ckks' for numbers with fractional digits")
    return in_range(plain.detach().to(torch.int64), a.context)


def in_range(values: torch.Tensor, context: Any) -> torch.Tensor:
    """Integers, if they fit the plain modulus.

    Raises:
        EncodingError: they do not.
    """
    half = context.parameters.plain_modulus // 2
    if values.numel() and (int(values.max()) > half or int(values.min()) < -half):
        raise EncodingError(
            f"integers from {-half} to {half} fit this context, and there are some from {int(values.min())} to "
            f"{int(values.max())}; make one with sy.he.bfv_context(largest=...)"
        )
    return values
