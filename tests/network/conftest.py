"""Served workers of this process, with real connections to them; nothing of theirs is left when a test is over."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

import syft as sy
from tests.faults.leaks import nothing_left
from tests.network.serving import Serve, served

__all__ = ["Serve", "served"]

Connect = Callable[..., sy.WebsocketClientWorker]


@pytest.fixture(autouse=True)
def _no_leaks(hook: sy.TorchHook) -> Iterator[None]:
    """Threads, sockets and pipes are gone. A fixture that made clients must not hold on to them: they have a pipe."""
    with nothing_left():
        yield


@pytest.fixture
def connect(hook: sy.TorchHook, me: Any) -> Iterator[Connect]:
    """Connect to workers, each time as another client."""
    known = dict(me._known_workers)
    clients: list[sy.WebsocketClientWorker] = []

    def client(worker: sy.WebsocketServerWorker, **settings: Any) -> sy.WebsocketClientWorker:
        me._known_workers.pop(worker.id, None)
        clients.append(sy.WebsocketClientWorker(hook, "127.0.0.1", worker.port, **settings))
        return clients[-1]

    yield client
    while clients:
        clients.pop().close(end=True)
    me._known_workers.clear()
    me._known_workers.update(known)
