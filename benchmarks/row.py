"""One line of the result table."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Row:
    """A measured value beside what it should be.

    Attributes:
        name: What was measured.
        value: The measured value.
        unit: Its unit; `x` for a ratio.
        target: The value that just meets the target, or `None` for a row that only informs.
        at_least: Whether larger values are better; as a rule smaller ones are.
        reference: The same figure of PySyft 0.2.4, as published.
        spread: How far the samples lie apart.
        note: What a reader needs to judge the value.
        samples: Further figures for the JSON file.
    """

    name: str
    value: float
    unit: str
    target: float | None = None
    at_least: bool = False
    reference: str = ""
    spread: str = ""
    note: str = ""
    samples: dict[str, object] = field(default_factory=dict)

    @property
    def met(self) -> bool | None:
        """Whether the value is within the target; `None` where there is no target."""
        if self.target is None:
            return None
        return self.value >= self.target if self.at_least else self.value <= self.target

    def target_text(self) -> str:
        """The target as the table shows it; empty where there is none."""
        if self.target is None:
            return ""
        return f"{'≥' if self.at_least else '≤'} {self.target:g} {self.unit}".rstrip()
