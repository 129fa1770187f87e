"""Another process at the same address, sessions that end, and what a store keeps over a kill."""

from __future__ import annotations

import os
import random
import threading
import time
from typing import Any

import pytest
import torch

import syft as sy
from syft.core.messages import Ref, Search, Take
from syft.exceptions import ConnectionLost, ObjectNotFoundError, SessionLost
from syft.workers.session import Session
from tests.faults.conftest import Connect, Serve, Start
from tests.faults.processes import WorkerProcess


def test_after_a_restart_there_is_a_new_session_and_nothing_stale(start: Start, connect: Connect) -> None:
    first = start()
    bob = connect(first.port)
    x = torch.arange(3.0).send(bob)
    assert (x + 1).get().tolist() == [1, 2, 3]
    first.kill()
    first.close()
    second = start(port=first.port)
    assert second.port == first.port
    for _ in range(2):
        with pytest.raises(ConnectionLost, match=r"connect\(\)"):
            x.copy().get()
    assert bob.connect() is False, "the worker does not know the session"
    with pytest.raises(ObjectNotFoundError):
        x.copy().get()
    y = torch.ones(2).send(bob)
    assert (y + 1).get().tolist() == [2, 2]
    assert bob.objects_count_remote() == 1


def test_a_restart_while_the_client_connects_anew_is_said(start: Start, connect: Connect) -> None:
    first = start()
    bob = connect(first.port, reconnect=30.0)
    x = torch.arange(3.0).send(bob)
    bob.sync()
    first.kill()
    first.close()
    assert start(port=first.port).port == first.port
    with pytest.raises(SessionLost, match="restarted"):
        x.get()
    with pytest.raises(SessionLost):
        torch.ones(1).send(bob)
    assert bob.connect() is False
    with pytest.raises(ObjectNotFoundError):
        x.get()


def test_a_worker_meets_a_restarted_one_again(start: Start, connect: Connect, me: Any) -> None:
    first, second = start(), start(id="alice")
    known = dict(me._known_workers)
    try:
        bob, alice = connect(first.port, auto_add=True), connect(second.port, auto_add=True)
        assert torch.arange(3.0).send(bob).move(alice).get().tolist() == [0, 1, 2]
        second.kill()
        second.close()
        assert start(port=second.port, id="alice").port == second.port
        with pytest.raises(ConnectionLost):
            alice.sync()
        assert alice.connect() is False
        assert torch.arange(4.0).send(bob).move(alice).get().tolist() == [0, 1, 2, 3]
    finally:
        me._known_workers.clear()
        me._known_workers.update(known)


def test_a_session_that_fails_tells_its_client(
    served: Serve, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    bob = connect(served().port)
    x = torch.ones(2).send(bob)
    bob.sync()

    def fail(self: Session, parcel: Any) -> None:
        raise RuntimeError("of no message's making")

    with monkeypatch.context() as patch:
        patch.setattr(Session, "_handled", fail)
        with pytest.raises(ConnectionLost, match="session failed"):
            x.get()
    assert bob.connect() is False
    assert torch.ones(2).send(bob).get().tolist() == [1, 1]


def test_a_worker_whose_invitation_ended_is_told(served: Serve, connect: Connect, me: Any) -> None:
    known = dict(me._known_workers)
    try:
        bob, alice = connect(served().port, auto_add=True), connect(served("alice").port, auto_add=True)
        x = torch.ones(2).send(bob)
        there = torch.arange(3.0).send(alice).send(bob)
        bob.sync()
        alice.close(end=True)  # bob was let into this session
        del there
        for n in range(3):
            assert (x + n).get().tolist() == [1 + n, 1 + n]
    finally:
        me._known_workers.clear()
        me._known_workers.update(known)


# --- a store -----------------------------------------------------------------------------------------


def value_of(number: int) -> torch.Tensor:
    """What is kept under a number."""
    return torch.full((1 + number % 2000,), float(number))


def publish_until_killed(bob: sy.WebsocketClientWorker, begin: int, process: WorkerProcess) -> tuple[int, int]:
    """Leave objects there until the worker is killed: how far they were acknowledged, and sent."""
    timer = threading.Timer(random.uniform(0.05, 0.6), process.kill)
    timer.start()
    acknowledged = number = begin
    try:
        while True:
            burst = random.randrange(1, 5)
            for number in range(acknowledged, acknowledged + burst):
                value_of(number).tag(f"#n{number}").send(bob, garbage_collect_data=False)
            bob.sync()
            acknowledged += burst
    except ConnectionLost:
        return acknowledged, number + 1
    finally:
        timer.join()


def check_kept(bob: sy.WebsocketClientWorker, acknowledged: int, sent: int) -> int:
    """All that was acknowledged is there, and nothing is wrong; how many objects there are."""
    found: dict[int, Any] = {}
    for hit in bob.request(Search(())):
        (tag,) = hit.tags
        found[int(tag[2:])] = hit.id
    for number, id in found.items():
        assert number < sent, "nobody sent it"
        (value,) = bob.request(Take((Ref(id),), keep=True))
        assert torch.equal(value, value_of(number)), number
    lost = sorted(set(range(acknowledged)) - found.keys())
    assert not lost, f"{len(lost)} acknowledged objects are lost: {lost[:10]}"
    assert sorted(found) == list(range(len(found))), "in order"
    return len(found)


def kill_repeatedly(start: Start, hook: sy.TorchHook, times: int) -> int:
    """Restart a worker with a store so often, each time killed while it writes; how many objects there are."""
    kept = acknowledged = sent = 0
    for number in range(times + 1):
        process = start("--store", "sqlite:///bob.db")
        bob = sy.WebsocketClientWorker(hook, "127.0.0.1", process.port, auto_add=False)
        try:
            kept = check_kept(bob, acknowledged, sent)
            if number < times:
                acknowledged, sent = publish_until_killed(bob, kept, process)
        finally:
            bob.close(end=True)
            process.close()
    return kept


def test_a_kill_loses_nothing_that_was_acknowledged(start: Start, hook: sy.TorchHook) -> None:
    assert kill_repeatedly(start, hook, 3) > 0


@pytest.mark.soak
@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_many_kills_lose_nothing_that_was_acknowledged(start: Start, hook: sy.TorchHook) -> None:
    times = int(os.environ.get("SYFT_STORE_KILLS", "25"))
    began = time.monotonic()
    kept = kill_repeatedly(start, hook, times)
    print(f"\n{times} kills while writing, {kept} objects kept, 0 acknowledged lost, {time.monotonic() - began:.0f} s")


def test_control_a_lost_object_is_noticed(start: Start, connect: Connect) -> None:
    bob = connect(start("--store", "sqlite:///bob.db").port)
    sent = [value_of(n).tag(f"#n{n}").send(bob, garbage_collect_data=False) for n in range(4)]
    bob.sync()
    assert check_kept(bob, 4, 4) == 4
    sent[2].get()
    with pytest.raises(AssertionError, match="lost"):
        check_kept(bob, 4, 4)
