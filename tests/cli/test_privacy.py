"""``syft worker --privacy`` and ``syft dp budget`` as processes: budgets outlive a worker that is killed."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from typer.testing import CliRunner

import syft as sy
from syft.cli.budget import dp_app
from syft.cli.privacy_options import PrivacyPolicy, check_rules, ledger_path
from syft.dp.events import PureRelease
from syft.dp.ledger import Budget, Ledger
from syft.exceptions import PrivacyBudgetError, UsageError
from syft.transports.tokens import TokenFile

RUN = "from syft.cli.main import main; main()"


@pytest.fixture
def here(tmp_path: Path) -> Path:
    torch.save(torch.tensor([31.0, 47.0, 25.0]), tmp_path / "ages.pt")
    return tmp_path


class Worker:
    """A running ``syft worker``."""

    def __init__(self, directory: Path, *options: str) -> None:
        command = [sys.executable, "-W", "ignore", "-c", RUN, "worker", "--id", "bob", "--port", "0", *options]
        self.popen = subprocess.Popen(
            command, cwd=directory, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        )
        assert self.popen.stdout is not None
        self.port = 0
        for line in self.popen.stdout:
            if (found := re.search(r"serves at wss?://[^:]+:(\d+); Ctrl-C", line)) is not None:
                self.port = int(found[1])
                break

    def end(self, how: int = signal.SIGTERM) -> None:
        self.popen.send_signal(how)
        self.popen.communicate(timeout=30)


@pytest.fixture
def workers() -> Iterator[list[Worker]]:
    running: list[Worker] = []
    yield running
    for worker in running:
        if worker.popen.poll() is None:
            worker.end(signal.SIGKILL)


def asked(hook: sy.TorchHook, port: int, token: str, times: int) -> int:
    """How many of so many questions were answered."""
    answered = 0
    with sy.WebsocketClientWorker(hook, "localhost", port, token=token, auto_add=False) as bob:
        (ages,) = bob.search(["#ages"])
        for _ in range(times):
            try:
                sy.dp.count(ages, epsilon=0.25)
                answered += 1
            except PrivacyBudgetError:
                break
        del ages
    return answered


def test_a_killed_worker_comes_back_with_what_was_spent(hook: sy.TorchHook, here: Path, workers: list[Worker]) -> None:
    token = str(TokenFile(here / "tokens.jsonl").add("ana").text)
    options = (
        "--tokens", "tokens.jsonl", "--data", "ages=ages.pt", "--take", "owner", "--ledger", "bob.ledger",
        "--privacy", "data=ages,user=ana,epsilon=1",
    )  # fmt: skip
    workers.append(Worker(here, *options))
    assert asked(hook, workers[0].port, token, 3) == 3
    workers[0].end(signal.SIGKILL)
    workers.append(Worker(here, *options))
    assert asked(hook, workers[1].port, token, 3) == 1
    shown = CliRunner().invoke(dp_app, ["budget", str(here / "bob.ledger"), "--json"])  # while the worker runs
    assert json.loads(shown.output)["users"] == [
        {"user": "ana", "epsilon": 1.0, "delta": 0.0, "spent": 1.0, "remaining": 0.0, "releases": 4}
    ]


def test_the_budget_table(tmp_path: Path) -> None:
    path = tmp_path / "bob.ledger"
    with Ledger(path) as ledger:
        ledger.allow("ana", Budget(2.0, 1e-6))
        ledger.allow(None, Budget(1.0))
        ledger.limit(Budget(2.5, 1e-6))
        ledger.charge("ana", PureRelease(0.5), "mean of object 7 (#ages)")
        ledger.charge(None, PureRelease(1.0), "count of \x1b[31m")
        ledger.allow("evil\x1b[2J", Budget(1.0))
        ledger.revoke(None)
    shown = CliRunner().invoke(dp_app, ["budget", str(path), "--history"], env={"COLUMNS": "200"})
    assert shown.exit_code == 0
    lines = [" ".join(line.split()) for line in shown.output.splitlines()]
    assert lines[0] == "user epsilon delta spent remaining releases"
    assert "(without a name) – – 1 0 1 no budget" in lines
    assert "ana 2 1e-06 0.5 1.5 1 ███░░░░░░░░░ 25%" in lines
    assert any(line.startswith("everybody 2.5 1e-06 1.5 1 2") for line in lines)
    assert any("mean of object 7 (#ages)" in line for line in lines)
    assert "\x1b[2J" not in shown.output
    as_json = json.loads(CliRunner().invoke(dp_app, ["budget", str(path), "--history", "--json"]).output)
    assert [row["user"] for row in as_json["users"]] == [None, "ana", "evil\x1b[2J"]
    assert (as_json["everybody"]["spent"], len(as_json["releases"])) == (1.5, 2)
    empty = CliRunner().invoke(dp_app, ["budget", str(_made(tmp_path / "empty"))])
    assert "nobody has a budget" in empty.output


def _made(path: Path) -> Path:
    Ledger(path).close()
    return path


def test_a_ledger_that_is_not_there_is_not_made(tmp_path: Path) -> None:
    missing = tmp_path / "missing"
    result = CliRunner().invoke(dp_app, ["budget", str(missing)])
    assert isinstance(result.exception, UsageError)
    assert not missing.exists()


def test_options_are_understood() -> None:
    policy = PrivacyPolicy.parse(
        ["data=ages,user=ana,epsilon=1,delta=1e-6", "user=ben,epsilon=2", "data=sizes", "epsilon=0.1",
         "user=everybody,epsilon=3"]
    )  # fmt: skip
    assert policy.data == {"ages", "sizes"}
    assert policy.budgets == {"ana": Budget(1.0, 1e-6), "ben": Budget(2.0), None: Budget(0.1)}
    assert policy.shared == Budget(3.0)


@pytest.mark.parametrize(
    "options",
    [["ages"], ["data="], ["data=a,data=b"], ["size=3"], ["user=ana"], ["epsilon=a lot"], ["epsilon=0"],
     ["epsilon=1", "epsilon=2"], ["user=ana,delta=1"], ["data=x,user=ana"]],
)  # fmt: skip
def test_options_that_make_no_sense_are_refused(options: list[str]) -> None:
    with pytest.raises(UsageError):
        PrivacyPolicy.parse(options)


def test_a_policy_that_protects_nothing_is_refused() -> None:
    policy = PrivacyPolicy.parse(["data=ages,user=ana,epsilon=1"])
    with pytest.raises(UsageError, match="--take owner"):
        check_rules(policy, "all", named=True)
    with pytest.raises(UsageError, match="nobody has a name"):
        check_rules(policy, "owner", named=False)
    with pytest.raises(UsageError, match="--ledger"):
        ledger_path(None, None)
    assert ledger_path(None, "sqlite:////data/bob.db") == Path("/data/bob.db.ledger")
    assert ledger_path(Path("x"), "sqlite:///bob.db") == Path("x")


def test_the_command_line_is_the_policy(hook: sy.TorchHook, tmp_path: Path) -> None:
    """Who is no longer named has no budget any more; what was spent stays."""
    for number, option in enumerate(("user=ana,epsilon=1", "user=ben,epsilon=1")):
        worker: Any = sy.VirtualWorker(hook, id=f"policied{number}")
        PrivacyPolicy.parse([option, "user=everybody,epsilon=9"][: 2 - number]).settle(worker.privacy, tmp_path / "l")
        ledger = worker.privacy.ledger
        if number == 0:
            ledger.charge("ana", PureRelease(0.5), "a count")
            assert ledger.shared_budget() == Budget(9.0)
            ledger.close()
    assert ledger.budget("ana") is None
    assert ledger.spent("ana") == 0.5
    assert ledger.budget("ben") == Budget(1.0)
    assert ledger.shared_budget() is None
    ledger.close()
