"""``syft dp budget``: what the users of a worker have learnt, in a terminal."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from syft.dp.ledger import EVERYBODY, Budget, Ledger
from syft.exceptions import UsageError

dp_app = typer.Typer(name="dp", help="Look after privacy budgets.", no_args_is_help=True, rich_markup_mode="markdown")
_NAMELESS = "(without a name)"


@dp_app.callback()
def _dp() -> None:
    """Look after privacy budgets."""


@dp_app.command()
def budget(
    ledger: Annotated[Path, typer.Argument(help="The ledger of a worker: what --ledger named, or FILE.ledger.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    history: Annotated[bool, typer.Option("--history", help="Also list each release.")] = False,
) -> None:
    """Show who may learn how much from a worker's data, and how much of that is spent.

        syft dp budget bob.db.ledger

    It may run while the worker does.
    """
    if not ledger.is_file():
        raise UsageError(f"there is no ledger {ledger}; a worker makes one when it runs with --privacy")
    with Ledger(ledger) as opened:
        rows = [_row(opened, user) for user in opened.users()]
        limit = opened.shared_budget()
        shared = None if limit is None else _figures(EVERYBODY, limit, opened.spent_by_all(), opened.releases())
        releases = [_release(release) for release in opened.history()] if history else []
    if as_json:
        found = {"users": rows, "everybody": shared, **({"releases": releases} if history else {})}
        typer.echo(json.dumps(found, indent=2))
        return
    console = Console(highlight=False)
    if not rows and shared is None:
        console.print("nobody has a budget", markup=False)
        return
    console.print(_table(rows if shared is None else [*rows, shared]))
    if history:
        console.print(_history_table(releases))


def _row(ledger: Ledger, user: str | None) -> dict[str, Any]:
    return _figures(user, ledger.budget(user), ledger.spent(user), ledger.releases(user))


def _figures(user: str | None, budget: Budget | None, spent: float, releases: int) -> dict[str, Any]:
    left = 0.0 if budget is None else max(0.0, budget.epsilon - spent)
    return {
        "user": user,
        "epsilon": None if budget is None else budget.epsilon,
        "delta": None if budget is None else budget.delta,
        "spent": spent if spent < float("inf") else None,
        "remaining": left,
        "releases": releases,
    }


def _release(release: Any) -> dict[str, Any]:
    events = [str(event) for event in release.events]
    return {
        "number": release.number,
        "time": release.time,
        "user": release.user,
        "what": release.what,
        "events": events,
    }


def _table(rows: list[dict[str, Any]]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("user", overflow="fold")
    for heading in ("epsilon", "delta", "spent", "remaining", "releases"):
        table.add_column(heading, justify="right")
    table.add_column("")
    for row in rows:
        used = 1.0 if not row["epsilon"] else min(1.0, (row["spent"] or 0.0) / row["epsilon"])
        table.add_row(
            _plain(_NAMELESS if row["user"] is None else row["user"]),
            _number(row["epsilon"]), _number(row["delta"]), _number(row["spent"]), _number(row["remaining"]),
            str(row["releases"]), _bar(used) if row["epsilon"] else Text("no budget", style="dim"),
        )  # fmt: skip
    return table


def _history_table(releases: list[dict[str, Any]]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold", title="Releases", title_justify="left")
    for heading in ("number", "user", "what", "events"):
        table.add_column(heading, justify="right" if heading == "number" else "left", overflow="fold")
    for row in releases:
        user = _NAMELESS if row["user"] is None else row["user"]
        table.add_row(str(row["number"]), _plain(user), _plain(row["what"]), _plain(", ".join(row["events"])))
    return table


def _bar(used: float, width: int = 12) -> Text:
    """How much is used; the colour only repeats what the length says."""
    full = round(used * width)
    colour = "green" if used < 0.75 else "yellow" if used < 1 else "red"
    return Text("█" * full, style=colour) + Text("░" * (width - full), style="dim") + Text(f" {used:.0%}")


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.4g}"


def _plain(value: str) -> Text:
    """A name or a tag, without what a terminal would obey."""
    return Text("".join([part if part.isprintable() else "�" for part in value]))
