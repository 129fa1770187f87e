"""Workers of this process and of others, clients, proxies; and a look at what each test leaves behind."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import syft as sy
from tests.faults.leaks import nothing_left
from tests.faults.processes import WorkerProcess
from tests.faults.proxy import Proxy
from tests.network.serving import Serve, served

__all__ = ["Serve", "served"]

Connect = Callable[..., sy.WebsocketClientWorker]
Start = Callable[..., WorkerProcess]


@pytest.fixture(autouse=True)
def _no_leaks(hook: sy.TorchHook) -> Iterator[None]:
    """Nothing of ours is left when a test and its fixtures are over."""
    with nothing_left():
        yield


@pytest.fixture
def connect(hook: sy.TorchHook) -> Iterator[Connect]:
    """Connect to a port, each time as another client."""
    clients: list[sy.WebsocketClientWorker] = []

    def client(port: int, **settings: Any) -> sy.WebsocketClientWorker:
        clients.append(sy.WebsocketClientWorker(hook, "127.0.0.1", port, **{"auto_add": False, **settings}))
        return clients[-1]

    yield client
    while clients:  # pytest holds on to fixtures, and a client to its pipe
        clients.pop().close(end=True)


@pytest.fixture
def proxied() -> Iterator[Callable[[int], Proxy]]:
    """Put a proxy before a port."""
    proxies: list[Proxy] = []

    def make(port: int) -> Proxy:
        proxies.append(Proxy(port))
        return proxies[-1]

    yield make
    for proxy in proxies:
        proxy.close()


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Start ``syft worker`` processes; what is left of them is killed afterwards."""
    started: list[WorkerProcess] = []

    def run(*options: str, **settings: Any) -> WorkerProcess:
        started.append(WorkerProcess(tmp_path, *options, **settings))
        return started[-1]

    yield run
    for process in started:
        process.close()
