"""`make_private`: the ordinary loop, with what it costs and what it refuses."""

from __future__ import annotations

import copy
import itertools
import math
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

import syft as sy
from syft.dp.accounting import spent_epsilon
from syft.dp.events import SampledGaussian
from syft.dp.noise import SLACK
from syft.dp.training import PrivateTraining, make_private
from syft.exceptions import PrivacyBudgetError, UsageError
from tests.dp.oracle import clipped_sum, gradients_of_each

pytest.importorskip("opacus")
SIZE = 100


def loader(batch_size: int = 20) -> DataLoader[Any]:
    return DataLoader(TensorDataset(torch.randn(SIZE, 4), torch.randn(SIZE, 2)), batch_size=batch_size, shuffle=True)


def private(model: nn.Module | None = None, make: Any = None, **options: Any) -> PrivateTraining:
    model = nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, 2)) if model is None else model
    optimizer = (make or (lambda p: torch.optim.SGD(p, lr=0.1)))(model.parameters())
    given = {"max_grad_norm": 1.0, "noise_multiplier": 1.0} | options
    return make_private(model, optimizer, given.pop("loader", loader()), **given)


def step(training: PrivateTraining, x: torch.Tensor, y: torch.Tensor) -> None:
    training.optimizer.zero_grad()
    F.mse_loss(training.model(x), y).backward()
    training.optimizer.step()


OPTIMIZERS = {
    "SGD": lambda p: torch.optim.SGD(p, lr=0.1, momentum=0.9, weight_decay=1e-3, nesterov=True),
    "Adam": lambda p: torch.optim.Adam(p, lr=0.01),
    "AdamW": lambda p: torch.optim.AdamW(p, lr=0.01, amsgrad=True),
    "RMSprop": lambda p: torch.optim.RMSprop(p, lr=0.01),
    "Adagrad": lambda p: torch.optim.Adagrad(p, lr=0.01),
    "NAdam": lambda p: torch.optim.NAdam(p, lr=0.01),
    "groups": lambda p: (lambda all_: torch.optim.SGD([{"params": all_[:2]}, {"params": all_[2:], "lr": 0.5}], lr=0.1))(list(p)),
}  # fmt: skip


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_a_step_of_any_optimizer_is_its_step_on_the_noisy_mean_of_clipped_gradients(name):
    training = private(make=OPTIMIZERS[name])
    plain = copy.deepcopy(nn.Sequential(*[layer for layer in training.model]))
    for layer, given in zip(plain, training.model, strict=True):
        layer.load_state_dict(given.state_dict())
    optimizer = OPTIMIZERS[name](plain.parameters())
    for x, y in training.loader:
        step(training, x, y)
        for p, q in zip(plain.parameters(), training.model.parameters(), strict=True):
            p.grad = q.grad.clone()  # what the private step released
        optimizer.step()
    for p, q in zip(plain.parameters(), training.model.parameters(), strict=True):
        torch.testing.assert_close(p, q)
    assert training.steps == 5


def test_the_released_gradient_is_the_clipped_mean_with_noise_of_the_right_size():
    model = nn.Linear(4, 2000)
    data = TensorDataset(torch.randn(SIZE, 4), torch.randn(SIZE, 2000))
    training = private(model, loader=DataLoader(data, batch_size=20), noise_multiplier=1e-3, max_grad_norm=0.5)
    plain = nn.Linear(4, 2000)
    plain.load_state_dict(model.state_dict())
    x, y = next(iter(training.loader))
    each = gradients_of_each(plain, F.mse_loss, x, y)
    expected = clipped_sum(each, 0.5)
    step(training, x, y)
    for name, parameter in training.model.named_parameters():
        noise = parameter.grad * 20 - expected[name]  # the mean batch size, whatever this batch's is
        assert float(noise.std()) == pytest.approx(1e-3 * 0.5 * (1 + SLACK), rel=0.15)


def test_an_empty_batch_takes_a_step_of_noise_alone():
    training = private(loader=loader(batch_size=1), max_grad_norm=1e-6, noise_multiplier=1e3)
    for x, y in training.loader:
        empty = training.loader.drawn.size == 0
        before = training.steps
        step(training, x, y)
        assert training.steps == before + 1
        assert all(bool((p.grad != 0).all()) for p in training.model.parameters())
        if empty:
            return
    pytest.fail("no batch was empty: a chance of 0.63 ** 100")


def test_nobody_in_an_empty_batch_means_a_sum_of_zero():
    training = private(loader=loader(batch_size=1))
    for x, y in training.loader:
        training.optimizer.zero_grad()
        F.mse_loss(training.model(x), y).backward()
        if training.loader.drawn.size == 0:
            assert all(bool((p.grad == 0).all()) for p in training.model.parameters())
            return


def test_a_budget_gives_the_noise_and_is_never_exceeded():
    training = private(noise_multiplier=None, epsilon=2.0, delta=1e-4, epochs=2)
    for _ in range(2):
        for x, y in training.loader:
            step(training, x, y)
            assert training.epsilon() <= 2.0
    assert training.epsilon() > 1.99
    assert "(2, 0.0001)-differentially private" in str(training) or "(1.99" in str(training)
    before = copy.deepcopy(training.model.state_dict())
    x, y = next(iter(training.loader))
    with pytest.raises(PrivacyBudgetError, match="10 steps"):
        step(training, x, y)
    assert all(torch.equal(before[name], value) for name, value in training.model.state_dict().items())


def test_what_was_spent_is_that_of_the_accountant():
    training = private(noise_multiplier=1.3)
    for x, y in training.loader:
        step(training, x, y)
    event = SampledGaussian(noise_multiplier=1.3, sample_rate=0.2, steps=5)
    assert training.events == [event]
    assert training.epsilon(1e-5) == spent_epsilon([event], 1e-5)
    assert training.epsilon(1e-5, "prv") < training.epsilon(1e-5)
    with pytest.raises(UsageError, match="delta"):
        training.epsilon()


def test_it_unpacks_into_the_three():
    training = private()
    model, optimizer, batches = training
    assert (model, optimizer, batches) == (training.model, training.optimizer, training.loader)
    assert "clipped to L2 norm 1" in str(training)


def test_noise_differs_whatever_the_seeds():
    def trained() -> torch.Tensor:
        torch.manual_seed(3)
        training = private()
        for x, y in training.loader:
            step(training, x, y)
        return nn.utils.parameters_to_vector(training.model.parameters())

    assert not torch.equal(trained(), trained())


def test_an_unsafe_seed_repeats_batches_and_noise():
    def trained(seed: int) -> torch.Tensor:
        torch.manual_seed(3)
        training = private(unsafe_seed=seed)
        for x, y in training.loader:
            step(training, x, y)
        return nn.utils.parameters_to_vector(training.model.parameters()).detach()

    assert torch.equal(trained(4), trained(4))
    assert not torch.equal(trained(4), trained(5))


def test_parts_of_a_batch_are_welcome():
    training = private()
    x, y = next(iter(training.loader))
    for some_x, some_y in zip(x.split(7), y.split(7), strict=True):
        F.mse_loss(training.model(some_x), some_y).backward()
    training.optimizer.step()
    assert training.steps == 1


def test_a_batch_that_counts_twice_is_refused():
    training = private()
    x, y = next(iter(training.loader))
    for _ in range(2):
        F.mse_loss(training.model(x), y).backward()
    with pytest.raises(UsageError, match="every sample once"):
        training.optimizer.step()
    assert training.steps == 0


def test_two_batches_in_one_step_are_refused():
    training = private()
    for x, y in itertools.islice(training.loader, 2):
        F.mse_loss(training.model(x), y).backward()
    with pytest.raises(UsageError, match="of 2 batches"):
        training.optimizer.step()


def test_a_batch_that_was_only_looked_at_is_no_batch_of_the_step():
    training = private()
    next(iter(training.loader))
    x, y = next(iter(training.loader))
    step(training, x, y)
    assert training.steps == 1


def test_a_batch_that_was_thrown_away_is_no_batch_of_the_step():
    training = private()
    x, y = next(iter(training.loader))
    F.mse_loss(training.model(x), y).backward()
    x, y = next(iter(training.loader))
    step(training, x, y)  # zero_grad comes first
    assert training.steps == 1


def test_a_parameter_that_is_unfrozen_later_is_refused():
    model = nn.Sequential(nn.Linear(4, 8), nn.Linear(8, 2))
    model[0].requires_grad_(False)
    training = private(model)
    model[0].requires_grad_(True)
    x, y = next(iter(training.loader))
    with pytest.raises(UsageError, match="nobody clipped"):
        step(training, x, y)
    assert training.steps == 0


def test_a_parameter_that_is_added_later_is_refused():
    training = private()
    stranger = nn.Parameter(torch.ones(3))
    training.optimizer.add_param_group({"params": [stranger]})
    x, y = next(iter(training.loader))
    training.optimizer.zero_grad()
    (F.mse_loss(training.model(x), y) + stranger.sum()).backward()
    with pytest.raises(UsageError, match="nobody clipped"):
        training.optimizer.step()


def test_what_was_spent_survives_a_checkpoint():
    training = private()
    for x, y in training.loader:
        step(training, x, y)
    saved = training.state_dict()
    again = private()
    again.load_state_dict(saved)
    assert again.epsilon(1e-5) == training.epsilon(1e-5) > 0
    training.load_state_dict(private().state_dict())  # an old one brings nothing back
    assert training.steps == 5
    with pytest.raises(UsageError, match="noise multiplier 1 at"):
        private(noise_multiplier=2.0).load_state_dict(saved)


def test_samples_from_elsewhere_are_refused():
    training = private()
    F.mse_loss(training.model(torch.randn(20, 4)), torch.randn(20, 2)).backward()
    with pytest.raises(UsageError, match="private loader"):
        training.optimizer.step()


def test_a_closure_is_refused():
    with pytest.raises(UsageError, match="closure"):
        private().optimizer.step(lambda: torch.zeros(()))


@pytest.mark.parametrize(
    "layer",
    [nn.BatchNorm1d(8), nn.SyncBatchNorm(8), nn.InstanceNorm1d(8, track_running_stats=True), nn.LazyBatchNorm1d()],
)
def test_layers_that_mix_samples_are_refused_with_the_way_out(layer):
    with pytest.raises(UsageError, match=r"'1'.*GroupNorm.*sy\.dp\.fix"):
        private(nn.Sequential(nn.Linear(4, 8), layer, nn.Linear(8, 2)))


def test_a_frozen_batch_norm_mixes_as_well():
    with pytest.raises(UsageError, match="GroupNorm"):
        private(nn.Sequential(nn.Linear(4, 8), nn.BatchNorm1d(8).requires_grad_(False), nn.Linear(8, 2)))


def test_fix_puts_layers_in_that_train_privately():
    model = nn.Sequential(
        nn.Linear(4, 8), nn.Sequential(nn.BatchNorm1d(8)), nn.InstanceNorm1d(8, track_running_stats=True)
    )
    fixed = sy.dp.fix(model)
    assert isinstance(fixed[1][0], nn.GroupNorm)
    assert not fixed[2].track_running_stats
    assert isinstance(model[1][0], nn.BatchNorm1d)
    training = private(nn.Sequential(nn.Linear(4, 8), sy.dp.fix(nn.BatchNorm1d(8)), nn.Linear(8, 2)))
    x, y = next(iter(training.loader))
    step(training, x, y)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"noise_multiplier": None}, "either noise_multiplier"),
        ({"epsilon": 1.0, "delta": 1e-5, "epochs": 1}, "either noise_multiplier"),
        ({"noise_multiplier": None, "epsilon": 1.0}, "delta"),
        ({"noise_multiplier": None, "epsilon": 1.0, "delta": 1e-5}, "epochs"),
        ({"noise_multiplier": 0.0}, "noise"),
        ({"noise_multiplier": math.nan}, "noise"),
        ({"max_grad_norm": 0.0}, "max_grad_norm"),
        ({"loss_reduction": "none"}, "loss_reduction"),
    ],
)
def test_settings_that_make_no_sense_are_refused(options, message):
    with pytest.raises(UsageError, match=message):
        private(**options)


def test_parameters_that_are_not_the_models_are_refused():
    model, other = nn.Linear(4, 2), nn.Linear(4, 2)
    with pytest.raises(UsageError, match="2 of the optimizer's 4"):
        private(model, lambda p: torch.optim.SGD([*p, *other.parameters()], lr=0.1))


def test_a_model_at_a_worker_is_refused_with_the_way_out(hook):
    worker = sy.VirtualWorker(hook, id="far", auto_add=False)
    with pytest.raises(UsageError, match="TrainingTerms"):
        private(nn.Linear(4, 2).send(worker))


def test_learning_rate_schedules_work():
    training = private()
    schedule = torch.optim.lr_scheduler.StepLR(training.optimizer, 1, 0.5)
    x, y = next(iter(training.loader))
    step(training, x, y)
    schedule.step()
    assert training.optimizer.param_groups[0]["lr"] == 0.05


def test_the_model_keeps_its_state_dict_and_learns():
    data = torch.randn(2000, 4)
    target = data @ torch.tensor([[1.0], [2.0], [-1.0], [0.5]])
    model = nn.Linear(4, 1)
    training = private(
        model,
        lambda p: torch.optim.SGD(p, lr=0.5),
        loader=DataLoader(TensorDataset(data, target), batch_size=200),
        noise_multiplier=None,
        epsilon=3.0,
        delta=1e-5,
        epochs=10,
    )
    for _ in range(10):
        for x, y in training.loader:
            step(training, x, y)
    assert list(model.state_dict()) == ["weight", "bias"]
    assert F.mse_loss(model(data), target) < 0.1 < F.mse_loss(nn.Linear(4, 1)(data), target)
