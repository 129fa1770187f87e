"""Imports go one way, through absolute names, at the top of the file."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from tests.architecture.source import Module, load, parse, parse_all

# From the ground up: a room may import itself and what stands in an earlier line. Rooms of one line may
# import each other as long as no cycle comes of it.
ORDER: tuple[frozenset[str], ...] = (
    frozenset({"exceptions"}),
    frozenset({"core"}),
    frozenset({"chebyshev", "metrics"}),
    frozenset({"serde"}),
    frozenset({"tensors"}),
    frozenset({"encoded"}),
    frozenset({"transports"}),
    frozenset({"mpc", "he", "dp"}),
    frozenset({"workers"}),
    frozenset({"plans"}),
    frozenset({"federated"}),
    frozenset({"grid"}),
    frozenset({"status"}),
    frozenset({"torch_hook", "sandbox", "cli", "_legacy"}),
    frozenset({""}),
)
FREE = "version"  # everybody may import it, and it imports nobody
VAGUE_NAMES = frozenset({"utils", "util", "helpers", "helper", "common", "misc"})


@dataclass(frozen=True)
class Import:
    """One import of something in syft."""

    importer: str
    target: str
    line: int
    inside_function: bool
    binds_root: bool

    def __str__(self) -> str:
        return f"{self.importer}:{self.line} imports {self.target}"


def imports(module: Module, known: set[str]) -> Iterator[Import]:
    """The imports of syft in one module; a relative import has its dots as target."""
    nested = {
        id(inner)
        for outer in ast.walk(module.tree)
        if isinstance(outer, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
        for inner in ast.walk(outer)
    }
    for node in ast.walk(module.tree):
        inside = id(node) in nested
        if isinstance(node, ast.Import):
            for alias in node.names:
                if alias.name.split(".")[0] == "syft":
                    binds_root = alias.asname is None or alias.name == "syft"
                    yield Import(module.name, alias.name, node.lineno, inside, binds_root)
        elif isinstance(node, ast.ImportFrom):
            source = "." * node.level + (node.module or "")
            if source.split(".")[0] not in {"syft", ""}:
                continue
            for alias in node.names:
                submodule = f"{source}.{alias.name}"
                target = submodule if submodule in known else source
                yield Import(module.name, target, node.lineno, inside, target == "syft")


def all_imports(modules: dict[str, Module]) -> list[Import]:
    return [found for module in modules.values() for found in imports(module, set(modules))]


def _rank(name: str) -> int | None:
    room = (name.split(".") + [""])[1]
    return next((height for height, rooms in enumerate(ORDER) if room in rooms), None)


def wrong_way(modules: dict[str, Module]) -> list[str]:
    """Imports from a later room, and rooms that the order does not know."""
    problems = [
        f"{module.name} is in a room that ORDER does not list"
        for module in modules.values()
        if module.room != FREE and _rank(module.name) is None
    ]
    for found in all_imports(modules):
        here, there = _rank(found.importer), _rank(found.target)
        if modules[found.importer].room == FREE:
            problems.append(f"{found}: version imports nothing")
        elif found.target.split(".")[1:2] != [FREE] and here is not None and there is not None and there > here:
            problems.append(f"{found}, which comes later")
    return problems


def misplaced(modules: dict[str, Module]) -> list[str]:
    """Imports inside functions, relative imports, and imports that bind the name ``syft`` itself."""
    problems = []
    for found in all_imports(modules):
        if found.inside_function:
            problems.append(f"{found} inside a function")
        if found.target.startswith("."):
            problems.append(f"{found}: relative; write the full name")
        if found.binds_root:
            problems.append(f"{found}: names the whole package; write `from syft.room.module import name`")
    return problems


def cycles(modules: dict[str, Module]) -> list[str]:
    """Modules that import themselves by way of others."""
    graph: dict[str, set[str]] = {name: set() for name in modules}
    for found in all_imports(modules):
        if found.target in graph and found.target != found.importer:
            graph[found.importer].add(found.target)
    reachable: dict[str, set[str]] = {}
    for start in graph:
        seen: set[str] = set()
        queue = list(graph[start])
        while queue:
            name = queue.pop()
            if name not in seen:
                seen.add(name)
                queue.extend(graph[name])
        reachable[start] = seen
    return [f"{name} is in an import cycle" for name, seen in reachable.items() if name in seen]


def vague_names(modules: dict[str, Module]) -> list[str]:
    return [f"{name}: name the concept instead" for name in modules if VAGUE_NAMES & set(name.lower().split("."))]


@pytest.fixture(scope="module")
def source() -> dict[str, Module]:
    modules = load()
    assert "syft.core.ids" in modules
    return modules


def test_imports_go_one_way(source: dict[str, Module]) -> None:
    assert wrong_way(source) == []


def test_no_module_is_in_an_import_cycle(source: dict[str, Module]) -> None:
    assert cycles(source) == []


def test_imports_stand_at_the_top_and_name_modules(source: dict[str, Module]) -> None:
    assert misplaced(source) == []


def test_modules_are_named_for_a_concept(source: dict[str, Module]) -> None:
    assert vague_names(source) == []


@pytest.mark.parametrize(
    ("texts", "complaint"),
    [
        ({"core_ids": "from syft.tensors.base import SyftTensor"}, "syft.core.ids:1 imports syft.tensors.base"),
        ({"exceptions": "import syft.core.ids as ids"}, "comes later"),
        ({"federated_client": "from syft.torch_hook import TorchHook"}, "comes later"),
        ({"serde_codec": "if TYPE_CHECKING:\n    from syft.workers.base import BaseWorker"}, "codec:2"),
        ({"version": "from syft.exceptions import SyftError"}, "version imports nothing"),
        ({"attic_old": ""}, "ORDER does not list"),
    ],
)
def test_control_a_wrong_way_import_is_found(texts: dict[str, str], complaint: str) -> None:
    (problem,) = wrong_way(parse_all(**texts))
    assert complaint in problem


@pytest.mark.parametrize(
    "text",
    [
        "def f():\n    from syft.core import ids",
        "class A:\n    async def f(self):\n        import syft.core.ids as ids",
        "import syft",
        "import syft as sy",
        "import syft.core.ids",
        "from syft import TorchHook",
        "from . import ids",
        "from .ids import new_id",
        "try:\n    import syft\nexcept ImportError:\n    pass",
    ],
)
def test_control_a_misplaced_import_is_found(text: str) -> None:
    assert len(misplaced(parse_all(core_messages=text, core_ids=""))) == 1


def test_control_a_cycle_is_found() -> None:
    modules = parse_all(
        core_a="from syft.core import b", core_b="import syft.core.c as c", core_c="from syft.core.a import x"
    )
    assert len(cycles(modules)) == 3


def test_control_a_cycle_through_a_package_is_found() -> None:
    modules = {
        "syft.core": parse("syft.core", "from syft.core.ids import new_id"),
        "syft.core.ids": parse("syft.core.ids", "from syft.core import something"),
    }
    assert len(cycles(modules)) == 2


def test_control_a_vague_name_is_found() -> None:
    assert len(vague_names(parse_all(core_utils="", federated_helpers="", core_ids=""))) == 2


def test_what_is_allowed_passes() -> None:
    modules = parse_all(
        version="",
        exceptions="from syft.version import __version__",
        core_ids="import os\nfrom syft import version\nfrom syft.exceptions import SyftError",
        cli_main="from syft.torch_hook import TorchHook",
        sandbox="from syft.core import ids",
        root="from syft.cli.main import main\nfrom syft.torch_hook import TorchHook",
    )
    assert wrong_way(modules) == misplaced(modules) == cycles(modules) == vague_names(modules) == []
