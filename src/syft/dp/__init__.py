"""Differential privacy: results that say almost the same whether or not any one person is in the data."""

from __future__ import annotations

from syft.dp.layers import fix
from syft.dp.training import PrivateTraining, make_private

__all__ = ["PrivateTraining", "fix", "make_private"]
