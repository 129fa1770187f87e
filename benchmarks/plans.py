"""Plans: a recorded function against plain torch, and how many messages training takes."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F

import syft as sy
from benchmarks.measure import alternate
from benchmarks.models import Net, mnist_batches
from benchmarks.row import Row

BATCHES = 100


def fifty_ops(x: torch.Tensor, w: torch.Tensor) -> torch.Tensor:
    """Ten rounds of five ops on square matrices."""
    for _ in range(10):
        x = x @ w
        x = x + w
        x = torch.relu(x)
        x = x * 0.5
        x = x - w
    return x


def measure_fifty_ops(hook: sy.TorchHook, *, quick: bool) -> Row:
    """A plan of 50 ops on a VirtualWorker, result included, over the same ops in plain torch."""
    torch.manual_seed(0)
    worker = sy.VirtualWorker(hook, id="benchmark_plan")
    x, w = torch.randn(64, 64), torch.randn(64, 64) / 8
    plan = sy.Plan("fifty_ops", forward=fifty_ops)
    plan.build(x, w)
    there, remote_x, remote_w = plan.send(worker), x.send(worker), w.send(worker)
    difference = (there(remote_x, remote_w).get() - fifty_ops(x, w)).abs().max().item()
    result = alternate(lambda: there(remote_x, remote_w), lambda: fifty_ops(x, w), pairs=30 if quick else 200, calls=50)
    eager = alternate(
        lambda: fifty_ops(remote_x, remote_w), lambda: fifty_ops(x, w), pairs=10 if quick else 40, calls=20
    )
    ratio = result.ratio()
    return Row(
        name="plan of 50 ops on 64×64, on a VirtualWorker / plain torch",
        value=ratio.median,
        unit="x",
        target=1.3,
        spread=str(ratio),
        note=f"{len(plan.actions)} instructions; op by op through pointers {eager.ratio().median:.2f} x; "
        f"largest difference {difference:.1e}",
        samples={"ours_seconds": result.ours, "plain_seconds": result.plain},
    )


def count_messages(hook: sy.TorchHook) -> list[Row]:
    """Messages of one training step of the MNIST network, and of an epoch of 100 batches and its losses."""
    worker: Any = sy.VirtualWorker(hook, id="benchmark_messages", wire=True, log_msgs=True)
    ((data, target),), source = mnist_batches(1, 64)
    torch.manual_seed(0)
    model = Net()
    plan = sy.TrainingPlan(model, F.nll_loss, "SGD", {"lr": 0.01})
    plan.build(data, target)
    there = plan.send(worker)
    remote_data, remote_target = data.send(worker), target.send(worker)
    before = len(worker.msg_history)
    loss = there(remote_data, remote_target)
    step = len(worker.msg_history) - before
    rows, labels = data[:1].repeat(BATCHES, 1, 1, 1).send(worker), target[:1].repeat(BATCHES).send(worker)
    before = len(worker.msg_history)
    losses = there.run_epochs(rows, labels, batch_size=1).get()
    epoch = len(worker.msg_history) - before
    return [
        Row(
            name="messages of one training step of the MNIST CNN as a plan",
            value=step,
            unit="messages",
            target=1,
            note=f"and its reply; serialised; {source}; loss {loss.get().item():.3f}",
        ),
        Row(
            name=f"messages of an epoch of {BATCHES} batches on a remote data set",
            value=epoch,
            unit="messages",
            target=3,
            note=f"the losses fetched; {len(losses)} of them",
        ),
    ]


def run(hook: sy.TorchHook, *, quick: bool) -> list[Row]:
    """Measure time and count messages."""
    return [measure_fifty_ops(hook, quick=quick), *count_messages(hook)]
