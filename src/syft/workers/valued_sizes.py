"""How large a result is whose size depends on the values of the operands, or that comes in very many pieces."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

import torch

from syft.workers.tensor_sizes import broadcast_numel, expanded

PIECE = 512
"""Bytes that a tensor object takes, however little it shows."""


def size_by_value(key: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> int | None:
    """Bytes of a result whose size depends on values.

    Args:
        key: the key of the op.
        args: its positional operands.
        kwargs: its named operands.

    Returns:
        An upper bound, tight but for ``unique`` and ``masked_select``; None for other ops, and for calls that make no
        sense.

    Example:
        >>> size_by_value("one_hot", (torch.tensor([0, 999]),), {})
        16000
    """
    work_out = _VALUED.get(key)
    if work_out is None:
        return None
    named = dict(kwargs)
    named.pop("out", None)
    first = [named.pop(name) for name in ("input", "self", "tensor", "condition") if name in named]
    try:
        return work_out(*first, *args, **named)
    except Exception:  # an error of the call that running it will show
        return None


def _one_hot(labels: torch.Tensor, num_classes: int = -1) -> int:
    classes = int(num_classes) if num_classes > 0 else int(labels.max()) + 1
    return labels.numel() * classes * 8


def _repeat_interleave(x: Any = None, repeats: Any = None, dim: int | None = None, **_: Any) -> int:
    if repeats is None or x is None:
        counts = x if repeats is None else repeats
        return int(counts.double().sum()) * 8
    if type(repeats) is int or repeats.numel() == 1:
        return int(x.numel() * int(repeats) * x.element_size())
    rows = 1 if dim is None else x.numel() // x.shape[dim]
    return int(repeats.double().sum()) * int(rows * x.element_size())


def _bincount(x: torch.Tensor, weights: Any = None, minlength: int = 0) -> int:
    return max(int(x.max()) + 1 if x.numel() else 0, int(minlength)) * 8


def _covariances(x: torch.Tensor, **_: Any) -> int:
    return (len(x) if x.dim() > 1 else 1) ** 2 * max(x.element_size(), 4)


def _histogram_of_many(x: torch.Tensor, bins: Any, *_: Any, **__: Any) -> int:
    if type(bins) is int:
        bins = [bins] * min(x.shape[-1], 64)
    sizes: list[int] = [len(b) if isinstance(b, torch.Tensor) else b for b in bins]
    return int((math.prod(sizes) + sum(sizes) + len(sizes)) * x.element_size())


def _combinations(x: torch.Tensor, r: int = 2, with_replacement: bool = False) -> int:
    subsets: int = len(x) ** min(r, 64)
    return max(subsets, PIECE) * max(r, 1) * 8


def _set(x: torch.Tensor, *others: Any, **_: Any) -> int | None:
    if len(others) > 1:
        return None  # where(condition, x, y)
    found = x.numel() if expanded(x) else int(x.count_nonzero())
    return found * max(x.dim(), 1) * 8


def _masked_select(x: torch.Tensor, mask: torch.Tensor) -> int:
    return broadcast_numel([x, mask]) * x.element_size()


def _to_sparse(x: torch.Tensor, *_: Any, **__: Any) -> int:
    return x.numel() * (x.element_size() + 8 * x.dim())


def _unique(x: torch.Tensor, *_: Any, **__: Any) -> int:
    return x.numel() * (x.element_size() + 16)  # with the inverse and the counts


def _to_dense(x: torch.Tensor, dtype: torch.dtype | None = None, **_: Any) -> int:
    return x.numel() * (x.dtype if dtype is None else dtype).itemsize


def _padded(data: torch.Tensor, sizes: torch.Tensor, _: Any, __: Any, length: int) -> int:
    return max(len(sizes), length) * int(sizes[0]) * math.prod(data.shape[1:]) * data.element_size()


def _unbind(x: torch.Tensor, dim: int = 0) -> int:
    return x.shape[dim] * PIECE


def _split(x: torch.Tensor, size: Any = 1, dim: int = 0, **named: Any) -> int:
    size = next(iter(named.values()), size)
    pieces = -(-x.shape[dim] // max(size, 1)) if type(size) is int else len(size)
    return pieces * PIECE


def _split_into(x: torch.Tensor, count: Any = 1, dim: int = 0, **named: Any) -> int:
    count = next(iter(named.values()), count)
    if isinstance(count, torch.Tensor):
        count = int(count) if count.dim() == 0 else len(count) + 1
    pieces: int = count if type(count) is int else len(count) + 1
    return pieces * PIECE


def _chunk(x: torch.Tensor, chunks: int, dim: int = 0) -> int:
    return min(chunks, x.shape[dim]) * PIECE


def _and_copied(work_out: Callable[..., int]) -> Callable[..., int | None]:
    def copied(x: torch.Tensor, *args: Any, **kwargs: Any) -> int | None:
        return x.numel() * x.element_size() + work_out(x, *args, **kwargs)

    return copied


_COPYING: dict[str, Callable[..., int]] = {
    "unsafe_chunk": _chunk,
    "unbind_copy": _unbind,
    "split_copy": _split,
    "split_with_sizes_copy": _split,
    "unsafe_split": _split,
    "unsafe_split_with_sizes": _split,
}
_TO_SPARSE = ("to_sparse", "to_sparse_bsc", "to_sparse_bsr", "to_sparse_coo", "to_sparse_csc", "to_sparse_csr")

_VALUED: Mapping[str, Callable[..., int | None]] = MappingProxyType(
    {
        "one_hot": _one_hot,
        "repeat_interleave": _repeat_interleave,
        "bincount": _bincount,
        "combinations": _combinations,
        "corrcoef": _covariances,
        "cov": _covariances,
        "histogramdd": _histogram_of_many,
        "masked_select": _masked_select,
        "to_dense": _to_dense,
        "_pad_packed_sequence": _padded,
        "unbind": _unbind,
        "chunk": _chunk,
        **dict.fromkeys(("nonzero", "argwhere", "where"), _set),
        **dict.fromkeys(("unique", "unique_consecutive", "native.unique_consecutive", "native.unique_dim"), _unique),
        **dict.fromkeys(("split", "native.split", "split_with_sizes"), _split),
        **dict.fromkeys(("tensor_split", "hsplit", "vsplit", "dsplit"), _split_into),
        **dict.fromkeys(_TO_SPARSE, _to_sparse),
        **{key: _and_copied(work_out) for key, work_out in _COPYING.items()},
    }
)
"""How large the result is, by key."""
