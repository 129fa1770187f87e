"""A real `syft worker` in another process, on one torch thread, and how much memory a process takes."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from types import TracebackType
from typing import Self

from benchmarks.fresh import ROOT

_WORKER = (sys.executable, "-c", "from syft.cli.main import main; main()", "worker")


class OtherProcess:
    """A process that says on standard output where it listens, and ends with the `with` block.

    Args:
        command: What to run.
        *arguments: Its arguments.

    Attributes:
        port: Where it listens, on loopback.
        pid: Its number.

    Raises:
        RuntimeError: The process ended without saying a port.
    """

    def __init__(self, command: tuple[str, ...], *arguments: str) -> None:
        paths = [str(ROOT / "src"), str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(paths), "OMP_NUM_THREADS": "1"}
        self._process = subprocess.Popen(
            [*command, *arguments], env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        )
        self.pid = self._process.pid
        assert self._process.stdout is not None
        for line in self._process.stdout:
            if found := re.search(r"ws://\S+?:(\d+)", line):
                self.port = int(found[1])
                return
        raise RuntimeError(f"{' '.join(command)} ended with {self._process.wait()}")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._process.terminate()
        self._process.wait(20)
        if self._process.stdout is not None:
            self._process.stdout.close()


class ServedWorker(OtherProcess):
    """`syft worker` on a free port of this machine.

    Args:
        *options: Further options of the command.
        id: The worker's name.
    """

    def __init__(self, *options: str, id: str = "bench") -> None:
        super().__init__(_WORKER, "--id", id, "--port", "0", *options)


def resident(pid: int, *, peak: bool = False) -> int:
    """Bytes of memory that a process has now, or has had at most since `forget_peak`."""
    wanted = "VmHWM:" if peak else "VmRSS:"
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith(wanted):
            return int(line.split()[1]) * 1024
    raise RuntimeError(f"process {pid} does not say its memory; this benchmark needs Linux")


def forget_peak(pid: int) -> None:
    """Let the peak of a process be what it has now."""
    Path(f"/proc/{pid}/clear_refs").write_text("5")
