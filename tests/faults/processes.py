"""Real ``syft worker`` processes, to be killed and stopped."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
_RUN = "from syft.cli.main import main; main()"


class WorkerProcess:
    """A ``syft worker``; it starts while other things are done, and is ready when its port is asked for.

    Args:
        directory: where it runs, and logs to.
        *options: of the command.
        port: to serve at; 0 takes a free one.
        id: the worker's.
    """

    def __init__(self, directory: Path, *options: str, port: int = 0, id: str = "bob") -> None:
        environment = {**os.environ, "PYTHONPATH": str(REPOSITORY / "src"), "OMP_NUM_THREADS": "1"}
        environment.pop("SYFT_TOKEN", None)
        self.log = directory / f"worker-{os.urandom(4).hex()}.log"
        with self.log.open("w") as log:
            self.popen = subprocess.Popen(
                [sys.executable, "-W", "ignore", "-c", _RUN, "worker", "--id", id, "--port", str(port), *options],
                cwd=directory, stdout=subprocess.PIPE, stderr=log, text=True, env=environment,
            )  # fmt: skip
        self._port = 0

    @property
    def port(self) -> int:
        """Where it serves; waits until it does."""
        assert self.popen.stdout is not None
        while not self._port:
            line = self.popen.stdout.readline()
            assert line, f"the worker ended: {self.log.read_text('utf-8')}"
            if (found := re.search(r"serves at wss?://.*:(\d+); Ctrl-C", line)) is not None:
                self._port = int(found[1])
        return self._port

    @property
    def pid(self) -> int:
        """Its process."""
        return self.popen.pid

    def kill(self) -> None:
        """``kill -9``; returns at once."""
        self.popen.kill()

    def freeze(self) -> None:
        """Stop it, as a machine that hangs."""
        os.kill(self.pid, signal.SIGSTOP)

    def thaw(self) -> None:
        """Let it go on."""
        os.kill(self.pid, signal.SIGCONT)

    def close(self) -> None:
        """Kill it, if it is still there, and let go of it."""
        if self.popen.poll() is None:
            self.popen.kill()
        self.popen.wait(30)
        assert self.popen.stdout is not None
        self.popen.stdout.close()


def rss_mib(pid: int | str = "self") -> float:
    """The resident memory of a process, in MiB."""
    return int(Path(f"/proc/{pid}/statm").read_text("ascii").split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20


def peak_mib(pid: int | str = "self") -> float:
    """The most resident memory since `forget_peak`, in MiB."""
    status = Path(f"/proc/{pid}/status").read_text("ascii")
    found = re.search(r"VmHWM:\s+(\d+) kB", status)
    assert found is not None
    return int(found[1]) / 1024


def forget_peak(pid: int | str = "self") -> None:
    """Begin to measure the peak anew."""
    Path(f"/proc/{pid}/clear_refs").write_text("5", "ascii")


def open_files(pid: int | str = "self") -> int:
    """How many file descriptors a process has."""
    return len(os.listdir(f"/proc/{pid}/fd"))


def thread_count(pid: int | str = "self") -> int:
    """How many threads a process has."""
    return len(os.listdir(f"/proc/{pid}/task"))
