"""What a client that leaves, or a worker that loses a session, means for the others."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

import pytest
import torch

import syft as sy
from syft.exceptions import ConnectionLost
from syft.tensors.object_wrapper import ObjectWrapper
from syft.transports.channel import Channel
from syft.workers.limits import WorkerLimits
from tests.network.conftest import Connect, Serve


def until(true: Callable[[], bool]) -> None:
    """Wait for something that happens a moment later; the test's time limit is the guard."""
    while not true():
        time.sleep(0.01)


def leave_something_behind(served: Serve, connect: Connect) -> None:
    """Leave with a message that still waits for the one before it.

    Raises:
        TimeoutError: it was not dealt with.
    """
    worker = served()
    gate = threading.Event()
    worker.set_obj(ObjectWrapper(lambda: gate.wait(30), id=77, tags=["#block"]))
    bob = connect(worker)
    (block,) = bob.search("#block")
    threading.Thread(target=lambda: pytest.raises(ConnectionLost, block), daemon=True).start()
    until(lambda: any(channel.busy for _, channel in worker.sessions.rows()))
    torch.tensor([4.0]).tag("#left").send(bob, garbage_collect_data=False)
    bob.close(end=True)
    until(lambda: not worker.sessions.rows())
    gate.set()
    began = time.monotonic()
    while not worker.search("#left"):
        if time.monotonic() - began > 3.0:
            raise TimeoutError("what was sent before leaving is lost")
        time.sleep(0.01)


def test_what_was_sent_before_leaving_is_dealt_with(served: Serve, connect: Connect) -> None:
    leave_something_behind(served, connect)


def test_control_a_session_that_is_ended_deals_with_nothing_more(
    served: Serve, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Channel, "finish", lambda channel, reason, then: (channel.end(reason), then()))
    with pytest.raises(TimeoutError):
        leave_something_behind(served, connect)


def test_sessions_that_finish_count_as_sessions(served: Serve, connect: Connect) -> None:
    worker = served(limits=WorkerLimits(sessions=1))
    gate = threading.Event()
    worker.set_obj(ObjectWrapper(lambda: gate.wait(30), id=77, tags=["#block"]))
    bob = connect(worker)
    (block,) = bob.search("#block")
    threading.Thread(target=lambda: pytest.raises(ConnectionLost, block), daemon=True).start()
    until(lambda: any(channel.busy for _, channel in worker.sessions.rows()))
    bob.close(end=True)
    until(lambda: not worker.sessions.rows())
    with pytest.raises(sy.exceptions.AuthenticationError, match="as many as it takes"):
        connect(worker)
    gate.set()
    until(lambda: not worker.sessions._finishing)
    assert torch.ones(1).send(connect(worker)).get().item() == 1


def test_objects_elsewhere_are_freed_with_the_session_that_owned_them(served: Serve, connect: Connect) -> None:
    alice, bob = connect(served("alice")), connect(served("bob"))
    x = torch.tensor([1.0]).send(bob).send(alice)
    assert (alice.objects_count_remote(), bob.objects_count_remote()) == (1, 1)
    alice.close(end=True)
    until(lambda: bob.objects_count_remote() == 0)
    del x


def test_a_session_survives_that_another_worker_lost_its_own(served: Serve, connect: Connect) -> None:
    alice, bob = connect(served("alice")), connect(served("bob"))
    kept, x = torch.tensor([5.0]).send(alice), torch.tensor([1.0]).send(bob).send(alice)
    assert alice.objects_count_remote() == 2
    bob.close(end=True)
    assert bob.connect() is False
    del x  # alice is to tell bob, who knows nothing of it any more
    assert alice.objects_count_remote() == 1
    assert kept.move(bob).get().tolist() == [5.0], "they meet again, in the new session"


def test_asking_one_worker_does_not_fail_because_another_is_gone(served: Serve, connect: Connect) -> None:
    far = served("alice")
    alice, bob = connect(far), connect(served("bob"))
    x, y = torch.tensor([1.0]).send(bob).send(alice), torch.tensor([2.0]).send(bob)
    assert alice.objects_count_remote() == 1
    far.stop()
    del x
    assert y.get().tolist() == [2.0]
    with pytest.raises(ConnectionLost):
        alice.sync()


def test_workers_that_know_each_other_do_not_wait_for_each_other_in_a_circle(served: Serve, connect: Connect) -> None:
    alice, bob = connect(served("alice"), timeout=20), connect(served("bob"), timeout=20)
    x = torch.tensor([1.0, 2.0]).send(bob).send(alice).send(bob)
    assert (alice.objects_count_remote(), bob.objects_count_remote()) == (1, 2)
    for _ in range(5):
        assert (x + x - x).get().get().get().tolist() == [1.0, 2.0]
    del x
    until(lambda: (alice.objects_count_remote(), bob.objects_count_remote()) == (0, 0))
