"""What is summed: a client's weight, its loss and the change of its model, in one vector; and the mean of a sum."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch

from syft.exceptions import AggregationError
from syft.federated.averaging import StateDict

_BEFORE = 2  # numbers of a vector before the change: the weight, and the weighted loss


@dataclass(frozen=True, slots=True)
class Mean:
    """What a sum tells of all its clients together.

    Args:
        state: the mean model.
        weight: the sum of the weights, such as samples.
        train_loss: the mean loss.
    """

    state: dict[str, torch.Tensor]
    weight: float
    train_loss: float


def size_of(state: StateDict) -> int:
    """How many numbers the vector of such a model has."""
    return _BEFORE + sum(value.numel() for value in state.values())


def weighted_change(
    start: Sequence[torch.Tensor],
    trained: Sequence[torch.Tensor],
    weight: float,
    loss: float,
    max_norm: float | None = None,
) -> torch.Tensor:
    """The vector of one client: ``[w, w * loss, w * (trained - start)]``, so that sums of such vectors give means.

    Args:
        start: the tensors of the model before the training.
        trained: those after it, in the same order. Infinite values that were so from the start do not count as changed.
        weight: what the client counts for.
        loss: the mean training loss of a sample.
        max_norm: how long the change of all floating point tensors, as one vector, may be; None for any length.

    Returns:
        A vector of float64 on the CPU.

    Raises:
        AggregationError: the tensors do not fit together, a number is not finite, the weight is not more than 0, or the
            change is too long.
    """
    if len(start) != len(trained):
        raise AggregationError(f"the model had {len(start)} tensors and has {len(trained)} now")
    if not (0 < weight < math.inf and math.isfinite(loss)):
        raise AggregationError(
            f"a weight of {weight} and a loss of {loss} cannot be summed; both must be finite, and it must be over 0"
        )
    changes, squares = [], 0.0
    for place, (before, after) in enumerate(zip(start, trained, strict=True)):
        if before.shape != after.shape or before.dtype != after.dtype or before.is_complex():
            raise AggregationError(
                f"tensor {place} of the model was {before.dtype} of shape {tuple(before.shape)} and is {after.dtype} "
                f"of shape {tuple(after.shape)}; only real ones that keep both can be summed"
            )
        old, new = before.detach().double().cpu().reshape(-1), after.detach().double().cpu().reshape(-1)
        changes.append(torch.where(old == new, 0.0, new - old))
        squares += float(changes[-1].square().sum()) if before.is_floating_point() else 0.0
    change = torch.cat([torch.empty(0, dtype=torch.float64), *changes])
    bad = int((~change.isfinite()).sum())
    if bad:
        raise AggregationError(
            f"the trained model has {bad} NaN or infinite values; lower the learning rate, clip gradients, or look at "
            "the data"
        )
    length = math.sqrt(squares)
    if max_norm is not None and length > max_norm:
        raise AggregationError(f"the change of the model has a length of {length:.6g}, and {max_norm:.6g} is allowed")
    return torch.cat([torch.tensor([1.0, loss], dtype=torch.float64), change]) * weight


def mean_of(total: torch.Tensor, before: StateDict) -> Mean:
    """The mean model of a sum.

    Args:
        total: the sum of the vectors, float64.
        before: the model that all clients started from.

    Returns:
        The model that is ``before`` plus the mean change, with the dtypes of ``before``: integers are rounded, booleans
        follow the majority.

    Raises:
        AggregationError: the sum of the weights is not more than 0.
    """
    weight = float(total[0])
    if not weight > 0:
        raise AggregationError(f"the weights of the clients sum to {weight}; somebody has sent a wrong one")
    state, at = {}, _BEFORE
    for name, value in before.items():
        change = (total[at : at + value.numel()] / weight).reshape(value.shape).to(value.device)
        at += value.numel()
        new = value.detach().double() + change
        if value.dtype is torch.bool:
            new = new > 0.5
        elif not value.is_floating_point():
            new = new.round()
        state[name] = new.to(value.dtype)
    return Mean(state, weight, float(total[1]) / weight)
