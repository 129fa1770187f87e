"""`PrivateFedAvg`: no client moves the model by more than the noise hides, and what that costs is counted."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import nn

import syft as sy
from syft.dp import noise
from syft.dp.accounting import spent_epsilon
from syft.dp.events import SampledGaussian
from syft.exceptions import FederatedError, PrivacyBudgetError
from syft.federated.client import Client
from syft.federated.private_averaging import PrivateFedAvg
from syft.federated.strategies import ClientUpdate
from syft.federated.trainer import FederatedTrainer

pytest.importorskip("opacus")
X = torch.randn(8, 3)
Y = X @ torch.tensor([[1.0], [-1.0], [0.5]])


def strategy(clients: int = 10, **settings: Any) -> PrivateFedAvg:
    given = {"noise_multiplier": 1.0, "max_norm": 1.0} | settings
    made = PrivateFedAvg(given.pop("noise_multiplier"), given.pop("max_norm"), clients=clients, **given)
    made.begin(nn.Linear(3, 1))
    return made


def start() -> dict[str, torch.Tensor]:
    return {"weight": torch.zeros(1, 3), "bias": torch.zeros(1), "count": torch.tensor(7)}


def update(length: float, name: str = "una") -> ClientUpdate:
    """A change of that length, along the weights."""
    return ClientUpdate(name, {**start(), "weight": torch.tensor([[length, 0.0, 0.0]]), "count": torch.tensor(9)}, 5)


@pytest.fixture
def silent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(noise, "standard_gaussian", lambda size, source=None: torch.zeros(size, dtype=torch.float64))


@pytest.mark.parametrize(("lengths", "mean"), [([0.5], 0.05), ([100.0], 0.1), ([100.0, -0.3], 0.07), ([], 0.0)])
def test_the_change_is_the_sum_of_clipped_changes_by_the_mean_count(silent, lengths, mean):
    after = strategy().aggregate(start(), [update(length, str(i)) for i, length in enumerate(lengths)])
    torch.testing.assert_close(after["weight"], torch.tensor([[mean, 0.0, 0.0]]), atol=1e-3, rtol=0)


def test_buffers_stay_as_they_are(silent):
    assert strategy().aggregate(start(), [update(1.0)])["count"] == 7


def test_samples_give_no_client_a_greater_weight(silent):
    many = ClientUpdate("una", update(0.5).state, 10**6)
    torch.testing.assert_close(
        strategy().aggregate(start(), [many])["weight"], strategy().aggregate(start(), [update(0.5)])["weight"]
    )


def test_the_noise_has_the_size_that_is_accounted_for():
    model = nn.Linear(200, 200)
    private = PrivateFedAvg(2.0, 0.5, clients=40, sample_rate=0.25)
    private.begin(model)
    before = {name: value.detach().clone() for name, value in model.state_dict().items()}
    after = private.aggregate(before, [])
    moved = torch.cat([(after[name] - before[name]).flatten() for name in before])
    assert float(moved.std()) == pytest.approx(2.0 * 0.5 / 10, rel=0.02)


def test_clients_are_drawn_independently():
    private, names = strategy(clients=50, sample_rate=0.3), [str(i) for i in range(50)]
    sizes = torch.tensor([float(len(private.choose(names))) for _ in range(2000)])
    assert abs(float(sizes.mean()) - 15) < 0.4  # five and a half standard deviations
    assert float(sizes.var()) == pytest.approx(50 * 0.3 * 0.7, rel=0.2)


def test_other_clients_than_were_said_are_refused():
    with pytest.raises(FederatedError, match="clients=9"):
        strategy(clients=10).choose([str(i) for i in range(9)])


def test_rounds_are_counted_and_survive_a_restart():
    private = strategy(sample_rate=0.5)
    for _ in range(3):
        private.aggregate(start(), [update(1.0)])
    assert private.epsilon(1e-5) == spent_epsilon([SampledGaussian(1.0, 0.5, 3)], 1e-5)
    again = strategy(sample_rate=0.5)
    again.load_state_dict(private.state_dict())
    assert again.epsilon(1e-5) == private.epsilon(1e-5)
    private.load_state_dict(strategy(sample_rate=0.5).state_dict())  # an old file brings nothing back
    assert private.rounds == 3


def test_a_round_past_the_budget_is_refused():
    private = strategy(noise_multiplier=4.0, budget=sy.dp.Budget(2.0, 1e-5))
    while spent_epsilon([SampledGaussian(4.0, 1.0, private.rounds + 1)], 1e-5) <= 2.0:
        private.aggregate(start(), [update(1.0)])
    assert private.rounds > 1
    with pytest.raises(PrivacyBudgetError, match="the budget"):
        private.aggregate(start(), [update(1.0)])
    assert private.epsilon(1e-5) <= 2.0


def test_the_bound_follows_the_norms():
    private = strategy(clients=1000, target_quantile=0.5, max_norm=1.0)
    updates = [update(0.05 * (1 + i / 1000), str(i)) for i in range(1000)]
    for _ in range(60):
        private.aggregate(start(), updates)
    assert 0.04 < private.max_norm < 0.13
    for _ in range(100):
        private.aggregate(start(), [update(9.0, str(i)) for i in range(1000)])
    assert 6 < private.max_norm < 13


def test_a_bound_that_follows_costs_no_more():
    adaptive = strategy(clients=1000, target_quantile=0.5)
    assert adaptive._sum_noise() > adaptive.noise_multiplier
    # The two Gaussians together are one of the noise multiplier that is accounted for.
    both = adaptive._sum_noise() ** -2 + (2 * adaptive._count_noise) ** -2
    assert both == pytest.approx(adaptive.noise_multiplier**-2)


@pytest.mark.parametrize(
    "settings",
    [
        {"noise_multiplier": 0.0},
        {"max_norm": math.nan},
        {"clients": 0},
        {"sample_rate": 0.0},
        {"sample_rate": 1.1},
        {"target_quantile": 0.5, "clients": 5},
        {"target_quantile": 1.5, "clients": 1000},
    ],
)
def test_settings_that_make_no_sense_are_refused(settings):
    with pytest.raises(FederatedError):
        strategy(**settings)


def test_a_model_that_was_not_seen_is_refused():
    with pytest.raises(FederatedError, match="begin"):
        PrivateFedAvg(1.0, 1.0, clients=1).aggregate(start(), [])


def test_rounds_of_a_federated_trainer_are_private(hook):
    clients = {}
    for name in ("una", "vic"):
        worker = sy.VirtualWorker(hook, id=name, auto_add=False)
        clients[name] = Client(worker, [(X.clone().send(worker), Y.clone().send(worker))])
    private = PrivateFedAvg(0.5, 0.5, clients=2, sample_rate=0.5)
    trainer = FederatedTrainer(nn.Linear(3, 1), clients, F.mse_loss, strategy=private)
    history = trainer.fit(rounds=12)
    taking_part = {len(record.clients) for record in history}
    assert len(taking_part) > 1  # 0, 1 or 2 of them: all alike has a chance of 5e-4 ** 2
    assert private.rounds == 12


def test_rounds_of_a_concurrent_trainer_are_private(hook):
    workers = {}
    for name in ("una", "vic"):
        workers[name] = sy.VirtualWorker(hook, id=name, auto_add=False)
        workers[name].add_dataset(sy.BaseDataset(X, Y), key="pairs")
    private = PrivateFedAvg(0.5, 0.5, clients=2, sample_rate=0.5)
    trainer = sy.ConcurrentTrainer(
        nn.Linear(3, 1), workers, F.mse_loss, dataset="pairs", example=(X[:2], Y[:2]), strategy=private, quorum=2
    )
    history = trainer.fit(rounds=6)
    assert private.rounds == 6
    assert all(len(record.clients) <= 2 for record in history)
