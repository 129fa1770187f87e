"""What is computed on numbers under a Paillier key, against torch on the same numbers in the open."""

from __future__ import annotations

import copy
from collections.abc import Callable
from fractions import Fraction
from typing import Any

import pytest
import torch
from torch.nn import functional as F

from syft.exceptions import (
    DivisionByZeroError,
    EncodingError,
    LimitExceededError,
    NotLocalError,
    UnsupportedOp,
    UsageError,
)
from syft.he.paillier import tensor as paillier_tensor
from tests.he.paillier_keys import keys

pytestmark = pytest.mark.usefixtures("hook")

X = torch.tensor([[3.5, -8, 0, 5.25], [-1, 7, 2.125, -6], [9, -4, 1e-3, -2]])
Y = torch.tensor([[-2.5, 4, 6, -3], [8, -7.75, 0, 1], [-5, 3, -9, 2]])
V = torch.tensor([2.0, -3, 1.5, 4])
BATCHES = torch.arange(24.0).reshape(2, 3, 4) - 11
INDEX, MASK, COLUMNS = torch.tensor([2, 0]), X > 0, torch.tensor([[0, 0], [1, 3], [3, 2]])

Function = Callable[..., Any]


def encrypted(values: torch.Tensor) -> Any:
    return values.encrypt(keys()[1])  # type: ignore[attr-defined]


def same(found: Any, expected: torch.Tensor, tolerance: float = 1e-6) -> None:
    """Values, shape, strides' order and dtype, decrypted."""
    plain = found.decrypt(keys()[1])
    assert found.shape == plain.shape == expected.shape and found.dtype == plain.dtype == expected.dtype
    assert found.stride() == expected.stride() or not expected.is_contiguous() or found.is_contiguous()
    assert torch.allclose(plain, expected, atol=tolerance, rtol=tolerance), (plain, expected)


WITH_ANOTHER: dict[str, Function] = {
    "add": lambda x, y: x + y,
    "add with alpha": lambda x, y: torch.add(x, y, alpha=3),
    "sub": lambda x, y: x - y,
    "sub with alpha": lambda x, y: torch.sub(x, y, alpha=-2.5),
    "rsub": lambda x, y: torch.rsub(x, y),
    "methods": lambda x, y: x.add(y).sub(2 * y),
    "broadcast": lambda x, y: x[0] + y[:, 1:2],
    "cat": lambda x, y: torch.cat([x, y, x], dim=1),
    "stack": lambda x, y: torch.stack([y, x]),
    "in place": lambda x, y: x.clone().add_(y).sub_(y, alpha=2),
    "write": lambda x, y: written(x, (slice(None), 1), y[:, 0]),
    "transposed": lambda x, y: x.t() + y.t(),
}
ALONE: dict[str, Function] = {
    "neg": lambda x: -x,
    "number": lambda x: 2 - (x + 1) * 3 / 4 + 0.1,
    "int": lambda x: x * -3 + 7,
    "zero": lambda x: x * 0,
    "0-d": lambda x: x * torch.tensor(0.5) + torch.tensor(2),
    "double": lambda x: x.double() * 0.1,
    "to": lambda x: x.to(torch.float64) + X.double(),
    "sum": lambda x: x.sum(),
    "sum of rows": lambda x: x.sum(1),
    "sum of columns, kept": lambda x: x.sum(0, keepdim=True),
    "sum of both": lambda x: x.sum((-1, 0)),
    "sum as double": lambda x: x.sum(dtype=torch.float64),
    "sum of nothing": lambda x: x[:0].sum(0),
    "mean": lambda x: x.mean(),
    "mean of rows": lambda x: torch.mean(x, dim=1, keepdim=True),
    "view": lambda x: x.view(2, 6),
    "reshape": lambda x: x.t().reshape(-1),
    "t": lambda x: x.t(),
    "permute": lambda x: x.permute(1, 0),
    "index": lambda x: x[1:, ::2],
    "one": lambda x: x[2, 1],
    "index with a tensor": lambda x: x[INDEX],
    "index with a mask": lambda x: x[MASK],
    "masked_select": lambda x: torch.masked_select(x, MASK),
    "index_select": lambda x: x.index_select(0, INDEX),
    "gather": lambda x: x.gather(1, COLUMNS),
    "take": lambda x: torch.take(x, INDEX),
    "copy": lambda x: x.copy(),
    "clone": lambda x: x.clone().detach(),
    "deepcopy": lambda x: copy.deepcopy(x),
    "expand": lambda x: x[:, :1].expand(3, 4).sum(1),
    "repeat": lambda x: x.repeat(2, 1),
    "flip and roll": lambda x: x.flip(0).roll(1, 1),
    "split": lambda x: x.split(2, dim=1)[1],
    "chunk": lambda x: torch.chunk(x, 2)[1],
    "unbind": lambda x: x.unbind(1)[3],
    "iteration": lambda x: list(x)[1],
    "squeeze": lambda x: x.unsqueeze(0).squeeze(),
    "flatten": lambda x: torch.flatten(x),
    "diagonal": lambda x: x.diagonal(),
    "unfold": lambda x: x.unfold(1, 2, 2),
    "write a number": lambda x: written(x, (1, slice(2)), 7.5),
    "write a row": lambda x: written(x, 0, x[1]),
    "fill": lambda x: written(x, 2, 0).add(x.clone().fill_(3)).add(x.clone().zero_()),
    "write through a view": lambda x: through_a_view(x),
    "in place chain": lambda x: in_place_chain(x),
    "linear": lambda x: F.linear(x, Y, torch.tensor([1.0, 2, 3])),
    "linear without bias": lambda x: F.linear(x, Y),
    "addmm": lambda x: torch.addmm(torch.ones(3, 3), x, Y.t(), beta=2, alpha=0.5),
    "bias": lambda x: torch.addmm(x, torch.eye(3), Y, beta=-1.5, alpha=2),
    "sum of python": lambda x: sum([x, x, x]),
}
PRODUCTS: dict[str, Function] = {
    "mm": lambda x, y: torch.mm(x, y.t()),
    "mm method": lambda x, y: x.mm(y.t()),
    "@": lambda x, y: x @ y.t(),
    "matmul": lambda x, y: x.t().matmul(y),
    "mv": lambda x, y: x @ y[0],
    "vm": lambda x, y: x[0] @ y.t(),
    "dot": lambda x, y: x[0].dot(y[1]),
    "1-d": lambda x, y: x[0] @ y[1],
    "empty": lambda x, y: x[:, :0] @ y.t()[:0],
    "mul": lambda x, y: x * y,
    "broadcast mul": lambda x, y: x * y[0],
    "one row": lambda x, y: x[:1] @ y.t()[:, :1],
}


def written(x: Any, index: Any, value: Any) -> Any:
    x = x.clone()
    x[index] = value
    return x


def through_a_view(x: Any) -> Any:
    x = x.clone()
    row, flat = x[1], x.view(-1)
    row += 2.5
    flat[0] *= 0.1  # which takes more digits than the others have, so all are written with more
    x.t()[3] -= row.sum()
    return x + flat.view(3, 4)


def in_place_chain(x: Any) -> Any:
    x = x.clone()
    x += 1
    x -= Y
    x *= 0.3
    x /= 7
    return x


@pytest.mark.parametrize("name", WITH_ANOTHER)
def test_sums_with_what_is_encrypted_and_what_is_not(name: str) -> None:
    function = WITH_ANOTHER[name]
    for x, y in ((encrypted(X), encrypted(Y)), (encrypted(X), Y), (X, encrypted(Y))):
        if y is not Y and x is X and name in ("in place", "write"):
            continue  # into a plain tensor: refused, see below
        same(function(x, y), function(X, Y))


@pytest.mark.parametrize("name", ALONE)
def test_ops_on_one_encrypted_tensor(name: str) -> None:
    same(ALONE[name](encrypted(X)), ALONE[name](X))


@pytest.mark.parametrize("name", PRODUCTS)
def test_products_with_plain_tensors_on_either_side(name: str) -> None:
    function = PRODUCTS[name]
    same(function(encrypted(X), Y), function(X, Y), 1e-5)
    same(function(X, encrypted(Y)), function(X, Y), 1e-5)


def test_batches_of_matrices() -> None:
    factors = torch.randn(2, 4, 2)
    same(encrypted(BATCHES) @ factors, BATCHES @ factors, 1e-4)
    same(factors.mT @ encrypted(BATCHES).mT, factors.mT @ BATCHES.mT, 1e-4)
    same(
        torch.baddbmm(torch.ones(2, 3, 2), encrypted(BATCHES), factors),
        torch.baddbmm(torch.ones(2, 3, 2), BATCHES, factors),
        1e-4,
    )
    same(encrypted(BATCHES) @ factors[0], BATCHES @ factors[0], 1e-4)


def test_doubles_are_exact_to_2_to_the_minus_97() -> None:
    values = torch.randn(20, dtype=torch.float64) * 10.0 ** torch.arange(-10, 10)
    assert torch.equal(encrypted(values).decrypt(keys()[1]), values)
    tiny = torch.tensor([2.0**-96, 2.0**-98], dtype=torch.float64)
    assert encrypted(tiny).decrypt(keys()[1]).tolist() == [2.0**-96, 0.0]
    factor = torch.randn(20, dtype=torch.float64)
    exact = [float(sum(a * b for a, b in zip(map(_fraction, values), map(_fraction, factor), strict=True)))]
    assert (encrypted(values) @ factor).reshape(1).decrypt(keys()[1]).tolist() == exact  # rounded once, in the end


def _fraction(value: Any) -> Fraction:
    return Fraction(float(value))


def test_integers_stay_integers() -> None:
    values = torch.tensor([3, -5, 2**62, -(2**63), 2**63 - 1])
    x = encrypted(values)
    same(x, values)
    same(x[:2] * 4 - 7, values[:2] * 4 - 7)
    same(x[:2] @ torch.tensor([2, 3]), values[:2] @ torch.tensor([2, 3]))
    same(x[:2] + 1.5, values[:2] + 1.5)
    same(x[:2] / 2, values[:2] / 2)
    same(x[:2] * torch.tensor(0.25), values[:2] * torch.tensor(0.25))
    same(x[3:] - values[3:], values[3:] - values[3:])
    same(encrypted(torch.tensor([True, False])), torch.tensor([1, 0]))
    with pytest.raises(EncodingError, match=r"no room in torch.int64"):
        (x + 1).decrypt(keys()[1])  # torch would wrap around


def test_integers_that_became_floats_take_fractions_in_place() -> None:
    x = encrypted(torch.tensor([3, 5])).double()
    x[0] = 0.25
    same(x, torch.tensor([0.25, 5], dtype=torch.float64))
    same(torch.cat([x, torch.tensor([0.1], dtype=torch.float64)]), torch.tensor([0.25, 5, 0.1], dtype=torch.float64))


def test_encrypted_integers_are_joined_with_plain_floats() -> None:
    whole, fractions = torch.tensor([3, 5]), torch.tensor([1.5, 2.25])
    same(torch.cat([encrypted(whole), fractions]), torch.cat([whole, fractions]))
    same(torch.stack([fractions, encrypted(whole)]), torch.stack([fractions, whole.float()]))
    same(torch.cat([encrypted(fractions), whole]), torch.cat([fractions, whole]))
    same(encrypted(whole).fill_(1.75), whole.clone().fill_(1.75))


@pytest.mark.parametrize("shape", [(), (0,), (1,), (2, 0, 3)])
def test_shapes_of_all_kinds(shape: tuple[int, ...]) -> None:
    values = torch.full(shape, 2.5)
    same(encrypted(values), values)
    same(encrypted(values) * 2 + values - 1, values * 2 + values - 1)
    same(encrypted(values).sum(), values.sum())


def test_in_place_the_very_tensor_is_encrypted_and_decrypted() -> None:
    public, private = keys()
    x = X.clone()
    assert x.encrypt(public_key=public, protocol="paillier", inplace=True) is x and "PaillierTensor" in str(x)
    assert x.child.pubkey == public and x.child.child.shape == X.shape
    assert x.decrypt(private_key=private, inplace=True) is x
    assert torch.equal(x, X)
    weights = torch.nn.Linear(3, 2)
    before = weights.weight.detach().clone()
    assert torch.equal(weights.encrypt(public).decrypt(private).weight, before)


def test_two_encryptions_differ() -> None:
    public, private = keys()
    for key in (public, private):
        x, y = torch.ones(100).encrypt(key), torch.ones(100).encrypt(key)
        assert len({*x.child.child.tolist(), *y.child.child.tolist()}) == 200


REFUSED: dict[str, tuple[Function, type[Exception], str]] = {
    "product": (lambda x, y: x * y, UnsupportedOp, "two encrypted numbers cannot be multiplied.*Decrypt first"),
    "square": (lambda x, y: x * x, UnsupportedOp, "two encrypted numbers"),
    "matrix product": (lambda x, y: x @ y.t(), UnsupportedOp, "encrypted matrices.*protocol='ckks'"),
    "quotient": (lambda x, y: x / y, UnsupportedOp, "the divisor is encrypted"),
    "floor": (lambda x, y: torch.div(x, 2, rounding_mode="floor"), UnsupportedOp, "quotients cannot be rounded"),
    "by zero": (lambda x, y: x / torch.tensor([1.0, 0, 1, 1]), DivisionByZeroError, "divided by zero"),
    "greater": (lambda x, y: x > 0, UnsupportedOp, "would compare encrypted numbers.*protocol='mpc'"),
    "equal": (lambda x, y: x == y, UnsupportedOp, "would compare"),
    "maximum": (lambda x, y: x.max(), UnsupportedOp, "would compare"),
    "relu": (lambda x, y: torch.relu(x), UnsupportedOp, "would compare"),
    "exp": (lambda x, y: x.exp(), UnsupportedOp, "'exp' cannot be computed under a Paillier key. Decrypt first"),
    "sin_": (lambda x, y: x.sin_(), UnsupportedOp, "'sin_' cannot be computed"),
    "pow": (lambda x, y: x**2, UnsupportedOp, "cannot be computed"),
    "plain +=": (lambda x, y: X.clone().add_(y), UsageError, "write encrypted numbers into a plain tensor"),
    "plain [0] =": (lambda x, y: written(X, 0, y[0]), UnsupportedOp, "into a plain tensor"),
    "encrypted index": (lambda x, y: X[encrypted(torch.tensor([1]))], UnsupportedOp, "from plain tensors only"),
    "item": (lambda x, y: x[0, 0].item(), NotLocalError, "encrypted; get them with .decrypt"),
    "bool": (lambda x, y: bool(x[0, 0]), NotLocalError, "encrypted"),
    "tolist": (lambda x, y: x.tolist(), NotLocalError, "encrypted"),
    "numpy": (lambda x, y: x.numpy(), NotLocalError, "encrypted"),
    "long": (lambda x, y: x.long(), UnsupportedOp, "rounded to integers"),
    "nan": (lambda x, y: x + float("nan"), EncodingError, "only finite numbers"),
    "inf": (lambda x, y: x * torch.tensor(float("inf")), EncodingError, "only finite numbers"),
    "twice": (lambda x, y: x.encrypt(keys()[0]), UsageError, "in the open"),
    "fixed": (lambda x, y: x + X.fix_precision(), UsageError, "a FixedPrecisionTensor; only plain"),
    "cat of fixed": (lambda x, y: torch.cat([x, X.fix_precision()]), UsageError, "only plain tensors"),
    "shapes": (lambda x, y: x + torch.ones(5), RuntimeError, "must match|broadcast"),
    "matrix shapes": (lambda x, y: x @ Y, RuntimeError, "reduction dim"),
    "dtypes": (lambda x, y: x @ Y.t().double(), UsageError, "same dtype"),
    "view": (lambda x, y: x.t().view(-1), RuntimeError, "view"),
    "index out of range": (lambda x, y: x[7], IndexError, "out of"),
    "int in place": (lambda x, y: encrypted(torch.tensor([1])).add_(0.5), RuntimeError, "in-place"),
    "too large": (lambda x, y: x[:, None].expand(3, 10**8, 4), LimitExceededError, "at most 16,777,216 elements"),
    "repeat": (lambda x, y: x.repeat(10**5, 10**4), LimitExceededError, "work in parts"),
    "outer sum": (
        lambda x, y: x[0][:, None].expand(4, 2**12).reshape(-1, 1) + x[0].repeat(2**11),
        LimitExceededError,
        "parts",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_computed_is_refused(name: str) -> None:
    function, error, text = REFUSED[name]
    x, y = encrypted(X), encrypted(Y)
    with pytest.raises(error, match=text):
        function(x, y)
    same(x, X)  # and nothing has happened to it


@pytest.mark.parametrize("values", [[float("nan")], [float("inf")], [2.0**64], [-(2.0**80)]])
def test_what_has_no_room_is_not_encrypted(values: list[float]) -> None:
    with pytest.raises(EncodingError, match="overflow|only finite"):
        torch.tensor(values).encrypt(keys()[0])
    with pytest.raises(EncodingError, match="complex"):
        torch.zeros(1, dtype=torch.complex64).encrypt(keys()[0])


def test_growth_is_refused_before_it_is_wrong() -> None:
    x, expected = encrypted(torch.tensor([1.0])), 1.0
    for _ in range(36):
        x, expected = x * 1.1, expected * 1.1
    with pytest.raises(EncodingError, match=r"could have \d+ bits, and integers under .* have 2045 at most"):
        x * 1.1
    assert x.decrypt(keys()[1]).item() == pytest.approx(expected)


def test_control_without_the_count_of_bits_growth_is_found_by_decryption(monkeypatch: pytest.MonkeyPatch) -> None:
    """Integers beyond the key's wrap around; what comes out is longer than it can be, with all but no exception."""
    public, private = keys()
    monkeypatch.setattr(type(public), "room", property(lambda key: 1 << 30))
    x = encrypted(torch.tensor([1.0 + 2.0**-20]))
    for _ in range(60):
        x = x * (1 + 2.0**-40)
    monkeypatch.undo()
    x.child.memory.bits = 1000
    with pytest.raises(EncodingError, match="an overflow was found"):
        x.decrypt(private)


def test_a_model_computes_on_encrypted_data() -> None:
    model = torch.nn.Linear(4, 2)
    out = model(encrypted(X))
    same(out.detach(), model(X).detach(), 1e-5)


def test_results_are_not_as_they_were_computed_once_they_are_shown() -> None:
    public, private = keys()
    x, y = encrypted(X), encrypted(Y)
    total = x + y
    bare = (x.child.child * y.child.child) % public.nsquare
    assert (total.child.child == bare).all()
    assert not total.child.memory.fresh
    total.child.refreshed()
    assert total.child.memory.fresh and not (total.child.child == bare).any()
    same(total, X + Y)
    assert paillier_tensor.noise_for(public) is paillier_tensor.noise_for(public)
