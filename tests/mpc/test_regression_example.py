"""The example of an encrypted linear regression runs, and says what least squares in clear says."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from examples.encrypted.encrypted_linear_regression import COLUMNS

from syft.sandbox import generated_housing

ROOT = Path(__file__).parents[2]


def test_the_example_runs() -> None:
    program = [sys.executable, "examples/encrypted/encrypted_linear_regression.py"]
    done = subprocess.run(program, capture_output=True, text=True, timeout=120, check=False, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    assert "SMPC Linear Regression Results" in done.stdout and "506 rows" in done.stdout
    X, y, _ = generated_housing()
    table = np.column_stack([X[:, COLUMNS], np.ones(len(X))])
    coefficients, residuals, *_ = np.linalg.lstsq(table, y, rcond=None)
    errors = np.sqrt(residuals[0] / (len(y) - 5) * np.diag(np.linalg.inv(table.T @ table)))
    rows = re.findall(r"^(?:coef\d|intercept) +(\S+) +(\S+) +\S+$", done.stdout, re.MULTILINE)
    found = np.array(rows, dtype=float)
    assert found[:, 0] == pytest.approx(coefficients, abs=1.5e-4, rel=1e-4)
    assert found[:, 1] == pytest.approx(errors, abs=1e-4, rel=1e-4)
