"""`CiphertextLink`: a tensor of encrypted numbers, and how its elements lie in ciphertexts.

The first dimension is that of the samples. Each element of a sample has a ciphertext of its own, whose slots are the
samples: a batch of 200 images of 28 x 28 pixels is 784 ciphertexts of 200 slots. What layers do to such a tensor is
sums of multiples of ciphertexts, without a rotation, and costs the same for one sample and for thousands.

Which ciphertext stands at which place is a tensor of integers: reshaping, indexing and padding are done to that.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, ClassVar, Self

import torch

from syft.core.pacing import paced
from syft.exceptions import DepthExceededError, KeyMismatchError, LimitExceededError, UnsupportedOp
from syft.he.levelled.arithmetic import Arithmetic, Vector
from syft.tensors.base import SyftTensor

_MOST_ELEMENTS = 1 << 26


class CiphertextLink(SyftTensor):
    """Encrypted numbers: ``factor`` times what is in the slots.

    Args:
        context: under which they are encrypted.
        vectors: the ciphertexts, all of one level.
        places: int64, of the shape of one sample: 1 for the first ciphertext and so on; 0 for a zero, which needs none.
        batch: how many samples there are; None for numbers without that dimension, which are in the first slot.
        level: how many products may follow.
        factor: see above.
        dtype: of the numbers.
    """

    precedence = 24
    fresh = False
    """Whether nothing was computed yet."""
    scheme: ClassVar[str]

    def __init__(
        self,
        context: Any,
        vectors: Sequence[Vector],
        places: torch.Tensor,
        batch: int | None,
        level: int,
        factor: float = 1,
        dtype: torch.dtype = torch.float32,
    ) -> None:
        super().__init__()
        check_elements(places.numel() * (batch or 1))
        self.context, self.vectors, self.places = context, tuple(vectors), places
        self.batch, self.level, self.factor, self.dtype = batch, level, factor, dtype

    @property
    def arithmetic(self) -> Arithmetic:
        """What computes on the ciphertexts."""
        arithmetic: Arithmetic = self.context.arithmetic
        return arithmetic

    @property
    def shape(self) -> torch.Size:
        """The shape of the values."""
        return torch.Size(self.places.shape if self.batch is None else (self.batch, *self.places.shape))

    @property
    def held_bytes(self) -> int:
        """The memory that the ciphertexts take; nobody but SEAL sees it."""
        primes = self.level + 1 if self.scheme == "ckks" else len(self.context.parameters.prime_bits) - 1
        return len(self.vectors) * 16 * self.context.parameters.degree * primes + 8 * self.places.numel()

    @property
    def size(self) -> int:
        """How many slots are in use."""
        return 1 if self.batch is None else self.batch

    def with_places(self, places: torch.Tensor) -> Self:
        """Other places for the same ciphertexts."""
        return self._like(self.vectors, places, self.level, self.factor)

    def with_vectors(self, vectors: Sequence[Vector], places: torch.Tensor, level: int, factor: float) -> Self:
        """Other ciphertexts for the same samples."""
        return self._like(vectors, places, level, factor)

    def scaled(self, factor: float) -> Self:
        """The product with a number, for which nothing is computed."""
        return self._like(self.vectors, self.places, self.level, self.factor * factor)

    def summed(self, vectors: Sequence[Vector]) -> Self:
        """Numbers without the dimension of the samples."""
        return type(self)(self.context, vectors, self.places, None, self.level, self.factor, self.dtype)

    def _like(self, vectors: Sequence[Vector], places: torch.Tensor, level: int, factor: float) -> Self:
        return type(self)(self.context, vectors, places, self.batch, level, factor, self.dtype)

    def each(self, change: Any, level: int | None = None, factor: float | None = None) -> Self:
        """The same change of each ciphertext that has a place."""
        used, places = self.compact()
        level, factor = self.level if level is None else level, self.factor if factor is None else factor
        return self._like([change(vector) for vector in paced(used)], places, level, factor)

    def compact(self) -> tuple[list[Vector], torch.Tensor]:
        """The ciphertexts that have a place, and the places counted through these."""
        present, places = self.places.unique(return_inverse=True)
        zeros = bool(present.numel()) and int(present[0]) == 0
        return [self.vectors[p - 1] for p in present.tolist() if p], places.reshape(self.places.shape) + (not zeros)

    def vector(self, place: int) -> Vector:
        """The ciphertext at a place that is not 0."""
        return self.vectors[place - 1]

    def lowered(self, level: int) -> Self:
        """The same numbers at a level that is not higher."""
        if level == self.level:
            return self
        return self.each(lambda vector: self.arithmetic.lower(vector, level), level)

    def below(self, levels: int = 1) -> int:
        """The level after some products.

        Raises:
            DepthExceededError: there is none.
        """
        level = self.level - levels
        if level < 0 and not getattr(self.context, "counts_levels", False):
            depth = self.context.depth
            raise DepthExceededError(
                f"this product would be number {depth + levels} in a row, and the context was made for {depth}: make "
                f"one with depth={depth + levels} or more, such as {_made(self.context, depth + levels)}, and encrypt "
                "with that. sy.he.levels_needed(model, example) says how many a whole model needs"
            )
        return level

    def moved(self, move: Any) -> Self:
        """Run an op that moves elements, on the numbers of the elements.

        Args:
            move: takes and returns a tensor of int64.

        Raises:
            UnsupportedOp: it would move numbers from one sample to another.
        """
        if self.batch is None:
            return self.with_places(move(self.places))
        samples = torch.arange(self.batch).reshape(-1, *[1] * self.places.dim())
        codes = move(torch.where(self.places > 0, self.places * self.batch + samples, 0))
        if codes.dim() and codes.shape[0] == self.batch:
            places, home = codes // self.batch, torch.arange(self.batch).reshape(-1, *[1] * (codes.dim() - 1))
            stayed = (codes == 0) | (codes % self.batch == home)
            if bool(stayed.all()) and bool((places == places[:1]).all()):
                return self.with_places(places[0].clone())
        raise UnsupportedOp(
            f"samples stay together in the slots of ciphertexts: the first dimension of {tuple(self.shape)} cannot be "
            "cut, reordered or mixed with others while the numbers are encrypted. Do that before they are encrypted, "
            "or after they are decrypted"
        )

    def __repr__(self) -> str:
        kind = type(self).__name__
        return f"{kind}>[{tuple(self.shape)} in {len(self.vectors)} ciphertexts, {self.level} levels left]"


class CKKSTensor(CiphertextLink):
    """Real numbers, encrypted with CKKS."""

    scheme = "ckks"


class BFVTensor(CiphertextLink):
    """Integers, encrypted with BFV."""

    scheme = "bfv"


KINDS: dict[str, type[CiphertextLink]] = {kind.scheme: kind for kind in (CKKSTensor, BFVTensor)}


def _made(context: Any, depth: int) -> str:
    if context.scheme == "bfv":
        return f"sy.he.bfv_context(depth={depth}, largest=...)"
    return f"sy.he.ckks_context(precision={context.parameters.precision}, depth={depth})"


def check_elements(count: int) -> None:
    """Refuse tensors whose places alone would fill the memory: a worker runs what strangers ask.

    Raises:
        LimitExceededError: there are more elements than 2^26.
    """
    if count > _MOST_ELEMENTS:
        raise LimitExceededError(
            f"an encrypted tensor has {_MOST_ELEMENTS:,} elements at most, and this would have {count:,}; split it"
        )


def broadcast(a: CiphertextLink, b: CiphertextLink) -> tuple[torch.Tensor, torch.Tensor]:
    """The places of two operands for each element of a sample of the result.

    Raises:
        UnsupportedOp: the first dimension of the result is not that of the samples.
    """
    first, sample = broadcast_plain(a, b.shape)
    broadcast_plain(b, a.shape)
    return first, b.places.expand(sample)


def broadcast_plain(a: CiphertextLink, other: torch.Size) -> tuple[torch.Tensor, list[int]]:
    """The places of an operand for each element of a sample of the result, and the shape of a sample.

    Args:
        a: encrypted.
        other: the shape of the other operand.

    Raises:
        UnsupportedOp: the first dimension of the result is not that of the samples.
    """
    if a.shape == other:
        return a.places, list(a.places.shape)
    try:
        shape = torch.broadcast_shapes(a.shape, other)
    except RuntimeError as error:
        raise UnsupportedOp(f"shapes {tuple(a.shape)} and {tuple(other)} do not fit together: {error}") from None
    if len(a.shape) != len(shape) or a.shape[:1] != shape[:1]:
        raise UnsupportedOp(
            f"the first dimension of an encrypted tensor is that of its samples: shapes {tuple(a.shape)} and "
            f"{tuple(other)} would need it elsewhere, or repeated. Give both the same number of dimensions and samples"
        )
    sample = list(shape) if a.batch is None else list(shape[1:])
    return a.places.expand(sample), sample


def aligned(a: CiphertextLink, b: CiphertextLink) -> tuple[CiphertextLink, CiphertextLink]:
    """Two tensors with one factor and one level for both; where a product is needed for that, the higher one takes it.

    Raises:
        KeyMismatchError: they are encrypted under different contexts.
    """
    same_context(a, b)
    if a.factor != b.factor:
        if a.level >= b.level:
            a = times(a, a.factor / b.factor, b.factor)
        else:
            b = times(b, b.factor / a.factor, a.factor)
    level = min(a.level, b.level)
    return a.lowered(level), b.lowered(level)


def times(a: CiphertextLink, ratio: float, factor: float) -> CiphertextLink:
    """The ciphertexts times a ratio, with another factor beside them."""
    arithmetic = a.arithmetic
    level = a.below(arithmetic.plain_cost())
    corrected = ratio * arithmetic.correction(a.level)
    return a.each(lambda vector: arithmetic.multiply_corrected(vector, corrected), level, factor)


def same_context(a: CiphertextLink, b: CiphertextLink) -> None:
    """Refuse what is encrypted under different keys.

    Raises:
        KeyMismatchError: it is.
    """
    if a.context.id != b.context.id:
        raise KeyMismatchError(
            f"the operands are encrypted under two contexts, {a.context.id} and {b.context.id}, whose keys differ; "
            "encrypt both under one"
        )


def joined(parts: Iterable[CiphertextLink]) -> tuple[list[Vector], list[torch.Tensor]]:
    """The ciphertexts of several tensors of one level as one list, and their places counted through that."""
    vectors: list[Vector] = []
    places = []
    for part in parts:
        places.append(torch.where(part.places > 0, part.places + len(vectors), 0))
        vectors += part.vectors
    return vectors, places
