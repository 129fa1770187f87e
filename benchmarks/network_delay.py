"""How many round trips a batch of the seeds' training waits for, found by making them long.

The same batch goes over two proxies in turn: one that delivers at once, and one that takes 20 ms each way. What the
second takes longer, over 40 ms, is the number of round trips.
"""

from __future__ import annotations

import torch

import syft as sy
from benchmarks.cnn_step import BATCH_SIZE
from benchmarks.delaying_proxy import DelayingProxy
from benchmarks.measure import alternate, spread
from benchmarks.models import Net, mnist_batches
from benchmarks.network_training import as_plan, left_there, sent_and_fetched
from benchmarks.row import Row
from benchmarks.served_worker import ServedWorker

DELAY = 0.02
KINDS = {
    "op by op, model sent and fetched": (sent_and_fetched, 2.0),
    "op by op, model left there": (left_there, 2.0),
    "as a plan, loss fetched": (as_plan, 1.0),
}
_TOLERANCE = 0.1  # of a round trip: timers of the proxy and of a busy machine are late, never early


def run(hook: sy.TorchHook, *, quick: bool) -> list[Row]:
    """Measure one batch of each kind."""
    batches, source = mnist_batches(4, BATCH_SIZE)
    rows = []
    for name, (kind, target) in KINDS.items():
        torch.manual_seed(0)
        with (
            ServedWorker() as served,
            DelayingProxy(served.port, 0.0) as near,
            DelayingProxy(served.port, DELAY) as far,
        ):
            workers = [sy.WebsocketClientWorker(hook, "127.0.0.1", proxy.port, auto_add=False) for proxy in (far, near)]
            steps = [kind(worker, Net(), batches) for worker in workers]
            result = alternate(*steps, pairs=8 if quick else 30)
            for worker in workers:
                worker.close(end=True)
        longer = spread([far - near for far, near in zip(result.ours, result.plain, strict=True)])
        trips = spread([(far - near) / (2 * DELAY) for far, near in zip(result.ours, result.plain, strict=True)])
        rows.append(
            Row(
                name=f"round trips of an MNIST CNN batch, {name}",
                value=trips.median,
                unit="round trips",
                target=target + _TOLERANCE,
                reference="387 messages a step",
                spread=str(trips),
                note=f"{source}; {longer.median * 1e3:.0f} ms longer with {DELAY * 1e3:.0f} ms each way",
                samples={"far_seconds": result.ours, "near_seconds": result.plain},
            )
        )
    return rows
