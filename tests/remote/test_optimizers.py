"""Every optimizer and scheduler of torch trains a model on a worker as it trains one here."""

from __future__ import annotations

import copy
import io
from collections.abc import Callable, Iterable
from typing import Any

import pytest
import torch
from torch import nn, optim
from torch.optim import lr_scheduler as sched

import syft as sy
from syft.exceptions import NotLocalError, TensorsNotCollocatedException
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


def test_sparse_gradients(worker: sy.VirtualWorker) -> None:
    torch.manual_seed(0)
    local = nn.Embedding(6, 3, sparse=True)
    model = copy.deepcopy(local).send(worker)
    words = torch.tensor([[1, 2], [2, 5]])
    for net, batch in ((local, words), (model, words.send(worker))):
        optimizer = optim.SparseAdam(list(net.parameters()), lr=0.1)
        for _ in range(STEPS):
            optimizer.zero_grad()
            (net(batch) ** 2).sum().backward()
            optimizer.step()
    close(model.get().weight, local.weight, "the weight")


def test_every_optimizer_of_torch_is_tried() -> None:
    tried = {name.partition("-")[0] for name in OPTIMIZERS} | {"SparseAdam", "Optimizer"}
    assert {name for name in optim.__all__ if isinstance(getattr(optim, name), type)} <= tried


SCHEDULERS: dict[str, Callable[[optim.Optimizer], Any]] = {
    "LambdaLR": lambda o: sched.LambdaLR(o, lambda epoch: 0.9**epoch),
    "MultiplicativeLR": lambda o: sched.MultiplicativeLR(o, lambda epoch: 0.9),
    "StepLR": lambda o: sched.StepLR(o, 2, gamma=0.5),
    "MultiStepLR": lambda o: sched.MultiStepLR(o, [1, 3], gamma=0.5),
    "ConstantLR": lambda o: sched.ConstantLR(o, factor=0.5, total_iters=2),
    "LinearLR": lambda o: sched.LinearLR(o, start_factor=0.3, total_iters=3),
    "ExponentialLR": lambda o: sched.ExponentialLR(o, 0.8),
    "PolynomialLR": lambda o: sched.PolynomialLR(o, total_iters=4, power=2.0),
    "CosineAnnealingLR": lambda o: sched.CosineAnnealingLR(o, T_max=4),
    "CosineAnnealingWarmRestarts": lambda o: sched.CosineAnnealingWarmRestarts(o, T_0=2),
    "CyclicLR": lambda o: sched.CyclicLR(o, 0.01, 0.1, step_size_up=2, cycle_momentum=True),
    "OneCycleLR": lambda o: sched.OneCycleLR(o, max_lr=0.1, total_steps=STEPS + 1),
    "ReduceLROnPlateau": lambda o: sched.ReduceLROnPlateau(o, patience=0, threshold=0.5),
    "ChainedScheduler": lambda o: sched.ChainedScheduler([sched.ConstantLR(o), sched.ExponentialLR(o, 0.9)]),
    "SequentialLR": lambda o: sched.SequentialLR(o, [sched.ConstantLR(o), sched.ExponentialLR(o, 0.9)], [2]),
}


def scheduled(name: str, model: nn.Module, x: Any, y: Any) -> list[float]:
    """Train with a scheduler; the learning rates it set."""
    optimizer = optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    scheduler = SCHEDULERS[name](optimizer)
    rates = []
    for _ in range(STEPS):
        train(model, optimizer, x, y)
        loss = ((model(x) - y) ** 2).mean()
        metric = loss.get().item() if loss.is_wrapper else loss.item()
        scheduler.step(*([metric] if name == "ReduceLROnPlateau" else []))
        rates.append(optimizer.param_groups[0]["lr"])
    return rates


@pytest.mark.parametrize("name", SCHEDULERS)
def test_a_scheduler_sets_the_rates_of_local_training(name: str, worker: sy.VirtualWorker) -> None:
    local, model = network(), network().send(worker)
    wanted = scheduled(name, local, X, Y)
    assert scheduled(name, model, X.send(worker), Y.send(worker)) == pytest.approx(wanted, abs=1e-6)
    same_model(model.get(), local)


def test_every_scheduler_of_torch_is_tried() -> None:
    bases = {"LRScheduler", "_LRScheduler"}
    assert {name for name in sched.__all__ if isinstance(getattr(sched, name), type)} - bases <= set(SCHEDULERS)


def test_averaged_weights(worker: sy.VirtualWorker) -> None:
    model, x, y = network(), X.send(worker), Y.send(worker)
    average = optim.swa_utils.AveragedModel(model)
    optimizer = optim.SGD(model.parameters(), lr=0.1)
    seen = []
    for _ in range(2):
        train(model.send(worker), optimizer, x, y)
        average.update_parameters(model.get())
        seen.append(copy.deepcopy(model.state_dict()))
    close(average.module[0].weight, (seen[0]["0.weight"] + seen[1]["0.weight"]) / 2, "the average")


def gradients(model: nn.Module, x: Any, y: Any) -> nn.Module:
    """The model, with gradients."""
    ((model(x) - y) ** 2).mean().backward()
    return model


@pytest.mark.parametrize("foreach", [None, False, True])
@pytest.mark.parametrize("norm", [2.0, 1.0, float("inf")])
def test_clip_grad_norm(norm: float, foreach: bool | None, worker: sy.VirtualWorker) -> None:
    local, model = gradients(network(), X, Y), gradients(network().send(worker), X.send(worker), Y.send(worker))
    wanted = nn.utils.clip_grad_norm_(local.parameters(), 0.1, norm_type=norm, foreach=foreach)
    total = nn.utils.clip_grad_norm_(model.parameters(), 0.1, norm_type=norm, foreach=foreach)
    assert total.is_wrapper
    close(total.get(), wanted, "the norm")
    same_model(model.get(), local)


@pytest.mark.parametrize("foreach", [None, False, True])
def test_clip_grad_value(foreach: bool | None, worker: sy.VirtualWorker) -> None:
    local, model = gradients(network(), X, Y), gradients(network().send(worker), X.send(worker), Y.send(worker))
    for net in (local, model):
        nn.utils.clip_grad_value_(net.parameters(), 0.01, foreach=foreach)
    same_model(model.get(), local)


@pytest.mark.parametrize("to_none", [True, False])
def test_zero_grad(to_none: bool, worker: sy.VirtualWorker) -> None:
    model = gradients(network().send(worker), X.send(worker), Y.send(worker))
    optim.SGD(model.parameters(), lr=0.1).zero_grad(set_to_none=to_none)
    found = [parameter.grad for parameter in model.get().parameters()]
    assert all(g is None for g in found) if to_none else all(g is not None and not g.any() for g in found)


def test_frozen_parameters_stay_as_they_are(worker: sy.VirtualWorker) -> None:
    local, model = network(), network()
    for net in (local, model):
        net[0].requires_grad_(False)
    optimizer = optim.Adam(model.parameters(), lr=0.1)
    model.send(worker)
    x, y = X.send(worker), Y.send(worker)
    reference = optim.Adam(local.parameters(), lr=0.1)
    for _ in range(STEPS):
        train(model, optimizer, x, y)
        train(local, reference, X, Y)
    same_model(model.get(), local)
    close(model[0].weight, network()[0].weight, "the frozen weight")


def test_a_group_added_while_the_model_is_there(worker: sy.VirtualWorker) -> None:
    results = []
    for net, x, y in ((network(), X, Y), (network().send(worker), X.send(worker), Y.send(worker))):
        optimizer = optim.SGD(net[0].parameters(), lr=0.1, momentum=0.9)
        train(net, optimizer, x, y)
        optimizer.add_param_group({"params": net[2].parameters(), "lr": 0.01})
        train(net, optimizer, x, y)
        results.append(net)
    same_model(results[1].get(), results[0])


def test_an_optimizer_made_while_the_model_is_there(worker: sy.VirtualWorker) -> None:
    model = network().send(worker)
    optimizer = optim.Adam(model.parameters(), lr=0.1)
    x, y = X.send(worker), Y.send(worker)
    for _ in range(STEPS):
        train(model, optimizer, x, y)
    same_model(model.get(), trained_here(lambda p: optim.Adam(p, lr=0.1)))


def test_the_state_stays_on_the_worker(worker: sy.VirtualWorker) -> None:
    model, x, y = network(), X.send(worker), Y.send(worker)
    optimizer = optim.Adam(model.parameters(), lr=0.1)
    model.send(worker)
    for _ in range(3):
        train(model, optimizer, x, y)
        assert len(worker._objects) == 2 + 4 + 2 * 4  # data, parameters, two moments each
    model.get()
    assert len(worker._objects) == 2 + 2 * 4
    del optimizer
    assert set(worker._objects) == {x.id_at_location, y.id_at_location}


def test_a_state_dict_shows_where_the_state_is_and_is_not_saved(worker: sy.VirtualWorker) -> None:
    model = network().send(worker)
    optimizer = optim.Adam(model.parameters(), lr=0.1)
    train(model, optimizer, X.send(worker), Y.send(worker))
    state = optimizer.state_dict()["state"][0]
    assert state["exp_avg"].location == worker
    assert state["step"].item() == 1
    with pytest.raises(NotLocalError, match="get"):
        torch.save(optimizer.state_dict(), io.BytesIO())


def test_a_state_dict_of_remote_state_is_loaded(worker: sy.VirtualWorker) -> None:
    model, x, y = network().send(worker), X.send(worker), Y.send(worker)
    first = optim.Adam(model.parameters(), lr=0.1)
    train(model, first, x, y)
    second = optim.Adam(model.parameters(), lr=0.5)
    second.load_state_dict(first.state_dict())
    for _ in range(STEPS - 1):
        train(model, second, x, y)
    same_model(model.get(), trained_here(lambda p: optim.Adam(p, lr=0.1)))


def test_state_made_here_follows_the_model(worker: sy.VirtualWorker) -> None:
    model = network()
    optimizer = optim.Adam(model.parameters(), lr=0.1)
    train(model, optimizer, X, Y)
    model.send(worker)
    x, y = X.send(worker), Y.send(worker)
    for _ in range(STEPS - 1):
        train(model, optimizer, x, y)
    same_model(model.get(), trained_here(lambda p: optim.Adam(p, lr=0.1)))


def test_one_optimizer_that_remembers_does_not_serve_two_workers(
    worker: sy.VirtualWorker, other: sy.VirtualWorker
) -> None:
    model = network()
    optimizer = optim.Adam(model.parameters(), lr=0.1)
    places = [(worker, X.send(worker), Y.send(worker)), (other, X.send(other), Y.send(other))]
    model.send(worker)
    train(model, optimizer, *places[0][1:])
    before = copy.deepcopy(model.get().state_dict())
    model.send(other)
    with pytest.raises(TensorsNotCollocatedException, match="Optims"):
        train(model, optimizer, *places[1][1:])
    model.get()
    for name, value in model.state_dict().items():
        assert torch.equal(value, before[name])
    # Back at the first worker it goes on as if nothing had been tried.
    model.send(worker)
    for _ in range(STEPS - 1):
        train(model, optimizer, *places[0][1:])
    same_model(model.get(), trained_here(lambda p: optim.Adam(p, lr=0.1)))


def test_one_optimizer_without_memory_serves_two_workers(worker: sy.VirtualWorker, other: sy.VirtualWorker) -> None:
    model = network()
    optimizer = optim.SGD(model.parameters(), lr=0.1)
    for step in range(STEPS):
        place = (worker, other)[step % 2]
        train(model.send(place), optimizer, X.send(place), Y.send(place))
        model.get()
    same_model(model, trained_here(lambda p: optim.SGD(p, lr=0.1)))


class Scale(nn.Module):
    """A model whose only parameter has no dimensions."""

    def __init__(self) -> None:
        super().__init__()
        self.factor = nn.Parameter(torch.tensor(2.0))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x * self.factor


@pytest.mark.parametrize("name", [name for name in OPTIMIZERS if name != "Muon"])
def test_state_of_a_parameter_without_dimensions_follows_it(name: str, worker: sy.VirtualWorker) -> None:
    local, model, x = Scale(), Scale(), torch.ones(3)
    here, there = (OPTIMIZERS[name](net.parameters()) for net in (local, model))
    train(local, here, x, 0)
    train(model, there, x, 0)
    model.send(worker)
    for _ in range(2):
        train(local, here, x, 0)
        train(model, there, x.send(worker), 0)
    same_model(model.get(), local)
