"""The package's source as data: what the architecture tests look at."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "src" / "syft"

Definition = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef


@dataclass(frozen=True)
class Module:
    """One source file: ``name`` is dotted, and a package's is that of its ``__init__.py``."""

    name: str
    text: str
    tree: ast.Module

    @property
    def room(self) -> str:
        """The part below the root: ``core`` for ``syft.core.ids``, empty for ``syft`` itself."""
        return (self.name.split(".") + [""])[1]


def parse(name: str, text: str) -> Module:
    """A module from its text."""
    return Module(name, text, ast.parse(text))


def parse_all(**texts: str) -> dict[str, Module]:
    """Made-up modules for the negative controls: ``core_ids="..."`` is ``syft.core.ids``, ``root`` is ``syft``.

    A leading underscore of a room is kept: ``_legacy`` is ``syft._legacy``.
    """
    named = {}
    for key, text in texts.items():
        tail = "" if key == "root" else "." + key[0] + key[1:].replace("_", ".", 1)
        named["syft" + tail] = parse("syft" + tail, text)
    return named


def load() -> dict[str, Module]:
    """All modules of the package by dotted name."""
    modules = {}
    for path in sorted(PACKAGE.rglob("*.py")):
        parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
        name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
        modules[name] = parse(name, path.read_text(encoding="utf-8"))
    return modules


def definitions(tree: ast.AST, prefix: str = "") -> Iterator[tuple[str, Definition]]:
    """Every class and function below a node, outermost first, with its qualified name."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, Definition):
            name = prefix + node.name
            yield name, node
            yield from definitions(node, name + ".")
        else:
            yield from definitions(node, prefix)
