"""Numbers in fixed precision: 0.2.4's behaviour, and right answers where it gave wrong ones."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import nn
from torch.nn import functional as F

import syft as sy
from syft.exceptions import EncodingError, SyftError, UsageError

Worker = sy.VirtualWorker


@pytest.fixture(autouse=True)
def _hook(hook: Any) -> None:
    """Torch is hooked."""


def fixed(values: Any, **encoding: Any) -> Any:
    """Numbers in fixed precision."""
    return torch.tensor(values).fix_prec(**encoding)


def decoded(tensor: Any) -> list[float]:
    """The numbers, rounded to three digits."""
    return [round(v, 3) + 0.0 for v in tensor.float_prec().reshape(-1).tolist()]


# --- creation and removal -------------------------------------------------------------------------


def test_printed_forms() -> None:
    assert (
        repr(fixed([0.1, -0.3])) == "(Wrapper)>FixedPrecisionTensor>tensor([                100, 4611686018427387604])"
    )
    assert repr(fixed([0.1], no_wrap=True)) == "FixedPrecisionTensor>tensor([100])"
    assert type(fixed([0.1], no_wrap=True)).__name__ == "FixedPrecisionTensor"


def test_default_settings() -> None:
    settings = fixed(1.0).child.get_class_attributes()
    assert {"field": 2**62, "base": 10, "precision_fractional": 3, "kappa": 1}.items() <= settings.items()


def test_settings_go_through_operations() -> None:
    x = fixed([1.0, 2.0], base=2, precision_fractional=10)
    for y in (x + x, x * x, x @ x, -x, x.sum(), x > 1, x[0], torch.cat([x, x])):
        assert (y.child.base, y.child.precision_fractional) == (2, 10)


@pytest.mark.parametrize("verb", ["fix_prec", "fix_precision"])
def test_aliases(verb: str) -> None:
    x = torch.tensor([1.5])
    encoded = {"fix_prec": x.fix_prec, "fix_precision": x.fix_precision}[verb]()
    assert encoded.float_prec().item() == encoded.float_precision().item() == 1.5


def test_in_place_forms_return_the_very_tensor() -> None:
    x = torch.tensor([1.5])
    id_before = x.id
    assert x.fix_prec_() is x and x.is_wrapper
    assert x.id == id_before
    assert x.float_prec_() is x and not x.is_wrapper
    assert x.item() == 1.5


def test_the_source_stays_as_it_is() -> None:
    x = torch.tensor([1.5])
    (x.fix_prec() + 1).float_prec().add_(7)
    assert x.item() == 1.5


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.int32, torch.int64, torch.bool, torch.uint8])
def test_any_real_dtype_is_encoded_and_float32_comes_back(dtype: torch.dtype) -> None:
    out = torch.ones(2, dtype=dtype).fix_prec().float_prec()
    assert out.dtype == torch.float32
    assert out.tolist() == [1.0, 1.0]


@pytest.mark.parametrize("shape", [(), (0,), (2, 0), (1, 1), (2, 3)])
def test_shapes(shape: tuple[int, ...]) -> None:
    assert torch.ones(shape).fix_prec().float_prec().shape == torch.Size(shape)


def test_an_argument_that_does_not_exist_is_refused() -> None:
    with pytest.raises(TypeError, match="foo"):
        fixed([1.0], foo=1)


def test_what_is_fixed_is_not_fixed_again() -> None:
    with pytest.raises(UsageError, match="has fixed precision already"):
        fixed(1.0).fix_prec()


def test_a_plain_tensor_is_not_decoded() -> None:
    with pytest.raises(UsageError, match="only a fixed-precision tensor can be decoded"):
        torch.tensor([1.0]).float_prec()


@pytest.mark.parametrize(
    "bad", [{"base": 1}, {"precision_fractional": -1}, {"precision_fractional": 10**9}, {"precision_fractional": 12, "dtype": "int"}]
)  # fmt: skip
def test_bad_encodings_are_refused(bad: dict[str, Any]) -> None:
    """Without working out powers that nobody has memory for."""
    with pytest.raises(UsageError, match=r"fixed precision needs|fewer fractional digits|is no precision"):
        fixed(1.0, **bad)


# --- encoding and decoding ------------------------------------------------------------------------


def test_encoding_cuts_towards_zero() -> None:
    assert fixed([0.1999, -0.1999, 1.0005]).child.child.tolist() == [199, -199, 1000]
    assert fixed(0.3, base=2, precision_fractional=10).float_prec().item() == pytest.approx(0.2998, abs=1e-4)


def test_numbers_that_are_too_large_are_refused_or_stored_in_another_form() -> None:
    assert fixed(2.3e15).float_prec().item() == pytest.approx(2.3e15)
    for too_large in (lambda: fixed(3e6, dtype="int"), lambda: fixed([1.0]) + torch.tensor([2.4e15])):
        with pytest.raises(
            EncodingError, match="cannot be correctly embedded: choose bigger field or a lower precision"
        ):
            too_large()
    assert type(fixed(4.7e15).child).__name__ == "LargePrecisionTensor"


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
def test_n13_what_is_no_number_is_refused(value: float) -> None:
    """0.2.4 wrote NaN as 0."""
    with pytest.raises(EncodingError, match="cannot be written with fixed precision"):
        fixed([1.0, value])
    with pytest.raises(EncodingError, match="cannot be written with fixed precision"):
        fixed([1.0]) + torch.tensor([value])
    with pytest.raises(EncodingError):
        fixed([1.0]) * value


def test_a_wrapper_says_what_it_is() -> None:
    """0.2.4's said LongTensor, and gave raw integers as a list."""
    x = fixed([1.5, -2.0])
    assert (x.dtype, x.type(), x.tolist(), x.shape) == (torch.float32, "torch.FloatTensor", [1.5, -2.0], (2,))
    assert x[0].item() == 1.5 and x.numpy().tolist() == [1.5, -2.0]


# --- arithmetic -----------------------------------------------------------------------------------

CASES: dict[str, tuple[Callable[[Any], Any], list[float]]] = {
    "sum": (lambda x: x + x, [3.0, -4.5]),
    "constants": (lambda x: 1.5 + x + 2 - 0.25, [4.75, 1.0]),
    "tensor": (lambda x: x + torch.tensor([2.0, 3.0]), [3.5, 0.75]),
    "reversed": (lambda x: 1 - x, [-0.5, 3.25]),
    "negative": (lambda x: -x, [-1.5, 2.25]),
    "product": (lambda x: x * x, [2.25, 5.062]),
    "integer factor": (lambda x: x * 3, [4.5, -6.75]),
    "n5 float factor": (lambda x: 2.5 * x, [3.75, -5.625]),
    "integer tensor": (lambda x: x * torch.tensor([2, 4]), [3.0, -9.0]),
    "float tensor": (lambda x: torch.tensor([0.5, 4.0]) * x, [0.75, -9.0]),
    "n1 by integer": (lambda x: x / 2, [0.75, -1.125]),
    "n1 by negative": (lambda x: x / -2, [-0.75, 1.125]),
    "power": (lambda x: x**3, [3.375, -11.39]),
    "power of 0": (lambda x: x**0, [1.0, 1.0]),
    "n1 greater": (lambda x: x > 0, [1.0, 0.0]),
    "n1 at most": (lambda x: x <= -2.25, [0.0, 1.0]),
    "n5 not equal": (lambda x: x != torch.tensor([1.5, 0.0]), [0.0, 1.0]),
    "n1 relu": (lambda x: F.relu(x), [1.5, 0.0]),
    "n1 abs": (lambda x: x.abs(), [1.5, 2.25]),
    "n4 mean": (lambda x: torch.stack([x, x, x]).mean(), [-0.375]),
    "in place": (lambda x: x.add_(1).mul_(2).sub_(x), [0.0, 0.0]),
    "two arguments": (lambda x: x.add_(torch.tensor([2.0, 2.0]), alpha=0.5), [2.5, -1.25]),
}


@pytest.mark.parametrize("name", CASES)
def test_arithmetic(name: str) -> None:
    run, expected = CASES[name]
    assert decoded(run(fixed([1.5, -2.25]))) == pytest.approx(expected, abs=2e-3)


def test_quotients_are_centred() -> None:
    """N1: of negative numbers, too."""
    assert decoded(fixed([1.0, -1.0]) / fixed([3.0, 3.0])) == pytest.approx([0.333, -0.333], abs=2e-3)
    assert decoded(1 / fixed([-4.0])) == pytest.approx([-0.25], abs=2e-3)


def test_n13_division_by_zero_is_an_error_and_not_the_end_of_the_process() -> None:
    for divisor in (0, 0.0, torch.tensor([0.0]), fixed([0.0])):
        with pytest.raises(ZeroDivisionError):
            fixed([7.0]) / divisor


@pytest.mark.parametrize("run", [torch.matmul, torch.mm, lambda a, b: a @ b, lambda a, b: a.matmul(b)])
def test_matrix_products_are_rescaled_once(run: Any) -> None:
    a, b = torch.tensor([[1.5, -2.0], [3.0, 4.25]]), torch.tensor([[0.5, 4.0], [-2.0, 1.0]])
    assert decoded(run(a.fix_prec(), b.fix_prec())) == pytest.approx((a @ b).reshape(-1).tolist(), abs=2e-3)


def test_n5_products_that_gave_garbage() -> None:
    """bmm was a thousand times too big."""
    a = torch.randn(2, 3, 4)
    b = torch.randn(2, 4, 2)
    out = torch.bmm(a.fix_prec(base=2, precision_fractional=16), b.fix_prec(base=2, precision_fractional=16))
    assert torch.allclose(out.float_prec(), torch.bmm(a, b), atol=1e-3)
    assert decoded(torch.dot(fixed([1.0, 2.0]), fixed([3.0, 4.0]))) == [11.0]


def test_a_vector_times_a_matrix_has_the_shape_of_a_vector() -> None:
    x, w = fixed([1.0, 2.0]), fixed([[1.0, 0.0, 2.0], [0.0, 1.0, 3.0]])
    assert (x @ w).shape == (x @ w).float_prec().shape == (3,)
    assert F.linear(x, w.t()).shape == (3,)


def test_n11_encodings_that_differ_are_brought_together() -> None:
    """0.2.4 added 1 and 1 up to 1.1."""
    one, other, binary = (
        fixed([1.5]),
        fixed([1.25], precision_fractional=2),
        fixed([1.5], base=2, precision_fractional=4),
    )
    assert decoded(one + other) == [2.75]
    assert decoded(one + binary) == [3.0]
    assert decoded(binary - one) == [0.0]
    assert decoded(one * binary) == [2.25]
    assert decoded(binary == one) == [1.0]
    assert decoded(other < binary) == [1.0]
    assert decoded(torch.cat([other, one, binary])) == [1.25, 1.5, 1.5]


def test_integers_and_numbers_make_numbers(workers: list[Worker]) -> None:
    bob, alice, james = workers
    whole = torch.tensor([3, -1]).share(bob, alice, crypto_provider=james)
    number = fixed([0.5, 0.25])
    for run, expected in (
        (lambda a, b: a + b, [3.5, -0.75]), (lambda a, b: a - b, [2.5, -1.25]), (lambda a, b: a * b, [1.5, -0.25])
    ):  # fmt: skip
        assert decoded(run(whole, number).get()) == pytest.approx(expected, abs=2e-3)
    with pytest.raises(UsageError, match="in place"):
        whole.add_(number)


def test_structure() -> None:
    x, plain = fixed([[1.0, 2.0], [3.0, 4.0]]), torch.tensor([[1.0, 2.0], [3.0, 4.0]])
    for run in (
        lambda v: v.sum(0), lambda v: v.cumsum(1), lambda v: v.view(4), lambda v: v.t(), lambda v: v.flip(0),
        lambda v: v.roll(1, 0), lambda v: torch.cat([v, v], 1), lambda v: torch.stack([v, v]), lambda v: v[:, 1],
        lambda v: v.chunk(2)[1], lambda v: v.split(1)[0], lambda v: v.clone(), lambda v: v.unsqueeze(0).permute(2, 0, 1),
        lambda v: F.pad(v, (1, 1), value=2.5),
    ):  # fmt: skip
        assert torch.equal(run(x).float_prec(), run(plain))


def test_n12_elements_are_set() -> None:
    """In 0.2.4 a constant was written into every share. Views change the tensor that they are taken from."""
    x = fixed([[1.0, 2.0], [3.0, 4.0]])
    x[0] = 5
    x[1, 1] = 2.5
    x[:, 0] = fixed([7.0, 8.0])
    x[torch.tensor([[False, True], [False, False]])] = -1.0
    assert x.float_prec().tolist() == [[7.0, -1.0], [8.0, 2.5]]
    with pytest.raises(UsageError, match="cannot take"):
        x.add_(torch.ones(3, 2, 2))
    plain = torch.zeros(2)
    with pytest.raises(SyftError):
        plain[0] = fixed(1.0)
    x.t().add_(1)
    x[0].mul_(2)
    x.view(4)[3:].zero_()
    assert x.float_prec().tolist() == [[16.0, 0.0], [9.0, 0.0]]


def test_shape_changes_in_place() -> None:
    x = fixed([[1.0, 2.0, 3.0]])
    x.t_()
    assert x.shape == x.float_prec().shape == (3, 1)
    x.squeeze_(1)
    assert x.shape == (3,) and decoded(x * x) == [1.0, 4.0, 9.0]
    x.data = x * 2
    assert decoded(x) == [2.0, 4.0, 6.0]
    with pytest.raises(UsageError, match=r"x\.data"):
        x.data = torch.ones(3)


def test_n17_a_bias_is_never_dropped() -> None:
    """However the function was called before."""
    x, w, b = fixed([[1.0, -2.0]]), fixed([[1.0, 2.0], [0.0, 1.0]]), fixed([10.0, 20.0])
    assert decoded(F.linear(x, w)) == [-3.0, -2.0]
    assert decoded(F.linear(x, w, b)) == [7.0, 18.0]
    image, kernel = fixed([[[[1.0, 2.0], [3.0, 4.0]]]]), fixed([[[[1.0]]]])
    assert decoded(F.conv2d(image, kernel)) == [1.0, 2.0, 3.0, 4.0]
    assert decoded(F.conv2d(image, kernel, fixed([10.0]))) == [11.0, 12.0, 13.0, 14.0]


def test_n18_convolutions_without_bias() -> None:
    """In 0.2.4 a bias was mandatory; stride, padding, dilation and groups are those of torch."""
    x, w = torch.randn(2, 4, 6, 6), torch.randn(6, 2, 3, 3)
    encoding = {"base": 2, "precision_fractional": 16}
    for settings in ({}, {"stride": 2}, {"padding": 3}, {"dilation": 2}, {"stride": (2, 1), "padding": (0, 1)}):
        out = F.conv2d(x.fix_prec(**encoding), w.fix_prec(**encoding), groups=2, **settings)
        assert torch.allclose(out.float_prec(), F.conv2d(x, w, groups=2, **settings), atol=1e-3)


def test_n5_an_op_without_a_rule_is_refused_by_its_name() -> None:
    """Nothing is computed on raw integers that would have another meaning."""
    x = fixed([1.0, 2.0])
    for run, name in ((torch.frac, "frac"), (torch.erfinv, "erfinv"), (lambda v: torch.fft.fft(v), "fft")):
        with pytest.raises(NotImplementedError, match=name):
            run(x)


def test_the_chain_travels(bob: Worker) -> None:
    pointer = fixed([1.5, -2.0]).send(bob)
    assert decoded(pointer.get()) == [1.5, -2.0]


def test_a_pointer_is_encoded_where_it_points(bob: Worker) -> None:
    pointer = torch.tensor([1.5]).send(bob).fix_prec()
    assert "PointerTensor" in repr(pointer)
    assert pointer.float_prec().get().item() == 1.5
    assert decoded(pointer.get()) == [1.5]


def test_refresh_is_for_shares() -> None:
    with pytest.raises(UsageError, match="Refresh should only be called on AdditiveSharedTensors"):
        fixed([1.0]).refresh()


def test_n11_training_works_without_optimizer_fix_precision(workers: list[Worker]) -> None:
    """0.2.4 destroyed the weights; momentum, weight decay and Adam's state are encoded as the parameters are."""
    bob, alice, james = workers
    torch.manual_seed(1)
    x, y = torch.randn(8, 3), torch.randn(8, 1)
    for make in (
        lambda p: torch.optim.SGD(p, lr=0.1, momentum=0.9, weight_decay=0.01),
        lambda p: torch.optim.SGD(p, lr=0.1).fix_precision(),
    ):
        plain = nn.Linear(3, 1)
        secret = nn.Linear(3, 1)
        secret.load_state_dict(plain.state_dict())
        secret.fix_precision(base=2, precision_fractional=16).share(bob, alice, crypto_provider=james)
        data, target = (
            v.fix_precision(base=2, precision_fractional=16).share(bob, alice, crypto_provider=james) for v in (x, y)
        )
        for model, (a, b) in ((plain, (x, y)), (secret, (data, target))):
            optimizer = make(model.parameters())
            for _ in range(3):
                optimizer.zero_grad()
                ((model(a) - b) ** 2).mean().backward()
                optimizer.step()
        assert torch.allclose(secret.get().float_precision().weight, plain.weight, atol=5e-3)
