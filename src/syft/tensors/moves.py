"""The ops that move elements or add them up: what is linear in one tensor, with plain values for the rest.

They run on every share of a value alike, by the names that stand here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import lru_cache
from types import MappingProxyType
from typing import Any

import torch

aten = torch.ops.aten

MOVES: Mapping[str, Callable[..., torch.Tensor]] = MappingProxyType(
    {
        "_reshape_alias": aten._reshape_alias,
        "_unsafe_view": aten._unsafe_view,
        "alias": aten.alias,
        "constant_pad_nd": aten.constant_pad_nd,
        "diag_embed": aten.diag_embed,
        "diagonal": aten.diagonal,
        "diagonal_backward": aten.diagonal_backward,
        "expand": aten.expand,
        "flip": aten.flip,
        "gather": aten.gather,
        "index": aten.index,
        "index_select": aten.index_select,
        "permute": aten.permute,
        "repeat": aten.repeat,
        "roll": aten.roll,
        "select": aten.select,
        "select_backward": aten.select_backward,
        "slice": aten.slice,
        "slice_backward": aten.slice_backward,
        "squeeze": aten.squeeze,
        "t": aten.t,
        "transpose": aten.transpose,
        "tril": aten.tril,
        "triu": aten.triu,
        "unfold": aten.unfold,
        "unsqueeze": aten.unsqueeze,
        "view": aten.view,
    }
)
"""Each element of the result is one of the operand, or zero."""


def index_sum(values: torch.Tensor, dim: int, index: torch.Tensor, size: int) -> torch.Tensor:
    """Add elements up by where they belong.

    Args:
        values: int64.
        dim: along which.
        index: int64, where each of them belongs, from 0.
        size: how many sums there are.

    Example:
        >>> index_sum(torch.tensor([1, 2, 4]), 0, torch.tensor([1, 1, 0]), 3)
        tensor([4, 3, 0])
    """
    shape = list(values.shape)
    shape[dim] = size
    return values.new_zeros(shape).index_add(dim, index, values)


SUMS: Mapping[str, Callable[..., torch.Tensor]] = MappingProxyType(
    {
        "cumsum": aten.cumsum,
        "index_sum": index_sum,
        "sum": aten.sum,
        "trace": aten.trace,
        "unfold_backward": aten.unfold_backward,
    }
)
"""Each element of the result is a sum of elements of the operand."""

_ALL = {**MOVES, **SUMS}


def move(name: str, tensor: torch.Tensor, *args: Any) -> torch.Tensor:
    """Run one of the ops.

    Args:
        name: a key of `MOVES` or `SUMS`.
        tensor: int64.
        *args: its plain operands.

    Raises:
        KeyError: there is no such op.

    Example:
        >>> move("transpose", torch.tensor([[1, 2]]), 0, 1)
        tensor([[1],
                [2]])
    """
    if name == "view":
        return tensor.reshape(args[0])
    return _ALL[name](tensor, *args)


def moved_shape(name: str, shape: torch.Size, args: tuple[Any, ...]) -> torch.Size:
    """The shape of the result of one of the ops on a tensor of this shape."""
    try:
        return _moved_shape(name, shape, _frozen(args))
    except TypeError:  # operands that are tensors have no hash to remember them by
        return _shape_of(name, shape, args)


@lru_cache(maxsize=4096)
def _moved_shape(name: str, shape: torch.Size, args: tuple[Any, ...]) -> torch.Size:
    return _shape_of(name, shape, args)


def _shape_of(name: str, shape: torch.Size, args: tuple[Any, ...]) -> torch.Size:
    return move(name, torch.zeros((), dtype=torch.int64).expand(shape), *args).shape


def _frozen(value: Any) -> Any:
    if isinstance(value, torch.Tensor):
        raise TypeError("a tensor")
    return tuple([_frozen(v) for v in value]) if type(value) in (list, tuple) else value
