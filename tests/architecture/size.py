"""How big the package is, room by room: ``python -m tests.architecture.size`` prints the table."""

from __future__ import annotations

import ast
import io
import re
import statistics
import tokenize
from dataclasses import dataclass, field

from tests.architecture.source import Module, definitions, load

LEFTOVERS = re.compile(r"\b(TODO|FIXME|XXX|HACK)\b")


@dataclass
class Figures:
    """What is measured of one module, or of many added up; places are ``module.qualified_name``."""

    files: dict[str, int] = field(default_factory=dict)
    functions: dict[str, int] = field(default_factory=dict)
    comments: int = 0
    public: list[str] = field(default_factory=list)
    undocumented: list[str] = field(default_factory=list)
    unannotated: list[str] = field(default_factory=list)
    leftovers: list[str] = field(default_factory=list)

    @property
    def documented_share(self) -> float:
        """The share of public modules, classes and functions that have a docstring."""
        return 1 - len(self.undocumented) / len(self.public) if self.public else 1.0

    def add(self, other: Figures) -> None:
        """Take another module's figures in."""
        self.files |= other.files
        self.functions |= other.functions
        self.comments += other.comments
        for mine, theirs in (
            (self.public, other.public),
            (self.undocumented, other.undocumented),
            (self.unannotated, other.unannotated),
            (self.leftovers, other.leftovers),
        ):
            mine.extend(theirs)


def measure(module: Module) -> Figures:
    """The figures of one module."""
    figures = Figures(files={module.name: len(module.text.splitlines())})
    figures.comments = sum(
        token.type == tokenize.COMMENT for token in tokenize.generate_tokens(io.StringIO(module.text).readline)
    )
    _document(figures, module.name, module.tree)
    for name, node in definitions(module.tree):
        place = f"{module.name}.{name}"
        if isinstance(node, ast.ClassDef):
            if _is_public(module.tree, name):
                _document(figures, place, node)
            continue
        length = (node.end_lineno or node.lineno) - node.lineno + 1
        figures.functions[place] = max(length, figures.functions.get(place, 0))
        if node.returns is None:
            figures.unannotated.append(place)
        if _is_public(module.tree, name) and not _repeats(node):
            _document(figures, place, node)
    figures.leftovers = list(_leftovers(module))
    return figures


def _document(
    figures: Figures, place: str, node: ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef
) -> None:
    figures.public.append(place)
    if not ast.get_docstring(node):
        figures.undocumented.append(place)


def _is_public(tree: ast.Module, name: str) -> bool:
    """No part of the name is private, and nothing but classes stands around it."""
    scope: ast.AST = tree
    *outer, last = name.split(".")
    classes = {qualified: node for qualified, node in definitions(tree) if isinstance(node, ast.ClassDef)}
    for depth in range(len(outer)):
        scope = classes.get(".".join(outer[: depth + 1]), scope)
        if ".".join(outer[: depth + 1]) not in classes:
            return False
    return not any(part.startswith("_") for part in (*outer, last))


def _repeats(node: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    """A setter or an overload: its docstring stands at the getter or at the implementation."""
    return any(
        ast.unparse(decorator).endswith(("overload", ".setter", ".deleter")) for decorator in node.decorator_list
    )


def _leftovers(module: Module) -> list[str]:
    found = [
        f"{module.name}:{number} {match.group()}"
        for number, line in enumerate(module.text.splitlines(), 1)
        for match in LEFTOVERS.finditer(line)
    ]
    for node in ast.walk(module.tree):
        if isinstance(node, ast.ExceptHandler) and node.type is None:
            found.append(f"{module.name}:{node.lineno} bare except")
        if isinstance(node, ast.Name) and node.id == "print":
            found.append(f"{module.name}:{node.lineno} print")
    return found


def measure_all(modules: dict[str, Module]) -> Figures:
    """The figures of many modules together."""
    total = Figures()
    for module in modules.values():
        total.add(measure(module))
    return total


def table(modules: dict[str, Module]) -> str:
    """One line a room: files, lines, longest file and function, documented share."""
    rooms = sorted({module.room for module in modules.values()})
    lines = [f"{'room':<12}{'files':>6}{'lines':>7}{'median':>8}{'max':>6}{'max fn':>8}{'comments':>10}{'docs':>7}"]
    for room in [*rooms, None]:
        figures = measure_all({n: m for n, m in modules.items() if room is None or m.room == room})
        total = sum(figures.files.values())
        lines.append(
            f"{'all' if room is None else room or '__init__':<12}{len(figures.files):>6}{total:>7}"
            f"{statistics.median(figures.files.values()):>8.0f}{max(figures.files.values()):>6}"
            f"{max(figures.functions.values(), default=0):>8}{figures.comments / max(total, 1):>10.1%}"
            f"{figures.documented_share:>7.0%}"
        )
    return "\n".join(lines)


if __name__ == "__main__":
    print(table(load()))
