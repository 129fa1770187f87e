"""Private training over real connections: the budget is that of the user who was let in."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F

import syft as sy
from syft.exceptions import CommandNotPermittedError, PermissionDenied, PrivacyBudgetError
from syft.transports.tokens import TokenFile
from syft.workers.access import Access
from tests.network.conftest import Connect, Serve

pytest.importorskip("opacus")
X = torch.randn(80, 3)
Y = torch.randn(80, 1)


def loss_fn(pred: Any, target: Any) -> Any:
    return F.mse_loss(pred, target)


def config(user: str | None = None, noise_multiplier: float = 2.0, **settings: Any) -> sy.TrainConfig:
    terms = sy.dp.TrainingTerms(noise_multiplier, 1.0, user)
    given = {"batch_size": 8, "example": (X[:2], Y[:2]), "max_nr_batches": 5, "privacy": terms} | settings
    return sy.TrainConfig(torch.nn.Linear(3, 1), loss_fn, **given)


@pytest.fixture
def tokens(tmp_path: Path) -> TokenFile:
    return TokenFile(tmp_path / "tokens")


def serving(served: Serve, **settings: Any) -> sy.WebsocketServerWorker:
    bob = served(access=Access.of(take="owner"), **settings)
    bob.add_dataset(sy.BaseDataset(X, Y), key="pairs", private=True)
    return bob


def test_each_user_trains_within_its_own_budget(served: Serve, connect: Connect, tokens: TokenFile) -> None:
    by_user = {user: tokens.add(user) for user in ("ana", "ben")}
    bob = serving(served, tokens=tokens)
    bob.privacy.allow("ana", sy.dp.Budget(1.5, 1e-4))
    ana, ben = (connect(bob, token=token) for token in by_user.values())
    sent = config().send(ana)
    before = sent.model.weight.detach().clone()
    ana.fit("pairs")
    sent.get_model()  # the noisy weights are hers, although she may take nothing of bob's
    assert not torch.equal(sent.model.weight, before)
    assert 0 < bob.privacy.ledger.spent("ana") < 1.5
    config(noise_multiplier=0.6).send(ana)
    with pytest.raises(PrivacyBudgetError, match="'ana' has spent"):
        ana.fit("pairs")
    config().send(ben)
    with pytest.raises(PrivacyBudgetError, match="'ben' has no privacy budget"):
        ben.fit("pairs")
    config(user="ana").send(ben)
    with pytest.raises(PermissionDenied, match="you are 'ben'"):
        ben.fit("pairs")


def test_private_data_leave_no_other_way(served: Serve, connect: Connect) -> None:
    client = connect(serving(served))
    config(privacy=None).send(client)
    with pytest.raises(CommandNotPermittedError, match="is private"):
        client.fit("pairs")
    with pytest.raises(CommandNotPermittedError, match="is private"):
        client.evaluate("pairs")


def test_a_worker_with_limits_trains_privately(served: Serve, connect: Connect) -> None:
    bob = serving(served)
    bob.privacy.allow(None, sy.dp.Budget(3.0, 1e-4))
    client = connect(bob)
    sent = config().send(client)
    client.fit("pairs")
    sent.get_model()
    assert bob.privacy.ledger.spent(None) > 0
