"""Tensor types that users write: the contract of `AbstractTensor`, and the documented example."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch

import syft as sy
from syft.generic.frameworks.overload import overloaded
from syft.generic.tensor import AbstractTensor

Worker = sy.VirtualWorker
Said = pytest.CaptureFixture[str]
ROOT = Path(__file__).resolve().parents[2]


class Doubler(AbstractTensor):
    """0.2.4's way of writing a type, with everything it offers."""

    def __init__(self, factor: int = 2, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.factor = factor

    def get_class_attributes(self) -> dict[str, Any]:
        return {"factor": self.factor}

    @overloaded.method
    def mul(self, _self: Any, other: Any) -> Any:
        return _self * other * self.factor

    @classmethod
    def on_function_call(cls, command: tuple[Any, ...]) -> None:
        print("saw", command[0])

    @staticmethod
    @overloaded.module
    def torch(module: Any) -> None:
        def add(a: Any, b: Any) -> Any:
            return a.mul(b)

        module.add = add

        @overloaded.function
        def sub(a: Any, b: Any) -> Any:
            return a - b

        module.sub = sub

        @overloaded.module
        def nn(module: Any) -> None:
            @overloaded.module
            def functional(module: Any) -> None:
                def relu(x: Any) -> Any:
                    return x * 0

                @overloaded.function
                def softmax(x: Any, dim: int) -> Any:
                    return x + dim

                module.relu, module.softmax = relu, softmax

            module.functional = functional

        module.nn = nn


class Shifted(AbstractTensor):
    """A type with a wire form of its own, as 0.2.4 wrote it."""

    def __init__(self, by: float = 0.0, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.by = by

    @staticmethod
    def simplify(worker: Any, obj: Any) -> tuple[Any, ...]:
        return (obj.child, obj.by)

    @staticmethod
    def detail(worker: Any, data: tuple[Any, ...]) -> Shifted:
        child, by = data
        return Shifted(by=by + 1, child=child, owner=worker)


@pytest.fixture
def d(hook: sy.TorchHook) -> Any:
    return Doubler(factor=5).on(torch.tensor([1.0, 2.0]))


def test_text_forms(d: Any) -> None:
    assert (repr(Doubler()), repr(d)) == ("Doubler>None", "(Wrapper)>Doubler>tensor([1., 2.])")
    assert repr(Doubler().on(torch.ones(1), wrap=False)) == "Doubler>tensor([1.])"


def test_an_own_method_gets_operands_without_the_link(d: Any) -> None:
    for out in (d.mul(d), d * d, d.mul(torch.tensor([1.0, 2.0])), d.child.mul(d.child).wrap()):
        assert repr(out) == "(Wrapper)>Doubler>tensor([ 5., 20.])"
        assert out.child.factor == 5


def test_an_own_function_gets_the_tensors_or_what_is_under_them(d: Any) -> None:
    assert repr(torch.add(d, d)) == "(Wrapper)>Doubler>tensor([ 5., 20.])"
    out = torch.sub(d, d)
    assert (repr(out), out.child.factor) == ("(Wrapper)>Doubler>tensor([0., 0.])", 5)


def test_own_functions_of_nested_modules_need_not_name_torchs_defaults(d: Any, capsys: Said) -> None:
    assert repr(torch.nn.functional.relu(d)) == "(Wrapper)>Doubler>tensor([0., 0.])"
    assert repr(torch.nn.functional.softmax(d, dim=1)) == "(Wrapper)>Doubler>tensor([2., 3.])"
    assert capsys.readouterr().out == ""


def test_a_keyword_that_an_own_function_does_not_take_is_not_swallowed(d: Any) -> None:
    with pytest.raises(TypeError, match="inplace"):
        torch.nn.functional.relu(d, inplace=True)


def test_other_functions_are_announced_and_passed_on_with_the_settings(d: Any, capsys: Said) -> None:
    out = torch.div(d, d)
    assert capsys.readouterr().out == "saw torch.div\n"
    assert (repr(out), out.child.factor) == ("(Wrapper)>Doubler>tensor([1., 1.])", 5)


def test_other_methods_are_passed_on(d: Any, capsys: Said) -> None:
    for out, text in ((d + d, "[2., 4.]"), (d.abs(), "[1., 2.]"), (d[0], "1."), (d.view(2, 1)[1], "[2.]")):
        assert (repr(out), out.child.factor) == (f"(Wrapper)>Doubler>tensor({text})", 5)
    assert capsys.readouterr().out == ""
    assert (d.shape, len(d), float(d.sum())) == ((2,), 2, 3.0)


def test_several_results(d: Any) -> None:
    values, indices = d.max(dim=0)
    assert (repr(values), repr(indices)) == ("(Wrapper)>Doubler>tensor(2.)", "(Wrapper)>Doubler>tensor(1)")


def test_in_place_ops_return_the_very_tensor(d: Any) -> None:
    assert d.add_(1) is d
    assert repr(d) == "(Wrapper)>Doubler>tensor([2., 3.])"


def test_plain_operands_on_either_side(d: Any) -> None:
    ones = torch.ones(2)
    assert [repr(x) for x in (d + ones, ones + d)] == ["(Wrapper)>Doubler>tensor([2., 3.])"] * 2


def test_types_stack(d: Any, capsys: Said) -> None:
    x = sy.LoggingTensor().on(d)
    out = torch.add(x, x)
    assert repr(out) == "(Wrapper)>LoggingTensor>Doubler>tensor([ 5., 20.])"
    assert capsys.readouterr().out == "Log function torch.add\n"


def test_sending_and_computing_there(bob: Worker, d: Any, capsys: Said) -> None:
    d.tag("#d").describe("doubled")
    there = d.send(bob)
    out = torch.add(there, there).get()
    assert (repr(out), out.child.factor) == ("(Wrapper)>Doubler>tensor([ 5., 20.])", 5)
    assert repr(torch.div(there, there).get()) == "(Wrapper)>Doubler>tensor([1., 1.])"
    assert capsys.readouterr().out == "saw torch.div\n"
    back = there.get()
    assert (back.child.factor, back.tags, back.description) == (5, {"#d"}, "doubled")
    assert back.child.owner == sy.local_worker


def test_over_a_pointer(bob: Worker) -> None:
    d = Doubler(factor=5).on(torch.tensor([1.0, 2.0]).send(bob))
    assert d.location == bob
    assert repr((d * d).get()) == "(Wrapper)>Doubler>tensor([ 5., 20.])"


def test_a_wire_form_of_its_own_is_used(bob: Worker) -> None:
    back = Shifted(by=3.0).on(torch.tensor([1.0])).send(bob).get()
    assert (type(back.child), back.child.by, back.child.child.tolist()) == (Shifted, 5.0, [1.0])


def test_a_type_defined_again_takes_over(hook: sy.TorchHook) -> None:
    def define(factor: int) -> type[AbstractTensor]:
        class Cell(AbstractTensor):
            def get_class_attributes(self) -> dict[str, Any]:
                return {}

            @overloaded.method
            def neg(self, _self: Any) -> Any:
                return _self * factor

        return Cell

    define(1)
    cls = define(3)
    decoded = sy.serde.decode(sy.serde.encode(cls().on(torch.ones(1))))
    assert type(decoded.child) is cls
    assert repr(-decoded) == "(Wrapper)>Cell>tensor([3.])"


def test_handle_func_command(d: Any) -> None:
    out = Doubler.handle_func_command(("torch.sub", None, (d.child, d.child), {}))
    assert repr(out) == "Doubler>tensor([0., 0.])"


def run_example() -> list[str]:
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "src"), "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, "-W", "error", str(ROOT / "examples" / "custom_tensor.py")],
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def test_the_documented_example_prints_what_its_page_says() -> None:
    page = (ROOT / "docs" / "custom_tensors.md").read_text(encoding="utf-8")
    (shown,) = re.findall(r"```text\n(.*?)```", page, re.DOTALL)
    assert run_example() == shown.splitlines()


def test_the_page_shows_the_example_as_it_is() -> None:
    page = (ROOT / "docs" / "custom_tensors.md").read_text(encoding="utf-8")
    program = (ROOT / "examples" / "custom_tensor.py").read_text(encoding="utf-8")
    (shown,) = (
        block for block in re.findall(r"```python\n(.*?)```", page, re.DOTALL) if "class SaturatingTensor" in block
    )
    body = program.split('"""', 2)[2].split("\n\n\ndef main", 1)[0]
    assert shown.strip() == body.split("annotations\n", 1)[1].strip()
    assert len([line for line in program.splitlines() if line.strip()]) <= 60
