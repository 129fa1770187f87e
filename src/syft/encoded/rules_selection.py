"""Selections on encoded tensors: maxima and minima, sorting, max pooling, with their gradients.

They are functions of their own for autograd, as PyTorch's gradients for them take plain indices. The gradient of a
maximum goes to the first of several that are equal.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import nullcontext
from typing import Any

import torch
from torch.autograd.function import once_differentiable
from torch.nn import functional as F

from syft.encoded import number as n
from syft.encoded.costs import ACTIVE
from syft.encoded.number import Number
from syft.encoded.selection import LONGEST_RANKED, First, Selection, check_length, largest, ranked
from syft.encoded.tensor import EncodedTensor, composed, encoded, number, number_of, rule
from syft.encoded.windows import Lines, MaxPool, Window
from syft.exceptions import UnsupportedOp, UsageError

aten = torch.ops.aten

Picked = tuple[Number, Number | None, Callable[[Number], Number]]
"""Values, their places if these are wanted, and how the gradient of the values is spread."""


class _Selected(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Any, name: str, pick: Callable[[Number], Picked]) -> Any:
        profile = ACTIVE.get()
        with nullcontext() if profile is None else profile.operation(name):
            values, places, spread = pick(number_of(x))
        ctx.name, ctx.spread, ctx.values = name, spread, values
        out = encoded(values)
        if places is None:
            return out
        where = encoded(places)
        ctx.mark_non_differentiable(where)
        return out, where

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, g: Any, *_: Any) -> Any:
        profile = ACTIVE.get()
        with nullcontext() if profile is None else profile.operation(f"{ctx.name}_backward"):
            return (
                encoded(ctx.spread(number_of(g) if isinstance(g, EncodedTensor) else number(g, ctx.values))),
                None,
                None,
            )


# --- maxima and minima ----------------------------------------------------------------------------


def _extreme(a: Number, lines: Lines, smallest: bool) -> Selection:
    return largest(n.neg(lines.of(a)) if smallest else lines.of(a))


def _extremes(x: Any, name: str, dim: Any, keepdim: bool, smallest: bool, with_places: bool) -> Any:
    lines = Lines.along(x.shape, dim)

    def pick(a: Number) -> Picked:
        selection = _extreme(a, lines, smallest)
        values = n.neg(selection.values) if smallest else selection.values
        places = lines.reduced(selection.places(), keepdim) if with_places else None

        def spread(g: Number) -> Number:
            return lines.back(selection.spread(g.moved("view", lines.lead)), a.shape)

        return lines.reduced(values, keepdim), places, spread

    return _Selected.apply(x, name, pick)


def _either(smallest: bool) -> Callable[..., Any]:
    name, pair = ("min", torch.minimum) if smallest else ("max", torch.maximum)
    kind = torch.return_types.min if smallest else torch.return_types.max

    def either(input: Any, dim: Any = None, keepdim: bool = False, *, other: Any = None) -> Any:
        other = dim if isinstance(dim, torch.Tensor) else other
        if other is not None:
            return pair(input, other)
        if dim is None:
            return _extremes(input, name, None, False, smallest, False)
        return kind(_extremes(input, name, dim, keepdim and input.dim() > 0, smallest, True))

    return either


@composed(torch.maximum, torch.Tensor.maximum)
def _maximum(input: Any, other: Any, out: Any = None) -> Any:
    # PyTorch's own gradient would compare both once more; the rectifier remembers.
    larger = other + torch.relu(input - other)
    return larger if out is None else out.copy_(larger)


@composed(torch.minimum, torch.Tensor.minimum)
def _minimum(input: Any, other: Any) -> Any:
    return input - torch.relu(input - other)


def _only_values(name: str, smallest: bool) -> Callable[..., Any]:
    def values(input: Any, dim: Any = (), keepdim: bool = False) -> Any:
        return _extremes(input, name, dim, keepdim and input.dim() > 0, smallest, False)

    return values


composed(torch.max, torch.Tensor.max)(_either(False))
composed(torch.min, torch.Tensor.min)(_either(True))
composed(torch.amax, torch.Tensor.amax)(_only_values("amax", False))
composed(torch.amin, torch.Tensor.amin)(_only_values("amin", True))


def _places(smallest: bool) -> Callable[..., Number]:
    def places(a: Number, dim: int | None = None, keepdim: bool = False) -> Number:
        lines = Lines.along(a.shape, dim)
        return lines.reduced(_extreme(a, lines, smallest).places(), keepdim and len(a.shape) > 0)

    return places


rule(aten.argmax)(_places(False))
rule(aten.argmin)(_places(True))


def _arg(name: str, smallest: bool) -> Callable[..., Any]:
    plain = torch.argmin if smallest else torch.argmax

    def arg(self: EncodedTensor, dim: int | None = None, keepdim: bool = False, one_hot: bool = False) -> Any:
        if not one_hot:
            return plain(self, dim, keepdim)
        lines = Lines.along(self.shape, dim)
        a = number_of(self)
        selection = _extreme(a, lines, smallest)
        ones = a.with_raw(torch.ones(lines.lead, dtype=torch.int64), 1)
        hot = selection.hot if isinstance(selection, First) else selection.spread(ones)
        return encoded(lines.back(hot, self.shape))

    arg.__name__ = name
    arg.__doc__ = f"""Where the {"smallest" if smallest else "largest"} element stands, the first of several.

    Args:
        dim: along which dimension; None stands for all elements.
        keepdim: keep the dimension, with size 1.
        one_hot: instead of its place, give 1 where it stands and 0 elsewhere, in the shape of this tensor.

    Raises:
        UsageError: there are no elements, or no such dimension.
    """
    return arg


EncodedTensor.argmax = _arg("argmax", False)  # type: ignore[method-assign]
EncodedTensor.argmin = _arg("argmin", True)  # type: ignore[method-assign]


# --- order ----------------------------------------------------------------------------------------


def _by_rank(x: Any, name: str, dim: int, ranks: Callable[[int], Sequence[int]], descending: bool) -> Any:
    lines = Lines.along(x.shape, dim)

    def pick(a: Number) -> Picked:
        line = lines.of(a)
        check_length(line.shape[-1], LONGEST_RANKED)
        ranking = ranked(line, ranks(line.shape[-1]), descending=descending)
        shape = [ranking.values.shape[-1] if d in lines.dims else size for d, size in enumerate(a.shape)]

        def spread(g: Number) -> Number:
            return lines.back(ranking.spread(lines.of(g)), a.shape)

        return lines.back(ranking.values, shape), lines.back(ranking.places(), shape), spread

    return _Selected.apply(x, name, pick)


@composed(torch.sort, torch.Tensor.sort)
def _sort(input: Any, dim: int = -1, descending: bool = False, stable: bool = False) -> Any:
    return torch.return_types.sort(_by_rank(input, "sort", dim, range, descending))


@composed(torch.argsort, torch.Tensor.argsort)
def _argsort(input: Any, dim: int = -1, descending: bool = False, stable: bool = False) -> Any:
    return _sort(input, dim, descending).indices


@composed(torch.topk, torch.Tensor.topk)
def _topk(input: Any, k: int, dim: int = -1, largest: bool = True, sorted: bool = True) -> Any:
    return torch.return_types.topk(_by_rank(input, "topk", dim, lambda length: _first(k, length), largest))


def _first(count: int, length: int) -> Sequence[int]:
    if not 0 <= count <= length:
        raise UsageError(f"there are no {count} largest or smallest of {length} elements")
    return range(count)


@composed(torch.kthvalue, torch.Tensor.kthvalue)
def _kthvalue(input: Any, k: int, dim: int = -1, keepdim: bool = False) -> Any:
    def rank(length: int) -> Sequence[int]:
        if not 1 <= k <= length:
            raise UsageError(f"there is no {k}th smallest of {length} elements; they are counted from 1")
        return (k - 1,)

    return torch.return_types.kthvalue(_one_rank(input, "kthvalue", dim, rank, keepdim))


@composed(torch.median, torch.Tensor.median)
def _median(input: Any, dim: int | None = None, keepdim: bool = False) -> Any:
    def rank(length: int) -> Sequence[int]:
        return ((length - 1) // 2,)

    if dim is None:
        return _one_rank(input.reshape(-1), "median", 0, rank, False)[0]
    return torch.return_types.median(_one_rank(input, "median", dim, rank, keepdim))


def _one_rank(x: Any, name: str, dim: int, ranks: Callable[[int], Sequence[int]], keepdim: bool) -> Any:
    both = _by_rank(x, name, dim, ranks, False)
    return both if keepdim else tuple([one.squeeze(dim) for one in both])


# --- pooling --------------------------------------------------------------------------------------


def _max_pool(dims: int) -> Callable[..., Any]:
    def pool(
        input: Any, kernel_size: Any, stride: Any = None, padding: Any = 0, dilation: Any = 1, ceil_mode: bool = False,
        return_indices: bool = False,
    ) -> Any:  # fmt: skip
        if return_indices:
            raise UnsupportedOp("max pooling of encoded tensors gives no indices; leave return_indices at False")
        sizes = [_each(v, dims) for v in (kernel_size, stride or kernel_size, padding, dilation)]
        lead = input.dim() - dims
        if lead < 1:
            raise UsageError(f"pooling over {dims} dimensions takes a tensor of {dims + 1} or more, not {input.dim()}")
        windows = [Window(lead + i, k, s, p, d, ceil_mode) for i, (k, s, p, d) in enumerate(zip(*sizes, strict=True))]

        def pick(a: Number) -> Picked:
            pooled = MaxPool(a, windows)
            return pooled.values, None, pooled.spread

        return _Selected.apply(input, f"max_pool{dims}d", pick)

    return pool


def _each(value: Any, dims: int) -> tuple[int, ...]:
    if isinstance(value, int):
        return (value,) * dims
    return tuple(value) * (dims if len(value) == 1 else 1)


composed(F.max_pool1d, F.max_pool1d_with_indices, torch.max_pool1d)(_max_pool(1))
composed(F.max_pool2d, F.max_pool2d_with_indices, torch.max_pool2d)(_max_pool(2))
composed(F.max_pool3d, F.max_pool3d_with_indices, torch.max_pool3d)(_max_pool(3))


def _adaptive(dims: int, reduce: Callable[[Any, list[int]], Any]) -> Callable[..., Any]:
    def pool(input: Any, output_size: Any, return_indices: bool = False) -> Any:
        if return_indices:
            raise UnsupportedOp("max pooling of encoded tensors gives no indices; leave return_indices at False")
        lead = input.dim() - dims
        shape = list(input.shape[:lead])
        for length, wanted in zip(input.shape[lead:], _each(output_size, dims), strict=True):
            wanted = length if wanted is None else wanted
            if length % wanted:
                raise UnsupportedOp(
                    f"adaptive pooling of {length} elements to {wanted} would take windows of different sizes, for "
                    "which there is no rule; choose a size that divides them"
                )
            shape += [wanted, length // wanted]
        return reduce(input.reshape(shape), [lead + 1 + 2 * i for i in range(dims)])

    return pool


def _averaged(x: Any, dims: list[int]) -> Any:
    # A product with a fraction is a change of scale, here and in the gradient.
    return x.sum(dims) * (1 / max(1, torch.Size([x.shape[d] for d in dims]).numel()))


composed(F.adaptive_avg_pool1d, torch.adaptive_avg_pool1d)(_adaptive(1, _averaged))
composed(F.adaptive_avg_pool2d)(_adaptive(2, _averaged))
composed(F.adaptive_avg_pool3d)(_adaptive(3, _averaged))
composed(F.adaptive_max_pool1d, F.adaptive_max_pool1d_with_indices)(_adaptive(1, torch.amax))
composed(F.adaptive_max_pool2d, F.adaptive_max_pool2d_with_indices)(_adaptive(2, torch.amax))
composed(F.adaptive_max_pool3d, F.adaptive_max_pool3d_with_indices)(_adaptive(3, torch.amax))
