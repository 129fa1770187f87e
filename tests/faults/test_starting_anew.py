"""A client that comes back while its worker is still busy with what it sent before."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

import pytest
import torch

from syft.exceptions import ConnectionLost
from tests.faults.conftest import Connect, Serve
from tests.faults.proxy import Proxy


def test_answers_to_a_lost_connection_do_not_reach_the_next_one(
    served: Serve, connect: Connect, proxied: Callable[[int], Proxy]
) -> None:
    proxy = proxied(served().port)
    bob = connect(proxy.port, reconnect=0.0)
    slow = torch.randn(1100, 1100).send(bob)
    small = torch.arange(3.0).send(bob)
    bob.sync()
    for _ in range(8):
        slow = slow @ slow

    lost: list[BaseException] = []

    def ask(what: int) -> None:
        try:
            (small + what).get()
        except ConnectionLost as error:
            lost.append(error)

    askers = [threading.Thread(target=ask, args=(10 * n,)) for n in range(1, 6)]
    for asker in askers:
        asker.start()
    time.sleep(0.1)  # the questions wait on the worker, behind what is slow
    proxy.cut()
    for asker in askers:
        asker.join(20)
    assert len(lost) == 5
    assert bob.connect() is True
    for n in range(20):
        assert (small * n).get().tolist() == [0, n, 2 * n], "the answer to this question, and to no earlier one"
    assert bob.connected


def test_what_was_sent_before_is_carried_out_once(
    served: Serve, connect: Connect, proxied: Callable[[int], Proxy]
) -> None:
    proxy = proxied(served().port)
    bob = connect(proxy.port, reconnect=0.0)
    counter = torch.zeros(1).send(bob)
    slow = torch.randn(900, 900).send(bob)
    bob.sync()
    for _ in range(4):
        slow = slow @ slow
    for _ in range(50):
        counter.add_(1)
    bob._link._flush()
    time.sleep(0.05)
    proxy.cut()
    with pytest.raises(ConnectionLost):
        bob.sync()
    assert bob.connect() is True
    for _ in range(50):
        counter.add_(1)
    value = counter.copy().get().item()
    assert 50 <= value <= 100
    assert counter.copy().get().item() == value
