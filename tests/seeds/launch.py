"""Run one of the seeds' programs as `__main__`, changing only what the command line names.

A program sees the same process as if it had been started directly, with two differences: it may not open a network
connection, and it may be given an MNIST folder to read, a starting seed or a number of epochs.
"""

from __future__ import annotations

import argparse
import functools
import gzip
import struct
import sys
import types
import warnings
from pathlib import Path
from typing import Any

EPOCHS_LINE = "'epochs': 10,"
MNIST_FOLDERS = ("./mnist_data", r"D:\Python\PycharmProjects\PFLTest\mnist_data2")
MNIST_FILES = {
    "train": ("train-images-idx3-ubyte", "train-labels-idx1-ubyte"),
    "test": ("t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"),
}


def first_items(idx: bytes, count: int) -> bytes:
    """Return an idx file that holds the first `count` items of the idx file `idx`."""
    dimensions = idx[3]
    header_size = 4 + 4 * dimensions
    shape = struct.unpack(f">{dimensions}I", idx[4:header_size])
    kept = min(count, shape[0])
    item_size = 1
    for length in shape[1:]:
        item_size *= length
    header = idx[:4] + struct.pack(f">{dimensions}I", kept, *shape[1:])
    return header + idx[header_size : header_size + kept * item_size]


def lay_out_mnist(source: Path, counts: dict[str, int]) -> None:
    """Unpack the gzip files of `source` into the current folder, where the programs look for them."""
    for folder in MNIST_FOLDERS:
        raw = Path(folder, "MNIST", "raw")
        raw.mkdir(parents=True, exist_ok=True)
        for part, names in MNIST_FILES.items():
            for name in names:
                idx = gzip.decompress((source / (name + ".gz")).read_bytes())
                (raw / name).write_bytes(first_items(idx, counts[part]))


def refuse_network(event: str, arguments: tuple[Any, ...]) -> None:
    """Audit hook: a program of the seeds has no business outside its process."""
    if event in ("socket.connect", "socket.getaddrinfo"):
        raise RuntimeError(f"the program tried to reach the network: {event} {arguments[1:]}")


def read_program(path: Path, epochs: int | None) -> str:
    """Return the program's text, with `epochs` in place of the ten that it names."""
    text = path.read_text(encoding="utf-8")
    if epochs is None:
        return text
    if text.count(EPOCHS_LINE) != 1:
        raise SystemExit(f"{path.name} does not name its epochs exactly once as {EPOCHS_LINE!r}")
    return text.replace(EPOCHS_LINE, EPOCHS_LINE.replace("10", str(epochs)))


def prepare_torch(options: argparse.Namespace) -> None:
    """Apply the options that concern torch and syft."""
    if options.seed is not None or options.precision is not None:
        import torch

        if options.seed is not None:
            torch.manual_seed(options.seed)
        if options.precision is not None:
            torch.set_printoptions(precision=options.precision)
    if options.hook:
        import torch

        import syft

        syft.TorchHook(torch)
    if options.wire:
        import syft

        syft.VirtualWorker = functools.partial(syft.VirtualWorker, wire=True)


def parse_arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("program", type=Path)
    parser.add_argument("--wire", action="store_true", help="every VirtualWorker serialises its messages")
    parser.add_argument("--hook", action="store_true", help="hook torch before the program starts")
    parser.add_argument("--seed", type=int, help="torch.manual_seed before the program starts")
    parser.add_argument("--precision", type=int, help="digits of printed tensors")
    parser.add_argument("--epochs", type=int, help="epochs instead of the program's ten")
    parser.add_argument("--mnist", type=Path, help="folder of the four gzip files, laid out where the program looks")
    parser.add_argument("--train-images", type=int, default=60_000)
    parser.add_argument("--test-images", type=int, default=10_000)
    parser.add_argument("--show", action="append", default=[], help="print this expression's value after the program")
    return parser.parse_args()


def main() -> None:
    """Run the program, then print the expressions asked for."""
    options = parse_arguments()
    if options.mnist is not None:
        lay_out_mnist(options.mnist, {"train": options.train_images, "test": options.test_images})
    sys.addaudithook(refuse_network)
    prepare_torch(options)
    with warnings.catch_warnings():
        # The Windows path of one program holds "\P", which Python warns of; the line stays as it was written.
        warnings.simplefilter("ignore")
        code = compile(read_program(options.program, options.epochs), str(options.program), "exec")
    sys.argv = [str(options.program)]
    module = types.ModuleType("__main__")
    module.__file__ = str(options.program)
    sys.modules["__main__"] = module
    exec(code, vars(module))
    for expression in options.show:
        print(f"[show] {expression} = {eval(expression, vars(module))}")


if __name__ == "__main__":
    main()
