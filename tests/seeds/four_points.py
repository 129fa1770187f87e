"""The four points of the seeds, and the same training in plain torch: the oracle of the federated runs."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import torch
from torch import nn

import syft as sy
from syft.federated.floptimizer import Optims

POINTS = torch.tensor([[0, 0], [0, 1], [1, 0], [1, 1.0]])
LABELS = torch.tensor([[0], [0], [1], [1.0]])
HALVES = [(POINTS[:2], LABELS[:2]), (POINTS[2:], LABELS[2:])]

MakeOptimizer = Callable[[Iterable[nn.Parameter]], torch.optim.Optimizer]


@dataclass(frozen=True)
class Training:
    """The losses of a run, in order, and the model at its end."""

    losses: list[float]
    model: nn.Linear

    def parameters(self) -> list[float]:
        """Both weights, then the bias."""
        return [*self.model.weight.detach().flatten().tolist(), self.model.bias.item()]


def seeded_model() -> nn.Linear:
    """The model that `torch.manual_seed(0)` gives."""
    torch.manual_seed(0)
    return nn.Linear(2, 1)


def fixed_model() -> nn.Linear:
    """The model with weight [[0.1, -0.2]] and bias [0.3]."""
    model = nn.Linear(2, 1)
    with torch.no_grad():
        model.weight.copy_(torch.tensor([[0.1, -0.2]]))
        model.bias.fill_(0.3)
    return model


def squared_error(model: nn.Module, points: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    """The seeds' loss: the sum of squared errors."""
    return ((model(points) - labels) ** 2).sum()


def train_locally(model: nn.Linear, optimizers: list[torch.optim.Optimizer], passes: int) -> Training:
    """Train one model on both halves in turn, each half with its own optimizer."""
    losses = []
    for _ in range(passes):
        for (points, labels), optimizer in zip(HALVES, optimizers, strict=True):
            optimizer.zero_grad()
            loss = squared_error(model, points, labels)
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
    return Training(losses, model)


def train_with_optims(
    model: nn.Linear, workers: tuple[sy.VirtualWorker, sy.VirtualWorker], make: MakeOptimizer, passes: int
) -> Training:
    """The same training as the seeds write it: the data stay on the workers, and the model visits them."""
    optimizers = Optims([worker.id for worker in workers], optim=make(model.parameters()))
    datasets = [
        (points.send(worker), labels.send(worker)) for (points, labels), worker in zip(HALVES, workers, strict=True)
    ]
    losses = []
    for _ in range(passes):
        for points, labels in datasets:
            model.send(points.location)
            optimizer = optimizers.get_optim(points.location.id)
            optimizer.zero_grad()
            loss = squared_error(model, points, labels)
            loss.backward()
            optimizer.step()
            model.get()
            losses.append(loss.get().item())
    return Training(losses, model)
