"""For `make docs`: shows the doctests of docstrings as code.

The docstring parser knows them only under a heading ``Examples:``. Ours stand under ``Example:`` or under none.
"""

from __future__ import annotations

import textwrap
from typing import Any

import griffe


def with_headings(docstring: str) -> str:
    """The docstring with every doctest under a heading ``Examples:``.

    Args:
        docstring: a docstring without common indentation.

    Returns:
        The same text, ``Example:`` renamed and bare doctests indented below a heading of their own.
    """
    blocks = [_with_heading(block) for block in docstring.split("\n\n")]
    return "\n\n".join(blocks)


def _with_heading(block: str) -> str:
    first, newline, rest = block.partition("\n")
    if first == "Example:":
        return f"Examples:{newline}{rest}"
    if first.startswith(">>>"):
        return "Examples:\n" + textwrap.indent(block, "    ")
    return block


class DoctestsAsExamples(griffe.Extension):
    """Rewrites docstrings after they are read and before they are parsed."""

    def on_object(self, *, obj: griffe.Object, **kwargs: Any) -> None:
        """Called for every module, class, function and attribute."""
        if obj.docstring is not None:
            obj.docstring.value = with_headings(obj.docstring.value)
