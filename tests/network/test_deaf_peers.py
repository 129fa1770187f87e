"""Workers that a served worker was told to meet, and that take nothing of what it sends, alive as they are."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest
import torch
from websockets.exceptions import ConnectionClosed
from websockets.sync.server import ServerConnection, serve

from syft.core import messages as m
from syft.exceptions import SyftError
from syft.transports import handshake
from syft.transports.wire import SUBPROTOCOL
from tests.network.conftest import Connect, Serve

WINDOW = 1 << 25


@pytest.fixture
def deaf() -> Iterator[int]:
    """The port of a worker that lets everybody in, gives signs of life, and reads nothing."""
    over = threading.Event()

    def talk(connection: ServerConnection) -> None:
        connection.send(handshake.Challenge.make("deaf", True).pack())
        connection.recv()
        welcome = handshake.Welcome(bytes(16), bytes(32), False, 0, 10.0, 60.0, 1 << 30, WINDOW)
        connection.send(welcome.pack())
        try:
            while not over.wait(0.2):
                connection.ping()
        except ConnectionClosed:
            pass

    with serve(
        talk, "127.0.0.1", 0, subprotocols=[SUBPROTOCOL], compression=None, max_size=None, ping_interval=None,
        close_timeout=0.1,
    ) as server:  # fmt: skip
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server.socket.getsockname()[1]
        over.set()
        server.shutdown()
        thread.join()


def test_a_client_that_leaves_a_peer_that_takes_nothing_holds_nobody_up(
    served: Serve, connect: Connect, deaf: int
) -> None:
    worker = served()
    leaving = connect(worker)
    ((session, _),) = worker.sessions.rows()
    session.meet("deaf", f"ws://127.0.0.1:{deaf}", bytes(48))
    peer = session._peer("deaf")
    raised: list[BaseException] = []

    def send() -> None:
        try:
            peer.request(m.Put(((1, torch.zeros(1 << 24)),)))
        except SyftError as error:
            raised.append(error)

    sending = threading.Thread(target=send, daemon=True)
    sending.start()
    while peer._link.moved < 1 << 20:
        sending.join(0.01)
    leaving.close(end=True)
    assert connect(worker).objects_count_remote() == 0, "the network's thread waits for the peer"
    sending.join(20)
    assert not sending.is_alive() and raised, "whoever sends to the peer is not told"
