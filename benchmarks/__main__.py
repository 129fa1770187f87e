"""`python -m benchmarks [--only NAME] [--quick] [--json FILE]`."""

from __future__ import annotations

import argparse
from pathlib import Path

import torch
from rich.console import Console

import syft as sy
from benchmarks.report import show, write_json
from benchmarks.suite import SUITE

# Columns of the table where there is no terminal to ask.
LOG_WIDTH = 170


def parse_arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description="What the library costs, as ratios.")
    parser.add_argument("--only", action="append", choices=SUITE, help="run this benchmark; may be repeated")
    parser.add_argument("--quick", action="store_true", help="fewer samples: a glance, not a figure to quote")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write rows, machine and versions to FILE")
    return parser.parse_args()


def main() -> None:
    """Run the benchmarks asked for on one torch thread, print the table and write the file."""
    options = parse_arguments()
    console = Console()
    if not console.is_terminal:
        console = Console(width=LOG_WIDTH)
    torch.set_num_threads(1)
    # The first optimizer of a process imports torch._dynamo, which takes a second and is no cost of ours.
    torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.1)
    hook = sy.TorchHook(torch)
    rows = []
    for name in options.only or SUITE:
        with console.status(name):
            rows += SUITE[name](hook, quick=options.quick)
    show(rows, console)
    if options.json is not None:
        write_json(rows, options.json, quick=options.quick)


if __name__ == "__main__":
    main()
