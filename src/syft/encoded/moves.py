"""The ops that move elements or add them up: what is linear in one tensor, with plain values for the rest.

They run on every share of a value alike, by the names that stand here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import lru_cache
from types import MappingProxyType
from typing import Any

import torch

from syft.encoded.shapes import broadcast
from syft.exceptions import ProtocolStepError, UsageError

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
_KEEPING = frozenset({"alias", "cumsum", "flip", "roll", "tril", "triu"})
_SHAPES = frozenset({"_reshape_alias", "_unsafe_view", "view"})


def move(name: str, tensor: torch.Tensor, *args: Any) -> torch.Tensor:
    """Run one of the ops.

    Args:
        name: a key of `MOVES` or `SUMS`.
        tensor: int64.
        *args: its plain operands.

    Raises:
        ProtocolStepError: there is no such op.

    Example:
        >>> move("transpose", torch.tensor([[1, 2]]), 0, 1)
        tensor([[1],
                [2]])
    """
    if name in _SHAPES:  # the memory of a share may be in another order than that of its wrapper
        return tensor.reshape(args[0])
    try:
        run = _ALL[name]
    except KeyError:
        raise ProtocolStepError(f"{name!r} moves no elements; these do: {', '.join(_ALL)}") from None
    return run(tensor, *args)


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
    # Those that torch would try out slowly come first.
    if name in _KEEPING:
        return shape
    if name == "index":
        return _indexed_shape(shape, args[0])
    if name == "diag_embed":
        return _embedded_shape(shape, *args)
    # On a tensor without memory: a peer may ask for a shape that does not fit.
    nothing = torch.empty((), dtype=torch.int64, device="meta").expand(shape)
    return move(name, nothing, *[a.to("meta") if isinstance(a, torch.Tensor) else a for a in args]).shape


def _indexed_shape(shape: torch.Size, indices: Any) -> torch.Size:
    """What advanced indexing makes of a shape: the common shape of the indices stands where they stood, if together."""
    parts: list[Any] = []
    for part in indices:
        mask = part is not None and part.dtype in (torch.bool, torch.uint8)
        parts += part.nonzero(as_tuple=True) if mask else [part]
    if len(parts) > len(shape):
        raise UsageError(f"{len(parts)} indices are too many for a tensor of shape {tuple(shape)}")
    at = [i for i, part in enumerate(parts) if part is not None]
    if not at:
        return shape
    common = broadcast(*[parts[i].shape for i in at])
    if at[-1] - at[0] == len(at) - 1:
        return torch.Size((*shape[: at[0]], *common, *shape[at[-1] + 1 :]))
    return torch.Size((*common, *[size for i, size in enumerate(shape) if i not in at]))


def _embedded_shape(shape: torch.Size, offset: int = 0, dim1: int = -2, dim2: int = -1) -> torch.Size:
    out = list(shape[:-1])
    for dim in sorted(dim % (len(shape) + 1) for dim in (dim1, dim2)):
        out.insert(dim, shape[-1] + abs(offset))
    return torch.Size(out)


def _frozen(value: Any) -> Any:
    if isinstance(value, torch.Tensor):
        raise TypeError("a tensor")
    return tuple([_frozen(v) for v in value]) if type(value) in (list, tuple) else value
