"""``kill -9`` of a worker or of a client, in the middle of everything."""

from __future__ import annotations

import asyncio
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import syft as sy
from syft.exceptions import ConnectionLost
from syft.workers.limits import WorkerLimits
from tests.faults.conftest import Connect, Serve, Start
from tests.faults.leaks import nothing_left
from tests.faults.processes import REPOSITORY, WorkerProcess

HANG = 20.0  # seconds after which a thread is not coming back
PROMPT = 1.0  # seconds in which a client knows
SLACK = 2.0  # for a machine that is busy

Bob = sy.WebsocketClientWorker


def idle(bob: Bob) -> Callable[[], None]:
    """Do nothing until the client has noticed by itself."""

    def act() -> None:
        if bob.connected:
            time.sleep(0.002)
        else:
            bob.sync()

    return act


def in_an_op(bob: Bob) -> Callable[[], None]:
    """Wait for ops that take long."""
    x = torch.randn(800, 800).send(bob)

    def act() -> None:
        (x @ x @ x @ x).sum().get()

    return act


def in_a_stream_of_commands(bob: Bob) -> Callable[[], None]:
    """Post, and seldom wait."""
    x = torch.zeros(3).send(bob)

    def act() -> None:
        for _ in range(500):
            x.add_(1)
        bob.sync()

    return act


def in_a_large_answer(bob: Bob) -> Callable[[], None]:
    """Fetch 16 MB again and again."""
    x = torch.randn(4_000_000).send(bob)
    return lambda: x.copy().get()


def in_a_large_send(bob: Bob) -> Callable[[], None]:
    """Send 40 MB again and again."""
    x = torch.randn(10_000_000)

    def act() -> None:
        x.send(bob)
        bob.sync()

    return act


def in_a_plan(bob: Bob) -> Callable[[], None]:
    """Run a plan of many products."""

    def products(x: torch.Tensor) -> torch.Tensor:
        for _ in range(20):
            x = torch.tanh(x @ x)
        return x

    plan = sy.func2plan(args_shape=[(300, 300)])(products).send(bob)
    x = torch.randn(300, 300).send(bob)
    return lambda: plan(x).sum().get()


def in_a_backward(bob: Bob) -> Callable[[], None]:
    """Go backward through products."""
    w = torch.randn(300, 300, requires_grad=True).send(bob)
    return lambda: (w @ w @ w @ w).sum().backward()


def in_a_training(bob: Bob) -> Callable[[], None]:
    """Have the worker train on data of its own."""
    example = (torch.zeros(8, 4), torch.zeros(8, 1))

    def loss_fn(pred: Any, target: Any) -> Any:
        return ((pred - target) ** 2).mean()

    config = sy.TrainConfig(torch.nn.Linear(4, 1), loss_fn, batch_size=8, epochs=3, example=example)
    config.send(bob)
    return lambda: bob.fit("train")


def in_an_awaited_answer(bob: Bob) -> Callable[[], None]:
    """Await answers."""
    x = torch.randn(500, 500).send(bob)

    async def ask() -> None:
        (x @ x).sum()
        await bob.async_sync()

    return lambda: asyncio.run(ask())


MOMENTS = (
    idle, in_an_op, in_a_stream_of_commands, in_a_large_answer, in_a_large_send, in_a_plan, in_a_backward, in_a_training,
    in_an_awaited_answer,
)  # fmt: skip


@pytest.fixture
def worker(start: Start, tmp_path: Path) -> Callable[[], WorkerProcess]:
    """Start workers that have a data set."""
    np.savez(tmp_path / "train.npz", x=np.random.rand(20_000, 4).astype("f"), y=np.random.rand(20_000, 1).astype("f"))
    return lambda: start("--data", "train=train.npz")


def kill_while(action: Callable[[], Any], process: WorkerProcess, wait: float) -> float:
    """Do it over and over, and kill the worker meanwhile; seconds from the kill to the error."""
    ended: list[tuple[BaseException, float]] = []

    def run() -> None:
        try:
            while True:
                action()
        except BaseException as error:
            ended.append((error, time.monotonic()))

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    time.sleep(wait)
    killed = time.monotonic()
    process.kill()
    thread.join(HANG)
    assert not thread.is_alive(), "it hangs"
    ((error, when),) = ended
    assert isinstance(error, ConnectionLost), repr(error)
    return when - killed


def kill_at(moment: Callable[[Bob], Callable[[], None]], process: WorkerProcess, hook: sy.TorchHook) -> float:
    """Connect, get to the moment, and kill the worker somewhere in it."""
    bob = sy.WebsocketClientWorker(hook, "127.0.0.1", process.port, auto_add=False)
    try:
        return kill_while(moment(bob), process, random.uniform(0.0, 0.4))
    finally:
        bob.close()


def kill_while_connecting(process: WorkerProcess, hook: sy.TorchHook) -> float:
    """Connect again and again, and kill the worker somewhere in that."""
    port = process.port

    def act() -> None:
        sy.WebsocketClientWorker(hook, "127.0.0.1", port, auto_add=False).close(end=True)

    return kill_while(act, process, random.uniform(0.0, 0.4))


@pytest.mark.parametrize("moment", MOMENTS)
def test_a_killed_worker_is_noticed_at_once(
    moment: Callable[[Bob], Callable[[], None]], worker: Callable[[], WorkerProcess], hook: sy.TorchHook
) -> None:
    assert kill_at(moment, worker(), hook) < PROMPT + SLACK


def test_a_worker_that_is_killed_while_clients_connect(worker: Callable[[], WorkerProcess], hook: sy.TorchHook) -> None:
    assert kill_while_connecting(worker(), hook) < PROMPT + SLACK


@pytest.mark.soak
@pytest.mark.slow
@pytest.mark.timeout(7200)
def test_two_hundred_kills(worker: Callable[[], WorkerProcess], hook: sy.TorchHook) -> None:
    repetitions = int(os.environ.get("SYFT_KILLS", "200"))
    ready = [worker() for _ in range(2)]
    seconds: list[float] = []
    for number in range(repetitions):
        process = ready.pop(0)
        if number + 2 < repetitions:
            ready.append(worker())  # starts meanwhile
        assert process.port
        with nothing_left():
            if number % (len(MOMENTS) + 1) == len(MOMENTS):
                seconds.append(kill_while_connecting(process, hook))
            else:
                seconds.append(kill_at(MOMENTS[number % (len(MOMENTS) + 1)], process, hook))
        process.close()
    late = sum(s > PROMPT for s in seconds)
    print(
        f"\n{repetitions} kills, 0 hangs, 0 leaks; noticed after {sorted(seconds)[len(seconds) // 2]:.2f} s (median), "
        f"{max(seconds):.2f} s at most, {late} later than {PROMPT} s"
    )
    assert max(seconds) < PROMPT + SLACK


# --- of clients --------------------------------------------------------------------------------------

_CLIENT = """
import sys, torch, syft as sy
bob = sy.WebsocketClientWorker(sy.TorchHook(torch), "127.0.0.1", int(sys.argv[1]))
kept = [torch.full((1000,), float(n)).send(bob) for n in range(5)]
bob.sync()
print("ready", flush=True)
while True:
    kept.append(kept[0] + 1)
    if len(kept) > 50:
        del kept[5:]
        bob.sync()
"""


def test_objects_of_a_killed_client_are_freed_and_those_of_others_stay(served: Serve, connect: Connect) -> None:
    lease = 1.0
    worker = served(limits=WorkerLimits(lease=lease))
    other = connect(worker.port)
    x = torch.arange(3.0).send(other)
    other.sync()
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY / "src")}
    client = subprocess.Popen(
        [sys.executable, "-W", "ignore", "-c", _CLIENT, str(worker.port)], stdout=subprocess.PIPE, env=environment
    )
    with client:
        assert client.stdout is not None and client.stdout.readline() == b"ready\n"
        sessions = [session for session, _ in worker.sessions.rows()]
        assert len(sessions) == 2 and min(len(s._store) for s in sessions[1:]) >= 5
        time.sleep(random.uniform(0, 0.3))
        client.send_signal(signal.SIGKILL)
    killed = time.monotonic()
    while len(worker.sessions.rows()) > 1 and time.monotonic() < killed + HANG:
        time.sleep(0.02)
    took = time.monotonic() - killed
    assert len(worker.sessions.rows()) == 1
    assert lease <= took < lease + 2 + SLACK, "not before its lease has run out, and soon after"
    assert len(sessions[1]._store) == 0 and sessions[1].nbytes == 0
    assert x.get().tolist() == [0, 1, 2]


# --- of a worker that another worker knows -------------------------------------------------------------


def test_a_worker_outlives_a_killed_peer(start: Start, connect: Connect, hook: sy.TorchHook, me: Any) -> None:
    first, second = start(), start(id="alice")
    known = dict(me._known_workers)
    try:
        bob, alice = connect(first.port, auto_add=True), connect(second.port, auto_add=True)
        x, y = torch.arange(3.0).send(bob), torch.ones(2).send(bob)
        moved = x.move(alice)
        assert (moved + 1).copy().get().tolist() == [1, 2, 3]
        second.kill()
        for n in range(20):
            assert (y + n).get().tolist() == [1 + n, 1 + n]
        with pytest.raises(ConnectionLost):
            moved.get()
        with pytest.raises(ConnectionLost):
            y.copy().move(alice).get()
        assert (y * 2).get().tolist() == [2, 2], "the session with bob goes on"
    finally:
        me._known_workers.clear()
        me._known_workers.update(known)


def test_a_worker_outlives_a_frozen_peer(start: Start, connect: Connect, me: Any) -> None:
    first, second = start(), start("--keepalive", "1", id="alice")
    known = dict(me._known_workers)
    try:
        bob, alice = connect(first.port, auto_add=True), connect(second.port, auto_add=True)
        y = torch.ones(2).send(bob)
        there = torch.arange(3.0).send(alice).send(bob)  # bob has a pointer to what alice has
        assert there.get().get().tolist() == [0, 1, 2]
        there = torch.arange(3.0).send(alice).send(bob)
        bob.sync()
        second.freeze()
        del there  # bob is to tell alice
        for n in range(5):
            assert (y + n).get().tolist() == [1 + n, 1 + n]
        assert bob.connected and bob.objects_count_remote() == 1
    finally:
        me._known_workers.clear()
        me._known_workers.update(known)
