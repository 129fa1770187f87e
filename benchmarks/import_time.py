"""`import syft` and `TorchHook(torch)` beyond `import torch`, in fresh processes."""

from __future__ import annotations

import statistics

import syft as sy
from benchmarks.fresh import run_fresh
from benchmarks.measure import spread
from benchmarks.row import Row

CHILD = """
import json, sys, time
started = time.perf_counter()
import torch
had_torch = time.perf_counter()
modules = set(sys.modules)
import syft
had_syft = time.perf_counter()
syft.TorchHook(torch)
hooked = time.perf_counter()
new = sorted(name for name in set(sys.modules) - modules)
print(json.dumps({
    "torch": had_torch - started, "syft": had_syft - had_torch, "hook": hooked - had_syft,
    "modules": len(new), "others": sorted({name.split(".")[0] for name in new} - {"syft"}),
    "dynamo": "torch._dynamo" in new,
}))
"""


def run(hook: sy.TorchHook, *, quick: bool) -> list[Row]:
    """Measure after one process that only warms the disk's cache and the compiled files."""
    run_fresh(CHILD)
    runs = [run_fresh(CHILD) for _ in range(4 if quick else 15)]
    beyond = spread([one["syft"] + one["hook"] for one in runs])
    middle = {part: statistics.median(one[part] for one in runs) for part in ("torch", "syft", "hook")}
    return [
        Row(
            name="import syft and TorchHook beyond import torch",
            value=beyond.median,
            unit="s",
            target=0.2,
            reference="0.78 + 0.64 s",
            spread=str(beyond),
            note=f"import {middle['syft']:.3f} s, hook {middle['hook']:.4f} s (torch itself {middle['torch']:.2f} s); "
            f"{runs[-1]['modules']} modules{', with torch._dynamo' if runs[-1]['dynamo'] else ''}",
            samples={"runs": runs},
        )
    ]
