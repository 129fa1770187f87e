"""The images: MNIST from a folder, or the small digits of scikit-learn; who holds which, and what is tested with."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from syft.federated.idx import load_mnist

# Each worker has seen some digits only: the average alone knows all ten.
DIGITS = {"alice": "0-3", "bob": "4-6", "charlie": "7-9"}


@dataclass(frozen=True)
class Images:
    """What the example trains and tests with.

    Args:
        name: of the set.
        held: what each worker is started with, as ``--data`` takes it.
        test: images, float32 of shape (N, size, size) from 0 to 1, and their labels.
        normal: mean and standard deviation of a pixel.
    """

    name: str
    held: dict[str, str]
    test: tuple[torch.Tensor, torch.Tensor]
    normal: tuple[float, float]

    @property
    def size(self) -> int:
        """Rows and columns of an image."""
        return self.test[0].shape[-1]


def mnist(folder: Path) -> Images:
    """MNIST; the workers read the files themselves."""
    images, labels = load_mnist(folder, train=False)
    held = {name: f"digits={folder.resolve()}?digits={which}" for name, which in DIGITS.items()}
    return Images("MNIST", held, (images.float() / 255, labels), (0.1307, 0.3081))


def small_digits(folder: Path) -> Images:
    """scikit-learn's 1797 digits of 8 x 8, one in five kept for testing; written to a file that the workers read."""
    from sklearn.datasets import load_digits

    loaded = load_digits()
    images, labels = torch.from_numpy(loaded.images).float() / 16, torch.from_numpy(loaded.target).long()
    order = torch.randperm(len(labels), generator=torch.Generator().manual_seed(0))
    test, train = order[:360], order[360:]
    file = folder.resolve() / "digits.npz"
    np.savez(file, data=images[train].numpy(), targets=labels[train].numpy())
    held = {name: f"digits={file}?digits={which}" for name, which in DIGITS.items()}
    return Images("scikit-learn digits", held, (images[test], labels[test]), (0.305, 0.376))
