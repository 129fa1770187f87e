"""Clients that were let in and send what costs the worker more than them."""

from __future__ import annotations

import socket
import time

import pytest
from websockets.frames import Frame, Opcode

import syft as sy
from syft.transports import handshake
from syft.transports.addresses import Address
from syft.transports.conversation import Connection
from syft.transports.wire import Wire
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
