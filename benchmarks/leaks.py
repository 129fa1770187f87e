"""Objects on the worker while a model trains: they must not grow with the number of steps."""

from __future__ import annotations

from torch import nn, optim

import syft as sy
from benchmarks.four_points import train_step
from benchmarks.models import LABELS, POINTS
from benchmarks.row import Row

STEPS = 1_000


def objects_over_training(hook: sy.TorchHook, *, wire: bool, steps: int) -> list[int]:
    """Object counts of a worker, taken every tenth of `steps` steps, from the first tenth on."""
    worker = sy.VirtualWorker(hook, id=f"benchmark_leaks_{'wire' if wire else 'by_reference'}", wire=wire)
    points, labels = POINTS.send(worker), LABELS.send(worker)
    model = nn.Linear(2, 1)
    optimizer = optim.Adam(model.parameters(), lr=0.01)
    counts = []
    for step in range(1, steps + 1):
        model.send(worker)
        train_step(model, optimizer, points, labels)
        model.get()
        if step % (steps // 10) == 0:
            counts.append(len(worker._objects))
    return counts


def run(hook: sy.TorchHook, *, quick: bool) -> list[Row]:
    """Count objects by reference and over serialised messages."""
    steps = STEPS // 5 if quick else STEPS
    counts = {mode: objects_over_training(hook, wire=mode == "wire", steps=steps) for mode in ("by reference", "wire")}
    growth = max(max(taken) - min(taken) for taken in counts.values())
    return [
        Row(
            name=f"objects that {steps} training steps add to a worker",
            value=growth,
            unit="objects",
            target=0,
            reference="constant (6)",
            note="; ".join(f"{mode}: {taken[-1]} at the end" for mode, taken in counts.items()),
            samples={"counts": counts},
        )
    ]
