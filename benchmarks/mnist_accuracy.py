"""Accuracy and time an epoch of the seeds' sequential MNIST program: `python -m benchmarks.mnist_accuracy --epochs N`.

The program itself runs, in its own process and a temporary folder; its printed test lines become a file of JSON lines.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from rich.console import Console

from benchmarks.models import MNIST

ROOT = Path(__file__).resolve().parents[1]
SEEDS = ROOT / "tests" / "seeds"
TEST_LINE = re.compile(r"Test set: Average loss: ([\d.]+), Accuracy: (\d+)/(\d+)")


def parse_arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.mnist_accuracy", description=__doc__)
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--data", type=Path, default=MNIST, help="folder of the four gzip files")
    parser.add_argument("--log", type=Path, default=Path("mnist_accuracy.jsonl"), help="one line an epoch")
    parser.add_argument("--threads", type=int, default=1, help="torch threads")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--wire", action="store_true", help="workers serialise every message")
    parser.add_argument("--train-images", type=int, default=60_000)
    parser.add_argument("--test-images", type=int, default=10_000)
    return parser.parse_args()


def epochs(options: argparse.Namespace, folder: Path) -> Iterator[dict[str, float]]:
    """Run the program and yield what each epoch's test line says, with the seconds since the one before.

    Raises:
        RuntimeError: The program ended with an error.
    """
    command = [sys.executable, "-u", str(SEEDS / "launch.py"), "--epochs", str(options.epochs)]
    command += ["--seed", str(options.seed), "--mnist", str(options.data.resolve())]
    command += ["--train-images", str(options.train_images), "--test-images", str(options.test_images)]
    command += ["--wire"] if options.wire else []
    command.append(str(SEEDS / "programs" / "mnist.py"))
    paths = [str(ROOT / "src"), *filter(None, [os.environ.get("PYTHONPATH")])]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(paths), "OMP_NUM_THREADS": str(options.threads)}
    started, epoch = time.perf_counter(), 0
    with subprocess.Popen(command, cwd=folder, env=environment, stdout=subprocess.PIPE, text=True) as program:
        for line in program.stdout or ():
            if match := TEST_LINE.match(line):
                epoch, now = epoch + 1, time.perf_counter()
                hits, images = int(match[2]), int(match[3])
                yield {
                    "epoch": epoch,
                    "loss": float(match[1]),
                    "correct": hits,
                    "images": images,
                    "accuracy": hits / images,
                    "seconds": round(now - started, 2),
                }
                started = now
    if program.returncode != 0:
        raise RuntimeError(f"the seeds' MNIST program ended with {program.returncode}; its error stands above.")


def main() -> None:
    """Run, print and log."""
    options = parse_arguments()
    console = Console()
    with tempfile.TemporaryDirectory() as folder, options.log.open("w", encoding="utf-8") as log:
        for record in epochs(options, Path(folder)):
            log.write(json.dumps(record) + "\n")
            log.flush()
            console.print(
                f"epoch {record['epoch']}: accuracy {record['accuracy']:.4f}, "
                f"loss {record['loss']:.4f}, {record['seconds']:.0f} s"
            )


if __name__ == "__main__":
    main()
