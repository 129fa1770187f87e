"""Pictures: they say what is drawn, in which unit, and are written where they should be."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from syft.dp.events import PureRelease
from syft.dp.ledger import Budget, Ledger
from syft.dp.plots import plot_accuracy, plot_budgets, plot_spending
from syft.exceptions import UsageError

pytest.importorskip("matplotlib", reason="pictures are drawn by matplotlib")


def words(path: Path) -> str:
    return " ".join(re.findall(r"<!-- (.*?) -->", path.read_text("utf-8")))


def test_spending_is_drawn_with_its_delta(tmp_path: Path) -> None:
    lines = {"budget 1": [(step, step / 10) for step in range(11)], "budget 3": [(1, 1.5), (2, 3.0)]}
    path = plot_spending(lines, tmp_path / "spent.svg", delta=1e-5, title="MNIST", unit="epoch")
    assert all(word in words(path) for word in ("MNIST", "epoch", "ε spent (at δ = 1e-05)", "budget 1", "budget 3"))


def test_accuracy_is_drawn_beside_that_without_privacy(tmp_path: Path) -> None:
    path = plot_accuracy([0.5, 1, 2], [0.9, 0.93, 0.95], tmp_path / "accuracy.svg", delta=1e-5, plain=0.985)
    text = words(path)
    assert all(word in text for word in ("test accuracy in %", "without (98.5 %)", "0.5", "93.0", "at δ = 1e-05"))
    assert plot_accuracy([1], [0.9], tmp_path / "one.png", delta=1e-5).stat().st_size > 5000


def test_budgets_are_drawn_by_user(tmp_path: Path) -> None:
    with Ledger() as ledger:
        with pytest.raises(UsageError, match="nobody has a budget"):
            plot_budgets(ledger, tmp_path / "none.svg")
        ledger.allow("ana", Budget(1.0))
        ledger.allow(None, Budget(0.5))
        ledger.charge("ana", PureRelease(0.4), "a count")
        text = words(plot_budgets(ledger, tmp_path / "budgets.svg"))
    assert all(word in text for word in ("ana", "(without a name)", "budget", "spent", "ε"))


def test_nothing_and_nowhere_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="nothing to draw"):
        plot_spending({"a": []}, tmp_path / "x.png", delta=1e-5)
    with pytest.raises(UsageError, match="as many of each"):
        plot_accuracy([1], [], tmp_path / "x.png", delta=1e-5)
    for wrong in (tmp_path / "no" / "x.png", tmp_path / "x.words"):
        with pytest.raises(UsageError, match="cannot be written"):
            plot_spending({"a": [(1, 1)]}, wrong, delta=1e-5)
