"""The models and data that the seeds train."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy
import torch
import torch.nn.functional as F
from torch import nn

MNIST = Path(__file__).resolve().parents[2] / "shared" / "data" / "MNIST"
MEAN, DEVIATION = 0.1307, 0.3081

POINTS = torch.tensor([[0, 0], [0, 1], [1, 0], [1, 1.0]])
LABELS = torch.tensor([[0], [0], [1], [1.0]])


class Net(nn.Module):
    """The CNN of the seeds' MNIST program."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Sequential(
            nn.Conv2d(in_channels=1, out_channels=32, kernel_size=3, stride=1),
            nn.ReLU(),
            nn.Conv2d(in_channels=32, out_channels=64, kernel_size=3, stride=1),
            nn.ReLU(),
        )
        self.fc = nn.Sequential(
            nn.Linear(in_features=64 * 12 * 12, out_features=128),
            nn.ReLU(),
            nn.Linear(in_features=128, out_features=10),
        )
        self.dropout = nn.Dropout2d(0.25)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Images (n, 1, 28, 28) to log-probabilities (n, 10)."""
        x = self.conv(x)
        x = F.max_pool2d(x, 2)
        x = x.view(-1, 64 * 12 * 12)
        x = self.fc(x)
        return F.log_softmax(x, dim=1)


def read_idx(path: Path, count: int) -> torch.Tensor:
    """Read the first `count` items of a gzip idx file of bytes."""
    with gzip.open(path) as stream:
        dimensions = stream.read(4)[3]
        shape = numpy.frombuffer(stream.read(4 * dimensions), dtype=">u4").astype(int)
        item = int(shape[1:].prod())
        content = numpy.frombuffer(stream.read(count * item), dtype=numpy.uint8)
    return torch.from_numpy(content.reshape(-1, *shape[1:]).copy())


def mnist_batches(batches: int, size: int) -> tuple[list[tuple[torch.Tensor, torch.Tensor]], str]:
    """Return normalised training batches, and whether they are real.

    Returns:
        A list of images (size, 1, 28, 28) float32 with labels (size,) int64, and `"real MNIST"` or `"random images"`.
    """
    images_file, labels_file = MNIST / "train-images-idx3-ubyte.gz", MNIST / "train-labels-idx1-ubyte.gz"
    count = batches * size
    if images_file.exists() and labels_file.exists():
        images = (read_idx(images_file, count).float().div(255).sub(MEAN)).div(DEVIATION).unsqueeze(1)
        labels, source = read_idx(labels_file, count).long(), "real MNIST"
    else:
        generator = torch.Generator().manual_seed(0)
        images = torch.randn(count, 1, 28, 28, generator=generator)
        labels, source = torch.randint(10, (count,), generator=generator), "random images"
    return list(zip(images.split(size), labels.split(size), strict=True)), source
