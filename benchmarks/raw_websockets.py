"""The limit: what the `websockets` library itself reaches between two processes, with nothing of ours.

`python -m benchmarks.raw_websockets` is the other process. Its asyncio server has three paths:

    /sink    unpacks each message with msgpack; answers once, to the last one
    /echo    sends an answer of a given length to each message
    /store   keeps messages as they are, and gives them back when asked

Both kinds of client the library has are offered, so that a benchmark can take the faster one as the limit.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Iterable
from typing import Any

import msgpack
import websockets.asyncio.client
import websockets.sync.client
from websockets.asyncio.server import ServerConnection, serve

from benchmarks.served_worker import OtherProcess

LAST = msgpack.packb("last")
KEPT, BACK = b"kept?", b"back!"
_PLAIN: dict[str, Any] = {"compression": None, "max_size": None, "ping_interval": None}


async def _sink(connection: ServerConnection) -> None:
    async for data in connection:
        unpacker = msgpack.Unpacker(max_buffer_size=0)
        unpacker.feed(data)
        for command in unpacker:
            if command == "last":
                await connection.send(b"done")


async def _sink_one(connection: ServerConnection) -> None:
    async for data in connection:
        if msgpack.unpackb(data) == "last":
            await connection.send(b"done")


async def _echo(connection: ServerConnection) -> None:
    answer = bytes(int(await connection.recv()))
    async for _ in connection:
        await connection.send(answer)


async def _store(connection: ServerConnection) -> None:
    kept = []
    async for data in connection:
        if data == KEPT:
            await connection.send(b"yes")
        elif data == BACK:
            while kept:
                await connection.send(kept.pop(0))
        else:
            kept.append(data)


async def _serve() -> None:
    paths = {"/sink": _sink_one, "/batches": _sink, "/echo": _echo, "/store": _store}

    async def connected(connection: ServerConnection) -> None:
        assert connection.request is not None
        await paths[connection.request.path](connection)

    async with serve(connected, "127.0.0.1", 0, **_PLAIN) as server:
        port = next(iter(server.sockets)).getsockname()[1]
        sys.stdout.write(f"raw websockets at ws://127.0.0.1:{port}\n")
        sys.stdout.flush()
        await asyncio.Future()


class RawServer(OtherProcess):
    """The other process."""

    def __init__(self) -> None:
        super().__init__((sys.executable, "-m", "benchmarks.raw_websockets"))

    def url(self, path: str) -> str:
        """Where a path is."""
        return f"ws://127.0.0.1:{self.port}/{path}"


class SyncClient:
    """The library's client for threads, connected to one path."""

    def __init__(self, server: RawServer, path: str) -> None:
        self.connection = websockets.sync.client.connect(server.url(path), **_PLAIN)

    def post(self, messages: Iterable[bytes], last: bytes) -> None:
        """Send messages without waiting, then the last one, and wait for its answer."""
        send = self.connection.send
        for message in messages:
            send(message)
        send(last)
        self.connection.recv()

    def ping_pong(self, message: bytes, times: int) -> None:
        """Send a message and wait for the answer, over and over."""
        for _ in range(times):
            self.connection.send(message)
            self.connection.recv()

    def send(self, message: bytes) -> None:
        """Send one message."""
        self.connection.send(message)

    def receive(self, count: int) -> list[Any]:
        """Wait for so many messages."""
        return [self.connection.recv() for _ in range(count)]

    def close(self) -> None:
        """Close the connection."""
        self.connection.close()


class AsyncioClient:
    """The library's asyncio client, connected to one path, in a loop that runs while it is used."""

    def __init__(self, server: RawServer, path: str) -> None:
        self._loop = asyncio.new_event_loop()
        self.connection = self._loop.run_until_complete(self._connect(server.url(path)))

    async def _connect(self, url: str) -> websockets.asyncio.client.ClientConnection:
        return await websockets.asyncio.client.connect(url, **_PLAIN)

    def post(self, messages: Iterable[bytes], last: bytes) -> None:
        """As `SyncClient.post`."""

        async def post() -> None:
            send = self.connection.send
            for message in messages:
                await send(message)
            await send(last)
            await self.connection.recv()

        self._loop.run_until_complete(post())

    def ping_pong(self, message: bytes, times: int) -> None:
        """As `SyncClient.ping_pong`."""

        async def play() -> None:
            for _ in range(times):
                await self.connection.send(message)
                await self.connection.recv()

        self._loop.run_until_complete(play())

    def send(self, message: bytes) -> None:
        """Send one message."""
        self._loop.run_until_complete(self.connection.send(message))

    def close(self) -> None:
        """Close the connection and the loop."""
        self._loop.run_until_complete(self.connection.close())
        self._loop.close()


if __name__ == "__main__":
    asyncio.run(_serve())
