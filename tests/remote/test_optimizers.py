"""Every optimizer and scheduler of torch trains a model on a worker as it trains one here."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable
from typing import Any

import pytest
import torch
from torch import nn, optim

import syft as sy
from tests.remote.training import close, same_model

STEPS = 5
Make = Callable[[Iterable[nn.Parameter]], optim.Optimizer]

OPTIMIZERS: dict[str, Make] = {
    "SGD": lambda p: optim.SGD(p, lr=0.1),
    "SGD-momentum": lambda p: optim.SGD(p, lr=0.1, momentum=0.9, dampening=0.1),
    "SGD-nesterov": lambda p: optim.SGD(p, lr=0.1, momentum=0.9, nesterov=True),
    "SGD-decay": lambda p: optim.SGD(p, lr=0.1, weight_decay=0.1),
    "SGD-maximize": lambda p: optim.SGD(p, lr=0.01, maximize=True),
    "Adam": lambda p: optim.Adam(p, lr=0.1),
    "Adam-decay": lambda p: optim.Adam(p, lr=0.1, weight_decay=0.1),
    "Adam-amsgrad": lambda p: optim.Adam(p, lr=0.1, amsgrad=True),
    "AdamW": lambda p: optim.AdamW(p, lr=0.1),
    "AdamW-amsgrad": lambda p: optim.AdamW(p, lr=0.1, amsgrad=True),
    "Adamax": lambda p: optim.Adamax(p, lr=0.1),
    "Adagrad": lambda p: optim.Adagrad(p, lr=0.1),
    "Adagrad-accumulator": lambda p: optim.Adagrad(p, lr=0.1, lr_decay=0.1, initial_accumulator_value=0.5),
    "Adadelta": lambda p: optim.Adadelta(p, lr=1.0),
    "RMSprop": lambda p: optim.RMSprop(p, lr=0.01),
    "RMSprop-centered": lambda p: optim.RMSprop(p, lr=0.01, centered=True),
    "RMSprop-momentum": lambda p: optim.RMSprop(p, lr=0.01, momentum=0.9, centered=True, weight_decay=0.1),
    "Rprop": lambda p: optim.Rprop(p, lr=0.01),
    "ASGD": lambda p: optim.ASGD(p, lr=0.1, t0=2),
    "NAdam": lambda p: optim.NAdam(p, lr=0.01),
    "NAdam-decoupled": lambda p: optim.NAdam(p, lr=0.01, weight_decay=0.1, decoupled_weight_decay=True),
    "RAdam": lambda p: optim.RAdam(p, lr=0.01),
    "LBFGS": lambda p: optim.LBFGS(p, lr=0.1, max_iter=3),
    "LBFGS-wolfe": lambda p: optim.LBFGS(p, lr=0.1, max_iter=3, line_search_fn="strong_wolfe"),
    "Adafactor": lambda p: optim.Adafactor(p, lr=0.01),
    "Muon": lambda p: optim.Muon([q for q in p if q.dim() == 2], lr=0.01),
}
FOREACH: dict[str, Make] = {
    f"{kind.__name__}-foreach": lambda p, kind=kind, settings=settings: kind(p, lr=0.01, foreach=True, **settings)
    for kind, settings in (
        (optim.SGD, {"momentum": 0.9}), (optim.Adam, {"amsgrad": True}), (optim.AdamW, {}), (optim.Adamax, {}),
        (optim.Adagrad, {}), (optim.Adadelta, {}), (optim.RMSprop, {"centered": True}), (optim.Rprop, {}),
        (optim.ASGD, {}), (optim.NAdam, {}), (optim.RAdam, {}), (optim.Adafactor, {}),
    )
}  # fmt: skip
FUSED: dict[str, Make] = {
    f"{kind.__name__}-fused": lambda p, kind=kind: kind(p, lr=0.01, fused=True)
    for kind in (optim.SGD, optim.Adam, optim.AdamW, optim.Adagrad)
}
X = torch.randn(8, 3, generator=torch.Generator().manual_seed(1))
Y = torch.randn(8, 1, generator=torch.Generator().manual_seed(2))


def network() -> nn.Module:
    """A model with matrices and vectors for parameters."""
    torch.manual_seed(5)
    return nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 1))


def train(model: nn.Module, optimizer: optim.Optimizer, x: Any, y: Any) -> None:
    """One step, with a closure, which every optimizer takes."""

    def closure() -> Any:
        optimizer.zero_grad()
        loss = ((model(x) - y) ** 2).mean()
        loss.backward()
        return loss

    if isinstance(optimizer, optim.LBFGS):
        optimizer.step(closure)
    else:
        closure()
        optimizer.step()


def trained_here(make: Make) -> nn.Module:
    model = network()
    optimizer = make(model.parameters())
    for _ in range(STEPS):
        train(model, optimizer, X, Y)
    return model


@pytest.mark.parametrize("name", OPTIMIZERS | FOREACH | FUSED)
def test_a_model_that_stays_there(name: str, worker: sy.VirtualWorker) -> None:
    make = (OPTIMIZERS | FOREACH | FUSED)[name]
    model, x, y = network(), X.send(worker), Y.send(worker)
    optimizer = make(model.parameters())
    model.send(worker)
    for _ in range(STEPS):
        train(model, optimizer, x, y)
    same_model(model.get(), trained_here(make))


@pytest.mark.parametrize("name", OPTIMIZERS | FOREACH | FUSED)
def test_a_model_that_goes_and_comes(name: str, worker: sy.VirtualWorker) -> None:
    make = (OPTIMIZERS | FOREACH | FUSED)[name]
    model, x, y = network(), X.send(worker), Y.send(worker)
    optimizer = make(model.parameters())
    for _ in range(STEPS):
        model.send(worker)
        train(model, optimizer, x, y)
        model.get()
    same_model(model, trained_here(make))
