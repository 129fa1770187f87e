"""``syft worker`` processes for tests that kill, stop and restart them."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
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
        self._log = directory / f"{id}.log"
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
        command = [*SYFT, "worker", "--id", self.id, "--port", str(self.port), *self.options]
        with self._log.open("w") as log:
            self.popen = subprocess.Popen(command, cwd=self.directory, stdout=log, stderr=log, env=environment)

    def wait_until_it_serves(self) -> None:
        """Return when clients can connect."""
        while (found := _SERVES.search(self._log.read_text())) is None:
            assert self.popen.poll() is None, self._log.read_text()
            time.sleep(0.05)
        self.port = int(found[1])

    def kill(self) -> None:
        """End it at once, as a power cut would."""
        self.popen.kill()
        self.popen.wait()

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
        self.popen.wait(30)
