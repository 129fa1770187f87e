"""Attacks come as bytes: here every worker takes its messages through the codec."""

from __future__ import annotations

import pytest

from tests.security.open_findings import DISTURBING, OPEN


@pytest.fixture
def mode() -> str:
    """How messages reach a worker."""
    return "wire"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        name = getattr(item, "originalname", item.name)
        if "security" not in item.path.parts:
            continue
        if name in OPEN:
            item.add_marker(pytest.mark.xfail(strict=False, reason="an open finding of the security review"))
        elif name in DISTURBING:
            item.add_marker(pytest.mark.skip(reason="an open finding of the security review"))
