"""Maxima, order and pooling of fixed-precision numbers that are here, against torch."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch.nn import functional as F

import syft as sy
from syft.encoded import selection
from syft.encoded.number import Number
from syft.encoded.windows import Lines, Window
from syft.exceptions import UnsupportedOp, UsageError
from tests.tensors.selections import DISTINCT, GRADIENTS, IMAGE, POOLS, TIED, TIES, Function, flat


@pytest.fixture(params=["tournament", "ranking"], autouse=True)
def way(request: pytest.FixtureRequest, hook: sy.TorchHook, monkeypatch: pytest.MonkeyPatch) -> str:
    """How the largest is found."""
    monkeypatch.setattr(selection, "_FEW_PAIRS", 0 if request.param == "tournament" else 1 << 60)
    return str(request.param)


def fixed(x: torch.Tensor, **settings: Any) -> Any:
    return x.fix_precision(**{"base": 2, "precision_fractional": 16, **settings})


def assert_same(function: Function, x: torch.Tensor, **settings: Any) -> None:
    for got, want in zip(flat(function(fixed(x, **settings))), flat(function(x)), strict=True):
        assert got.shape == want.shape
        assert torch.equal(got.float_precision(), want.float())


@pytest.mark.parametrize("name", TIES)
def test_the_first_of_equal_ones_is_picked(name: str) -> None:
    assert_same(TIES[name], TIED)


@pytest.mark.parametrize("name", GRADIENTS)
def test_gradients_go_to_what_was_picked(name: str) -> None:
    gradients_agree(GRADIENTS[name], DISTINCT)


@pytest.mark.parametrize("name", POOLS)
def test_pooling(name: str) -> None:
    gradients_agree(POOLS[name], IMAGE)


def gradients_agree(function: Function, values: torch.Tensor) -> None:
    plain, x = values.clone().requires_grad_(), fixed(values).requires_grad_()
    want, got = function(plain), function(x)
    assert torch.allclose(got.float_precision(), want, atol=1e-4)
    weights = torch.arange(want.numel()).reshape(want.shape) / 4 - 1
    (want * weights).sum().backward()
    (got * weights).sum().backward()
    assert x.grad.shape == plain.grad.shape
    assert torch.allclose(x.grad.float_precision(), plain.grad, atol=1e-3)


def test_the_gradient_of_equal_ones_goes_to_the_first() -> None:
    x = fixed(torch.tensor([[1.0, 3.0, 3.0], [2.0, 2.0, 2.0]])).requires_grad_()
    x.amax(1).sum().backward()
    assert x.grad.float_precision().tolist() == [[0, 1, 0], [1, 0, 0]]


def test_base_10_gives_places_as_numbers() -> None:
    x = torch.tensor([0.5, -2.0, 0.25, 8.0]).fix_precision()
    assert x.argmax().float_precision().item() == 3
    assert x.max(0).indices.float_precision().item() == 3
    assert_same(TIES["sort"], TIED, base=10, precision_fractional=3)


def test_the_whole_range_is_compared() -> None:
    x = torch.tensor([-(2.0**44), 2.0**44, 0.0, 2.0**44 - 2.0**22, -1.0])
    for function in (torch.max, torch.min, torch.argmax, torch.argmin, torch.sort):
        assert_same(function, x)
    assert_same(lambda t: F.max_pool1d(t.reshape(1, 1, 5), 3, 1, 1), x)


def test_one_element_and_no_dimension() -> None:
    for function in (torch.max, torch.argmin, torch.sort, lambda t: t.max(0), lambda t: t.amax(-1, keepdim=True)):
        assert_same(function, torch.tensor(-3.5))
        assert_same(function, torch.tensor([-3.5]))


def test_one_hot() -> None:
    x = fixed(TIED)
    hot = x.argmax(dim=1, one_hot=True).float_precision()
    assert torch.equal(hot, F.one_hot(TIED.argmax(1), 3).movedim(-1, 1).float())
    hot = x.argmin(one_hot=True).float_precision()
    assert hot.shape == TIED.shape
    assert hot.reshape(-1).nonzero().tolist() == [[TIED.argmin()]]


def test_accuracy_counts_from_zero() -> None:
    outputs, target = torch.tensor([[1.0, 2, 0], [3, 1, 2], [0, 1, 5]]), torch.tensor([1, 2, 2])
    correct = 0
    pred = fixed(outputs).argmax(dim=1)
    correct += pred.eq(target.view_as(pred)).sum()
    assert correct.float_precision().item() == 2


@pytest.mark.parametrize(
    ("function", "says"),
    [
        (lambda x: torch.sort(x.reshape(-1).repeat(60)), "512 of them at most, not for 1440; take max"),
        (lambda x: x[:, :0].max(1), "it has no elements"),
        (lambda x: x.max(3), r"there is no dimension \[3\] in a tensor of 3"),
        (lambda x: x.amax((0, -3)), "name one of them twice"),
        (lambda x: x.topk(5), "no 5 largest or smallest of 4"),
        (lambda x: x.kthvalue(0), "no 0th smallest of 4"),
        (lambda x: F.max_pool1d(x, 2, padding=2), "at most half of the kernel's size, not 2"),
        (lambda x: F.max_pool1d(x, 5), "spans 5 elements does not fit into 4"),
        (lambda x: F.max_pool3d(x, 2), "takes a tensor of 4 or more, not 3"),
    ],
)
def test_what_cannot_be_picked_is_refused(function: Function, says: str) -> None:
    with pytest.raises(UsageError, match=says):
        function(fixed(TIED))


@pytest.mark.parametrize(
    ("function", "says"),
    [
        (lambda x: F.max_pool1d(x, 2, return_indices=True), "no indices"),
        (lambda x: F.adaptive_max_pool1d(x, 2, return_indices=True), "no indices"),
        (lambda x: F.adaptive_avg_pool1d(x, 3), "choose a size that divides"),
    ],
)
def test_pooling_that_has_no_rule_is_refused(function: Function, says: str) -> None:
    with pytest.raises(UnsupportedOp, match=says):
        function(fixed(TIED))


def test_512_can_be_sorted() -> None:
    assert_same(lambda x: torch.sort(x, stable=True), torch.arange(512).mul(5).remainder(97).float())


@pytest.mark.parametrize("padding", [0, 1, 2])
@pytest.mark.parametrize("ceil_mode", [False, True])
@pytest.mark.parametrize("stride", [1, 2, 3, 5])
def test_windows_stand_where_torch_has_them(padding: int, ceil_mode: bool, stride: int) -> None:
    for length in range(4, 12):
        window = Window(0, 4, stride, padding, 1, ceil_mode)
        before, after = window.borders(length)
        views = window.views(Number(torch.zeros(length + before + after, dtype=torch.int64), 1, None))
        want = F.max_pool1d(torch.zeros(1, 1, length), 4, stride, padding, 1, ceil_mode)
        assert views.shape[0] == want.shape[-1]


@pytest.mark.parametrize("dim", [None, (), 1, -1, (2, 0), (0, 1, 2)])
def test_lines_come_back(dim: Any) -> None:
    a = Number(torch.arange(24).reshape(2, 3, 4), 1, None)
    lines = Lines.along(a.shape, dim)
    assert torch.equal(lines.back(lines.of(a), a.shape).raw, a.raw)
