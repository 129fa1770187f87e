"""Private questions over real connections: the user is the one who was let in, and values stay where they are."""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Any

import pytest
import torch

import syft as sy
from syft.core import messages as m
from syft.exceptions import GetNotPermittedError, ObjectNotFoundError, PermissionDenied, PrivacyBudgetError
from syft.transports.tokens import TokenFile
from syft.workers.access import Access
from tests.network.conftest import Connect, Serve

AGES = torch.tensor([31.0, 47.0, 25.0, 88.0, 4242.0])
OWNERS = Access.of(take="owner")


@pytest.fixture
def tokens(tmp_path: Path) -> TokenFile:
    return TokenFile(tmp_path / "tokens")


def found(worker: sy.WebsocketClientWorker) -> Any:
    (pointer,) = worker.search(["#ages"])
    return pointer


def offering(served: Serve, **settings: Any) -> sy.WebsocketServerWorker:
    bob = served(access=OWNERS, **settings)
    ages = AGES.clone().tag("#ages")
    bob.load_data([ages])
    bob.privacy.offer(ages)
    return bob


def ask_count(pointer: Any, epsilon: float = 0.5, **arguments: Any) -> int:
    return sy.dp.count(pointer, epsilon=epsilon, **arguments)


def test_each_client_spends_the_budget_of_its_own_user(served: Serve, connect: Connect, tokens: TokenFile) -> None:
    by_user = {user: tokens.add(user) for user in ("ana", "ben", "mallory")}
    bob = offering(served, tokens=tokens)
    bob.privacy.allow("ana", sy.dp.Budget(1.0))
    bob.privacy.allow("ben", sy.dp.Budget(1.0))
    ana, ben, mallory = (connect(bob, token=token) for token in by_user.values())
    for client in (ana, ben):
        ask_count(found(client))
        ask_count(found(client))
        with pytest.raises(PrivacyBudgetError, match="has spent epsilon 1 of 1"):
            ask_count(found(client))
    with pytest.raises(PrivacyBudgetError, match="'mallory' has no privacy budget here"):
        ask_count(found(mallory))
    with pytest.raises(PermissionDenied, match="you are 'mallory' on this worker"):
        ask_count(found(mallory), user="ana")
    again = connect(bob, token=by_user["ana"])  # another session of the same user
    with pytest.raises(PrivacyBudgetError):
        ask_count(found(again))
    assert sy.dp.budget(again)["remaining"] == 0
    assert bob.privacy.ledger.spent("ana") == 1


def test_clients_without_names_share_a_budget_and_can_take_no_name(served: Serve, connect: Connect) -> None:
    bob = offering(served)
    bob.privacy.allow("ana", sy.dp.Budget(9.0))
    with pytest.raises(PrivacyBudgetError, match="a client without a name has no privacy budget"):
        ask_count(found(connect(bob)))
    with pytest.raises(PermissionDenied, match="without names"):
        ask_count(found(connect(bob)), user="ana")
    bob.privacy.allow(None, sy.dp.Budget(0.5))
    ask_count(found(connect(bob)))
    with pytest.raises(PrivacyBudgetError):
        ask_count(found(connect(bob)))


def test_the_values_stay_and_only_answers_leave(
    served: Serve, connect: Connect, caplog: pytest.LogCaptureFixture
) -> None:
    bob = offering(served)
    bob.privacy.allow(None, sy.dp.Budget(1e6))
    client = connect(bob)
    ages = found(client)
    with caplog.at_level(logging.INFO, "syft.audit"):
        mean = sy.dp.mean(ages, lower=0, upper=100, epsilon=1e5)
    assert mean == pytest.approx((31 + 47 + 25 + 88 + 100) / 5, abs=0.5)
    with pytest.raises(GetNotPermittedError):
        ages.get()
    logged = [json.loads(record.message) for record in caplog.records if record.name == "syft.audit"]
    assert [line["what"] for line in logged if line["event"] == "revealed"] == ["privacy.mean"]
    assert "4242" not in caplog.text


def test_the_owners_data_are_asked_about_and_nothing_made_of_them(served: Serve, connect: Connect) -> None:
    bob = offering(served)
    bob.privacy.allow(None, sy.dp.Budget(1e6))
    client = connect(bob)
    ages = found(client)
    repeated = ages[-1].repeat(1000)
    with pytest.raises(ObjectNotFoundError, match="of its owner's"):
        ask_count(repeated)
    ages.zero_()  # changes the client's copy; the answer is about the owner's data
    ages.copy_(ages[-1].expand(5).clone())
    assert sy.dp.sum(ages, lower=0, upper=100, epsilon=1e5) == pytest.approx(291, abs=0.5)
    own = torch.zeros(3).send(client)
    with pytest.raises(ObjectNotFoundError):
        ask_count(own)
    left = torch.zeros(3).private_tensor(allowed_users=("me",)).send(client, garbage_collect_data=False, user="me")
    with pytest.raises((PermissionDenied, ObjectNotFoundError)):
        ask_count(left)


def test_what_a_client_left_for_others_is_not_asked_about(served: Serve, connect: Connect) -> None:
    bob = offering(served)
    bob.privacy.allow(None, sy.dp.Budget(1e6))
    client, other = connect(bob), connect(bob)
    private = torch.zeros(3).private_tensor(allowed_users=("me",)).tag("#left")
    client.request(m.Put(((private.id, private),), "me", lasting=True))
    (left,) = other.search(["#left"])
    with pytest.raises(PermissionDenied, match="but a client's"):
        ask_count(left)


def test_a_private_tensor_of_the_owner_needs_no_offer(served: Serve, connect: Connect) -> None:
    bob = served()
    bob.load_data([AGES.private_tensor(allowed_users=("owner",)).tag("#ages")])
    bob.privacy.allow(None, sy.dp.Budget(1e6))
    ages = found(connect(bob))
    assert ask_count(ages, 1e5) == 5
    with pytest.raises(GetNotPermittedError):
        ages.copy().get(user="mallory")


def test_who_may_not_search_may_not_ask(served: Serve, connect: Connect) -> None:
    bob = served(access=Access.of(search="owner", take="owner"))
    ages = AGES.clone().tag("#ages")
    bob.load_data([ages])
    bob.privacy.offer(ages)
    bob.privacy.allow(None, sy.dp.Budget(1.0))
    with pytest.raises(ObjectNotFoundError):
        connect(bob).ask("privacy", "count", ages.id, None, None, None, 0.5)


def test_budgets_are_decided_where_the_worker_runs(served: Serve, connect: Connect) -> None:
    client = connect(offering(served))
    with pytest.raises(sy.exceptions.SyftError, match="its owner decides there"):
        client.privacy.allow("ana", sy.dp.Budget(1.0))
