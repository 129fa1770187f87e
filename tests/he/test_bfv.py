"""Arithmetic on encrypted integers: exact, modulo the plain modulus."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch

import syft as sy
from syft.exceptions import DepthExceededError, EncodingError, UnsupportedOp
from tests.he.contexts import bfv


@pytest.fixture(autouse=True)
def _hooked(hook: sy.TorchHook) -> None:
    torch.manual_seed(11)


def encrypted(x: torch.Tensor, context: sy.he.Context | None = None) -> Any:
    return x.encrypt(protocol="bfv", context=context or bfv())


X, Y = torch.randint(-150, 150, (6, 3)), torch.randint(-150, 150, (6, 3))
W = torch.randint(-9, 9, (2, 3))
OPS: dict[str, Callable[[Any, Any], Any]] = {
    "add": lambda x, y: x + y, "sub": lambda x, y: x - y, "mul": lambda x, y: x * y, "neg": lambda x, y: -x,
    "add plain": lambda x, y: x + Y, "sub plain": lambda x, y: x - Y, "rsub": lambda x, y: Y - x,
    "mul plain": lambda x, y: x * Y, "number": lambda x, y: 3 * x - 7, "row": lambda x, y: x * W[0] + W[1],
    "sum": lambda x, y: x.sum(1), "row by row": lambda x, y: (x * y).sum(1), "linear": lambda x, y: x @ W.t(),
    "square": lambda x, y: x * x, "columns": lambda x, y: x[:, [2, 0]], "zero": lambda x, y: x * 0 + 5,
    "pow": lambda x, y: x**2,
}  # fmt: skip


@pytest.mark.parametrize("name", OPS)
def test_an_op_is_exact(name: str) -> None:
    out = OPS[name](encrypted(X), encrypted(Y)).decrypt()
    assert out.dtype == torch.int64
    assert torch.equal(out, OPS[name](X, Y))


@pytest.mark.parametrize(("depth", "largest"), [(1, 1000), (2, 100_000), (3, 10**6), (2, 2**31)])
def test_products_are_exact_down_to_the_last_level_at_the_largest_numbers(depth: int, largest: int) -> None:
    context = bfv(depth, largest)
    half = context.parameters.plain_modulus // 2
    x = torch.randint(-half, half + 1, (300,))
    out, expected = encrypted(x, context), x.tolist()
    for _ in range(depth):
        out, expected = out * out, [a * a for a in expected]
    modulus = context.parameters.plain_modulus
    centred = [(a + half) % modulus - half for a in expected]
    assert out.decrypt().tolist() == centred
    with pytest.raises(DepthExceededError, match=rf"bfv_context\(depth={depth + 1}"):
        _ = out * out


def test_what_is_zero_whatever_the_numbers_are_is_no_error() -> None:
    x = encrypted(X)
    layer = torch.tensor([[1, 2], [-1, -2]])
    for zero in (x - x, x + (-x), 2 * x - x - x, x * x - x * x, x[:, :1].expand(6, 2) @ layer):
        assert not zero.decrypt().any()


def test_integers_are_exact_modulo_the_plain_modulus() -> None:
    modulus = bfv().parameters.plain_modulus
    half = modulus // 2
    x = torch.tensor([half, -half])
    assert (encrypted(x) + 1).decrypt().tolist() == [-half, -half + 1]


def test_integers_that_do_not_fit_are_refused() -> None:
    half = bfv().parameters.plain_modulus // 2
    for bad in (half + 1, -half - 1):
        with pytest.raises(EncodingError, match="largest="):
            encrypted(torch.tensor([bad]))
        with pytest.raises(EncodingError, match="largest="):
            encrypted(torch.tensor([1])) * torch.tensor([bad])
    with pytest.raises(EncodingError, match="protocol='ckks'"):
        encrypted(torch.tensor([0.5]))
    with pytest.raises(EncodingError, match="protocol='ckks'"):
        encrypted(torch.tensor([1])) * torch.tensor([0.5])
    with pytest.raises(EncodingError, match="protocol='ckks'"):
        encrypted(torch.tensor([1])) + 0.5
    with pytest.raises(UnsupportedOp, match="reciprocal"):
        encrypted(torch.tensor([1])) / 2


def test_noise_that_has_destroyed_the_numbers_is_noticed() -> None:
    context = bfv()
    x = encrypted(torch.tensor([1, 2]), context)
    for _ in range(6):  # by hand, past the level that is counted
        vectors = [context.arithmetic.multiply(vector, vector) for vector in x.child.vectors]
        x.child.vectors = tuple(vectors)
    with pytest.raises(EncodingError, match="noise has destroyed"):
        x.decrypt()


def test_sums_over_samples() -> None:
    context = bfv(rotations=True)
    for samples in (1, 3, 8, 100):
        x = torch.randint(-100, 100, (samples,))
        assert encrypted(x, context).sum().decrypt() == x.sum()
