"""Ops that move, join, pick and write elements of encoded tensors, against torch: here, on shares, on shared integers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch.nn import functional as F

from syft.exceptions import NotLocalError, UsageError
from syft.mpc.sharing import is_shared
from tests.conftest import WorkerMaker

X = torch.tensor([[3.0, -8, 0, 5], [-1, 7, 2, -6], [9, -4, 1, -2]])
Y = torch.tensor([[-2.0, 4, 6, -3], [8, -7, 0, 1], [-5, 3, -9, 2]])
V = torch.tensor([2.0, -3, 1, 4])
S = torch.tensor([[1.0, -2, 0, 3], [2, 2, -1, 0], [-3, 1, 4, 1], [0, 5, -2, -1]])
INDEX, MASK = torch.tensor([2, 0]), X > 0
COLUMNS = torch.tensor([[0, 0], [1, 3], [3, 2]])

Function = Callable[[Any, Any, Any, Any], Any]


def writing(index: Any, value: Any = None) -> Function:
    def write(x: Any, y: Any, v: Any, s: Any) -> Any:
        x = x * 1
        x[index] = v if value is None else value
        return x

    return write


def in_place(change: Callable[..., Any]) -> Function:
    def changed(x: Any, y: Any, v: Any, s: Any) -> Any:
        x = x * 1
        change(x, y, v)
        return x

    return changed


def added(x: Any, y: Any, v: Any) -> None:
    x += y
    x -= 1


def multiplied(x: Any, y: Any, v: Any) -> None:
    x *= y


def row_added(x: Any, y: Any, v: Any) -> None:
    x[0] += v


CASES: dict[str, Function] = {
    "cat, positional": lambda x, y, v, s: torch.cat([x, y], 1),
    "cat, negative": lambda x, y, v, s: torch.cat((x, s), dim=-2),
    "stack": lambda x, y, v, s: torch.stack([x, y], 1),
    "hstack": lambda x, y, v, s: torch.hstack([x, y]),
    "split": lambda x, y, v, s: torch.split(x, 3, 1)[1],
    "split, sizes": lambda x, y, v, s: x.split([1, 3], -1)[1],
    "chunk": lambda x, y, v, s: x.chunk(2, 1)[1],
    "tensor_split": lambda x, y, v, s: torch.tensor_split(x, 3, 1)[0],
    "narrow": lambda x, y, v, s: x.narrow(1, 1, 2),
    "iteration": lambda x, y, v, s: [row for row in x][1],
    "x[i]": lambda x, y, v, s: x[-1],
    "slices": lambda x, y, v, s: x[1:, None, ::2],
    "ellipsis": lambda x, y, v, s: x[..., 1],
    "public index": lambda x, y, v, s: x[:, INDEX],
    "public mask": lambda x, y, v, s: x[MASK],
    "masked_select": lambda x, y, v, s: x.masked_select(MASK[:, :1]),
    "size": lambda x, y, v, s: x + torch.tensor([*x.size(), x.numel(), len(x)]),
    "gather": lambda x, y, v, s: x.gather(1, COLUMNS),
    "take": lambda x, y, v, s: x.take(INDEX),
    "take_along_dim": lambda x, y, v, s: torch.take_along_dim(x, COLUMNS, 1),
    "index_select": lambda x, y, v, s: x.index_select(1, INDEX),
    "pad": lambda x, y, v, s: F.pad(x, (1, 2, 0, 1)),
    "pad with a value": lambda x, y, v, s: F.pad(x, (1, 2, 1, 0), value=3.0),
    "pad, reflect": lambda x, y, v, s: F.pad(x[None, None], (1, 2, 2, 1), mode="reflect"),
    "pad, replicate": lambda x, y, v, s: F.pad(x[None], (1, 2), mode="replicate"),
    "pad, circular": lambda x, y, v, s: F.pad(x[None], (1, 2), mode="circular"),
    "roll": lambda x, y, v, s: torch.roll(x, 1, 1) + torch.roll(x, 1),
    "flip": lambda x, y, v, s: x.flip(0),
    "rot90": lambda x, y, v, s: torch.rot90(x) - torch.rot90(x, -1) + torch.rot90(x, 2).t() * torch.rot90(x, 4).t(),
    "where, secret": lambda x, y, v, s: torch.where(x > y, x, y),
    "where, public": lambda x, y, v, s: torch.where(MASK, x, y),
    "where, secret and a number": lambda x, y, v, s: x.where(x > 0, 0),
    "masked_fill": lambda x, y, v, s: x.masked_fill(MASK, 7),
    "tril": lambda x, y, v, s: x.tril() + torch.triu(x, 1) * 2,
    "repeat": lambda x, y, v, s: x.repeat(2, 1),
    "repeat_interleave": lambda x, y, v, s: x.repeat_interleave(2, 1),
    "tile": lambda x, y, v, s: x.tile((2, 2)),
    "expand": lambda x, y, v, s: v.expand(3, 4) * x,
    "flatten": lambda x, y, v, s: x.flatten(),
    "unflatten": lambda x, y, v, s: x.unflatten(1, (2, 2)),
    "reshape": lambda x, y, v, s: x.t().reshape(2, 6),
    "unbind": lambda x, y, v, s: x.unbind(1)[2],
    "transposed": lambda x, y, v, s: x.t() + y.mT + x.T + x.swapaxes(0, 1) + x.permute(1, 0),
    "einsum, matmul": lambda x, y, v, s: torch.einsum("ij,kj->ik", x, y),
    "einsum, bmm": lambda x, y, v, s: torch.einsum("bij,bjk->bik", x[None], s[None]),
    "einsum, outer": lambda x, y, v, s: torch.einsum("i,j->ij", v, v),
    "einsum, elementwise": lambda x, y, v, s: torch.einsum("ij,ij->ij", x, y),
    "einsum, diagonal": lambda x, y, v, s: torch.einsum("ii->i", s),
    "dot": lambda x, y, v, s: torch.dot(v, v) + torch.vdot(v, v) + torch.inner(v, v),
    "outer": lambda x, y, v, s: torch.outer(v, v),
    "tensordot": lambda x, y, v, s: torch.tensordot(x, y, dims=([1], [1])) @ torch.tensordot(x, s, 1),
    "kron": lambda x, y, v, s: torch.kron(x, v),
    "diag": lambda x, y, v, s: torch.diag(v) + torch.diag(s) + s.diagonal(),
    "trace": lambda x, y, v, s: s.trace(),
    "cumsum": lambda x, y, v, s: x.cumsum(1),
    "like": lambda x, y, v, s: (torch.zeros_like(x) + x) * torch.ones_like(x) + torch.full_like(x, 2),
    "new": lambda x, y, v, s: x.new_zeros(3, 4) + x * x.new_ones((3, 4)) + x.new_full((3, 4), 2),
    "index_add": lambda x, y, v, s: x.index_add(1, INDEX, y[:, :2], alpha=2),
    "index_copy": lambda x, y, v, s: x.index_copy(1, INDEX, y[:, :2]),
    "index_fill": lambda x, y, v, s: x.index_fill(1, INDEX, 3),
    "scatter": lambda x, y, v, s: x.scatter(1, COLUMNS[:, 1:], y[:, :1]),
    "scatter a number": lambda x, y, v, s: x.scatter(1, COLUMNS, 4),
    "scatter_add": lambda x, y, v, s: x.scatter_add(1, COLUMNS, y[:, 1:3]),
    "index_put": lambda x, y, v, s: x.index_put((INDEX,), v),
    "index_put, accumulate": lambda x, y, v, s: x.index_put((torch.tensor([1, 1]),), v, accumulate=True),
    "x[i] = number": writing(0, 5),
    "x[i] = encoded": writing(0),
    "x[slices] = number": writing((slice(1, None), 1), -2),
    "x[mask] = number": writing(MASK, 1),
    "x[:, index] = tensor": writing((slice(None), INDEX), torch.tensor([[1.0, 2]])),
    "x[...] = number": writing(..., 3),
    "x[None] = encoded": writing((None, slice(0, 2))),
    "x += y": in_place(added),
    "x *= y": in_place(multiplied),
    "x[i] += v": in_place(row_added),
}  # fmt: skip

ONLY_VALUES: dict[str, Function] = {
    "fill_": in_place(lambda x, y, v: x.fill_(3)),
    "zero_": in_place(lambda x, y, v: x.zero_()),
    "copy_ of public values": in_place(lambda x, y, v: x.copy_(torch.arange(4))),
    "masked_fill_": in_place(lambda x, y, v: x.masked_fill_(MASK, 7)),
    "scatter of a part": lambda x, y, v, s: x.scatter(1, COLUMNS[:, 1:], y) + x.scatter_add(1, COLUMNS, y),
    "a row in place": in_place(lambda x, y, v: x[0].add_(1)),
    "part of a column in place": in_place(lambda x, y, v: x.t()[1, 1:].mul_(2)),
    "a piece in place": in_place(lambda x, y, v: x.view(-1).split(5)[1].copy_(y.view(-1)[:5])),
}


@pytest.fixture
def mode() -> str:
    """Workers in this process: what is tested is what they compute, not how messages travel."""
    return "reference"


@pytest.fixture(params=["local", "shared", "shared by three", "integers"])
def encode(request: pytest.FixtureRequest, make_worker: WorkerMaker) -> Any:
    """Encode numbers in one of the ways."""
    holders = [make_worker(f"holder {i}") for i in range(3 if "three" in request.param else 2)]
    provider = make_worker("provider")

    def encode(x: torch.Tensor) -> Any:
        if request.param == "integers":
            return x.long().share(*holders, crypto_provider=provider)
        fixed = x.fix_precision(base=2, precision_fractional=16)
        return fixed if request.param == "local" else fixed.share(*holders, crypto_provider=provider)

    encode.integers = request.param == "integers"  # type: ignore[attr-defined]
    encode.shared = request.param != "local"  # type: ignore[attr-defined]
    return encode


def opened(x: Any) -> torch.Tensor:
    x = x.get() if is_shared(x) else x
    return x.float() if type(x) is torch.Tensor else x.float_precision()


@pytest.mark.parametrize("name", [*CASES, *ONLY_VALUES])
def test_values(name: str, encode: Any) -> None:
    function = {**CASES, **ONLY_VALUES}[name]
    want, out = function(X, Y, V, S), function(*map(encode, (X, Y, V, S)))
    assert is_shared(out) == encode.shared
    got = opened(out)
    assert got.shape == want.shape
    assert torch.allclose(got, want, atol=1e-3)


@pytest.mark.parametrize("name", CASES)
def test_gradients(name: str, encode: Any) -> None:
    if encode.integers:
        return
    plain = [t.clone().requires_grad_() for t in (X, Y, V, S)]
    operands = [encode(t).requires_grad_() for t in (X, Y, V, S)]
    want, got = CASES[name](*plain), CASES[name](*operands)
    want.square().sum().backward()
    (got * got).sum().backward()
    for operand, reference in zip(operands, plain, strict=True):
        if reference.grad is None:
            assert operand.grad is None
        else:
            assert torch.allclose(opened(operand.grad), reference.grad, rtol=1e-3, atol=1e-2)


def test_a_shared_row_is_written_into_values_that_are_here(encode: Any) -> None:
    x = X.long() if encode.integers else X.fix_precision(base=2, precision_fractional=16)
    if encode.integers:
        with pytest.raises(UsageError, match="encode that one first"):
            x[1] = encode(V)
        return
    x[1] = encode(V)
    assert is_shared(x) == encode.shared
    assert opened(x)[1].tolist() == V.tolist()


@pytest.mark.parametrize(
    "use",
    [
        lambda x, mask: x[mask],
        lambda x, mask: x[0, mask[0]],
        lambda x, mask: X[mask],
        lambda x, mask: x.masked_select(mask),
        lambda x, mask: writing(mask, 1)(x, None, None, None),
    ],
)
def test_a_secret_mask_picks_nothing(use: Callable[[Any, Any], Any], encode: Any) -> None:
    x = encode(X)
    with pytest.raises(NotLocalError, match=r"use torch\.where\(mask, x, y\)"):
        use(x, x > 0)


def test_a_plain_tensor_takes_no_encoded_values(encode: Any) -> None:
    plain = torch.zeros(3, 4)
    with pytest.raises(UsageError, match="encode that one first"):
        plain[0] = encode(V)
    assert not plain.any()


def test_a_copy_stays_when_the_other_is_fetched(encode: Any) -> None:
    x = encode(X)
    y = x.clone()
    z = encode(Y)
    z.copy_(x)
    for one in (x, y, z):
        assert torch.equal(opened(one), X)


def test_what_was_saved_for_gradients_is_not_written_over(encode: Any) -> None:
    if encode.integers:
        return
    x = encode(X).requires_grad_()
    y = x * 1
    z = y * y
    y[0] = 5
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        z.sum().backward()
    with pytest.raises(RuntimeError, match="leaf"):
        x[0] = 1


def test_shapes_change_in_place_only_by_name(encode: Any) -> None:
    x = encode(X)
    row = x[0].clone()
    with pytest.raises(UsageError, match="compute a new tensor"):
        row.add_(x)
    assert torch.equal(opened(row), X[0])
    x.t_()
    assert x.shape == (4, 3)
    assert torch.equal(opened(x), X.t())
