"""The seeds' MNIST training loop on a served worker, against the same loop in plain torch.

For every batch the model is sent, trained one step on the data there and fetched, as in the seeds' program, with its
gradients both times. Client and worker have one torch thread each. The note says what raw websocket messages of 1 MiB
take for the same bytes, as a part of the plain step: what nothing that sends them can do without. With the weights left
there, or as a plan, they are not sent; those rows inform.
"""

from __future__ import annotations

import copy
import itertools
import time
from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import nn, optim

import syft as sy
from benchmarks.cnn_step import BATCH_SIZE, train_step
from benchmarks.measure import alternate, spread
from benchmarks.models import Net, mnist_batches
from benchmarks.raw_websockets import BACK, KEPT, RawServer, SyncClient
from benchmarks.row import Row
from benchmarks.served_worker import ServedWorker
from syft.transports.stream import PIECE

Batches = list[tuple[torch.Tensor, torch.Tensor]]
Step = Callable[[], object]


def sgd(model: nn.Module) -> optim.Optimizer:
    """The seeds' optimizer."""
    return optim.SGD(model.parameters(), lr=0.01)


def plain_step(model: nn.Module, batches: Batches) -> Step:
    """One batch in plain torch."""
    endless, optimizer = itertools.cycle(batches), sgd(model)
    return lambda: train_step(model, optimizer, *next(endless))


def sent_and_fetched(worker: sy.WebsocketClientWorker, model: nn.Module, batches: Batches) -> Step:
    """One batch with the model sent before and fetched after."""
    endless = itertools.cycle([(data.send(worker), target.send(worker)) for data, target in batches])
    optimizer = sgd(model)

    def step() -> None:
        data, target = next(endless)
        model.send(data.location)
        train_step(model, optimizer, data, target)
        model.get()

    return step


def left_there(worker: sy.WebsocketClientWorker, model: nn.Module, batches: Batches) -> Step:
    """One batch with the model on the worker all the time; waits until it has been dealt with."""
    endless = itertools.cycle([(data.send(worker), target.send(worker)) for data, target in batches])
    model.send(worker)
    optimizer = sgd(model)

    def step() -> None:
        train_step(model, optimizer, *next(endless))
        worker.sync()

    return step


def as_plan(worker: sy.WebsocketClientWorker, model: nn.Module, batches: Batches) -> Step:
    """One batch by a plan that is on the worker, with its loss fetched."""
    endless = itertools.cycle([(data.send(worker), target.send(worker)) for data, target in batches])
    plan = sy.TrainingPlan(model, F.nll_loss, "SGD", {"lr": 0.01})
    plan.build(*batches[0])
    there = plan.send(worker)
    return lambda: there(*next(endless)).get()


KINDS = {
    "model sent, step, model fetched": (sent_and_fetched, 1.15, "1.38–1.69 x on a VirtualWorker"),
    "model left there": (left_there, None, ""),
    "as a plan, loss fetched": (as_plan, None, ""),
}


def raw_seconds(out: int, back: int) -> float:
    """What raw websockets take to carry so many bytes to another process and so many back."""
    pieces, rest = divmod(out, PIECE)
    messages = [bytes(PIECE)] * pieces + [bytes(rest)] * (rest > 0)
    with RawServer() as raw:
        client = SyncClient(raw, "store")
        times = []
        for _ in range(20):
            started = time.perf_counter()
            client.post(messages, KEPT)
            client.send(BACK)
            client.receive(len(messages))
            times.append((time.perf_counter() - started) * (out + back) / (2 * out))
        client.close()
    return spread(times).median


def run(hook: sy.TorchHook, *, quick: bool) -> list[Row]:
    """Measure one batch of each kind."""
    batches, source = mnist_batches(4, BATCH_SIZE)
    rows = []
    for name, (kind, target, reference) in KINDS.items():
        torch.manual_seed(0)
        local = Net()
        remote = copy.deepcopy(local)
        with ServedWorker() as served:
            worker = sy.WebsocketClientWorker(hook, "127.0.0.1", served.port, auto_add=False)
            step = kind(worker, remote, batches)
            step()
            worker.traffic.reset()
            step()
            out, back = worker.traffic.total.bytes_out, worker.traffic.total.bytes_in
            result = alternate(step, plain_step(local, batches), pairs=10 if quick else 60, warm_up=3)
            worker.close(end=True)
        ratio = result.ratio()
        plain = spread(result.plain).median
        carried = f"{source}; plain {plain * 1e3:.0f} ms; {(out + back) / 1e6:.1f} MB a batch"
        if out > PIECE:
            carried += f", for which raw websockets take {raw_seconds(out, back) / plain:.0%} of that"
        rows.append(
            Row(
                name=f"MNIST CNN, batch 64, over a websocket, {name} / plain torch",
                value=ratio.median,
                unit="x",
                target=target,
                reference=reference,
                spread=str(ratio),
                note=carried,
                samples={"ours_seconds": result.ours, "plain_seconds": result.plain},
            )
        )
    return rows
