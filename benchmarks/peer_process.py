"""A peer in a process of its own, which waits without computing while others are measured."""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
from types import TracebackType
from typing import Self

from benchmarks.fresh import ROOT
from benchmarks.peer_environments import Environment
from benchmarks.peers.workloads import make_workload


class PeerProcess:
    """Times workloads with a peer, on one thread a party; ends with the `with` block.

    Args:
        environment: The peer.
    """

    def __init__(self, environment: Environment) -> None:
        self.title = environment.title
        self._errors = tempfile.TemporaryFile("w+")
        self._process = subprocess.Popen(
            [str(environment.python), "-m", environment.module],
            env={**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            text=True,
            encoding="utf-8",
        )

    def measure(self, workload: str, calls: int) -> list[float]:
        """Return the seconds of each of so many calls of a workload; one more call goes before them, untimed.

        Raises:
            RuntimeError: The process ended, or what it computed is wrong.
        """
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        try:
            self._process.stdin.write(f"{calls} {workload}\n")
            self._process.stdin.flush()
        except BrokenPipeError:
            pass  # it ended, and so does its output
        line = self._process.stdout.readline()
        if not line:
            code = self._process.wait()
            self._errors.seek(0)
            raise RuntimeError(f"{self.title} ended with {code} at {workload}:\n{self._errors.read()[-4000:]}")
        answer = json.loads(line)
        check_error(self.title, workload, answer["error"])
        return answer["seconds"]

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._process.communicate()
        self._errors.close()


def check_error(who: str, workload: str, error: float) -> None:
    """Refuse to time something that is computed wrong.

    Raises:
        RuntimeError: The error is not within the workload's tolerance.
    """
    tolerance = make_workload(workload).tolerance
    if not error <= tolerance:
        raise RuntimeError(f"{who} computes {workload} wrong: an error of {error:.2g}, where {tolerance:g} is allowed")
