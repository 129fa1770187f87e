"""``syft worker --privacy`` and training: a data set is trained on with noise only, and a restart forgets nothing."""

from __future__ import annotations

import signal
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F

import syft as sy
from syft.dp.ledger import Ledger
from syft.exceptions import CommandNotPermittedError, PrivacyBudgetError
from tests.cli.test_privacy import Worker, workers  # noqa: F401 - a fixture

pytest.importorskip("opacus")
X, Y = torch.randn(60, 3), torch.randn(60, 1)
OPTIONS = ["--data", "pairs=pairs.pt", "--privacy", "data=pairs,epsilon=2,delta=1e-5", "--take", "owner"]


def loss_fn(pred: Any, target: Any) -> Any:
    return F.mse_loss(pred, target)


def train(hook: sy.TorchHook, port: int, privacy: Any) -> torch.Tensor:
    """The weights after six private steps over a connection of its own."""
    model = torch.nn.Linear(3, 1)
    with sy.WebsocketClientWorker(hook, "localhost", port, auto_add=False) as bob:
        config = sy.TrainConfig(model, loss_fn, batch_size=10, example=(X[:2], Y[:2]), privacy=privacy).send(bob)
        bob.fit("pairs")
        config.get_model()
    return model.weight.detach()


def test_a_killed_worker_comes_back_with_what_training_cost(
    hook: sy.TorchHook,
    tmp_path: Path,
    workers: list[Worker],  # noqa: F811
) -> None:
    torch.save({"data": X, "targets": Y}, tmp_path / "pairs.pt")
    options = [*OPTIONS, "--ledger", "bob.ledger"]
    terms = sy.dp.TrainingTerms(noise_multiplier=2.5, max_grad_norm=1.0)
    workers.append(Worker(tmp_path, *options))
    with pytest.raises(CommandNotPermittedError, match="is private"):
        train(hook, workers[0].port, privacy=None)
    assert torch.isfinite(train(hook, workers[0].port, terms)).all()
    workers[0].end(signal.SIGKILL)
    workers.append(Worker(tmp_path, *options))
    with pytest.raises(PrivacyBudgetError, match="has spent"):
        train(hook, workers[1].port, sy.dp.TrainingTerms(noise_multiplier=1.2, max_grad_norm=1.0))
    workers[1].end()
    ledger = Ledger(tmp_path / "bob.ledger")
    assert 0 < ledger.spent(None) < 2
    (release,) = ledger.history()
    assert release.what == "training on data set pairs"
