"""`EncryptedLinearRegression`: least squares on the rows of several owners, none of whom shows any."""

from __future__ import annotations

import math
import sys
from collections.abc import Sequence
from typing import Any, Self

import torch

from syft.encoded.normalising import rescaled, times
from syft.encoded.number import Number
from syft.exceptions import UsageError
from syft.mpc.linalg.estimates import checked_digits, degrees_of_freedom, opened, p_values
from syft.mpc.linalg.normal_equations import (
    at,
    diagonal,
    inverse,
    joined,
    part,
    powers,
    roots,
    scaled,
    solution,
    split_product,
    unexplained,
)
from syft.mpc.linalg.pooled import checked, pooled
from syft.tensors.base import is_wrapper, link_of
from syft.tensors.pointer import PointerTensor

_WIDTH = 52
_ROOTS = 1 << 40
_SPREAD = 8  # inverses are below 4^8


class EncryptedLinearRegression:
    """Linear least squares on data that stays where it is.

    Each owner computes the means of the products of its columns in clear. One owner, drawn at random, and the honest
    but curious worker get shares of them, and solve the normal equations on shares. What is opened are the
    coefficients, their standard errors and sigma, and nothing else.

    The root of the mean square of a column should be between 1/64 and 65536, and coefficients below a million.
    Collinear columns show by their large standard errors.

    Args:
        crypto_provider: a worker that makes correlated randomness and holds no share.
        hbc_worker: a worker that holds one share of everything; honest but curious.
        precision_fractional: decimal digits that coefficients are opened with, from 1 to 6.
        fit_intercept: whether to fit a constant, too.

    Attributes:
        coef: float32, of shape (n_features,).
        intercept: a tensor without dimensions, or None.
        se_coef: standard errors of the coefficients.
        se_intercept: that of the intercept, or None.
        sigma: the standard deviation of the residuals.
        pvalue_coef: a numpy array; how likely it is that a coefficient would be that far from 0 by chance.
        pvalue_intercept: that of the intercept, or None.
        n_features: columns of X.
        total_size: rows of all owners.

    Example:
        >>> model = EncryptedLinearRegression(crypto_provider, hbc_worker)  # doctest: +SKIP
        >>> model.fit([x_alice, x_bob], [y_alice, y_bob]).summarize()  # doctest: +SKIP
    """

    def __init__(
        self, crypto_provider: Any, hbc_worker: Any, precision_fractional: int = 6, fit_intercept: bool = True
    ) -> None:
        self.crypto_provider, self.hbc_worker = crypto_provider, hbc_worker
        self.precision_fractional, self.fit_intercept = checked_digits(precision_fractional), fit_intercept

    def fit(self, X_ptrs: Sequence[torch.Tensor], y_ptrs: Sequence[torch.Tensor]) -> Self:
        """Fit to the rows of all owners.

        Args:
            X_ptrs: of each owner, a wrapped pointer to the features, of shape (rows, n_features).
            y_ptrs: of each owner, a wrapped pointer to the targets, of shape (rows,) or (rows, 1).

        Returns:
            This regression.

        Raises:
            NotRemoteError: something is not a wrapped pointer.
            TensorsNotCollocatedException: features and targets of an owner are at different workers.
            UsageError: shapes do not match, or there are too few rows.
            EncodingError: the numbers of an owner are NaN or too large.
        """
        owners = checked([X_ptrs, y_ptrs], "pairs (X, y)")
        self.n_features = owners[0][0].shape[1]
        self.total_size = sum(X.shape[0] for X, _ in owners)
        size = self.n_features + self.fit_intercept
        self._dgf = degrees_of_freedom(self.total_size, size)
        tables = [self._table(X, y) for X, y in owners]
        moments = pooled([(t, t) for t in tables], self.total_size, self.hbc_worker, self.crypto_provider)
        coefficients, spreads, sigma = opened(least_squares(moments, size), self.precision_fractional)
        sigma = sigma * math.sqrt(self.total_size / self._dgf)
        errors = spreads * sigma / math.sqrt(self.total_size)
        self._keep(coefficients, errors, sigma)
        return self

    def _table(self, X: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        ones = [torch.ones_like(y)] if self.fit_intercept else []
        return torch.cat([X, *ones, y], 1)

    def _keep(self, coefficients: torch.Tensor, errors: torch.Tensor, sigma: torch.Tensor) -> None:
        found = p_values(coefficients, errors, self._dgf)
        self.coef, self.se_coef = coefficients[: self.n_features].float(), errors[: self.n_features].float()
        self.pvalue_coef, self.sigma = found[: self.n_features], sigma[0].float()
        self.intercept = coefficients[-1].float() if self.fit_intercept else None
        self.se_intercept = errors[-1].float() if self.fit_intercept else None
        self.pvalue_intercept = float(found[-1]) if self.fit_intercept else None

    def predict(self, X: torch.Tensor) -> torch.Tensor:
        """What the regression says about other rows.

        Args:
            X: a tensor of shape (rows, n_features), or a wrapped pointer to one, whose worker then learns the
                coefficients.

        Returns:
            Of shape (rows,): a tensor, or a wrapped pointer on the same worker.

        Raises:
            UsageError: nothing was fitted yet.
        """
        coefficients, intercept = self._fitted()
        if is_wrapper(X) and isinstance(pointer := link_of(X), PointerTensor):
            coefficients = coefficients.send(pointer.location)  # type: ignore[attr-defined]
        predicted = X.float() @ coefficients
        return predicted if intercept is None else predicted + float(intercept)

    def summarize(self) -> None:
        """Write a table of coefficients, standard errors and p-values to standard output.

        Raises:
            UsageError: nothing was fitted yet.
        """
        self._fitted()
        names = [f"coef{i + 1}" for i in range(self.n_features)]
        rows = list(zip(names, self.coef, self.se_coef, self.pvalue_coef, strict=True))
        if self.intercept is not None:
            rows.append(("intercept", self.intercept, self.se_intercept, self.pvalue_intercept))
        lines = [
            "=" * _WIDTH,
            "SMPC Linear Regression Results".center(_WIDTH).rstrip(),
            "=" * _WIDTH,
            f"{'value':>22}{'stderr':>15}{'p-value':>15}",
            "-" * _WIDTH,
            *(f"{name:<9}{float(value):>13.4f}{float(error):>15.4f}{p:>15.4f}" for name, value, error, p in rows),
            "-" * _WIDTH,
        ]
        sys.stdout.write("\n".join(lines) + "\n")

    def _fitted(self) -> tuple[torch.Tensor, torch.Tensor | None]:
        if not hasattr(self, "coef"):
            raise UsageError("this regression has no coefficients yet; call .fit(X_ptrs, y_ptrs) first")
        return self.coef, self.intercept


def least_squares(moments: Number, size: int) -> list[Number]:
    """Solve the normal equations.

    Args:
        moments: see `syft.mpc.linalg.pooled.pooled`, of a table whose last column is the target.
        size: how many columns there are before it.

    Returns:
        Coefficients, the roots of the diagonal of the inverse, and the root of the mean of the squared residuals.
    """
    exponents = powers(part(moments, 0, size + 1, size + 2).moved("select", 0, 0))
    table = scaled(part(moments, 0, 0, size + 1), exponents, exponents)
    above = part(table, 0, 0, size)
    matrix, right = part(above, 1, 0, size), part(above, 1, size, size + 1)
    inverted = inverse(matrix)
    solved = solution(matrix, inverted, right)
    left = unexplained(at(diagonal(table), size), right, solved)
    diagonals = diagonal(inverted)
    shrunk = diagonals.with_raw(diagonals.raw, diagonals.scale << 2 * _SPREAD)
    found = rescaled(roots(joined(shrunk, left))[0], _ROOTS)
    inside, target = exponents.part(0, size), exponents.part(size, size + 1)
    spreads = part(found, 0, 0, size)
    spreads = spreads.with_raw(spreads.raw, spreads.scale >> _SPREAD)
    return [
        times(split_product(solved.moved("select", 1, 0), inside.down), target.up),
        times(spreads, inside.down),
        times(at(found, size), target.up),
    ]
