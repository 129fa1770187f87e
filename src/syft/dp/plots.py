"""Pictures of what privacy costs: epsilon over the steps of trainings, accuracy by epsilon, budgets of a ledger."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from syft.core.optional import require
from syft.dp.ledger import Ledger
from syft.exceptions import UsageError

_INK, _FAINT, _GRID = "#1f2430", "#5f6675", "#e3e6ee"
# Okabe and Ito's colours, which everybody can tell apart; shapes and dashes say the same once more.
_COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9")
_MARKS = ("o", "s", "^", "D", "v", "P")
_DASHES = ("-", "--", "-.", ":", (0, (5, 1)), (0, (1, 1)))

Points = Sequence[tuple[float, float]]


def plot_spending(
    spent: Mapping[str, Points], path: str | os.PathLike[str], *, delta: float, title: str = "", unit: str = "step"
) -> Path:
    """Draw how epsilon grows while models train or questions are answered.

    Args:
        spent: points (step, epsilon so far) by the name of the line; at least one line.
        path: of the picture; its ending says which kind: .png, .svg, .pdf.
        delta: at which delta epsilon holds.
        title: the headline.
        unit: of what stands on the horizontal axis.

    Returns:
        The path.

    Raises:
        UsageError: there is nothing to draw, or the file cannot be written.
        DependencyError: matplotlib is not installed.
    """
    lines = {name: list(points) for name, points in spent.items() if len(points)}
    if not lines:
        raise UsageError("there is nothing to draw; give at least one line with a point (step, epsilon)")
    figure, axes = _figure(title or "Privacy spent")
    for number, (name, points) in enumerate(lines.items()):
        steps, epsilons = [point[0] for point in points], [point[1] for point in points]
        look = {"color": _COLOURS[number % 6], "linestyle": _DASHES[number % 6], "marker": _MARKS[number % 6]}
        axes.plot(steps, epsilons, linewidth=2, markersize=5, markevery=max(1, len(steps) // 10), label=name, **look)
    axes.set_xlabel(unit, color=_INK)
    axes.set_ylabel(f"ε spent (at δ = {delta:g})", color=_INK)
    axes.set_ylim(bottom=0)
    whole = all(float(step).is_integer() for points in lines.values() for step, _ in points)
    axes.xaxis.get_major_locator().set_params(integer=whole)
    # Beside the lines: inside, some line would run through it.
    axes.legend(frameon=False, labelcolor=_INK, reverse=True, loc="upper left", bbox_to_anchor=(1, 1))
    return _written(figure, path)


def plot_accuracy(
    epsilons: Sequence[float],
    accuracies: Sequence[float],
    path: str | os.PathLike[str],
    *,
    delta: float,
    plain: float | None = None,
    title: str = "",
) -> Path:
    """Draw which accuracy each budget buys.

    Args:
        epsilons: the budgets, above 0.
        accuracies: from 0 to 1, one for each.
        path: of the picture; see `plot_spending`.
        delta: at which delta the epsilons hold.
        plain: the accuracy without privacy.
        title: the headline.

    Returns:
        The path.

    Raises:
        UsageError: there is nothing to draw, or the file cannot be written.
        DependencyError: matplotlib is not installed.
    """
    if not epsilons or len(epsilons) != len(accuracies):
        raise UsageError(
            f"{len(epsilons)} epsilons and {len(accuracies)} accuracies make no picture; give as many of each"
        )
    figure, axes = _figure(title or "Accuracy by privacy budget")
    percent = [100 * accuracy for accuracy in accuracies]
    axes.plot(epsilons, percent, color=_COLOURS[0], marker="o", linewidth=2, markersize=6, label="with privacy")
    for epsilon, value in zip(epsilons, percent, strict=True):
        axes.annotate(
            f"{value:.1f}", (epsilon, value), textcoords="offset points", xytext=(0, 9), ha="center", color=_INK
        )
    if plain is not None:
        axes.axhline(
            100 * plain, color=_COLOURS[1], linestyle="--", linewidth=2, label=f"without ({100 * plain:.1f} %)"
        )
    axes.set_xscale("log")
    axes.set_xticks(list(epsilons), [f"{epsilon:g}" for epsilon in epsilons])
    axes.minorticks_off()
    axes.margins(x=0.08, y=0.25)
    axes.set_xlabel(f"privacy budget ε (at δ = {delta:g}; smaller is more private)", color=_INK)
    axes.set_ylabel("test accuracy in %", color=_INK)
    axes.legend(frameon=False, labelcolor=_INK, loc="lower right")
    return _written(figure, path)


def plot_budgets(ledger: Ledger, path: str | os.PathLike[str], *, title: str = "") -> Path:
    """Draw what each user of a ledger has spent of the budget.

    Args:
        ledger: the ledger.
        path: of the picture; see `plot_spending`.
        title: the headline.

    Returns:
        The path.

    Raises:
        UsageError: nobody has a budget, or the file cannot be written.
        DependencyError: matplotlib is not installed.
    """
    rows = [(user, ledger.budget(user), ledger.spent(user)) for user in ledger.users()]
    held = [(user or "(without a name)", budget.epsilon, spent) for user, budget, spent in rows if budget is not None]
    if not held:
        raise UsageError("nobody has a budget in this ledger, so there is nothing to draw")
    figure, axes = _figure(title or "Privacy budgets", height=1.6 + 0.45 * len(held))
    names, epsilons, spent = zip(*held, strict=True)
    axes.barh(names, epsilons, color="white", edgecolor=_FAINT, height=0.6, label="budget")
    axes.barh(names, spent, color=_COLOURS[0], height=0.6, label="spent")
    axes.invert_yaxis()
    axes.set_xlabel("ε", color=_INK)
    axes.legend(frameon=False, labelcolor=_INK, loc="upper left", bbox_to_anchor=(1, 1))
    return _written(figure, path)


def _figure(title: str, height: float = 4.2) -> tuple[Any, Any]:
    figure = require("matplotlib.figure", "viz").Figure(figsize=(7, height), facecolor="white", layout="constrained")
    axes = figure.add_subplot()
    axes.set_title(title, loc="left", fontweight="bold", color=_INK)
    axes.grid(color=_GRID)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
    axes.tick_params(colors=_FAINT)
    return figure, axes


def _written(figure: Any, path: str | os.PathLike[str]) -> Path:
    try:
        figure.savefig(path, dpi=110)
    except (OSError, ValueError) as error:
        raise UsageError(f"{path} cannot be written: {error}; choose another file, such as privacy.png") from error
    return Path(path)
