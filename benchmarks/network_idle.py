"""What a client that does nothing costs a worker: memory of the worker's process, with many connected."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

import syft as sy
from benchmarks.fresh import ROOT
from benchmarks.row import Row
from benchmarks.served_worker import ServedWorker, resident

CHILD = """
import sys
import torch
import syft
hook = syft.TorchHook(torch)
clients = [
    syft.WebsocketClientWorker(hook, "127.0.0.1", int(sys.argv[1]), auto_add=False) for _ in range(int(sys.argv[2]))
]
for client in clients:
    client.sync()
print("connected", flush=True)
sys.stdin.read()
"""


@contextmanager
def idle_clients(port: int, count: int) -> Iterator[None]:
    """So many clients of one other process, each of which has asked something once."""
    process = subprocess.Popen(
        [sys.executable, "-c", CHILD, str(port), str(count)],
        env={"PYTHONPATH": f"{ROOT / 'src'}:{ROOT}", "OMP_NUM_THREADS": "1"},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    if not process.stdout.readline():
        raise RuntimeError("the process of the clients failed")
    yield
    process.stdin.close()
    process.wait(60)
    process.stdout.close()


def measure(count: int, target: float | None) -> Row:
    """Growth of a worker that had one client before, per client."""
    with ServedWorker("--max-clients", str(count + 10)) as served, idle_clients(served.port, 1):
        before = resident(served.pid)
        with idle_clients(served.port, count):
            time.sleep(1.0)
            growth = resident(served.pid) - before
    return Row(
        name=f"memory of a worker for each of {count} idle clients",
        value=growth / count / 1024,
        unit="KiB",
        target=target,
        note=f"{growth / (1 << 20):.1f} MiB more than with one",
        samples={"bytes": growth},
    )


def run(hook: sy.TorchHook, *, quick: bool) -> list[Row]:
    """Measure 64 clients, and 512 to see whether it stays the same."""
    rows = [measure(64, 100.0)]
    return rows if quick else [*rows, measure(512, None)]
