"""`nn.Linear(2, 1)` on four points: an iteration is nearly all overhead, so this ratio shows the cost of one call."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import torch
from torch import nn, optim

import syft as sy
from benchmarks.measure import alternate, spread
from benchmarks.models import LABELS, POINTS
from benchmarks.row import Row

OPTIMIZERS: dict[str, tuple[Callable[[Iterable[nn.Parameter]], optim.Optimizer], str]] = {
    "SGD": (lambda parameters: optim.SGD(parameters, lr=0.1), "21 x"),
    "Adam": (lambda parameters: optim.Adam(parameters, lr=0.1), "25 x"),
}


def train_step(model: nn.Module, optimizer: optim.Optimizer, points: torch.Tensor, labels: torch.Tensor) -> None:
    """zero_grad, forward, loss, backward, step."""
    optimizer.zero_grad()
    loss = ((model(points) - labels) ** 2).sum()
    loss.backward()
    optimizer.step()


def measure_optimizer(hook: sy.TorchHook, name: str, *, quick: bool) -> Row:
    """One iteration with one optimizer."""
    make, reference = OPTIMIZERS[name]
    worker = sy.VirtualWorker(hook, id=f"benchmark_points_{name}")
    points, labels = POINTS.send(worker), LABELS.send(worker)
    remote_model, local_model = nn.Linear(2, 1), nn.Linear(2, 1)
    remote_optimizer, local_optimizer = make(remote_model.parameters()), make(local_model.parameters())

    def remote() -> None:
        remote_model.send(worker)
        train_step(remote_model, remote_optimizer, points, labels)
        remote_model.get()

    def plain() -> None:
        train_step(local_model, local_optimizer, POINTS, LABELS)

    result = alternate(remote, plain, pairs=20 if quick else 100, calls=50)
    ratio, ours, theirs = result.ratio(), spread(result.ours), spread(result.plain)
    return Row(
        name=f"nn.Linear(2, 1), {name}: send, step, get / plain torch",
        value=ratio.median,
        unit="x",
        target=3.0,
        reference=reference,
        spread=str(ratio),
        note=f"{ours.median * 1e6:.0f} against {theirs.median * 1e6:.0f} µs; "
        f"processor time {result.cpu_ratio().median:.2f} x",
        samples={"ours_seconds": result.ours, "plain_seconds": result.plain},
    )


def run(hook: sy.TorchHook, *, quick: bool) -> list[Row]:
    """Measure both optimizers of the seeds."""
    return [measure_optimizer(hook, name, quick=quick) for name in OPTIMIZERS]
