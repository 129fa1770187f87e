"""What makes secrets draws from `syft.core.random` alone, never from a generator that has a seed."""

from __future__ import annotations

import ast
import re

import pytest

from tests.architecture.source import Module, load, parse

ROOMS = frozenset({"mpc", "he", "dp"})
SOURCE = "syft.core.random"
# Whole names behind a dot, after import aliases are resolved; what lies below them is meant too.
SEEDED = re.compile(
    r"(random|numpy\.random|torch\.(cuda\.)?"
    r"(rand\w*|normal|bernoulli|multinomial|poisson|binomial|distributions|Generator|default_generator|\w*seed\w*))(\.|$)"
)
# Methods of tensors, whatever they are called on; `torch.ops.aten.rand` and `nn.init.normal_` end like one.
DRAWING = re.compile(
    r"(random|uniform|normal|bernoulli|exponential|geometric|cauchy|log_normal|(xavier|kaiming)_\w+|trunc_normal)_"
    r"|bernoulli|multinomial|rand(n|int|perm)?(_like)?"
)


class _Search(ast.NodeVisitor):
    def __init__(self) -> None:
        self.found: list[str] = []
        self._aliases: dict[str, str] = {}

    def _look_at(self, node: ast.AST, name: str) -> None:
        if SEEDED.match(name) or ("." in name and DRAWING.fullmatch(name.rpartition(".")[2])):
            self.found.append(f"line {getattr(node, 'lineno', 0)}: {name}")

    def visit_Import(self, node: ast.Import) -> None:
        for alias in node.names:
            self._look_at(node, alias.name)
            root = alias.name.partition(".")[0]
            self._aliases[alias.asname or root] = alias.name if alias.asname else root

    def visit_ImportFrom(self, node: ast.ImportFrom) -> None:
        for alias in node.names:
            # The dots of a relative import stay: `.random` is ours.
            name = f"{'.' * node.level}{node.module or ''}.{alias.name}"
            self._aliases[alias.asname or alias.name] = name
            self._look_at(node, name)

    def visit_Attribute(self, node: ast.Attribute) -> None:
        self._look_at(node, self._dotted(node))
        self.visit(node.value)

    def visit_Constant(self, node: ast.Constant) -> None:
        # The name of an op is as good as the op: `getattr(torch, "rand")`, a command for another worker.
        if isinstance(node.value, str) and re.fullmatch(r"[\w.]+", node.value):
            self._look_at(node, node.value if "." in node.value else "." + node.value)

    def _dotted(self, node: ast.expr) -> str:
        if isinstance(node, ast.Attribute):
            return f"{self._dotted(node.value)}.{node.attr}"
        return self._aliases.get(node.id, node.id) if isinstance(node, ast.Name) else ""


def seeded_draws(module: Module) -> list[str]:
    """Where a module names a generator that has a seed."""
    search = _Search()
    search.visit(module.tree)
    return search.found


def guarded(modules: dict[str, Module]) -> list[Module]:
    """The modules that make secrets."""
    return [module for name, module in modules.items() if module.room in ROOMS or name == SOURCE]


def test_secrets_come_from_no_generator_that_has_a_seed() -> None:
    modules = guarded(load())
    assert SOURCE in [module.name for module in modules]
    assert {module.name: found for module in modules if (found := seeded_draws(module))} == {}


def test_every_module_of_these_rooms_is_looked_at() -> None:
    names = [
        SOURCE,
        "syft.mpc",
        "syft.mpc.ring.deep",
        "syft.he.paillier",
        "syft.dp.noise",
        "syft.core.ids",
        "syft.plans.mpc",
    ]
    looked_at = [module.name for module in guarded({name: parse(name, "") for name in names})]
    assert looked_at == names[:5]


def _found(text: str) -> list[str]:
    return [line.partition(": ")[2] for line in seeded_draws(parse("syft.mpc.made_up", text))]


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("import torch\ntorch.rand(3)", "torch.rand"),
        ("import torch\nmask = torch.randint(-(2**63), 2**63 - 1, shape)", "torch.randint"),
        ("import torch as t\nt.randperm(3)", "torch.randperm"),
        ("import torch\ndraw = torch.randint_like", "torch.randint_like"),
        ("import torch\ntorch.ops.aten.randn(3)", "torch.ops.aten.randn"),
        ("import torch\ntorch.nn.init.normal_(x)", "torch.nn.init.normal_"),
        ("import torch\ntorch.manual_seed(7)", "torch.manual_seed"),
        ("import torch\ntorch.cuda.manual_seed_all(7)", "torch.cuda.manual_seed_all"),
        ("import torch.cuda as c\nc.manual_seed(7)", "torch.cuda.manual_seed"),
        ("import torch\ntorch.rand(3).abs()", "torch.rand"),
        ("import torch\ntorch.Generator()", "torch.Generator"),
        ("from torch import randint as draw", "torch.randint"),
        ("from torch.distributions import Laplace", "torch.distributions.Laplace"),
        ("torch.empty(3).random_(-8, 7)", ".random_"),
        ("x.new_empty(3).uniform_()", ".uniform_"),
        ("x.normal_()", "x.normal_"),
        ("self.mask[0].bernoulli_(0.5)", ".bernoulli_"),
        ("import random", "random"),
        ("from random import SystemRandom", "random.SystemRandom"),
        ("from random import *", "random.*"),
        ("import numpy.random as r", "numpy.random"),
        ("from numpy import random", "numpy.random"),
        ("from numpy.random import default_rng", "numpy.random.default_rng"),
        ("getattr(torch, 'randint')(9)", ".randint"),
        ("run('torch.randint', 9)", "torch.randint"),
        ("def f():\n    class A:\n        g = lambda x: x.random_()", "x.random_"),
    ],
)
def test_control_seeded_draws_are_found(text: str, name: str) -> None:
    assert _found(text) == [name]


def test_control_numpy_under_another_name_is_found() -> None:
    assert "numpy.random.randint" in _found("import numpy as np\nnp.random.randint(9)")


def test_control_the_source_itself_would_be_found() -> None:
    source = load()[SOURCE]
    changed = source.text.replace("os.urandom(KEY_BYTES)", "np.random.bytes(KEY_BYTES)")
    assert changed != source.text
    assert seeded_draws(parse(SOURCE, changed)) != []


@pytest.mark.parametrize(
    "text",
    [
        "from syft.core.random import SYSTEM_RANDOM, Tape\nSYSTEM_RANDOM.integers((3,))",
        "from syft.core import random\nrandom.SYSTEM_RANDOM.bytes(3)",
        "from . import random\nrandom.Tape(key)",
        "from .random import Tape\nTape(key)",
        "import os, secrets\nos.urandom(16), secrets.randbelow(9)",
        "import torch\ntorch.empty(3).fill_(1), torch.norm(x), x.normal, torch.nn.functional.normalize(x)",
        "'''Random masks; torch.rand is slower, and x.random_() has a seed.'''",
        "random = 3\nself.random = random",
    ],
)
def test_other_code_passes(text: str) -> None:
    assert _found(text) == []
