"""Optimizers of torch on remote models, and one optimizer a worker with `Optims`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import nn, optim
from torch.nn import functional as F

import syft as sy
from syft.exceptions import SyftError
from syft.federated.floptimizer import Optims

Worker = sy.VirtualWorker
Maker = Callable[[Any], optim.Optimizer]

MAKERS: dict[str, Maker] = {
    "SGD": lambda p: optim.SGD(p, lr=0.1), "SGD momentum": lambda p: optim.SGD(p, lr=0.1, momentum=0.9),
    "SGD nesterov": lambda p: optim.SGD(p, lr=0.1, momentum=0.9, nesterov=True),
    "SGD weight decay": lambda p: optim.SGD(p, lr=0.1, weight_decay=0.1), "Adam": lambda p: optim.Adam(p, lr=0.1),
    "Adam weight decay": lambda p: optim.Adam(p, lr=0.1, weight_decay=0.1),
    "Adam amsgrad": lambda p: optim.Adam(p, lr=0.1, amsgrad=True), "AdamW": lambda p: optim.AdamW(p, lr=0.1),
    "Adadelta": optim.Adadelta, "RMSprop": lambda p: optim.RMSprop(p, lr=0.01),
    "RMSprop centered": lambda p: optim.RMSprop(p, lr=0.01, centered=True, momentum=0.9),
    "ASGD": lambda p: optim.ASGD(p, lr=0.1), "Adagrad": lambda p: optim.Adagrad(p, lr=0.1),
    "Adamax": lambda p: optim.Adamax(p, lr=0.1), "NAdam": lambda p: optim.NAdam(p, lr=0.1),
    "RAdam": lambda p: optim.RAdam(p, lr=0.1), "Rprop": lambda p: optim.Rprop(p, lr=0.1),
}  # fmt: skip


def network() -> nn.Module:
    torch.manual_seed(5)
    return nn.Sequential(nn.Linear(2, 3), nn.Tanh(), nn.Linear(3, 1))


def data() -> tuple[torch.Tensor, torch.Tensor]:
    torch.manual_seed(6)
    return torch.randn(8, 2), torch.randn(8, 1)


def train(model: nn.Module, optimizer: optim.Optimizer, x: Any, y: Any, steps: int = 4) -> None:
    for _ in range(steps):
        optimizer.zero_grad()
        F.mse_loss(model(x), y).backward()
        optimizer.step()


# Rprop and Adagrad make their state when they are constructed: here they meet a model that is remote already.
@pytest.mark.parametrize("made", ["before", "after"])
@pytest.mark.parametrize("name", list(MAKERS))
def test_remote_training_equals_local_training(bob: Worker, name: str, made: str) -> None:
    x, y = data()
    here, there = network(), network()
    train(here, MAKERS[name](here.parameters()), x, y)
    if made == "before":
        optimizer = MAKERS[name](there.parameters())
        there.send(bob)
    else:
        there.send(bob)
        optimizer = MAKERS[name](there.parameters())
    train(there, optimizer, x.send(bob), y.send(bob))
    there.get()
    for a, b in zip(here.parameters(), there.parameters(), strict=True):
        assert torch.allclose(a, b, rtol=0, atol=1e-6)


def test_sgd_is_bit_identical(bob: Worker) -> None:
    x, y = data()
    here, there = network(), network()
    train(here, MAKERS["SGD"](here.parameters()), x, y)
    optimizer = MAKERS["SGD"](there.parameters())
    there.send(bob)
    train(there, optimizer, x.send(bob), y.send(bob))
    there.get()
    assert all(torch.equal(a, b) for a, b in zip(here.parameters(), there.parameters(), strict=True))


def test_the_parameters_are_the_same_objects_throughout(bob: Worker) -> None:
    x, y = data()
    net = network()
    parameters = list(net.parameters())
    optimizer = optim.Adam(net.parameters(), lr=0.1)
    net.send(bob)
    train(net, optimizer, x.send(bob), y.send(bob), steps=1)
    net.get()
    assert all(a is b for a, b in zip(parameters, net.parameters(), strict=True))
    assert all(a is b for a, b in zip(parameters, optimizer.param_groups[0]["params"], strict=True))


def test_the_state_stays_on_the_worker(bob: Worker) -> None:
    net = nn.Linear(2, 1)
    optimizer = optim.Adam(net.parameters(), lr=0.1)
    x, y = data()
    p, q = x.send(bob), y.send(bob)
    net.send(bob)
    train(net, optimizer, p, q, steps=2)
    net.get()
    moments = [s[k] for s in optimizer.state.values() for k in ("exp_avg", "exp_avg_sq")]
    assert all(m.location is bob for m in moments)
    assert len(bob._objects) >= 2 + 4


def test_a_closure_gives_the_loss(bob: Worker) -> None:
    x, y = data()
    net = network()
    optimizer = optim.SGD(net.parameters(), lr=0.1)
    net.send(bob)
    p, q = x.send(bob), y.send(bob)

    def closure() -> Any:
        optimizer.zero_grad()
        loss = F.mse_loss(net(p), q)
        loss.backward()
        return loss

    first = optimizer.step(closure)
    second = optimizer.step(closure)
    assert second.get().item() < first.get().item()


def test_training_in_rounds_equals_local_training(bob: Worker) -> None:
    x, y = data()
    here, there = network(), network()
    train(here, MAKERS["Adam"](here.parameters()), x, y)
    optimizer = MAKERS["Adam"](there.parameters())
    p, q = x.send(bob), y.send(bob)
    for _ in range(4):
        there.send(bob)
        train(there, optimizer, p, q, steps=1)
        there.get()
    for a, b in zip(here.parameters(), there.parameters(), strict=True):
        assert torch.allclose(a, b, rtol=0, atol=1e-6)


def test_one_stateful_optimizer_at_two_workers_is_refused_clearly(bob: Worker, alice: Worker) -> None:
    x, y = data()
    net = network()
    optimizer = optim.Adam(net.parameters(), lr=0.1)
    net.send(bob)
    train(net, optimizer, x.send(bob), y.send(bob), steps=1)
    net.get().send(alice)
    p, q = x.send(alice), y.send(alice)
    optimizer.zero_grad()
    F.mse_loss(net(p), q).backward()
    with pytest.raises(SyftError) as caught:
        optimizer.step()
    assert "bob" in str(caught.value)
    assert "alice" in str(caught.value)


def test_plain_sgd_serves_two_workers(bob: Worker, alice: Worker) -> None:
    x, y = data()
    here, there = network(), network()
    optimizer_here, optimizer = MAKERS["SGD"](here.parameters()), MAKERS["SGD"](there.parameters())
    for worker, part in ((bob, slice(0, 4)), (alice, slice(4, 8))):
        train(here, optimizer_here, x[part], y[part], steps=1)
        there.send(worker)
        train(there, optimizer, x[part].send(worker), y[part].send(worker), steps=1)
        there.get()
    assert all(torch.equal(a, b) for a, b in zip(here.parameters(), there.parameters(), strict=True))


# --- Optims -----------------------------------------------------------------------------------------


def test_optims_makes_one_optimizer_a_worker(bob: Worker, alice: Worker) -> None:
    net = nn.Linear(2, 1)
    template = optim.Adam(net.parameters(), lr=0.1)
    optims = Optims(["bob", "alice"], optim=template)
    assert optims.count() == 2
    assert optims.workers == ["bob", "alice"]
    assert optims.optim is template
    assert list(optims.optimizers) == ["bob", "alice"]
    a, b = optims.get_optim("bob"), optims.get_optim("alice")
    assert type(a) is type(b) is optim.Adam
    assert a is not b
    assert a.param_groups[0]["params"][0] is b.param_groups[0]["params"][0] is net.weight
    a.param_groups[0]["lr"] = 0.5
    assert b.param_groups[0]["lr"] == 0.1


def test_optims_keys_are_text(make_worker: Any) -> None:
    optims = Optims([3], optim.SGD(nn.Linear(1, 1).parameters(), lr=0.1))
    assert optims.get_optim(3) is optims.get_optim("3")


def test_optims_takes_workers_too(bob: Worker) -> None:
    optims = Optims([bob], optim.SGD(nn.Linear(1, 1).parameters(), lr=0.1))
    p = torch.tensor([1]).send(bob)
    assert optims.get_optim(bob) is optims.get_optim("bob") is optims.get_optim(p.location)


def test_optims_does_not_know_other_workers(hook: sy.TorchHook) -> None:
    with pytest.raises(KeyError):
        Optims(["bob"], optim.SGD(nn.Linear(1, 1).parameters(), lr=0.1)).get_optim("alice")


def test_optims_takes_an_instance(hook: sy.TorchHook) -> None:
    with pytest.raises((TypeError, SyftError)):
        Optims(["bob"], optim.Adam)  # type: ignore[arg-type]


GOLDEN = [
    0.379772, 3.227953, 0.184853, 1.848431, 0.261569, 1.0633, 0.411733, 0.638704, 0.532091, 0.408724, 0.587672,
    0.280922, 0.57841, 0.20511, 0.516428, 0.153908, 0.4195, 0.114204, 0.307562, 0.081883, 0.199419, 0.057326,
    0.109822, 0.041631, 0.047361, 0.03413, 0.013618, 0.031724, 0.003913, 0.030069, 0.009611, 0.025814, 0.021294,
    0.018508, 0.031615, 0.010986, 0.036803, 0.007953, 0.036525, 0.013563,
]  # fmt: skip


def test_the_golden_run(bob: Worker, alice: Worker) -> None:
    torch.manual_seed(0)
    net = nn.Linear(2, 1)
    optims = Optims(["bob", "alice"], optim.Adam(net.parameters(), lr=0.1))
    x = torch.tensor([[0, 0], [0, 1], [1, 0], [1, 1.0]])
    y = torch.tensor([[0], [0], [1], [1.0]])
    parts = [(x[:2].send(bob), y[:2].send(bob)), (x[2:].send(alice), y[2:].send(alice))]
    losses = []
    for _ in range(20):
        for xs, ys in parts:
            net.send(xs.location)
            optimizer = optims.get_optim(xs.location.id)
            optimizer.zero_grad()
            loss = ((net(xs) - ys) ** 2).sum()
            loss.backward()
            optimizer.step()
            net.get()
            losses.append(loss.get().item())
    assert losses == pytest.approx(GOLDEN, abs=1e-5)
    assert net.weight.tolist()[0] == pytest.approx([1.2387, -0.1097], abs=1e-4)
    assert net.bias.tolist() == pytest.approx([-0.0604], abs=1e-4)
