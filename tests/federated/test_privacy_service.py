"""Private questions to a virtual worker: who is answered, about what, and what every answer costs."""

from __future__ import annotations

import threading
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import torch

import syft as sy
from syft.exceptions import (
    CommandNotPermittedError,
    GetNotPermittedError,
    ObjectNotFoundError,
    PrivacyBudgetError,
    UsageError,
)

AGES = torch.tensor([31.0, 47.0, 25.0, 88.0, 61.0])
PLENTY = sy.dp.Budget(1e7)


@pytest.fixture(params=[False, True], ids=["reference", "wire"])
def bob(hook: sy.TorchHook, request: pytest.FixtureRequest) -> Any:
    return sy.VirtualWorker(hook, id="bob", wire=request.param)


@pytest.fixture
def ages(bob: Any) -> Any:
    bob.privacy.allow("ana", PLENTY)
    return AGES.private_tensor(allowed_users=("owner",)).send(bob, user="owner")


def ask_mean(pointer: Any, epsilon: float = 1e5, user: Any = "ana") -> Any:
    return sy.dp.mean(pointer, lower=0, upper=120, epsilon=epsilon, user=user)


def test_every_question_is_answered_with_a_number(ages: Any) -> None:
    every = {"epsilon": 1e5, "user": "ana"}
    assert ask_mean(ages) == pytest.approx(50.4, abs=0.5)
    assert sy.dp.sum(ages, lower=0, upper=120, **every) == pytest.approx(252, abs=0.5)
    assert sy.dp.count(ages, **every) == 5
    assert sy.dp.count(ages, lower=30, upper=61, **every) == 3
    assert sy.dp.histogram(ages, bins=3, lower=0, upper=90, **every).tolist() == [1, 2, 2]
    assert sy.dp.histogram(ages, bins=[0, 50, 120], **every).tolist() == [3, 2]
    assert sy.dp.quantile(ages, lower=0, upper=120, resolution=120, **every) == pytest.approx(47, abs=1)
    with pytest.raises(GetNotPermittedError):
        ages.copy().get(user="ana")


def test_gaussian_noise_for_rows_of_several_numbers(bob: Any) -> None:
    bob.privacy.allow("ana", sy.dp.Budget(100.0, 1e-5))
    rows = torch.stack([AGES, AGES + 1], 1).private_tensor(allowed_users=("owner",)).send(bob, user="owner")
    both = sy.dp.mean(rows, lower=0, upper=120, epsilon=20.0, delta=1e-5, user="ana")
    assert both.shape == (2,)
    assert both.dtype == torch.float64
    one = sy.dp.quantile(rows, lower=0, upper=120, column=1, epsilon=20.0, user="ana")
    assert 0 <= one <= 120
    with pytest.raises(UsageError, match="choose a column"):
        sy.dp.quantile(rows, lower=0, upper=120, epsilon=1.0, user="ana")
    with pytest.raises(UsageError, match="no column"):
        sy.dp.mean(rows, lower=0, upper=120, epsilon=1.0, column=2, user="ana")


def test_questions_past_the_budget_are_refused_and_nothing_is_spent(bob: Any, ages: Any) -> None:
    bob.privacy.allow("ana", sy.dp.Budget(1.0))
    for _ in range(4):
        ask_mean(ages, 0.25)
    with pytest.raises(PrivacyBudgetError, match="'ana' has spent epsilon 1 of 1"):
        ask_mean(ages, 0.25)
    assert sy.dp.budget(bob, "ana") == {"epsilon": 1.0, "delta": 0.0, "spent": 1.0, "remaining": 0.0, "releases": 4}
    assert [release.what for release in bob.privacy.ledger.history()][:1] == [f"mean of object {ages.id_at_location}"]


def test_tiny_questions_add_up(bob: Any, ages: Any) -> None:
    bob.privacy.allow("ana", sy.dp.Budget(1e-3))
    for _ in range(100):
        sy.dp.count(ages, epsilon=1e-5, user="ana")
    with pytest.raises(PrivacyBudgetError):
        sy.dp.count(ages, epsilon=1e-5, user="ana")
    with pytest.raises(UsageError, match="makes no sense for one release"):
        sy.dp.count(ages, epsilon=1e-9, user="ana")


def test_two_users_have_two_budgets_and_strangers_none(bob: Any, ages: Any) -> None:
    bob.privacy.allow("ana", sy.dp.Budget(0.5))
    bob.privacy.allow("ben", sy.dp.Budget(0.5))
    ask_mean(ages, 0.5, "ana")
    ask_mean(ages, 0.5, "ben")
    for user in ("ana", "ben", "mallory", None):
        with pytest.raises(PrivacyBudgetError):
            ask_mean(ages, 0.1, user)
    with pytest.raises(PrivacyBudgetError, match=r"user 'mallory' has no privacy budget here, so mean of object"):
        ask_mean(ages, 0.1, "mallory")


def test_threads_together_get_no_more_than_the_budget(bob: Any, ages: Any) -> None:
    bob.privacy.allow("ana", sy.dp.Budget(1.0))
    answers: list[float] = []

    def ask() -> None:
        with suppress(PrivacyBudgetError):
            answers.extend(ask_mean(ages, 0.1) for _ in range(5))

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(answers) == 10


def test_a_plain_tensor_is_asked_about_only_if_it_is_offered(bob: Any) -> None:
    bob.privacy.allow("ana", PLENTY)
    pointer = AGES.clone().send(bob)
    with pytest.raises(GetNotPermittedError, match="does not offer it for private questions"):
        ask_mean(pointer)
    bob.privacy.offer(pointer.id_at_location)
    assert ask_mean(pointer) == pytest.approx(50.4, abs=0.5)
    with pytest.raises(ObjectNotFoundError):
        bob.privacy.offer(77)


def test_what_was_computed_from_private_rows_is_not_asked_about(ages: Any) -> None:
    """One person could be in each row of it, and an answer would show that person."""
    for computed in (ages[0].repeat(1000), ages * 1000, ages[:1], ages.clone()):
        with pytest.raises(GetNotPermittedError, match="may be in many of its rows"):
            ask_mean(computed)


def test_private_rows_that_were_changed_in_place_are_not_asked_about(ages: Any) -> None:
    ages.copy_(ages[0].expand(5).clone())
    with pytest.raises(GetNotPermittedError, match="may be in many of its rows"):
        ask_mean(ages)


def test_what_fails_is_charged_and_says_nothing(bob: Any, ages: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: Any) -> Any:
        raise ValueError(f"cannot add {AGES.tolist()}")

    monkeypatch.setattr("syft.dp.queries.Bounds.total", fail)
    with pytest.raises(GetNotPermittedError, match="failed and was charged") as caught:
        sy.dp.sum(ages, lower=-1, upper=1, epsilon=0.5, user="ana")
    assert "47" not in str(caught.value).replace(str(ages.id_at_location), "")  # whose digits are random
    assert "cannot add" not in str(caught.value)
    assert caught.value.__cause__ is None
    assert sy.dp.budget(bob, "ana")["spent"] == 0.5


def test_errors_never_speak_of_values(bob: Any) -> None:
    bob.privacy.allow("ana", sy.dp.Budget(0.01))
    secret = torch.full((4,), 123456.0).private_tensor(allowed_users=("owner",)).send(bob, user="owner")
    wrong: tuple[dict[str, Any], ...] = (
        {"lower": 1, "upper": 0, "epsilon": 1.0},
        {"lower": 0, "upper": 1, "epsilon": 1.0},
        {"lower": 0, "upper": float("nan"), "epsilon": 1.0},
        {"lower": 0, "upper": 1, "epsilon": -1.0},
        {"lower": 0, "upper": 1, "epsilon": 0.001, "column": 3},
        {"lower": secret, "upper": 1, "epsilon": 0.001},
    )
    for arguments in wrong:
        with pytest.raises(Exception) as caught:  # noqa: PT011 - whatever it is
            sy.dp.sum(secret, user="ana", **arguments)
        assert "123456" not in str(caught.value)
    assert sy.dp.budget(bob, "ana")["spent"] == 0


@pytest.mark.parametrize("user", [3, ["ana"], b"ana"])
def test_a_user_is_a_name(ages: Any, user: Any) -> None:
    with pytest.raises(UsageError):
        ask_mean(ages, 0.1, user)


def test_only_pointers_are_asked(bob: Any) -> None:
    with pytest.raises(UsageError, match="through a pointer"):
        ask_mean(AGES)
    with pytest.raises(UsageError, match="not of a part of it"):
        ask_mean(AGES.clone().send(bob).data)
    with pytest.raises(ObjectNotFoundError):
        bob.ask("privacy", "count", 12345, "ana", None, None, 0.1)
    with pytest.raises(UsageError, match="named by its id"):
        bob.ask("privacy", "count", [1], "ana", None, None, 0.1)


@pytest.mark.parametrize("name", ["allow", "keep", "offer", "ledger", "_release", "_rows", "__init__"])
def test_only_questions_can_be_asked(bob: Any, name: str) -> None:
    with pytest.raises(CommandNotPermittedError, match="offers no remote method"):
        bob.ask("privacy", name, "ana", None)


def test_a_worker_that_is_started_anew_knows_what_was_spent(hook: sy.TorchHook, tmp_path: Path) -> None:
    spent = []
    for start in range(2):
        bob = sy.VirtualWorker(hook, id=f"bob{start}")
        bob.privacy.keep(tmp_path / "bob.ledger")
        bob.privacy.allow("ana", sy.dp.Budget(1.0))
        ages = AGES.private_tensor(allowed_users=("owner",)).send(bob, user="owner")
        sy.dp.count(ages, epsilon=0.4, user="ana")
        spent.append(bob.privacy.ledger.spent("ana"))
        bob.privacy.ledger.close()
    assert spent == pytest.approx([0.4, 0.8])


def test_a_ledger_is_kept_from_the_start_or_not_at_all(bob: Any, ages: Any, tmp_path: Path) -> None:
    bob.privacy.ledger.limit(sy.dp.Budget(9e6))
    bob.privacy.keep(tmp_path / "bob.ledger")
    assert bob.privacy.ledger.budget("ana") == PLENTY
    assert bob.privacy.ledger.shared_budget() == sy.dp.Budget(9e6)
    ask_mean(ages)
    with pytest.raises(UsageError, match="would be forgotten"):
        bob.privacy.keep(tmp_path / "other.ledger")
