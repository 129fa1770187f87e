"""Who may do what with what a worker's owner put there."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from syft.exceptions import UsageError

ALL, OWNER, ASK = "all", "owner", "ask"
Who = str | frozenset[str]


@dataclass(frozen=True, slots=True)
class Identity:
    """Whom a client has shown to be.

    Attributes:
        user: the name in its token or certificate; None for a client without either.
        role: ``"owner"`` or ``"user"``.
    """

    user: str | None = None
    role: str = "user"


@dataclass(frozen=True, slots=True)
class Access:
    """An owner's policy. Each entry is ``"all"``, ``"owner"`` or a set of users.

    Attributes:
        search: who finds the owner's objects.
        run: who computes with them.
        take: who fetches them; ``"ask"`` lets the owner decide each time.
        publish: who leaves objects there for others.
    """

    search: Who = ALL
    run: Who = ALL
    take: Who = ALL
    publish: Who = ALL

    @classmethod
    def of(cls, search: object = ALL, run: object = ALL, take: object = ALL, publish: object = ALL) -> Access:
        """A policy from words or lists of users.

        Raises:
            UsageError: a word that means nothing here.
        """
        return cls(_who("search", search), _who("run", run), _who("take", take), _who("publish", publish))


def permits(who: Who, identity: Identity) -> bool:
    """Whether a rule includes a client; owners always are."""
    if identity.role == "owner" or who == ALL:
        return True
    return isinstance(who, frozenset) and identity.user is not None and identity.user in who


def _who(what: str, value: object) -> Who:
    if isinstance(value, str):
        if value in (ALL, OWNER) or (value == ASK and what == "take"):
            return value
        value = [name.strip() for name in value.split(",")] if "," in value else [value]
    if isinstance(value, Iterable):
        users = frozenset(value)
        if users and all(isinstance(user, str) and user for user in users):
            return users
    raise UsageError(f"{what}={value!r} is no rule; say 'all', 'owner', or name the users")
