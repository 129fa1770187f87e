"""Text: what a plan looks like, the same every time, and its code is Python that plain torch runs."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import nn

import syft as sy
from syft.exceptions import PlanNotBuiltError
from tests.plans import OfModule, plan_of, remote, same

Worker = sy.VirtualWorker


def run_code(plan: sy.Plan, *args: Any) -> Any:
    """What plain torch makes of ``plan.code``; the state is passed last."""
    names: dict[str, Any] = {"torch": torch}
    exec(plan.code, names)
    (function,) = [v for k, v in names.items() if callable(v) and k not in ("torch", "__builtins__")]
    state = [t.detach().clone().requires_grad_(t.requires_grad) for t in plan.parameters()]
    return function(*args, *state)


@pytest.fixture
def double_abs(hook: sy.TorchHook) -> Any:
    @sy.func2plan()
    def plan_double_abs(x: torch.Tensor) -> torch.Tensor:
        x = x + x
        return torch.abs(x)

    return plan_double_abs


def test_a_plan_that_is_not_built(double_abs: Any) -> None:
    text = f"<Plan plan_double_abs id:{double_abs.id} owner:me>\ndef plan_double_abs():\n    return"
    assert str(double_abs).rstrip() == repr(double_abs).rstrip() == text
    with pytest.raises(PlanNotBuiltError):
        _ = double_abs.code


def test_a_plan_that_is_built(double_abs: Any) -> None:
    double_abs.build(torch.tensor([1.0, -2.0]))
    lines = str(double_abs).split("\n")
    assert lines[:2] == [f"<Plan plan_double_abs id:{double_abs.id} owner:me built>", "def plan_double_abs(arg_1):"]
    assert lines[3:] == ["    _3 = torch.abs(_2)", "    return _3"]
    assert re.fullmatch(r"    _2 = _1\.(__add__|add)\(_1\)", lines[2])
    code = double_abs.code.split("\n")
    assert code[0] == "def plan_double_abs(arg_1):" and code[2:] == ["    out_1 = torch.abs(var_1)", "    return out_1"]


def test_state_takes_the_first_numbers(hook: sy.TorchHook) -> None:
    class Net(sy.Plan):
        def __init__(self) -> None:
            super().__init__()
            self.fc1, self.fc2 = nn.Linear(2, 3), nn.Linear(3, 1)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.fc2(F.relu(self.fc1(x)))

    net = Net()
    net.tag("a")
    net.build(torch.ones(1, 2))
    lines = str(net).split("\n")
    assert lines[:3] == [
        f"<Net Net id:{net.id} owner:me Tags: a built>",
        "def Net(arg_5):",
        "    _6 = torch.nn.functional.linear(_5, _1, _2)",
    ]
    assert net.code.startswith("def Net(arg_1, state_1, state_2, state_3, state_4):")
    net.tag("c", "b")
    assert "Tags: a b c built>" in str(net)


def test_text_is_deterministic(hook: sy.TorchHook) -> None:
    def f(x: torch.Tensor, state: sy.State) -> torch.Tensor:
        return (x * state.read()[0] + torch.tensor([2.0])).sum(dim=1) * x.shape[0]

    plans = [plan_of(f, torch.ones(2, 3), state=(torch.ones(3),)) for _ in range(2)]
    assert plans[0].code == plans[1].code == plans[0].copy().code
    bodies = [str(plan).split("\n", 1)[1] for plan in plans]
    assert bodies[0] == bodies[1] and "_state" not in bodies[0] and "inner" not in bodies[0]


def test_a_fetched_plan_prints_like_the_one_that_was_sent(bob: Worker, me: Any) -> None:
    plan = OfModule(nn.LSTM(3, 4))
    plan.build(torch.ones(2, 1, 3))
    plan.send(bob)
    fetched = me.fetch_plan(plan.id, bob)
    assert fetched.code == plan.code and str(fetched).split("\n")[1:] == str(plan).split("\n")[1:]


def test_actions_are_what_was_recorded(double_abs: Any) -> None:
    assert double_abs.actions == []
    double_abs.build(torch.ones(1))
    assert [step.op for step in double_abs.actions][1] == "torch.abs" and len(double_abs.actions) == 2
    assert double_abs.readable_plan == double_abs.actions


def test_the_state_prints_itself(hook: sy.TorchHook) -> None:
    plan = plan_of(lambda x, s: x + s.read()[0], torch.ones(1), state=(torch.ones(3),))
    assert str(plan.state).startswith("<State: ") and "(3,)" in str(plan.state)


def test_pointers_print_where_the_plan_is(bob: Worker, alice: Worker, double_abs: Any) -> None:
    double_abs.build(torch.ones(1))
    one, both = double_abs.send(bob), double_abs.send(bob, alice)
    assert str(one) == repr(one) == f"[PointerPlan | me:{one.id} -> bob:{double_abs.id}]"
    assert str(both) == f"[PointerPlan | me:{both.id}\n\t -> bob:{double_abs.id}\n\t -> alice:{double_abs.id}\n]"


def writes(x: torch.Tensor) -> torch.Tensor:
    y = x.clone()
    y[0] = 1.0
    y[1:, 0] += 2
    with torch.no_grad():
        y *= 2
    return y


CODE: dict[str, Callable[[torch.Tensor], Any]] = {
    "operators": lambda x: ((1 - x) / (2 + x * x)) ** 2 // 1 % 3 - -abs(x),
    "only keywords": lambda x: x.sum(dim=1, keepdim=True),
    "keywords of a function": lambda x: torch.sum(input=x, dim=1),
    "slices": lambda x: x[0:1] + x[..., 1:2] + x[None, 0],
    "writes": writes,
    "sizes": lambda x: x.view(x.shape[0], -1) * x.shape[1] / (x.shape[0] // 2),
    "a constant": lambda x: x + torch.tensor([1.0, 2.0, 3.0]),
    "constants of other kinds": lambda x: x.double() * torch.tensor([0.1, 1, 2], dtype=torch.float64) + torch.tensor(3),
    "an infinite constant": lambda x: torch.minimum(x, torch.tensor([float("inf"), float("-inf"), 1.0])),
    "a constant that is not a number": lambda x: torch.nan_to_num(x + torch.tensor(float("nan"))),
    "infinite numbers": lambda x: x.masked_fill(x > 0, float("-inf")).nan_to_num(nan=float("nan"), posinf=float("inf")),
    "an empty constant": lambda x: torch.cat([x.flatten(), torch.tensor([])]),
    "a constant without elements in two dimensions": lambda x: torch.cat([x, torch.tensor([[], []]).view(0, 3)]),
    "dtypes": lambda x: x.to(torch.float64).sum(dtype=torch.float32),
    "devices": lambda x: x + torch.ones(3, device=torch.device("cpu")) + torch.zeros(3, device=x.device),
    "layouts": lambda x: torch.zeros(3, layout=torch.strided) + x.contiguous(memory_format=torch.contiguous_format),
    "complex numbers": lambda x: (x * (1 + 2j)).imag,
    "two results": lambda x: tuple(x.max(1)),
    "pieces": lambda x: x.split([1, 2], dim=1)[1],
    "a tuple of one": lambda x: (x,),
    "an empty tuple": lambda x: (),
    "a list": lambda x: [x, x + 1],
    "a dict": lambda x: {"a": x, "b": [x + 1, (x, None, 'it\'s "so"', 2.5)]},
    "nothing": lambda x: None,
    "lists of tensors": lambda x: torch.stack([x, torch.cat([x[0:1], x[1:]])]),
    "linalg, fft, special": lambda x: torch.linalg.norm(x) + torch.fft.fft(x).abs() + torch.special.erf(x),
    "functional": lambda x: F.gelu(F.pad(x, (1, 1))),
    "attributes": lambda x: x.T.mT.H + x.T.data,
    "factories": lambda x: torch.arange(3, dtype=torch.float32) * x + torch.eye(3)[0] + torch.zeros_like(x),
}


@pytest.mark.parametrize("name", CODE)
def test_code_gives_the_same_in_plain_torch(hook: sy.TorchHook, name: str) -> None:
    x = torch.randn(2, 3)
    plan = plan_of(CODE[name], x)
    want = plan(x)
    got = run_code(plan, x.clone())
    assert same(got, want) and isinstance(got, tuple) == isinstance(want, tuple)


@pytest.mark.parametrize(
    ("module", "shape"),
    [
        (nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 1)), (2, 3)),
        (nn.Sequential(nn.Conv2d(1, 2, 3), nn.MaxPool2d(2), nn.Flatten()), (2, 1, 8, 8)),
        (nn.BatchNorm1d(3).eval(), (4, 3)),
        (nn.LSTM(3, 4, batch_first=True), (2, 5, 3)),
        (nn.GRU(3, 4), (5, 2, 3)),
        (nn.TransformerEncoderLayer(4, 2, 8, batch_first=True).eval(), (2, 3, 4)),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, nn.Module) else "",
)
def test_code_of_modules_gives_the_same_in_plain_torch(hook: sy.TorchHook, module: nn.Module, shape: Any) -> None:
    x = torch.randn(shape)
    plan = OfModule(module)
    plan.build(x)
    larger = torch.cat([x, x])
    assert same(run_code(plan, x), module(x)) and same(run_code(plan, larger), module(larger))


def test_code_of_training_gives_the_same_in_plain_torch(bob: Worker) -> None:
    class Trains(sy.Plan):
        def __init__(self) -> None:
            super().__init__()
            self.w = nn.Parameter(torch.ones(3))

        def forward(self, x: torch.Tensor) -> Any:
            self.w.grad = None
            loss = ((self.w * x) ** 2).sum()
            loss.backward()
            with torch.no_grad():
                self.w -= 0.1 * self.w.grad
            return loss.detach(), self.w * 1

    x = torch.randn(2, 3)
    plan = Trains()
    plan.build(x)
    assert same(run_code(plan, x), remote(plan.send(bob), bob, x))


def test_optimizers_are_named(hook: sy.TorchHook) -> None:
    class Steps(sy.Plan):
        def __init__(self) -> None:
            super().__init__()
            self.w = nn.Parameter(torch.ones(3))
            self.opt = torch.optim.Adam([self.w], lr=0.25)

        def forward(self, x: torch.Tensor) -> None:
            (self.w * x).sum().backward()
            self.opt.step()

    plan = Steps()
    plan.build(torch.ones(3))
    for text in (plan.code, str(plan)):
        assert "Adam" in text and "lr=0.25" in text


@pytest.mark.parametrize("name", ["my plan-1", "class", "torch", "1", "", "x\n    import os", "print"])
def test_any_name_gives_code_that_runs(hook: sy.TorchHook, name: str) -> None:
    plan = sy.Plan(name, forward=lambda x: torch.add(x, 1))
    plan.build(torch.ones(1))
    names: dict[str, Any] = {"torch": torch}
    exec(plan.code, names)
    defined = re.match(r"def (\w+)\(", plan.code)
    assert defined and names["torch"] is torch and names[defined[1]](torch.ones(1)) == 2


def test_code_of_a_plan_from_elsewhere_holds_no_code_of_its_sender(bob: Worker) -> None:
    """Words that arrive (keywords, keys, names) are shown as words."""
    plan = plan_of(lambda x: {"a'] + [__import__('os')] + ['": x}, torch.ones(1))
    (key,) = run_code(plan.send(bob).get(), torch.ones(1))
    assert key == "a'] + [__import__('os')] + ['"
