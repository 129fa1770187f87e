"""Rules of the ops that move elements of encoded tensors, add them up, or make tensors like them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch

from syft.encoded import number as n
from syft.encoded.moves import MOVES, SUMS
from syft.encoded.number import Number
from syft.encoded.tensor import EncodedTensor, become, composed, number, number_of, rule
from syft.exceptions import UsageError

aten = torch.ops.aten


def _moving(name: str) -> Callable[..., Number]:
    def moved(a: Number, *args: Any) -> Number:
        return a.moved(name, *args)

    return moved


for _name, _packet in (*MOVES.items(), *SUMS.items()):
    if _name not in ("constant_pad_nd", "cumsum", "index_sum", "sum"):
        rule(_packet)(_moving(_name))


@rule(aten.detach, aten._to_copy, aten.contiguous, aten.lift_fresh)
def _same(a: Number, **kwargs: Any) -> Number:
    return a


@rule(aten.clone)
def _clone(a: Number, **kwargs: Any) -> Number:
    return a.moved("alias")  # fetching the one does not take the shares of the other


@rule(aten.diagonal_copy)
def _diagonal_copy(a: Number, *args: Any) -> Number:
    return a.moved("diagonal", *args)


@rule(aten.rot90)
def _rot90(a: Number, times: int = 1, dims: Any = (0, 1)) -> Number:
    quarters, (first, second) = times % 4, dims
    if quarters == 2:
        return a.moved("flip", [first, second])
    turned = a.moved("transpose", first, second) if quarters else a
    return turned.moved("flip", [first if quarters == 1 else second]) if quarters else a


@rule(aten.constant_pad_nd)
def _constant_pad_nd(a: Number, pad: Any, value: Any = 0) -> Number:
    out = a.moved("constant_pad_nd", list(pad), 0)
    if value == 0:
        return out
    border = torch.nn.functional.pad(torch.zeros(a.shape, dtype=torch.int64), list(pad), value=1)
    return n.add(out, n.multiply(a.with_raw(border, 1), number(value, a)))


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
    return n.join([number(p, like) for p in parts], dim)


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
    return n.add(full(a, a.shape, 0), number(value, a))


@rule(aten.new_zeros, aten.new_empty, aten.new_empty_strided)
def _new_zeros(a: Number, size: Any, stride: Any = None, **kwargs: Any) -> Number:
    return full(a, size, 0)


@rule(aten.new_ones)
def _new_ones(a: Number, size: Any, **kwargs: Any) -> Number:
    return full(a, size, 1)


@rule(aten.new_full)
def _new_full(a: Number, size: Any, value: Any, **kwargs: Any) -> Number:
    return n.add(full(a, size, 0), number(value, a))


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
        return source.moved("expand", list(like.shape))
    return _clone(source)


@rule(aten.where)
def _where(condition: Any, a: Any, b: Any) -> Number:
    like = next(v for v in (condition, a, b) if isinstance(v, Number))
    picked = condition if isinstance(condition, Number) else number(condition.to(torch.int64), like)
    a, b = number(a, like), number(b, like)
    return n.add(b, n.multiply(n.sub(a, b), picked))


@rule(aten.masked_fill)
def _masked_fill(a: Any, mask: Any, value: Any) -> Number:
    return _where(mask, number(value, a if isinstance(a, Number) else mask), a)


@rule(aten._has_compatible_shallow_copy_type)
def _takes_shape(a: Any, b: Any) -> bool:
    return isinstance(a, Number) and isinstance(b, Number)


@composed(torch.Tensor.data.__set__)  # type: ignore[attr-defined]
def _set_data(x: Any, value: Any) -> None:
    if not isinstance(x, EncodedTensor) or not isinstance(value, EncodedTensor):
        raise UsageError("x.data takes what x is: encoded and plain tensors do not replace each other")
    become(x, number_of(value))
