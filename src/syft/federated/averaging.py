"""Averages of models: pure functions on state dicts, and the old helpers that change a model in place.

Nothing here changes what it averages, and buffers take part: after an average, BatchNorm statistics
are those of the average and not of whoever came first.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

import torch
from torch import nn

from syft.exceptions import FederatedError

StateDict = Mapping[str, torch.Tensor]
Module = TypeVar("Module", bound=nn.Module)


def average_state_dicts(
    state_dicts: Mapping[Any, StateDict] | Sequence[StateDict],
    weights: Mapping[Any, float] | Sequence[float] | None = None,
) -> dict[str, torch.Tensor]:
    """The weighted mean of state dicts, entry by entry.

    Floating point entries are summed in float64 (float32 on devices without it) and rounded once to
    their own dtype. Integer entries (BatchNorm's ``num_batches_tracked``) become the rounded mean and
    keep their dtype; boolean ones follow the majority. An entry that is the same everywhere is kept
    to the last bit, also where it is infinite, as in attention masks. A state of weight 0 is checked
    but otherwise ignored.

    Args:
        state_dicts: the states, as a list, or as a dict whose keys then name them in errors.
        weights: one number a state, such as its count of samples; a dict must have the keys of
            ``state_dicts``. Only their ratios matter. ``None`` weighs all alike.

    Returns:
        A new dict of new tensors that share no memory with the input and need no gradient. Dtypes
        and devices are those of the first state.

    Raises:
        FederatedError: there is nothing to average, the states differ in keys, shapes or kinds of
            dtype, or the weights are not finite, not negative and somewhere above 0.

    Example:
        >>> alice, bob = {"w": torch.tensor([0.0, 4.0])}, {"w": torch.tensor([4.0, 8.0])}
        >>> average_state_dicts([alice, bob])
        {'w': tensor([2., 6.])}
        >>> average_state_dicts({"alice": alice, "bob": bob}, weights={"alice": 30, "bob": 10})
        {'w': tensor([1., 5.])}
    """
    return _average_states(_keyed(state_dicts, "state dict"), weights)


def federated_avg(
    models: Mapping[Any, Module] | Sequence[Module],
    weights: Mapping[Any, float] | Sequence[float] | None = None,
) -> Module:
    """A new model whose parameters and buffers are the weighted mean of the given models'.

    The result starts as a deep copy of the first model, so constructors with arguments are no
    hindrance, and none of the given models is changed. A model that is on a worker is copied
    and the copy fetched; the model itself stays where it is.

    Args:
        models: models of one architecture, as a list or a dict by name; one model gives its copy.
        weights: one number a model, such as its count of samples (see `average_state_dicts`).

    Returns:
        A new local model.

    Raises:
        FederatedError: no models, models of different architecture, or bad weights.

    Example:
        >>> a, b = nn.Linear(1, 1, bias=False), nn.Linear(1, 1, bias=False)
        >>> _ = nn.init.constant_(a.weight, 1.0), nn.init.constant_(b.weight, 3.0)
        >>> federated_avg({"a": a, "b": b}).weight.item()
        2.0
        >>> a.weight.item()
        1.0
    """
    given = _keyed(models, "model")
    local = {key: model.copy().get() if is_remote(model) else model for key, model in given.items()}
    average = copy.deepcopy(next(iter(local.values())))
    average.load_state_dict(_average_states({key: model.state_dict() for key, model in local.items()}, weights))
    return average


def add_model(dst_model: Module, src_model: nn.Module) -> Module:
    """Add the parameters of one model to those of another, in place.

    The Parameter objects stay the same ones, so optimizers stay bound. Parameters that only one of
    the two has are left alone, and buffers too.

    Args:
        dst_model: the model to change.
        src_model: the model to add.

    Returns:
        ``dst_model``.

    Raises:
        FederatedError: two parameters of one name differ in shape.
    """
    source = dict(src_model.named_parameters())
    with torch.no_grad():
        for name, parameter in dst_model.named_parameters():
            if name not in source:
                continue
            if parameter.shape != source[name].shape:
                raise FederatedError(
                    f"parameter {name!r} has shape {tuple(parameter.shape)} in one model and "
                    f"{tuple(source[name].shape)} in the other; only models of one architecture can be added."
                )
            parameter.add_(source[name])
    return dst_model


def scale_model(model: Module, scale: float) -> Module:
    """Multiply every parameter by a number, in place.

    Args:
        model: the model to change; its Parameter objects stay the same ones.
        scale: the factor.

    Returns:
        ``model``.
    """
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.mul_(scale)
    return model


def accuracy(pred_softmax: torch.Tensor, target: torch.Tensor) -> float:
    """The share of rows whose largest score is at the target class.

    Args:
        pred_softmax: scores of shape (N, classes): probabilities, their logarithms or logits. May be remote.
        target: class numbers of shape (N,) or (N, 1), integer or float, where the scores are.

    Returns:
        A number between 0 and 1.

    Raises:
        FederatedError: there are no rows, or not one target a row.

    Example:
        >>> accuracy(torch.tensor([[0.9, 0.1], [0.2, 0.8]]), torch.tensor([0, 0]))
        0.5
    """
    rows = pred_softmax.shape[0]
    if rows == 0 or math.prod(target.shape) != rows:
        raise FederatedError(
            f"accuracy() needs one target a row and at least one row, but got {rows} rows of scores and "
            f"targets of shape {tuple(target.shape)}."
        )
    hits: Any = (pred_softmax.argmax(dim=1) == target.reshape(-1)).sum()
    return int(hits.get() if is_remote(hits) else hits) / rows


def is_remote(thing: torch.Tensor | nn.Module) -> bool:
    """Whether a tensor or a model is on a worker and only a pointer to it here.

    Args:
        thing: a tensor or a model.

    Returns:
        True if it has a location.
    """
    return getattr(thing, "location", None) is not None


def _keyed(things: Any, what: str) -> dict[Any, Any]:
    keyed = dict(things) if isinstance(things, Mapping) else dict(enumerate(things))
    if not keyed:
        raise FederatedError(f"there is no {what} to average; give at least one.")
    return keyed


def _average_states(states: dict[Any, StateDict], weights: Any) -> dict[str, torch.Tensor]:
    shares = _checked_weights(list(states), weights)
    first, reference = next(iter(states.items()))
    for key, state in states.items():
        _check_tensors(key, state)
        _check_same_layout(key, state, first, reference)
    with torch.no_grad():
        return {name: _average([state[name] for state in states.values()], shares) for name in reference}


def _checked_weights(keys: list[Any], weights: Any) -> list[float]:
    if weights is None:
        return [1.0] * len(keys)
    if isinstance(weights, Mapping):
        if set(weights) != set(keys):
            raise FederatedError(
                f"the weights are for {list(weights)} and the models are {keys}; give each model one weight."
            )
        values = [float(weights[key]) for key in keys]
    else:
        values = [float(weight) for weight in weights]
    if len(values) != len(keys):
        raise FederatedError(f"{len(values)} weights for {len(keys)} models; give each model one weight.")
    for key, value in zip(keys, values, strict=True):
        if not (math.isfinite(value) and value >= 0):
            raise FederatedError(f"the weight of {key!r} is {value}; a weight is a finite number, 0 or more.")
    if sum(values) == 0:
        raise FederatedError(f"the weights of {keys} are all 0; at least one model must count.")
    return values


def _check_tensors(key: Any, state: StateDict) -> None:
    for name, value in state.items():
        if not isinstance(value, torch.Tensor):
            raise FederatedError(f"entry {name!r} of {key!r} is a {type(value).__name__}; only tensors have a mean.")
        if is_remote(value):
            raise FederatedError(f"entry {name!r} of {key!r} is on a worker; fetch the model with .get() first.")


def _check_same_layout(key: Any, state: StateDict, first: Any, reference: StateDict) -> None:
    missing, surplus = sorted(reference.keys() - state.keys()), sorted(state.keys() - reference.keys())
    if missing or surplus:
        raise FederatedError(
            f"{key!r} is not the same architecture as {first!r}: it lacks {missing} and has {surplus} besides."
        )
    for name, value in state.items():
        other = reference[name]
        if value.shape != other.shape:
            raise FederatedError(
                f"entry {name!r} has shape {tuple(value.shape)} in {key!r} and {tuple(other.shape)} in {first!r}."
            )
        if _kind(value) != _kind(other):
            raise FederatedError(f"entry {name!r} is {value.dtype} in {key!r} and {other.dtype} in {first!r}.")


def _kind(tensor: torch.Tensor) -> str:
    if tensor.dtype == torch.bool:
        return "bool"
    if tensor.is_complex():
        return "complex"
    return "float" if tensor.is_floating_point() else "integer"


def _average(tensors: list[torch.Tensor], shares: list[float]) -> torch.Tensor:
    like = tensors[0].detach()
    # What weighs nothing must not decide: 0 * inf is NaN.
    counted = [(t.detach().to(like.device), s) for t, s in zip(tensors, shares, strict=True) if s > 0]
    first, _ = counted[0]
    if all(t.dtype == first.dtype and torch.equal(t, first) for t, _ in counted[1:]):
        return first.to(like.dtype, copy=True)
    wide = _accumulator(like)
    total = math.fsum(share for _, share in counted)
    mean = torch.zeros(like.shape, dtype=wide, device=like.device)
    for tensor, share in counted:
        mean.add_(tensor.to(wide), alpha=share)
    mean.div_(total)
    kind = _kind(like)
    if kind == "bool":
        return mean > 0.5
    return mean.round_().to(like.dtype) if kind == "integer" else mean.to(like.dtype)


def _accumulator(like: torch.Tensor) -> torch.dtype:
    if like.is_complex():
        return torch.complex128
    return torch.float32 if like.device.type == "mps" else torch.float64
