"""A ``syft worker`` process that tests kill, freeze and start again at the same port."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import syft as sy
from tests.faults.processes import WorkerProcess


class Restartable:
    """A worker in a process of its own.

    Args:
        directory: where it runs and logs.
        id: its name.
        *options: of the command.
    """

    def __init__(self, directory: Path, id: str, *options: str) -> None:
        self._directory, self._id, self._options = directory, id, options
        self._process = WorkerProcess(directory, *options, id=id)

    @property
    def port(self) -> int:
        """Where it serves; waits until it does."""
        return self._process.port

    def kill(self) -> None:
        """End it at once, as a power cut would."""
        self._port = self.port
        self._process.close()

    def freeze(self) -> None:
        """Stop it where it is; nothing is closed."""
        self._process.freeze()

    def start(self) -> None:
        """Start it again after `kill`, and wait until it serves."""
        self._process = WorkerProcess(self._directory, *self._options, id=self._id, port=self._port)
        assert self._process.port == self._port

    def revive(self) -> None:
        """See that it runs, whatever was done to it."""
        if self._process.popen.poll() is not None:
            self.start()
        self._process.thaw()

    def close(self) -> None:
        """Kill it, and let go of it."""
        self._process.close()


@pytest.fixture
def processes(running: dict[str, Restartable]) -> Iterator[dict[str, Restartable]]:
    """The processes of a module's fixture ``running``; whatever the test does to them is made good."""
    yield running
    for process in running.values():
        process.revive()


@pytest.fixture
def workers(hook: sy.TorchHook, me: Any, processes: dict[str, Restartable]) -> Iterator[dict[str, Any]]:
    """Their clients."""
    known = dict(me._known_workers)
    made = {name: sy.WebsocketClientWorker(hook, "localhost", one.port, id=name) for name, one in processes.items()}
    yield made
    while made:
        made.popitem()[1].close(end=True)
    me._known_workers.clear()  # before it is looked for what is left
    me._known_workers.update(known)
