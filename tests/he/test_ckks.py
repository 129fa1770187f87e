"""Arithmetic on encrypted real numbers, against torch."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
import torch.nn.functional as F

import syft as sy
from syft.core.pacing import GO_ON
from syft.exceptions import (
    DepthExceededError,
    EncodingError,
    KeyMismatchError,
    LimitExceededError,
    NotLocalError,
    UnsupportedOp,
    UsageError,
)
from tests.he.contexts import ckks

STEP = 2.0**-20
"""What decrypted numbers are rounded to; errors of rounding, of noise and of single precision stay below it."""


@pytest.fixture(autouse=True)
def _hooked(hook: sy.TorchHook) -> None:
    torch.manual_seed(7)


def encrypted(x: torch.Tensor, context: sy.he.Context | None = None) -> Any:
    return x.encrypt(protocol="ckks", context=context or ckks())


def assert_close(found: Any, expected: torch.Tensor, error: float = 4 * STEP) -> None:
    numbers = found.decrypt()
    assert numbers.shape == expected.shape
    assert (numbers.double() - expected.double()).abs().max().item() <= error


X, Y = torch.randn(5, 4, dtype=torch.float64), torch.randn(5, 4, dtype=torch.float64)
ROW, WEIGHT = torch.randn(4, dtype=torch.float64), torch.randn(3, 4, dtype=torch.float64)
OPS: dict[str, tuple[Callable[[Any, Any], Any], int]] = {
    "add": (lambda x, y: x + y, 0), "sub": (lambda x, y: x - y, 0), "mul": (lambda x, y: x * y, 1),
    "add plain": (lambda x, y: x + Y, 0), "radd": (lambda x, y: Y + x, 0), "sub plain": (lambda x, y: x - Y, 0),
    "rsub": (lambda x, y: Y - x, 0), "mul plain": (lambda x, y: x * Y, 1), "rmul": (lambda x, y: Y * x, 1),
    "add number": (lambda x, y: x + 2.5, 0), "number minus": (lambda x, y: 1 - x, 0),
    "mul number": (lambda x, y: x * -0.3, 0), "times zero": (lambda x, y: x * 0 + 1, 0),
    "div number": (lambda x, y: x / 7, 0), "div plain": (lambda x, y: x / (ROW + 5), 1),
    "add row": (lambda x, y: x + ROW, 0), "mul row": (lambda x, y: x * ROW, 1),
    "mul column": (lambda x, y: x * Y[:, :1], 1), "neg": (lambda x, y: -x, 0), "alpha": (lambda x, y: x.add(y, alpha=2), 1),
    "mixed scales": (lambda x, y: 0.5 * x + y, 1), "a product and a sum": (lambda x, y: x * y + x, 1),
    "square": (lambda x, y: x.square(), 1), "pow 2": (lambda x, y: x**2, 1), "pow 3": (lambda x, y: x**3, 2),
    "pow 4": (lambda x, y: x**4, 2), "pow 0": (lambda x, y: x**0, 0), "sum": (lambda x, y: x.sum(1), 0),
    "mean": (lambda x, y: x.mean(1), 0), "sum keepdim": (lambda x, y: x.sum(-1, keepdim=True), 0),
    "matmul": (lambda x, y: x @ WEIGHT.t(), 1), "matvec": (lambda x, y: x @ ROW, 1),
    "linear": (lambda x, y: F.linear(x, WEIGHT, ROW[:3]), 1), "linear without bias": (lambda x, y: F.linear(x, WEIGHT), 1),
    "row by row": (lambda x, y: (x * y).sum(1), 1), "column": (lambda x, y: x[:, 1], 0),
    "columns": (lambda x, y: x[:, 1:3], 0), "flip": (lambda x, y: x.flip(1), 0),
    "view": (lambda x, y: x.view(5, 2, 2), 0), "flatten": (lambda x, y: x.reshape(5, 2, 2).flatten(1), 0),
    "transpose": (lambda x, y: x.view(5, 2, 2).transpose(1, 2), 0), "unsqueeze": (lambda x, y: x.unsqueeze(1), 0),
    "expand": (lambda x, y: x.unsqueeze(1).expand(5, 3, 4), 0), "pad": (lambda x, y: F.pad(x, (1, 2)), 0),
    "pad and add": (lambda x, y: F.pad(x, (1, 2)) + 1, 0), "cat": (lambda x, y: torch.cat([x, y], 1), 0),
    "cat of levels": (lambda x, y: torch.cat([x * 1, x * y * 1], 1), 1), "float": (lambda x, y: x.double(), 0),
}  # fmt: skip


@pytest.mark.parametrize("name", OPS)
def test_an_op_gives_what_torch_gives_and_takes_the_levels_it_should(name: str) -> None:
    run, levels = OPS[name]
    out = run(encrypted(X), encrypted(Y))
    assert_close(out, run(X, Y))
    assert out.levels == 2 - levels


@pytest.mark.parametrize("degree", range(6))
def test_a_polynomial_takes_few_levels(degree: int) -> None:
    coefficients = torch.randn(degree + 1, dtype=torch.float64).tolist()
    out = encrypted(X, ckks(depth=3)).polyval(coefficients)
    expected = sum((c * X**k for k, c in enumerate(coefficients)), torch.zeros_like(X))
    assert_close(out, expected, 40 * STEP)  # x^5 is large
    assert 3 - out.levels == [0, 0, 1, 2, 3, 3][degree]


ZEROS: dict[str, Callable[[Any], Any]] = {
    "minus itself": lambda x: x - x, "plus its negative": lambda x: x + (-x), "twice minus": lambda x: 2 * x - x - x,
    "squares": lambda x: x * x - x * x, "a sum": lambda x: torch.stack([x, -x], 2).sum(2),
    "a layer": lambda x: x[:, :1].expand(5, 2) @ torch.tensor([[1.0, 2], [-1, -2]], dtype=x.dtype),
    "and on": lambda x: (x - x) * x + 1 + x,
}  # fmt: skip


@pytest.mark.parametrize("name", ZEROS)
def test_what_is_zero_whatever_the_numbers_are_is_no_error(name: str) -> None:
    assert_close(ZEROS[name](encrypted(X)), ZEROS[name](X))


def test_a_stack(hook: sy.TorchHook) -> None:
    assert_close(torch.stack([encrypted(X), encrypted(Y)], 1), torch.stack([X, Y], 1))
    with pytest.raises(UnsupportedOp, match="samples"):
        torch.stack([encrypted(X), encrypted(Y)])


@pytest.mark.parametrize(
    "grow", [lambda x: x.unsqueeze(1).expand(5, 10**8, 4), lambda x: x.repeat(1, 10**8), lambda x: F.pad(x, (0, 10**9)),
             lambda x: x[:, torch.zeros(1, dtype=torch.int64).expand(10**8)], lambda x: x.diag_embed(10**5)],
)  # fmt: skip
def test_tensors_that_would_fill_the_memory_are_refused(grow: Callable[[Any], Any]) -> None:
    with pytest.raises(LimitExceededError, match="split it"):
        grow(encrypted(X))


WRONG: dict[str, Callable[[Any], Any]] = {
    "padded with": lambda x: F.pad(x, (1, 1), value=1.0), "reciprocal.*Polynomial": lambda x: 1 / x,
    "plain numbers only": lambda x: x / x, "plain exponent": lambda x: x**0.5, "exponent of 0": lambda x: x**-1,
    "with a plain": lambda x: 2**x, "cannot be multiplied": lambda x: x @ torch.ones(3, 2), "mix their": lambda x: x @ x.view(5, 2, 2)[:, 0],
    "encrypt the plain": lambda x: torch.cat([x, X], 1), "of 3 inputs": lambda x: F.linear(x, torch.ones(2, 3)),
    "plain weights": lambda x: F.linear(X, x), "do not fit": lambda x: x + torch.ones(3),
    "keepdim=False": lambda x: x.sum(0, keepdim=True), "ceil_mode=False": lambda x: F.avg_pool2d(x.view(5, 1, 2, 2), 2, ceil_mode=True),
    "use AvgPool2d": lambda x: F.adaptive_avg_pool2d(x.view(5, 1, 2, 2), (1, 3)), "two dimensions": lambda x: F.conv2d(X.view(5, 1, 2, 2), x.view(5, 1, 2, 2)),
    "on the left": lambda x: torch.ones(4, 5, dtype=x.dtype) @ x,
}  # fmt: skip


@pytest.mark.parametrize("says", WRONG)
def test_what_makes_no_sense_on_ciphertexts_says_so(says: str) -> None:
    with pytest.raises(UnsupportedOp, match=says):
        WRONG[says](encrypted(X, ckks(rotations=True)))


@pytest.mark.parametrize(
    "compute", [lambda x: x * x, lambda x: x + Y, lambda x: x.view(5, 2, 2).sum(2), lambda x: x @ WEIGHT.t(), lambda x: 0.5 * x + x],
)  # fmt: skip
def test_a_worker_can_end_a_long_computation_between_ciphertexts(compute: Callable[[Any], Any]) -> None:
    x, left = encrypted(X), [1]

    def go_on() -> None:
        if not left:
            raise LimitExceededError("the time is over")
        left.pop()

    token = GO_ON.set(go_on)
    try:
        with pytest.raises(LimitExceededError, match="time is over"):
            compute(x)
    finally:
        GO_ON.reset(token)


def test_addmm_and_its_factors() -> None:
    weight = WEIGHT.t().contiguous()
    out = torch.addmm(ROW[:3], encrypted(X), weight, beta=2, alpha=0.5)
    assert_close(out, torch.addmm(ROW[:3], X, weight, beta=2, alpha=0.5))


def test_a_polynomial_without_some_powers() -> None:
    assert_close(encrypted(X).polyval([0.5, 0.197, 0, -0.004]), 0.5 + 0.197 * X - 0.004 * X**3)
    assert_close(encrypted(X).polyval([0, 0, 0, 0]), torch.zeros_like(X))
    with pytest.raises(UsageError, match="one coefficient"):
        encrypted(X).polyval([])


def test_a_batch_of_single_numbers_is_one_ciphertext() -> None:
    x = torch.randn(4096)
    out = encrypted(x)
    assert len(out.child.vectors) == 1
    assert_close(out * out + 1, x * x + 1)


def test_a_single_number() -> None:
    x = encrypted(torch.tensor(2.5))
    assert_close(x * x - 1, torch.tensor(5.25))


@pytest.mark.parametrize("samples", [1, 2, 5, 64])
def test_sums_over_samples_with_keys_for_rotations(samples: int) -> None:
    x, y = torch.randn(samples, dtype=torch.float64), torch.randn(samples, dtype=torch.float64)
    context = ckks(rotations=True)
    ex, ey = encrypted(x, context), encrypted(y, context)
    assert_close((ex + 1).sum(), (x + 1).sum(), 64 * STEP)
    assert_close(ex.dot(ey), x.dot(y), 64 * STEP)
    assert_close(torch.dot(ex, y), x.dot(y), 64 * STEP)
    assert_close(ex.mean(), x.mean())
    table = torch.randn(samples, 3, dtype=torch.float64)
    assert_close(encrypted(table, context).sum(0), table.sum(0), 64 * STEP)


def test_sums_over_samples_without_such_keys_name_them() -> None:
    with pytest.raises(UnsupportedOp, match="rotations=True"):
        encrypted(X).sum()


@pytest.mark.parametrize(
    "mix", [lambda x: x[0], lambda x: x[:3], lambda x: x.t(), lambda x: x.flip(0), lambda x: x.reshape(-1),
            lambda x: x.view(2, 10), lambda x: torch.cat([x, x]), lambda x: x @ x, lambda x: torch.ones(2, 5).double() @ x,
            lambda x: x + torch.ones(2, 5, 4), lambda x: x[:, None].squeeze(1) + torch.ones(5, 1, 4)],
)  # fmt: skip
def test_samples_stay_together(mix: Callable[[Any], Any]) -> None:
    with pytest.raises(UnsupportedOp, match="samples"):
        mix(encrypted(X))


def test_two_encryptions_of_the_same_numbers_differ() -> None:
    first, second = (encrypted(X).child.vectors[0].serialize() for _ in range(2))
    assert first != second
    assert len(set(first[200:400])) > 50  # no constant was compared


def test_operands_do_not_change_and_can_be_used_again() -> None:
    x, y = encrypted(X, ckks(depth=3)), encrypted(Y, ckks(depth=3))
    deep = x * y * x
    for out, expected in (
        (deep + y, X * Y * X + Y), (y - deep, Y - X * Y * X), (deep * y, X * Y * X * Y), (y * 1, Y), (x + y, X + Y),
    ):  # fmt: skip
        assert_close(out, expected, 16 * STEP)
    assert (x.levels, y.levels, deep.levels) == (3, 3, 1)


def test_more_products_than_levels_say_how_many_are_needed() -> None:
    x = encrypted(X)
    with pytest.raises(DepthExceededError, match=r"number 3 in a row.*ckks_context\(precision=20, depth=3\)"):
        _ = x * x * x * x * x
    with pytest.raises(DepthExceededError, match="levels_needed"):
        F.linear(x * x * x, WEIGHT)
    assert_close(encrypted(X, ckks(depth=3)) ** 8, X**8, 0.01)


def test_numbers_that_do_not_fit_are_refused() -> None:
    for bad in (torch.tensor([float("nan")]), torch.tensor([float("inf")]), torch.tensor([1e6])):
        with pytest.raises(EncodingError, match="largest="):
            encrypted(bad)
    with pytest.raises(EncodingError, match=r"split\(4096\)"):
        encrypted(torch.zeros(4097))
    with pytest.raises(EncodingError, match="infinities"):
        encrypted(X) * torch.tensor([float("nan"), 1, 1, 1])


def test_a_context_says_the_protocol() -> None:
    assert_close(X.encrypt(ckks()), X)
    assert_close(X.encrypt(context=ckks().public()).decrypt(context=ckks()).encrypt(ckks()), X)
    whole = torch.tensor([1, 2]).encrypt(sy.he.bfv_context(largest=100))
    assert whole.decrypt().tolist() == [1, 2]


def test_what_encrypts_needs_the_right_context() -> None:
    with pytest.raises(UsageError, match="ckks_context"):
        X.encrypt(protocol="ckks")
    with pytest.raises(UsageError, match="not a context of bfv"):
        X.encrypt(protocol="ckks", context=sy.he.bfv_context())
    with pytest.raises(KeyMismatchError, match="two contexts"):
        encrypted(X) + encrypted(X, sy.he.ckks_context())


def test_encrypted_numbers_are_not_shown() -> None:
    x = encrypted(X)
    for ask in (x.item, x.tolist, x.numpy, lambda: bool(x)):
        with pytest.raises(NotLocalError, match="secret key"):
            ask()
    for text in (repr(x), str(x), f"{x}"):
        assert text == "(Wrapper)>CKKSTensor>[(5, 4) in 4 ciphertexts, 2 levels left]"


def test_in_place_ops_are_refused() -> None:
    x = encrypted(X)
    with pytest.raises(UnsupportedOp, match="use 'add'"):
        x += 1


def test_decrypting_in_another_type() -> None:
    assert encrypted(X).decrypt().dtype == torch.float64
    assert encrypted(X.float()).decrypt().dtype == torch.float32
    assert encrypted(torch.tensor([1, 2])).decrypt().tolist() == [1.0, 2.0]
    with pytest.raises(UnsupportedOp, match="integers stay integers"):
        encrypted(X).long()


def test_a_context_decrypts_its_own_numbers_only() -> None:
    other = sy.he.ckks_context()
    with pytest.raises(KeyMismatchError, match="another context"):
        encrypted(X).decrypt(context=other)
    public = encrypted(X, ckks().public())
    with pytest.raises(UsageError, match="secret key"):
        public.decrypt()
    assert (public.decrypt(context=ckks()) - X).abs().max() < STEP
