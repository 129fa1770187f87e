"""Shapes of results, without tensors: torch's own ways to work them out import half of its compiler."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from syft.exceptions import UsageError


def broadcast(*shapes: Sequence[int]) -> torch.Size:
    """The common shape of several.

    Args:
        *shapes: shapes.

    Raises:
        UsageError: they have none.

    Example:
        >>> broadcast((3, 1), (2,))
        torch.Size([3, 2])
    """
    try:
        return torch.Size(np.broadcast_shapes(*[tuple(shape) for shape in shapes]))
    except ValueError:
        raise UsageError(f"shapes {' and '.join(str(tuple(shape)) for shape in shapes)} do not fit together") from None


def matrix_product(x: Sequence[int], y: Sequence[int]) -> torch.Size:
    """The shape of ``torch.matmul``.

    Args:
        x: of the first operand.
        y: of the second one.

    Raises:
        UsageError: they do not fit together.

    Example:
        >>> matrix_product((5, 2, 3), (3, 4))
        torch.Size([5, 2, 4])
    """
    rows, columns = (list(x), list(y)) if len(x) > 1 else ([1, *x], list(y))
    columns = columns if len(y) > 1 else [*y, 1]
    if not x or not y or rows[-1] != columns[-2]:
        raise UsageError(f"matrices of shapes {tuple(x)} and {tuple(y)} cannot be multiplied")
    out = [*broadcast(rows[:-2], columns[:-2]), rows[-2], columns[-1]]
    if len(x) == 1:
        del out[-2]
    if len(y) == 1:
        del out[-1]
    return torch.Size(out)
