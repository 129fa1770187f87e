"""The ledger: nothing is released that was not charged, whatever happens in between."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from syft.dp.accounting import spent_epsilon
from syft.dp.events import ConcentratedRelease, GaussianRelease, PureRelease, SampledGaussian
from syft.dp.ledger import Budget, Ledger
from syft.dp.written_events import read_event, repeated, write_event
from syft.exceptions import PrivacyBudgetError, UsageError

EVENTS = [GaussianRelease(4.0, 2), SampledGaussian(1.1, 0.01, 30), PureRelease(0.1), ConcentratedRelease(0.005, 3)]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "bob.ledger"


@pytest.fixture(params=["memory", "file"])
def ledger(request: pytest.FixtureRequest, file: Path) -> Iterator[Ledger]:
    with Ledger(None if request.param == "memory" else file) as opened:
        yield opened


def test_charges_add_up_until_the_budget_is_spent(ledger: Ledger) -> None:
    ledger.allow("ana", Budget(1.0))
    for _ in range(10):
        ledger.charge("ana", PureRelease(0.1), "mean of the ages")
    assert ledger.spent("ana") == pytest.approx(1.0)
    assert ledger.remaining("ana") == 0
    with pytest.raises(PrivacyBudgetError, match="'ana' has spent epsilon 1 of 1"):
        ledger.charge("ana", PureRelease(1e-4), "mean of the ages")
    assert len(ledger.history()) == 10


def test_a_refused_charge_leaves_nothing(ledger: Ledger) -> None:
    ledger.allow("ana", Budget(1.0))
    with pytest.raises(PrivacyBudgetError):
        ledger.charge("ana", [PureRelease(0.9), PureRelease(0.2)], "two means")
    assert (ledger.spent("ana"), ledger.spent_by_all(), ledger.history()) == (0, 0, [])
    ledger.charge("ana", PureRelease(1.0), "one mean")  # the whole budget fits


def test_a_user_without_a_budget_gets_nothing(ledger: Ledger) -> None:
    for user in ("mallory", None):
        with pytest.raises(PrivacyBudgetError, match="has no privacy budget here"):
            ledger.charge(user, PureRelease(1e-3), "a count")
    ledger.allow(None, Budget(0.5))
    ledger.charge(None, PureRelease(0.5), "a count")
    with pytest.raises(PrivacyBudgetError, match="a client without a name"):
        ledger.charge(None, PureRelease(0.5), "a count")
    with pytest.raises(PrivacyBudgetError):
        ledger.charge("mallory", PureRelease(1e-3), "a count")


def test_users_do_not_spend_each_others_budget_but_share_a_limit(ledger: Ledger) -> None:
    for user in ("ana", "ben"):
        ledger.allow(user, Budget(1.0))
    ledger.limit(Budget(1.5))
    ledger.charge("ana", PureRelease(1.0), "a mean")
    assert ledger.remaining("ben") == 1
    ledger.charge("ben", PureRelease(0.5), "a mean")
    with pytest.raises(PrivacyBudgetError, match=r"everybody has spent epsilon 1.5 of 1.5"):
        ledger.charge("ben", PureRelease(0.1), "a mean")
    assert ledger.spent("ben") == 0.5
    assert ledger.users() == ["ana", "ben"]
    assert ledger.spent_by_all() == 1.5


def test_gaussian_noise_needs_a_delta(ledger: Ledger) -> None:
    ledger.allow("ana", Budget(5.0))
    with pytest.raises(PrivacyBudgetError, match="no epsilon at that delta"):
        ledger.charge("ana", GaussianRelease(10.0), "a mean")
    ledger.allow("ana", Budget(5.0, 1e-6))
    ledger.charge("ana", GaussianRelease(10.0), "a mean")


def test_a_new_budget_does_not_forget_what_was_spent(ledger: Ledger) -> None:
    ledger.allow("ana", Budget(1.0))
    ledger.charge("ana", PureRelease(1.0), "a mean")
    ledger.revoke("ana")
    assert ledger.budget("ana") is None
    ledger.allow("ana", Budget(1.5))
    assert ledger.remaining("ana") == 0.5


def test_history_says_what_went_to_whom(ledger: Ledger) -> None:
    ledger.allow("ana", Budget(50.0, 1e-5))
    ledger.allow(None, Budget(1.0))
    ledger.charge("ana", EVENTS, "a model")
    ledger.charge(None, PureRelease(0.5), "a count")
    first, second = ledger.history()
    assert (first.number, first.user, first.what, first.events) == (1, "ana", "a model", tuple(EVENTS))
    assert (second.user, second.events) == (None, (PureRelease(0.5),))
    assert ledger.history("ana") == [first]
    assert ledger.history(None) == [second]
    assert [ledger.releases(), ledger.releases("ana"), ledger.releases("ben")] == [2, 1, 0]


def test_everything_survives_a_restart(file: Path) -> None:
    with Ledger(file) as ledger:
        ledger.allow("ana", Budget(50.0, 1e-5))
        ledger.charge("ana", EVENTS, "a model")
        spent, history = ledger.spent("ana"), ledger.history()
    with Ledger(file) as again:
        assert again.budget("ana") == Budget(50.0, 1e-5)
        assert again.spent("ana") == spent
        assert spent == pytest.approx(spent_epsilon(EVENTS, 1e-5))
        assert again.history() == history
    assert file.stat().st_mode & 0o077 == 0


def test_many_small_charges_cost_what_they_cost_together(ledger: Ledger) -> None:
    ledger.allow("ana", Budget(3.0, 1e-6))
    for _ in range(200):
        ledger.charge("ana", PureRelease(0.01), "a count")
    assert ledger.spent("ana") == pytest.approx(spent_epsilon([PureRelease(0.01, 200)], 1e-6))
    assert ledger.spent("ana") < 2.0


def test_threads_cannot_spend_the_same_budget_twice(ledger: Ledger) -> None:
    ledger.allow("ana", Budget(1.0))
    passed: list[int] = []

    def spend() -> None:
        for _ in range(10):
            try:
                passed.append(ledger.charge("ana", PureRelease(0.1), "a count").number)
            except PrivacyBudgetError:
                pass

    threads = [threading.Thread(target=spend) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(passed) == list(range(1, 11))


_SPEND = """
import sys
from syft.dp.events import PureRelease
from syft.dp.ledger import Ledger
from syft.exceptions import PrivacyBudgetError
ledger = Ledger(sys.argv[1])
print("ready", flush=True)
sys.stdin.readline()
while True:
    try:
        number = ledger.charge("ana", PureRelease(float(sys.argv[2])), "a count").number
    except PrivacyBudgetError:
        break
    print(number, flush=True)
"""


def _spender(file: Path, epsilon: float) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", _SPEND, str(file), str(epsilon)]
    spender = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert spender.stdout is not None
    assert spender.stdout.readline() == "ready\n"
    return spender


def _start(spender: subprocess.Popen[str]) -> None:
    assert spender.stdin is not None
    spender.stdin.write("go\n")
    spender.stdin.flush()


def test_two_processes_cannot_spend_the_same_budget_twice(file: Path) -> None:
    with Ledger(file) as ledger:
        ledger.allow("ana", Budget(1.0))
        spenders = [_spender(file, 0.025) for _ in range(2)]
        for spender in spenders:
            _start(spender)
        numbers = [int(line) for spender in spenders for line in spender.communicate(timeout=60)[0].split()]
        assert sorted(numbers) == list(range(1, 41))
        assert ledger.spent("ana") == pytest.approx(1.0)


def test_a_killed_process_has_charged_for_all_it_released(file: Path) -> None:
    with Ledger(file) as ledger:
        ledger.allow("ana", Budget(1e6))
    spender = _spender(file, 1.0)
    _start(spender)
    assert spender.stdout is not None
    released = [int(spender.stdout.readline()) for _ in range(20)]
    os.kill(spender.pid, signal.SIGKILL)
    released += [int(line) for line in spender.communicate()[0].split("\n")[:-1]]
    with Ledger(file) as ledger:
        charged = [release.number for release in ledger.history()]
        assert set(released) <= set(charged)
        assert len(charged) <= len(released) + 1  # at most the one that was about to be released
        assert ledger.spent("ana") == len(charged)


def test_a_disk_that_does_not_take_it_releases_nothing(file: Path) -> None:
    with Ledger(file) as ledger:
        ledger.allow("ana", Budget(1.0))
        other = sqlite3.connect(file)
        other.executescript("CREATE TRIGGER full BEFORE INSERT ON releases BEGIN SELECT RAISE(ABORT, 'disk full'); END")
        with pytest.raises(PrivacyBudgetError, match="cannot be read or written: disk full"):
            ledger.charge("ana", PureRelease(0.1), "a count")
        other.executescript("DROP TRIGGER full")
        other.close()
        assert ledger.spent("ana") == 0


def test_a_foreign_or_newer_file_is_left_alone(file: Path, tmp_path: Path) -> None:
    file.write_bytes(b"SQLite format 3\0" + bytes(200))
    with pytest.raises(UsageError, match="another application"):
        Ledger(file)
    newer = tmp_path / "newer"
    Ledger(newer).close()
    with sqlite3.connect(newer) as connection:
        connection.execute("UPDATE format SET version = 2")
    with pytest.raises(UsageError, match="version 2"):
        Ledger(newer)


@pytest.mark.parametrize(("epsilon", "delta"), [(0, 0), (-1, 0), (float("nan"), 0), (float("inf"), 0), (1, 1), (1, -1)])
def test_a_budget_that_promises_nothing_is_refused(epsilon: float, delta: float) -> None:
    with pytest.raises(UsageError, match="promises nothing"):
        Budget(epsilon, delta)


@pytest.mark.parametrize("user", ["", "a" * 201, 3, ("ana",)])
def test_a_user_is_a_name(ledger: Ledger, user: object) -> None:
    with pytest.raises(UsageError, match="is a name"):
        ledger.allow(user, Budget(1.0))  # type: ignore[arg-type]


def test_a_closed_ledger_releases_nothing(ledger: Ledger) -> None:
    ledger.allow("ana", Budget(1.0))
    ledger.close()
    ledger.close()
    with pytest.raises(UsageError, match="is closed"):
        ledger.charge("ana", PureRelease(0.1), "a count")


@settings(max_examples=50)
@given(st.floats(1e-6, 1e3), st.integers(1, 10**6))
def test_events_are_written_without_losing_a_digit(value: float, count: int) -> None:
    for event in (GaussianRelease(value, count), ConcentratedRelease(value, count), PureRelease(value, count)):
        assert repeated(read_event(write_event(event)), count) == event


@pytest.mark.parametrize(
    "text", ["", "[]", '["pure"]', '["pure", {"epsilon": -1}]', '["new", {}]', '["pure", {"a": 1}]']
)
def test_what_is_no_event_is_refused(text: str) -> None:
    with pytest.raises(UsageError):
        read_event(text)
