"""Which encrypted operations cost what: calls, rounds, bytes, seconds."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any


@dataclass
class Cost:
    """What one kind of operation has cost.

    Attributes:
        calls: how often it ran.
        rounds: openings that waited for each other.
        bytes: what all holders sent in them.
        dealt: seconds of the crypto provider.
        seconds: all seconds, the provider's included; operations inside of others count for these.
    """

    calls: int = 0
    rounds: int = 0
    bytes: int = 0
    dealt: float = 0.0
    seconds: float = 0.0


@dataclass
class Profile:
    """A table of costs by operation, filled while `profile` is active.

    Attributes:
        costs: by the name of the operation.
    """

    costs: dict[str, Cost] = field(default_factory=dict)
    _stack: list[str] = field(default_factory=list)

    def opened(self, nbytes: int, holders: int) -> None:
        """Count an opening."""
        cost = self._current()
        cost.rounds += 1
        cost.bytes += nbytes * holders

    @contextmanager
    def dealing(self) -> Iterator[None]:
        """Count the provider's time."""
        start = time.perf_counter()
        try:
            yield
        finally:
            self._current().dealt += time.perf_counter() - start

    @contextmanager
    def operation(self, name: str) -> Iterator[None]:
        """Count an operation; what runs inside of it is counted for it."""
        if self._stack:
            yield
            return
        self._stack.append(name)
        cost = self._current()
        cost.calls += 1
        start = time.perf_counter()
        try:
            yield
        finally:
            cost.seconds += time.perf_counter() - start
            self._stack.pop()

    @property
    def total(self) -> Cost:
        """All costs together."""
        costs = self.costs.values()
        return Cost(
            sum(c.calls for c in costs),
            sum(c.rounds for c in costs),
            sum(c.bytes for c in costs),
            sum(c.dealt for c in costs),
            sum(c.seconds for c in costs),
        )

    def _current(self) -> Cost:
        return self.costs.setdefault(self._stack[0] if self._stack else "other", Cost())

    def __str__(self) -> str:
        rows: list[tuple[Any, ...]] = [("operation", "calls", "rounds", "bytes", "dealer ms", "ms")]
        named = sorted(self.costs.items(), key=lambda item: -item[1].seconds)
        for name, c in (*named, ("total", self.total)):
            rows.append((name, c.calls, c.rounds, f"{c.bytes:,}", f"{1e3 * c.dealt:.1f}", f"{1e3 * c.seconds:.1f}"))
        widths = [max(len(str(row[i])) for row in rows) for i in range(len(rows[0]))]
        lines = [
            "  ".join(
                [str(row[0]).ljust(widths[0]), *[str(v).rjust(w) for v, w in zip(row[1:], widths[1:], strict=True)]]
            )
            for row in rows
        ]
        return "\n".join(lines)


ACTIVE: ContextVar[Profile | None] = ContextVar("mpc_profile", default=None)
"""The profile that counts, if any."""


@contextmanager
def profile() -> Iterator[Profile]:
    """Count what encrypted operations cost.

    Yields:
        A table that prints itself.

    Example:
        >>> with profile() as p:
        ...     pass
        >>> print(p)
        operation  calls  rounds  bytes  dealer ms   ms
        total          0       0      0        0.0  0.0
    """
    found = Profile()
    before = ACTIVE.set(found)
    try:
        yield found
    finally:
        ACTIVE.reset(before)
