"""Fixtures of all tests: the hook, the two ways messages travel, and workers that are new for every test."""

from __future__ import annotations

import gc
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

import syft as sy

REPOSITORY = Path(__file__).resolve().parents[1]
MODES = ("reference", "wire")

WorkerMaker = Callable[..., sy.VirtualWorker]
ScriptRunner = Callable[..., str]


@pytest.fixture(scope="session")
def hook() -> sy.TorchHook:
    """The hooked torch; one for all tests, because hooking cannot be undone."""
    return sy.TorchHook(torch)


@pytest.fixture
def me(hook: sy.TorchHook) -> Any:
    """The worker that stands for this process."""
    return hook.local_worker


@pytest.fixture(params=MODES)
def mode(request: pytest.FixtureRequest) -> str:
    """How messages reach a worker: as objects ("reference") or through the codec ("wire")."""
    return str(request.param)


@pytest.fixture
def make_worker(hook: sy.TorchHook, mode: str) -> Iterator[WorkerMaker]:
    """Make workers; afterwards the local worker knows whom it knew and holds what it held before."""
    local = hook.local_worker
    known_before, held_before = dict(local._known_workers), set(local._objects)
    client_before = local.is_client_worker
    local._known_workers.clear()
    local._known_workers[local.id] = local

    def make(id: int | str, kind: type[sy.VirtualWorker] = sy.VirtualWorker, **settings: Any) -> sy.VirtualWorker:
        return kind(hook, id=id, wire=mode == "wire", **settings)

    yield make
    local._known_workers.clear()
    local._known_workers.update(known_before)
    local.is_client_worker = client_before
    if set(local._objects) - held_before:
        gc.collect()  # what only a reference cycle keeps alive is no leak
    left = {id: obj for id, obj in local._objects.items() if id not in held_before}
    assert not left, f"the test left objects in the local worker: {left}"


@pytest.fixture
def bob(make_worker: WorkerMaker) -> sy.VirtualWorker:
    """An empty worker."""
    return make_worker("bob")


@pytest.fixture
def alice(make_worker: WorkerMaker) -> sy.VirtualWorker:
    """Another empty worker."""
    return make_worker("alice")


@pytest.fixture
def james(make_worker: WorkerMaker) -> sy.VirtualWorker:
    """A third empty worker."""
    return make_worker("james")


@pytest.fixture
def workers(bob: sy.VirtualWorker, alice: sy.VirtualWorker, james: sy.VirtualWorker) -> list[sy.VirtualWorker]:
    """Bob, alice and james."""
    return [bob, alice, james]


@pytest.fixture
def run_script(tmp_path: Path) -> ScriptRunner:
    """Run Python source in a process of its own, warnings as errors; gives what it printed.

    A non-empty stderr fails the test unless ``stderr=True``, which appends it to the output.
    """

    def run(source: str, *, stderr: bool = False) -> str:
        environment = {**os.environ, "PYTHONPATH": str(REPOSITORY / "src"), "OMP_NUM_THREADS": "1"}
        finished = subprocess.run(
            [sys.executable, "-W", "error", "-c", source],
            cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=60,
        )  # fmt: skip
        assert finished.returncode == 0, finished.stderr
        assert stderr or finished.stderr == ""
        return finished.stdout + (finished.stderr if stderr else "")

    return run
