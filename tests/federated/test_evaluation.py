"""Evaluations: means over all samples that leave the model and the random numbers as they were."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.nn import functional
from torch.utils.data import DataLoader, TensorDataset

from syft.exceptions import FederatedError
from syft.federated.evaluation import Evaluation

X, Y = torch.randn(10, 3, generator=torch.Generator().manual_seed(0)), torch.arange(10) % 2


def test_the_mean_is_over_samples_and_not_over_batches() -> None:
    torch.manual_seed(0)
    model = nn.Linear(3, 2)
    whole = Evaluation([(X, Y)], {"loss": functional.cross_entropy})(model)["loss"]
    uneven = Evaluation([(X[:7], Y[:7]), (X[7:], Y[7:])], {"loss": functional.cross_entropy})(model)["loss"]
    assert uneven == pytest.approx(whole)
    assert Evaluation([(X, Y)])(model)["accuracy"] == (model(X).argmax(1) == Y).sum().item() / 10


def test_flags_gradients_and_random_numbers_are_put_back() -> None:
    model = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Dropout(0.5), nn.Linear(4, 2))
    model[1].eval()  # frozen by its owner
    statistics = model[1].running_mean.clone()
    torch.manual_seed(1)
    expected = torch.rand(3)
    torch.manual_seed(1)
    evaluation = Evaluation(DataLoader(TensorDataset(X, Y), batch_size=4, shuffle=True))
    assert evaluation(model) == evaluation(model)  # no dropout
    assert torch.equal(torch.rand(3), expected)
    assert [module.training for module in model] == [True, False, True, True]
    assert torch.equal(model[1].running_mean, statistics)
    assert torch.is_grad_enabled()


def test_flags_are_put_back_after_an_error() -> None:
    model = nn.Linear(3, 2)
    seen = []

    def broken(output: torch.Tensor, target: torch.Tensor) -> float:
        seen.append((model.training, torch.is_grad_enabled()))
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        Evaluation([(X, Y)], {"broken": broken})(model)
    assert seen == [(False, False)]
    assert model.training
    assert torch.is_grad_enabled()


def test_a_model_without_parameters() -> None:
    assert Evaluation([(torch.eye(2), torch.tensor([0, 1]))])(nn.Identity()) == {"accuracy": 1.0}


def test_what_cannot_be_measured() -> None:
    with pytest.raises(FederatedError, match="at least one metric"):
        Evaluation([(X, Y)], {})
    with pytest.raises(FederatedError, match="gone over only once"):
        Evaluation(iter([(X, Y)]))
    with pytest.raises(FederatedError, match="no samples to evaluate"):
        Evaluation([])(nn.Linear(3, 2))
