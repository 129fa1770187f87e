"""A worker that is there and says nothing: whoever waits is told, within twice the keepalive."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

import pytest
import torch

import syft as sy
from syft.core.ops import op_named
from syft.exceptions import ConnectionLost, RequestTimeoutError
from syft.transports.addresses import Address
from syft.transports.link import Link, Settings
from syft.workers.limits import WorkerLimits
from tests.faults.conftest import Connect, Serve, Start
from tests.faults.proxy import Proxy

KEEPALIVE = 2.0
SLACK = 1.0  # for a machine that is busy
HANG = 30.0  # seconds after which a thread is not coming back


def in_thread(action: Callable[[], Any]) -> tuple[threading.Thread, list[BaseException]]:
    """Do it in a thread of its own; what it raised is in the list."""
    raised: list[BaseException] = []

    def run() -> None:
        try:
            action()
        except BaseException as error:
            raised.append(error)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    return thread, raised


def test_a_frozen_worker_is_noticed_by_all_who_wait(start: Start, connect: Connect) -> None:
    process = start("--keepalive", str(KEEPALIVE))
    bob = connect(process.port)
    x = torch.arange(3.0).send(bob)
    bob.sync()
    process.freeze()
    began = time.monotonic()
    waiting = [in_thread(lambda: (x + 1).get()), in_thread(bob.sync), in_thread(lambda: x.copy().shape)]
    for thread, raised in waiting:
        thread.join(HANG)
        assert not thread.is_alive() and isinstance(raised[0], ConnectionLost)
    took = time.monotonic() - began
    with pytest.raises(ConnectionLost):
        bob.sync()
    print(f"\nfrozen worker: raised after {took:.2f} s, keepalive {KEEPALIVE} s")
    assert took < 2 * KEEPALIVE + SLACK
    process.thaw()
    assert bob.connect() is True
    assert (x + 1).get().tolist() == [1, 2, 3]


def send_large(bob: sy.WebsocketClientWorker) -> None:
    """Three tensors of 40 MB: more than buffers and window take."""
    for _ in range(3):
        torch.zeros(10_000_000).send(bob)
    bob.sync()


def send_much(bob: sy.WebsocketClientWorker) -> None:
    """Commands until the window is full."""
    x = torch.zeros(1).send(bob)
    while True:
        x.add_(1)


def send_at_leisure(bob: sy.WebsocketClientWorker) -> None:
    """Messages of 48 KB now and then, each sent by the link's own thread."""
    while True:
        torch.zeros(12_000).send(bob)
        time.sleep(0.004)


@pytest.mark.parametrize("action", [sy.WebsocketClientWorker.sync, send_large, send_much, send_at_leisure])
def test_a_stalled_connection_is_noticed(
    served: Serve, connect: Connect, proxied: Callable[[int], Proxy], action: Callable[[Any], None]
) -> None:
    proxy = proxied(served(limits=WorkerLimits(keepalive=KEEPALIVE)).port)
    bob = connect(proxy.port)
    proxy.stall()
    began = time.monotonic()
    thread, raised = in_thread(lambda: action(bob))
    thread.join(HANG)
    took = time.monotonic() - began
    assert not thread.is_alive(), "it hangs"
    assert isinstance(raised[0], ConnectionLost)
    assert took < 2 * KEEPALIVE + SLACK
    proxy.go_on()


def test_an_idle_client_notices_too(served: Serve, connect: Connect, proxied: Callable[[int], Proxy]) -> None:
    proxy = proxied(served(limits=WorkerLimits(keepalive=0.5)).port)
    bob = connect(proxy.port)
    proxy.stall()
    deadline = time.monotonic() + HANG
    while bob.connected and time.monotonic() < deadline:
        time.sleep(0.02)
    assert not bob.connected
    proxy.go_on()


def test_a_worker_gives_up_a_stalled_client_and_keeps_its_session(
    served: Serve, connect: Connect, proxied: Callable[[int], Proxy]
) -> None:
    worker = served(limits=WorkerLimits(keepalive=0.5))
    proxy = proxied(worker.port)
    bob = connect(proxy.port)
    x = torch.arange(3.0).send(bob)
    bob.sync()
    proxy.stall()
    deadline = time.monotonic() + HANG
    while worker.sessions.rows()[0][1].attached and time.monotonic() < deadline:
        time.sleep(0.02)
    assert not worker.sessions.rows()[0][1].attached
    proxy.go_on()
    bob.connect()
    assert x.get().tolist() == [0, 1, 2]


def test_a_pause_shorter_than_the_keepalive_does_no_harm(
    served: Serve, connect: Connect, proxied: Callable[[int], Proxy]
) -> None:
    proxy = proxied(served(limits=WorkerLimits(keepalive=KEEPALIVE)).port)
    bob = connect(proxy.port, reconnect=0.0)
    proxy.stall()
    threading.Timer(KEEPALIVE / 2, proxy.go_on).start()
    assert torch.ones(2).send(bob).get().tolist() == [1, 1]


def test_a_slow_op_is_no_silence(served: Serve, connect: Connect) -> None:
    bob = connect(served(limits=WorkerLimits(keepalive=1.0)).port, reconnect=0.0)
    x = torch.arange(3.0).send(bob)
    op = op_named("torch.cosh")
    kept = op.fn

    def slow(x: torch.Tensor) -> torch.Tensor:
        time.sleep(2.5)
        return x

    object.__setattr__(op, "fn", slow)
    try:
        assert torch.cosh(x).get().tolist() == [0, 1, 2], "it took longer than twice the keepalive"
    finally:
        object.__setattr__(op, "fn", kept)


def ask_little(bob: sy.WebsocketClientWorker) -> None:
    """A short question."""
    bob.sync()


def ask_with_much(bob: sy.WebsocketClientWorker) -> None:
    """A request that is more than the socket takes."""
    bob.synchronous = True
    torch.zeros(10_000_000).send(bob)


@pytest.mark.parametrize("action", [ask_little, ask_with_much])
def test_a_timeout_is_honoured_by_a_stalled_connection(
    served: Serve, connect: Connect, proxied: Callable[[int], Proxy], action: Callable[[Any], None]
) -> None:
    proxy = proxied(served().port)
    bob = connect(proxy.port)
    bob.timeout = 1.5
    proxy.stall()
    began = time.monotonic()
    thread, raised = in_thread(lambda: action(bob))
    thread.join(HANG)
    took = time.monotonic() - began
    assert isinstance(raised[0], RequestTimeoutError)
    assert 0.8 * 1.5 <= took <= 1.2 * 1.5 + SLACK
    print(f"\n{action.__name__}: timeout of 1.5 s after {took:.2f} s")
    proxy.go_on()
    bob.timeout = None
    assert torch.ones(1).send(bob).get().tolist() == [1], "the connection still works"


def test_nobody_waits_for_a_worker_that_takes_connections_and_says_nothing(
    served: Serve, proxied: Callable[[int], Proxy]
) -> None:
    proxy = proxied(served().port)
    proxy.stall()
    link = Link(Settings(Address("127.0.0.1", proxy.port), connect_timeout=1.0), lambda: None)
    thread, raised = in_thread(link.connect)
    thread.join(HANG)
    assert isinstance(raised[0], ConnectionLost)


def test_a_slow_network_is_no_silence(served: Serve, connect: Connect, proxied: Callable[[int], Proxy]) -> None:
    keepalive = 1.0
    proxy = proxied(served(limits=WorkerLimits(keepalive=keepalive)).port)
    bob = connect(proxy.port, reconnect=0.0)
    proxy.delay = 0.01  # for each 64 KiB: 6 MiB a second
    x = torch.randn(3_500_000)
    began = time.monotonic()
    sent = x.send(bob)
    bob.sync()
    up = time.monotonic()
    assert torch.equal(sent.get(), x)
    assert min(up - began, time.monotonic() - up) > 2 * keepalive, "faster than the keepalive, so this shows nothing"
