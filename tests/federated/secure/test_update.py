"""What is summed, and the mean of a sum; updates that are not sound are refused."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch

from syft.exceptions import AggregationError
from syft.federated.averaging import average_state_dicts
from syft.federated.secure.update import mean_of, size_of, weighted_change

START = {
    "weight": torch.tensor([[1.0, -2.0], [0.5, 4.0]]),
    "scale": torch.tensor(2.0, dtype=torch.float64),
    "mask": torch.tensor([0.0, -math.inf]),
    "count": torch.tensor(7),
    "flag": torch.tensor([True, False]),
    "half": torch.tensor([1.5], dtype=torch.bfloat16),
}


def trained(by: float) -> dict[str, torch.Tensor]:
    return {
        "weight": START["weight"] + by,
        "scale": START["scale"] * (1 + by),
        "mask": START["mask"] + torch.tensor([by, 0.0]),
        "count": START["count"] + int(10 * by),
        "flag": torch.tensor([by < 1, by > 1]),
        "half": START["half"] + by,
    }


def vector(state: dict[str, torch.Tensor], **options: Any) -> torch.Tensor:
    given = {"weight": 1.0, "loss": 0.5} | options
    return weighted_change(list(START.values()), list(state.values()), **given)


def test_the_mean_of_a_sum_is_the_weighted_average() -> None:
    states = {2.0: trained(2.0), 1.5: trained(1.5), 0.5: trained(0.5)}
    weights = [30.0, 10.0, 5.0]
    total = sum(vector(state, weight=w, loss=by) for (by, state), w in zip(states.items(), weights, strict=True))
    mean = mean_of(total, START)
    for name, value in average_state_dicts(list(states.values()), weights).items():
        assert mean.state[name].dtype == value.dtype and mean.state[name].shape == value.shape
        assert torch.allclose(mean.state[name].double(), value.double(), rtol=1e-6), name
    assert mean.weight == 45 and mean.train_loss == pytest.approx((2.0 * 30 + 1.5 * 10 + 0.5 * 5) / 45)


def test_nothing_of_the_arguments_is_changed_or_shared() -> None:
    kept = {name: value.clone() for name, value in START.items()}
    mean = mean_of(vector(START), START)
    for value in mean.state.values():
        value.zero_()
    assert all(torch.equal(START[name], value) for name, value in kept.items())


def test_the_size_of_a_vector_is_known_beforehand() -> None:
    assert vector(START).shape == (size_of(START),) and vector(START).dtype == torch.float64


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("name", ["weight", "scale", "half", "mask"])
def test_values_that_are_not_finite_are_refused(name: str, bad: float) -> None:
    state = trained(1.0)
    state[name] = state[name].clone()
    state[name].view(-1)[0] = bad
    with pytest.raises(AggregationError, match="1 NaN or infinite values"):
        vector(state)


def test_an_infinite_value_that_was_there_from_the_start_is_no_harm_unless_it_changes() -> None:
    state = trained(1.0)
    assert mean_of(vector(state), START).state["mask"].tolist() == [1.0, -math.inf]
    state["mask"] = torch.tensor([1.0, 0.0])
    with pytest.raises(AggregationError, match="1 NaN or infinite"):
        vector(state)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("weight", torch.zeros(4)),
        ("weight", torch.zeros(2, 2, dtype=torch.float64)),
        ("count", torch.zeros(1, dtype=torch.int64)),
        ("flag", torch.zeros(2)),
    ],
)
def test_other_shapes_and_dtypes_are_refused(name: str, value: torch.Tensor) -> None:
    with pytest.raises(AggregationError, match="only real ones that keep both"):
        vector({**trained(1.0), name: value})


def test_a_missing_tensor_is_refused() -> None:
    with pytest.raises(AggregationError, match="had 6 tensors and has 5"):
        vector(dict(list(trained(1.0).items())[:5]))


@pytest.mark.parametrize("figures", [{"weight": 0.0}, {"weight": -1.0}, {"weight": math.nan}, {"loss": math.inf}])
def test_weights_and_losses_that_mean_nothing_are_refused(figures: dict[str, float]) -> None:
    with pytest.raises(AggregationError, match="cannot be summed"):
        vector(trained(1.0), **figures)


def test_a_change_that_is_too_long_is_refused_whatever_it_weighs() -> None:
    state = {**START, "weight": START["weight"] + 3.0, "count": START["count"] + 1000}  # the length is 6
    for weight in (1.0, 1000.0):
        vector(state, weight=weight, max_norm=6.0001)
        with pytest.raises(AggregationError, match="has a length of 6, and 5.999 is allowed"):
            vector(state, weight=weight, max_norm=5.999)


def test_a_sum_without_weight_is_refused() -> None:
    with pytest.raises(AggregationError, match="sum to 0"):
        mean_of(torch.zeros(size_of(START), dtype=torch.float64), START)
