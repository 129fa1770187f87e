"""The small convolutional network that the demo trains."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional

from syft.exceptions import FederatedError

CLASSES = 10


class Net(nn.Module):
    """Two convolutions of 3 x 3, a pooling and two dense layers, for square grey images.

    On the 28 x 28 images of MNIST the first dense layer takes 64 * 12 * 12 values; on images of another size
    only that number changes, and with 8 x 8 ones it is 64 * 2 * 2.

    Args:
        size: rows and columns of an image, at least 6.

    Raises:
        FederatedError: the images are too small for two convolutions and a pooling.

    Example:
        >>> Net(size=8)(torch.zeros(5, 1, 8, 8)).shape
        torch.Size([5, 10])
    """

    def __init__(self, size: int = 28) -> None:
        super().__init__()
        pooled = (size - 4) // 2
        if pooled < 1:
            raise FederatedError(f"images of {size} x {size} are too small for this network; it needs 6 x 6 or more.")
        self.conv = nn.Sequential(
            nn.Conv2d(1, 32, kernel_size=3),
            nn.ReLU(),
            nn.Conv2d(32, 64, kernel_size=3),
            nn.ReLU(),
        )
        self.fc = nn.Sequential(nn.Linear(64 * pooled * pooled, 128), nn.ReLU(), nn.Linear(128, CLASSES))

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Classify images.

        Args:
            images: float tensor of shape (N, 1, size, size), here or on a worker.

        Returns:
            Logarithms of the class probabilities, of shape (N, 10).
        """
        features = functional.max_pool2d(self.conv(images), 2)
        return functional.log_softmax(self.fc(features.flatten(1)), dim=1)
