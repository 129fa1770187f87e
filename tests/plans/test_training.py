"""Whole training steps as plans: bit for bit what torch does here, with one message a step or an epoch."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import nn

import syft as sy
from syft.exceptions import PlanArgumentError, PlanBuildError, TensorsNotCollocatedException
from tests.plans.models import Cnn, mlp

OPTIMIZERS = [
    ("SGD", {"lr": 0.1}),
    ("SGD", {"lr": 0.1, "momentum": 0.9, "nesterov": True, "weight_decay": 0.01}),
    ("Adam", {"lr": 0.01}),
    ("AdamW", {"lr": 0.01, "amsgrad": True}),
    ("RMSprop", {"lr": 0.01, "momentum": 0.5}),
    ("Adagrad", {"lr": 0.05}),
    ("Adadelta", {}),
    ("Adamax", {}),
    ("NAdam", {}),
    ("RAdam", {}),
    ("Rprop", {}),
    ("ASGD", {}),
    ("Adafactor", {}),
]


def here(model: nn.Module, optimizer: torch.optim.Optimizer, data: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    """One step in plain torch."""
    optimizer.zero_grad()
    loss = F.cross_entropy(model(data), targets)
    loss.backward()
    optimizer.step()
    return loss.detach()


def batches(count: int, rows: int = 4) -> list[tuple[torch.Tensor, torch.Tensor]]:
    torch.manual_seed(3)
    return [(torch.randn(rows, 3), torch.randint(0, 2, (rows,))) for _ in range(count)]


def same(plan: sy.Plan, model: nn.Module) -> bool:
    state = plan.state.tensors()
    expected = [*model.parameters(), *model.buffers()]
    return len(state) == len(expected) and all(torch.equal(a, b) for a, b in zip(state, expected, strict=True))


@pytest.mark.parametrize(("name", "options"), OPTIMIZERS)
def test_steps_equal_those_of_plain_torch(bob: Any, name: str, options: dict[str, Any]) -> None:
    torch.manual_seed(1)
    model = mlp()
    twin = copy.deepcopy(model)
    optimizer = getattr(torch.optim, name)(twin.parameters(), **options)
    plan = sy.TrainingPlan(model, F.cross_entropy, name, options)
    plan.build(torch.zeros(2, 3), torch.zeros(2, dtype=torch.int64))
    there = plan.send(bob)
    for data, targets in batches(5):
        assert torch.equal(there(data.send(bob), targets.send(bob)).get(), here(twin, optimizer, data, targets))
    assert same(there.get(), twin)


def test_building_changes_neither_the_model_nor_its_gradients_nor_its_mode() -> None:
    model = mlp().eval()
    before = copy.deepcopy(model.state_dict())
    model[0].weight.grad = torch.ones(8, 3)
    plan = sy.TrainingPlan(model, F.cross_entropy, "Adam")
    parameter = model[0].weight
    plan.build(torch.randn(4, 3), torch.tensor([0, 1, 0, 1]))
    assert all(torch.equal(before[key], value) for key, value in model.state_dict().items())
    assert model[0].weight is parameter
    assert torch.equal(parameter.grad, torch.ones(8, 3))
    assert not model.training
    assert plan.optimizer.state == {}


def test_a_training_that_was_fetched_goes_on_where_it_stopped(bob: Any, alice: Any) -> None:
    torch.manual_seed(1)
    model = mlp()
    twin = copy.deepcopy(model)
    optimizer = torch.optim.Adam(twin.parameters())
    plan = sy.TrainingPlan(model, F.cross_entropy, "Adam")
    plan.build(torch.zeros(2, 3), torch.zeros(2, dtype=torch.int64))
    first, second, third = batches(3)
    there = plan.send(bob)
    there(first[0].send(bob), first[1].send(bob))
    fetched = there.get()
    elsewhere = fetched.send(alice)
    elsewhere(second[0].send(alice), second[1].send(alice))
    for data, targets in (first, second):
        here(twin, optimizer, data, targets)
    assert same(elsewhere.get(), twin)
    again = elsewhere.get()
    again(*third)  # a fetched plan runs here, too, with the moments that came along
    here(twin, optimizer, *third)
    assert same(again, twin)


def test_load_state_brings_the_weights_into_the_model(bob: Any) -> None:
    model = mlp()
    plan = sy.TrainingPlan(model, F.cross_entropy)
    plan.build(torch.zeros(2, 3), torch.zeros(2, dtype=torch.int64))
    there = plan.send(bob)
    data, targets = batches(1)[0]
    there(data.send(bob), targets.send(bob))
    before = model[0].weight.clone()
    assert plan.load_state(there.get()) is plan
    assert not torch.equal(model[0].weight, before)
    assert same(there.get(), model)
    other = sy.TrainingPlan(nn.Linear(3, 2), F.cross_entropy)
    other.build(torch.zeros(2, 3), torch.zeros(2, dtype=torch.int64))
    with pytest.raises(PlanArgumentError, match="must be alike"):
        plan.load_state(other)


@pytest.fixture
def counted(make_worker: Any, mode: str) -> Any:
    """A worker that keeps every message it gets."""
    return make_worker("carol", log_msgs=True)


def test_a_training_step_is_one_message_and_its_reply(counted: Any) -> None:
    plan = sy.TrainingPlan(Cnn(), F.nll_loss, "SGD", {"lr": 0.01})
    plan.build(torch.zeros(2, 1, 28, 28), torch.zeros(2, dtype=torch.int64))
    there = plan.send(counted)
    data, targets = torch.randn(64, 1, 28, 28).send(counted), torch.randint(0, 10, (64,)).send(counted)
    before = len(counted.msg_history)
    loss = there(data, targets)
    assert len(counted.msg_history) - before == 1
    assert loss.get() > 0


def test_an_epoch_of_100_batches_is_at_most_3_messages(counted: Any) -> None:
    torch.manual_seed(2)
    model = mlp()
    twin = copy.deepcopy(model)
    optimizer = torch.optim.SGD(twin.parameters(), lr=0.1)
    plan = sy.TrainingPlan(model, F.cross_entropy, "SGD", {"lr": 0.1})
    plan.build(torch.zeros(2, 3), torch.zeros(2, dtype=torch.int64))
    there = plan.send(counted)
    data, targets = torch.randn(400, 3), torch.randint(0, 2, (400,))
    remote = data.send(counted), targets.send(counted)
    before = len(counted.msg_history)
    losses = there.run_epochs(*remote, batch_size=4).get()
    assert len(counted.msg_history) - before <= 3
    expected = [here(twin, optimizer, data[i : i + 4], targets[i : i + 4]) for i in range(0, 400, 4)]
    assert torch.equal(losses, torch.stack(expected))
    assert same(there.get(), twin)


def test_epochs_over_a_data_set_that_lies_there(bob: Any) -> None:
    plan = sy.TrainingPlan(mlp(), F.cross_entropy)
    plan.build(torch.zeros(2, 3), torch.zeros(2, dtype=torch.int64))
    dataset = sy.BaseDataset(torch.randn(10, 3), torch.randint(0, 2, (10,))).send(bob)
    there = plan.send(bob)
    assert there.run_epochs(dataset, batch_size=4, epochs=2, shuffle=True).get().shape == (6,)
    assert there.run_epochs(dataset, batch_size=4, drop_last=True).get().shape == (2,)
    assert there.run_epochs(dataset, batch_size=2, max_batches=3).get().shape == (3,)


@pytest.mark.parametrize(
    "options",
    [{"batch_size": 0}, {"epochs": -1}, {"epochs": 0}, {"batch_size": 11, "drop_last": True}, {"max_batches": 0}],
)
def test_epochs_without_a_batch_are_refused(bob: Any, options: dict[str, Any]) -> None:
    plan = sy.Plan("identity", forward=lambda x: x)
    plan.build(torch.zeros(2))
    with pytest.raises(PlanArgumentError):
        plan.send(bob).run_epochs(torch.zeros(10).send(bob), **options)
    with pytest.raises(PlanArgumentError, match="same number of rows"):
        plan.send(bob).run_epochs(torch.zeros(10).send(bob), torch.zeros(9).send(bob))


def test_shuffled_epochs_see_every_row_once(bob: Any) -> None:
    plan = sy.Plan("identity", forward=lambda x: x.clone())
    plan.build(torch.zeros(2))
    rows = plan.send(bob).run_epochs(torch.arange(40.0).send(bob), batch_size=7, shuffle=True).get()
    assert sorted(rows.tolist()) == list(range(40))
    assert rows.tolist() != list(range(40))


def test_data_and_plan_must_be_in_one_place(bob: Any, alice: Any) -> None:
    plan = sy.TrainingPlan(mlp(), F.cross_entropy)
    plan.build(torch.zeros(2, 3), torch.zeros(2, dtype=torch.int64))
    there = plan.send(bob)
    with pytest.raises(TensorsNotCollocatedException, match="alice"):
        there(torch.zeros(2, 3).send(alice), torch.zeros(2, dtype=torch.int64).send(alice))


def test_what_a_plan_cannot_train_with_is_refused() -> None:
    with pytest.raises(PlanBuildError, match="LBFGS"):
        sy.TrainingPlan(mlp(), F.cross_entropy, "LBFGS")
    with pytest.raises(PlanBuildError, match="no parameters"):
        sy.TrainingPlan(nn.ReLU(), F.cross_entropy)
    with pytest.raises(PlanBuildError, match="options"):
        sy.TrainingPlan(mlp(), F.cross_entropy, "SGD", {"rate": 1})

    class Mine(torch.optim.SGD):
        pass

    model = mlp()

    class Training(sy.Plan):
        def __init__(self) -> None:
            super().__init__()
            self.model, self.optimizer = model, Mine(model.parameters(), lr=0.1)

        def forward(self, x: Any) -> Any:
            self.model(x).sum().backward()
            self.optimizer.step()

    with pytest.raises(PlanBuildError, match="Mine"):
        Training().build(torch.zeros(2, 3))


def test_gradients_are_cleared_also_when_the_first_step_had_none(bob: Any) -> None:
    """While it is recorded there are no gradients to clear; in the second run there are."""
    linear = nn.Linear(1, 1, bias=False)
    with torch.no_grad():
        linear.weight.fill_(1.0)
    plan = sy.TrainingPlan(linear, lambda output, target: (output * target).sum(), "SGD", {"lr": 1.0})
    plan.build(torch.ones(2, 1), torch.ones(2, 1))
    there = plan.send(bob)
    for _ in range(3):
        there(torch.ones(1, 1).send(bob), torch.ones(1, 1).send(bob))
    assert there.get().state.tensors()[0].item() == 1.0 - 3 * 1.0


def test_steps_of_the_users_own_writing(bob: Any) -> None:
    """A plan may hold its optimizer as an attribute and do more than one step."""
    torch.manual_seed(0)
    model = nn.Linear(2, 1)
    twin = copy.deepcopy(model)

    class Twice(sy.Plan):
        def __init__(self) -> None:
            super().__init__("twice")
            self.model, self.optimizer = model, torch.optim.Adam(model.parameters(), lr=0.1)

        def forward(self, x: Any) -> Any:
            for _ in range(2):
                self.optimizer.zero_grad()
                loss = (self.model(x) ** 2).mean()
                loss.backward()
                nn.utils.clip_grad_norm_(self.model.parameters(), 0.1)
                self.optimizer.step()
            return loss.detach()

    plan = Twice()
    plan.build(torch.zeros(3, 2))
    x = torch.randn(5, 2)
    loss = plan.send(bob)(x.send(bob)).get()
    optimizer = torch.optim.Adam(twin.parameters(), lr=0.1)
    for _ in range(2):
        optimizer.zero_grad()
        expected = (twin(x) ** 2).mean()
        expected.backward()
        nn.utils.clip_grad_norm_(twin.parameters(), 0.1)
        optimizer.step()
    assert torch.equal(loss, expected.detach())
    assert same(plan.get_pointers()["bob"].get(), twin)
