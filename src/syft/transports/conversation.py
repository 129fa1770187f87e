"""`Conversation`: a client's connection once it was let in. It runs in the network's thread, without tasks of its own.

What arrives goes on to the channel from within the callback of the socket, and what the channel has to send is written
in the next callback at the latest: a short question costs no more than two of them.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Callable

from websockets.asyncio.server import ServerConnection
from websockets.frames import DATA_OPCODES, Frame, Opcode
from websockets.protocol import Event, State

from syft.exceptions import LimitExceededError, SyftError
from syft.transports.channel import Channel
from syft.transports.frames import FrameReader, head
from syft.transports.stream import MAX_FRAME, Buffer

logger = logging.getLogger("syft.transports")

_LONGEST_REASON = 123  # bytes that fit into a closing frame
_MOST_UNREAD = 4 * MAX_FRAME  # bytes that wait to be written: answers to heartbeats have no other bound


class Connection(ServerConnection):
    """A connection that knows when it last heard of its client, heartbeats included, and hands on what arrives.

    Attributes:
        heard: when something arrived.
        sink: gets each message; while it is None they wait for `recv`.
        writable: called when what waits to be written has become less.
    """

    heard = 0.0
    sink: Callable[[bytes | bytearray], None] | None = None
    writable: Callable[[], None] | None = None
    _pieces: bytearray | None = None
    _reader: FrameReader | None = None

    def data_received(self, data: bytes) -> None:
        self.heard = time.monotonic()
        if self.transport.get_write_buffer_size() > _MOST_UNREAD:
            self.transport.abort()  # the client asks for signs of life and does not read them
            return
        if self._reader is None:
            if self.protocol.state is State.CONNECTING:
                super().data_received(data)
                return
            # The client's first message comes after the worker's: this begins with a frame.
            self._reader = FrameReader(super().data_received, MAX_FRAME, masked=True)
        for message in self._reader.feed(data):
            if self.sink is None:
                super().process_event(Frame(Opcode.BINARY, message))
            else:
                self.sink(message)

    def process_event(self, event: Event) -> None:
        """Hand on what arrived."""
        sink = self.sink
        if sink is None or not isinstance(event, Frame) or event.opcode not in DATA_OPCODES:
            super().process_event(event)
            return
        if event.fin and self._pieces is None:
            sink(event.data)  # type: ignore[arg-type]
            return
        # A proxy may have cut it; the library has checked that the whole is not too long.
        if self._pieces is None:
            self._pieces = bytearray()
        self._pieces += event.data  # in place: there may be many pieces, of no length at all
        if event.fin:
            whole, self._pieces = self._pieces, None
            sink(whole)

    def resume_writing(self) -> None:
        super().resume_writing()
        if self.writable is not None:
            self.writable()

    def write(self, parts: list[Buffer]) -> None:
        """Write one binary message, which is copied once."""
        self.transport.write(b"".join([head(sum([len(part) for part in parts])), *parts]))


class Conversation:
    """Passes messages between a connection and a channel, until one of them ends.

    Args:
        connection: of the client.
        channel: of its session.
        name: of the worker, for the log.
    """

    def __init__(self, connection: Connection, channel: Channel, name: str) -> None:
        self.connection, self.channel, self._name = connection, channel, name
        self._loop = asyncio.get_running_loop()
        self._told = self._paused = False
        self._closing: asyncio.Task[None] | None = None
        self.notify = self._notify  # one object: the channel knows its connection by it

    def begin(self) -> None:
        """Pass on what arrives from now on, and send what there is."""
        self.connection.sink, self.connection.writable = self._received, self.flush
        self.flush()

    def _notify(self) -> None:
        # There is something to send, or room for more; from any thread.
        if not self._told:
            self._told = True
            with contextlib.suppress(RuntimeError):  # the loop is closed: the worker stops
                self._loop.call_soon_threadsafe(self.flush)

    def flush(self) -> None:
        """Send what there is, as far as the operating system takes it."""
        self._told = False
        connection, channel = self.connection, self.channel
        if not channel.serves(self.notify):
            connection.transport.abort()  # the client came back over another connection
            return
        stream = channel.stream
        while not (connection.paused or connection.transport.is_closing()) and connection.protocol.state is State.OPEN:
            parts = stream.take(acknowledge=True)
            if parts is None:
                break
            connection.write(parts)
        if channel.ended is not None:  # who waits for an answer would wait for ever
            self._close(1008, channel.ended)
        elif self._paused and not channel.crowded:
            self._paused = False
            connection.transport.resume_reading()

    def _received(self, data: bytes | bytearray) -> None:
        channel = self.channel
        if not channel.serves(self.notify):
            return
        try:
            parcels = channel.stream.receive(data)
        except LimitExceededError as error:
            self._close(1009, str(error))
        except SyftError as error:
            logger.warning("a client of worker %r broke the protocol: %s", self._name, str(error))
            self._close(1002, str(error))
        else:
            channel.go_on()
            if parcels and channel.deliver(parcels):
                self.flush()
            if channel.crowded and not self._paused:
                self._paused = True
                self.connection.transport.pause_reading()

    def _close(self, code: int, reason: str) -> None:
        self.end()
        said = reason.encode()[:_LONGEST_REASON].decode(errors="ignore")
        self._closing = self._closing or self._loop.create_task(self.connection.close(code, said))

    def end(self) -> None:
        """Pass nothing on any more."""
        self.connection.sink = _drop
        self.connection.writable = None


def _drop(data: bytes | bytearray) -> None:
    pass
