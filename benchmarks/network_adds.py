"""Remote additions in a row over a connection, against msgpack and raw websocket frames.

Ours: `z = x + y` on pointers, so many times, then `sync()`, which waits until the worker has carried all of them out.
Each makes a pointer, an id, a command that is packed and sent; the worker checks it, adds, accounts for the result and
forgets the one before.

The limit: a client packs the same fields (the op's name, the ids, what to forget: as many bytes as our command) with
msgpack and sends each in a frame of its own, without making, checking or remembering anything. The server unpacks them
and carries out nothing; the last one is answered. The second limit gathers them into frames of 64 KiB as ours are.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import torch
from msgpack import Packer

import syft as sy
from benchmarks.measure import Alternation, alternate, spread
from benchmarks.raw_websockets import LAST, AsyncioClient, RawServer, SyncClient
from benchmarks.row import Row
from benchmarks.served_worker import ServedWorker
from syft.core.ids import new_id

_BATCH = 1 << 16


def commands(count: int) -> Iterator[bytes]:
    """What the limit sends for so many additions."""
    pack, x, y = Packer().pack, new_id(), new_id()
    ids = itertools.count(1 << 60)
    for _ in range(count):
        yield pack(["Tensor.add", next(ids), 1, 3, 1, next(ids), x, y])


def batches(count: int) -> Iterator[bytes]:
    """The same, many to a frame."""
    gathered, size = [], 0
    for command in commands(count):
        gathered.append(command)
        size += len(command)
        if size >= _BATCH:
            yield b"".join(gathered)
            gathered, size = [], 0
    yield b"".join(gathered)


def _row(name: str, result: Alternation, count: int, target: float | None, note: str) -> Row:
    ratio = spread([plain / ours for ours, plain in zip(result.ours, result.plain, strict=True)])
    rate, limit = (count / spread(side).median for side in (result.ours, result.plain))
    return Row(
        name=f"remote adds a second over a websocket / {name}",
        value=ratio.median,
        unit="x",
        target=target,
        at_least=True,
        reference="1 300 /s",
        spread=str(ratio),
        note=f"{rate:,.0f} /s against {limit:,.0f} /s; {note}",
        samples={"ours_seconds": result.ours, "limit_seconds": result.plain, "adds": count},
    )


def run(hook: sy.TorchHook, *, quick: bool) -> list[Row]:
    """Measure against both limits."""
    count, pairs = (5_000, 6) if quick else (20_000, 20)
    with ServedWorker() as served, RawServer() as raw:
        bob = sy.WebsocketClientWorker(hook, "127.0.0.1", served.port, auto_add=False)
        x, y = torch.tensor([1.0, 2, 3, 4, 5]).send(bob), torch.ones(5).send(bob)

        def ours() -> None:
            for _ in range(count):
                _ = x + y
            bob.sync()

        clients = {"sync": SyncClient(raw, "sink"), "asyncio": AsyncioClient(raw, "sink")}
        race = alternate(
            lambda: clients["sync"].post(commands(count), LAST),
            lambda: clients["asyncio"].post(commands(count), LAST),
            pairs=6 if quick else 12,
        )
        faster = "sync" if min(race.ours) < min(race.plain) else "asyncio"
        single = alternate(ours, lambda: clients[faster].post(commands(count), LAST), pairs=pairs)
        gathering = SyncClient(raw, "batches")
        batched = alternate(ours, lambda: gathering.post(batches(count), LAST), pairs=pairs)
        bob.close(end=True)
        for client in (*clients.values(), gathering):
            client.close()
    length = len(next(commands(1)))
    return [
        _row("msgpack + raw frames", single, count, 0.6, f"{length} bytes each, {faster} client"),
        _row("msgpack + raw frames of 64 KiB", batched, count, None, "sync client"),
    ]
