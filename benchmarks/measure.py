"""Timing by alternation: both sides of a ratio run in turn in one process, so that a busy machine slows both alike."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass

Action = Callable[[], object]


@dataclass(frozen=True, slots=True)
class Spread:
    """A median with its quartiles.

    Attributes:
        median: The middle of the samples.
        low: The first quartile.
        high: The third quartile.
    """

    median: float
    low: float
    high: float

    def __str__(self) -> str:
        """The quartiles, as the table shows them."""
        return f"{self.low:.3g} – {self.high:.3g}"


def spread(samples: list[float]) -> Spread:
    """Summarise `samples`.

    >>> spread([4.0, 1.0, 2.0, 3.0, 5.0])
    Spread(median=3.0, low=2.0, high=4.0)
    """
    if len(samples) == 1:
        return Spread(samples[0], samples[0], samples[0])
    low, middle, high = statistics.quantiles(samples, n=4, method="inclusive")
    return Spread(middle, low, high)


@dataclass(frozen=True, slots=True)
class Alternation:
    """Seconds a call of two actions, taken in turn: entry i of both lists belongs to the same pair.

    Attributes:
        ours: Wall seconds of one call of the first action, pair by pair.
        plain: The same for the second action.
        ours_cpu: Processor seconds of one call of the first action; other processes hardly touch them.
        plain_cpu: The same for the second action.
    """

    ours: list[float]
    plain: list[float]
    ours_cpu: list[float]
    plain_cpu: list[float]

    def ratio(self) -> Spread:
        """The ratio of wall times, pair by pair."""
        return spread([ours / plain for ours, plain in zip(self.ours, self.plain, strict=True)])

    def cpu_ratio(self) -> Spread:
        """The ratio of processor times, pair by pair."""
        return spread([ours / plain for ours, plain in zip(self.ours_cpu, self.plain_cpu, strict=True)])


def time_calls(action: Action, calls: int) -> tuple[float, float]:
    """Return wall and processor seconds of one call, averaged over `calls` calls in a row."""
    cpu, wall = time.process_time(), time.perf_counter()
    for _ in range(calls):
        action()
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    return wall / calls, cpu / calls


def alternate(ours: Action, plain: Action, *, pairs: int, calls: int = 1, warm_up: int = 2) -> Alternation:
    """Time two actions in turn, and change who goes first from pair to pair.

    Args:
        ours: The action whose cost is asked for.
        plain: What it is compared with.
        pairs: How many samples to take of each.
        calls: Calls in one sample; enough of them that a sample takes some milliseconds.
        warm_up: Samples of each that are taken first and thrown away.
    """
    for _ in range(warm_up):
        time_calls(ours, calls)
        time_calls(plain, calls)
    result = Alternation([], [], [], [])
    sides = [(ours, result.ours, result.ours_cpu), (plain, result.plain, result.plain_cpu)]
    for pair in range(pairs):
        for action, walls, cpus in sides if pair % 2 == 0 else reversed(sides):
            wall, cpu = time_calls(action, calls)
            walls.append(wall)
            cpus.append(cpu)
    return result
