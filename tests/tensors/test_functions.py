"""Functions in fixed precision against float64, on grids of ten thousand points and more."""

import pytest
import torch

from syft.exceptions import DivisionByZeroError, SyftError, UnsupportedOp, UsageError
from syft.tensors import functions as f
from syft.tensors.encoding import Encoding
from syft.tensors.number import Number

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
