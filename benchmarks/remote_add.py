"""One addition of two pointers on a VirtualWorker, with the result's pointer made and dropped."""

from __future__ import annotations

import torch

import syft as sy
from benchmarks.measure import alternate, spread
from benchmarks.row import Row


def measure_add(hook: sy.TorchHook, *, wire: bool, target: float | None, quick: bool) -> Row:
    """Microseconds of `x + y` on small tensors."""
    worker = sy.VirtualWorker(hook, id=f"benchmark_add_{'wire' if wire else 'by_reference'}", wire=wire)
    local_x, local_y = torch.tensor([1.0, 2, 3, 4, 5]), torch.ones(5)
    x, y = local_x.send(worker), local_y.send(worker)
    result = alternate(lambda: x + y, lambda: local_x + local_y, pairs=30 if quick else 200, calls=200)
    ours, plain = spread([1e6 * s for s in result.ours]), spread([1e6 * s for s in result.plain])
    return Row(
        name="remote add on a VirtualWorker" + (" that serialises" if wire else ""),
        value=ours.median,
        unit="µs",
        target=target,
        reference="" if target is None else "92–226 µs",
        spread=str(ours),
        note=f"plain add {plain.median:.2f} µs; objects left {len(worker._objects)}",
        samples={"ours_seconds": result.ours, "plain_seconds": result.plain},
    )


def run(hook: sy.TorchHook, *, quick: bool) -> list[Row]:
    """Measure by reference, and over serialised messages for information."""
    return [
        measure_add(hook, wire=False, target=25.0, quick=quick),
        measure_add(hook, wire=True, target=None, quick=quick),
    ]
