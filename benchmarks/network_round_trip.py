"""A synchronous round trip over a connection, against raw websocket ping-pong.

Ours: the shape of a remote tensor that is not known here, which the worker is asked for and describes.
The limit: messages of the same lengths to and fro, sent by whichever of the library's clients is faster and answered by
its asyncio server.
"""

from __future__ import annotations

import torch

import syft as sy
from benchmarks.measure import alternate, spread
from benchmarks.raw_websockets import AsyncioClient, RawServer, SyncClient
from benchmarks.row import Row
from benchmarks.served_worker import ServedWorker


def run(hook: sy.TorchHook, *, quick: bool) -> list[Row]:
    """Measure, after finding the faster client."""
    trips, pairs = (100, 20) if quick else (200, 100)
    with ServedWorker() as served, RawServer() as raw:
        bob = sy.WebsocketClientWorker(hook, "127.0.0.1", served.port, auto_add=False)
        pointer = torch.ones(5).send(bob).child
        pointer.forget_info()
        before = bob.traffic.total
        _ = pointer.shape
        after = bob.traffic.total
        question, answer = after.bytes_out - before.bytes_out, after.bytes_in - before.bytes_in

        def ours() -> None:
            for _ in range(trips):
                pointer.forget_info()
                _ = pointer.shape

        clients = {"sync": SyncClient(raw, "echo"), "asyncio": AsyncioClient(raw, "echo")}
        for client in clients.values():
            client.send(str(answer).encode())
        message = bytes(question)
        race = alternate(
            lambda: clients["sync"].ping_pong(message, trips),
            lambda: clients["asyncio"].ping_pong(message, trips),
            pairs=20,
        )
        faster = "sync" if spread(race.ours).median < spread(race.plain).median else "asyncio"
        result = alternate(ours, lambda: clients[faster].ping_pong(message, trips), pairs=pairs)
        bob.close(end=True)
        for client in clients.values():
            client.close()
    ratio = result.ratio()
    microseconds = [spread(side).median / trips * 1e6 for side in (result.ours, result.plain)]
    return [
        Row(
            name="asking a remote shape over a websocket / raw ping-pong",
            value=ratio.median,
            unit="x",
            target=1.5,
            spread=str(ratio),
            note=f"{microseconds[0]:.0f} µs against {microseconds[1]:.0f} µs ({faster} client); "
            f"{question} bytes out, {answer} back",
            samples={"ours_seconds": result.ours, "limit_seconds": result.plain, "trips": trips},
        )
    ]
