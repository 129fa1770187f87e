"""``syft worker`` processes for tests that kill, stop and restart them."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
SYFT = [sys.executable, "-W", "ignore", "-c", "from syft.cli.main import main; main()"]
_SERVES = re.compile(r"serves at wss?://.*:(\d+); Ctrl-C")


class WorkerProcess:
    """A worker in a process of its own.

    Args:
        directory: where it runs and logs.
        id: its name.
        *options: of the command.
        port: its port; 0 takes a free one.
    """

    def __init__(self, directory: Path, id: str, *options: str, port: int = 0) -> None:
        self.directory, self.id, self.options = directory, id, options
        self.port = port
        self.launch()

    def start(self) -> None:
        """Start it again, at the port that it had before."""
        self.launch()
        self.wait_until_it_serves()

    def launch(self) -> None:
        """Start it without waiting."""
        environment = {**os.environ, "PYTHONPATH": str(REPOSITORY / "src"), "OMP_NUM_THREADS": "1"}
        environment.pop("SYFT_TOKEN", None)
        command = [*SYFT, "worker", "--id", self.id, "--port", str(self.port)]
        with (self.directory / f"{self.id}.log").open("a") as log:
            self.popen = subprocess.Popen(
                [*command, *self.options], cwd=self.directory, stdout=subprocess.PIPE, stderr=log, text=True,
                env=environment,
            )  # fmt: skip

    def wait_until_it_serves(self) -> None:
        """Return when clients can connect."""
        assert self.popen.stdout is not None
        for line in self.popen.stdout:
            if (found := _SERVES.search(line)) is not None:
                self.port = int(found[1])
                return
        self.popen.communicate()
        raise AssertionError((self.directory / f"{self.id}.log").read_text())

    def kill(self) -> None:
        """End it at once, as a power cut would."""
        self.popen.kill()
        self.popen.communicate()

    def freeze(self) -> None:
        """Stop it where it is; nothing is closed."""
        self.popen.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Let it go on."""
        self.popen.send_signal(signal.SIGCONT)

    def revive(self) -> None:
        """See that it runs, whatever was done to it."""
        if self.popen.poll() is not None:
            self.start()
        self.thaw()

    def stop(self) -> None:
        """End it in whatever state it is."""
        if self.popen.poll() is None:
            self.thaw()
            self.popen.terminate()
        self.popen.communicate(timeout=30)
