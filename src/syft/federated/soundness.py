"""Whether a model that a client sent back can be averaged, and how far it is from the average."""

from __future__ import annotations

import math
from collections.abc import Iterable

import torch
from torch import nn

from syft.exceptions import FederatedError
from syft.federated.averaging import StateDict
from syft.federated.strategies import ClientUpdate


def check_alike(number: int, before: StateDict, update: ClientUpdate) -> None:
    """Refuse what is not a trained copy of the global model, or weighs nothing.

    Args:
        number: the round's.
        before: the global state that the client started from.
        update: what it sent back.

    Raises:
        FederatedError: names, shapes or dtypes differ, or it trained on no sample.
    """
    if update.state.keys() != before.keys():
        raise FederatedError(
            f"client {update.name!r} sent back entries {sorted(update.state.keys() ^ before.keys())} too many or too "
            f"few in round {number}; it did not train the model that it was given."
        )
    for name, start in before.items():
        value = update.state[name]
        if value.shape != start.shape or value.dtype != start.dtype:
            raise FederatedError(
                f"client {update.name!r} sent back {name!r} as {value.dtype} of shape {tuple(value.shape)} in round "
                f"{number}, and the model has {start.dtype} of shape {tuple(start.shape)}."
            )
    if update.samples < 1:
        raise FederatedError(f"client {update.name!r} says that it trained on {update.samples} samples.")


def check_finite(number: int, before: StateDict, update: ClientUpdate) -> None:
    """Refuse NaN and infinite values that were not there before.

    Args:
        number: the round's.
        before: the global state that the client started from.
        update: what it sent back.

    Raises:
        FederatedError: there are such values.
    """
    for name, value in update.state.items():
        start = before.get(name)
        if start is None or not value.is_floating_point() or value.shape != start.shape:
            continue  # the average refuses states that do not fit together
        # Infinite entries that were so from the start, as in attention masks, are no harm.
        bad = int((~value.isfinite() & start.to(value.device).isfinite()).sum())
        if bad:
            raise FederatedError(
                f"client {update.name!r} sent back {bad} NaN or infinite values in {name!r} in round {number}. "
                "Its update is refused and the global model is as before the round; lower the learning rate, clip "
                "gradients, or look at its data."
            )


def drifts_from(model: nn.Module, average: StateDict, updates: Iterable[ClientUpdate]) -> dict[str, float]:
    """How far each client's parameters are from the average, relative to the average's length.

    Args:
        model: the global model, which says what its parameters are.
        average: the next global state.
        updates: the clients' models.

    Returns:
        Distances by client.
    """
    names = [name for name, parameter in model.named_parameters() if parameter.is_floating_point()]
    length = _norm(average[name] for name in names)
    return {
        update.name: _norm(update.state[name].to(average[name].device) - average[name] for name in names)
        / (length or 1.0)
        for update in updates
    }


def _norm(tensors: Iterable[torch.Tensor]) -> float:
    return math.sqrt(sum(float(tensor.double().square().sum()) for tensor in tensors))
