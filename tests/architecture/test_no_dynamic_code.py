"""Nothing in the package turns data into code: no pickle, no eval, no attribute or module by a computed name.

A name from the wire that reaches ``getattr`` or an import is code execution by another door, so each
place that needs a computed name stands in a list below, with the reason why no peer can choose it.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from tests.architecture.source import Module, load, parse

# Importing them at all is a finding.
FORBIDDEN_MODULES = frozenset(
    "_pickle builtins cloudpickle code codeop dill imp importlib joblib marshal pickle pkgutil runpy shelve".split()
)
# Using the name in any way is a finding: `run = eval` is no better than `eval(...)`.
FORBIDDEN_BUILTINS = frozenset({"__builtins__", "__import__", "compile", "eval", "exec"})
# Names behind a dot, after import aliases are resolved.
FORBIDDEN_DOTTED = frozenset(
    "torch.load torch.serialization.load torch.jit.load torch.hub torch.package sys.modules os.system os.popen".split()
)
# Calls whose argument is an attribute's name: (callable, position of the name).
NAMED_ACCESS = {"getattr": 1, "attrgetter": 0, "methodcaller": 0, "__getattribute__": -1, "require": 0}

# (module, finding) -> why it is harmless there.
MAY_USE = {
    ("syft.tensors.torchscript", "torch.jit.load"): "TorchScript of a client, where the policy of the worker allows it",
    ("syft._legacy", "importlib"): "imports today's modules for 0.2 paths, both out of a literal table",
    ("syft.federated.checkpoint", "torch.load"): "a file of this machine that the user names, with weights_only=True",
    ("syft.federated.data_files", "torch.load"): "a file of this machine that its owner names, with weights_only=True",
    ("syft._legacy", "sys.modules"): "an old path of that literal table becomes another name of today's module",
    ("syft.core.optional", "importlib"): "imports optional packages whose names are literals (see `require` below)",
}
# (module, enclosing definition) -> why no peer can choose the name.
MAY_COMPUTE_NAMES: dict[tuple[str, str], str] = {
    ("syft.core.ops", "_resolve"): "runs at import only, over the names of the reviewed file ops.txt",
    ("syft.tensors.attributes", "_named.read"): "the name is a literal at each property made at import",
    ("syft.tensors.attributes", "_of_pointer.read"): "the name is a literal at each property made at import",
    ("syft.tensors.pointer_rules", "_by_dtype"): "the key is one of the literals that the rule is registered for",
    ("syft.tensors.pointer_rules", "_described"): "the key is one of the literals that the rule is registered for",
    ("syft.workers.executor", "_bound_method"): "the names are those that the object's class declares as remote",
}


@dataclass(frozen=True)
class Finding:
    """One place that turns data into code, or could."""

    module: str
    where: str
    line: int
    what: str

    def __str__(self) -> str:
        return f"{self.module}:{self.line} in {self.where or 'the module'}: {self.what}"


class _Search(ast.NodeVisitor):
    def __init__(self, module: Module) -> None:
        self.module = module
        self.findings: list[Finding] = []
        self._scope: list[str] = []
        self._aliases: dict[str, str] = {}

    def _report(self, node: ast.AST, what: str) -> None:
        self.findings.append(Finding(self.module.name, ".".join(self._scope), getattr(node, "lineno", 0), what))

    def _enter(self, node: ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) -> None:
        for decorator in node.decorator_list:
            self.visit(decorator)
        self._scope.append(node.name)
        for child in ast.iter_child_nodes(node):
            if child not in node.decorator_list:
                self.visit(child)
        self._scope.pop()

    visit_FunctionDef = visit_AsyncFunctionDef = visit_ClassDef = _enter

    def visit_Import(self, node: ast.Import) -> None:
        for alias in node.names:
            self._imported(node, alias.name)
            self._aliases[alias.asname or alias.name.split(".")[0]] = (
                alias.name if alias.asname else alias.name.split(".")[0]
            )

    def visit_ImportFrom(self, node: ast.ImportFrom) -> None:
        for alias in node.names:
            full = f"{node.module}.{alias.name}"
            self._imported(node, full)
            self._aliases[alias.asname or alias.name] = full

    def _imported(self, node: ast.AST, name: str) -> None:
        root = name.split(".")[0]
        if root in FORBIDDEN_MODULES:
            self._report(node, root)
        elif name in FORBIDDEN_DOTTED:
            self._report(node, name)

    def visit_Name(self, node: ast.Name) -> None:
        if node.id in FORBIDDEN_BUILTINS:
            self._report(node, node.id)

    def visit_Attribute(self, node: ast.Attribute) -> None:
        if self._dotted(node) in FORBIDDEN_DOTTED:
            self._report(node, self._dotted(node))
        self.generic_visit(node)

    def _dotted(self, node: ast.expr) -> str:
        if isinstance(node, ast.Attribute):
            return f"{self._dotted(node.value)}.{node.attr}"
        if isinstance(node, ast.Name):
            return self._aliases.get(node.id, node.id)
        return "?"

    def visit_Call(self, node: ast.Call) -> None:
        called = self._dotted(node.func).split(".")[-1]
        if called in NAMED_ACCESS and not _is_literal(node, NAMED_ACCESS[called]):
            self._report(node, f"{called} by a computed name")
        self.generic_visit(node)


def _is_literal(call: ast.Call, position: int) -> bool:
    try:
        argument = call.args[position]
    except IndexError:
        return False
    return isinstance(argument, ast.Constant) and isinstance(argument.value, str)


def findings(module: Module) -> list[Finding]:
    """Everything in one module that turns data into code, exceptions not yet taken off."""
    search = _Search(module)
    search.visit(module.tree)
    return search.findings


def _is_excepted(finding: Finding) -> bool:
    return (finding.module, finding.what) in MAY_USE or (
        finding.what.endswith("computed name") and (finding.module, finding.where) in MAY_COMPUTE_NAMES
    )


@pytest.fixture(scope="module")
def found() -> list[Finding]:
    return [finding for module in load().values() for finding in findings(module)]


def test_the_package_turns_no_data_into_code(found: list[Finding]) -> None:
    assert [str(finding) for finding in found if not _is_excepted(finding)] == []


def test_every_exception_is_needed_and_has_a_reason(found: list[Finding]) -> None:
    used = {(finding.module, finding.what) for finding in found}
    computed = {(finding.module, finding.where) for finding in found if finding.what.endswith("computed name")}
    assert sorted(set(MAY_USE) - used) + sorted(set(MAY_COMPUTE_NAMES) - computed) == []
    assert all(len(reason) > 20 for reason in (*MAY_USE.values(), *MAY_COMPUTE_NAMES.values()))


def _whats(text: str) -> Iterator[str]:
    return (finding.what for finding in findings(parse("syft.core.made_up", text)))


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("import pickle", "pickle"),
        ("def f():\n    from pickle import loads", "pickle"),
        ("import marshal as m", "marshal"),
        ("from importlib import import_module", "importlib"),
        ("import importlib.util", "importlib"),
        ("import joblib", "joblib"),
        ("x = eval('1')", "eval"),
        ("run = exec", "exec"),
        ("compile('1', '', 'eval')", "compile"),
        ("__import__('os')", "__import__"),
        ("__builtins__['eval']", "__builtins__"),
        ("import torch\ntorch.load(f)", "torch.load"),
        ("import torch as t\nt.load(f)", "torch.load"),
        ("from torch import load", "torch.load"),
        ("from torch import serialization\nserialization.load(f)", "torch.serialization.load"),
        ("import torch\ntorch.jit.load(f)", "torch.jit.load"),
        ("import sys\nsys.modules[name]", "sys.modules"),
        ("getattr(x, name)", "getattr by a computed name"),
        ("getattr(x, f'{name}_')", "getattr by a computed name"),
        ("getattr(*pair)", "getattr by a computed name"),
        ("class A:\n    def f(self, n):\n        return [getattr(self, n, None)]", "getattr by a computed name"),
        ("@wrap(getattr(x, name))\ndef f(): ...", "getattr by a computed name"),
        ("import operator\noperator.attrgetter(name)(x)", "attrgetter by a computed name"),
        ("from operator import methodcaller as mc\nmc(name)(x)", "methodcaller by a computed name"),
        ("object.__getattribute__(x, name)", "__getattribute__ by a computed name"),
        ("from syft.core.optional import require\nrequire(name, 'viz')", "require by a computed name"),
    ],
)
def test_control_dynamic_code_is_found(text: str, what: str) -> None:
    assert list(_whats(text)) == [what]


@pytest.mark.parametrize(
    "text",
    [
        "import re\nre.compile('a')",
        "import torch\ntorch.compile(f)\ntorch.save(x, f)",
        "getattr(x, 'grad', None)",
        "class Model:\n    def eval(self): ...\nModel().eval()",
        "json.load(f)",
        "'eval(x)  # in a text'",
        "object.__getattribute__(self, 'child')",
    ],
)
def test_ordinary_code_passes(text: str) -> None:
    assert list(_whats(text)) == []


def test_control_an_exception_holds_for_its_own_place_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(MAY_COMPUTE_NAMES, ("syft.core.made_up", "allowed"), "a reason that is long enough")
    text = "def allowed(x, n):\n    return getattr(x, n)\n\n\ndef other(x, n):\n    return getattr(x, n)"
    excepted = {finding.where: _is_excepted(finding) for finding in findings(parse("syft.core.made_up", text))}
    assert excepted == {"allowed": True, "other": False}
