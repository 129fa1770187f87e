"""Sizes that differ from those of the example: computed anew, or refused, never frozen without a word."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
import torch.nn.functional as F

import syft as sy
from syft.exceptions import PlanBuildError, PlanConditionError, SyftError
from tests.plans import plan_of, remote, same

Worker = sy.VirtualWorker


def test_frozen_x_shape(bob: Worker) -> None:
    """0.2.4 made (2, 6) of a (4, 3) tensor with ``view(x.shape[0], -1)``."""
    pointer = plan_of(lambda x: x.view(x.shape[0], -1), torch.zeros(2, 3, 1)).send(bob)
    x = torch.randn(4, 3, 1)
    assert same(remote(pointer, bob, x), x.view(4, -1))


FOLLOW: dict[str, Any] = {
    "size(0)": lambda x: x.view(x.size(0), -1),
    "size(dim=)": lambda x: x.view(x.size(dim=0), -1),
    "size(-1)": lambda x: x.view(-1, x.size(-1)),
    "size()[0]": lambda x: x.view(x.size()[0], -1),
    "product": lambda x: x.reshape(x.shape[0] * x.shape[1]),
    "unpacked": lambda x: (lambda n, m: x.reshape(m, n))(*x.shape),
    "slice of shape": lambda x: x.unsqueeze(-1).view(x.shape[:1] + (-1,)),
    "starred": lambda x: x + torch.zeros(*x.shape),
    "shape as it is": lambda x: x + torch.ones(x.shape),
    "floor division": lambda x: x.reshape(x.shape[0] // 2, 2, -1).mean(1),
    "modulo": lambda x: x[: x.shape[0] - x.shape[0] % 2],
    "minus": lambda x: x[torch.arange(x.shape[0] - 1, -1, -1)],
    "negative": lambda x: x * -x.shape[0],
    "slice bound": lambda x: x[: x.shape[0] // 2],
    "mean by hand": lambda x: x.sum() / x.shape[0],
    "numel": lambda x: x.sum() / x.numel(),
    "sum of shape": lambda x: x / sum(x.shape),
    "prod of shape": lambda x: x / math.prod(x.shape),
    "root of the fixed one": lambda x: x / math.sqrt(x.shape[1]),
    "times": lambda x: x * x.shape[0] + x.shape[0] * x,
    "rsub": lambda x: x.shape[0] - x,
    "alpha": lambda x: torch.add(x, x, alpha=x.shape[0]),
    "arange": lambda x: torch.arange(x.shape[0]).unsqueeze(1) * x,
    "arange(end=)": lambda x: torch.arange(end=x.shape[0], start=0).unsqueeze(1) * x,
    "linspace": lambda x: torch.linspace(0, 1, x.shape[0]) @ x,
    "eye": lambda x: torch.eye(x.shape[0]) @ x,
    "full": lambda x: torch.full((x.size(0), 1), 2.0) * x,
    "new_zeros": lambda x: x.new_zeros(x.shape[0], 1) + x,
    "zeros_like": lambda x: torch.where(x > 0, x, torch.zeros_like(x)),
    "causal mask": lambda x: (x @ x.T).masked_fill(torch.ones(x.shape[0], x.shape[0]).triu(1).bool(), -1.0),
    "expand": lambda x: x.unsqueeze(0).expand(3, *x.shape),
    "expand to": lambda x: torch.ones(1, 1).expand(x.shape[0], 3) * x,
    "repeat": lambda x: torch.ones(1, 3).repeat(x.shape[0], 1) * x,
    "meshgrid": lambda x: torch.meshgrid(torch.arange(x.shape[0]), torch.arange(x.shape[1]), indexing="ij")[0] * x,
    "pad": lambda x: F.pad(x, (1, 1)),
    "interpolate": lambda x: F.interpolate(x.unsqueeze(0), scale_factor=2.0),
    "mask": lambda x: x[x > 0].sum(),
    "shape of unique": lambda x: torch.zeros(torch.unique(x).shape[0]),
    "size as result": lambda x: (x, x.shape[0], x.shape[0] * 2 + 1),
    "sizes as result": lambda x: [x.shape],
    "rows as a tensor": lambda x: x * torch.tensor(x.shape[0]),
    "rows in a tensor": lambda x: x * torch.tensor([x.shape[0]]),
    "absolute": lambda x: x * abs(x.shape[0]),
    "chunk": lambda x: torch.chunk(x, 2)[1],
    "text": lambda x: (f"{x.shape[0]:3d} {x.shape}", x)[1],
}


@pytest.mark.parametrize("name", FOLLOW)
def test_what_is_computed_from_a_size_follows_the_size(bob: Worker, name: str) -> None:
    function = FOLLOW[name]
    plan = plan_of(function, torch.randn(2, 3))
    pointer = plan.send(bob)
    for rows in (2, 4, 6):
        x = torch.randn(rows, 3)
        want = function(x)
        assert same(remote(pointer, bob, x), want), rows
        assert same(pointer.get()(x), want), rows


FROZEN: dict[str, Any] = {
    "if": lambda x: x if x.shape[0] == 2 else -x,
    "if not": lambda x: -x if x.shape[0] != 2 else x,
    "less": lambda x: x if x.shape[0] < 3 else -x,
    "less, the other way round": lambda x: x if 3 > x.shape[0] else -x,
    "at least": lambda x: x if x.shape[0] <= 2 else -x,
    "truth": lambda x: x if x.shape[0] - 2 else -x,
    "not truth": lambda x: x if not (x.shape[0] - 2) else -x,
    "two sizes": lambda x: x if x.shape[0] < x.shape[1] else -x,
    "two shapes": lambda x: x if x.shape == torch.Size([2, 3]) else -x,
    "a tuple": lambda x: x if tuple(x.shape) == (2, 3) else -x,
    "in a list": lambda x: x if x.shape[0] in [1, 2] else -x,
    "key of a dict": lambda x: {2: x, 4: -x}[x.shape[0]],
    "index of a list": lambda x: x * [1, 2, 3, 4, 5, 6][x.shape[0]],
    "range": lambda x: sum(x[i] for i in range(x.shape[0])),
    "rows of a loop": lambda x: sum(row for row in x),
    "unpacked rows": lambda x: (lambda *rows: rows[-1])(*x),
    "pieces": lambda x: x.split(1)[-1],
    "len": lambda x: x.sum() / len(x),
    "float": lambda x: x * float(x.shape[0]),
    "int": lambda x: x * int(x.shape[0]),
    "one over": lambda x: x * (1 / x.shape[0]),
    "power": lambda x: x * x.shape[0] ** 0.5,
    "sqrt": lambda x: x / math.sqrt(x.shape[0]),
    "numel of shape": lambda x: x / x.shape.numel(),
    "min": lambda x: x[: min(x.shape[0], 3)],
    "max": lambda x: x * max(x.shape[0], 3),
    "sorted": lambda x: x * sorted(x.shape)[-1],
    "bit": lambda x: x * bool(x.shape[0] % 4),
    "divmod": lambda x: x * divmod(x.shape[0], 3)[0],
    "round": lambda x: x * round(x.shape[0]),
    "is_same_size": lambda x: x if x.is_same_size(torch.zeros(2, 3)) else -x,
    "str": lambda x: x * len(str(x.shape[0])),
}


@pytest.mark.parametrize("name", FROZEN)
def test_python_decisions_by_a_size_hold_or_are_refused(bob: Worker, name: str) -> None:
    function = FROZEN[name]
    try:
        plan = plan_of(function, torch.randn(2, 3))
    except PlanBuildError:
        assert name == "is_same_size"  # a bool that no run can check is refused at once
        return
    pointer = plan.send(bob)
    x = torch.randn(2, 3)
    assert same(remote(pointer, bob, x), function(x))
    for rows in (1, 4, 5):
        x = torch.randn(rows, 3)
        try:
            got = remote(pointer, bob, x)
        except PlanConditionError:
            continue
        assert same(got, function(x)), rows


@pytest.mark.parametrize("count", [lambda x: x.shape[0], lambda x: x.size(0), lambda x: x.numel()])
def test_a_size_counts_as_an_int(hook: sy.TorchHook, bob: Worker, count: Any) -> None:
    """Or it is refused, but the other branch must not be recorded without a word."""

    def f(x: torch.Tensor) -> torch.Tensor:
        return x * 2 if isinstance(count(x), int) else x

    try:
        plan = plan_of(f, torch.ones(2, 3))
    except SyftError:
        return
    assert same(remote(plan.send(bob), bob, torch.ones(2, 3)), torch.full((2, 3), 2.0))


def test_the_refusal_says_what_to_do(bob: Worker) -> None:
    pointer = plan_of(lambda x: x if x.shape[0] == 2 else -x, torch.randn(2, 3)).send(bob)
    with pytest.raises(PlanConditionError, match="decided by a size") as caught:
        pointer(torch.randn(4, 3))
    assert "(2, 3)" in str(caught.value) and "build it again" in str(caught.value)


@pytest.mark.parametrize(
    ("function", "other"),
    [
        (lambda x: x * 2 if x.dim() == 2 else x, torch.ones(2, 3, 1)),
        (lambda x: x * 2 if x.ndim == 2 else x, torch.ones(2)),
        (lambda x: x * 2 if len(x.shape) == 2 else x, torch.ones(2)),
        (lambda x: x * 2 if x.dtype == torch.float32 else x, torch.ones(2, 3, dtype=torch.float64)),
        (lambda x: x * 2 if x.element_size() == 4 else x, torch.ones(2, 3, dtype=torch.float64)),
        (lambda x: x * 2 if x.is_floating_point() else x, torch.ones(2, 3, dtype=torch.int64)),
        (lambda x: x * 2 if x.is_complex() else x, torch.ones(2, 3, dtype=torch.complex64)),
        (lambda x: x * 2 if not x.requires_grad else x, torch.ones(2, 3, requires_grad=True)),
        (lambda x: x * 2 if x.is_contiguous() else x, torch.ones(3, 2).T),
        (lambda x: x * 2 if x.is_sparse else x, torch.ones(2, 3).to_sparse()),
    ],
    ids="dim ndim len dtype element_size floating complex requires_grad contiguous sparse".split(),
)  # fmt: skip
def test_decisions_by_other_properties_hold_or_are_refused(bob: Worker, function: Any, other: Any) -> None:
    try:
        pointer = plan_of(function, torch.ones(2, 3)).send(bob)
    except SyftError:
        return
    x = torch.randn(2, 3)
    assert same(remote(pointer, bob, x), function(x))
    try:
        far = other.detach().clone().requires_grad_(other.requires_grad)
        # A tensor travels in rows, so what is turned is turned there.
        got = pointer(far.send(bob) if far.is_sparse or far.is_contiguous() else far.T.send(bob).T).get()
    except SyftError:
        return
    assert torch.equal(got.to_dense(), function(other).to_dense())


def test_an_op_that_gives_another_number_of_results_now_is_refused(bob: Worker) -> None:
    pointer = plan_of(lambda x: x.split(2), torch.zeros(4)).send(bob)
    assert len(remote(pointer, bob, torch.zeros(3))) == 2
    with pytest.raises(PlanConditionError, match="2 results"):
        pointer(torch.zeros(6))


def test_an_example_with_one_row_stands_for_all(bob: Worker) -> None:
    plan = sy.func2plan(args_shape=[(-1, 3), (-1, 3)])(lambda x, y: torch.cat([x, y]).view(x.shape[0] + y.shape[0], 3))
    x, y = torch.randn(4, 3), torch.randn(1, 3)
    assert same(remote(plan.send(bob), bob, x, y), torch.cat([x, y]))
    with pytest.raises(SyftError):
        plan.send(bob)(torch.randn(4), torch.randn(4))


def test_an_error_of_an_op_says_which_step_of_which_plan(bob: Worker) -> None:
    pointer = plan_of(lambda x: x @ x, torch.zeros(2, 2)).send(bob)
    with pytest.raises(RuntimeError) as caught:
        pointer(torch.zeros(2, 3))
    said = str(caught.value) + "".join(getattr(caught.value, "__notes__", []))
    assert "step 1 (Tensor.matmul)" in said or "matmul" in said and "'plan'" in said
    assert remote(pointer, bob, torch.eye(2)).equal(torch.eye(2))
