"""DP-SGD at the worker that has the data: its budget, its noise, its clipping, whatever plan is sent."""

from __future__ import annotations

import gc
import math
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import nn

import syft as sy
from syft.dp.accounting import spent_epsilon
from syft.dp.events import SampledGaussian
from syft.exceptions import CommandNotPermittedError, FederatedError, PrivacyBudgetError, UsageError
from syft.federated import private_training
from syft.federated.private_training import PrivateFit
from tests.dp.oracle import clipped_sum, gradients_of_each

pytest.importorskip("opacus")
SIZE = 60
X = torch.randn(SIZE, 4)
Y = X @ torch.tensor([[1.0], [2.0], [-1.0], [0.5]])


def loss_fn(pred: Any, target: Any) -> Any:
    return F.mse_loss(pred, target)


def network() -> nn.Module:
    return nn.Sequential(nn.Linear(4, 6), nn.Tanh(), nn.Linear(6, 1))


def config(model: nn.Module | None = None, **settings: Any) -> sy.TrainConfig:
    given: dict[str, Any] = {"batch_size": 10, "example": (X[:2], Y[:2]), "privacy": terms()} | settings
    return sy.TrainConfig(network() if model is None else model, given.pop("loss_fn", loss_fn), **given)


def terms(noise_multiplier: float = 2.0, max_grad_norm: float = 1.0, user: str | None = "ana") -> sy.dp.TrainingTerms:
    return sy.dp.TrainingTerms(noise_multiplier, max_grad_norm, user)


@pytest.fixture
def hal(hook: sy.TorchHook) -> Any:
    """A worker with a private data set on which ana may spend epsilon 3."""
    worker = sy.VirtualWorker(hook, id="hal", auto_add=False)
    worker.add_dataset(sy.BaseDataset(X.clone(), Y.clone()), key="pairs", private=True)
    worker.privacy.allow("ana", sy.dp.Budget(3.0, 1e-4))
    return worker


def test_a_private_training_is_charged_and_trains(hal):
    model = network()
    before = [p.detach().clone() for p in model.parameters()]
    sent = config(model).send(hal)
    assert math.isnan(float(hal.fit("pairs")))  # losses are private too
    sent.get_model()
    event = SampledGaussian(2.0, 10 / SIZE, 6)
    assert hal.privacy.ledger.spent("ana") == pytest.approx(spent_epsilon([event], 1e-4))
    assert all(not torch.equal(p, q) for p, q in zip(before, model.parameters(), strict=True))
    (release,) = hal.privacy.ledger.history("ana")
    assert release.what == "training on data set pairs"


def test_it_learns(hook):
    worker = sy.VirtualWorker(hook, id="large", auto_add=False)
    x = torch.randn(2000, 4)
    y = x @ torch.tensor([[1.0], [2.0], [-1.0], [0.5]])
    worker.add_dataset(sy.BaseDataset(x, y), key="pairs", private=True)
    worker.privacy.allow("ana", sy.dp.Budget(3.0, 1e-5))
    model = nn.Linear(4, 1)
    sent = config(model, batch_size=200, epochs=5, optimizer_args={"lr": 0.5}, privacy=terms(1.5)).send(worker)
    worker.fit("pairs")
    sent.get_model()
    assert F.mse_loss(model(x), y) < 0.2


def test_past_the_budget_nothing_is_computed(hal, monkeypatch):
    config(privacy=terms(noise_multiplier=0.5)).send(hal)
    monkeypatch.setattr(PrivateFit, "run", lambda *_: pytest.fail("it trained"))
    with pytest.raises(PrivacyBudgetError, match="pairs"):
        hal.fit("pairs")
    assert hal.privacy.ledger.spent("ana") == 0


@pytest.mark.parametrize("user", ["ben", None])
def test_who_has_no_budget_trains_not(hal, user):
    config(privacy=terms(user=user)).send(hal)
    with pytest.raises(PrivacyBudgetError, match="no privacy budget"):
        hal.fit("pairs")


def test_private_data_are_not_trained_or_evaluated_on_without_noise(hal):
    config(privacy=None).send(hal)
    with pytest.raises(CommandNotPermittedError, match="'pairs' is private.*TrainingTerms"):
        hal.fit("pairs")
    with pytest.raises(CommandNotPermittedError, match="an evaluation"):
        hal.evaluate("pairs")
    config().send(hal)
    with pytest.raises(CommandNotPermittedError, match="an evaluation"):
        hal.evaluate("pairs")


def test_a_data_set_that_is_not_private_can_be_trained_on_privately_for_nothing(hal):
    hal.add_dataset(sy.BaseDataset(X, Y), key="public")
    config(privacy=terms(user="ben")).send(hal)
    hal.fit("public")
    assert hal.privacy.ledger.spent("ben") == 0


def test_a_key_that_was_removed_is_free_again(hal):
    hal.remove_dataset("pairs")
    hal.add_dataset(sy.BaseDataset(X, Y), key="pairs")
    config(privacy=None).send(hal)
    assert float(hal.fit("pairs")) > 0


def test_the_report_says_what_was_planned_and_no_loss(hal):
    sent = config(epochs=2).send(hal)
    hal.fit("pairs")
    report = hal.ask("training", "report")
    assert report["config"] == sent.id
    assert (report["steps"], report["total"], report["samples"]) == (12, 12, SIZE)
    assert math.isnan(report["loss"])
    assert math.isnan(report["train_loss"])


def test_most_steps_are_charged_as_they_are_limited(hal):
    config(max_nr_batches=2).send(hal)
    hal.fit("pairs")
    assert hal.privacy.ledger.history("ana")[0].events == (SampledGaussian(2.0, 10 / SIZE, 2),)


def test_every_optimizer_of_a_plan_works(hal):
    hal.privacy.allow("ana", sy.dp.Budget(30.0, 1e-4))
    for name in ("Adam", "RMSprop", "Adagrad"):
        config(optimizer=name, optimizer_args={"lr": 0.01}, max_nr_batches=1).send(hal)
        hal.fit("pairs")


def test_workers_train_privately_in_rounds(hook):
    one, two = (spent_epsilon([SampledGaussian(2.0, 10 / SIZE, steps)], 1e-4) for steps in (6, 12))
    workers = {}
    for name in ("una", "vic"):
        workers[name] = sy.VirtualWorker(hook, id=name, auto_add=False)
        workers[name].add_dataset(sy.BaseDataset(X, Y), key="pairs", private=True)
        workers[name].privacy.allow("ana", sy.dp.Budget(two + 1e-6, 1e-4))
    trainer = sy.ConcurrentTrainer(
        network(), workers, F.mse_loss, dataset="pairs", example=(X[:2], Y[:2]), batch_size=10, privacy=terms()
    )
    history = trainer.fit(rounds=2)
    assert sorted(history[1].clients) == ["una", "vic"]
    for worker in workers.values():
        assert one < worker.privacy.ledger.spent("ana") == pytest.approx(two)
    with pytest.raises(FederatedError, match="has spent epsilon"):
        trainer.fit(rounds=1)


def test_it_works_through_the_codec(hook):
    worker = sy.VirtualWorker(hook, id="wired", auto_add=False, wire=True)
    worker.add_dataset(sy.BaseDataset(X, Y), key="pairs", private=True)
    worker.privacy.allow("ana", sy.dp.Budget(3.0, 1e-4))
    sent = config().send(worker)
    worker.fit("pairs")
    sent.get_model()
    assert worker.train_config.privacy == terms()
    assert worker.privacy.ledger.spent("ana") > 0


def test_an_error_that_speaks_of_the_data_is_not_told(hal):
    class Ragged(torch.utils.data.Dataset):
        def __len__(self) -> int:
            return SIZE

        def __getitem__(self, index: int) -> Any:
            return (torch.zeros(5) if index == 3 else X[index]), Y[index]

    hal.add_dataset(Ragged(), key="ragged", private=True)
    hal.privacy.allow("ana", sy.dp.Budget(300.0, 1e-4))
    config(epochs=20).send(hal)
    with pytest.raises(FederatedError, match="kept at the worker"):
        hal.fit("ragged")
    assert hal.privacy.ledger.spent("ana") > 0


# --- plans of somebody who would like to see the data ---------------------------------------------------


def fit_of(
    model: nn.Module, loss: Any = loss_fn, x: torch.Tensor = X, y: torch.Tensor = Y, **settings: Any
) -> PrivateFit:
    """A private fit whose plan was recorded from a model, as it is on a worker."""
    sent = config(model, loss_fn=loss, example=(x[:2], y[:2]), **settings)
    plan = sent.training_plan()
    restored = sy.Plan.restored(
        plan.recording, [t.detach().clone().requires_grad_(t.requires_grad) for t in plan.state]
    )
    return PrivateFit(restored, sent, sy.BaseDataset(x, y), "cpu")


def sums_of(fit: PrivateFit, everybody: bool = True) -> dict[str, torch.Tensor]:
    if everybody:
        fit.config.batch_size = len(fit.dataset)
    return fit._clipped_sums()


def fails(*_: Any, **__: Any) -> Any:
    raise RuntimeError


@pytest.fixture(params=["followed", "at once", "one by one"])
def way(request, monkeypatch) -> str:
    """All ways in which gradients of samples are computed."""
    if request.param != "followed":
        monkeypatch.setattr(private_training, "followed_alone", fails)
    if request.param == "one by one":
        monkeypatch.setattr(private_training.torch, "vmap", fails)
    return request.param


def test_an_ordinary_plan_is_followed(hook):
    fit = fit_of(network())
    sums_of(fit)
    assert fit._follows


def test_no_tensor_outlives_the_sum_it_was_for(hook, way):
    fit, held = fit_of(network()), []
    for _ in range(3):
        sums_of(fit)
        gc.collect()
        held.append(sum(issubclass(type(thing), torch.Tensor) for thing in gc.get_objects()))
    assert held[2] <= held[1]


@pytest.mark.parametrize("make", [lambda: Bare(), lambda: nn.utils.parametrizations.weight_norm(nn.Linear(4, 1))])
def test_a_plan_that_cannot_be_followed_gives_the_same_sum(hook, make):
    model = make()
    fit = fit_of(model)
    expected = clipped_sum(gradients_of_each(model, F.mse_loss, X, Y), 1.0)
    for ours, theirs in zip(sums_of(fit).values(), expected.values(), strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-5)
    assert not fit._follows


class Bare(nn.Module):
    """Parameters in ops that have no rule, beside one that has."""

    def __init__(self) -> None:
        super().__init__()
        self.scale, self.inner = nn.Parameter(torch.randn(4)), nn.Linear(4, 1)

    def forward(self, x: Any) -> Any:
        return self.inner(x * self.scale)


class Hyper(nn.Module):
    """A bias that depends on the sample."""

    def __init__(self) -> None:
        super().__init__()
        self.inner = nn.Linear(4, 1)

    def forward(self, x: Any) -> Any:
        return F.linear(x, self.inner.weight, x[0, :1])


def test_the_sum_is_that_of_batches_of_one(hook, way):
    model = network()
    expected = clipped_sum(gradients_of_each(model, F.mse_loss, X, Y), 1.0)
    for ours, theirs in zip(sums_of(fit_of(model)).values(), expected.values(), strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-5)


class Mixing(nn.Module):
    """Weighs every sample by the others in its batch."""

    def __init__(self) -> None:
        super().__init__()
        self.inner = nn.Linear(4, 1)

    def forward(self, x: Any) -> Any:
        return self.inner(x) * x.sum() + x.mean(0).sum()


class Remembering(nn.Module):
    """Writes what it sees into its own state, to be read by the next sample or fetched with the plan."""

    def __init__(self) -> None:
        super().__init__()
        self.inner = nn.Linear(4, 1)
        self.register_buffer("seen", torch.zeros(4))

    def forward(self, x: Any) -> Any:
        with torch.no_grad():
            self.seen.add_(x.sum(0))
        return self.inner(x + self.seen)


def moved_by_one_sample(make: Any, **settings: Any) -> float:
    """How far the sum moves, in L2 norm, when one sample is left out."""
    torch.manual_seed(0)
    model = make()
    whole = sums_of(fit_of(model, **settings))
    without = sums_of(fit_of(model, x=X[1:], y=Y[1:], **settings))
    return math.sqrt(sum(float((a - b).square().sum()) for a, b in zip(whole.values(), without.values(), strict=True)))


@pytest.mark.parametrize("make", [network, Mixing, Remembering, Bare, Hyper])
def test_no_plan_lets_one_sample_move_the_sum_by_more_than_the_bound(hook, way, make):
    assert moved_by_one_sample(make, privacy=terms(max_grad_norm=0.5)) <= 0.5 * (1 + 1e-4)


def test_the_check_above_finds_a_sum_without_clipping(hook):
    assert moved_by_one_sample(network, privacy=terms(max_grad_norm=1e6)) > 0.5


def test_what_a_plan_writes_into_its_state_is_thrown_away(hal):
    hal.privacy.allow("ana", sy.dp.Budget(9.0, 1e-4))
    model = Remembering()
    sent = config(model).send(hal)
    hal.fit("pairs")
    sent.get_model()
    assert torch.equal(model.seen, torch.zeros(4))


def test_a_sample_on_which_the_plan_fails_counts_as_nothing(hook, way):
    x = X.clone()
    x[3] = math.nan
    model = network()
    expected = sums_of(fit_of(model, x=torch.cat([X[:3], X[4:]]), y=torch.cat([Y[:3], Y[4:]])))
    for ours, theirs in zip(sums_of(fit_of(model, x=x)).values(), expected.values(), strict=True):
        torch.testing.assert_close(ours, theirs)


def test_an_error_about_one_sample_is_not_told(hook, monkeypatch):
    fit = fit_of(network())
    monkeypatch.setattr(fit, "_loss", lambda own, x, y: 1 / 0)
    assert all(bool((total == 0).all()) for total in sums_of(fit).values())


def test_a_plan_that_gives_no_loss_of_one_sample_costs_nothing(hal):
    config(loss_fn=lambda pred, target: (pred - target).repeat(2, 1)).send(hal)
    with pytest.raises(UsageError, match="one sample"):
        hal.fit("pairs")
    assert hal.privacy.ledger.spent("ana") == 0


def test_layers_that_mix_samples_are_refused_before_anything_is_sent(hal):
    with pytest.raises(UsageError, match="GroupNorm"):
        config(nn.Sequential(nn.Linear(4, 6), nn.BatchNorm1d(6), nn.Linear(6, 1))).send(hal)


@pytest.mark.parametrize("settings", [{"batch_size": SIZE + 1}, {"epochs": 0}, {"max_nr_batches": 0}])
def test_settings_that_train_nothing_are_refused(hal, settings):
    config(**settings).send(hal)
    with pytest.raises((UsageError, FederatedError)):
        hal.fit("pairs")
    assert hal.privacy.ledger.spent("ana") == 0


@pytest.mark.parametrize(
    "numbers", [(0.0, 1.0), (1.0, 0.0), (math.nan, 1.0), (1.0, math.inf), ("1", 1.0), (1.0, 1.0, 7)]
)
def test_terms_that_make_no_sense_are_refused(numbers):
    with pytest.raises(UsageError):
        sy.dp.TrainingTerms(*numbers)


def test_terms_travel():
    given = terms()
    assert sy.dp.TrainingTerms.from_wire(given.to_wire()) == given
    for bad in (None, [1.0], {"a": 1}):
        with pytest.raises(ValueError, match="terms"):
            sy.dp.TrainingTerms.from_wire(bad)
