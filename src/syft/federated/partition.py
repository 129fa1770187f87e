"""Ways to cut one data set into the parts that clients hold: evenly, by label, by size.

A partitioner is called with the targets (or only with a length, where labels do not matter) and
returns index tensors, in ascending order, in which every index occurs exactly once. The random
numbers come from the ``generator`` that it was made with, torch's default one if that is None.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch.utils.data import Dataset, Subset

from syft.exceptions import FederatedError

Targets = torch.Tensor | Sequence[int] | int


class Partitioner(Protocol):
    """Anything that turns targets into one index tensor a part."""

    def __call__(self, targets: Targets) -> list[torch.Tensor]:
        """Cut the indices ``0 .. len(targets) - 1`` into parts."""


@dataclass(frozen=True)
class Iid:
    """Parts of equal size (up to one sample) drawn at random, so all look alike.

    Args:
        parts: how many parts.
        generator: the source of randomness.

    Example:
        >>> [len(part) for part in Iid(3)(10)]
        [4, 3, 3]
    """

    parts: int
    generator: torch.Generator | None = None

    def __call__(self, targets: Targets) -> list[torch.Tensor]:
        """Cut the indices of ``targets`` (labels, or only their number).

        Returns:
            One LongTensor of ascending indices a part.

        Raises:
            FederatedError: fewer samples than parts.
        """
        count = _count(targets, self.parts, min_samples=1)
        shuffled = torch.randperm(count, generator=self.generator)
        return [part.sort().values for part in torch.tensor_split(shuffled, self.parts)]


@dataclass(frozen=True)
class Dirichlet:
    """Label skew: each class is spread over the parts by a Dirichlet draw.

    Args:
        parts: how many parts.
        alpha: the smaller, the more a part is dominated by few classes; 100 is nearly even, 0.1 is harsh.
        min_samples: a part that the draw left smaller takes random samples of the largest part.
        generator: the source of randomness.

    Example:
        >>> labels = torch.arange(1000) % 10
        >>> parts = Dirichlet(4, alpha=0.5, generator=torch.Generator().manual_seed(0))(labels)
        >>> sum(len(part) for part in parts)
        1000
    """

    parts: int
    alpha: float = 0.5
    min_samples: int = 1
    generator: torch.Generator | None = None

    def __call__(self, targets: Targets) -> list[torch.Tensor]:
        """Cut the indices of ``targets``, integer labels of shape (N,) or (N, 1).

        Returns:
            One LongTensor of ascending indices a part.

        Raises:
            FederatedError: too few samples, ``alpha`` not above 0, or targets that are no labels.
        """
        _check_alpha(self.alpha)
        labels = _labels(targets)
        _count(labels, self.parts, self.min_samples)
        parts: list[list[torch.Tensor]] = [[] for _ in range(self.parts)]
        for label in labels.unique():
            members = _shuffled((labels == label).nonzero().flatten(), self.generator)
            shares = _dirichlet(self.alpha, self.parts, self.generator)
            bounds = (shares.cumsum(0)[:-1] * len(members)).round().long().clamp(max=len(members))
            for part, piece in zip(parts, torch.tensor_split(members, bounds), strict=True):
                part.append(piece)
        filled = _fill_up([torch.cat(part) for part in parts], self.min_samples, self.generator)
        return [part.sort().values for part in filled]


@dataclass(frozen=True)
class Shards:
    """The pathological split: sort by label, cut into shards, deal each part a few.

    With two shards a part most parts see only two classes.

    Args:
        parts: how many parts.
        shards_per_part: how many shards each part gets.
        generator: the source of randomness.

    Example:
        >>> labels = torch.arange(100) // 10
        >>> parts = Shards(5, shards_per_part=2)(labels)
        >>> all(len(labels[part].unique()) <= 2 for part in parts)
        True
    """

    parts: int
    shards_per_part: int = 2
    generator: torch.Generator | None = None

    def __call__(self, targets: Targets) -> list[torch.Tensor]:
        """Cut the indices of ``targets``, integer labels of shape (N,) or (N, 1).

        Returns:
            One LongTensor of ascending indices a part.

        Raises:
            FederatedError: fewer samples than shards, or targets that are no labels.
        """
        if self.shards_per_part < 1:
            raise FederatedError(f"shards_per_part is {self.shards_per_part}; each part needs at least one shard.")
        labels = _labels(targets)
        _count(labels, self.parts, min_samples=self.shards_per_part)
        # Shuffled before the stable sort, so that which samples of a class share a shard is random.
        order = torch.randperm(len(labels), generator=self.generator)
        by_label = order[labels[order].sort(stable=True).indices]
        shards = torch.tensor_split(by_label, self.parts * self.shards_per_part)
        deal = torch.randperm(len(shards), generator=self.generator).tolist()
        hands = [deal[part :: self.parts] for part in range(self.parts)]
        return [torch.cat([shards[shard] for shard in hand]).sort().values for hand in hands]


@dataclass(frozen=True)
class QuantitySkew:
    """Parts of the same mix but very different size, sizes by a Dirichlet draw.

    Args:
        parts: how many parts.
        alpha: the smaller, the more the sizes differ.
        min_samples: what every part gets before the rest is dealt.
        generator: the source of randomness.

    Example:
        >>> parts = QuantitySkew(3, alpha=0.5, min_samples=5)(100)
        >>> sum(map(len, parts)), min(map(len, parts)) >= 5
        (100, True)
    """

    parts: int
    alpha: float = 0.5
    min_samples: int = 1
    generator: torch.Generator | None = None

    def __call__(self, targets: Targets) -> list[torch.Tensor]:
        """Cut the indices of ``targets`` (labels, or only their number).

        Returns:
            One LongTensor of ascending indices a part.

        Raises:
            FederatedError: too few samples, or ``alpha`` not above 0.
        """
        _check_alpha(self.alpha)
        count = _count(targets, self.parts, self.min_samples)
        spare = count - self.parts * self.min_samples
        shares = _dirichlet(self.alpha, self.parts, self.generator)
        ends = (shares.cumsum(0)[:-1] * spare).round().long().clamp(max=spare)
        ends += self.min_samples * torch.arange(1, self.parts)
        shuffled = torch.randperm(count, generator=self.generator)
        return [part.sort().values for part in torch.tensor_split(shuffled, ends)]


def split(dataset: Dataset[Any], parts: Sequence[torch.Tensor]) -> list[Subset[Any]]:
    """The parts as data sets, each a view that copies nothing.

    Args:
        dataset: the data set whose targets were partitioned.
        parts: what a partitioner returned.

    Returns:
        One `torch.utils.data.Subset` a part, in the order of ``parts``.

    Raises:
        FederatedError: an index is outside of the data set.

    Example:
        >>> from torch.utils.data import TensorDataset
        >>> data = TensorDataset(torch.arange(4.0), torch.tensor([0, 1, 0, 1]))
        >>> [len(part) for part in split(data, Iid(2)(data.tensors[1]))]
        [2, 2]
    """
    length = len(dataset)  # type: ignore[arg-type]
    for number, part in enumerate(parts):
        if len(part) and not (0 <= int(part.min()) and int(part.max()) < length):
            raise FederatedError(
                f"part {number} has indices up to {int(part.max())}, but the data set has {length} samples; "
                "partition the targets of this data set."
            )
    return [Subset(dataset, part.tolist()) for part in parts]


def _labels(targets: Targets) -> torch.Tensor:
    if isinstance(targets, int):
        raise FederatedError(
            f"this partitioner goes by labels, but got only their number, {targets}; give it the targets."
        )
    labels = torch.as_tensor(targets)
    if labels.dim() == 2 and labels.shape[1] == 1:
        labels = labels.flatten()
    if labels.dim() != 1 or labels.is_floating_point() or labels.is_complex():
        raise FederatedError(
            f"labels are integers of shape (N,), but these are {labels.dtype} of shape {tuple(labels.shape)}."
        )
    return labels.cpu()


def _count(targets: Targets, parts: int, min_samples: int) -> int:
    count = targets if isinstance(targets, int) else len(targets)
    if parts < 1:
        raise FederatedError(f"cannot cut data into {parts} parts; ask for at least one.")
    if min_samples < 0:
        raise FederatedError(f"min_samples is {min_samples}; it is a number of samples, 0 or more.")
    if count < parts * min_samples:
        raise FederatedError(
            f"{count} samples are not enough for {parts} parts with at least {min_samples} each; ask for fewer parts."
        )
    return count


def _check_alpha(alpha: float) -> None:
    if not 0 < alpha < float("inf"):
        raise FederatedError(f"alpha is {alpha}; it must be above 0: small for skewed parts, large for even ones.")


def _shuffled(indices: torch.Tensor, generator: torch.Generator | None) -> torch.Tensor:
    return indices[torch.randperm(len(indices), generator=generator)]


def _fill_up(parts: list[torch.Tensor], min_samples: int, generator: torch.Generator | None) -> list[torch.Tensor]:
    parts = list(parts)
    for number in range(len(parts)):
        while (needed := min_samples - len(parts[number])) > 0:
            largest = max(range(len(parts)), key=lambda n: len(parts[n]))
            given = min(needed, len(parts[largest]) - min_samples)
            pool = _shuffled(parts[largest], generator)
            parts[number] = torch.cat([parts[number], pool[:given]])
            parts[largest] = pool[given:]
    return parts


def _dirichlet(alpha: float, parts: int, generator: torch.Generator | None) -> torch.Tensor:
    """One draw from the symmetric Dirichlet distribution, in float64.

    In logarithms, because gamma draws of a small shape underflow to 0 all at once: log Gamma(a) is
    distributed as log Gamma(a + 1) + log(U) / a.
    """
    uniform = 1.0 - torch.rand(parts, dtype=torch.float64, generator=generator)
    return (_gamma(alpha + 1.0, parts, generator).log() + uniform.log() / alpha).softmax(0)


def _gamma(shape: float, count: int, generator: torch.Generator | None) -> torch.Tensor:
    """Draws from Gamma(shape, 1) for shapes of at least 1, by the method of Marsaglia and Tsang (2000)."""
    d = shape - 1.0 / 3.0
    c = (9.0 * d) ** -0.5
    done = torch.empty(0, dtype=torch.float64)
    while len(done) < count:
        normal = torch.randn(2 * count, dtype=torch.float64, generator=generator)
        uniform = 1.0 - torch.rand(2 * count, dtype=torch.float64, generator=generator)
        v = (1.0 + c * normal).clamp(min=0.0) ** 3
        accepted = (v > 0) & (uniform.log() < 0.5 * normal**2 + d - d * v + d * v.log())
        done = torch.cat([done, d * v[accepted]])
    return done[:count]
