"""Chebyshev series and polynomials, against their definition and against 0.2.4's numbers."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch

import syft as sy
from syft.chebyshev import chebyshev_polynomials, chebyshev_series
from syft.exceptions import SyftError

# What 0.2.4 returned; even coefficients of odd functions are noise there.
TANH_6 = {1: 1.2583, 3: -0.38264, 5: 0.19325, 7: -0.10890, 9: 0.063565, 11: -0.037576, 21: 0.0028172, 31: -0.00033664}
SIGMOID_2 = [1.0, 0.40582, 0.0, -0.026932, 0.0]


def test_the_series_of_0_2_4() -> None:
    series = chebyshev_series(torch.tanh, 6, 32)
    assert (series.shape, series.dtype) == ((32,), torch.float32)
    for order, value in TANH_6.items():
        assert series[order].item() == pytest.approx(value, abs=5e-6 + 5e-5 * abs(value))
    assert series[::2].abs().max() < 1e-6
    assert chebyshev_series(torch.sigmoid, 2, 5).tolist() == pytest.approx(SIGMOID_2, abs=1e-5)


@pytest.mark.parametrize(("func", "width"), [(torch.tanh, 3.0), (torch.exp, 1.0), (torch.sin, 2.0)])
def test_the_series_approximates_the_function(func: Callable[[torch.Tensor], torch.Tensor], width: float) -> None:
    series = chebyshev_series(func, width, 24).double().numpy()
    series[0] /= 2
    x = torch.linspace(-width, width, 101, dtype=torch.float64)
    approximation = np.polynomial.chebyshev.chebval(x.numpy() / width, series)
    assert np.abs(approximation - func(x).numpy()).max() < 1e-4


@pytest.mark.parametrize("terms", [6, 8, 32])
def test_the_polynomials_are_those_of_odd_degree(terms: int) -> None:
    x = torch.linspace(-1, 1, 21, dtype=torch.float64).view(3, 7)
    out = chebyshev_polynomials(x, terms)
    assert out.shape == (terms // 2, 3, 7)
    for row, degree in enumerate(range(1, terms, 2)):
        expected = np.polynomial.chebyshev.Chebyshev.basis(degree)(x.numpy())
        assert np.allclose(out[row].numpy(), expected, atol=1e-9)


def test_the_polynomials_of_0_2_4() -> None:
    out = chebyshev_polynomials(torch.tensor(0.3), 10)
    assert out.tolist() == pytest.approx([0.3, -0.792, 0.9989, -0.8462, 0.3888], abs=1e-4)


def test_series_and_polynomials_belong_together() -> None:
    x = torch.linspace(-4, 4, 81)
    series = chebyshev_series(torch.tanh, 6, 32)
    assert torch.allclose(series[1::2] @ chebyshev_polynomials(x / 6), torch.tanh(x), atol=1e-3)


@pytest.mark.parametrize("terms", [5, 7, 4, 2, 0, -6])
def test_odd_or_too_few_terms_are_refused(terms: int) -> None:
    with pytest.raises(ValueError, match="must be even and >= 6") as raised:
        chebyshev_polynomials(torch.ones(1), terms)
    assert isinstance(raised.value, SyftError)


def test_a_series_has_terms() -> None:
    with pytest.raises(ValueError, match="at least 1"):
        chebyshev_series(torch.tanh, 1, 0)


def test_remote_tensors_stay_remote(bob: sy.VirtualWorker) -> None:
    x = torch.tensor([0.0, 0.5, 1.0])
    there = chebyshev_polynomials(x.send(bob), 6)
    assert there.location == bob
    assert torch.equal(there.get(), chebyshev_polynomials(x, 6))


def test_gradients_pass() -> None:
    x = torch.tensor([0.5], requires_grad=True)
    chebyshev_polynomials(x, 6)[1].sum().backward()
    assert x.grad is not None
    assert x.grad.item() == pytest.approx(12 * 0.25 - 3)


def test_the_old_path() -> None:
    from syft.common import util

    assert util.chebyshev_series is chebyshev_series
