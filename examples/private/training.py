"""A digit classifier trained with differential privacy: the network, the recipe, and the loop."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch.utils.data import DataLoader, TensorDataset

import syft as sy
from examples.encrypted.digits import Digits

TEST_BATCH = 1000


class TanhNet(torch.nn.Module):
    """Two convolutions and two linear layers, 26 010 parameters; bounded activations suit clipping (arXiv 2007.14191).

    Shape:
        Input ``(N, 1, 28, 28)``, output ``(N, 10)``.
    """

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = torch.nn.Conv2d(1, 16, 8, stride=2, padding=3)
        self.conv2 = torch.nn.Conv2d(16, 32, 4, stride=2)
        self.fc1 = torch.nn.Linear(32 * 4 * 4, 32)
        self.fc2 = torch.nn.Linear(32, 10)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        hidden = F.max_pool2d(torch.tanh(self.conv1(images)), 2, 1)
        hidden = F.max_pool2d(torch.tanh(self.conv2(hidden)), 2, 1)
        return self.fc2(torch.tanh(self.fc1(hidden.flatten(1))))


@dataclass(frozen=True)
class Recipe:
    """How to train.

    Args:
        epsilon: the budget for all of the training; None trains without privacy.
        delta: of the budget, far below one by the number of images.
        epochs: over the images, on average.
        batch_size: on average.
        max_grad_norm: what the gradient of one image is clipped to.
        lr: the learning rate.
        momentum: of the optimizer.
    """

    epsilon: float | None = 3.0
    delta: float = 1e-5
    epochs: int = 10
    batch_size: int = 512
    max_grad_norm: float = 0.1
    lr: float = 2.0
    momentum: float = 0.9


@dataclass(frozen=True)
class Epoch:
    """What an epoch came to.

    Args:
        number: from 1.
        accuracy: on the test images, from 0 to 1.
        epsilon: spent so far; None without privacy.
        seconds: since the start.
    """

    number: int
    accuracy: float
    epsilon: float | None
    seconds: float

    def __str__(self) -> str:
        spent = "no privacy" if self.epsilon is None else f"epsilon {self.epsilon:.2f}"
        return f"epoch {self.number:2d}: {self.accuracy:.2%} of the test images right, {spent}, {self.seconds:.0f} s"


def train(digits: Digits, recipe: Recipe, report: Callable[[Epoch], None] = lambda epoch: None) -> list[Epoch]:
    """Train a `TanhNet`.

    Args:
        digits: to train and to test with.
        recipe: how.
        report: is called after each epoch.

    Returns:
        The epochs.
    """
    model = TanhNet()
    optimizer = torch.optim.SGD(model.parameters(), lr=recipe.lr, momentum=recipe.momentum)
    loader = DataLoader(TensorDataset(*digits.train), batch_size=recipe.batch_size, shuffle=True)
    private = None
    if recipe.epsilon is not None:
        private = sy.dp.make_private(
            model,
            optimizer,
            loader,
            epsilon=recipe.epsilon,
            delta=recipe.delta,
            epochs=recipe.epochs,
            max_grad_norm=recipe.max_grad_norm,
        )
        model, optimizer, loader = private
    epochs, start = [], time.monotonic()
    for number in range(1, recipe.epochs + 1):
        for images, labels in loader:
            optimizer.zero_grad()
            F.cross_entropy(model(images), labels).backward()
            optimizer.step()
        spent = private.epsilon() if private else None
        epochs.append(Epoch(number, accuracy(model, *digits.test), spent, time.monotonic() - start))
        report(epochs[-1])
    return epochs


@torch.no_grad()
def accuracy(model: torch.nn.Module, images: torch.Tensor, labels: torch.Tensor) -> float:
    """The part of the images that a model reads right."""
    batches = zip(images.split(TEST_BATCH), labels.split(TEST_BATCH), strict=True)
    return sum(int((model(x).argmax(1) == y).sum()) for x, y in batches) / len(labels)
