"""How samples become a batch: torch's own rules, and the one-operation path for rows of a tensor."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch.utils.data import default_collate

__all__ = ["default_collate", "select_rows"]


def select_rows(field: Any, indices: Sequence[int]) -> Any:
    """Several samples of one field at once, as a copy.

    Of a remote tensor this is a single operation where the tensor is, and no index is stored there. A
    copy, because a batch that is changed in place must not change the data set.

    Args:
        field: a tensor with samples along dimension 0 (here, remote, shared or encoded), an array or a
            sequence.
        indices: which samples, in which order; not negative.

    Returns:
        A tensor of ``len(indices)`` rows; for arrays and sequences what `default_collate` makes of the rows.

    Example:
        >>> select_rows(torch.tensor([10, 20, 30]), [2, 0])
        tensor([30, 10])
        >>> select_rows([1.5, 2.5, 3.5], [0, 1])
        tensor([1.5000, 2.5000], dtype=torch.float64)
    """
    if not isinstance(field, torch.Tensor):
        return default_collate([field[i] for i in indices])
    if indices and _is_run(indices) and _is_plain(field):
        return field.narrow_copy(0, indices[0], len(indices))
    return field[list(indices)]


def _is_run(indices: Sequence[int]) -> bool:
    return all(i == k for k, i in enumerate(indices, indices[0]))


def _is_plain(field: torch.Tensor) -> bool:
    """Real values, here or on one worker; encoded and shared tensors know indexing, not every torch function."""
    child = getattr(field, "child", None)
    return child is None or getattr(child, "location", None) is not None
