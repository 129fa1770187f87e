"""Many numbers in one ciphertext, for sums: `PackedPaillierTensor`.

A plaintext under a key of 3072 bits has room for 47 integers of 64 bits side by side. Adding ciphertexts adds them all
at once. An integer that outgrew its 64 bits would spill into the next one, so numbers leave room for a known count of
addends (guard bits), and addends are counted.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np
import torch

from syft.core.pacing import paced
from syft.exceptions import EncodingError, UnsupportedOp, UsageError
from syft.he.paillier.ciphertexts import inverses, multiples
from syft.he.paillier.decryption import decrypted
from syft.he.paillier.keys import PaillierPrivateKey, PaillierPublicKey
from syft.he.paillier.noise import noise_for
from syft.he.paillier.plaintexts import kind_of
from syft.he.paillier.tensor import CipherLink, array, on_meta

ADDITIONS = 1024
_SLOTS = range(16, 65, 8)


@dataclass(frozen=True, slots=True)
class Packing:
    """How numbers lie in plaintexts; tensors that are added have the same.

    Args:
        fraction_bits: bits after the point.
        additions: how many tensors a sum may have.
        slot_bits: bits that a number has in all: 16, 24, 32, 40, 48, 56 or 64.

    Raises:
        UsageError: there is no room for that.
    """

    fraction_bits: int
    additions: int
    slot_bits: int = 64

    def __post_init__(self) -> None:
        sound = all(type(one) is int for one in (self.fraction_bits, self.additions, self.slot_bits))
        slot = sound and self.slot_bits in _SLOTS
        if not (slot and 0 <= self.fraction_bits <= self.slot_bits - 2 and 1 <= self.additions < self.half):
            raise UsageError(
                f"numbers cannot be packed in {self.slot_bits} bits with {self.fraction_bits} after the point for "
                f"{self.additions} additions: there are {', '.join(map(str, _SLOTS))} bits, of which all but two may "
                "be after the point, and a sum has at least one addend and no more than there is room for"
            )

    @property
    def half(self) -> int:
        """Sums are below this."""
        return 1 << self.slot_bits - 1

    @property
    def largest(self) -> int:
        """The largest integer, up or down, that each addend may have."""
        return (self.half - 1) // self.additions

    def slots(self, key: PaillierPublicKey) -> int:
        """How many numbers a ciphertext has."""
        return (key.bits - 2) // self.slot_bits

    def integers(self, values: torch.Tensor) -> Any:
        """The integers of numbers, rounded to the nearest: an int64 array of one dimension.

        Raises:
            EncodingError: one is not finite, or too large for so many additions.
        """
        plain = values.detach().cpu().reshape(-1)
        floating = plain.dtype.is_floating_point
        scaled = plain.double() * 2.0**self.fraction_bits if floating else plain.to(torch.int64)
        limit = self.largest if floating else self.largest >> self.fraction_bits
        most = max(scaled.max().item(), -scaled.min().item()) if scaled.numel() else 0
        if not most <= limit:  # NaN is not, either
            unit = 2.0**self.fraction_bits if floating else 1
            raise EncodingError(
                f"a value of {most / unit:.6g} overflows: numbers that are packed for {self.additions} additions with "
                f"{self.fraction_bits} of {self.slot_bits} bits after the point are at most "
                f"{self.largest / 2.0**self.fraction_bits:.6g}; pack with fewer additions or fraction_bits, or encrypt "
                "without packing"
            )
        return scaled.round().to(torch.int64).numpy() if floating else scaled.numpy() << self.fraction_bits


@dataclass(slots=True)
class PackedCiphertexts:
    """The memory of packed tensors; views have it in common.

    Attributes:
        values: the ciphertexts, an object array of one dimension.
        addends: how many fresh tensors the numbers are sums of, multiples counted.
        fresh: see `Ciphertexts`.
    """

    values: Any
    addends: int
    fresh: bool = False


class PackedPaillierTensor(CipherLink):
    """The link under a packed tensor.

    Args:
        key: the public key.
        memory: its ciphertexts.
        shape: of the tensor.
        packing: how its numbers lie in them.
        dtype: of the decrypted numbers.

    Raises:
        EncodingError: there are more addends than the packing has room for.
    """

    ops: ClassVar[dict[str, Any]] = {}

    def __init__(
        self,
        key: PaillierPublicKey,
        memory: PackedCiphertexts,
        shape: Any,
        packing: Packing,
        dtype: torch.dtype,
    ) -> None:
        if memory.addends > packing.additions:
            raise EncodingError(
                f"the sum would have {memory.addends} addends, and these numbers are packed for {packing.additions}: "
                "one more could spill over. Decrypt and encrypt again, or pack with more additions="
            )
        super().__init__()
        self.key, self.memory, self.packing, self.dtype = key, memory, packing, dtype
        self.places = torch.arange(math.prod(shape)).reshape(tuple(shape))

    @property
    def child(self) -> Any:
        """The ciphertexts, as they are: not to be shown to anybody else."""
        return self.values

    @property
    def values(self) -> Any:
        """The ciphertexts."""
        return self.memory.values

    @property
    def addends(self) -> int:
        """See `PackedCiphertexts`."""
        return self.memory.addends

    @property
    def held_bytes(self) -> int:
        """How much memory the ciphertexts take."""
        return len(self.values) * (self.key.ciphertext_bytes + 32)

    def like(self, values: Any, addends: int, dtype: torch.dtype | None = None) -> Any:
        """A tensor of the same shape and packing."""
        kind = self.dtype if dtype is None else dtype
        return PackedPaillierTensor(self.key, PackedCiphertexts(values, addends), self.shape, self.packing, kind)

    def take(self, other: PackedPaillierTensor) -> None:
        """Take the numbers of another one in place, views included."""
        memory = other.memory
        self.memory.values, self.memory.addends, self.memory.fresh = memory.values, memory.addends, memory.fresh

    def refreshed(self) -> list[Any]:
        """The ciphertexts, as random as new ones: these may be shown."""
        memory = self.memory
        if not memory.fresh:
            noise = noise_for(self.key).draw(len(memory.values))
            pairs = paced(zip(memory.values, noise, strict=True))
            memory.values = array(value * r % self.key.nsquare for value, r in pairs)
            memory.fresh = True
        return list(memory.values)

    @classmethod
    def refusal(cls, name: str) -> str:
        """Why there is no rule for an op, and the way out."""
        return (
            f"{name!r} cannot be computed on packed numbers, which can be added, subtracted and multiplied by whole "
            "numbers, as tensors of one shape. Encrypt without packed=True, or decrypt first"
        )

    def __copy__(self) -> PackedPaillierTensor:
        twin = PackedPaillierTensor(self.key, replace(self.memory), self.shape, self.packing, self.dtype)
        twin.owner, twin._id, twin.tags, twin.description = self.owner, self._id, self.tags, self.description
        return twin

    def __repr__(self) -> str:
        return (
            f"PackedPaillierTensor>{len(self.values)} ciphertexts of shape {tuple(self.shape)}, {self.addends} of "
            f"{self.packing.additions} addends, under {self.key!r}"
        )


def side_by_side(integers: Any, key: PaillierPublicKey, packing: Packing) -> list[int]:
    """Plaintexts with so many of the integers (int64) next to each other."""
    width = packing.slot_bits // 8
    shifted = (integers + np.int64(packing.half) if width < 8 else integers ^ np.int64(-(1 << 63))).astype("<i8")
    memory = shifted.view(np.uint8).reshape(-1, 8)[:, :width].tobytes()
    step = packing.slots(key) * width
    chunks = [memory[at : at + step] for at in range(0, len(memory), step)]
    return [int.from_bytes(chunk, "little") - _offset(len(chunk) // width, packing) for chunk in chunks]


def apart(plaintexts: list[int], count: int, key: PaillierPublicKey, packing: Packing) -> Any:
    """So many integers out of plaintexts: an int64 array.

    Raises:
        EncodingError: a plaintext is longer than what it stands for.
    """
    width, slots, parts = packing.slot_bits // 8, packing.slots(key), []
    for number, plaintext in enumerate(plaintexts):
        here = min(slots, count - number * slots)
        shifted = plaintext + _offset(here, packing)
        if shifted < 0 or shifted >> here * packing.slot_bits:
            raise EncodingError("an overflow was found when packed numbers were decrypted; nothing of them can be used")
        parts.append(shifted.to_bytes(here * width, "little"))
    wide = np.zeros((count, 8), np.uint8)
    wide[:, :width] = np.frombuffer(b"".join(parts), np.uint8).reshape(-1, width)
    found = wide.reshape(-1).view("<i8").astype(np.int64)
    return found - np.int64(packing.half) if width < 8 else found ^ np.int64(-(1 << 63))


def _offset(count: int, packing: Packing) -> int:
    # What makes integers with a sign to integers without one, in each slot.
    return packing.half * (((1 << packing.slot_bits * count) - 1) // ((1 << packing.slot_bits) - 1))


def unpacked(link: PackedPaillierTensor, key: PaillierPrivateKey) -> torch.Tensor:
    """The numbers of a packed tensor.

    Raises:
        EncodingError: an overflow was found.
    """
    integers = apart(decrypted(list(link.values), key, link.key.room), link.places.numel(), link.key, link.packing)
    if integers.size and int(np.abs(integers).max()) > link.packing.largest * link.addends:
        raise EncodingError(
            f"a packed number is larger than {link.addends} addends can be: the ciphertexts were not computed as they "
            "are said to be"
        )
    found = torch.from_numpy(integers).reshape(link.shape)
    if link.dtype is torch.int64:
        return found >> link.packing.fraction_bits
    return (found.double() / 2.0**link.packing.fraction_bits).to(link.dtype)


# --- what can be computed ------------------------------------------------------------------------------

OPS = PackedPaillierTensor.ops


def _add(func: Any, a: Any, b: Any, alpha: Any = 1) -> Any:
    return _sum(a, _scaled(b, alpha), _dtype(torch.add, a, b))


def _sub(func: Any, a: Any, b: Any, alpha: Any = 1) -> Any:
    return _sum(a, _scaled(b, -alpha), _dtype(torch.sub, a, b))


def _rsub(func: Any, a: Any, b: Any, alpha: Any = 1) -> Any:
    return _sum(_scaled(a, -alpha), b, _dtype(torch.rsub, a, b))


def _mul(func: Any, a: Any, b: Any) -> Any:
    link, factor = (a, b) if isinstance(a, PackedPaillierTensor) else (b, a)
    return _scaled(link, factor.item() if isinstance(factor, torch.Tensor) and factor.dim() == 0 else factor)


def _dtype(func: Any, a: Any, b: Any) -> torch.dtype:
    if isinstance(a, PackedPaillierTensor) and isinstance(b, PackedPaillierTensor):
        return torch.promote_types(a.dtype, b.dtype)  # of one shape, as is seen to
    operands = a, b
    found = func(*on_meta(operands))
    first = next(one for one in operands if isinstance(one, PackedPaillierTensor))
    if found.shape != first.shape:
        raise UnsupportedOp(PackedPaillierTensor.refusal("a sum that broadcasts packed numbers"))
    return kind_of(found.dtype)


def _sum(a: Any, b: Any, dtype: torch.dtype) -> Any:
    if not isinstance(a, PackedPaillierTensor):
        a, b = b, a
    key, packing = a.key, a.packing
    if not isinstance(b, PackedPaillierTensor):
        values = torch.as_tensor(b).expand(a.shape).contiguous()
        if values.dtype.is_floating_point and not packing.fraction_bits:
            raise UsageError("numbers with fractional digits cannot be added to packed integers; pack floats")
        plain = side_by_side(packing.integers(values), key, packing)
        added = array(1 + key.n * number for number in plain)
        return a.like(a.values * added % key.nsquare, a.addends + 1, dtype)
    if a.packing != b.packing or a.shape != b.shape:
        raise UsageError(
            f"packed tensors are added that have one shape and one packing, and these have {tuple(a.shape)}, "
            f"{a.packing} and {tuple(b.shape)}, {b.packing}; encrypt them alike"
        )
    return a.like(a.values * b.values % key.nsquare, a.addends + b.addends, dtype)


def _scaled(a: Any, factor: Any) -> Any:
    if not isinstance(a, PackedPaillierTensor):
        return a * factor
    if type(factor) is not int:
        raise UnsupportedOp(PackedPaillierTensor.refusal(f"a product with {type(factor).__name__}"))
    modulus = a.key.nsquare
    if factor == 1:
        return a
    values = inverses(a.values, modulus) if factor == -1 else None
    addends = a.addends * abs(factor)
    a.like(a.values[:0], addends)  # raises, before anything is computed
    return a.like(array(values or multiples(a.values, [factor] * len(a.values), modulus)), addends)


def _shaped(func: Any, a: Any, *args: Any, **kwargs: Any) -> Any:
    places = func(a.places, *args, **kwargs)
    if not torch.equal(places.reshape(-1), a.places.reshape(-1)):
        raise UnsupportedOp(PackedPaillierTensor.refusal("a change of the order of elements"))
    memory = replace(a.memory) if func is torch.ops.aten.clone.default else a.memory
    return PackedPaillierTensor(a.key, memory, places.shape, a.packing, a.dtype)


OPS.update({"add": _add, "sub": _sub, "rsub": _rsub, "mul": _mul, "neg": lambda func, a: _scaled(a, -1)})
OPS.update(
    dict.fromkeys("_reshape_alias _unsafe_view alias clone detach lift_fresh squeeze t unsqueeze view".split(), _shaped)
)
