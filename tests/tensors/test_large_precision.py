"""`LargePrecisionTensor` against Python's fractions: numbers, arithmetic, structure, sending and sharing."""

from __future__ import annotations

import operator
import warnings
from collections.abc import Callable
from fractions import Fraction
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional as F

import syft as sy
from syft.core.ops import BY_NAME
from syft.encoded import large as large_module
from syft.encoded.digits import BITS, large, read, toward_zero, written
from syft.encoded.large import LargePrecisionTensor
from syft.encoded.tensor import EncodedTensor
from syft.exceptions import (
    ConsumedPointerError,
    DecodeError,
    DivisionByZeroError,
    EncodingError,
    LimitExceededError,
    NotSupportedError,
    UnsupportedOp,
    UsageError,
)
from syft.serde import deserialize, serialize
from syft.workers.result_limits import check_result, prepare
from tests.mpc.parties import Parties, parties

pytestmark = pytest.mark.usefixtures("hook")

WIDE = {"internal_type": torch.int16, "precision_fractional": 128}


def large_of(values: Any, **encoding: Any) -> Any:
    return torch.as_tensor(values).fix_precision(storage="large", **encoding)


def numbers(x: Any) -> list[Fraction]:
    """The numbers under a tensor, exactly."""
    link = x.child
    return [Fraction(n, link.scale) for n in link.integers.reshape(-1)]


def cut(value: Fraction, scale: int) -> Fraction:
    """Without what is below the last digit."""
    return Fraction(int(value * scale), scale)


# --- digits ---------------------------------------------------------------------------------------


@given(st.lists(st.integers(0, 2**600)), st.sampled_from(list(BITS)))
@settings(max_examples=40)
def test_digits_are_read_as_they_were_written(values: list[int], dtype: torch.dtype) -> None:
    digits = written(large(values), dtype)
    assert digits.dtype == dtype
    assert digits.numel() == 0 or 0 <= int(digits.min()) <= int(digits.max()) < 2 ** BITS[dtype]
    assert read(digits, BITS[dtype]).tolist() == values


def test_digits_are_no_more_than_are_needed_and_begin_with_the_most_significant() -> None:
    assert written(large([1, 2**31 + 5]), torch.int32).tolist() == [[0, 1], [1, 5]]
    assert written(large([0]), torch.int8).tolist() == [[0]]
    assert written(large([1]), torch.int8, count=3).tolist() == [[0, 0, 1]]


@given(st.integers(), st.integers().filter(bool))
def test_quotients_lose_their_fraction(a: int, b: int) -> None:
    assert toward_zero(large([a]), large([b])).tolist() == [int(Fraction(a, b))]


# --- numbers --------------------------------------------------------------------------------------


def test_the_example_of_0_2_4_has_the_shape_of_its_values() -> None:
    x = torch.tensor([1.5, 2.0, -3.0]).fix_prec(**WIDE)
    assert x.child.child.shape == (3, 35)
    assert x.shape == (3,) and x.size(0) == len(x) == x.numel() == 3 and x.dim() == 1
    assert x.dtype == torch.float32 and x.is_wrapper
    assert x.float_prec().equal(torch.tensor([1.5, 2.0, -3.0]))


def test_it_prints_its_digits() -> None:
    x = torch.tensor([1, 2]).fix_prec(storage="large", precision_fractional=0)
    assert str(x) == "(Wrapper)>LargePrecisionTensor>tensor([[1],\n        [2]], dtype=torch.int32)"
    assert str(torch.tensor([1]).fix_prec(storage="large", no_wrap=True)).startswith("LargePrecisionTensor>tensor")


@given(st.lists(st.floats(width=32, allow_nan=False, allow_infinity=False)))
@settings(max_examples=50)
def test_float32_numbers_come_back_as_they_were(values: list[float]) -> None:
    x = torch.tensor(values, dtype=torch.float32)
    assert large_of(x, base=2, precision_fractional=149).float_precision().equal(x)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float16, torch.bfloat16, torch.int64, torch.uint8, torch.bool])
def test_every_real_type_is_encoded(dtype: torch.dtype) -> None:
    x = torch.tensor([[1, 0, 1]]).to(dtype)
    assert large_of(x).float_prec().equal(x.to(torch.float32))


def test_integers_of_64_bits_keep_all_of_them() -> None:
    assert numbers(large_of([2**63 - 1, -(2**63)])) == [2**63 - 1, -(2**63)]


def test_fractions_are_cut_toward_zero() -> None:
    assert numbers(large_of([0.1999, -0.1999])) == [Fraction(199, 1000), Fraction(-199, 1000)]


@pytest.mark.parametrize("shape", [(), (0,), (2, 0), (2, 3, 1)])
def test_every_shape(shape: tuple[int, ...]) -> None:
    x = torch.arange(float(torch.Size(shape).numel())).reshape(shape)
    y = large_of(x)
    assert y.shape == shape
    assert (y + y).float_prec().equal(x + x)


@pytest.mark.parametrize("dtype", list(BITS))
def test_negative_numbers_in_every_type_of_digits(dtype: torch.dtype) -> None:
    x = large_of([-1.5, 2.25], internal_type=dtype)
    assert x.child.child.dtype == dtype
    again = LargePrecisionTensor(**x.child.settings()).on(x.child.child)
    assert again.float_prec().tolist() == [-1.5, 2.25]


def test_more_than_float32_can_say_is_infinite() -> None:
    big = large_of(torch.tensor([1e300, -1e300], dtype=torch.float64), base=2, precision_fractional=8, field=2**4000)
    assert big.float_prec().tolist() == [float("inf"), -float("inf")]
    assert (big * big * 1e300).float_prec().tolist() == [float("inf"), float("inf")]


# --- which storage --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("values", "encoding"),
    [
        (4.7e15, {}),
        (-3e15, {}),
        (1.0, {"precision_fractional": 128}),
        (0.0, {"precision_fractional": 10}),
        (1.0, {"base": 2, "precision_fractional": 31}),
        (2**62, {}),
    ],
)
def test_auto_takes_large_storage_for_what_has_no_room(values: Any, encoding: dict[str, int]) -> None:
    x = torch.tensor(values).fix_precision(**encoding)
    assert isinstance(x.child, LargePrecisionTensor)
    assert x.float_precision() == torch.tensor(values, dtype=torch.float32)


@pytest.mark.parametrize("values", [2.3e15, -2.3e15, 0.0])
def test_auto_takes_64_bits_for_what_has_room(values: float) -> None:
    assert isinstance(torch.tensor(values).fix_precision(), EncodedTensor)
    assert isinstance(torch.tensor([]).fix_precision(), EncodedTensor)


def test_a_type_of_digits_that_is_not_needed_is_ignored_with_a_warning() -> None:
    with pytest.warns(UserWarning, match="do not provide internal_type"):
        x = torch.tensor([1.0]).fix_precision(internal_type=torch.int16)
    assert isinstance(x, EncodedTensor)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        large_of([1.0], internal_type=torch.int16)


def test_crt_storage_is_refused_and_names_the_way_out() -> None:
    with pytest.raises(NotSupportedError, match="storage='large'"):
        torch.tensor([1.0]).fix_precision(storage="crt")
    assert not hasattr(sy, "CRTPrecisionTensor")


@pytest.mark.parametrize(
    ("make", "error", "sentence"),
    [
        (lambda: large_of([float("nan")]), EncodingError, "nan_to_num"),
        (lambda: large_of([float("inf")]), EncodingError, "nan_to_num"),
        (lambda: torch.tensor([float("inf")]).fix_precision(), EncodingError, "nan_to_num"),
        (lambda: large_of([1j]), EncodingError, "real"),
        (lambda: large_of([1e30], field=2**100), EncodingError, "bigger field"),
        (lambda: torch.tensor([1.0]).fix_precision(storage="small"), UsageError, "'auto' and 'large'"),
        (lambda: large_of([1.0], internal_type=torch.float32), UsageError, "int16"),
        (lambda: large_of([1.0], field=2**5000), UsageError, "2\\^4096"),
        (lambda: large_of([1.0], precision_fractional=160), UsageError, "larger field"),
        (lambda: large_of([1.0]).fix_precision(), UsageError, "already"),
        (lambda: torch.nn.Linear(1, 1).fix_precision(storage="large"), UsageError, "parameter"),
        (lambda: LargePrecisionTensor().on(torch.tensor([1.0])), UsageError, "storage='large'"),
        (lambda: LargePrecisionTensor().integers, UsageError, "nothing"),
    ],
)
def test_what_makes_no_sense_is_refused(make: Callable[[], Any], error: type[Exception], sentence: str) -> None:
    with pytest.raises(error, match=sentence):
        make()


def test_in_place_it_is_the_same_tensor() -> None:
    x = torch.tensor([1.5])
    assert x.fix_precision_(storage="large") is x and isinstance(x.child, LargePrecisionTensor)
    assert x.float_precision_() is x and x.tolist() == [1.5]


# --- arithmetic -----------------------------------------------------------------------------------

VALUES = [1.5, -2.25, 3.0, -0.001, 1e12]
OTHERS = [2.5, -4.0, -0.5, 7.0, 3e11]
OPERATIONS: dict[str, Callable[[Any, Any], Any]] = {
    "add": operator.add,
    "sub": operator.sub,
    "mul": operator.mul,
    "div": operator.truediv,
    "remainder": operator.mod,
}
COMPARISONS = {name: getattr(operator, name) for name in ("eq", "ne", "lt", "le", "gt", "ge")}


@pytest.mark.parametrize("name", OPERATIONS)
@pytest.mark.parametrize("right", ["large", "tensor", "float", "int"])
def test_arithmetic_is_exact_to_the_last_digit(name: str, right: str) -> None:
    x, y = (torch.tensor(v, dtype=torch.float64) for v in (VALUES, OTHERS))
    compute = OPERATIONS[name]
    other = {"large": large_of(y, **WIDE), "tensor": y, "float": 2.75, "int": -3}[right]
    plain = [Fraction(v) for v in (OTHERS if right in ("large", "tensor") else [other] * 5)]
    scale = 10**128
    got = numbers(compute(large_of(x, **WIDE), other))
    assert got == [cut(compute(Fraction(a), b), scale) for a, b in zip(VALUES, plain, strict=True)]
    swapped = numbers(compute(other, large_of(x, **WIDE))) if right != "tensor" else None
    if swapped is not None:
        assert swapped == [cut(compute(b, Fraction(a)), scale) for a, b in zip(VALUES, plain, strict=True)]


@pytest.mark.parametrize("name", ["add", "sub", "mul", "div"])
def test_every_spelling_gives_the_same(name: str) -> None:
    x, y = large_of(VALUES), large_of(OTHERS)
    wanted = numbers(OPERATIONS[name](x, y))
    assert numbers(getattr(torch, name)(x, y)) == numbers(getattr(x, name)(y)) == wanted
    z = x.clone()
    assert getattr(z, f"{name}_")(y) is z
    assert numbers(z) == wanted
    assert numbers(x) == numbers(large_of(VALUES))
    w = x.clone()
    before = w
    w = getattr(operator, {"add": "iadd", "sub": "isub", "mul": "imul", "div": "itruediv"}[name])(w, y)
    assert w is before and numbers(w) == wanted


def test_a_whole_number_is_added_at_the_scale() -> None:
    assert (large_of([1.5], **WIDE) + 1).float_prec().tolist() == [2.5]
    assert (1 - large_of([1.5], **WIDE)).float_prec().tolist() == [-0.5]
    assert (large_of([7.0]) / 2).float_prec().tolist() == [3.5]
    assert torch.add(large_of([1.0]), large_of([2.0]), alpha=3).float_prec().tolist() == [7.0]


@pytest.mark.parametrize("name", COMPARISONS)
def test_comparisons_are_right_whatever_the_signs(name: str) -> None:
    values = [-2.25, -0.001, 0.0, 1e18, 3.0]
    x, y = large_of(values, **WIDE), large_of(values[::-1], **WIDE)
    compare = COMPARISONS[name]
    assert numbers(compare(x, y)) == [compare(a, b) for a, b in zip(values, values[::-1], strict=True)]
    assert numbers(compare(x, 0)) == [compare(a, 0) for a in values]
    assert (compare(x, y).sum() + 1).float_prec() == sum(map(compare, values, values[::-1])) + 1


def test_negatives_sums_means_and_products_of_matrices() -> None:
    a, b = torch.tensor([[1.5, -2.0], [3.0, 4.25]]), torch.tensor([[0.5, 4.0], [-2.0, 1.0]])
    x, y = large_of(a), large_of(b)
    assert (-x).float_prec().equal(-a) and abs(x).float_prec().equal(a.abs())
    assert (x @ y).float_prec().equal(a @ b) and torch.mm(x, y).float_prec().equal(a @ b)
    assert x.sum().float_prec().equal(a.sum()) and torch.sum(x, 0).float_prec().equal(a.sum(0))
    assert x.sum(dim=(0, 1), keepdim=True).float_prec().equal(a.sum((0, 1), keepdim=True))
    assert x.mean(1).float_prec().equal(a.mean(1))


def test_a_number_that_leaves_the_field_is_an_error() -> None:
    x = large_of([30.0], precision_fractional=2, field=10**4)
    with pytest.raises(EncodingError, match="bigger field"):
        _ = x + x


@pytest.mark.parametrize(
    ("compute", "error"),
    [
        (lambda x: x / 0, DivisionByZeroError),
        (lambda x: x / 0.0001, DivisionByZeroError),
        (lambda x: x % 0, DivisionByZeroError),
        (lambda x: x + large_of([1.0], precision_fractional=4), UsageError),
        (lambda x: x + torch.tensor([1.0]).fix_precision(), UnsupportedOp),
        (lambda x: x.add_(torch.ones(2, 2)), UsageError),
        (lambda x: torch.ones(2).add_(x), UsageError),
        (lambda x: torch.div(x, 3, rounding_mode="floor"), UnsupportedOp),
        (lambda x: x.sum(dtype=torch.int64), UnsupportedOp),
        (lambda x: x.exp(), UnsupportedOp),
        (lambda x: x[x], UnsupportedOp),
        (lambda x: x.item(), UnsupportedOp),
        (lambda x: x.requires_grad_(), UnsupportedOp),
    ],
)
def test_what_has_no_meaning_is_refused(compute: Callable[[Any], Any], error: type[Exception]) -> None:
    with pytest.raises(error):
        compute(large_of([1.0, 2.0]))


# --- structure ------------------------------------------------------------------------------------

MOVES: dict[str, Callable[[Any], Any]] = {
    "index": lambda x: x[1],
    "slice": lambda x: x[:, 1:],
    "mask": lambda x: x[torch.tensor([True, False])],
    "view": lambda x: x.view(3, 2),
    "reshape": lambda x: torch.reshape(x, (-1,)),
    "transpose": lambda x: x.t(),
    "permute": lambda x: x.permute(1, 0),
    "cat": lambda x: torch.cat([x, x + 1]),
    "stack": lambda x: torch.stack([x, -x], 1),
    "repeat": lambda x: x.repeat(2, 3),
    "view_as": lambda x: x.view_as(x.reshape(3, 2)),
    "pad": lambda x: F.pad(x, (1, 0)),
    "tril": lambda x: x.tril(),
    "flip": lambda x: x.flip(0),
    "clone": lambda x: x.clone(),
    "detach": lambda x: x.detach(),
    "copy": lambda x: x.copy(),
    "select": lambda x: torch.index_select(x, 1, torch.tensor([2, 0])),
}


@pytest.mark.parametrize("name", MOVES)
def test_elements_move_as_in_torch(name: str) -> None:
    values = torch.tensor([[1.5, -2.0, 3.0], [0.25, 5.0, -6.0]])
    assert MOVES[name](large_of(values)).float_prec().equal(MOVES[name](values))


def test_several_results() -> None:
    values = torch.arange(6.0).reshape(2, 3)
    for got, wanted in zip(large_of(values), values, strict=True):
        assert got.float_prec().equal(wanted)
    for got, wanted in zip(large_of(values).split(2, 1), values.split(2, 1), strict=True):
        assert got.float_prec().equal(wanted)


# --- sending --------------------------------------------------------------------------------------


def test_it_travels_as_it_is() -> None:
    x = large_of([1.5, -3.0], **WIDE).tag("#large")
    again = deserialize(serialize(x))
    assert numbers(again) == numbers(x)
    assert again.child.settings() == x.child.settings()


def test_a_worker_computes_on_it() -> None:
    alice = parties().holders[0]
    before = len(alice._objects)
    pointer = large_of([1.5, -3.0], **WIDE).send(alice)
    assert (pointer + pointer).get().float_prec().tolist() == [3.0, -6.0]
    assert pointer.float_prec().get().tolist() == [1.5, -3.0]
    assert pointer.get().float_prec().tolist() == [1.5, -3.0]
    assert len(alice._objects) == before
    remote = torch.tensor([2.5]).send(alice).fix_precision(storage="large", internal_type=torch.int16)
    assert remote.get().child.internal_type == torch.int16


@pytest.mark.parametrize(
    "change",
    [
        {"field": "ff" * 2000},
        {"field": "nonsense"},
        {"base": 1},
        {"base": 2**62, "precision_fractional": 2**62},
        {"precision_fractional": -1},
        {"internal_type": torch.float32},
        {"extra": 1},
    ],
)
def test_what_a_stranger_writes_is_checked(change: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    sound = LargePrecisionTensor.settings
    x = large_of([1.5])
    monkeypatch.setattr(LargePrecisionTensor, "settings", lambda self: {**sound(self), **change})
    if "field" in change:
        monkeypatch.setattr(large_module, "hex", lambda n: change["field"], raising=False)
    data = serialize(x)
    monkeypatch.undo()
    with pytest.raises((DecodeError, UsageError)):
        deserialize(data)


def test_a_worker_measures_results_by_the_shape_of_the_values() -> None:
    prepare()
    x = large_of([[1.5, -3.0]])
    repeat = BY_NAME["Tensor.repeat"]
    assert check_result(repeat, (x, 3, 2), {}, 1 << 20)
    with pytest.raises(LimitExceededError):
        check_result(repeat, (x, 10**9, 2), {}, 1 << 20)
    with pytest.raises(UnsupportedOp):
        x.expand(10**9, 2)  # would take no memory in torch, but does here


# --- sharing --------------------------------------------------------------------------------------


@pytest.mark.parametrize("holders", [2, 3])
def test_shared_numbers_are_added_and_subtracted(holders: int) -> None:
    group = parties(holders)
    values, others = [1.5, -3.0, 2.0**50], [2.0, 0.25, -(2.0**50)]

    def fresh(of: list[float]) -> Any:
        x = large_of(of, **WIDE)
        assert group.share(x) is x  # in place
        return x

    assert fresh(values).shape == (3,)
    assert repr(fresh(values)).startswith("(Wrapper)>LargePrecisionTensor>[AdditiveSharingTensor]\n\t-> [PointerTensor")
    wanted, other = ([Fraction(v) for v in of] for of in (values, others))
    x, y = fresh(values), fresh(others)
    assert numbers((x + y).get()) == [a + b for a, b in zip(wanted, other, strict=True)]
    assert numbers((x - y).get()) == [a - b for a, b in zip(wanted, other, strict=True)]
    assert numbers((x + large_of(others, **WIDE)).get()) == [a + b for a, b in zip(wanted, other, strict=True)]
    assert numbers((-x + 1).get()) == numbers((1 - x).get()) == [1 - a for a in wanted]
    assert numbers(x.copy().get()) == wanted
    x += y
    assert numbers(x.get()) == [a + b for a, b in zip(wanted, other, strict=True)]
    with pytest.raises(ConsumedPointerError):
        x.get()


def test_shares_of_any_sign_and_shape_add_as_they_have_the_same_digits() -> None:
    group = parties()
    small, negative = group.share(large_of([[1.0], [2.0]])), group.share(large_of([-1.0, 1e18]))
    assert (small + negative).get().float_prec().equal(torch.tensor([[0.0, 1e18], [1.0, 1e18]]))
    # 35 digits of 15 bits are 2^512, whatever is in them.
    assert group.share(large_of([0.0], internal_type=torch.int16)).child.child.shape == (1, 35)


def test_shares_travel_and_nothing_stays(alice: Any, bob: Any, james: Any) -> None:
    group = Parties([alice, bob], james)
    before = group.objects()
    x = group.share(large_of([1.5, -3.0]))
    there = x.send(james)
    assert there.get().get().float_prec().tolist() == [1.5, -3.0]
    remote = group.share(torch.tensor([2.5]).send(group.holders[0]).fix_precision(storage="large")).get()
    assert (remote + 1).get().float_prec().tolist() == [3.5]
    del x, there, remote
    assert group.objects() == before


def test_what_shares_cannot_do_is_refused() -> None:
    group = parties()
    x = group.share(large_of([1.5]))
    for compute in (
        lambda: x * x,
        lambda: x * 2,
        lambda: x > 0,
        lambda: x.sum(),
        lambda: x[0],
        lambda: x + group.share(large_of([1.5], internal_type=torch.int16)),
        lambda: group.share(x),
        lambda: group.share(large_of([1.0], internal_type=torch.int64)),
        lambda: x.float_precision(),
        lambda: large_of([1.5]).get(),
    ):
        with pytest.raises(sy.exceptions.SyftError):
            compute()
    assert x.get().float_prec().tolist() == [1.5]
