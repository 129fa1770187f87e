"""A proxy that delivers every byte a fixed time later, in both directions, as a long cable would.

`python -m benchmarks.delaying_proxy PORT SECONDS` forwards to a port of this machine. What arrives is read at once and
written when its time has come, so that the time does not depend on how much is on its way.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import sys

from benchmarks.served_worker import OtherProcess

_CHUNK = 1 << 20


async def _carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, delay: float) -> None:
    loop = asyncio.get_running_loop()
    travelling: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue()

    async def deliver() -> None:
        while True:
            due, data = await travelling.get()
            await asyncio.sleep(due - loop.time())
            if not data:
                writer.close()
                return
            writer.write(data)

    delivering = loop.create_task(deliver())
    with contextlib.suppress(ConnectionError):
        while data := await reader.read(_CHUNK):
            travelling.put_nowait((loop.time() + delay, data))
    travelling.put_nowait((loop.time() + delay, b""))
    await delivering


async def _serve(port: int, delay: float) -> None:
    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        far_reader, far_writer = await asyncio.open_connection("127.0.0.1", port, limit=_CHUNK)
        for end in (writer, far_writer):
            end.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        await asyncio.gather(_carry(reader, far_writer, delay), _carry(far_reader, writer, delay))

    server = await asyncio.start_server(connected, "127.0.0.1", 0, limit=_CHUNK)
    sys.stdout.write(f"delaying proxy at ws://127.0.0.1:{server.sockets[0].getsockname()[1]}\n")
    sys.stdout.flush()
    await server.serve_forever()


class DelayingProxy(OtherProcess):
    """The proxy in a process of its own.

    Args:
        port: Where to forward to.
        delay: Seconds each way.
    """

    def __init__(self, port: int, delay: float) -> None:
        super().__init__((sys.executable, "-m", "benchmarks.delaying_proxy"), str(port), str(delay))


if __name__ == "__main__":
    asyncio.run(_serve(int(sys.argv[1]), float(sys.argv[2])))
