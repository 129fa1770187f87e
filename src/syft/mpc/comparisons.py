"""The protocols that compare, by name."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Protocol

from syft.exceptions import UsageError
from syft.mpc import comparison_fss, comparison_tree
from syft.mpc.comparison import Outcome
from syft.mpc.shared import AdditiveSharingTensor


class Compared(Protocol):
    """How a protocol compares shared values with zero."""

    def __call__(self, x: AdditiveSharingTensor, kind: str, *, gate: bool) -> Outcome:
        """See `syft.mpc.comparison_tree.compared`."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """A protocol that compares.

    Attributes:
        name: its own one, if it has several.
        compared: given shared values and `ORDER` or `EQUAL`, gives the outcome.
        most_holders: among how many it works; None for any number.
    """

    name: str
    compared: Compared
    most_holders: int | None = None


TREE = Comparison("tree", comparison_tree.compared)
FSS = Comparison("fss", comparison_fss.compared, most_holders=2)

COMPARISONS: Mapping[str, Comparison] = MappingProxyType({"tree": TREE, "snn": TREE, "fss": FSS})
"""The protocols by the names that they are asked for; 0.2.4's name is an alias."""


def comparison_named(name: str, holders: Collection[Any]) -> Comparison:
    """A protocol that compares, for values of these holders.

    Args:
        name: of `COMPARISONS`.
        holders: their ids.

    Raises:
        UsageError: there is no such protocol, or it does not work among so many.
    """
    found = COMPARISONS.get(name)
    if found is None:
        raise UsageError(f"there is no protocol {name!r} for comparisons; there are {', '.join(COMPARISONS)}")
    if found.most_holders is not None and len(holders) > found.most_holders:
        raise UsageError(
            f"the protocol {name!r} compares values of at most {found.most_holders} holders, and "
            f"{', '.join(map(str, holders))} are {len(holders)}; share with protocol={TREE.name!r}, which takes any "
            "number of them"
        )
    return found
