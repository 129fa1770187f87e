"""`Ledger`: what each user may still learn from the data of one worker, and what was released to whom.

A release is charged before it is made. When `Ledger.charge` returns, the charge is on the disk, so a process that is
killed between the charge and the release has spent budget for nothing, and never released anything for free.
"""

from __future__ import annotations

import json
import math
import os
import sqlite3
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from syft.core.sqlite_file import Format, opened, transaction
from syft.dp.accounting import spent_epsilon
from syft.dp.events import PrivacyEvent
from syft.dp.written_events import count_of, read_event, repeated, write_event
from syft.exceptions import PrivacyBudgetError, UsageError

APPLICATION = 0x53594650  # "SYFP"; stands in the header of the file
VERSION = 1
EVERYBODY = "everybody"
"""What `Ledger.users` and `syft dp budget` call the budget that all users share."""

_LONGEST_NAME, _LONGEST_TEXT = 200, 500
_SLACK = 1 + 1e-9  # for what rounding adds to a sum of epsilons

# An owner's row has kind 'user', 'nameless' (all clients without a name) or 'everybody'. `totals` has each event once
# with how often it was released, so that a charge takes as long after a million releases as after one.
_TABLES = (
    """CREATE TABLE budgets (
        kind TEXT NOT NULL, name TEXT NOT NULL, epsilon REAL NOT NULL, delta REAL NOT NULL,
        PRIMARY KEY (kind, name))""",
    """CREATE TABLE releases (
        number INTEGER PRIMARY KEY, time REAL NOT NULL, kind TEXT NOT NULL, name TEXT NOT NULL,
        what TEXT NOT NULL, events TEXT NOT NULL)""",
    "CREATE INDEX by_user ON releases (kind, name)",
    """CREATE TABLE totals (
        kind TEXT NOT NULL, name TEXT NOT NULL, event TEXT NOT NULL, count INTEGER NOT NULL,
        PRIMARY KEY (kind, name, event))""",
)
_FORMAT = Format("a ledger", APPLICATION, VERSION, _TABLES, patience=10.0)
_ADD = """INSERT INTO totals VALUES (?, ?, ?, ?)
    ON CONFLICT (kind, name, event) DO UPDATE SET count = count + excluded.count"""
_ALL = (EVERYBODY, "")


@dataclass(frozen=True, slots=True)
class Budget:
    """How much may be learnt: (epsilon, delta)-differential privacy of all releases together.

    Args:
        epsilon: above 0 and finite.
        delta: from 0, where only pure mechanisms (Laplace, exponential) fit, to below 1.

    Raises:
        UsageError: out of these ranges.

    Example:
        >>> Budget(1.0, 1e-6)
        Budget(epsilon=1.0, delta=1e-06)
    """

    epsilon: float
    delta: float = 0.0

    def __post_init__(self) -> None:
        if not (0 < self.epsilon < math.inf and 0 <= self.delta < 1):
            raise UsageError(
                f"Budget(epsilon={self.epsilon}, delta={self.delta}) promises nothing; epsilon is above 0 and finite, "
                "delta from 0 to below 1, far below one over the number of people"
            )


@dataclass(frozen=True, slots=True)
class Release:
    """A line of a ledger.

    Attributes:
        number: its place, from 1.
        time: when it was charged, in seconds since 1970.
        user: to whom; None for clients without a name.
        what: what was released, in words; never a value.
        events: the accounting events it consists of.
    """

    number: int
    time: float
    user: str | None
    what: str
    events: tuple[PrivacyEvent, ...]


class Ledger:
    """The budgets of one worker's users and what they have spent. Any thread and process may charge.

    Args:
        path: the file, made if it is missing; only the owner of the process may read it. None keeps the ledger in
            memory, for simulations: a worker that is started anew then forgets what it has released.

    Attributes:
        path: the file, or None.

    Raises:
        UsageError: the file belongs to another application or to a newer version. It is left as it is.

    Example:
        >>> from syft.dp.events import PureRelease
        >>> ledger = Ledger()
        >>> ledger.allow("ana", Budget(1.0))
        >>> ledger.charge("ana", PureRelease(0.4), "mean of the ages").number
        1
        >>> ledger.spent("ana"), ledger.remaining("ana")
        (0.4, 0.6)
        >>> ledger.charge("ana", PureRelease(0.7), "mean of the ages")
        Traceback (most recent call last):
        syft.exceptions.PrivacyBudgetError: user 'ana' has spent epsilon 0.4 of 1 (delta 0); mean of the ages would...
    """

    def __init__(self, path: str | os.PathLike[str] | None = None) -> None:
        self.path = None if path is None else Path(path)
        self._lock = threading.RLock()
        self._connection: sqlite3.Connection | None = opened(self.path, _FORMAT)

    # --- what the owner says ------------------------------------------------------------------------

    def allow(self, user: str | None, budget: Budget) -> None:
        """Let a user learn so much, in all. A budget given anew replaces the old one; what was spent stays spent.

        Args:
            user: the name in the user's token or certificate. None is every client without a name, together.
            budget: how much.

        Raises:
            UsageError: this is no name or no budget.
        """
        self._set(_owner(user), budget)

    def limit(self, budget: Budget) -> None:
        """Let all users together learn at most so much, as those who share what they learn could.

        Args:
            budget: how much; every release counts, whoever it went to.
        """
        self._set(_ALL, budget)

    def unlimit(self) -> None:
        """Take the budget of all users together away."""
        self._revoke(_ALL)

    def revoke(self, user: str | None) -> None:
        """Take a user's budget away; what was spent stays on record."""
        self._revoke(_owner(user))

    # --- charging -----------------------------------------------------------------------------------

    def charge(self, user: str | None, events: PrivacyEvent | Iterable[PrivacyEvent], what: str) -> Release:
        """Spend budget for a release, before it is made. When this returns, the charge is durable.

        Args:
            user: for whom.
            events: what the release is for the accountant: one event or several.
            what: what is released, in words without values.

        Returns:
            The line that was written.

        Raises:
            PrivacyBudgetError: the user has no budget or too little is left, or all users together have spent theirs.
                Nothing is charged then, and nothing may be released.
            UsageError: there is no event, or this is no name.
            SyftError: the disk does not take it; nothing may be released.
        """
        owner = _owner(user)
        charged = (events,) if isinstance(events, PrivacyEvent) else tuple(events)
        if not charged:
            raise UsageError("a release without any event cannot be charged; say what it is for the accountant")
        what, now = str(what)[:_LONGEST_TEXT], time.time()
        written = [(write_event(event), count_of(event)) for event in charged]
        with self._writing() as connection:
            budget = _budget(connection, owner)
            if budget is None:
                raise PrivacyBudgetError(
                    f"{_called(owner)} has no privacy budget here, so {what} is not released; "
                    "the owner of the data gives one with ledger.allow(user, Budget(epsilon, delta))"
                )
            _check(connection, owner, budget, charged, what)
            shared = _budget(connection, _ALL)
            if shared is not None:
                _check(connection, _ALL, shared, charged, what)
            for key in (owner, _ALL):
                connection.executemany(_ADD, [(*key, body, count) for body, count in written])
            row = connection.execute(
                "INSERT INTO releases (time, kind, name, what, events) VALUES (?, ?, ?, ?, ?)",
                (now, *owner, what, json.dumps(written)),
            )
            number = int(row.lastrowid or 0)
        return Release(number, now, user, what, charged)

    # --- questions ----------------------------------------------------------------------------------

    def budget(self, user: str | None) -> Budget | None:
        """A user's budget, or None."""
        with self._reading() as connection:
            return _budget(connection, _owner(user))

    def shared_budget(self) -> Budget | None:
        """The budget of all users together, or None."""
        with self._reading() as connection:
            return _budget(connection, _ALL)

    def users(self) -> list[str | None]:
        """Everybody who has a budget or has spent some, by name."""
        query = "SELECT kind, name FROM budgets UNION SELECT kind, name FROM totals ORDER BY 1, 2"
        with self._reading() as connection:
            rows = connection.execute(query).fetchall()
        return [name if kind == "user" else None for kind, name in rows if kind != EVERYBODY]

    def spent(self, user: str | None, delta: float | None = None) -> float:
        """The epsilon of all that was released to a user.

        Args:
            user: whom.
            delta: at which delta; the one of the user's budget when None, 0 for a user without a budget.

        Returns:
            Epsilon; infinite where no epsilon holds at this delta.
        """
        return self._spent(_owner(user), delta)

    def spent_by_all(self, delta: float | None = None) -> float:
        """The epsilon of all that was released, to whomever; as `spent`."""
        return self._spent(_ALL, delta)

    def remaining(self, user: str | None) -> float:
        """What is left of a user's epsilon.

        Returns:
            Its budget less what was spent, at least 0. Composition is not plain addition where delta is above 0: a
            sequence of small releases often costs less than the sum of them.
        """
        budget = self.budget(user)
        return 0.0 if budget is None else max(0.0, round(budget.epsilon - self.spent(user), 12))

    def history(self, user: str | None | type[Any] = Any) -> list[Release]:
        """What was released, in order.

        Args:
            user: only to this user; to everybody when left out.
        """
        query = "SELECT number, time, kind, name, what, events FROM releases"
        with self._reading() as connection:
            if user is Any:
                rows = connection.execute(f"{query} ORDER BY number").fetchall()
            else:
                where = f"{query} WHERE kind = ? AND name = ? ORDER BY number"
                rows = connection.execute(where, _owner(user)).fetchall()
        return [_release(*row) for row in rows]

    def releases(self, user: str | None | type[Any] = Any) -> int:
        """How many lines `history` has."""
        with self._reading() as connection:
            if user is Any:
                row = connection.execute("SELECT count(*) FROM releases").fetchone()
            else:
                where = "SELECT count(*) FROM releases WHERE kind = ? AND name = ?"
                row = connection.execute(where, _owner(user)).fetchone()
        return int(row[0])

    # --- the file -----------------------------------------------------------------------------------

    def close(self) -> None:
        """Let go of the file; closing twice is fine."""
        with self._lock:
            if self._connection is not None:
                self._connection.close()
                self._connection = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<Ledger {self.path or 'in memory'}{'' if self._connection else ' (closed)'}>"

    def _set(self, owner: tuple[str, str], budget: Budget) -> None:
        if not isinstance(budget, Budget):
            raise UsageError(f"a budget is a Budget(epsilon, delta), not a {type(budget).__name__}")
        with self._writing() as connection:
            values = (*owner, float(budget.epsilon), float(budget.delta))
            connection.execute("INSERT OR REPLACE INTO budgets VALUES (?, ?, ?, ?)", values)

    def _revoke(self, owner: tuple[str, str]) -> None:
        with self._writing() as connection:
            connection.execute("DELETE FROM budgets WHERE kind = ? AND name = ?", owner)

    def _spent(self, owner: tuple[str, str], delta: float | None) -> float:
        with self._reading() as connection:
            budget = _budget(connection, owner)
            at = delta if delta is not None else 0.0 if budget is None else budget.delta
            return spent_epsilon(_totals(connection, owner), at)

    @contextmanager
    def _reading(self) -> Iterator[sqlite3.Connection]:
        with self._lock:
            if self._connection is None:
                raise UsageError(f"the ledger {self.path or 'in memory'} is closed; open it again with Ledger(path)")
            try:
                yield self._connection
            except sqlite3.Error as error:
                raise PrivacyBudgetError(
                    f"the ledger {self.path or 'in memory'} cannot be read or written: {error}. Nothing is released "
                    "without it; look after the disk and its space"
                ) from error

    @contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        with self._reading() as connection:
            # Taken before anything is read: of two processes, one waits until the other has charged.
            with transaction(connection):
                yield connection


def _check(
    connection: sqlite3.Connection, owner: tuple[str, str], budget: Budget, charged: tuple[PrivacyEvent, ...], what: str
) -> None:
    before = _totals(connection, owner)
    after = spent_epsilon([*before, *charged], budget.delta)
    if not after <= budget.epsilon * _SLACK:
        spent = spent_epsilon(before, budget.delta)
        would = "has no epsilon at that delta" if math.isinf(after) else f"would make it {after:.6g}"
        raise PrivacyBudgetError(
            f"{_called(owner)} has spent epsilon {spent:.6g} of {budget.epsilon:g} (delta {budget.delta:g}); {what} "
            f"{would} and is not released. Ask for less accuracy (a smaller epsilon), or ask the owner for more budget"
        )


def _budget(connection: sqlite3.Connection, owner: tuple[str, str]) -> Budget | None:
    row = connection.execute("SELECT epsilon, delta FROM budgets WHERE kind = ? AND name = ?", owner).fetchone()
    return None if row is None else Budget(*row)


def _totals(connection: sqlite3.Connection, owner: tuple[str, str]) -> list[PrivacyEvent]:
    rows = connection.execute("SELECT event, count FROM totals WHERE kind = ? AND name = ?", owner)
    return [repeated(read_event(body), count) for body, count in rows]


def _release(number: int, when: float, kind: str, name: str, what: str, events: str) -> Release:
    read = tuple(repeated(read_event(body), count) for body, count in json.loads(events))
    return Release(number, when, name if kind == "user" else None, what, read)


def _owner(user: Any) -> tuple[str, str]:
    if user is None:
        return "nameless", ""
    if type(user) is not str or not 0 < len(user) <= _LONGEST_NAME:
        raise UsageError(f"a user of a ledger is a name of 1 to {_LONGEST_NAME} characters, or None for those without")
    return "user", user


def _called(owner: tuple[str, str]) -> str:
    kind, name = owner
    return f"user {name!r}" if kind == "user" else "a client without a name" if kind == "nameless" else "everybody"
