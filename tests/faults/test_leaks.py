"""What counts as left behind, and what does not."""

from __future__ import annotations

import socket
import threading

import pytest
import torch

import syft as sy
from tests.faults.conftest import Connect, Serve
from tests.faults.leaks import nothing_left


def test_control_a_thread_and_a_socket_are_noticed() -> None:
    go = threading.Event()
    thread = threading.Thread(target=go.wait, name="syft-left", daemon=True)
    with pytest.raises(AssertionError, match="syft-left"), nothing_left(0.1):
        thread.start()
    go.set()
    thread.join()
    ends: list[socket.socket] = []
    with pytest.raises(AssertionError, match="2 sockets"), nothing_left(0.1):
        ends.extend(socket.socketpair())
    for end in ends:
        end.close()


def test_control_a_client_that_was_not_closed_is_noticed(served: Serve, connect: Connect) -> None:
    worker = served()
    with pytest.raises(AssertionError, match="syft-link-bob"), nothing_left(0.3):
        connect(worker.port)


def test_what_is_closed_leaves_nothing(served: Serve, connect: Connect, hook: sy.TorchHook) -> None:
    worker = served()
    assert torch.ones(1).send(connect(worker.port)).get().item() == 1  # the worker's thread stays
    with nothing_left():
        for _ in range(3):
            bob = sy.WebsocketClientWorker(hook, "127.0.0.1", worker.port, auto_add=False)
            bob.sync()
            bob.close(end=True)
        del bob
