"""Private inference: one has a trained network, another has images; the network reads images that it never sees.

    python examples/encrypted/mnist_inference.py --mnist DIR

Alice has trained a convolutional network; bob has images. Each shares what it has between the two of them, so that
alice does not see the images, bob does not see the network, and james, who deals out random numbers, sees neither. The
program that drives them fetches nothing but the predicted digits.
"""

from __future__ import annotations

import argparse
import time
from dataclasses import dataclass

import torch
from rich.console import Console
from rich.table import Table
from torch import nn

import syft as sy
from examples.encrypted.cnn import Net, train_plain
from examples.encrypted.digits import load_digits, mnist_option, side_by_side

ENCODING = {"base": 2, "precision_fractional": 16}
SHOWN = 5  # images in a row, 80 columns


@dataclass(frozen=True)
class Read:
    """What came out, and what it took.

    Args:
        labels: the predicted digits, int64 of shape (N,).
        seconds: from the first image to the last prediction.
        costs: rounds, bytes and seconds by operation.
    """

    labels: torch.Tensor
    seconds: float
    costs: sy.mpc.Profile


def share_model(model: nn.Module, alice: sy.VirtualWorker, bob: sy.VirtualWorker, james: sy.VirtualWorker) -> nn.Module:
    """A model that is at alice's becomes one on shares.

    Alice encodes and shares it; ``get`` fetches who holds the shares, and none of its numbers.
    """
    return model.send(alice).fix_precision(**ENCODING).share(alice, bob, crypto_provider=james).get()


def read(
    model: nn.Module,
    images: torch.Tensor,
    holders: tuple[sy.VirtualWorker, sy.VirtualWorker],
    james: sy.VirtualWorker,
    batch_size: int,
) -> Read:
    """Classify images that a worker has with a model on shares.

    Args:
        model: shared.
        images: (N, 1, 28, 28), at their owner's.
        holders: of the model's shares.
        james: makes the randomness.
        batch_size: how many images are read together.
    """
    found = []
    with sy.mpc.profile() as costs, torch.no_grad():
        start = time.perf_counter()
        for batch in images.split(batch_size):
            shared = batch.fix_precision(**ENCODING).share(*holders, crypto_provider=james).get()
            # The scores would tell more about the model than the digits do; they are never fetched.
            found.append(model(shared).argmax(dim=1).get())
        seconds = time.perf_counter() - start
    return Read(torch.cat([as_integers(labels) for labels in found]), seconds, costs)


def as_integers(labels: torch.Tensor) -> torch.Tensor:
    """Predicted digits, which come as numbers in fixed precision."""
    return labels.float_precision().long() if labels.is_wrapper else labels


def table_of(result: Read, labels: torch.Tensor, plain: torch.Tensor) -> Table:
    """How good and how expensive it was."""
    total, count = result.costs.total, len(labels)
    table = Table(box=None, show_header=False, pad_edge=False)
    table.add_column(style="bold")
    table.add_column()
    right, same = (int((result.labels == other).sum()) for other in (labels, plain))
    table.add_row("right", f"{right} of {count}, {right / count:.1%}")
    table.add_row("as in plain sight", f"{same} of {count}")
    table.add_row("seconds", f"{result.seconds:.2f}, or {1000 * result.seconds / count:.0f} ms an image")
    table.add_row("rounds", f"{total.rounds} of messages between the holders")
    table.add_row("bytes", f"{total.bytes:,} sent by the holders, {total.bytes // count:,} an image")
    return table


def costs_of(costs: sy.mpc.Profile) -> Table:
    """Which operations cost most, of those that need messages."""
    table = Table(box=None, pad_edge=False, header_style="bold", title="Where it went", title_justify="left")
    table.add_column("operation")
    for heading in ("calls", "rounds", "bytes", "ms"):
        table.add_column(heading, justify="right")
    for name, cost in sorted(costs.costs.items(), key=lambda item: -item[1].seconds):
        if cost.rounds:
            table.add_row(name, str(cost.calls), str(cost.rounds), f"{cost.bytes:,}", f"{1000 * cost.seconds:.0f}")
    return table


def main() -> None:
    """Read the command line, train in plain sight, share, classify, show."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    mnist_option(parser)
    parser.add_argument("--train", type=int, default=3000, help="images that alice trains with, in plain sight")
    parser.add_argument("--images", type=int, default=32, help="images that bob has classified")
    parser.add_argument("--batch-size", type=int, default=16)
    options = parser.parse_args()
    torch.set_num_threads(1)  # the parties take turns here; more threads would only get in their way
    console = Console(highlight=False)
    hook = sy.TorchHook(torch)
    alice, bob, james = (sy.VirtualWorker(hook, id=name) for name in ("alice", "bob", "james"))
    torch.manual_seed(0)
    digits = load_digits(options.mnist, options.train, options.images)
    images, labels = digits.test
    console.print(f"[bold]Private inference on {digits.name}[/]")
    model = Net()
    with console.status("alice trains her network in plain sight"):
        train_plain(model, *digits.train)
    with torch.no_grad():
        plain = torch.cat([model(batch).argmax(1) for batch in images.split(500)])
    numbers = sum(p.numel() for p in model.parameters())
    console.print(f"alice has a network of {numbers:,} numbers; bob has {len(images)} images\n")
    with console.status("alice and bob compute on shares"):
        model = share_model(model, alice, bob, james)
        result = read(model, images.send(bob), (alice, bob), james, options.batch_size)
    for at in range(0, min(len(images), 2 * SHOWN), SHOWN):
        here = slice(at, min(at + SHOWN, len(images)))
        console.print(side_by_side(images[here]), soft_wrap=True, markup=False)
        answers = zip(result.labels[here].tolist(), labels[here].tolist(), strict=True)
        marked = [f"{a:^14}" if a == b else f"[red]{f'{a}, not {b}':^14}[/]" for a, b in answers]
        console.print("  ".join(marked) + "\n", soft_wrap=True)
    console.print(table_of(result, labels, plain))
    console.print()
    console.print(costs_of(result.costs))


if __name__ == "__main__":
    main()
