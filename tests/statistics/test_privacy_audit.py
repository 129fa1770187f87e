"""What training releases is as private as it claims: audited in one run, with controls that must be caught."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

import syft as sy
from syft.core.random import SYSTEM_RANDOM
from syft.dp import clipping, noise
from syft.dp.clipping import Clipped
from syft.dp.training import make_private
from syft.federated import private_training
from syft.federated.private_training import PrivateFit
from tests.statistics.audit import chance_of_so_many, epsilon_at_least

pytest.importorskip("opacus")
CANARIES, GUESSES, DELTA, SIGMA = 100_000, 1000, 1e-5, 2.0
LOUD = 100.0  # by what a canary's gradient is larger than what it is clipped to


def coins(count: int) -> np.ndarray:
    return (SYSTEM_RANDOM.bytes(count) & 1).astype(bool)


def audited_steps(steps: int = 1, rate: float = 1.0, sigma: float = SIGMA) -> tuple[float, float]:
    """The claimed epsilon of a training, and the one that it has at least.

    Every canary has a direction of its own: a row of a table that no other sample looks up. The scores are what a
    white-box attacker sees: the sum of all released gradients.
    """
    present = coins(CANARIES)
    rows = torch.from_numpy(np.flatnonzero(present))
    model = nn.Embedding(CANARIES, 1)
    training = make_private(
        model,
        torch.optim.SGD(model.parameters(), lr=1e-3),
        DataLoader(TensorDataset(rows), batch_size=max(1, round(rate * len(rows)))),
        noise_multiplier=sigma,
        max_grad_norm=1.0,
        loss_reduction="sum",
    )
    scores = torch.zeros(CANARIES, dtype=torch.float64)
    while training.steps < steps:
        for (batch,) in training.loader:
            training.optimizer.zero_grad()
            (LOUD * model(batch)).sum().backward()
            training.optimizer.step()
            scores += model.weight.grad.flatten().double()
            if training.steps == steps:
                break
    claimed = training.epsilon(DELTA, "prv")
    return claimed, epsilon_at_least(scores.numpy(), present, guesses=GUESSES, delta=DELTA)


def silenced(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(noise, "standard_gaussian", lambda size, source=None: torch.zeros(size, dtype=torch.float64))


def halved(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = noise.standard_gaussian
    monkeypatch.setattr(noise, "standard_gaussian", lambda size, source=None: whole(size, source) / 2)


def unclipped(monkeypatch: pytest.MonkeyPatch) -> None:
    def keep(parts: Any, max_grad_norm: float, scale: float = 1.0) -> Clipped:
        samples = len(next(iter(parts.values())).squared_norms())
        return Clipped(parts, torch.full((samples,), float(scale)), 0)

    monkeypatch.setattr(clipping, "clip", keep)
    monkeypatch.setattr(private_training, "clip", keep)


def test_a_step_is_as_private_as_it_claims():
    claimed, at_least = audited_steps()
    assert 0.45 * claimed < at_least <= claimed  # the audit sees something, and not too much


@pytest.mark.parametrize("broken", [silenced, halved, unclipped])
def test_the_audit_catches_a_step_that_is_not(monkeypatch, broken):
    broken(monkeypatch)
    claimed, at_least = audited_steps()
    assert at_least > claimed


@pytest.mark.slow
def test_steps_on_samples_are_as_private_as_they_claim():
    claimed, at_least = audited_steps(steps=10, rate=0.3, sigma=4.0)
    assert 0 < at_least <= claimed


@pytest.mark.slow
@pytest.mark.parametrize("broken", [silenced, unclipped])
def test_the_audit_catches_steps_on_samples_that_are_not(monkeypatch, broken):
    broken(monkeypatch)
    claimed, at_least = audited_steps(steps=10, rate=0.3, sigma=4.0)
    assert at_least > claimed


# --- at a worker ----------------------------------------------------------------------------------------

FEW, FEW_GUESSES = 1000, 100


def audited_worker(hook: Any) -> tuple[float, float]:
    """The same for one step of a private training at a worker."""
    present = coins(FEW)
    rows = torch.from_numpy(np.flatnonzero(present))
    pairs = sy.BaseDataset(rows, torch.zeros(len(rows)))

    def loss_fn(pred: Any, target: Any) -> Any:
        return (LOUD * pred).sum()

    config = sy.TrainConfig(
        nn.Embedding(FEW, 1),
        loss_fn,
        batch_size=len(rows),
        example=(rows[:2], torch.zeros(2)),
        privacy=sy.dp.TrainingTerms(SIGMA, 1.0),
        optimizer_args={"lr": 1.0},
    )
    plan = config.training_plan()
    (weights,) = [value.detach().clone().requires_grad_() for value in plan.state]
    before = weights.detach().clone()
    fit = PrivateFit(sy.Plan.restored(plan.recording, [weights]), config, pairs, "cpu")
    fit.run(lambda: True)
    scores = (before - weights.detach()).flatten().double().numpy()
    claimed = sy.dp.accounting.spent_epsilon([fit.event], DELTA, "prv")
    return claimed, epsilon_at_least(scores, present, guesses=FEW_GUESSES, delta=DELTA)


def test_a_step_at_a_worker_is_as_private_as_it_claims(hook):
    claimed, at_least = audited_worker(hook)
    assert at_least <= claimed


@pytest.mark.parametrize("broken", [silenced, unclipped])
def test_the_audit_catches_a_worker_that_is_not(hook, monkeypatch, broken):
    broken(monkeypatch)
    claimed, at_least = audited_worker(hook)
    assert at_least > claimed


# --- the audit itself -----------------------------------------------------------------------------------


def test_guesses_by_a_coin_refute_nothing():
    assert epsilon_at_least(np.random.default_rng(0).normal(size=5000), coins(5000), guesses=500, delta=0) < 0.5


def test_guesses_that_are_all_right_refute_much():
    present = coins(5000)
    assert epsilon_at_least(present + 0.0, present, guesses=500, delta=1e-6) > 4


def test_the_chance_without_delta_is_that_of_a_binomial():
    assert chance_of_so_many(10, 3, 3, 0.0, 0.0) == pytest.approx(1 / 8)
    assert chance_of_so_many(10, 3, 0, 0.0, 0.0) == 1
