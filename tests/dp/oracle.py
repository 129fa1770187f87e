"""The oracle of private training: one sample at a time, by plain torch."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import torch

Gradients = dict[str, torch.Tensor]


def gradients_of_each(
    model: torch.nn.Module, loss: Callable[..., torch.Tensor], inputs: Any, targets: torch.Tensor
) -> list[Gradients]:
    """The gradient of every sample's own loss."""
    model = copy.deepcopy(model)
    found = []
    for i in range(len(targets)):
        model.zero_grad()
        loss(model(inputs[i : i + 1]), targets[i : i + 1]).backward()
        found.append(
            {n: torch.zeros_like(p) if p.grad is None else p.grad.clone() for n, p in model.named_parameters()}
        )
    return found


def norm(gradients: Gradients) -> float:
    return float(torch.sqrt(sum((g.double() ** 2).sum() for g in gradients.values())))


def clipped_sum(each: list[Gradients], bound: float) -> Gradients:
    weights = [min(1.0, bound / max(norm(g), 1e-30)) for g in each]
    return {name: sum(w * g[name] for w, g in zip(weights, each, strict=True)) for name in each[0]}
