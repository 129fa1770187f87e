"""Clients of a served worker that send any bytes: over a link that keeps sessions, or over a bare websocket."""

from __future__ import annotations

import ssl
import struct
from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from websockets.sync.client import ClientConnection
from websockets.sync.client import connect as open_websocket

from syft.core.messages import Call, Command, Ref, Take
from syft.serde import decode, encode
from syft.transports import handshake
from syft.transports.addresses import Address
from syft.transports.link import Link
from syft.transports.settings import Settings
from syft.transports.stream import REQUEST
from syft.transports.tokens import Token
from syft.transports.wire import SUBPROTOCOL

SECONDS = 30.0


class Far:
    """A served worker as `Stranger` takes it: bytes in, bytes out, over a real connection.

    Args:
        port: of the worker, on loopback.
        token: who the client is.
        tls: verifies the worker.
        invitation: lets into a session of someone else.
        host: the worker's address.
    """

    def __init__(
        self,
        port: int,
        token: Token | str | None = None,
        tls: ssl.SSLContext | None = None,
        invitation: bytes | None = None,
        host: str = "localhost",
    ) -> None:
        token = Token.parse(token) if isinstance(token, str) else token
        self.link = Link(Settings(Address(host, port, tls is not None), tls, token, invitation), _nothing)
        self.link.connect()

    def recv_msg(self, binary: bytes) -> bytes:
        """Send bytes; the answer, as bytes."""
        return b"".join(self.link.request([binary], SECONDS))

    def ask(self, message: Any) -> Any:
        """Send a message; the answer, decoded where no worker is known."""
        return decode(self.recv_msg(encode(message)), None)

    def run(self, op: str, *args: Any, result: Any = None, **kwargs: Any) -> Any:
        """Send a `Command`."""
        return self.ask(Command(op, args, kwargs, result))

    def call(self, service: str, method: str, *args: Any, **kwargs: Any) -> Any:
        """Call a service."""
        return self.ask(Call(Ref(f"service:{service}"), args, kwargs, None, method))

    def take(self, id: Any, user: Any = None, reason: str = "", keep: bool = True) -> Any:
        """Ask for an object; the object, or the `Failure`."""
        reply = self.ask(Take((Ref(id),), user, reason, keep))
        return reply[0] if isinstance(reply, list) else reply

    def ask_many(self, messages: Iterable[Any]) -> list[Any]:
        """Send messages without waiting in between; their answers, in order."""
        begun = [self.link.begin([encode(message)])[1] for message in messages]
        for answered in begun:
            assert answered.wait(SECONDS), "no answer"
        return [decode(b"".join(answered.result()), None) for answered in begun]

    def close(self) -> None:
        """Leave for good."""
        self.link.close(end=True)


def _nothing() -> None:
    """What a link without pointers has to do when it is idle."""


class Bare:
    """A websocket to a worker, and nothing that happens by itself.

    Args:
        port: of the worker, on loopback.
        tls: verifies the worker.
        **settings: of the websocket.
    """

    def __init__(self, port: int, tls: ssl.SSLContext | None = None, **settings: Any) -> None:
        url = f"{'ws' if tls is None else 'wss'}://localhost:{port}"
        self._left = ExitStack()
        self.socket: ClientConnection = self._left.enter_context(
            open_websocket(
                url, subprotocols=[SUBPROTOCOL], compression=None, max_size=None, ssl=tls, open_timeout=SECONDS,
                close_timeout=1, **settings,
            )
        )  # fmt: skip
        self.challenge = handshake.Challenge.unpack(self.receive())
        self._number = 0

    def receive(self, timeout: float = SECONDS) -> bytes:
        """The next websocket message."""
        data = self.socket.recv(timeout)
        assert isinstance(data, bytes)
        return data

    def answer(
        self,
        token: Token | None = None,
        session: bytes = handshake.NO_SESSION,
        secret: bytes = b"",
        received: int = handshake.FRESH,
        invitation: bytes | None = None,
    ) -> bytes:
        """Answer the challenge; the bytes of the welcome or the refusal."""
        sign = None if token is None else token.sign
        public = bytes(32) if token is None else token.public
        made = handshake.answer(self.challenge, sign, public, invitation, session, secret, received)
        return self.say(made.pack())

    def say(self, data: bytes) -> bytes:
        """Send one websocket message; the next one that comes."""
        self.socket.send(data)
        return self.receive()

    def welcome(self, **how: Any) -> handshake.Welcome:
        """Answer the challenge and be let in."""
        return handshake.Welcome.unpack(self.answer(**how))

    def post(self, *messages: Any) -> None:
        """Send messages as parcels that want an answer; acknowledges nothing."""
        for message in messages:
            self._number += 1
            self.socket.send(parcel(self._number, encode(message)))

    def close(self) -> None:
        """Close the connection."""
        self._left.close()


def parcel(number: int, data: bytes, acknowledged: int = 0) -> bytes:
    """The websocket message with one parcel in it."""
    return struct.pack("<Q", acknowledged) + struct.pack("<BQQI", REQUEST, number, 0, len(data)) + data


def kinds(replies: Sequence[Any]) -> list[str]:
    """What the replies are: the kind of a failure, or the name of the type."""
    return [str(getattr(reply, "kind", type(reply).__name__)) for reply in replies]


def rss_mib(pid: int | str = "self") -> float:
    """The resident memory of a process, in MiB."""
    return int(Path(f"/proc/{pid}/statm").read_text("ascii").split()[1]) * 4096 / 2**20
