"""Whether two values are the same to the last bit, types included: NaN is itself, and 1 is not True."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import fields, is_dataclass
from typing import Any

import numpy as np
import torch

from syft.core.metadata import existing_metadata


def same(a: Any, b: Any) -> bool:
    """Whether ``b`` is what ``a`` should have become on the way."""
    if type(a) is not type(b):
        return False
    if isinstance(a, torch.Tensor):
        return same_tensor(a, b)
    if isinstance(a, (np.ndarray, np.generic)):
        return a.dtype == b.dtype and a.shape == b.shape and a.tobytes() == b.tobytes()
    if isinstance(a, float):
        return np.float64(a).tobytes() == np.float64(b).tobytes()
    if isinstance(a, complex):
        return same(a.real, b.real) and same(a.imag, b.imag)
    if isinstance(a, OrderedDict) or type(a) is dict:
        return same(list(a), list(b)) and same(list(a.values()), list(b.values()))
    if isinstance(a, (list, tuple)):
        return len(a) == len(b) and all(map(same, a, b))
    if isinstance(a, (set, frozenset)):
        return same(sorted(a, key=_key), sorted(b, key=_key))
    if isinstance(a, slice):
        return same((a.start, a.stop, a.step), (b.start, b.stop, b.step))
    if is_dataclass(a):
        return all(same(_field(a, f.name), _field(b, f.name)) for f in fields(a))
    return bool(a == b)


def same_tensor(a: torch.Tensor, b: torch.Tensor) -> bool:
    """The same values, dtype, shape, layout, gradient, metadata; ``b`` is a leaf."""
    traits = ("dtype", "shape", "layout", "requires_grad", "device")
    if any(_field(a, name) != _field(b, name) for name in traits) or not b.is_leaf:
        return False
    if not same(_grad(a), _grad(b)) or _metadata(a) != _metadata(b):
        return False
    if a.layout is torch.sparse_coo:
        parts = (a._indices(), a._values()), (b._indices(), b._values())
        return a.is_coalesced() == b.is_coalesced() and all(map(_same_bits, *parts))
    if a.layout is not torch.strided:
        return all(map(_same_bits, _compressed_parts(a), _compressed_parts(b)))
    return _same_bits(a, b)


def _compressed_parts(t: torch.Tensor) -> tuple[torch.Tensor, ...]:
    t = t.detach()
    if t.layout in (torch.sparse_csr, torch.sparse_bsr):
        return t.crow_indices(), t.col_indices(), t.values()
    return t.ccol_indices(), t.row_indices(), t.values()


def _same_bits(a: torch.Tensor, b: torch.Tensor) -> bool:
    return a.dtype == b.dtype and a.shape == b.shape and _bits(a) == _bits(b)


def _bits(t: torch.Tensor) -> bytes:
    whole = t.detach().resolve_conj().resolve_neg().clone(memory_format=torch.contiguous_format).cpu()
    return torch.empty(0, dtype=torch.uint8).set_(whole.untyped_storage()).numpy().tobytes()


def _grad(t: torch.Tensor) -> torch.Tensor | None:
    return t.grad if t.is_leaf or t.retains_grad else None


def _metadata(t: torch.Tensor) -> tuple[Any, ...] | None:
    entry = existing_metadata(t)
    return None if entry is None else (entry.id, entry.tags, entry.description)


def _field(obj: Any, name: str) -> Any:
    return getattr(obj, name)


def _key(value: Any) -> tuple[str, str]:
    return type(value).__name__, repr(value)
