"""Plans as programs of stock torch and back; stock torch runs them in a process that never heard of syft."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F

import syft as sy
from syft.exceptions import PlanBuildError
from syft.plans.export import PlanModule, from_torch_export, to_torch_export, to_torchscript
from tests.plans.models import Cnn, Sequences, mlp

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning", "ignore::UserWarning")

STOCK = """
import sys, torch
kind, program, data, result = sys.argv[1:]
x = torch.load(data)
model = torch.export.load(program).module() if kind == "export" else torch.jit.load(program)
torch.save(model(x).detach(), result)
assert not any(name.split(".")[0] == "syft" for name in sys.modules)
"""

CASES: dict[str, Any] = {
    "cnn": (Cnn, torch.zeros(2, 1, 28, 28), lambda rows: torch.randn(rows, 1, 28, 28)),
    "mlp": (mlp, torch.zeros(2, 3), lambda rows: torch.randn(rows, 3)),
    "sequences": (Sequences, torch.zeros(3, 5, dtype=torch.int64), lambda rows: torch.randint(0, 10, (rows, 5))),
}


def planned(case: str) -> tuple[sy.Plan, torch.nn.Module, torch.Tensor, Any]:
    make, example, batch = CASES[case]
    torch.manual_seed(0)
    model = make().eval()
    plan = sy.Plan(case, forward=model, state=model)
    plan.build(example)
    return plan, model, example, batch


@pytest.mark.parametrize("case", CASES)
def test_a_plan_as_a_module(case: str) -> None:
    plan, model, _, batch = planned(case)
    module = PlanModule(plan)
    x = batch(6)
    assert torch.equal(module(x), model(x))
    assert len(list(module.parameters())) == len(list(model.parameters()))
    assert {tuple(b.shape) for b in module.buffers()} == {tuple(b.shape) for b in model.buffers()}


@pytest.mark.timeout(300)
@pytest.mark.parametrize("kind", ["export", "script"])
@pytest.mark.parametrize("case", CASES)
def test_stock_torch_loads_it_and_gives_the_same(case: str, kind: str, tmp_path: Path) -> None:
    plan, model, example, batch = planned(case)
    x = batch(6)
    file, data, result = (str(tmp_path / name) for name in ("program.pt2", "x.pt", "y.pt"))
    if kind == "export":
        torch.export.save(to_torch_export(plan, example), file)
    else:
        to_torchscript(plan, example).save(file)
    torch.save(x, data)
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", STOCK, kind, file, data, result],
        capture_output=True,
        text=True,
        timeout=200,
    )
    assert done.returncode == 0, done.stderr
    assert torch.allclose(torch.load(result), model(x), atol=1e-6)


@pytest.mark.parametrize("case", CASES)
def test_there_and_back(case: str, bob: Any) -> None:
    plan, model, example, batch = planned(case)
    again = from_torch_export(to_torch_export(plan, example), name="again")
    x = batch(6)
    assert again.name == "again"
    assert torch.allclose(again(x), model(x), atol=1e-6)
    assert torch.allclose(again.send(bob)(x.send(bob)).get(), model(x), atol=1e-6)


def test_a_program_that_torch_exported_becomes_a_plan(bob: Any) -> None:
    model = mlp().eval()
    shapes = ({0: torch.export.Dim("rows")},)
    exported = torch.export.export(torch.nn.Sequential(model), (torch.zeros(4, 3),), dynamic_shapes=(shapes[0],))
    plan = from_torch_export(exported)
    x = torch.randn(9, 3)
    assert torch.allclose(plan.send(bob)(x.send(bob)).get(), model(x), atol=1e-6)


def test_shapes_are_computed_in_the_exported_program() -> None:
    plan = sy.Plan("rows", forward=lambda x: x.view(x.shape[0] * 2, -1) / x.shape[0])
    plan.build(torch.zeros(2, 4))
    x = torch.randn(5, 4)
    assert torch.equal(to_torch_export(plan).module()(x), x.view(10, -1) / 5)


def test_without_examples_those_of_the_recording_are_used() -> None:
    @sy.func2plan(args_shape=[(-1, 3), (3,)])
    def add(x: Any, y: Any) -> Any:
        return x + y

    assert torch.equal(to_torchscript(add)(torch.ones(4, 3), torch.ones(3)), torch.full((4, 3), 2.0))


def test_plans_that_train_are_refused() -> None:
    plan = sy.TrainingPlan(mlp(), F.cross_entropy)
    plan.build(torch.zeros(2, 3), torch.zeros(2, dtype=torch.int64))
    for export in (to_torch_export, to_torchscript, PlanModule):
        with pytest.raises(PlanBuildError, match="trains"):
            export(plan)


def test_what_cannot_be_dynamic_says_so() -> None:
    plan = sy.Plan("fixed", forward=lambda x: [x[i] for i in range(x.shape[0])][-1])
    plan.build(torch.zeros(3, 2))
    with pytest.raises(PlanBuildError, match="dynamic_batch=False"):
        to_torch_export(plan)
    x = torch.randn(3, 2)
    assert torch.equal(to_torch_export(plan, torch.zeros(3, 2), dynamic_batch=False).module()(x), x[2])
