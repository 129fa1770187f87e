"""Small data sets for examples and tests."""

from __future__ import annotations

import torch

from syft.core.optional import require
from syft.exceptions import FederatedError

_PER_CLASS = 10


def create_gaussian_mixture_toy_data(
    nr_samples: int, generator: torch.Generator | None = None
) -> tuple[torch.Tensor, torch.Tensor]:
    """Two round clouds of points in the plane, with standard deviation 1 around (-5, -5) and (5, 5).

    Args:
        nr_samples: how many points; half of an even number, rounded down, in each cloud.
        generator: the source of randomness; torch's default one if None.

    Returns:
        Points, float32 of shape ``(2 * (nr_samples // 2), 2)``, which require grad as in 0.2.4; and labels,
        int64, 0 for the first half and 1 for the second.

    Raises:
        FederatedError: fewer than two samples.

    Example:
        >>> data, labels = create_gaussian_mixture_toy_data(6)
        >>> data.shape, labels
        (torch.Size([6, 2]), tensor([0, 0, 0, 1, 1, 1]))
    """
    half = int(nr_samples / 2)
    if half < 1:
        raise FederatedError(f"two clouds need at least two samples, and nr_samples={nr_samples}")
    centres = torch.tensor([-5.0, 5.0]).repeat_interleave(half).unsqueeze(1)
    points = torch.randn(2 * half, 2, generator=generator, requires_grad=True)
    return points + centres, torch.arange(2).repeat_interleave(half)


def iris_data_partial() -> tuple[torch.Tensor, torch.Tensor]:
    """The first ten flowers of each of the three kinds of iris.

    Returns:
        Measurements, float32 of shape ``(30, 4)``, and kinds, int64 of shape ``(30,)``: 0, 1 and 2 in turn.

    Raises:
        DependencyError: scikit-learn is missing.
    """
    features, kinds = require("sklearn.datasets", "demo").load_iris(return_X_y=True)
    labels = torch.as_tensor(kinds, dtype=torch.int64)
    chosen = torch.cat([(labels == kind).nonzero().flatten()[:_PER_CLASS] for kind in range(3)])
    return torch.as_tensor(features, dtype=torch.float32)[chosen], labels[chosen]
