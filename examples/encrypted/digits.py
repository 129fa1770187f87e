"""The images of the programs here: MNIST from a folder, or the small digits of scikit-learn, enlarged to its size."""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path

import torch
import torch.nn.functional as F

from syft.federated.idx import load_mnist

SIZE = 28
MEAN, DEVIATION = 0.1307, 0.3081  # of MNIST's pixels
BLOCKS = " ▄▀█"  # by upper and lower half


@dataclass(frozen=True)
class Digits:
    """Images to train and to test with.

    Args:
        name: of the set.
        train: images, float32 of shape (N, 1, 28, 28) and normalised, and their labels, int64 of shape (N,).
        test: the same.
    """

    name: str
    train: tuple[torch.Tensor, torch.Tensor]
    test: tuple[torch.Tensor, torch.Tensor]


def mnist_option(parser: argparse.ArgumentParser) -> None:
    """Let a program take ``--mnist DIR``."""
    parser.add_argument("--mnist", type=Path, metavar="DIR", help="the four MNIST files; small digits without")


def load_digits(folder: Path | None, train: int, test: int) -> Digits:
    """MNIST if it is there, else the small digits.

    Args:
        folder: of the four files of MNIST; None or a folder that is not there means the small digits.
        train: how many images to train with, at most.
        test: how many to test with, at most.
    """
    if folder is not None and folder.is_dir():
        parts = [load_mnist(folder, train=True, limit=train), load_mnist(folder, train=False, limit=test)]
        there, here = [(normalised(images.float() / 255), labels) for images, labels in parts]
        return Digits("MNIST", there, here)
    if folder is not None:
        print(f"{folder} is not there; using the small digits of scikit-learn instead")
    images, labels = small_digits()
    return Digits("scikit-learn digits", (images[360:][:train], labels[360:][:train]), (images[:test], labels[:test]))


def small_digits() -> tuple[torch.Tensor, torch.Tensor]:
    """scikit-learn's 1797 digits in a fixed random order, enlarged to 24 x 24 with a margin of 2 pixels."""
    from sklearn import datasets

    loaded = datasets.load_digits()
    images, labels = torch.from_numpy(loaded.images).float() / 16, torch.from_numpy(loaded.target).long()
    order = torch.randperm(len(labels), generator=torch.Generator().manual_seed(0))
    large = F.interpolate(images[order].unsqueeze(1), size=SIZE - 4, mode="bilinear")
    return normalised(F.pad(large, (2, 2, 2, 2)).squeeze(1)), labels[order]


def normalised(pixels: torch.Tensor) -> torch.Tensor:
    """Images as networks get them: (N, 28, 28) from 0 to 1 becomes (N, 1, 28, 28) with mean 0 and deviation 1."""
    return ((pixels - MEAN) / DEVIATION).unsqueeze(1)


def one_hot(labels: torch.Tensor) -> torch.Tensor:
    """Labels as rows of ten numbers: 1 at the label, 0 elsewhere."""
    return F.one_hot(labels, 10).float()


def drawn(image: torch.Tensor) -> list[str]:
    """An image as seven lines of 14 characters.

    Args:
        image: normalised, (1, 28, 28).
    """
    inked = F.avg_pool2d(image * DEVIATION + MEAN, 2)[0] > 0.4
    halves = 2 * inked[0::2].long() + inked[1::2].long()
    return ["".join([BLOCKS[half] for half in line]) for line in halves.tolist()]


def side_by_side(images: torch.Tensor, gap: str = "  ") -> str:
    """Several images as text, one beside the other."""
    return "\n".join([gap.join(lines).rstrip() for lines in zip(*map(drawn, images), strict=True)])
