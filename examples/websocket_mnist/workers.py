"""The ``syft worker`` processes of the example: started, killed, started again, stopped."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from types import TracebackType

COMMAND = [sys.executable, "-c", "from syft.cli.main import main; main()", "worker"]
SERVES = re.compile(r"serves at ws://\S+:(\d+);")


class LocalWorker:
    """A worker in a process of its own on this machine, which holds one data set.

    Args:
        name: its id.
        data: what it holds, as ``--data`` takes it; empty for nothing.
        logs: the folder for its log.
    """

    def __init__(self, name: str, data: str, logs: Path) -> None:
        self.name, self.data, self.log = name, data, logs / f"{name}.log"
        self.port = 0  # the first start takes a free one, later ones the same
        self._launch()

    def _launch(self) -> None:
        data = ["--data", self.data] if self.data else []
        options = ["--id", self.name, "--port", str(self.port), *data, "--keepalive", "2"]
        with self.log.open("a") as log:
            self.process = subprocess.Popen([*COMMAND, *options], stdout=subprocess.PIPE, stderr=log, text=True)

    def wait(self) -> None:
        """Return when clients can connect."""
        for line in self.process.stdout or ():
            if (found := SERVES.search(line)) is not None:
                self.port = int(found[1])
                return
        raise RuntimeError(f"worker {self.name} did not start; see {self.log}:\n{self.log.read_text()}")

    def kill(self) -> None:
        """End it as a power cut would."""
        self.process.kill()
        self.process.communicate()

    def restart(self) -> None:
        """Start it again where it was."""
        self._launch()
        self.wait()

    def stop(self) -> None:
        """Ask it to end, as Ctrl-C does."""
        if self.process.poll() is None:
            self.process.terminate()
        self.process.communicate(timeout=30)


class Workers(dict[str, LocalWorker]):
    """Several workers by name, stopped together at the end of a ``with`` block.

    Args:
        data: what each holds, by name.
        logs: the folder for their logs.
    """

    def __init__(self, data: dict[str, str], logs: Path) -> None:
        super().__init__()
        try:
            for name, held in data.items():
                self[name] = LocalWorker(name, held, logs)
            for worker in self.values():
                worker.wait()
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """Stop all."""
        for worker in self.values():
            worker.stop()

    def __enter__(self) -> Workers:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
