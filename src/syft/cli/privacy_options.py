"""What ``syft worker --privacy`` says: which data may be asked private questions, and who may learn how much."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

import typer

from syft.dp.ledger import EVERYBODY, Budget
from syft.exceptions import UsageError

_PANEL = "Who may do what"

PrivacyOption = Annotated[
    list[str] | None,
    typer.Option(
        metavar="data=NAME,user=USER,epsilon=E,delta=D",
        help="Answer private questions about the data of --data NAME, and let USER (everybody together: 'everybody'; "
        "without a name: left out) learn at most (E, D) in all. May be given several times.",
        rich_help_panel=_PANEL,
    ),
]
LedgerOption = Annotated[
    Path | None,
    typer.Option(
        help="File in which spent privacy budgets are kept.",
        show_default="beside --store",
        rich_help_panel=_PANEL,
    ),
]


@dataclass(frozen=True, slots=True)
class PrivacyPolicy:
    """All ``--privacy`` options together.

    Attributes:
        data: the names of the data that may be asked about.
        budgets: by user; None is for clients without a name.
        shared: the budget of everybody together.
    """

    data: frozenset[str] = frozenset()
    budgets: dict[str | None, Budget] = field(default_factory=dict)
    shared: Budget | None = None

    @classmethod
    def parse(cls, options: Sequence[str]) -> PrivacyPolicy:
        """The policy that options spell.

        Raises:
            UsageError: with the option that is wrong.
        """
        data: set[str] = set()
        budgets: dict[str | None, Budget] = {}
        for text in options:
            said = _fields(text)
            if "data" in said:
                data.add(said["data"])
            if "epsilon" in said:
                user = said.get("user")
                if user in budgets:
                    raise UsageError(f"--privacy {text}: {user or 'a client without a name'} has a budget already")
                budgets[user] = Budget(_number(text, said["epsilon"]), _number(text, said.get("delta", "0")))
            elif "data" not in said or len(said) > 1:
                raise UsageError(f"--privacy {text} says no epsilon; write data=NAME,user=USER,epsilon=1,delta=1e-6")
        shared = budgets.pop(EVERYBODY, None)
        return cls(frozenset(data), budgets, shared)

    def settle(self, service: Any, path: Path) -> None:
        """Make it the policy of a worker: who is not named in it has no budget any more.

        Args:
            service: the worker's `PrivacyService`.
            path: of its ledger.
        """
        service.keep(path)
        for user in service.ledger.users():
            if user not in self.budgets:
                service.ledger.revoke(user)
        for user, budget in self.budgets.items():
            service.allow(user, budget)
        if self.shared is not None:
            service.ledger.limit(self.shared)
        else:
            service.ledger.unlimit()


def ledger_path(ledger: Path | None, store: str | None) -> Path:
    """Where the ledger of a worker is: as it says, or beside its store.

    Raises:
        UsageError: neither is there; a worker that is started anew would begin with full budgets.
    """
    if ledger is not None:
        return ledger
    if store is not None:
        return Path(f"{store.removeprefix('sqlite:///')}.ledger")
    raise UsageError(
        "--privacy needs a file for what was spent, or a worker that is started anew would forget it; say "
        "--ledger bob.ledger, or give it a --store"
    )


def check_rules(policy: PrivacyPolicy, take: str, *, named: bool) -> None:
    """Refuse a policy that protects nothing, or budgets that nobody can use.

    Args:
        policy: what was said.
        take: who may fetch the data.
        named: whether clients have names.

    Raises:
        UsageError: with what to say instead.
    """
    if take == "all":
        raise UsageError("--privacy protects nothing while --take all lets everybody fetch the data; say --take owner")
    users = sorted(user for user in policy.budgets if user is not None)
    if users and not named:
        raise UsageError(
            f"--privacy gives {', '.join(users)} a budget, and without --tokens or --client-ca nobody has a name; "
            "leave user= out for a budget that all clients share"
        )


def _fields(text: str) -> dict[str, str]:
    said: dict[str, str] = {}
    for part in text.split(","):
        name, equals, value = part.partition("=")
        if name not in ("data", "user", "epsilon", "delta") or not equals or not value or name in said:
            raise UsageError(
                f"--privacy {text} is not understood at {part!r}; write data=NAME,user=USER,epsilon=1,delta=0"
            )
        said[name] = value
    return said


def _number(text: str, value: str) -> float:
    try:
        return float(value)
    except ValueError:
        raise UsageError(f"--privacy {text}: {value!r} is no number") from None
