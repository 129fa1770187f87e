"""The images that the demo trains on: scikit-learn's digits, or MNIST from idx files."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch

from syft.core.optional import require
from syft.exceptions import FederatedError
from syft.federated.idx import load_mnist

_TEST_SHARE = 0.2


@dataclass(frozen=True, slots=True)
class Images:
    """A labelled set of square grey images, cut into a part to train on and a part to test with.

    Args:
        name: what the set is called.
        train_x: float32 of shape (N, 1, size, size), with mean 0 and deviation 1.
        train_y: int64 labels of shape (N,).
        test_x: float32 of shape (M, 1, size, size), scaled as ``train_x``.
        test_y: int64 labels of shape (M,).
    """

    name: str
    train_x: torch.Tensor
    train_y: torch.Tensor
    test_x: torch.Tensor
    test_y: torch.Tensor

    @property
    def size(self) -> int:
        """Rows and columns of an image."""
        return self.train_x.shape[-1]


def digits(seed: int, limit: int | None = None) -> Images:
    """The 1797 digits of 8 x 8 pixels that come with scikit-learn, one in five kept for testing.

    Args:
        seed: decides which ones.
        limit: train and test on so many samples at most.

    Returns:
        The images.

    Raises:
        DependencyError: scikit-learn is not installed.
    """
    loaded = require("sklearn.datasets", "demo", "scikit-learn").load_digits()
    pixels = torch.from_numpy(loaded.images).float()
    labels = torch.from_numpy(loaded.target).long()
    order = torch.randperm(len(labels), generator=torch.Generator().manual_seed(seed))
    held_out = round(len(labels) * _TEST_SHARE)
    test, train = order[:held_out][:limit], order[held_out:][:limit]
    return _scaled("scikit-learn digits", pixels[train], labels[train], pixels[test], labels[test])


def mnist(root: str | Path, limit: int | None = None) -> Images:
    """MNIST, or a set of the same files and ten classes, from a folder.

    Args:
        root: the folder (see `load_mnist`).
        limit: train and test on so many samples at most, the first ones.

    Returns:
        The images.

    Raises:
        FederatedError: the folder or a file is missing or damaged.
    """
    train_x, train_y = load_mnist(root, train=True, limit=limit)
    test_x, test_y = load_mnist(root, train=False, limit=limit)
    if train_x.shape[1] != train_x.shape[2] or train_x.shape[1:] != test_x.shape[1:]:
        raise FederatedError(
            f"the images in {root} are {tuple(train_x.shape[1:])} for training and {tuple(test_x.shape[1:])} for "
            "testing; the network needs square ones of one size."
        )
    return _scaled("MNIST", train_x.float(), train_y, test_x.float(), test_y)


def _scaled(
    name: str, train_x: torch.Tensor, train_y: torch.Tensor, test_x: torch.Tensor, test_y: torch.Tensor
) -> Images:
    mean, deviation = train_x.mean(), train_x.std().clamp(min=1e-6)
    scaled = [((x - mean) / deviation).unsqueeze(1) for x in (train_x, test_x)]
    return Images(name, scaled[0], train_y, scaled[1], test_y)
