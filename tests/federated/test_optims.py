"""Optimizers that keep one state a worker, held to the law: the same numbers as local training, bit for bit."""

from __future__ import annotations

import copy
import gc
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch
from torch import nn

import syft as sy
from syft.exceptions import FederatedError, TensorsNotCollocatedException
from syft.federated.optimizer_state import independent_copy, state_follows_model
from syft.federated.optimizers import Optims
from syft.federated.worker_keys import WorkerNotFoundException
from tests.federated.places import fresh_workers

Workers = list[sy.VirtualWorker]
Make = Callable[[Any], torch.optim.Optimizer]

DATA = torch.tensor([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]])
TARGET = torch.tensor([[0.0], [0.0], [1.0], [1.0]])
HALVES = ((slice(0, 2), "bob"), (slice(2, 4), "alice"))

OPTIMIZERS: dict[str, Make] = {
    "SGD": lambda p: torch.optim.SGD(p, lr=0.1),
    "SGD momentum": lambda p: torch.optim.SGD(p, lr=0.05, momentum=0.9),
    "SGD nesterov decay": lambda p: torch.optim.SGD(p, lr=0.05, momentum=0.9, nesterov=True, weight_decay=0.01),
    "Adam": lambda p: torch.optim.Adam(p, lr=0.1),
    "Adam amsgrad": lambda p: torch.optim.Adam(p, lr=0.1, amsgrad=True, weight_decay=0.01),
    "AdamW": lambda p: torch.optim.AdamW(p, lr=0.1),
    "Adamax": lambda p: torch.optim.Adamax(p, lr=0.1),
    "Adagrad": lambda p: torch.optim.Adagrad(p, lr=0.1, initial_accumulator_value=0.5),
    "Adadelta": lambda p: torch.optim.Adadelta(p, lr=1.0),
    "Adafactor": lambda p: torch.optim.Adafactor(p, lr=0.1),
    "NAdam": lambda p: torch.optim.NAdam(p, lr=0.1),
    "RAdam": lambda p: torch.optim.RAdam(p, lr=0.1),
    "Rprop": lambda p: torch.optim.Rprop(p, lr=0.01),
    "RMSprop": lambda p: torch.optim.RMSprop(p, lr=0.05),
    "RMSprop centered momentum": lambda p: torch.optim.RMSprop(p, lr=0.01, centered=True, momentum=0.9),
    "Muon": lambda p: torch.optim.Muon([q for q in p if q.dim() == 2], lr=0.1),
    "ASGD": lambda p: torch.optim.ASGD(p, lr=0.05, t0=2),
    "LBFGS": lambda p: torch.optim.LBFGS(p, lr=0.2, max_iter=3),
    "LBFGS line search": lambda p: torch.optim.LBFGS(p, lr=0.5, max_iter=2, line_search_fn="strong_wolfe"),
}


@pytest.fixture(params=[False, True], ids=["by_reference", "wire"])
def workers(request: pytest.FixtureRequest) -> Iterator[Workers]:
    with fresh_workers(wire=request.param, names=("bob", "alice")) as fresh:
        yield fresh


def start() -> nn.Linear:
    model = nn.Linear(2, 1)
    with torch.no_grad():
        model.weight.copy_(torch.tensor([[0.1, -0.2]]))
        model.bias.copy_(torch.tensor([0.3]))
    return model


def sent(workers: Workers) -> list[tuple[torch.Tensor, torch.Tensor]]:
    return [
        (DATA[rows].send(worker), TARGET[rows].send(worker)) for (rows, _), worker in zip(HALVES, workers, strict=True)
    ]


def one_step(model: nn.Module, optimizer: torch.optim.Optimizer, data: Any, target: Any) -> Any:
    def closure() -> Any:
        optimizer.zero_grad()
        loss = ((model(data) - target) ** 2).sum()
        loss.backward()
        return loss

    return optimizer.step(closure)


def trained_here(make: Make, passes: int) -> tuple[nn.Module, list[float]]:
    """One set of parameters, one optimizer state a half of the data, all local."""
    model, losses = start(), []
    optimizers = {name: make(model.parameters()) for _, name in HALVES}
    for _ in range(passes):
        for rows, name in HALVES:
            losses.append(float(one_step(model, optimizers[name], DATA[rows], TARGET[rows]).detach()))
    return model, losses


def trained_there(optims: Optims, model: nn.Module, workers: Workers, passes: int) -> list[float]:
    losses, batches = [], sent(workers)
    for _ in range(passes):
        for data, target in batches:
            model.send(data.location)
            loss = one_step(model, optims.get_optim(data.location.id), data, target)
            model.get()
            losses.append(float(loss.get().detach()) if isinstance(loss, torch.Tensor) else loss)
    return losses


def same(a: nn.Module, b: nn.Module) -> bool:
    return all(torch.equal(x, y) for x, y in zip(a.parameters(), b.parameters(), strict=True))


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_every_optimizer_gives_the_numbers_of_local_training(workers: Workers, name: str) -> None:
    make = OPTIMIZERS[name]
    expected, expected_losses = trained_here(make, passes=5)
    model = start()
    losses = trained_there(Optims(["bob", "alice"], optim=make(model.parameters())), model, workers, passes=5)
    assert losses == expected_losses
    assert same(model, expected)
    assert not same(model, start())


def test_sparse_gradients_train_remotely(workers: Workers) -> None:
    words = [torch.tensor([0, 2]), torch.tensor([1, 2])]

    def table() -> nn.Embedding:
        return nn.Embedding.from_pretrained(torch.arange(6.0).view(3, 2), freeze=False, sparse=True)

    here, there = table(), table()
    states = [torch.optim.SparseAdam(list(here.parameters()), lr=0.1) for _ in words]
    optims = Optims(workers, optim=torch.optim.SparseAdam(list(there.parameters()), lr=0.1))
    pointers = [word.send(worker) for word, worker in zip(words, workers, strict=True)]
    for _ in range(3):
        for word, state in zip(words, states, strict=True):
            state.zero_grad()
            (here(word) ** 2).sum().backward()
            state.step()
        for pointer in pointers:
            there.send(pointer.location)
            optimizer = optims.get_optim(pointer.location)
            optimizer.zero_grad()
            (there(pointer) ** 2).sum().backward()
            optimizer.step()
            there.get()
    assert torch.equal(here.weight, there.weight)


def test_the_golden_adam_run(workers: Workers) -> None:
    model = start()
    optims = Optims(["bob", "alice"], optim=torch.optim.Adam(params=model.parameters(), lr=0.1))
    losses = [round(loss, 4) for loss in trained_there(optims, model, workers, passes=20)]
    assert losses[:8] == [0.1, 1.49, 0.1, 1.17, 0.0995, 0.8933, 0.0981, 0.6607]
    assert losses[-4:] == [0.0078, 0.0917, 0.0142, 0.0927]
    assert [[round(w, 4) for w in row] for row in model.weight.tolist()] == [[1.2921, 0.1107]]
    assert [round(b, 4) for b in model.bias.tolist()] == [-0.1457]


def test_state_stays_on_its_worker_and_parameters_are_shared(workers: Workers) -> None:
    model = start()
    optims = Optims(workers, optim=torch.optim.Adam(model.parameters(), lr=0.1))
    trained_there(optims, model, workers, passes=1)
    gc.collect()
    for worker in workers:
        optimizer = optims.get_optim(worker)
        for parameter in model.parameters():
            state = optimizer.state[parameter]
            assert state["exp_avg"].location is worker
            assert state["exp_avg_sq"].location is worker
            assert state["step"] == 1
        assert len(worker._objects) == 4
    assert optims.get_optim("bob").param_groups[0]["params"][0] is model.weight
    del optims, optimizer, state, parameter
    gc.collect()
    assert [len(worker._objects) for worker in workers] == [0, 0]


def test_workers_are_named_by_object_id_or_text(workers: Workers) -> None:
    bob = workers[0]
    optim = torch.optim.SGD(start().parameters(), lr=0.1)
    optims = Optims([bob, "alice", 3], optim=optim)
    assert optims.count() == 3
    assert optims.workers == [bob, "alice", 3]
    assert optims.optim is optim
    assert list(optims.optimizers) == ["bob", "alice", "3"]
    before = optims.get_optim("bob")
    kept = torch.zeros(3).send(bob)  # the worker's text counts its objects and is no name for it
    assert optims.get_optim(bob) is optims["bob"] is before
    assert optims.get_optim(3) is optims.get_optim("3")
    del kept


def test_an_unknown_worker_is_a_key_error_in_plain_words() -> None:
    optims = Optims(["bob"], optim=torch.optim.SGD(start().parameters(), lr=0.1))
    with pytest.raises(KeyError):
        optims.get_optim("kim")
    with pytest.raises(WorkerNotFoundException) as caught:
        optims.get_optim("kim")
    assert str(caught.value).startswith("there is no optimizer for worker 'kim'; there are optimizers for: bob.")
    assert isinstance(caught.value, sy.exceptions.SyftError)


def test_a_class_in_place_of_an_optimizer_is_refused() -> None:
    with pytest.raises(FederatedError, match="such as torch.optim.Adam"):
        Optims(["bob"], optim=torch.optim.Adam)  # type: ignore[arg-type]


def test_settings_are_independent_and_can_be_adopted() -> None:
    template = torch.optim.SGD(start().parameters(), lr=0.5)
    optims = Optims(["bob", "alice"], optim=template)
    optims["bob"].param_groups[0]["lr"] = 0.1
    template.param_groups[0]["lr"] = 0.2
    assert optims["alice"].param_groups[0]["lr"] == 0.5
    optims.adopt_settings()
    assert [optims[name].param_groups[0]["lr"] for name in ("bob", "alice")] == [0.2, 0.2]
    assert optims["bob"].param_groups[0]["params"] is not template.param_groups[0]["params"]


def test_a_tensor_learning_rate_is_not_shared() -> None:
    template = torch.optim.Adam(start().parameters(), lr=torch.tensor(0.5))
    optims = Optims(["bob", "alice"], optim=template)
    optims["bob"].param_groups[0]["lr"].fill_(0.1)
    assert optims["alice"].param_groups[0]["lr"] == 0.5 == template.param_groups[0]["lr"]


def test_every_worker_gets_a_schedule_of_its_own(workers: Workers) -> None:
    model = start()
    optims = Optims(workers, optim=torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9))
    schedule = optims.scheduler(torch.optim.lr_scheduler.StepLR, step_size=1, gamma=0.5)

    here = start()
    states = {name: torch.optim.SGD(here.parameters(), lr=0.1, momentum=0.9) for _, name in HALVES}
    schedules = [torch.optim.lr_scheduler.StepLR(state, step_size=1, gamma=0.5) for state in states.values()]
    for _ in range(3):
        trained_there(optims, model, workers, passes=1)
        schedule.step()
        for rows, name in HALVES:
            one_step(here, states[name], DATA[rows], TARGET[rows])
        for other in schedules:
            other.step()
    assert same(model, here)
    assert schedule.get_last_lr() == {"bob": [0.0125], "alice": [0.0125]}
    assert schedule[workers[0]] is schedule["bob"]
    with pytest.raises(WorkerNotFoundException, match="no scheduler for worker 'kim'"):
        schedule["kim"]
    resumed = Optims(workers, optim=torch.optim.SGD(model.parameters(), lr=0.1)).scheduler(
        torch.optim.lr_scheduler.StepLR, step_size=1, gamma=0.5
    )
    resumed.load_state_dict(schedule.state_dict())
    assert resumed["alice"].last_epoch == 3


def test_schedules_take_a_metric() -> None:
    optims = Optims(["bob"], optim=torch.optim.SGD(start().parameters(), lr=1.0))
    schedule = optims.scheduler(torch.optim.lr_scheduler.ReduceLROnPlateau, patience=0, factor=0.1)
    for metric in (1.0, 2.0):
        schedule.step(metric)
    assert optims["bob"].param_groups[0]["lr"] == pytest.approx(0.1)


def test_a_template_with_a_scheduler_does_not_step_for_its_copies() -> None:
    model = start()
    template = torch.optim.SGD(model.parameters(), lr=1.0)
    torch.optim.lr_scheduler.ExponentialLR(template, gamma=0.5)  # replaces template.step
    optims = Optims(["bob"], optim=template)
    template.param_groups[0]["lr"] = 0.0
    model.weight.grad, model.bias.grad = torch.ones(1, 2), torch.ones(1)
    optims["bob"].step()
    assert model.bias.item() == pytest.approx(0.3 - 1.0)


@pytest.mark.parametrize("name", ["Adam", "Adagrad", "LBFGS", "SGD momentum"])
def test_an_optimizer_that_was_used_here_passes_its_state_on(workers: Workers, name: str) -> None:
    make = OPTIMIZERS[name]

    def used() -> tuple[nn.Module, torch.optim.Optimizer]:
        model = start()
        optimizer = make(model.parameters())
        one_step(model, optimizer, DATA, TARGET)
        return model, optimizer

    here, template = used()
    states = {worker: independent_copy(template) for _, worker in HALVES}
    for _ in range(3):
        for rows, worker in HALVES:
            one_step(here, states[worker], DATA[rows], TARGET[rows])
    there, template = used()
    before = copy.deepcopy(template.state_dict())
    trained_there(Optims(workers, optim=template), there, workers, passes=3)
    assert same(here, there)
    after = template.state_dict()
    assert str(after) == str(before)


def test_a_template_whose_state_is_on_a_worker_is_copied_there(workers: Workers) -> None:
    model = start()
    template = torch.optim.Adam(model.parameters(), lr=0.1)
    (data, target), _ = sent(workers)
    model.send(workers[0])
    one_step(model, template, data, target)
    model.get()
    optims = Optims(workers, optim=template)
    moments = [optims[name].state[model.weight]["exp_avg"] for name in ("bob", "alice")]
    assert [moment.location for moment in moments] == [workers[0]] * 2
    trained_there(optims, model, workers, passes=2)
    assert optims["alice"].state[model.weight]["exp_avg"].location is workers[1]
    assert template.state[model.weight]["step"] == 1


def test_states_are_saved_and_restored(workers: Workers) -> None:
    straight = start()
    optims = Optims(workers, optim=torch.optim.Adam(straight.parameters(), lr=0.1))
    trained_there(optims, straight, workers, passes=2)
    weights, saved = copy.deepcopy(straight.state_dict()), optims.state_dict()
    assert saved["bob"]["state"][0]["exp_avg"].location is None
    assert optims["bob"].state[straight.weight]["exp_avg"].location is workers[0]
    trained_there(optims, straight, workers, passes=2)

    resumed = start()
    resumed.load_state_dict(weights)
    again = Optims(workers, optim=torch.optim.Adam(resumed.parameters(), lr=0.9))
    again.load_state_dict(saved)
    trained_there(again, resumed, workers, passes=2)
    assert same(straight, resumed)
    with pytest.raises(FederatedError, match=r"states for the workers \['bob'\].*\['alice', 'bob'\]"):
        again.load_state_dict({"bob": saved["bob"]})


@pytest.mark.parametrize("name", [name for name in OPTIMIZERS if name != "SGD"])
def test_one_optimizer_can_travel_with_the_model(workers: Workers, name: str) -> None:
    here, there = start(), start()
    local = OPTIMIZERS[name](here.parameters())
    shared = OPTIMIZERS[name](there.parameters())
    assert state_follows_model(shared) is shared
    assert state_follows_model(shared) is shared
    assert len(shared._optimizer_step_pre_hooks) == 1
    batches = sent(workers)
    for _ in range(3):
        for (rows, _), (data, target) in zip(HALVES, batches, strict=True):
            one_step(here, local, DATA[rows], TARGET[rows])
            there.send(data.location)
            one_step(there, shared, data, target)
            there.get()
    one_step(here, local, DATA, TARGET)
    one_step(there, shared, DATA, TARGET)
    assert same(here, there)


def test_without_help_a_stateful_optimizer_serves_one_worker(workers: Workers) -> None:
    model = start()
    adam = torch.optim.Adam(model.parameters(), lr=0.1)
    (data, target), (other_data, other_target) = sent(workers)
    model.send(workers[0])
    one_step(model, adam, data, target)
    model.get().send(workers[1])
    with pytest.raises(TensorsNotCollocatedException):
        one_step(model, adam, other_data, other_target)


def test_scalar_parameters_have_a_state_too(workers: Workers) -> None:
    class Scale(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.factor = nn.Parameter(torch.tensor(2.0))

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x * self.factor

    for make in (OPTIMIZERS["Adagrad"], OPTIMIZERS["Adam"], OPTIMIZERS["ASGD"]):
        here, there = Scale(), Scale()
        local = {name: make(here.parameters()) for _, name in HALVES}
        optims = Optims(workers, optim=make(there.parameters()))
        for _ in range(3):
            for rows, name in HALVES:
                one_step(here, local[name], DATA[rows, :1], TARGET[rows])
        batches = [(data[:, :1], target) for data, target in sent(workers)]
        for _ in range(3):
            for data, target in batches:
                there.send(data.location)
                one_step(there, optims[data.location], data, target)
                there.get()
        assert same(here, there)


def test_parameter_groups_keep_their_own_settings(workers: Workers) -> None:
    def groups(model: nn.Linear) -> torch.optim.Optimizer:
        parts = [{"params": [model.weight], "lr": 0.01}, {"params": [model.bias]}]
        return torch.optim.SGD(parts, lr=0.2, momentum=0.5)

    here, there = start(), start()
    local = {name: groups(here) for _, name in HALVES}
    for _ in range(3):
        for rows, name in HALVES:
            one_step(here, local[name], DATA[rows], TARGET[rows])
    trained_there(Optims(workers, optim=groups(there)), there, workers, passes=3)
    assert same(here, there)
