"""Differential privacy: results that say almost the same whether or not any one person is in the data."""

from syft.dp import mechanisms, pate, queries
from syft.dp.accounting import noise_multiplier_for, spent_epsilon
from syft.dp.asking import budget, count, histogram, mean, quantile, sum
from syft.dp.layers import fix
from syft.dp.ledger import Budget, Ledger
from syft.dp.plots import plot_accuracy, plot_budgets, plot_spending
from syft.dp.terms import TrainingTerms
from syft.dp.training import PrivateTraining, make_private

__all__ = [
    "Budget",
    "Ledger",
    "PrivateTraining",
    "TrainingTerms",
    "budget",
    "count",
    "fix",
    "histogram",
    "make_private",
    "mean",
    "mechanisms",
    "noise_multiplier_for",
    "pate",
    "plot_accuracy",
    "plot_budgets",
    "plot_spending",
    "quantile",
    "queries",
    "spent_epsilon",
    "sum",
]
