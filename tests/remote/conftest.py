"""The hook and a worker, in this process and behind the wire codec."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import pytest
import torch

import syft as sy

fresh_ids = itertools.count(1)


@pytest.fixture
def hook() -> sy.TorchHook:
    """The hook of this process."""
    return sy.TorchHook(torch)


@pytest.fixture(params=[False, True], ids=["reference", "wire"])
def wire(request: pytest.FixtureRequest) -> bool:
    """Whether workers encode every message."""
    return bool(request.param)


@pytest.fixture
def worker(hook: sy.TorchHook, wire: bool) -> sy.VirtualWorker:
    """A worker nobody used before."""
    return sy.VirtualWorker(hook, id=f"remote-{next(fresh_ids)}", wire=wire)


@pytest.fixture
def other(hook: sy.TorchHook, wire: bool) -> sy.VirtualWorker:
    """A second worker nobody used before."""
    return sy.VirtualWorker(hook, id=f"remote-{next(fresh_ids)}", wire=wire)


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """Sums are taken in one order."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)
