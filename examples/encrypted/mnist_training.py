"""Training a network that nobody sees on images and labels that nobody sees, next to the same training in plain sight.

    python examples/encrypted/mnist_training.py --mnist DIR

Bob has images and their labels; the network starts with random numbers and is shared from the beginning. Loss,
gradients and steps are computed on shares; what is fetched is the loss of each batch and, at the end, the network.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator, Sequence

import torch
import torch.nn.functional as F
from rich.console import Console
from torch import nn, optim

import syft as sy
from examples.encrypted.cnn import Net
from examples.encrypted.digits import load_digits, mnist_option, one_hot

ENCODING = {"base": 2, "precision_fractional": 16}
CHANNELS, HIDDEN = (8, 16), 64
Batches = Sequence[tuple[torch.Tensor, torch.Tensor]]


def losses(model: nn.Module, batches: Batches, lr: float) -> Iterator[torch.Tensor]:
    """Train with Adam, written as for any other tensors.

    Yields:
        The loss of each batch, before its step; shared if the model is.
    """
    optimizer = optim.Adam(model.parameters(), lr=lr, eps=1e-3)
    for images, targets in batches:
        optimizer.zero_grad()
        loss = F.cross_entropy(model(images), targets)
        loss.backward()
        optimizer.step()
        yield loss.detach()


def shared_batches(
    batches: Batches, bob: sy.VirtualWorker, holders: Sequence[sy.VirtualWorker], james: sy.VirtualWorker
) -> Batches:
    """Bob shares its images and labels."""

    def share(tensor: torch.Tensor) -> torch.Tensor:
        return tensor.send(bob).fix_precision(**ENCODING).share(*holders, crypto_provider=james).get()

    return [(share(images), share(targets)) for images, targets in batches]


def accuracy(model: nn.Module, images: torch.Tensor, labels: torch.Tensor) -> float:
    """The share of images that an ordinary model gets right."""
    with torch.no_grad():
        return (model(images).argmax(1) == labels).float().mean().item()


def main() -> None:
    """Read the command line and train both ways."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    mnist_option(parser)
    parser.add_argument("--train", type=int, default=1280)
    parser.add_argument("--batch-size", type=int, default=32)
    parser.add_argument("--lr", type=float, default=0.005)
    options = parser.parse_args()
    console = Console(highlight=False)
    torch.set_num_threads(1)  # the parties take turns here; more threads would only get in their way
    hook = sy.TorchHook(torch)
    alice, bob, james = (sy.VirtualWorker(hook, id=name) for name in ("alice", "bob", "james"))
    torch.manual_seed(0)
    digits = load_digits(options.mnist, options.train, 1000)
    images, labels = digits.train
    batches = list(zip(images.split(options.batch_size), one_hot(labels).split(options.batch_size), strict=True))
    model, twin = Net(CHANNELS, HIDDEN), Net(CHANNELS, HIDDEN)
    twin.load_state_dict(model.state_dict())
    numbers = sum(p.numel() for p in model.parameters())
    console.print(f"[bold]Training on shares of {digits.name}[/]: a network of {numbers:,} numbers\n")
    model.fix_precision(**ENCODING).share(alice, bob, crypto_provider=james)
    private = shared_batches(batches, bob, (alice, bob), james)
    console.print("batch  loss on shares   plain  seconds")
    start = time.perf_counter()
    both = zip(losses(model, private, options.lr), losses(twin, batches, options.lr), strict=True)
    for number, (there, here) in enumerate(both, 1):
        seconds, start = time.perf_counter() - start, time.perf_counter()
        shown = there.get().float_precision().item()
        console.print(f"{number:>5}  {shown:>14.4f}  {here.item():.4f}  {seconds:>7.2f}")
    model.get().float_precision()
    there, here = (accuracy(one, *digits.test) for one in (model, twin))
    console.print(
        f"\nright on {len(digits.test[1])} test images: {there:.1%} trained on shares, {here:.1%} in plain sight"
    )


if __name__ == "__main__":
    main()
