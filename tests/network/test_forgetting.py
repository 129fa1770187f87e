"""Objects that nobody points to are gone before the worker deals with the next message."""

from __future__ import annotations

import threading
from typing import Any

import pytest
import torch

from syft.workers.forgetting import Forgetting
from tests.network.conftest import Connect, Serve


def objects_after_deleting(served: Serve, connect: Connect, monkeypatch: pytest.MonkeyPatch) -> int:
    """Count objects while the link's thread has taken the id of a deleted one and not sent it yet."""
    bob = connect(served())
    x = torch.ones(2).send(bob)
    assert bob.objects_count_remote() == 1
    taken, go_on = threading.Event(), threading.Event()
    take = bob._take_forgotten

    def slow() -> Any:
        ids = take()
        if ids and threading.current_thread().name.startswith("syft-link"):
            taken.set()
            go_on.wait(30)
        return ids

    monkeypatch.setattr(bob, "_take_forgotten", slow)
    del x
    assert taken.wait(30), "the link's thread tells it when nobody else does"
    threading.Timer(0.3, go_on.set).start()
    return bob.objects_count_remote()


def test_what_another_thread_is_about_to_tell_comes_first(
    served: Serve, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert objects_after_deleting(served, connect, monkeypatch) == 0


def test_control_without_waiting_the_object_is_still_there(
    served: Serve, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Forgetting, "_wait_until_told", lambda worker: None)
    assert objects_after_deleting(served, connect, monkeypatch) == 1


def test_what_the_links_thread_has_told_one_worker_is_done_before_another_is_asked(
    served: Serve, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    alice, bob = connect(served("alice")), connect(served("bob"))
    x = torch.ones(2).send(bob).send(alice)
    assert (alice.objects_count_remote(), bob.objects_count_remote()) == (1, 1)
    told = threading.Event()
    send = alice._send_forgotten

    def seen(**how: Any) -> None:
        send(**how)
        if not how.get("wait", True):
            told.set()

    monkeypatch.setattr(alice, "_send_forgotten", seen)
    dealt = alice._dealt
    del x
    assert told.wait(30), "the link's thread tells it when nobody else does"
    assert alice._posts > dealt, "so that whoever asks bob waits for alice first"
    assert bob.objects_count_remote() == 0
