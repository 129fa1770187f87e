"""`Listener`: the worker's end of connections: sockets, handshakes, signs of life. It does not know what is said."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import ssl
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.exceptions import ConnectionClosed

from syft.exceptions import AuthenticationError, DecodeError, LimitExceededError, UsageError
from syft.transports import handshake
from syft.transports.channel import Channel
from syft.transports.conversation import Connection, Conversation
from syft.transports.stream import MAX_FRAME
from syft.transports.tls import user_of
from syft.transports.wire import GOOD_BYE, SUBPROTOCOL

logger = logging.getLogger("syft.transports")

_HANDSHAKE_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class Admission:
    """What a client was granted: its channel, and what it is told."""

    channel: Channel
    welcome: handshake.Welcome


class Gate(Protocol):
    """Who decides about clients."""

    anonymous: bool
    name: str

    def admit(
        self, challenge: handshake.Challenge, answer: handshake.Answer, certified: str | None, peer: str
    ) -> Admission:
        """Let a client in, or raise `AuthenticationError`."""

    def left(self, channel: Channel, for_good: bool) -> None:
        """A client's connection is gone."""

    def tick(self) -> None:
        """Called about once a second."""


class Listener:
    """Accepts connections in a thread of its own.

    Args:
        gate: lets clients in.
        host: address to bind.
        port: port to bind; 0 takes a free one.
        tls: certificates; None without encryption.
        keepalive: seconds after which a silent client is given up, times two.
        max_connections: connections at a time.
    """

    def __init__(
        self,
        gate: Gate,
        host: str,
        port: int,
        tls: ssl.SSLContext | None = None,
        keepalive: float = 10.0,
        max_connections: int = 1024,
    ) -> None:
        self.gate, self.host, self.port, self.tls = gate, host, port, tls
        self.keepalive, self.max_connections = keepalive, max_connections
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._stop: asyncio.Event | None = None
        self._connections: set[Connection] = set()

    def start(self) -> None:
        """Bind and serve; returns when connections are accepted.

        Raises:
            UsageError: the address cannot be bound.
        """
        ready: list[Exception | None] = []
        started = threading.Event()

        def tell(error: Exception | None) -> None:
            ready.append(error)
            started.set()

        def run() -> None:
            with asyncio.Runner() as runner:
                try:
                    runner.run(self._serve(tell))
                except Exception:
                    logger.exception("the network thread of worker %r failed", self.gate.name)
                finally:
                    started.set()

        self._thread = threading.Thread(target=run, name=f"syft-listener-{self.gate.name}", daemon=True)
        self._thread.start()
        started.wait()
        if ready and ready[0] is not None:
            error = ready[0]
            raise UsageError(f"worker {self.gate.name!r} cannot listen at {self.host}:{self.port}: {error}") from error

    def stop(self, timeout: float = 10.0) -> None:
        """Close all connections and the port."""
        if self._loop is not None and self._stop is not None:
            with contextlib.suppress(RuntimeError):
                self._loop.call_soon_threadsafe(self._stop.set)
        if self._thread is not None and self._thread is not threading.current_thread():
            self._thread.join(timeout)

    async def _serve(self, ready: Callable[[Exception | None], Any]) -> None:
        self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
        try:
            server = await serve(
                self._connection,
                self.host,
                self.port,
                ssl=self.tls,
                subprotocols=[SUBPROTOCOL],
                create_connection=Connection,
                compression=None,
                max_size=MAX_FRAME,
                max_queue=4,
                ping_interval=None,
                close_timeout=2,
                open_timeout=_HANDSHAKE_SECONDS,
                server_header=None,
                logger=logging.getLogger("syft.transports.websockets"),
            )
        except OSError as error:
            ready(error)
            return
        self.port = next(iter(server.sockets)).getsockname()[1]
        ready(None)
        async with server:
            await self._until_stopped(server)

    async def _until_stopped(self, server: Server) -> None:
        stop = self._stop
        while stop is not None and not stop.is_set():
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), 1.0)
            self.gate.tick()
            silent = time.monotonic() - 2 * self.keepalive
            for connection in list(self._connections):
                if connection.heard < silent:
                    connection.transport.abort()
        server.close()

    async def _connection(self, connection: ServerConnection) -> None:
        if not isinstance(connection, Connection):
            return
        if len(self._connections) >= self.max_connections:
            await connection.close(1013, "the worker has as many clients as it takes; try again later")
            return
        self._connections.add(connection)
        try:
            admission = await self._handshake(connection)
            if admission is not None:
                await self._converse(connection, admission)
        except ConnectionClosed:
            pass
        except DecodeError as error:
            logger.warning("a client of worker %r broke the protocol: %s", self.gate.name, str(error))
            await connection.close(1002, "this session cannot go on like this")
        finally:
            self._connections.discard(connection)

    async def _handshake(self, connection: Connection) -> Admission | None:
        challenge = handshake.Challenge.make(self.gate.name, self.gate.anonymous)
        await connection.send(challenge.pack())
        peer = str((connection.remote_address or ("?",))[0])
        try:
            async with asyncio.timeout(_HANDSHAKE_SECONDS):
                data = await connection.recv()
            if not isinstance(data, bytes):
                raise DecodeError("an answer is binary")
            answer = handshake.Answer.unpack(data)
            tls = connection.transport.get_extra_info("ssl_object")
            return self.gate.admit(challenge, answer, None if tls is None else user_of(tls), peer)
        except (AuthenticationError, DecodeError, LimitExceededError) as error:
            await connection.send(handshake.refusal(str(error)))
            await connection.close(1008, "refused")
        except TimeoutError:
            await connection.close(1008, "no answer to the challenge")
        return None

    async def _converse(self, connection: Connection, admission: Admission) -> None:
        channel, welcome = admission.channel, admission.welcome
        conversation = Conversation(connection, channel, self.gate.name)
        channel.attach(conversation.notify, None if welcome.received == handshake.FRESH else welcome.received)
        try:
            received = channel.stream.received
            await connection.send(_with_received(welcome, received).pack())
            conversation.begin()
            await connection.wait_closed()
        finally:
            conversation.end()
            channel.detach(conversation.notify)
            self.gate.left(channel, connection.close_code == GOOD_BYE or channel.ended is not None)


def _with_received(welcome: handshake.Welcome, received: int) -> handshake.Welcome:
    return handshake.Welcome(
        welcome.session,
        welcome.secret,
        welcome.resumed,
        received,
        welcome.keepalive,
        welcome.lease,
        welcome.max_parcel,
        welcome.window,
        welcome.reached_at,
    )
