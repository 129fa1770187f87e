"""Functions in fixed precision against float64, on grids of ten thousand points and more."""

import math

import pytest
import torch

from syft.encoded import activations as a
from syft.encoded import functions as f
from syft.encoded.encoding import Encoding
from syft.encoded.number import Number
from syft.exceptions import DivisionByZeroError, SyftError, UnsupportedOp, UsageError

pytestmark = pytest.mark.usefixtures("hook")

BINARY, DECIMAL = Encoding(2, 16), Encoding(10, 3)
ENCODINGS = [BINARY, DECIMAL, Encoding(10, 4), Encoding(10, 6), Encoding(2, 20)]


def number(raw, encoding):
    return Number(raw, encoding.scale, encoding)


def real(out):
    assert out.scale == out.unit
    return out.raw.double() / out.scale


def sizes(encoding, top=31):
    """Integers of all sizes below 2^top, both signs."""
    spread = torch.logspace(0, top - 0.001, 20000, base=2, dtype=torch.float64).long()
    raw = torch.unique(torch.cat([spread, torch.arange(1, 3000)]))
    return torch.cat([raw, -raw])


def in_range(raw, encoding):
    limit = {BINARY: 2.0**15, DECIMAL: 2.0**21}.get(encoding, 512.0)
    return raw[raw.abs() < limit * encoding.scale]


@pytest.mark.parametrize("encoding", ENCODINGS, ids=str)
def test_reciprocal(encoding):
    raw = in_range(sizes(encoding), encoding)
    x = raw.double() / encoding.scale
    error = (real(f.reciprocal(number(raw, encoding))) - 1 / x).abs()
    assert (error <= 3 / encoding.scale + 4e-6 / x.abs()).all()


def test_reciprocal_of_positive_numbers_is_the_same():
    raw = in_range(sizes(BINARY), BINARY).abs()
    known, any_sign = (f.reciprocal(number(raw, BINARY), positive=p) for p in (True, False))
    assert (known.raw - any_sign.raw).abs().max() <= 1


@pytest.mark.parametrize("encoding", [BINARY, DECIMAL], ids=str)
def test_reciprocal_outside_of_its_range(encoding):
    out = real(f.reciprocal(number(torch.tensor([2**31 + 2**29, -(2**31) - 2**29, 0]), encoding)))
    assert out.tolist() == [0, 0, 0]


@pytest.mark.parametrize("encoding", ENCODINGS, ids=str)
def test_quotient(encoding):
    raw = in_range(sizes(encoding), encoding)
    above = torch.randint(-(2**31), 2**31, raw.shape, generator=torch.Generator().manual_seed(0))
    exact, ulp = above.double() / raw, 1 / encoding.scale
    error = (real(f.quotient(number(above, encoding), number(raw, encoding))) - exact).abs()
    bound = 3 * ulp + 4e-6 * exact.abs() + ulp / 32 / (raw.abs() * ulp)
    assert (error <= bound)[exact.abs() < 2**21].all()


@pytest.mark.parametrize("divisor", [1, 3, -7, 10, 1000, 2**31, 0.1, 0.001, -2.5, 1000.5, 1e-5, 123456.7])
def test_quotient_by_a_public_number(divisor):
    x = torch.linspace(-100, 100, 10001, dtype=torch.float64)
    tensor = x.fix_precision(base=2, precision_fractional=16)
    exact = tensor.float_precision().double() / divisor
    error = ((tensor / divisor).float_precision() - exact).abs()
    assert (error <= 2**-15 + 1e-6 * exact.abs()).all()


def test_quotient_by_a_public_tensor():
    x = torch.linspace(-100, 100, 10000).reshape(100, 100).fix_precision(base=2, precision_fractional=16)
    divisor = torch.linspace(0.01, 3000, 100)
    exact = x.float_precision() / divisor
    assert ((x / divisor).float_precision() - exact).abs().max() < 2**-15 + 1e-6 * exact.abs().max()


@pytest.mark.parametrize("zero", [0, 0.0, torch.tensor([1.0, 0.0])])
def test_division_by_a_public_zero_is_an_error(zero):
    x = torch.tensor([1.0, 2.0]).fix_precision()
    with pytest.raises(DivisionByZeroError, match="divided by zero") as error:
        x / zero
    assert isinstance(error.value, SyftError) and isinstance(error.value, ZeroDivisionError)


def test_division_has_no_rounding_modes():
    with pytest.raises(UnsupportedOp, match="rounding_mode='floor'"):
        torch.div(torch.ones(2).fix_precision(), 2, rounding_mode="floor")


def test_too_fine_encodings_are_refused():
    with pytest.raises(UsageError, match="use fewer fractional digits"):
        torch.ones(2).fix_precision(base=2, precision_fractional=21).reciprocal()


SPREAD = torch.linspace(-20, 20, 20001, dtype=torch.float64)


def on_grid(function, encoding, points=SPREAD):
    raw = (points * encoding.scale).round().long()
    return real(function(number(raw, encoding))), raw.double() / encoding.scale


@pytest.mark.parametrize("encoding", ENCODINGS, ids=str)
def test_exp(encoding):
    found, x = on_grid(f.exp, encoding)
    exact = x.exp().clamp(max=2**31 / encoding.scale)
    relative = 4e-6 if encoding is BINARY else 4e-5
    assert ((found - exact).abs() <= 2 / encoding.scale + relative * exact).all()
    assert found[0] == 0


@pytest.mark.parametrize("encoding", [BINARY, DECIMAL], ids=str)
def test_exp_does_not_wrap(encoding):
    found = real(f.exp(number(torch.tensor([-(2**31), -(2**30), 2**30, 2**31 - 1]), encoding)))
    assert found.tolist() == [0, 0, 2**31 / encoding.scale, 2**31 / encoding.scale]


def positive(encoding):
    raw = in_range(sizes(encoding), encoding)
    raw = raw[raw > 0]
    return raw, raw.double() / encoding.scale


@pytest.mark.parametrize("encoding", ENCODINGS, ids=str)
def test_log(encoding):
    raw, x = positive(encoding)
    assert ((real(f.log(number(raw, encoding))) - x.log()).abs() <= 2 / encoding.scale + 6e-6).all()


@pytest.mark.parametrize("encoding", ENCODINGS, ids=str)
def test_sqrt(encoding):
    raw, x = positive(encoding)
    error = (real(f.sqrt(number(raw, encoding))) - x.sqrt()).abs()
    assert (error <= 2 / encoding.scale + 4e-6 * x.sqrt()).all()


@pytest.mark.parametrize("encoding", ENCODINGS, ids=str)
def test_rsqrt(encoding):
    raw, x = positive(encoding)
    error = (real(f.rsqrt(number(raw, encoding))) - x.rsqrt()).abs()
    assert (error <= 2 / encoding.scale + 8e-6 * x.rsqrt()).all()


def test_rsqrt_looks_at_digits_that_were_not_divided_away():
    x = torch.rand(10000, dtype=torch.float64, generator=torch.Generator().manual_seed(0)) * 0.01 + 0.001
    raw = (x * BINARY.scale).long()
    squares = Number(raw * raw, BINARY.scale**2, BINARY)
    exact = BINARY.scale / raw.double()
    assert ((real(f.rsqrt(squares)) - exact).abs() / exact).max() < 0.05
    coarse = real(f.rsqrt(Number(raw * raw // BINARY.scale, BINARY.scale, BINARY)))
    assert ((coarse - exact).abs() / exact).max() > 0.3


@pytest.mark.parametrize("encoding", [BINARY, DECIMAL], ids=str)
def test_roots_and_logarithms_outside_of_their_range(encoding):
    x = number(torch.tensor([0, -1, -(2**30), 2**32]), encoding)
    lowest = -math.log(encoding.scale) - 1
    assert real(f.log(x))[:3].tolist() == pytest.approx([lowest] * 3, abs=2e-3)
    assert real(f.sqrt(x))[:3].tolist() == real(f.rsqrt(x))[:3].tolist() == [0, 0, 0]
    top = 8.0 ** {BINARY: 5, DECIMAL: 7}[encoding]
    assert real(f.sqrt(x))[3] == pytest.approx(top**0.5, abs=0.01)
    assert real(f.log(x))[3] == pytest.approx(math.log(top), abs=2e-3)


GELU = torch.nn.functional.gelu
ACTIVATIONS = {
    "sigmoid": (a.sigmoid, torch.sigmoid, 7e-6),
    "tanh": (a.tanh, torch.tanh, 1.3e-5),
    "softplus": (a.softplus, torch.nn.functional.softplus, 7e-6),
    "gelu": (lambda x: a.gelu(x, "none"), GELU, 2e-6),
    "gelu by tanh": (lambda x: a.gelu(x, "tanh"), lambda x: GELU(x, approximate="tanh"), 5e-6),
    "silu": (a.silu, torch.nn.functional.silu, 2.5e-5),
    "elu": (lambda x: a.elu(x, 1.3, 1, 1), lambda x: torch.nn.functional.elu(x, 1.3), 1.3e-5),
}


@pytest.mark.parametrize("encoding", [BINARY, DECIMAL, Encoding(10, 6)], ids=str)
@pytest.mark.parametrize("name", ACTIVATIONS)
def test_activations(name, encoding):
    function, exact, bound = ACTIVATIONS[name]
    found, x = on_grid(function, encoding)
    assert (found - exact(x)).abs().max() <= 1.05 / encoding.scale + bound


@pytest.mark.parametrize("name", ["gelu", "gelu by tanh", "silu", "elu"])
def test_slopes_of_activations(name):
    slope = {
        "gelu": lambda x: a.gelu_slope(x, "none"),
        "gelu by tanh": lambda x: a.gelu_slope(x, "tanh"),
        "silu": a.silu_slope,
        "elu": lambda x: a.elu_slope(x, 1.3, 1, 1),
    }[name]
    points = SPREAD + 0.0003  # torch's own slope of elu jumps at 0
    found, x = on_grid(slope, BINARY, points)
    x.requires_grad_()
    ACTIVATIONS[name][1](x).sum().backward()
    assert (found - x.grad).abs().max() <= 2**-16 + 6e-5


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_activations_far_away_are_their_asymptotes(name):
    function, exact, _ = ACTIVATIONS[name]
    x = torch.tensor([-32000.0, -1000.0, 1000.0, 32000.0], dtype=torch.float64)
    assert (on_grid(function, BINARY, x)[0] - exact(x)).abs().max() <= 2**-15


@pytest.mark.parametrize("encoding", [BINARY, DECIMAL], ids=str)
@pytest.mark.parametrize("length", [1, 2, 7, 10, 100, 600])
def test_softmax(length, encoding):
    x = 4 * torch.randn(1 + 10000 // length, length, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    for function, exact, ulps in ((f.softmax, torch.softmax, 3), (f.log_softmax, torch.log_softmax, 5)):
        found, x = on_grid(lambda n, function=function: function(n, 1), encoding, x)
        assert (found - exact(x, 1)).abs().max() <= (ulps + length / 30) / encoding.scale


def test_softmax_of_numbers_far_apart():
    x = torch.tensor([[30000.0, -30000.0, 0.0], [5.0, 5.0, -20000.0]], dtype=torch.float64)
    assert (on_grid(lambda n: f.softmax(n, 1), BINARY, x)[0] - x.softmax(1)).abs().max() < 2**-14
    assert (on_grid(lambda n: f.softmax(n, 0), BINARY, x)[0] - x.softmax(0)).abs().max() < 2**-14
