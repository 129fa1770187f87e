"""Fixtures of the serde tests."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from syft.serde.registry import REGISTRY, Registry


@pytest.fixture
def registry() -> Iterator[Registry]:
    """The process's registry; what a test registers is forgotten after it."""
    by_type, by_tag = dict(REGISTRY.by_type), dict(REGISTRY.by_tag)
    yield REGISTRY
    for table, before in ((REGISTRY.by_type, by_type), (REGISTRY.by_tag, by_tag)):
        table.clear()
        table.update(before)
