"""`DASH`: one small regression for each of many columns, on the rows of several owners, none of whom shows any."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from syft.encoded import number as n
from syft.encoded.normalising import rescaled, times
from syft.encoded.number import Number
from syft.exceptions import UsageError
from syft.mpc.linalg.estimates import checked_digits, degrees_of_freedom, opened, p_values
from syft.mpc.linalg.matrices import inv_upper
from syft.mpc.linalg.normal_equations import (
    MOMENT_BITS,
    SOLVED,
    Powers,
    inverse,
    joined,
    lifted,
    part,
    powers,
    roots,
    scaled,
    solution,
    split_product,
    unexplained,
)
from syft.mpc.linalg.pooled import checked, pooled

_ROOTS = 1 << 40
_SPREADS = 1 << 24
_ONE = 1 << MOMENT_BITS


class DASH:
    """Regress a target on each column of X by itself, together with the columns of C.

    Each owner computes the means of products of its columns in clear. One owner, drawn at random, and the honest but
    curious worker get shares of them, and compute on shares. What is opened are the coefficients, their standard
    errors and the variances of the residuals, and nothing else. There is no intercept: C may have a column of ones.

    Source: Bloom, "Secure multi-party linear regression at plaintext speed" (arXiv:1901.09531), whose QR compression is
    left out: moments with 28 binary digits are enough where columns are scaled first.

    Ranges are those of `EncryptedLinearRegression`.

    Args:
        crypto_provider: a worker that makes correlated randomness and holds no share.
        hbc_worker: a worker that holds one share of everything; honest but curious.
        precision_fractional: decimal digits that coefficients are opened with, from 1 to 6.

    Attributes:
        coef: float32, of shape (columns of X,).
        se: their standard errors.
        sigma2: the variance of the residuals of each regression.
        pvalue: a numpy array; how likely it is that a coefficient would be that far from 0 by chance.
        total_size: rows of all owners.
    """

    coef: torch.Tensor
    se: torch.Tensor
    sigma2: torch.Tensor
    pvalue: np.ndarray[Any, Any]

    def __init__(self, crypto_provider: Any, hbc_worker: Any, precision_fractional: int = 6) -> None:
        self.crypto_provider, self.hbc_worker = crypto_provider, hbc_worker
        self.precision_fractional = checked_digits(precision_fractional)

    def fit(
        self, X_ptrs: Sequence[torch.Tensor], C_ptrs: Sequence[torch.Tensor], y_ptrs: Sequence[torch.Tensor]
    ) -> None:
        """Fit to the rows of all owners.

        Args:
            X_ptrs: of each owner, a wrapped pointer to the columns that are tried, of shape (rows, m).
            C_ptrs: of each owner, a wrapped pointer to the columns that are always there, of shape (rows, k).
            y_ptrs: of each owner, a wrapped pointer to the targets, of shape (rows,) or (rows, 1).

        Raises:
            NotRemoteError: something is not a wrapped pointer.
            TensorsNotCollocatedException: what belongs to an owner is at different workers.
            UsageError: shapes do not match, or there are too few rows.
            EncodingError: the numbers of an owner are NaN or too large.
        """
        owners = checked([X_ptrs, C_ptrs, y_ptrs], "tuples (X, C, y)")
        tried, kept = owners[0][0].shape[1], owners[0][1].shape[1]
        self.total_size = sum(X.shape[0] for X, _, _ in owners)
        self._dgf = degrees_of_freedom(self.total_size, kept + 1)
        tables = [(torch.cat([C, y], 1), torch.cat([X, C, y], 1)) for X, C, y in owners]
        moments = pooled(tables, self.total_size, self.hbc_worker, self.crypto_provider)
        coefficients, spreads, sigmas = opened(associations(moments, tried, kept), self.precision_fractional)
        errors = spreads * sigmas / math.sqrt(self._dgf)
        self.coef, self.se = coefficients.float(), errors.float()
        self.sigma2 = (sigmas**2 * (self.total_size / self._dgf)).float()
        self.pvalue = p_values(coefficients, errors, self._dgf)

    def get_coeff(self) -> torch.Tensor:
        """The coefficients of the columns of X."""
        return self._fitted().coef

    def get_standard_errors(self) -> torch.Tensor:
        """Their standard errors."""
        return self._fitted().se

    def get_p_values(self) -> np.ndarray[Any, Any]:
        """How likely it is that a coefficient would be that far from 0 by chance."""
        return self._fitted().pvalue

    def _fitted(self) -> DASH:
        if not hasattr(self, "coef"):
            raise UsageError("there are no coefficients yet; call .fit(X_ptrs, C_ptrs, y_ptrs) first")
        return self

    _inv_upper = staticmethod(inv_upper)


def associations(moments: Number, tried: int, kept: int) -> list[Number]:
    """Solve all regressions at once: take from every column what the kept ones explain, and compare the rest.

    Args:
        moments: see `syft.mpc.linalg.pooled.pooled`, of (C, y) and (X, C, y).
        tried: columns of X.
        kept: columns of C.

    Returns:
        Coefficients, the reciprocal roots of what is left of the squares of X, and the roots of the means of the
        squared residuals.
    """
    everything, target = tried + kept, tried + kept + 1
    squares = part(moments, 0, kept + 1, kept + 2).moved("select", 0, 0)
    exponents = powers(squares)
    table = scaled(part(moments, 0, 0, kept + 1), exponents.part(tried, target), exponents)
    sizes = rescaled(times(squares, times(exponents.down, exponents.down)), table.scale)
    equations = part(table, 0, 0, kept)
    matrix, columns = part(equations, 1, tried, everything), part(equations, 1, 0, tried)
    goal = part(equations, 1, everything, target)
    solved = solution(matrix, inverse(matrix), joined(columns, goal, dim=1))
    products = part(table, 0, kept, kept + 1).moved("select", 0, 0)
    left = unexplained(
        joined(part(sizes, 0, 0, tried), part(sizes, 0, everything, target), part(products, 0, 0, tried)),
        joined(columns, goal, goal.moved("expand", [kept, tried]), dim=1),
        joined(solved, part(solved, 1, 0, tried), dim=1),
    )
    return _compared(left, tried, exponents.part(0, tried), exponents.part(everything, target))


def _compared(left: Number, tried: int, inside: Powers, target: Powers) -> list[Number]:
    xx, yy, xy = part(left, 0, 0, tried), part(left, 0, tried, tried + 1), part(left, 0, tried + 1, 2 * tried + 1)
    spreads = roots(xx)[1]
    # By Cauchy and Schwarz, what is left of y has no larger part along x than 1.
    along = rescaled(times(rescaled(xy, _ONE), spreads), _ONE)
    solved = rescaled(times(along, rescaled(spreads, _SPREADS)), SOLVED)
    square = times(along, along)
    rest = rescaled(n.sub(lifted(yy, square.scale), square), left.scale)
    deviations = rescaled(roots(rest)[0], _ROOTS)
    return [
        times(split_product(solved, inside.down), target.up),
        times(spreads, inside.down),
        times(deviations, target.up),
    ]
