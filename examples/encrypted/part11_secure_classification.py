"""PySyft's tutorial, part 11: a client's images are classified by a server's model; neither sees what the other has.

python examples/encrypted/part11_secure_classification.py --mnist DIR
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterable

import torch
import torch.nn.functional as F
from torch import nn, optim

import syft as sy
from examples.encrypted.digits import load_digits, mnist_option

Batches = Iterable[tuple[torch.Tensor, torch.Tensor]]


class Net(nn.Module):
    """Images (N, 1, 28, 28) to scores of the ten digits (N, 10)."""

    def __init__(self) -> None:
        super().__init__()
        self.fc1, self.fc2 = nn.Linear(784, 500), nn.Linear(500, 10)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.fc2(F.relu(self.fc1(x.view(-1, 784))))


def train(model: nn.Module, batches: Batches) -> None:
    """The server trains its model on images of its own, in plain sight."""
    optimizer = optim.Adam(model.parameters(), lr=0.001)
    for images, labels in batches:
        optimizer.zero_grad()
        F.cross_entropy(model(images), labels).backward()
        optimizer.step()


def count_right(model: nn.Module, batches: Batches) -> torch.Tensor | int:
    """How many images a model gets right.

    Args:
        model: an ordinary model, or one on shares.
        batches: images and labels; shared if the model is.

    Returns:
        A tensor without dimensions; shared if the model is. Which images were right stays a secret.
    """
    right: torch.Tensor | int = 0
    with torch.no_grad():
        for images, labels in batches:
            pred = model(images).argmax(dim=1)
            right += pred.eq(labels.view_as(pred)).sum()
    return right


def main() -> None:
    """Read the command line, train, share, test."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    mnist_option(parser)
    parser.add_argument("--train", type=int, default=6400, help="images that the server trains with")
    parser.add_argument("--test", type=int, default=40, help="images that the client has classified")
    parser.add_argument("--batch-size", type=int, default=4)
    options = parser.parse_args()
    hook = sy.TorchHook(torch)
    # The client and bob hold the shares; james, who deals out random numbers, is neither of them.
    client, bob, james = (sy.VirtualWorker(hook, id=name) for name in ("client", "bob", "james"))
    torch.manual_seed(1)
    digits = load_digits(options.mnist, options.train, options.test)
    model = Net()
    train(model, zip(*[part.split(64) for part in digits.train], strict=True))
    own = [(images, labels) for images, labels in zip(*[p.split(options.batch_size) for p in digits.test], strict=True)]
    plain = int(count_right(model, own))

    private = [
        (
            images.fix_precision().share(client, bob, crypto_provider=james),
            labels.float().fix_precision().share(client, bob, crypto_provider=james),
        )
        for images, labels in own
    ]
    model.fix_precision().share(client, bob, crypto_provider=james)
    start = time.perf_counter()
    shared = count_right(model, private)
    seconds = time.perf_counter() - start
    print("the number of right answers, shared:", shared)
    right = shared.copy().get().float_precision().long().item()
    total = len(digits.test[1])
    print(f"{digits.name}: {right} of {total} right on shares, {plain} of {total} in plain sight")
    print(f"{seconds / len(own):.3f} s a batch of {options.batch_size}")


if __name__ == "__main__":
    main()
