"""Strategies: FedAvg is the weighted mean, FedProx holds clients back, FedOpt steps with a server optimizer."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from functools import partial
from typing import Any

import pytest
import torch
from torch import nn
from torch.nn import functional

import syft as sy
from syft.exceptions import FederatedError
from syft.federated.averaging import average_state_dicts
from syft.federated.client import Client
from syft.federated.strategies import ClientUpdate, FedAvg, FedOpt, FedProx, Strategy
from syft.federated.trainer import FederatedTrainer
from tests.federated.places import fresh_workers


@pytest.fixture(params=[False, True], ids=["virtual", "wire"])
def workers(request: pytest.FixtureRequest) -> Iterator[list[sy.VirtualWorker]]:
    with fresh_workers(wire=request.param) as fresh:
        yield fresh


def updates(model: nn.Module, seeds: tuple[int, ...] = (0, 1)) -> list[ClientUpdate]:
    made = []
    for seed in seeds:
        generator = torch.Generator().manual_seed(seed)
        state = {
            name: value + (torch.randn(value.shape, generator=generator) if value.is_floating_point() else seed)
            for name, value in model.state_dict().items()
        }
        made.append(ClientUpdate(f"client {seed}", state, samples=10 * (seed + 1)))
    return made


def model() -> nn.Sequential:
    torch.manual_seed(0)
    made = nn.Sequential(nn.Linear(3, 2), nn.BatchNorm1d(2))
    made[0].bias.requires_grad_(False)
    return made


def test_fedavg_is_the_mean_weighted_by_samples() -> None:
    made = updates(model())
    states = [update.state for update in made]
    for weighted, weights in ((True, [10, 20]), (False, None)):
        result = FedAvg(weighted=weighted).aggregate({}, made)
        want = average_state_dicts(states, weights)
        assert all(torch.equal(result[name], want[name]) for name in want)


def test_an_unfinished_strategy_says_so() -> None:
    with pytest.raises(NotImplementedError):
        Strategy().aggregate({}, [])
    assert Strategy().state_dict() == {}


def four_clients(workers: list[sy.VirtualWorker]) -> dict[str, Client]:
    clients = {}
    for number, worker in enumerate(workers):
        generator = torch.Generator().manual_seed(number)
        x = torch.randn(12, 3, generator=generator)
        y = x @ torch.tensor([[1.0], [-2.0], [0.5]]) + number  # each client pulls the bias its own way
        clients[worker.id] = Client(worker, [(x[i : i + 4].send(worker), y[i : i + 4].send(worker)) for i in (0, 4, 8)])
    return clients


def trained(workers: list[sy.VirtualWorker], strategy: Strategy, rounds: int = 3) -> tuple[nn.Module, float]:
    torch.manual_seed(0)
    trainer = FederatedTrainer(
        nn.Linear(3, 1),
        four_clients(workers),
        functional.mse_loss,
        optimizer=partial(torch.optim.SGD, lr=0.05),
        strategy=strategy,
        local_epochs=3,
    )
    record = trainer.fit(rounds)[-1]
    return trainer.model, max(client.drift for client in record.clients.values())


def test_fedprox_with_mu_0_is_fedavg(workers: list[sy.VirtualWorker]) -> None:
    plain, _ = trained(workers, FedAvg())
    prox, _ = trained(workers, FedProx(0.0))
    assert torch.allclose(plain.weight, prox.weight, atol=1e-7)


def test_fedprox_is_the_loss_plus_the_proximal_term(workers: list[sy.VirtualWorker]) -> None:
    torch.manual_seed(0)
    local, mu = nn.Linear(3, 1), 0.7
    start = [p.detach().clone() for p in local.parameters()]
    one = {"only": next(iter(four_clients(workers).values()))}
    remote = FederatedTrainer(
        copy.deepcopy(local), one, functional.mse_loss, optimizer=partial(torch.optim.SGD, lr=0.05),
        strategy=FedProx(mu),
    )  # fmt: skip
    remote.fit(1)
    optimizer = torch.optim.SGD(local.parameters(), lr=0.05)
    for x, y in one["only"].batches:
        optimizer.zero_grad()
        loss = functional.mse_loss(local(x.copy().get()), y.copy().get())
        pull = sum(((p - s) ** 2).sum() for p, s in zip(local.parameters(), start, strict=True))
        (loss + mu / 2 * pull).backward()
        optimizer.step()
    assert torch.allclose(local.weight, remote.model.weight, atol=1e-6)
    assert torch.allclose(local.bias, remote.model.bias, atol=1e-6)


def test_fedprox_reduces_drift(workers: list[sy.VirtualWorker]) -> None:
    drifts = [trained(workers, strategy)[1] for strategy in (FedAvg(), FedProx(1.0), FedProx(5.0))]
    assert drifts[0] > drifts[1] > drifts[2]


@pytest.mark.parametrize("mu", [-0.1, float("nan"), float("inf")])
def test_fedprox_refuses_bad_mu(mu: float) -> None:
    with pytest.raises(FederatedError, match="mu is"):
        FedProx(mu)


def test_fedopt_with_sgd_1_is_fedavg() -> None:
    made = model()
    strategy = FedOpt(partial(torch.optim.SGD, lr=1.0))
    strategy.begin(made)
    result = strategy.aggregate(made.state_dict(), updates(made))
    want = FedAvg().aggregate(made.state_dict(), updates(made))
    for name in want:
        assert torch.allclose(result[name], want[name], atol=1e-6), name
    # Buffers and frozen parameters are plainly averaged, to the last bit.
    assert torch.equal(result["1.running_mean"], want["1.running_mean"])
    assert result["1.num_batches_tracked"].dtype == torch.int64
    assert torch.equal(result["0.bias"], want["0.bias"])


def test_fedopt_is_a_step_along_the_mean_change() -> None:
    made = model()
    strategy = FedOpt(partial(torch.optim.SGD, lr=0.5, momentum=0.9))
    strategy.begin(made)
    start = {name: value.clone() for name, value in made.state_dict().items()}
    state, velocity = dict(start), torch.zeros(2, 3)
    expected = start["0.weight"].clone()
    for seeds in ((0, 1), (2, 3), (4,)):
        given = updates(made, seeds)
        mean = FedAvg().aggregate({}, given)["0.weight"]
        velocity = 0.9 * velocity + (expected - mean)
        expected = expected - 0.5 * velocity
        state = strategy.aggregate(state, given)
        strategy.begin(made)  # as every fit() does: it must not start anew
    assert torch.allclose(state["0.weight"], expected, atol=1e-5)
    assert all(torch.equal(start[name], value) for name, value in made.state_dict().items())


def test_fedopt_remembers_across_a_restart() -> None:
    made = model()
    make: Any = partial(torch.optim.Adam, lr=0.1)
    one, two = FedOpt(make), FedOpt(make)
    assert two.state_dict() == {}
    one.begin(made)
    state = one.aggregate(made.state_dict(), updates(made))
    two.begin(made)
    two.load_state_dict(one.state_dict())
    left, right = (strategy.aggregate(state, updates(made, (5, 6))) for strategy in (one, two))
    assert all(torch.equal(left[name], right[name]) for name in left)


def test_fedopt_must_see_the_model_first() -> None:
    with pytest.raises(FederatedError, match=r"call begin\(model\)"):
        FedOpt(partial(torch.optim.SGD, lr=1.0)).aggregate({}, updates(model()))


def test_fedadam_learns(workers: list[sy.VirtualWorker]) -> None:
    wanted = torch.tensor([[1.0, -2.0, 0.5]])
    early, late = (trained(workers, FedOpt(partial(torch.optim.Adam, lr=0.1)), rounds=n)[0] for n in (1, 60))
    assert (early.weight - wanted).norm() > 1.0
    assert (late.weight - wanted).norm() < 0.3
