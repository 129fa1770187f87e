"""Training a model here and an equal one on a worker, and holding them against each other."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import nn

Inputs = tuple[Any, ...]
TOLERANCE = {"rtol": 0.0, "atol": 1e-6}


def tensors_in(value: Any) -> list[torch.Tensor]:
    """The tensors of a result, whatever containers they came in."""
    if isinstance(value, torch.Tensor):
        return [value]
    if isinstance(value, dict):
        value = list(value.values())
    return [leaf for item in value for leaf in tensors_in(item)] if isinstance(value, list | tuple) else []


def copied(value: Any, place: Callable[[torch.Tensor], torch.Tensor]) -> Any:
    """The inputs with every tensor replaced by a leaf of its own, put in its place; the same tensor stays the same."""
    placed: dict[int, torch.Tensor] = {}

    def copy(value: Any) -> Any:
        if isinstance(value, torch.Tensor):
            if id(value) not in placed:
                placed[id(value)] = place(value.detach().clone().requires_grad_(value.requires_grad))
            return placed[id(value)]
        if isinstance(value, list | tuple):
            return type(value)([copy(item) for item in value])
        return {key: copy(item) for key, item in value.items()} if isinstance(value, dict) else value

    return copy(value)


def loss_of(result: Any) -> Any:
    """A number that depends on every output in a way of its own."""
    parts = [out for out in tensors_in(result) if out.is_floating_point()]
    loss: Any = 0
    for weight, out in enumerate(parts, start=1):
        loss = loss + (out * out).sum() * weight + out.mean()
    return loss


def step(model: nn.Module, optimizer: torch.optim.Optimizer | None, inputs: Inputs, named: dict[str, Any]) -> Any:
    """One seeded training step.

    Returns:
        What the model returned.
    """
    if optimizer is not None:
        optimizer.zero_grad()
    torch.manual_seed(3)
    result = model(*inputs, **named)
    loss = loss_of(result)
    if isinstance(loss, torch.Tensor) and loss.requires_grad:
        loss.backward()
        if optimizer is not None:
            optimizer.step()
    return result


def close(actual: torch.Tensor, wanted: torch.Tensor, what: str) -> None:
    """Fails unless both are equal to 1e-6, of one dtype and shape."""
    torch.testing.assert_close(
        actual.detach(), wanted.detach(), **TOLERANCE, equal_nan=True, msg=lambda text: f"{what}: {text}"
    )


def same_gradient(actual: torch.Tensor | None, wanted: torch.Tensor | None, what: str) -> None:
    """Fails unless both are missing or both are equal."""
    assert (actual is None) is (wanted is None), f"{what}: {actual} and not {wanted}"
    if wanted is not None:
        assert actual is not None
        close(actual, wanted, what)


def same_model(actual: nn.Module, wanted: nn.Module) -> None:
    """Fails unless parameters, buffers and gradients are equal."""
    left, right = actual.state_dict(), wanted.state_dict()
    assert list(left) == list(right)
    for name in right:
        close(left[name], right[name], name)
    for (name, one), (_, other) in zip(actual.named_parameters(), wanted.named_parameters(), strict=True):
        assert type(one) is type(other)
        assert one.requires_grad is other.requires_grad
        same_gradient(one.grad, other.grad, f"the gradient of {name}")
