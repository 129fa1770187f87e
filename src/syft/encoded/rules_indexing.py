"""Rules of reading and writing elements of encoded tensors at public places."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from torch.nn import functional as F

from syft.encoded import number as n
from syft.encoded.number import Number, replaced
from syft.encoded.shapes import broadcast
from syft.encoded.tensor import EncodedTensor, composed, number, rule
from syft.exceptions import NotLocalError, UnsupportedOp, UsageError

aten = torch.ops.aten


def _places(shape: torch.Size) -> torch.Tensor:
    return torch.arange(shape.numel()).reshape(shape)


def _both(a: Any, values: Any) -> tuple[Number, Number]:
    like = a if isinstance(a, Number) else values
    return number(a, like), number(values, like)


def _spread(values: Number, shape: torch.Size) -> Number:
    return values if values.shape == shape else values.moved("expand", list(shape))


def _added(a: Number, places: torch.Tensor, values: Number) -> Number:
    flat = _spread(values, places.shape).moved("view", [places.numel()])
    sums = flat.moved("index_sum", 0, places.reshape(-1), a.shape.numel())
    return n.add(a, sums.moved("view", list(a.shape)))


# --- elementary ops -------------------------------------------------------------------------------


@rule(aten.index_put, aten._index_put_impl)
def _index_put(a: Any, indices: Any, values: Any, accumulate: bool = False, unsafe: bool = False) -> Number:
    a, values = _both(a, values)
    places = aten.index(_places(a.shape), indices)
    if accumulate:
        return _added(a, places, values)
    return replaced(a, places, _spread(values, places.shape))


@rule(aten.index_add)
def _index_add(a: Any, dim: int, index: torch.Tensor, source: Any, alpha: Any = 1) -> Number:
    a, source = _both(a, source)
    sums = source.moved("index_sum", dim, index, a.shape[dim])
    return n.add(a, sums if alpha == 1 else n.multiply(sums, number(alpha, sums)))


@rule(aten.index_copy)
def _index_copy(a: Any, dim: int, index: torch.Tensor, source: Any) -> Number:
    a, source = _both(a, source)
    return replaced(a, _places(a.shape).index_select(dim, index), source)


@rule(aten.index_fill)
def _index_fill(a: Any, dim: int, index: torch.Tensor, value: Any) -> Number:
    a, value = _both(a, value)
    places = _places(a.shape).index_select(dim, index)
    return replaced(a, places, _spread(value, places.shape))


@rule(aten.scatter)
def _scatter(a: Any, dim: int, index: torch.Tensor, source: Any, reduce: str | None = None) -> Number:
    if reduce is not None:
        raise UnsupportedOp("scatter with reduce= has no rule for encoded tensors; use scatter_add for sums")
    a, source = _both(a, source)
    return replaced(a, _places(a.shape).gather(dim, index), _cut(source, index.shape))


@rule(aten.scatter_add)
def _scatter_add(a: Any, dim: int, index: torch.Tensor, source: Any) -> Number:
    a, source = _both(a, source)
    return _added(a, _places(a.shape).gather(dim, index), _cut(source, index.shape))


def _cut(source: Number, shape: torch.Size) -> Number:
    if not source.shape:
        return _spread(source, shape)
    for dim, size in enumerate(shape):
        if source.shape[dim] != size:
            source = source.moved("slice", dim, 0, size)
    return source


# --- made of others -------------------------------------------------------------------------------


def _tensors(index: Any) -> Iterator[Any]:
    for one in index if isinstance(index, tuple | list) else (index,):
        if isinstance(one, tuple | list):
            yield from _tensors(one)
        elif isinstance(one, torch.Tensor):
            yield one


def _check_public(index: Any) -> None:
    if any(isinstance(one, EncodedTensor) for one in _tensors(index)):
        raise NotLocalError(
            "elements cannot be picked by a mask or an index that is encoded: how many there are and where they stand "
            "would tell what it is. Multiply by the mask, use torch.where(mask, x, y), or fetch the index first"
        )


@composed(torch.Tensor.__getitem__)
def _getitem(x: Any, index: Any) -> Any:
    _check_public(index)
    with torch._C.DisableTorchFunctionSubclass():
        return x[index]


@composed(torch.Tensor.__setitem__)
def _setitem(x: Any, index: Any, value: Any) -> None:
    _check_public(index)
    if not isinstance(x, EncodedTensor):
        raise UsageError(
            "encoded values cannot be written into a plain tensor, which has no room for them; encode that one first, "
            "in the same way"
        )
    places = _places(x.shape)[index]
    value = torch.as_tensor(value)
    while value.dim() > places.dim() and value.shape[0] == 1:
        value = value[0]
    if x.dim() == 0:
        x.copy_(value)
    else:
        x.index_put_(torch.unravel_index(places, x.shape), value)


@composed(torch.masked_select, torch.Tensor.masked_select)
def _masked_select(input: Any, mask: Any) -> Any:
    _check_public(mask)
    shape = broadcast(input.shape, mask.shape)
    return input.expand(shape)[mask.expand(shape)]


@composed(torch.take, torch.Tensor.take)
def _take(input: Any, index: Any) -> Any:
    _check_public(index)
    return input.reshape(-1)[index]


@composed(torch.vdot, torch.Tensor.vdot)
def _vdot(input: Any, other: Any) -> Any:
    return torch.dot(input, other)


@composed(F.pad)
def _pad(input: Any, pad: Any, mode: str = "constant", value: Any = None) -> Any:
    if mode == "constant":
        return torch.constant_pad_nd(input, pad, 0 if value is None else value)
    for i in range(len(pad) // 2):
        dim = input.dim() - 1 - i
        before, after = pad[2 * i], pad[2 * i + 1]
        line = torch.arange(input.shape[dim], dtype=torch.float64).reshape(1, 1, -1)
        input = input.index_select(dim, F.pad(line, (before, after), mode).reshape(-1).long())
    return input
