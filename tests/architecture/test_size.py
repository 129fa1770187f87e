"""Files and functions stay short, public names are documented, and nothing is left lying about."""

from __future__ import annotations

import statistics

import pytest

from tests.architecture.size import Figures, measure, measure_all, table
from tests.architecture.source import load, parse

MAX_FILE = 450
MEDIAN_FILE = 180
MAX_FUNCTION = 80
DOCUMENTED = 0.95


def too_long(figures: Figures) -> list[str]:
    """Files and functions over the bar."""
    found = [f"{name}: {lines} lines" for name, lines in figures.files.items() if lines > MAX_FILE]
    return found + [f"{name}: {lines} lines" for name, lines in figures.functions.items() if lines > MAX_FUNCTION]


@pytest.fixture(scope="module")
def figures() -> Figures:
    return measure_all(load())


def test_files_and_functions_are_short(figures: Figures) -> None:
    assert too_long(figures) == []


def test_the_median_file_is_short(figures: Figures) -> None:
    assert statistics.median(figures.files.values()) <= MEDIAN_FILE


def test_public_names_are_documented(figures: Figures) -> None:
    assert figures.documented_share >= DOCUMENTED, figures.undocumented


def test_every_function_says_what_it_returns(figures: Figures) -> None:
    assert figures.unannotated == []


def test_nothing_is_left_lying_about(figures: Figures) -> None:
    assert figures.leftovers == []


def test_the_table_has_a_line_for_each_room() -> None:
    modules = load()
    assert len(table(modules).splitlines()) == len({module.room for module in modules.values()}) + 2


def test_control_a_long_file_and_a_long_function_are_found() -> None:
    body = "def f() -> None:\n" + "    x = 1\n" * MAX_FUNCTION
    assert too_long(measure(parse("syft.a", body))) == [f"syft.a.f: {MAX_FUNCTION + 1} lines"]
    assert too_long(measure(parse("syft.a", "x = 1\n" * (MAX_FILE + 1)))) == [f"syft.a: {MAX_FILE + 1} lines"]
    assert too_long(measure(parse("syft.a", "x = 1\n" * MAX_FILE))) == []


def test_control_missing_docstrings_are_found() -> None:
    text = '''
class A:
    """Documented."""

    def b(self): ...
    def _c(self): ...
    def __len__(self): ...
    @property
    def d(self): ...
    @d.setter
    def d(self, value): ...

class _E:
    def f(self): ...

def g():
    """Documented."""
    def h(): ...
'''
    figures = measure(parse("syft.a", text))
    assert figures.undocumented == ["syft.a", "syft.a.A.b", "syft.a.A.d"]
    assert figures.public == ["syft.a", "syft.a.A", "syft.a.A.b", "syft.a.A.d", "syft.a.g"]
    assert figures.documented_share == pytest.approx(2 / 5)


def test_control_missing_return_types_are_found() -> None:
    text = "def a() -> int: ...\ndef b():\n    async def c(): ...\nclass D:\n    def __init__(self): ...\n"
    assert measure(parse("syft.a", text)).unannotated == ["syft.a.b", "syft.a.b.c", "syft.a.D.__init__"]


@pytest.mark.parametrize(
    ("text", "leftover"),
    [
        ("x = 1  # TO" + "DO later", "syft.a:1 TO" + "DO"),
        ('"""Say what. FIX' + 'ME."""', "syft.a:1 FIX" + "ME"),
        ("try:\n    x = 1\nexcept:\n    pass", "syft.a:3 bare except"),
        ("print(1)", "syft.a:1 print"),
        ("say = print", "syft.a:1 print"),
    ],
)
def test_control_leftovers_are_found(text: str, leftover: str) -> None:
    assert measure(parse("syft.a", text)).leftovers == [leftover]


def test_console_print_and_exception_are_no_leftovers() -> None:
    text = "console.print(1)\ntry:\n    x = 1\nexcept Exception:\n    raise"
    assert measure(parse("syft.a", text)).leftovers == []
