"""Models that the tests of plans train and run."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import nn


class Cnn(nn.Module):
    """The convolutional network of the MNIST programs."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(1, 20, 5, 1)
        self.conv2 = nn.Conv2d(20, 50, 5, 1)
        self.fc1 = nn.Linear(4 * 4 * 50, 500)
        self.fc2 = nn.Linear(500, 10)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Log-probabilities, (N, 10), of images, (N, 1, 28, 28)."""
        x = F.max_pool2d(F.relu(self.conv1(x)), 2, 2)
        x = F.max_pool2d(F.relu(self.conv2(x)), 2, 2)
        x = F.relu(self.fc1(x.view(-1, 4 * 4 * 50)))
        return F.log_softmax(self.fc2(x), dim=1)


class Sequences(nn.Module):
    """Embedding, attention and LSTM over tokens."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(10, 8)
        self.attention = nn.TransformerEncoderLayer(8, 2, 16, dropout=0.0, batch_first=True)
        self.lstm = nn.LSTM(8, 4, batch_first=True)

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        """(N, 4) of tokens, (N, T)."""
        out, _ = self.lstm(self.attention(self.embedding(tokens)))
        return out.mean(1)


def mlp() -> nn.Sequential:
    """A small network with batch norm and dropout."""
    return nn.Sequential(nn.Linear(3, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Dropout(0.0), nn.Linear(8, 2))
