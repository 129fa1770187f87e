"""What a regression opens, and what follows from it in clear."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from syft.encoded.number import Number
from syft.encoded.ring import ring_of
from syft.exceptions import UsageError
from syft.mpc.linalg.normal_equations import SOLUTION_BITS
from syft.mpc.linalg.student import two_sided_p

_MOST_DIGITS = 6


def opened(results: Sequence[Number], digits: int) -> list[torch.Tensor]:
    """Fetch vectors, all at once, without the digits that are more than asked for.

    Args:
        results: vectors of numbers; the first with scale 2^42.
        digits: how many decimal ones to keep of these.

    Returns:
        float64.
    """
    divisor = 1 << (SOLUTION_BITS - math.ceil(digits * math.log2(10)))
    raws = [one.raw for one in results]
    together = ring_of(*raws).divide(ring_of(*raws).join(raws, 0), divisor)
    values = together if isinstance(together, torch.Tensor) else together.get()
    pieces = values.double().split([one.shape[0] for one in results])
    return [piece * (divisor / one.scale) for piece, one in zip(pieces, results, strict=True)]


def checked_digits(precision_fractional: int) -> int:
    """The decimal digits to open coefficients with.

    Raises:
        UsageError: not from 1 to 6.
    """
    if precision_fractional not in range(1, _MOST_DIGITS + 1):
        raise UsageError(
            f"coefficients have 1 to {_MOST_DIGITS} decimal digits, not precision_fractional={precision_fractional!r}"
        )
    return precision_fractional


def degrees_of_freedom(rows: int, coefficients: int) -> int:
    """How many rows there are more than coefficients.

    Raises:
        UsageError: none.
    """
    if rows <= coefficients:
        raise UsageError(f"{coefficients} coefficients and their errors need more than {rows} rows")
    return rows - coefficients


def p_values(values: torch.Tensor, errors: torch.Tensor, freedom: int) -> np.ndarray[Any, Any]:
    """How likely it is that values would be that far from 0 by chance.

    Args:
        values: float64, of shape (n,).
        errors: their standard errors.
        freedom: degrees of freedom.

    Returns:
        float64, of shape (n,).
    """
    return np.array([two_sided_p(ratio, freedom) for ratio in (values / errors).tolist()])
