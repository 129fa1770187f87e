"""Averages of states and models: exact where that is possible, pure always, and clear about what does not fit."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

import syft as sy
from syft.exceptions import FederatedError
from syft.federated.averaging import (
    accuracy,
    add_model,
    average_state_dicts,
    federated_avg,
    is_remote,
    scale_model,
)
from tests.federated.places import fresh_workers

FLOATS = [torch.float16, torch.bfloat16, torch.float32, torch.float64]


class Block(nn.Module):
    """A model with constructor arguments, BatchNorm, a frozen weight, a mask buffer and tied weights."""

    def __init__(self, width: int, *, depth: int) -> None:
        super().__init__()
        self.inside = nn.Linear(2, width)
        self.middle = nn.ModuleList([nn.Linear(width, width) for _ in range(depth)])
        self.norm = nn.BatchNorm1d(width)
        self.tied = self.middle[0]
        self.inside.bias.requires_grad_(False)
        self.register_buffer("mask", torch.full((width, width), float("-inf")).triu(1))
        self.register_buffer("seen", torch.tensor(False))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Any function of all of it."""
        x = self.inside(x)
        for layer in self.middle:
            x = layer(x).relu()
        return self.norm(x)


@pytest.fixture(params=[False, True], ids=["virtual", "wire"])
def workers(request: pytest.FixtureRequest) -> Iterator[list[sy.VirtualWorker]]:
    with fresh_workers(wire=request.param) as fresh:
        yield fresh


def trained_block(seed: int, steps: int = 3) -> Block:
    torch.manual_seed(seed)
    model = Block(3, depth=2)
    optimizer = torch.optim.SGD([p for p in model.parameters() if p.requires_grad], lr=0.1)
    for _ in range(steps):
        optimizer.zero_grad()
        model(torch.randn(5, 2)).square().sum().backward()
        optimizer.step()
    return model


def snapshot(model: nn.Module) -> dict[str, torch.Tensor]:
    return {name: tensor.detach().clone() for name, tensor in model.state_dict().items()}


def assert_same_state(left: Any, right: Any) -> None:
    assert left.keys() == right.keys()
    for name in left:
        assert left[name].dtype == right[name].dtype
        assert torch.equal(left[name], right[name]), name


@given(
    values=st.lists(st.lists(st.floats(-1e6, 1e6, width=32), min_size=3, max_size=3), min_size=1, max_size=6),
    data=st.data(),
)
@settings(max_examples=60, deadline=None)
def test_float32_mean_is_the_rounded_exact_mean(values: list[list[float]], data: st.DataObject) -> None:
    weights = data.draw(st.lists(st.integers(1, 10_000), min_size=len(values), max_size=len(values)))
    states = [{"w": torch.tensor(row, dtype=torch.float32)} for row in values]
    result = average_state_dicts(states, weights)["w"]
    exact = [sum(w * row[i] for w, row in zip(weights, values, strict=True)) / sum(weights) for i in range(3)]
    scale = max(1e-30, max(abs(v) for row in values for v in row))
    assert result.dtype == torch.float32
    for got, want in zip(result.tolist(), exact, strict=True):
        assert abs(got - want) <= 6e-8 * abs(want) + 1e-14 * scale


@pytest.mark.parametrize("dtype", FLOATS)
def test_each_float_dtype_is_kept_and_summed_wide(dtype: torch.dtype) -> None:
    # 2049 clients: a float16 sum of them would overflow or stall long before the end.
    states = [{"w": torch.full((2,), 60.0, dtype=dtype)} for _ in range(2048)]
    states.append({"w": torch.full((2,), 62.0, dtype=dtype)})
    result = average_state_dicts(states)["w"]
    assert result.dtype == dtype
    assert torch.equal(result, torch.full((2,), 60.0 + 2 / 2049, dtype=torch.float64).to(dtype))


def test_weights_are_relative_and_zero_weights_count_for_nothing() -> None:
    states = {
        "a": {"w": torch.tensor([1.0])},
        "b": {"w": torch.tensor([4.0])},
        "c": {"w": torch.tensor([float("nan")])},
    }
    assert average_state_dicts(states, {"c": 0, "a": 20, "b": 10})["w"].item() == 2.0
    assert average_state_dicts(states, [0.2, 0.1, 0.0])["w"].item() == pytest.approx(2.0)


def test_integer_and_bool_entries_keep_their_dtype() -> None:
    states = [
        {"count": torch.tensor(10), "flag": torch.tensor([True, False]), "big": torch.tensor(2**62 + 1)},
        {"count": torch.tensor(13), "flag": torch.tensor([True, True]), "big": torch.tensor(2**62 + 1)},
        {"count": torch.tensor(13), "flag": torch.tensor([False, True]), "big": torch.tensor(2**62 + 1)},
    ]
    result = average_state_dicts(states)
    assert result["count"].dtype == torch.int64
    assert result["count"].item() == 12
    assert result["flag"].tolist() == [True, True]
    assert result["big"].item() == 2**62 + 1  # beyond what float64 can hold


def test_complex_entries() -> None:
    states = [{"w": torch.tensor([1 + 2j])}, {"w": torch.tensor([3 - 4j])}]
    assert average_state_dicts(states)["w"].tolist() == [2 - 1j]


def test_equal_infinite_entries_survive() -> None:
    mask = torch.tensor([[0.0, float("-inf")], [0.0, 0.0]])
    states = [{"mask": mask, "w": torch.tensor([1.0])}, {"mask": mask.clone(), "w": torch.tensor([2.0])}]
    assert torch.equal(average_state_dicts(states, [3, 5])["mask"], mask)


def test_the_input_is_not_changed_and_not_shared() -> None:
    states = [{"w": torch.ones(2, requires_grad=True)}, {"w": torch.full((2,), 3.0)}]
    result = average_state_dicts(states)
    result["w"].add_(100)
    assert not result["w"].requires_grad
    assert states[0]["w"].tolist() == [1, 1]
    assert states[1]["w"].tolist() == [3, 3]
    alone = average_state_dicts(states[:1])
    alone["w"].add_(1)
    assert states[0]["w"].tolist() == [1, 1]


@pytest.mark.parametrize("weights", [None, [1], [7]])
def test_one_state_gives_itself_bit_for_bit(weights: list[int] | None) -> None:
    state = snapshot(trained_block(0))
    assert_same_state(average_state_dicts([state], weights), state)


def test_equal_states_give_themselves_bit_for_bit() -> None:
    state = snapshot(trained_block(0))
    assert_same_state(average_state_dicts([state] * 3, [1, 3, 7]), state)


A = {"w": torch.ones(2), "b": torch.ones(1)}


@pytest.mark.parametrize(
    ("states", "weights", "words"),
    [
        ([], None, "no state dict to average"),
        ({}, None, "no state dict to average"),
        ([A, A], [1.0], "1 weights for 2 models"),
        ([A, A], [1.0, float("nan")], "weight of 1 is nan"),
        ([A, A], [float("inf"), 1.0], "weight of 0 is inf"),
        ({"alice": A, "bob": A}, {"alice": 1.0, "bob": -2.0}, "weight of 'bob' is -2.0"),
        ({"alice": A, "bob": A}, {"alice": 1.0, "carol": 2.0}, "the weights are for ['alice', 'carol']"),
        ([A, A], [0, 0], "all 0"),
        ([A, {"w": torch.ones(2)}], None, "1 is not the same architecture as 0: it lacks ['b']"),
        ({"alice": A, "bob": {**A, "c": torch.ones(1)}}, None, "'bob' is not the same architecture as 'alice'"),
        ({"alice": A, "bob": {**A, "w": torch.ones(3)}}, None, "'w' has shape (3,) in 'bob' and (2,) in 'alice'"),
        ([A, {**A, "w": torch.ones(2, dtype=torch.int64)}], None, "'w' is torch.int64 in 1 and torch.float32 in 0"),
        ([A, {**A, "w": [1, 2]}], None, "'w' of 1 is a list"),
    ],
)
def test_what_does_not_fit_is_named(states: Any, weights: Any, words: str) -> None:
    with pytest.raises(FederatedError) as caught:
        average_state_dicts(states, weights)
    assert words in str(caught.value)


def test_a_remote_state_is_refused(workers: list[sy.VirtualWorker]) -> None:
    model = nn.Linear(2, 1).send(workers[0])
    with pytest.raises(FederatedError, match=r"'weight' of 'bob' is on a worker; fetch the model"):
        average_state_dicts({"bob": {"weight": model.weight}})


def test_the_average_of_models_with_all_kinds_of_entries() -> None:
    models = {"alice": trained_block(0, steps=2), "bob": trained_block(1, steps=5)}
    before = {name: snapshot(model) for name, model in models.items()}
    average = federated_avg(models, weights={"alice": 1, "bob": 3})
    after = snapshot(average)
    for name in ("middle.1.weight", "norm.running_mean", "norm.running_var", "inside.bias"):
        want = (before["alice"][name].double() + 3 * before["bob"][name].double()) / 4
        assert torch.allclose(after[name].double(), want, rtol=1e-7, atol=0), name
    assert after["norm.num_batches_tracked"].item() == 4  # (2 + 3 * 5) / 4 = 4.25
    assert torch.equal(after["mask"], before["alice"]["mask"])
    assert average.tied is average.middle[0]
    assert not average.inside.bias.requires_grad
    assert average.training
    for name, model in models.items():
        assert_same_state(snapshot(model), before[name])
        assert not {id(p) for p in average.parameters()} & {id(p) for p in model.parameters()}


def test_a_list_of_models_and_a_single_model() -> None:
    first, second = nn.Linear(2, 1), nn.Linear(2, 1)
    average = federated_avg([first, second])
    assert torch.allclose(average.weight, (first.weight + second.weight) / 2)
    alone = federated_avg([first])
    assert alone is not first
    assert_same_state(snapshot(alone), snapshot(first))


def test_models_of_different_architecture_are_named() -> None:
    with pytest.raises(FederatedError, match=r"'weight' has shape \(1, 3\) in 'bob' and \(1, 2\) in 'alice'"):
        federated_avg({"alice": nn.Linear(2, 1), "bob": nn.Linear(3, 1)})
    with pytest.raises(FederatedError, match="no model to average"):
        federated_avg({})


@pytest.mark.parametrize("same_worker", [True, False])
def test_remote_models_are_averaged_and_stay_where_they_are(workers: list[sy.VirtualWorker], same_worker: bool) -> None:
    bob, alice = workers[0], workers[0 if same_worker else 1]
    local = [trained_block(0), trained_block(1)]
    want = snapshot(federated_avg([copy.deepcopy(model) for model in local]))
    remote = {"bob": local[0].send(bob), "alice": local[1].send(alice)}
    average = federated_avg(remote)
    assert not is_remote(average)
    assert_same_state(snapshot(average), want)
    assert remote["bob"].location == bob
    assert remote["alice"].location == alice
    assert not is_remote(remote["alice"].get())


def test_a_remote_and_a_local_model(workers: list[sy.VirtualWorker]) -> None:
    local, far = nn.Linear(2, 1), nn.Linear(2, 1)
    want = (local.weight + far.weight).detach() / 2
    assert torch.allclose(federated_avg([local, far.send(workers[0])]).weight, want)


def test_add_and_scale_keep_the_parameters_of_an_optimizer() -> None:
    model, other = nn.Linear(2, 1), nn.Linear(2, 1)
    optimizer = torch.optim.SGD(model.parameters(), lr=1.0)
    weight, before, added = model.weight, model.weight.detach().clone(), other.weight.detach().clone()
    assert add_model(model, other) is model
    assert scale_model(model, 0.5) is model
    assert model.weight is weight
    assert torch.allclose(weight, (before + added) / 2)
    assert torch.equal(other.weight, added)
    weight.grad = torch.ones_like(weight)
    optimizer.step()
    assert torch.allclose(weight, (before + added) / 2 - 1)


def test_add_ignores_names_that_only_one_has_and_refuses_other_shapes() -> None:
    plain, biased = nn.Linear(2, 2, bias=False), nn.Linear(2, 2)
    bias = biased.bias.detach().clone()
    add_model(biased, plain)
    assert torch.equal(biased.bias, bias)
    with pytest.raises(FederatedError, match=r"parameter 'weight' has shape \(2, 2\) in one model and \(1, 2\)"):
        add_model(plain, nn.Linear(2, 1))  # it could be broadcast, which is never what is meant


def test_add_and_scale_on_a_worker(workers: list[sy.VirtualWorker]) -> None:
    model, other = nn.Linear(2, 1), nn.Linear(2, 1)
    want = (model.weight + other.weight).detach() * 2
    scale_model(add_model(model.send(workers[0]), other.send(workers[0])), 2.0)
    assert torch.equal(model.get().weight, want)


def test_accuracy_counts_rows(workers: list[sy.VirtualWorker]) -> None:
    scores = torch.tensor([[0.7, 0.2, 0.1], [0.1, 0.1, 0.8], [0.4, 0.5, 0.1], [0.2, 0.2, 0.6]])
    target = torch.tensor([0, 2, 0, 1])
    for form in (target, target.float(), target.unsqueeze(1)):
        assert accuracy(scores, form) == 0.5
    assert accuracy(scores.log(), target) == 0.5
    assert accuracy(scores.send(workers[0]), target.send(workers[0])) == 0.5


@pytest.mark.parametrize(("rows", "targets"), [(0, (0,)), (2, (3,)), (2, (2, 3))])
def test_accuracy_needs_one_target_a_row(rows: int, targets: tuple[int, ...]) -> None:
    with pytest.raises(FederatedError, match=f"{rows} rows of scores"):
        accuracy(torch.zeros(rows, 3), torch.zeros(targets))
