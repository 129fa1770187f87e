"""PySyft's tutorial, part 12 bis: digits that nobody sees train a network that nobody sees.

python examples/encrypted/part12bis_encrypted_mnist_training.py --mnist DIR
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import nn, optim

import syft as sy
from examples.encrypted.digits import load_digits, mnist_option, one_hot

BATCH = 64
Batches = Sequence[tuple[torch.Tensor, torch.Tensor]]


class Net(nn.Module):
    """Images (N, 1, 28, 28) to scores of the ten digits (N, 10)."""

    def __init__(self) -> None:
        super().__init__()
        self.fc1, self.fc2, self.fc3 = nn.Linear(784, 128), nn.Linear(128, 64), nn.Linear(64, 10)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.fc3(F.relu(self.fc2(F.relu(self.fc1(x.view(-1, 784))))))


def in_batches(images: torch.Tensor, targets: torch.Tensor, made: Callable[[torch.Tensor], torch.Tensor]) -> Batches:
    """Images and targets in batches of 64, each turned into what it is trained with."""
    pairs = zip(images.split(BATCH), targets.split(BATCH), strict=True)
    return [(made(x), made(y)) for x, y in pairs]


def epoch(model: nn.Module, optimizer: optim.Optimizer, batches: Batches) -> list[torch.Tensor]:
    """Train on every batch once.

    Returns:
        The loss of each batch; shared if the model is.
    """
    losses = []
    for data, target in batches:
        optimizer.zero_grad()
        loss = squared_error(model(data), target)
        loss.backward()
        optimizer.step()
        losses.append(loss.detach())
    return losses


def squared_error(output: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
    """The tutorial's loss. ``refresh`` gives the holders fresh shares of the sum before it is divided."""
    total = ((output - target) ** 2).sum()
    return (total.refresh() if total.is_wrapper else total) / BATCH


def count_right(model: nn.Module, batches: Batches) -> torch.Tensor | int:
    """How many images a model gets right; a shared number if the model is shared."""
    right: torch.Tensor | int = 0
    with torch.no_grad():
        for data, target in batches:
            pred = model(data).argmax(dim=1)
            right += pred.eq(target.view_as(pred)).sum()
    return right


def main() -> None:
    """Read the command line and train both ways."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    mnist_option(parser)
    parser.add_argument("--train", type=int, default=640)
    parser.add_argument("--test", type=int, default=640)
    parser.add_argument("--epochs", type=int, default=1)
    parser.add_argument("--base", type=int, default=10)
    parser.add_argument("--precision", type=int, default=3, help="fractional digits")
    options = parser.parse_args()
    hook = sy.TorchHook(torch)
    alice, bob, james = (sy.VirtualWorker(hook, id=name) for name in ("alice", "bob", "james"))
    encoding = {"base": options.base, "precision_fractional": options.precision}

    def secret_share(tensor: torch.Tensor) -> Any:
        return tensor.fix_precision(**encoding).share(alice, bob, crypto_provider=james)

    digits = load_digits(options.mnist, options.train // BATCH * BATCH, options.test)
    images, labels = digits.train
    torch.manual_seed(0)
    model = Net()
    twin = Net()
    twin.load_state_dict(model.state_dict())
    twin_optimizer = optim.SGD(twin.parameters(), lr=0.02)
    model.fix_precision(**encoding).share(alice, bob, crypto_provider=james, requires_grad=True)
    optimizer = optim.SGD(model.parameters(), lr=0.02).fix_precision(**encoding)
    plain_batches = in_batches(images, one_hot(labels), lambda tensor: tensor)
    private_batches = in_batches(images, one_hot(labels), secret_share)
    private_test = in_batches(digits.test[0], digits.test[1].float(), secret_share)

    for number in range(1, options.epochs + 1):
        plain = [loss.item() for loss in epoch(twin, twin_optimizer, plain_batches)]
        start = time.perf_counter()
        shared = epoch(model, optimizer, private_batches)
        seconds = time.perf_counter() - start
        print(f"epoch {number} on {digits.name}: {seconds / len(shared):.2f} s a batch of {BATCH}")
        print("batch  loss on shares   plain")
        for index, (there, here) in enumerate(zip(shared, plain, strict=True), 1):
            print(f"{index:>5}  {there.get().float_precision().item():>14.4f}  {here:.4f}")
    right = count_right(model, private_test).get().float_precision().long().item()
    print(f"{right} of {len(digits.test[1])} test images are right, counted on shares")


if __name__ == "__main__":
    main()
