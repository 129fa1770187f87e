"""What the tests of protocols share."""

from __future__ import annotations

from typing import Any

import pytest

from syft.workers.virtual import VirtualWorker as Worker


@pytest.fixture
def traffic(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Which messages reach any worker, as ``"worker Kind"``."""
    seen: list[str] = []
    original = Worker.request

    def request(self: Worker, message: Any) -> Any:
        seen.append(f"{self.id} {type(message).__name__}")
        return original(self, message)

    monkeypatch.setattr(Worker, "request", request)
    monkeypatch.setattr(Worker, "post", request)
    return seen
