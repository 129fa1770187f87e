"""The seeds' MNIST training loop on a VirtualWorker, against the same loop in plain torch."""

from __future__ import annotations

import copy
import itertools

import torch
import torch.nn.functional as F
from torch import nn, optim

import syft as sy
from benchmarks.measure import alternate
from benchmarks.models import Net, mnist_batches
from benchmarks.row import Row

BATCH_SIZE = 64
CPU = torch.device("cpu")


def train_step(model: nn.Module, optimizer: optim.Optimizer, data: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
    """The inner lines of the seeds' loop, the same for both sides."""
    data, target = data.to(CPU), target.to(CPU)
    optimizer.zero_grad()
    loss = F.nll_loss(model(data), target)
    loss.backward()
    optimizer.step()
    return loss


def run(hook: sy.TorchHook, *, quick: bool) -> list[Row]:
    """Measure one batch: send the model, step, get it back."""
    batches, source = mnist_batches(4, BATCH_SIZE)
    worker = sy.VirtualWorker(hook, id="benchmark_cnn")
    remote_batches = itertools.cycle([(data.send(worker), target.send(worker)) for data, target in batches])
    local_batches = itertools.cycle(batches)
    torch.manual_seed(0)
    local_model = Net()
    remote_model = copy.deepcopy(local_model)
    local_optimizer = optim.SGD(local_model.parameters(), lr=0.01)
    remote_optimizer = optim.SGD(remote_model.parameters(), lr=0.01)

    def remote() -> None:
        data, target = next(remote_batches)
        remote_model.send(data.location)
        train_step(remote_model, remote_optimizer, data, target)
        remote_model.get()

    def plain() -> None:
        train_step(local_model, local_optimizer, *next(local_batches))

    result = alternate(remote, plain, pairs=10 if quick else 60)
    difference = max(
        (ours - theirs).abs().max().item()
        for ours, theirs in zip(remote_model.parameters(), local_model.parameters(), strict=True)
    )
    ratio, cpu = result.ratio(), result.cpu_ratio()
    milliseconds = sorted(result.plain)[len(result.plain) // 2] * 1e3
    return [
        Row(
            name="MNIST CNN, batch 64: send, step, get / plain torch",
            value=ratio.median,
            unit="x",
            target=1.05,
            reference="1.38–1.69 x",
            spread=str(ratio),
            note=f"{source}; processor time {cpu.median:.3f} x; plain {milliseconds:.0f} ms; "
            f"largest difference of weights {difference:.1e}",
            samples={"ours_seconds": result.ours, "plain_seconds": result.plain, "cpu_ratio": cpu.median},
        )
    ]
