"""Attacks come as bytes: here every worker takes its messages through the codec."""

from __future__ import annotations

import pytest


@pytest.fixture
def mode() -> str:
    """How messages reach a worker."""
    return "wire"
