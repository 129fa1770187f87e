"""The network that the MNIST programs share among workers, and its training in plain sight."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import nn, optim


class Net(nn.Module):
    """Two convolutions with pooling, two dense layers; images (N, 1, 28, 28) to scores of the ten digits (N, 10).

    Args:
        channels: of the two convolutions.
        hidden: outputs of the first dense layer.
    """

    def __init__(self, channels: tuple[int, int] = (20, 50), hidden: int = 500) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(1, channels[0], 5)
        self.conv2 = nn.Conv2d(channels[0], channels[1], 5)
        self.fc1 = nn.Linear(4 * 4 * channels[1], hidden)
        self.fc2 = nn.Linear(hidden, 10)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        # Pooled first, a quarter of the numbers is left to be rectified; the result is the same.
        x = F.relu(F.max_pool2d(self.conv1(x), 2))
        x = F.relu(F.max_pool2d(self.conv2(x), 2))
        return self.fc2(F.relu(self.fc1(x.flatten(1))))


def train_plain(model: nn.Module, images: torch.Tensor, labels: torch.Tensor, epochs: int = 1) -> None:
    """Train as usual, with Adam on batches of 32."""
    optimizer = optim.Adam(model.parameters(), lr=0.001)
    for _ in range(epochs):
        for x, y in zip(images.split(32), labels.split(32), strict=True):
            optimizer.zero_grad()
            F.cross_entropy(model(x), y).backward()
            optimizer.step()
