"""Workers that are attacked over real connections: of this process, where a spy can look, and of others."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import syft as sy
from tests.network.serving import served
from tests.security.network.far import Bare, Far

__all__ = ["served"]

REPOSITORY = Path(__file__).resolve().parents[3]
SYFT = [sys.executable, "-W", "ignore", "-c", "from syft.cli.main import main; main()"]


@pytest.fixture
def far(hook: sy.TorchHook) -> Iterator[Callable[..., Far]]:
    """Connect to a port as a new client."""
    clients: list[Far] = []

    def connect(port: int, **settings: Any) -> Far:
        clients.append(Far(port, **settings))
        return clients[-1]

    yield connect
    for client in clients:
        client.close()


@pytest.fixture
def bare() -> Iterator[Callable[..., Bare]]:
    """Open a websocket to a port, and say nothing."""
    clients: list[Bare] = []

    def connect(port: int, **settings: Any) -> Bare:
        clients.append(Bare(port, **settings))
        return clients[-1]

    yield connect
    for client in clients:
        client.close()


class Served:
    """A ``syft worker`` process, and all that it writes.

    Args:
        directory: where it runs.
        *options: of the command.
    """

    def __init__(self, directory: Path, *options: str) -> None:
        environment = {**os.environ, "PYTHONPATH": str(REPOSITORY / "src"), "OMP_NUM_THREADS": "1"}
        environment.pop("SYFT_TOKEN", None)
        self._log = directory / "worker.log"
        with self._log.open("w") as log:
            self.popen = subprocess.Popen(
                [*SYFT, "worker", "--port", "0", "--log-format", "json", *options],
                cwd=directory, stdout=subprocess.PIPE, stderr=log, text=True, env=environment,
            )  # fmt: skip
        self.out, self.port = "", 0
        assert self.popen.stdout is not None
        for line in self.popen.stdout:
            self.out += line
            if (found := re.search(r"serves at wss?://.*:(\d+); Ctrl-C", line)) is not None:
                self.port = int(found[1])
                break
        assert self.port, f"{self.out} {self.log}"

    @property
    def log(self) -> str:
        """What it has logged so far."""
        return self._log.read_text("utf-8")

    @property
    def audit(self) -> list[dict[str, Any]]:
        """The lines of its audit log."""
        lines = [json.loads(line) for line in self.log.splitlines() if line.startswith("{")]
        return [json.loads(line["message"]) for line in lines if line["logger"] == "syft.audit"]

    def stop(self) -> str:
        """End it; everything that it wrote."""
        if self.popen.poll() is None:
            self.popen.terminate()
        out, _ = self.popen.communicate(timeout=30)
        self.out += out
        return self.out + self.log


@pytest.fixture
def worker_process(tmp_path: Path) -> Iterator[Callable[..., Served]]:
    """Start ``syft worker`` as a process."""
    started: list[Served] = []

    def start(*options: str) -> Served:
        started.append(Served(tmp_path, *options))
        return started[-1]

    yield start
    for process in started:
        process.stop()
