"""A tensor of 100 MB to a worker and back, against raw websocket messages, and the memory that it takes.

Ours: `pointer = tensor.send(bob)`, `pointer.get()`. The limit: the same bytes in messages of 1 MiB, as ours are cut,
which the other process keeps as they came and sends back; neither side puts them together again.
"""

from __future__ import annotations

import torch

import syft as sy
from benchmarks.fresh import run_fresh
from benchmarks.measure import alternate, spread
from benchmarks.raw_websockets import BACK, KEPT, RawServer, SyncClient
from benchmarks.row import Row
from benchmarks.served_worker import ServedWorker
from syft.transports.stream import PIECE

SIZE = 100 << 20

CHILD = """
import json, os, sys
import torch
import syft
from benchmarks.served_worker import forget_peak, resident
hook = syft.TorchHook(torch)
port, pid, size = map(int, sys.argv[1:])
bob = syft.WebsocketClientWorker(hook, "127.0.0.1", port)
torch.ones(1000).send(bob).get()
tensor = torch.randn(size // 4)
extra = {}
for process in (os.getpid(), pid):
    forget_peak(process)
before = [resident(os.getpid()), resident(pid)]
pointer = tensor.send(bob)
bob.sync()
extra["send"] = [resident(os.getpid(), peak=True) - before[0], resident(pid, peak=True) - before[1] - size]
for process in (os.getpid(), pid):
    forget_peak(process)
before = [resident(os.getpid()), resident(pid)]
back = pointer.get()
extra["get"] = [resident(os.getpid(), peak=True) - before[0] - size, resident(pid, peak=True) - before[1]]
assert torch.equal(back, tensor)
print(json.dumps(extra))
"""


def measure_throughput(hook: sy.TorchHook, *, quick: bool) -> Row:
    """Seconds there and back, as a ratio."""
    tensor = torch.randn(SIZE // 4)
    piece, count = bytes(tensor[: PIECE // 4].numpy().tobytes()), SIZE // PIECE
    with ServedWorker() as served, RawServer() as raw:
        bob = sy.WebsocketClientWorker(hook, "127.0.0.1", served.port, auto_add=False)
        client = SyncClient(raw, "store")

        def ours() -> None:
            tensor.send(bob).get()

        def limit() -> None:
            client.post([piece] * count, KEPT)
            client.send(BACK)
            client.receive(count)

        result = alternate(ours, limit, pairs=6 if quick else 20)
        bob.close(end=True)
        client.close()
    ratio = spread([plain / ours for ours, plain in zip(result.ours, result.plain, strict=True)])
    rates = [2 * SIZE / spread(side).median / 1e6 for side in (result.ours, result.plain)]
    return Row(
        name="send and get of 100 MiB over a websocket, throughput / raw messages of 1 MiB",
        value=ratio.median,
        unit="x",
        target=0.7,
        at_least=True,
        spread=str(ratio),
        note=f"{rates[0]:,.0f} MB/s against {rates[1]:,.0f} MB/s",
        samples={"ours_seconds": result.ours, "limit_seconds": result.plain},
    )


def measure_memory() -> Row:
    """Memory beyond the tensor itself, in a fresh client and a fresh worker."""
    with ServedWorker() as served:
        extra = run_fresh(CHILD, str(served.port), str(served.pid), str(SIZE))
    sizes = {f"{way}, {side}": extra[way][i] / SIZE for way in extra for i, side in enumerate(("client", "worker"))}
    return Row(
        name="memory beyond the tensor while 100 MiB are sent or fetched, most of one process",
        value=max(sizes.values()),
        unit="x its size",
        target=2.0,
        note="; ".join(f"{name} {size:.2f}" for name, size in sizes.items()),
        samples={"bytes": extra},
    )


def run(hook: sy.TorchHook, *, quick: bool) -> list[Row]:
    """Measure time and memory."""
    return [measure_throughput(hook, quick=quick), measure_memory()]
