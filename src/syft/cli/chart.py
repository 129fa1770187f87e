"""The picture of a run: accuracy, loss, and who holds which classes."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from syft.core.optional import require
from syft.exceptions import FederatedError
from syft.federated.history import History

_INK = "#1f2430"
_FAINT = "#7d8496"
_GRID = "#e8eaf0"
# The first ones can be told apart also by those who do not see red and green alike (Okabe and Ito).
_COLOURS = ("#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#d55e00", "#8c7ae6", "#b8a200")
# Ten steps from dark to light: digits are ordered, and neighbours differ enough to be seen.
_CLASSES = (
    "#2c3e73", "#33629e", "#3b87b8", "#4fabb9", "#74c7ae", "#a3dba1", "#d3e79b", "#f6e08c", "#f5b76b", "#e58a5b",
)  # fmt: skip
_MOST_WORKERS = 8
_STEPS = [factor * 10**power for power in range(9) for factor in (1, 2, 5)]


def draw(path: Path, history: History, class_counts: Mapping[str, Sequence[int]], *, title: str, subtitle: str) -> None:
    """Draw a run and write it as a PNG file of 150 dots an inch.

    Args:
        path: the file.
        history: what was measured, at least one round.
        class_counts: how many samples of each class every worker holds.
        title: the headline.
        subtitle: one line under it.

    Raises:
        DependencyError: matplotlib is not installed.
        FederatedError: the file cannot be written.
    """
    rows = min(len(class_counts), _MOST_WORKERS)
    strip = 0.34 * rows
    height = 6.25 + strip
    figure: Any = require("matplotlib.figure", "demo").Figure(figsize=(11, height), facecolor="white")
    figure.text(0.07, 1 - 0.5 / height, title, fontsize=18, fontweight="bold", color=_INK)
    figure.text(0.07, 1 - 0.8 / height, subtitle, fontsize=10.5, color=_FAINT)
    reached = history.metric("accuracy")[-1]
    figure.text(
        0.97, 1 - 0.5 / height, f"{100 * reached:.1f} %", fontsize=18, fontweight="bold", color=_INK, ha="right"
    )
    figure.text(0.875, 1 - 0.5 / height, "test accuracy", fontsize=10.5, color=_FAINT, ha="right")
    # Places are in inches from the bottom left, so that panels keep their size whatever the number of workers.
    place = _Places(11, height)
    curves_at = 1.45 + strip
    names = list(class_counts)
    accuracy = figure.add_axes(place.box(0.77, curves_at, 4.65, 3.25))
    _accuracy(accuracy, history, names)
    _loss(figure.add_axes(place.box(6.0, curves_at, 4.65, 3.25)), history, names)
    _holdings(figure.add_axes(place.box(0.77, 0.5, 9.88, strip)), class_counts)
    # One key for both panels, above them: inside a panel some curve would run through it.
    figure.legend(
        handles=[line for line in accuracy.get_lines() if line.get_label() != "_"],
        loc="upper left", bbox_to_anchor=(0.07, 1 - 0.99 / height), frameon=False,
        fontsize=9.5, labelcolor=_INK, ncols=_MOST_WORKERS + 1, columnspacing=1.4, handletextpad=0.5, borderaxespad=0,
        borderpad=0,
    )  # fmt: skip
    try:
        figure.savefig(path, dpi=150)
    except OSError as error:
        raise FederatedError(f"{path} cannot be written: {error.strerror}; choose another folder.") from error


class _Places:
    def __init__(self, width: float, height: float) -> None:
        self._width, self._height = width, height

    def box(self, left: float, bottom: float, width: float, height: float) -> tuple[float, float, float, float]:
        """Inches to shares of the figure."""
        return left / self._width, bottom / self._height, width / self._width, height / self._height


def _accuracy(axes: Any, history: History, names: Sequence[str]) -> None:
    curves = {name: _percent(history.client_figure(name, "accuracy")) for name in names}
    average = _percent(history.metric("accuracy"))
    _curves(axes, curves, average, "global model (the average)")
    _style(axes, "Accuracy on the test images", len(history))
    finite = [value for values in (*curves.values(), average) for value in values if math.isfinite(value)]
    lowest = min(finite, default=0.0)
    axes.set_ylim(max(-1.5, lowest - 0.12 * (100 - lowest) - 0.5), 100 + 0.05 * (100 - lowest) + 0.2)
    axes.yaxis.set_major_formatter(lambda value, _: f"{value:g} %")


def _loss(axes: Any, history: History, names: Sequence[str]) -> None:
    curves = {name: history.client_figure(name, "loss") for name in names}
    _curves(axes, curves, history.metric("loss"), "global model (the average)")
    _style(axes, "Loss on the test images", len(history))
    finite = [
        value for values in (*curves.values(), history.metric("loss")) for value in values if 0 < value < math.inf
    ]
    if finite and max(finite) > 20 * min(finite):
        ticker = require("matplotlib.ticker", "demo")
        axes.set_yscale("log")
        axes.yaxis.set_major_locator(ticker.LogLocator(subs=(1.0, 2.0, 5.0)))
        axes.yaxis.set_minor_locator(ticker.NullLocator())
        axes.yaxis.set_major_formatter(lambda value, _: f"{value:g}")
    else:
        axes.set_ylim(bottom=0)


def _curves(axes: Any, curves: Mapping[str, Sequence[float]], average: Sequence[float], label: str) -> None:
    rounds = range(1, len(average) + 1)
    marker = "o" if len(average) <= 30 else None
    many = len(curves) > _MOST_WORKERS
    for number, (name, values) in enumerate(curves.items()):
        axes.plot(
            rounds, values, color=_FAINT if many else _COLOURS[number % len(_COLOURS)], linewidth=1.0 if many else 1.5,
            marker=None if many else marker, markersize=3.2, alpha=0.45 if many else 0.9, solid_capstyle="round",
            label=(f"each of {len(curves)} workers" if number == 0 else "_") if many else name,
        )  # fmt: skip
    axes.plot(
        rounds, average, color=_INK, linewidth=2.6, marker=marker, markersize=5, markerfacecolor="white",
        markeredgewidth=1.8, label=label, zorder=5, solid_capstyle="round",
    )  # fmt: skip


def _holdings(axes: Any, class_counts: Mapping[str, Sequence[int]]) -> None:
    names = list(class_counts)[:_MOST_WORKERS]
    left = [0] * len(names)
    for label, colour in enumerate(_CLASSES):
        counts = [class_counts[name][label] for name in names]
        axes.barh(names, counts, left=left, height=0.66, color=colour, edgecolor="white", linewidth=0.7)
        left = [so_far + count for so_far, count in zip(left, counts, strict=True)]
    largest = max(left, default=1)
    for row, total in enumerate(left):
        axes.text(total + 0.006 * largest, row, f"{total:,}", va="center", fontsize=9, color=_FAINT)
    shown = "" if len(names) == len(class_counts) else f" (the first {len(names)} of {len(class_counts)})"
    axes.set_title(f"Samples of each digit on the workers{shown}", **_TITLE)
    axes.set_xlim(0, largest * 1.06)
    axes.set_ylim(len(names) - 0.45, -0.55)
    axes.set_xticks([])
    axes.tick_params(length=0, labelcolor=_INK, labelsize=9.5)
    for side in axes.spines.values():
        side.set_visible(False)
    _class_key(axes)


def _class_key(axes: Any) -> None:
    patch = require("matplotlib.patches", "demo").Patch
    axes.legend(
        handles=[patch(color=colour, label=str(label)) for label, colour in enumerate(_CLASSES)], ncols=len(_CLASSES),
        loc="lower right", bbox_to_anchor=(1.004, 1.0), frameon=False, fontsize=9, labelcolor=_INK, handlelength=0.9,
        handleheight=0.9, handletextpad=0.4, columnspacing=1.0, borderaxespad=0.35,
    )  # fmt: skip


_TITLE = {"loc": "left", "fontsize": 10.5, "color": _INK, "pad": 9}


def _style(axes: Any, title: str, rounds: int) -> None:
    axes.set_title(title, **_TITLE)
    axes.set_xlabel("round", fontsize=9.5, color=_FAINT)
    axes.grid(axis="y", color=_GRID, linewidth=0.9)
    axes.set_axisbelow(True)
    axes.tick_params(length=0, labelcolor=_FAINT, labelsize=9.5)
    axes.set_xlim(1 - 0.03 * rounds, rounds + 0.03 * rounds)
    step = next(step for step in _STEPS if rounds <= 12 * step)
    axes.set_xticks(sorted({1, *range(step, rounds + 1, step)} - ({2} if step == 2 else set())))
    for name, side in axes.spines.items():
        side.set_visible(name == "bottom")
        side.set_color(_GRID)


def _percent(values: Sequence[float]) -> list[float]:
    return [100 * value for value in values]
