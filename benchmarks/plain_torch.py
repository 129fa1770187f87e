"""Plain torch after hooking, against plain torch in a process that never imports the library.

Each round starts three fresh processes: stock, hooked, stock. The two stock ones differ only by noise, which is the
yardstick for the third.
"""

from __future__ import annotations

import statistics

import syft as sy
from benchmarks.fresh import run_fresh
from benchmarks.measure import spread
from benchmarks.row import Row

CHILD = """
import json, sys, timeit
import torch
from torch import nn
if sys.argv[1] == "hooked":
    import syft
    syft.TorchHook(torch)
torch.set_num_threads(1)
torch.manual_seed(0)
x, y = torch.randn(8), torch.randn(8)
model = nn.Sequential(nn.Linear(16, 16), nn.ReLU(), nn.Linear(16, 1))
batch = torch.randn(8, 16)
optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
model(batch).sum().backward()
operations = {
    "add": (lambda: x + y, 4000),
    "torch.mul": (lambda: torch.mul(x, y), 4000),
    "getitem": (lambda: x[2:5], 4000),
    "attributes": (lambda: (x.grad, x.shape, x.requires_grad), 4000),
    "module forward": (lambda: model(batch), 500),
    "backward": (lambda: model(batch).sum().backward(), 200),
    "optimizer step": (optimizer.step, 200),
    "new module": (lambda: nn.Linear(4, 4), 200),
}
for operation, calls in operations.values():
    timeit.timeit(operation, number=calls)
best = dict.fromkeys(operations, float("inf"))
for _ in range(int(sys.argv[2])):
    for name, (operation, calls) in operations.items():
        best[name] = min(best[name], timeit.timeit(operation, number=calls) / calls)
print(json.dumps(best))
"""


def run(hook: sy.TorchHook, *, quick: bool) -> list[Row]:
    """Measure every operation in alternating processes; the value is the mean ratio over the operations."""
    rounds, repeats = (2, "20") if quick else (6, "40")
    before, hooked, after = [], [], []
    for _ in range(rounds):
        before.append(run_fresh(CHILD, "stock", repeats))
        hooked.append(run_fresh(CHILD, "hooked", repeats))
        after.append(run_fresh(CHILD, "stock", repeats))
    names = list(before[0])
    ratios, noise = {}, {}
    for name in names:
        stock = [one[name] for one in (*before, *after)]
        ratios[name] = statistics.median(ours[name] for ours in hooked) / statistics.median(stock)
        noise[name] = [first[name] / second[name] for first, second in zip(before, after, strict=True)]
    mean = statistics.geometric_mean(ratios.values())
    apart = statistics.median(abs(sample - 1) for samples in noise.values() for sample in samples)
    worst = max(ratios, key=ratios.__getitem__)
    return [
        Row(
            name="plain torch after hooking / before",
            value=mean,
            unit="x",
            target=round(1.0 + max(0.02, apart), 3),
            reference="2.0 x",
            spread=str(spread(list(ratios.values()))),
            note=f"target 1 plus noise: two stock processes differ by {apart:.1%}; "
            f"largest {worst} {ratios[worst]:.2f} x",
            samples={"ratios": ratios, "stock_against_stock": noise},
        )
    ]
