"""How much memory tensors take."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

import torch

from syft.tensors.base import is_wrapper
from syft.tensors.chain import ChainTensor

PLAIN = frozenset({torch.Tensor, torch.nn.Parameter})
"""The types of tensors that hold their values themselves."""

CONTAINERS = frozenset({list, tuple, torch.Size})
"""What operands and results come in, beside dicts."""


def nbytes_of(obj: Any) -> int:
    """The bytes of the elements of a tensor, or of all tensors in a container.

    Args:
        obj: a tensor, or lists, tuples and dicts of tensors and anything else. Pointers count nothing.

    Returns:
        Elements times their size, expanded dimensions included; for a sparse tensor its indices and values.

    Example:
        >>> nbytes_of({"a": torch.zeros(2, 3), "b": [torch.zeros(4, dtype=torch.uint8), None]})
        28
    """
    return sum(map(_nbytes, tensors_in(obj)))


def tensors_in(obj: Any) -> Iterable[torch.Tensor]:
    """The tensors in a value, however deep in containers or under links; pointers are left out."""
    if isinstance(obj, torch.Tensor):
        inner = uncovered(obj) if is_wrapper(obj) else obj
        if not is_wrapper(inner):
            yield inner
    elif isinstance(obj, (list, tuple)):
        for part in obj:
            yield from tensors_in(part)
    elif isinstance(obj, dict):
        for part in obj.values():
            yield from tensors_in(part)


def uncovered(value: Any) -> Any:
    """Operands with the tensors that are under links of this process in the place of their wrappers."""
    kind = type(value)
    if kind in CONTAINERS and kind is not torch.Size:
        return kind([uncovered(part) for part in value])
    if kind is dict:
        return {name: uncovered(part) for name, part in value.items()}
    if not is_wrapper(value):
        return value
    link = value.__dict__.get("child")
    while isinstance(link, ChainTensor):
        link = link.measured
    return link if type(link) in PLAIN else value


def _nbytes(tensor: torch.Tensor) -> int:
    layout = tensor.layout
    if layout is torch.sparse_coo:
        return _nbytes(tensor._indices()) + _nbytes(tensor._values())
    if layout in (torch.sparse_csr, torch.sparse_bsr):
        return _nbytes(tensor.crow_indices()) + _nbytes(tensor.col_indices()) + _nbytes(tensor.values())
    if layout in (torch.sparse_csc, torch.sparse_bsc):
        return _nbytes(tensor.ccol_indices()) + _nbytes(tensor.row_indices()) + _nbytes(tensor.values())
    return tensor.numel() * tensor.element_size()


def expanded(tensor: torch.Tensor) -> int:
    """What a view stands for, if that is more than there is behind it; otherwise nothing."""
    nbytes = tensor.numel() * tensor.element_size()
    return nbytes if nbytes > tensor.untyped_storage().nbytes() else 0


def broadcast_numel(operands: list[torch.Tensor]) -> int:
    """Elements of the shape that the operands have in common; of sizes that do not fit, the larger counts."""
    shape: list[int] = []
    for tensor in operands:
        sizes = tensor.shape[::-1]
        for place, size in enumerate(sizes[: len(shape)]):
            if size != 1:
                shape[place] = size if shape[place] == 1 else max(size, shape[place])
        shape.extend(sizes[len(shape) :])
    return math.prod(shape)
