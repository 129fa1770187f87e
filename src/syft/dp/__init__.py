"""Differential privacy: results that say almost the same whether or not any one person is in the data."""

from syft.dp import mechanisms, queries
from syft.dp.asking import budget, count, histogram, mean, quantile, sum
from syft.dp.ledger import Budget, Ledger

__all__ = [
    "Budget",
    "Ledger",
    "budget",
    "count",
    "histogram",
    "mean",
    "mechanisms",
    "quantile",
    "queries",
    "sum",
]
