"""`python -m benchmarks.peer_environments [NAME ...]` installs the peers, each beside its own versions of the rest.

An environment is a folder of its own in `.bench-env/`, or in the folder that the variable SYFT_BENCH_ENV names.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from benchmarks.fresh import ROOT

INSTALL = "python -m benchmarks.peer_environments"


@dataclass(frozen=True, slots=True)
class Environment:
    """The Python in which one peer runs.

    Attributes:
        name: Its folder's name.
        title: The peer and its version, as the table shows them.
        module: What runs the peer there.
        steps: What pip is told to install, in this order.
    """

    name: str
    title: str
    module: str
    steps: tuple[tuple[str, ...], ...]

    @property
    def python(self) -> Path:
        """Its interpreter, which is there once it is installed."""
        return Path(os.environ.get("SYFT_BENCH_ENV") or ROOT / ".bench-env") / self.name / "bin" / "python"

    @property
    def complete(self) -> bool:
        """Whether all of its steps were carried out."""
        return self._mark.exists()

    @property
    def _mark(self) -> Path:
        return self.python.parents[1] / "installed"

    def install(self) -> None:
        """Make the folder and install the peer.

        Raises:
            CalledProcessError: A step failed, and has said why.
        """
        subprocess.run([sys.executable, "-m", "venv", str(self.python.parents[1])], check=True)
        for step in self.steps:
            subprocess.run([str(self.python), "-m", "pip", "install", "--quiet", *step], check=True)
        self._mark.touch()


CRYPTEN = Environment(
    name="crypten",
    title="CrypTen 0.4.1",
    module="benchmarks.peers.crypten_peer",
    # CrypTen asks for packages that are gone or that only its examples use.
    steps=(
        ("torch==2.13.0", "numpy==2.4.6"),
        ("omegaconf==2.4.0", "onnx==1.23.2", "PyYAML>=6"),
        ("--no-deps", "crypten==0.4.1"),
    ),
)
SPU = Environment(name="spu", title="SPU 0.9.5", module="benchmarks.peers.spu_peer", steps=(("spu==0.9.5",),))
ENVIRONMENTS = {environment.name: environment for environment in (CRYPTEN, SPU)}


def main() -> None:
    """Install the peers asked for, or all."""
    parser = argparse.ArgumentParser(prog=INSTALL, description="Install what the encrypted benchmark compares with.")
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"one of {', '.join(ENVIRONMENTS)}; all by default")
    names = parser.parse_args().names or list(ENVIRONMENTS)
    if unknown := set(names) - set(ENVIRONMENTS):
        parser.error(f"there is no peer {', '.join(sorted(unknown))}; there are {', '.join(ENVIRONMENTS)}")
    for name in names:
        ENVIRONMENTS[name].install()


if __name__ == "__main__":
    main()
