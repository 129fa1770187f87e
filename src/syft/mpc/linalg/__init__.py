"""Linear algebra on encrypted data, under the names of 0.2.4's ``syft.frameworks.torch.linalg``."""

from __future__ import annotations

from syft.mpc.linalg.dash import DASH
from syft.mpc.linalg.matrices import inv_sym, qr
from syft.mpc.linalg.regression import EncryptedLinearRegression

__all__ = ["DASH", "EncryptedLinearRegression", "inv_sym", "qr"]
