"""How much of torch's operator test database comes out right through pointers."""

from __future__ import annotations

import warnings
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from itertools import islice
from typing import Any, Literal
from unittest import mock

import torch

import syft as sy
from tests.network.servers import Host, ShownWorker
from tests.opdb.trial import Skipped, Worker, check

Mode = Literal["reference", "wire", "network"]
MODES: tuple[Mode, ...] = ("reference", "wire", "network")
DTYPES = (torch.float32, torch.int64)


@dataclass(frozen=True, slots=True)
class Failure:
    """A sample that came out wrong.

    Attributes:
        op: the op's name in the database, with its variant.
        dtype: what the sample was made of.
        sample: the sample's index among those of that op and dtype.
        reason: what was raised, or where the answers differ.
    """

    op: str
    dtype: torch.dtype
    sample: int
    reason: str


@dataclass(slots=True)
class Report:
    """The outcome of a run.

    Attributes:
        mode: how messages travelled.
        right: samples whose results and gradients equal the local ones.
        skipped: samples without a tensor, or that torch itself refuses.
        failures: the samples that came out wrong.
    """

    mode: Mode
    right: int = 0
    skipped: int = 0
    failures: list[Failure] = field(default_factory=list)

    @property
    def samples(self) -> int:
        """How many samples counted."""
        return self.right + len(self.failures)

    @property
    def share(self) -> float:
        """The share of the samples that came out right, 0 to 1."""
        return self.right / self.samples if self.samples else 1.0

    @property
    def failed_ops(self) -> set[str]:
        """The ops with at least one wrong sample."""
        return {failure.op for failure in self.failures}


@cache
def database() -> dict[str, Any]:
    """Torch's ``OpInfo`` entries by name and variant, those that take float32 or int64."""
    with quiet():
        from torch.testing._internal.common_methods_invocations import op_db
    return {info.formatted_name: info for info in op_db if any(dtype in info.dtypes for dtype in DTYPES)}


@contextmanager
def quiet() -> Iterator[None]:
    """One thread, no warnings of samples that warn by design, and the random state given back."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with warnings.catch_warnings(), torch.random.fork_rng(devices=()):
            warnings.simplefilter("ignore")
            yield
    finally:
        torch.set_num_threads(threads)


def samples(info: Any, dtype: torch.dtype, most: int | None = None) -> list[Any]:
    """The op's samples of one dtype, or the first ones, the same in every run; float32 ones ask for gradients."""
    if dtype not in info.dtypes:
        return []
    torch.manual_seed(zlib.crc32(f"{info.formatted_name} {dtype}".encode()))
    all = info.sample_inputs("cpu", dtype, requires_grad=dtype is torch.float32 and info.supports_autograd)
    return list(islice(all, most))


@contextmanager
def seeding(worker: ShownWorker) -> Iterator[None]:
    """Set the random state of the worker's process wherever that of this one is set: some ops do so themselves."""

    def both(seed: int) -> torch.Generator:
        worker.ask("inspect", "seed", seed)
        return here(seed)

    here = torch.manual_seed
    with mock.patch.object(torch, "manual_seed", both):
        yield


@contextmanager
def worker_of(mode: Mode) -> Iterator[Worker]:
    """A worker that is reached in this way: in this process, or served by another one."""
    hook, id = sy.TorchHook(torch), f"opdb-{mode}"
    if mode != "network":
        yield sy.VirtualWorker(hook, id=id, wire=mode == "wire")
        return
    hook.local_worker._known_workers.pop(id, None)
    host = Host()
    try:
        with ShownWorker(hook, "127.0.0.1", host.new(id), id=id, timeout=50) as worker, seeding(worker):
            yield worker
    finally:
        host.close()


def run(mode: Mode, ops: Iterable[str] | None = None, most: int | None = None) -> Report:
    """Run samples through pointers.

    Args:
        mode: ``"reference"`` hands tensors over in this process, ``"wire"`` encodes every message, ``"network"`` sends
            them to another process.
        ops: names of the database; all of them when None.
        most: samples of each op and dtype; all of them when None.

    Returns:
        What came out right and what did not.
    """
    report = Report(mode)
    with quiet(), worker_of(mode) as worker:
        for name in database() if ops is None else ops:
            for dtype in DTYPES:
                run_op(database()[name], dtype, worker, report, most)
    return report


def run_op(info: Any, dtype: torch.dtype, worker: Worker, report: Report, most: int | None = None) -> None:
    """Run the samples of one op and dtype into the report."""
    for index, sample in enumerate(samples(info, dtype, most)):
        try:
            check(info, sample, worker)
        except Skipped:
            report.skipped += 1
        except Exception as error:
            reason = f"{type(error).__name__}: {' '.join(str(error).split())[:200]}"
            report.failures.append(Failure(info.formatted_name, dtype, index, reason))
        else:
            report.right += 1
