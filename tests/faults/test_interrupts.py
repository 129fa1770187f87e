"""Ctrl-C while a client waits, sends or reads: the call ends, and the client goes on."""

from __future__ import annotations

import os
import random
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch

import syft as sy
from syft.exceptions import ConnectionLost
from tests.faults.conftest import Connect, Serve

# An interrupt may land in what Python runs by itself, such as the end of an object, and is only reported there.
pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")


class Interrupted(KeyboardInterrupt):
    """What the signal raises, where it is wanted."""


class Interrupts:
    """Raises `Interrupted` in the main thread, at some moment within a block."""

    def __init__(self) -> None:
        self.armed = False

    def handle(self, signal_number: int, frame: Any) -> None:
        if self.armed:
            self.armed = False
            raise Interrupted

    def during(self, action: Callable[[], Any], wait: float) -> bool:
        """Do it over and over until it was interrupted; whether it was."""

        def interrupt() -> None:
            time.sleep(wait)
            signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGUSR1)

        thread = threading.Thread(target=interrupt, daemon=True)
        try:
            self.armed = True
            thread.start()
            while self.armed:
                action()
        except Interrupted:
            return True
        finally:
            self.armed = False
            thread.join()
        return False


@pytest.fixture
def interrupts() -> Iterator[Interrupts]:
    """Interrupts by a signal that nothing else uses."""
    made = Interrupts()
    before = signal.signal(signal.SIGUSR1, made.handle)
    yield made
    signal.signal(signal.SIGUSR1, before)


def interrupt_often(bob: sy.WebsocketClientWorker, interrupts: Interrupts, times: int) -> Counter[str]:
    """Interrupt requests and commands at random moments; afterwards the client must be right, or say that it is not."""
    outcomes: Counter[str] = Counter()
    for number in range(times):
        x = torch.arange(3.0).send(bob)
        slow = torch.randn(250, 250).send(bob)

        def act(x: Any = x, slow: Any = slow) -> None:
            (x + 1).get()
            x.add_(1)
            (slow @ slow).sum().get()

        outcomes["interrupted"] += interrupts.during(act, random.uniform(0, 0.02))
        try:
            for n in range(3):
                y = torch.full((2,), float(number)).send(bob)
                assert (y + n).get().tolist() == [number + n] * 2
        except ConnectionLost:
            outcomes["lost"] += 1
            bob.connect()
    return outcomes


def test_an_interrupted_client_goes_on(served: Serve, connect: Connect, interrupts: Interrupts) -> None:
    outcomes = interrupt_often(connect(served().port), interrupts, 60)
    assert outcomes["interrupted"] > 30 and outcomes["lost"] <= 3, outcomes


@pytest.mark.soak
@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_an_often_interrupted_client_goes_on(served: Serve, connect: Connect, interrupts: Interrupts) -> None:
    times = int(os.environ.get("SYFT_INTERRUPTS", "5000"))
    outcomes = interrupt_often(connect(served().port), interrupts, times)
    print(f"\n{times} interrupts, 0 hangs, 0 wrong results: {dict(outcomes)}")


class InterruptedOnce:
    """A lock during whose acquiring the interrupt comes: it is held, and who acquired it does not hear of that."""

    def __init__(self, lock: Any) -> None:
        self.lock, self.due = lock, True

    def acquire(self, *args: Any, **kwargs: Any) -> bool:
        held = bool(self.lock.acquire(*args, **kwargs))
        if held and self.due and threading.current_thread() is threading.main_thread():
            self.due = False
            raise Interrupted
        return held

    def release(self) -> None:
        self.lock.release()

    def _is_owned(self) -> bool:
        return bool(self.lock._is_owned())

    def __enter__(self) -> None:
        self.lock.acquire()

    def __exit__(self, *error: object) -> None:
        self.lock.release()


def test_an_interrupt_while_it_is_a_thread_s_turn_to_send(served: Serve, connect: Connect) -> None:
    bob = connect(served().port, timeout=10)
    x = torch.arange(3.0).send(bob)
    bob.sync()
    lock: Any = InterruptedOnce(bob._link._sending)
    bob._link._sending = lock
    with pytest.raises(Interrupted):
        x.copy().get()
    assert not lock.due
    for _ in range(3):
        assert (x + 1).get().tolist() == [1, 2, 3]
