"""A client that comes back while its worker is still busy with what it sent before."""

from __future__ import annotations

import asyncio
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch

from syft.core.ops import op_named
from syft.exceptions import ConnectionLost
from syft.transports.link import Link
from tests.faults.conftest import Connect, Serve
from tests.faults.proxy import Proxy


@pytest.fixture
def gate(monkeypatch: pytest.MonkeyPatch) -> Iterator[threading.Event]:
    """What ``torch.cosh`` waits for, on workers of this process."""
    opened, op = threading.Event(), op_named("torch.cosh")
    kept = op.fn

    def wait(x: torch.Tensor) -> torch.Tensor:
        assert opened.wait(30)
        return x

    object.__setattr__(op, "fn", wait)
    yield opened
    opened.set()
    object.__setattr__(op, "fn", kept)


def wait_for(condition: Callable[[], bool]) -> None:
    """Wait until something is so."""
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.005)


def test_answers_to_a_lost_connection_do_not_reach_the_next_one(
    served: Serve, connect: Connect, proxied: Callable[[int], Proxy], gate: threading.Event
) -> None:
    worker = served()
    proxy = proxied(worker.port)
    bob = connect(proxy.port, reconnect=0.0)
    small = torch.arange(3.0).send(bob)
    bob.sync()
    ((_, channel),) = worker.sessions.rows()
    waiting = torch.cosh(small)

    lost: list[BaseException] = []

    def ask(what: int) -> None:
        try:
            (small + what).get()
        except ConnectionLost as error:
            lost.append(error)

    askers = [threading.Thread(target=ask, args=(10 * n,)) for n in range(1, 6)]
    for asker in askers:
        asker.start()
    wait_for(lambda: channel.pending >= 11)  # each with the command before it, behind what waits
    proxy.cut()
    for asker in askers:
        asker.join(20)
    assert len(lost) == 5
    assert bob.connect() is True
    threading.Timer(0.1, gate.set).start()
    for n in range(20):
        assert (small * n).get().tolist() == [0, n, 2 * n], "the answer to this question, and to no earlier one"
    assert bob.connected
    assert waiting.get().tolist() == [0, 1, 2]


def test_what_was_sent_before_is_carried_out_once(
    served: Serve, connect: Connect, proxied: Callable[[int], Proxy], gate: threading.Event
) -> None:
    worker = served()
    proxy = proxied(worker.port)
    bob = connect(proxy.port, reconnect=0.0)
    counter = torch.zeros(1).send(bob)
    bob.sync()
    ((_, channel),) = worker.sessions.rows()
    waiting = torch.cosh(counter)
    for _ in range(50):
        counter.add_(1)
    wait_for(lambda: channel.pending == 51)
    proxy.cut()
    with pytest.raises(ConnectionLost):
        bob.sync()
    assert bob.connect() is True
    for _ in range(50):
        counter.add_(1)
    gate.set()
    assert counter.copy().get().item() == 100
    del waiting


def test_one_thread_serves_a_client_that_comes_back_at_once(
    served: Serve, connect: Connect, proxied: Callable[[int], Proxy], monkeypatch: pytest.MonkeyPatch
) -> None:
    failing = Link._fail

    def slow_to_end(self: Link, *args: Any, **kwargs: Any) -> None:
        failing(self, *args, **kwargs)
        time.sleep(0.1)  # the user has connected again by then

    monkeypatch.setattr(Link, "_fail", slow_to_end)
    proxy = proxied(served().port)
    bob = connect(proxy.port, reconnect=0.0)
    x = torch.arange(3.0).send(bob)
    for _ in range(3):
        bob.sync()
        proxy.cut()
        with pytest.raises(ConnectionLost):
            x.copy().get()
        assert bob.connect() is True
    time.sleep(0.3)
    assert Counter(t.name for t in threading.enumerate())["syft-link-bob"] == 1
    assert x.get().tolist() == [0, 1, 2]


def test_a_thread_that_fails_leaves_nobody_waiting(
    served: Serve, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    bob = connect(served().port)
    bob.sync()

    def fail(self: Link, data: bytes) -> None:
        raise ValueError("a bug")

    monkeypatch.setattr(Link, "_take_in", fail)
    monkeypatch.setattr(threading, "excepthook", lambda error: None)  # pytest would keep it, and the link with it
    thread = bob._link._thread
    with pytest.raises(ConnectionLost, match="a bug"):
        asyncio.run(bob.async_sync())
    assert thread is not None
    thread.join(10)  # it says that it failed while the hook above stands
