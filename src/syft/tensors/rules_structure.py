"""Rules of the ops that move elements of encoded tensors, add them up, or make tensors like them."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch

from syft.exceptions import UsageError
from syft.tensors import number as n
from syft.tensors.encoded import EncodedTensor, composed, number, rule
from syft.tensors.moves import MOVES, SUMS
from syft.tensors.number import Number, settled
from syft.tensors.ring import ring_of

aten = torch.ops.aten


def _moving(name: str) -> Callable[..., Number]:
    def moved(a: Number, *args: Any) -> Number:
        return a.moved(name, *args)

    return moved


for _name, _packet in (*MOVES.items(), *SUMS.items()):
    if _name not in ("constant_pad_nd", "sum", "cumsum"):
        rule(_packet)(_moving(_name))


@rule(aten.constant_pad_nd)
def _pad(a: Number, pad: list[int], value: Any = 0) -> Number:
    out = a.moved("constant_pad_nd", pad)
    if value == 0:
        return out
    edge = aten.constant_pad_nd(torch.zeros(a.shape, dtype=torch.int64), pad, 1)
    return n.add(out, n.multiply(number(edge, a), number(value, a)))


@rule(aten.detach, aten.clone, aten._to_copy, aten.contiguous, aten.lift_fresh)
def _same(a: Number, **kwargs: Any) -> Number:
    return a


@rule(aten.sum)
def _sum(a: Number, dim: Any = None, keepdim: bool = False, dtype: Any = None) -> Number:
    return total(a, dim, keepdim)


def total(a: Number, dim: Any = None, keepdim: bool = False) -> Number:
    """The sum over some dimensions, or over all."""
    if dim is None or dim == []:
        dim = list(range(len(a.shape)))
    return a.moved("sum", [dim] if isinstance(dim, int) else list(dim), keepdim)


@rule(aten.mean)
def _mean(a: Number, dim: Any = None, keepdim: bool = False, dtype: Any = None) -> Number:
    summed = total(a, dim, keepdim)
    count = a.shape.numel() // max(1, summed.shape.numel())
    return summed.with_raw(summed.raw, summed.scale * max(1, count))


@rule(aten.cumsum)
def _cumsum(a: Number, dim: int, dtype: Any = None) -> Number:
    return a.moved("cumsum", dim)


@rule(aten.cat)
def _cat(parts: Any, dim: int = 0) -> Number:
    return join(parts, dim)


def join(parts: Any, dim: int) -> Number:
    """Numbers and public tensors one after the other."""
    given = [p for p in parts if isinstance(p, Number)]
    like = next((p for p in given if p.encoding is not None), given[0])
    numbers = [number(p, like) for p in parts]
    scale = numbers[0].scale
    if any(one.scale != scale for one in numbers):
        numbers = [settled(one) for one in numbers]
        scale = math.lcm(*[one.scale for one in numbers])
    raws = [n.raised(one, scale).raw for one in numbers]
    return like.with_raw(ring_of(*raws).join(raws, dim), scale)


@rule(aten.stack)
def _stack(parts: Any, dim: int = 0) -> Number:
    like = next(p for p in parts if isinstance(p, Number))
    dim = dim % (len(like.shape) + 1)
    return join([number(p, like).moved("unsqueeze", dim) for p in parts], dim)


@rule(aten.split)
def _split(a: Number, size: int, dim: int = 0) -> list[Number]:
    length = a.shape[dim]
    return _pieces(a, [min(size, length - at) for at in range(0, length, size)], dim)


@rule(aten.split_with_sizes)
def _split_with_sizes(a: Number, sizes: list[int], dim: int = 0) -> list[Number]:
    return _pieces(a, sizes, dim)


def _pieces(a: Number, sizes: list[int], dim: int) -> list[Number]:
    out, at = [], 0
    for size in sizes:
        out.append(a.moved("slice", dim, at, at + size))
        at += size
    return out


@rule(aten.unbind)
def _unbind(a: Number, dim: int = 0) -> list[Number]:
    return [a.moved("select", dim, i) for i in range(a.shape[dim])]


def full(a: Number, shape: Any, value: int) -> Number:
    """Public numbers of one value."""
    return a.with_raw(torch.full(tuple(shape), value, dtype=torch.int64), 1)


@rule(aten.zeros_like, aten.empty_like)
def _zeros_like(a: Number, **kwargs: Any) -> Number:
    return full(a, a.shape, 0)


@rule(aten.ones_like)
def _ones_like(a: Number, **kwargs: Any) -> Number:
    return full(a, a.shape, 1)


@rule(aten.full_like)
def _full_like(a: Number, value: Any, **kwargs: Any) -> Number:
    return n.add(full(a, a.shape, 0), number(float(value), a))


@rule(aten.new_zeros, aten.new_empty)
def _new_zeros(a: Number, size: Any, **kwargs: Any) -> Number:
    return full(a, size, 0)


@rule(aten.new_ones)
def _new_ones(a: Number, size: Any, **kwargs: Any) -> Number:
    return full(a, size, 1)


@rule(aten.zero)
def _zero(a: Number) -> Number:
    return full(a, a.shape, 0)


@rule(aten.fill)
def _fill(a: Number, value: Any) -> Number:
    return n.add(full(a, a.shape, 0), number(value, a))


@rule(aten.copy)
def _copy(a: Any, source: Any, non_blocking: bool = False) -> Number:
    like = a if isinstance(a, Number) else source
    source = number(source, like)
    if source.shape != like.shape:
        source = source.moved("expand", list(like.shape))
    return source


@rule(aten.where)
def _where(condition: Any, a: Any, b: Any) -> Number:
    like = next(v for v in (condition, a, b) if isinstance(v, Number))
    picked = condition if isinstance(condition, Number) else number(condition.to(torch.int64), like)
    a, b = number(a, like), number(b, like)
    return n.add(b, n.multiply(n.sub(a, b), picked))


@rule(aten.masked_fill)
def _masked_fill(a: Any, mask: Any, value: Any) -> Number:
    return _where(mask, number(value, a if isinstance(a, Number) else mask), a)


@rule(aten.index_put)
def _index_put(a: Any, indices: Any, values: Any, accumulate: bool = False) -> Number:
    like = a if isinstance(a, Number) else values
    a, values = settled(number(a, like)), settled(number(values, like))
    places = torch.arange(a.shape.numel()).reshape(a.shape)
    rows = aten.index(places, indices).reshape(-1)
    spread = values.moved("expand", list(aten.index(places, indices).shape)).moved("view", [rows.numel()])
    matrix = torch.zeros(rows.numel(), a.shape.numel(), dtype=torch.int64)
    matrix[torch.arange(rows.numel()), rows] = 1
    placed = n.multiply(spread.moved("unsqueeze", 0), like.with_raw(matrix, 1), "matmul").moved("view", list(a.shape))
    if accumulate:
        return n.add(a, placed)
    kept = torch.ones(a.shape.numel(), dtype=torch.int64)
    kept[rows] = 0
    return n.add(n.multiply(a, like.with_raw(kept.reshape(a.shape), 1)), placed)


@composed(torch.Tensor.__setitem__)
def _setitem(x: Any, index: Any, value: Any) -> None:
    if not isinstance(x, EncodedTensor):
        raise UsageError("encoded numbers cannot be put into a plain tensor; encode and share that one, too")
    places = torch.arange(x.numel()).reshape(x.shape)[index]
    value = value if isinstance(value, torch.Tensor) else torch.tensor(value)
    value = value.to(x.dtype).expand(places.shape).reshape(-1)
    x.index_put_(torch.unravel_index(places.reshape(-1), x.shape), value)
