"""Contexts that many tests use: keys take a moment to make."""

from __future__ import annotations

from functools import cache

import pytest

import syft as sy

pytest.importorskip("tenseal", reason="CKKS and BFV need TenSEAL")


@cache
def ckks(depth: int = 2, precision: int = 20, rotations: bool = False) -> sy.he.Context:
    """Keys for real numbers."""
    return sy.he.ckks_context(precision=precision, depth=depth, rotations=rotations)


@cache
def bfv(depth: int = 1, largest: int = 100_000, rotations: bool = False) -> sy.he.Context:
    """Keys for integers."""
    return sy.he.bfv_context(largest=largest, depth=depth, rotations=rotations)
