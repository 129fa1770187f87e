"""Fixtures of all tests: the hook, the two ways messages travel, and workers that are new for every test."""

from __future__ import annotations

import gc
import inspect
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

import syft as sy
from syft.core.session import SESSION
from tests.network.inside import INSIDE
from tests.network.servers import Host, ShownWorker

REPOSITORY = Path(__file__).resolve().parents[1]
MODES = ("reference", "wire", "network")

WorkerMaker = Callable[..., sy.VirtualWorker]
ScriptRunner = Callable[..., str]


@pytest.fixture(scope="session")
def hook() -> sy.TorchHook:
    """The hooked torch; one for all tests, because hooking cannot be undone."""
    return sy.TorchHook(torch)


@pytest.fixture(autouse=True)
def _whom_the_local_worker_knows() -> Iterator[None]:
    """After each test the local worker knows whom it knew before: ids such as ``bob`` are free for the next one."""
    before = None if SESSION.local_worker is None else dict(SESSION.local_worker._known_workers)
    yield
    local = SESSION.local_worker
    if local is not None:
        known = {local.id: local} if before is None else before
        local._known_workers.clear()
        local._known_workers.update(known)


@pytest.fixture
def me(hook: sy.TorchHook) -> Any:
    """The worker that stands for this process."""
    return hook.local_worker


@pytest.fixture(params=MODES)
def mode(request: pytest.FixtureRequest) -> str:
    """How messages reach a worker: as objects, through the codec, or over a connection to another process."""
    chosen = str(request.param)
    if chosen == "network" and (reason := INSIDE.get(request.function.__name__)) is not None:
        pytest.skip(f"not over a network: {reason}")
    return chosen


@pytest.fixture(scope="session")
def hosts() -> Iterator[list[Host]]:
    """Two processes that serve workers, started for the first test that needs them."""
    started: list[Host] = []
    yield started
    for host in started:
        host.close()


@pytest.fixture
def serve(hosts: list[Host]) -> Iterator[Callable[[int | str], int]]:
    """Start a worker in another process and say its port."""
    served: list[tuple[Host, int]] = []

    def start(id: int | str) -> int:
        while len(hosts) < 2:
            hosts.append(Host())
        host = hosts[len(served) % 2]
        port = host.new(id)
        served.append((host, port))
        return port

    yield start
    for host, port in served:
        host.stop(port)


def _expects_errors(request: pytest.FixtureRequest) -> bool:
    # Over a network errors come with the next answer. A test that expects one where it happens gets a worker that
    # waits for every command.
    source = inspect.getsource(request.function)
    return "raises" in source or "refuse" in source


@pytest.fixture
def make_worker(
    hook: sy.TorchHook, mode: str, serve: Callable[[int | str], int], request: pytest.FixtureRequest
) -> Iterator[WorkerMaker]:
    """Make workers; afterwards the local worker knows whom it knew and holds what it held before."""
    local = hook.local_worker
    known_before, held_before = dict(local._known_workers), set(local._objects)
    client_before = local.is_client_worker
    local._known_workers.clear()
    local._known_workers[local.id] = local

    def make(id: int | str, kind: type[sy.VirtualWorker] = sy.VirtualWorker, **settings: Any) -> sy.VirtualWorker:
        if mode != "network":
            return kind(hook, id=id, wire=mode == "wire", **settings)
        unfit = set(settings) - {"verbose", "log_msgs"}
        if unfit or kind is not sy.VirtualWorker or not isinstance(id, str):
            pytest.skip(f"over a network there is no {kind.__name__}({id!r}, {', '.join(settings)})")
        port = serve(id)
        worker = ShownWorker(
            hook,
            "127.0.0.1",
            port,
            id=id,
            synchronous=_expects_errors(request),
            torchscript=True,
            timeout=50,
            **settings,
        )
        remote.append(worker)
        return worker

    remote: list[ShownWorker] = []
    yield make
    for worker in remote:
        worker.close(end=True)
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
