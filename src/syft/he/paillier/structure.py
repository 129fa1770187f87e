"""Ops that put elements elsewhere, whatever they are: torch does that with the places of ciphertexts in memory."""

from __future__ import annotations

from functools import reduce
from typing import Any

import numpy as np
import torch

from syft.exceptions import UnsupportedOp
from syft.he.paillier.plaintexts import BASE_BITS, EXPONENTS, LARGEST_BITS, check_range, kind_of, whole
from syft.he.paillier.rules import rule
from syft.he.paillier.tensor import PaillierTensor, array, check_size, in_order, on_meta, picked

_JOINING = frozenset({"cat", "stack"})


@rule(
    *"""_reshape_alias _unsafe_view alias clone detach diagonal flip lift_fresh permute roll rot90 select slice split
    split_with_sizes squeeze t transpose unbind unsafe_split unsqueeze view""".split()
)
def _moved(func: Any, a: Any, *args: Any, **kwargs: Any) -> Any:
    if not isinstance(a, PaillierTensor) or any(isinstance(arg, PaillierTensor) for arg in args):
        raise UnsupportedOp(
            f"{func.overloadpacket} takes places and masks from plain tensors only: where something is must be known"
        )
    memory = a.memory
    behind = torch.arange(len(memory.flat))
    places = behind.as_strided(a.places.shape, a.places.stride(), a.places.storage_offset())
    out = func(places, *args, **kwargs)
    return _taken(a, out, behind)


@rule("expand", "gather", "index", "index_select", "masked_select", "repeat", "take", "unfold")
def _picked(func: Any, a: Any, *args: Any, **kwargs: Any) -> Any:
    """The same for ops whose result may be far larger than the tensor: torch says first how large."""
    plain = [_without_masks(arg) if type(arg) in (list, tuple) else arg for arg in args]
    if func is torch.ops.aten.masked_select.default:
        check_size(torch.empty(torch.broadcast_shapes(a.shape, plain[0].shape), device="meta"))
    elif isinstance(a, PaillierTensor):
        check_size(func(*on_meta((a, *plain)), **kwargs))
    return _moved(func, a, *plain, **kwargs)


def _without_masks(indices: Any) -> Any:
    """Indices with places instead of masks: without values, torch cannot tell how many those pick."""
    out: list[Any] = []
    for index in indices:
        mask = isinstance(index, torch.Tensor) and index.dtype in (torch.bool, torch.uint8)
        out += index.nonzero().unbind(1) if mask else [index]
    return out


def _taken(a: PaillierTensor, out: Any, behind: torch.Tensor) -> Any:
    if type(out) in (list, tuple):
        return type(out)([_taken(a, one, behind) for one in out])
    if out.untyped_storage().data_ptr() == behind.untyped_storage().data_ptr():
        return PaillierTensor(a.memory, out, a.dtype)  # a view: it has the memory in common
    memory = a.memory
    values = picked(memory.flat, out)
    # Whoever knows the ciphertexts must not see which of them were picked.
    fresh = memory.fresh and in_order(out, memory)
    return PaillierTensor.of(a.key, values, memory.exponent, memory.bits, a.dtype, fresh=fresh)


@rule(*_JOINING)
def _joined(func: Any, parts: Any, dim: int = 0) -> Any:
    like = next(part for part in parts if isinstance(part, PaillierTensor))
    dtype = reduce(torch.promote_types, [kind_of(part.dtype) for part in parts])
    links = [part if isinstance(part, PaillierTensor) else shown(part, like, dtype) for part in parts]
    exponent = min(link.exponent for link in links)
    values, bits = zip(*[link.at(exponent) for link in links], strict=True)
    starts = np.cumsum([0, *[part.size for part in values]])
    places = [
        torch.arange(part.size).reshape(part.shape) + int(start)
        for part, start in zip(values, starts[:-1], strict=True)
    ]
    flat = np.concatenate([part.reshape(-1) for part in values])
    return PaillierTensor.of(like.key, picked(flat, func(places, dim)), exponent, max(bits), dtype)


@rule("copy_")
def _copy(func: Any, target: Any, source: Any, non_blocking: bool = False) -> Any:
    if not isinstance(target, PaillierTensor):
        raise UnsupportedOp(
            "encrypted numbers cannot be written into a plain tensor; make a new one with torch.cat or torch.stack, or "
            "encrypt that tensor first"
        )
    if target.dtype is torch.int64 and source.dtype.is_floating_point:
        raise UnsupportedOp("encrypted integers cannot take numbers with fractional digits in place")
    target.take(source if isinstance(source, PaillierTensor) else shown(source, target, target.dtype))
    return target


@rule("fill", "zero")
def _filled(func: Any, target: Any, value: Any = 0) -> Any:
    plain = torch.as_tensor(value, dtype=torch.int64 if target.dtype is torch.int64 else torch.float64)
    return shown(plain.expand(target.shape), target, target.dtype)


def shown(plain: torch.Tensor, like: PaillierTensor, dtype: torch.dtype) -> PaillierTensor:
    """Plain numbers in the form of ciphertexts that hide nothing yet: they do once they have left.

    Args:
        plain: the numbers.
        like: whose key they get, and its digits after the point, or as many as such numbers are encrypted with.
        dtype: what they are decrypted to.
    """
    exponent = min(like.exponent, EXPONENTS[dtype] if plain.is_floating_point() else 0)
    integers = whole(plain, exponent)
    check_range(integers, exponent)
    n = like.key.n
    values = array((1 + n * integer) % like.key.nsquare for integer in integers).reshape(tuple(plain.shape))
    bits = LARGEST_BITS - exponent * BASE_BITS
    return PaillierTensor.of(like.key, values, exponent, bits, dtype)


@rule("_has_compatible_shallow_copy_type")
def _alike(func: Any, a: Any, b: Any) -> bool:
    return isinstance(a, PaillierTensor) and isinstance(b, PaillierTensor)
