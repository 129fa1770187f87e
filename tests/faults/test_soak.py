"""Memory, threads and descriptors of both ends over many ops, many sessions, and a model of 500 MB."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable
from dataclasses import dataclass

import pytest
import torch

import syft as sy
from tests.faults.conftest import Connect, Serve, Start
from tests.faults.processes import WorkerProcess, forget_peak, open_files, peak_mib, rss_mib, thread_count

GROWTH_MIB = 5.0


@dataclass
class Figures:
    """What both processes have: memory in MiB, descriptors, threads."""

    memory: tuple[float, float]
    files: tuple[int, int]
    threads: tuple[int, int]

    @classmethod
    def of(cls, process: WorkerProcess) -> Figures:
        """Now."""
        gc.collect()
        both: tuple[int | str, ...] = ("self", process.pid)
        here, there = (rss_mib(pid) for pid in both)
        return cls(
            (here, there),
            (open_files("self"), open_files(process.pid)),
            (thread_count("self"), thread_count(process.pid)),
        )


POOL = 16  # threads that a worker deals with messages in


def ops(bob: sy.WebsocketClientWorker, count: int) -> None:
    """So many ops: results that die, changes in place, values fetched, errors, gradients."""
    x = torch.zeros(8).send(bob)
    w = torch.ones(8, requires_grad=True).send(bob)
    done = 0
    while done < count:
        for _ in range(240):
            x.add_(1)
            (x * 2).neg()
        done += 720
        x.copy().get()
        (w * x).sum().backward()
        w.grad.zero_()
        failed = x.view(7)
        try:
            failed.get()
        except RuntimeError:
            done += 6


def grown(bob: sy.WebsocketClientWorker, process: WorkerProcess, warm_up: int, count: int) -> tuple[Figures, Figures]:
    """The figures after a warm-up, and so many ops later."""
    ops(bob, warm_up)
    bob.sync()
    before = Figures.of(process)
    ops(bob, count)
    bob.sync()
    return before, Figures.of(process)


def check(before: Figures, after: Figures, most: float = GROWTH_MIB) -> tuple[float, float]:
    """Nothing but a little memory was added; how much, here and there."""
    more = (after.memory[0] - before.memory[0], after.memory[1] - before.memory[1])
    assert max(more) < most, f"memory grew by {more[0]:.1f} MiB here and {more[1]:.1f} MiB there"
    assert after.files == before.files and after.threads[0] == before.threads[0]
    assert after.threads[1] <= before.threads[1] + POOL, "the worker's pool starts its threads when it first needs them"
    return more


def test_many_ops_leave_nothing_behind(start: Start, connect: Connect) -> None:
    process = start()
    bob = connect(process.port)
    check(*grown(bob, process, 6_000, 20_000))
    assert bob.objects_count_remote() == 0


@pytest.mark.soak
@pytest.mark.slow
@pytest.mark.timeout(7200)
def test_a_million_ops_leave_nothing_behind(start: Start, connect: Connect) -> None:
    process = start()
    bob = connect(process.port)
    began = time.monotonic()
    here, there = check(*grown(bob, process, 100_000, 1_000_000))
    print(
        f"\n10**6 ops: memory grew by {here:.1f} MiB here and {there:.1f} MiB on the worker; descriptors and threads "
        f"constant; {time.monotonic() - began:.0f} s"
    )


def test_control_what_is_kept_is_noticed(start: Start, connect: Connect) -> None:
    process = start()
    bob = connect(process.port)
    before = Figures.of(process)
    kept = torch.zeros(4_000_000).send(bob)
    bob.sync()
    with pytest.raises(AssertionError, match="memory grew"):
        check(before, Figures.of(process))
    del kept


def sessions(start: Start, connect: Callable[..., sy.WebsocketClientWorker], count: int) -> tuple[float, float]:
    """Come and go so often; how much memory grew."""
    process = start()

    def come_and_go(times: int) -> None:
        for number in range(times):
            bob = sy.WebsocketClientWorker(sy.local_worker.hook, "127.0.0.1", process.port, auto_add=False)
            x = torch.ones(100).send(bob)
            (x + 1).get()
            bob.close(end=bool(number % 4))
            if not number % 4:
                bob.connect()
                bob.close(end=True)

    come_and_go(30)
    before = Figures.of(process)
    come_and_go(count)
    time.sleep(0.2)  # the last connection is closed
    after = Figures.of(process)
    more = (after.memory[0] - before.memory[0], after.memory[1] - before.memory[1])
    assert max(more) < GROWTH_MIB
    assert after.files[0] == before.files[0] and after.files[1] <= before.files[1] + 1
    return more


def test_sessions_leave_nothing_behind(start: Start, connect: Connect) -> None:
    sessions(start, connect, 60)


@pytest.mark.soak
@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_many_sessions_leave_nothing_behind(start: Start, connect: Connect) -> None:
    here, there = sessions(start, connect, 3000)
    print(f"\n3000 sessions: memory grew by {here:.1f} MiB here and {there:.1f} MiB on the worker")


# --- a large model -----------------------------------------------------------------------------------


def crossing(start: Start, connect: Connect, mebibytes: int) -> None:
    """Send a model and fetch it; neither end takes more than twice its size in addition to the model itself."""
    process = start("--max-message", "2048")
    bob = connect(process.port)
    side = 2048
    model = torch.nn.Sequential(*[torch.nn.Linear(side, side, bias=False) for _ in range(mebibytes // 16)])
    size = sum(p.numel() * p.element_size() for p in model.parameters()) / 2**20
    sums = [p.detach().double().sum().item() for p in model.parameters()]
    small = torch.nn.Linear(2, 2)
    small.send(bob)
    small.get()
    bob.sync()
    began, base_here, base_there = time.monotonic(), rss_mib() - size, rss_mib(process.pid)
    peaks = []
    for step in (lambda: (model.send(bob), bob.sync()), model.get):
        forget_peak()
        forget_peak(process.pid)
        step()
        peaks.append((peak_mib() - base_here, peak_mib(process.pid) - base_there))
    assert [p.detach().double().sum().item() for p in model.parameters()] == sums
    text = ", ".join(f"{way} {here / size:.2f} x here and {there / size:.2f} x on the worker" for way, (here, there) in zip(("up", "down"), peaks, strict=True))  # fmt: skip
    print(f"\n{size:.0f} MiB of parameters: at its most {text} (itself included); {time.monotonic() - began:.1f} s")
    assert max(max(pair) for pair in peaks) <= 3 * size + 64


def test_a_model_crosses_both_ways(start: Start, connect: Connect) -> None:
    crossing(start, connect, 64)


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_large_model_crosses_both_ways(start: Start, connect: Connect) -> None:
    crossing(start, connect, 512)


def test_a_tensor_crosses_while_another_client_works(served: Serve, connect: Connect) -> None:
    worker = served()
    bob, other = connect(worker.port), connect(worker.port)
    large = torch.randn(8_000_000)
    x = large.send(bob)
    y = torch.ones(2).send(other)
    assert (y + 1).get().tolist() == [2, 2]
    assert torch.equal(x.get(), large)
