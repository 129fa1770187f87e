"""`Wire`: a shared value in the form that products take: public up to masks that the provider knows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from syft.mpc.group import Group
from syft.mpc.public import Public
from syft.tensors.object_pointer import ObjectPointer


@dataclass(frozen=True, slots=True)
class Wire:
    """``value = public + sum(coefficient * mask)``.

    Attributes:
        group: whose provider knows the masks.
        public: the part that everybody sees; uniform, if the value is not a bit.
        coefficients: public, one for each mask; None stands for -1.
        masks: where the provider keeps the masks, a tuple of tensors.
    """

    group: Group
    public: Public
    coefficients: tuple[Public | None, ...]
    masks: ObjectPointer

    @property
    def is_plain(self) -> bool:
        """Whether it is the value plus one uniform mask."""
        return self.coefficients == (None,)

    def at(self, holder: Any, share: Any) -> tuple[Any, Any, tuple[Any, ...]]:
        """The operand of a product at a holder."""
        return share, self.public.at(holder), tuple([None if c is None else c.at(holder) for c in self.coefficients])
