"""Clients that were let in and send, or ask for, more than is good for the worker or for them."""

from __future__ import annotations

import asyncio
import socket
import time
from typing import Any

import pytest
import torch
from websockets.frames import Frame, Opcode

import syft as sy
from syft.core import messages as m
from syft.transports import handshake
from syft.transports.addresses import Address
from syft.transports.conversation import Connection
from syft.transports.wire import Wire
from syft.workers.limits import WorkerLimits
from tests.network.conftest import Connect, Serve

MIB = 1 << 20
PING = b"\x89\xfd" + bytes(4) + bytes(125)


def admitted(worker: sy.WebsocketServerWorker) -> Wire:
    """A connection whose handshake is over."""
    until = time.monotonic() + 10
    wire = Wire(Address("127.0.0.1", worker.port, False), None, 10)
    challenge = handshake.Challenge.unpack(bytes(wire.receive_one(until)))
    answer = handshake.answer(challenge, None, bytes(32), None, handshake.NO_SESSION, b"", handshake.FRESH)
    wire.send(answer.pack())
    handshake.Welcome.unpack(bytes(wire.receive_one(until)))
    return wire


def test_who_asks_for_signs_of_life_without_reading_them_is_cut_off(served: Serve, connect: Connect) -> None:
    worker = served()
    wire = admitted(worker)
    raw = socket.socket(fileno=wire._socket.detach())
    flood = memoryview(PING * (48 * MIB // len(PING)))
    raw.settimeout(30)
    with raw, pytest.raises(OSError, match=r"reset|pipe"):
        raw.sendall(flood)
    assert connect(worker).objects_count_remote() == 0


def test_pieces_of_a_message_are_not_copied_with_each_that_comes() -> None:
    connection, got = Connection.__new__(Connection), list[bytes | bytearray]()
    connection.sink = got.append
    connection.process_event(Frame(Opcode.BINARY, b"one", fin=False))
    first = connection._pieces
    connection.process_event(Frame(Opcode.CONT, b"", fin=False))
    assert connection._pieces is first
    connection.process_event(Frame(Opcode.CONT, b" two", fin=True))
    assert got == [b"one two"]
    connection.process_event(Frame(Opcode.BINARY, b"three"))
    assert got[1:] == [b"three"]


def test_whoever_asks_for_more_than_the_window_at_once_gets_all_of_it(served: Serve, connect: Connect) -> None:
    bob = connect(served(limits=WorkerLimits(window=MIB)))
    pointers = [torch.full((10_000,), float(n)).send(bob) for n in range(100)]
    questions = [m.Take((m.Ref(pointer.id_at_location),), keep=True) for pointer in pointers]  # nothing is sent after

    async def fetch() -> list[Any]:
        return await asyncio.wait_for(asyncio.gather(*map(bob.async_request, questions)), 20)

    assert [float(value[0]) for (value,) in asyncio.run(fetch())] == list(range(100))
