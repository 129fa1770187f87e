"""Fixtures that start the seeds' programs, and workers for the tests that follow the seeds in this process."""

from __future__ import annotations

import itertools
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path

import pytest
import torch

import syft as sy

HERE = Path(__file__).resolve().parent
REPOSITORY = HERE.parents[1]
SHARED = REPOSITORY.parent / "shared"
DEBUGGER_PROMPT = re.compile(r"\(Pdb\) ")
SHOWN = re.compile(r"^\[show\] (.*?) = (.*)$")

fresh_ids = itertools.count(1)


@dataclass(frozen=True)
class ProgramRun:
    """What one run of a program left behind: its lines, the values asked for, and its folder."""

    lines: list[str]
    folder: Path
    shown: dict[str, str] = field(default_factory=dict)

    @property
    def text(self) -> str:
        """The printed lines as one string."""
        return "\n".join(self.lines)


ProgramRunner = Callable[..., ProgramRun]


@pytest.fixture(params=[False, True], ids=["by_reference", "wire"])
def wire(request: pytest.FixtureRequest) -> bool:
    """Whether workers serialise every message."""
    return bool(request.param)


@pytest.fixture
def run_program(tmp_path: Path) -> ProgramRunner:
    """Run `programs/<name>.py` in its own process and folder; warnings are errors there."""

    def run(name: str, *options: str, show: tuple[str, ...] = (), answers: str = "", seconds: int = 120) -> ProgramRun:
        shows = [part for expression in show for part in ("--show", expression)]
        command = [sys.executable, "-W", "error", "-W", "ignore:Failed to load image Python extension"]
        command += [str(HERE / "launch.py"), *options, *shows, str(HERE / "programs" / f"{name}.py")]
        paths = [str(REPOSITORY / "src"), *filter(None, [os.environ.get("PYTHONPATH")])]
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(paths), "OMP_NUM_THREADS": "1"}
        finished = subprocess.run(
            command, cwd=tmp_path, env=environment, input=answers, capture_output=True, text=True, timeout=seconds
        )
        assert finished.returncode == 0, f"{name} ended with {finished.returncode}:\n{finished.stderr}"
        assert finished.stderr == ""
        printed = [DEBUGGER_PROMPT.sub("", line) for line in finished.stdout.splitlines()]
        shown = {match[1]: match[2] for line in printed if (match := SHOWN.match(line))}
        return ProgramRun([line for line in printed if not SHOWN.match(line)], tmp_path, shown)

    return run


@pytest.fixture
def mnist() -> Path:
    """The folder of the four MNIST files; skips where they or torchvision are missing."""
    if find_spec("torchvision") is None:
        pytest.skip("torchvision is not installed")
    folder = SHARED / "data" / "MNIST"
    if not (folder / "train-images-idx3-ubyte.gz").exists():
        pytest.skip(f"the MNIST files are not in {folder}")
    return folder


@pytest.fixture
def hook() -> sy.TorchHook:
    """The hooked torch."""
    return sy.TorchHook(torch)


@pytest.fixture
def bob_and_alice(hook: sy.TorchHook, wire: bool) -> Iterator[tuple[sy.VirtualWorker, sy.VirtualWorker]]:
    """Two workers that hold nothing, under ids that no other test uses."""
    number = next(fresh_ids)
    pair = tuple(sy.VirtualWorker(hook, id=f"{name}_of_seeds_{number}", wire=wire) for name in ("bob", "alice"))
    yield pair
    for worker in pair:
        worker.remove_worker_from_local_worker_registry()
