"""The fixture that serves workers of this process, for the folders whose tests look at them from both ends."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

import syft as sy

Serve = Callable[..., sy.WebsocketServerWorker]


@pytest.fixture
def served(hook: sy.TorchHook) -> Iterator[Serve]:
    """Serve workers of this process on loopback ports."""
    running: list[sy.WebsocketServerWorker] = []

    def serve(id: str = "bob", **settings: Any) -> sy.WebsocketServerWorker:
        worker = sy.WebsocketServerWorker(hook, "127.0.0.1", 0, id=id, auto_add=False, **settings)
        running.append(worker.start(block=False))
        return worker

    yield serve
    for worker in running:
        worker.stop()
