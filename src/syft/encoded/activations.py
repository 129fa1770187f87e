"""Activations in pieces: polynomials of degree 8 between asymptotes, see `syft.encoded.polynomials`.

Each takes 12 rounds. The range is everything below 2^31 ulp; beyond the pieces the asymptotes hold.
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import Any

import numpy as np

from syft.encoded.number import Number
from syft.encoded.polynomials import Function, pieces_of, piecewise

_DEGREE = 8
_ZERO, _ONE, _IDENTITY = (0.0, 0.0), (1.0, 0.0), (0.0, 1.0)
_erf = np.vectorize(math.erf, otypes=[float])


def sigmoid(x: Number) -> Number:
    """1 / (1 + exp(-x)). Error: 1 ulp + 7e-6."""
    return piecewise(x, pieces_of(_sigmoid, -12, 12, 2, _DEGREE, _ZERO, _ONE))


def tanh(x: Number) -> Number:
    """The hyperbolic tangent. Error: 1 ulp + 1.3e-5."""
    return piecewise(x, pieces_of(np.tanh, -6, 6, 1, _DEGREE, (-1.0, 0.0), _ONE))


def softplus(x: Number) -> Number:
    """log(1 + exp(x)). Error: 1 ulp + 7e-6."""
    return piecewise(x, pieces_of(_softplus, -12, 12, 2, _DEGREE, _ZERO, _IDENTITY))


def gelu(x: Number, approximate: str) -> Number:
    """x times the normal distribution function, or its approximation by tanh. Error: 1 ulp + 2e-6."""
    return piecewise(x, pieces_of(_GELU[approximate][0], -6, 6, 1, _DEGREE, _ZERO, _IDENTITY))


def gelu_slope(x: Number, approximate: str) -> Number:
    """The derivative of `gelu`. Error: 1 ulp + 3e-6."""
    return piecewise(x, pieces_of(_GELU[approximate][1], -6, 6, 1, _DEGREE, _ZERO, _ONE))


def silu(x: Number) -> Number:
    """x sigmoid(x). Error: 1 ulp + 2.5e-5."""
    return piecewise(x, pieces_of(_silu, -16, 16, 2, _DEGREE, _ZERO, _IDENTITY))


def silu_slope(x: Number) -> Number:
    """The derivative of `silu`. Error: 1 ulp + 6e-5."""
    return piecewise(x, pieces_of(_silu_slope, -16, 16, 2, _DEGREE, _ZERO, _ONE))


def elu(x: Number, negative: float, positive: float, inside: float) -> Number:
    """``negative (exp(inside x) - 1)`` below zero, ``positive x`` above. Error: 1 ulp + negative 1e-5."""
    low, half = _elu_pieces(inside)
    return piecewise(x, pieces_of(_elu(negative, inside), low, 0, half, _DEGREE, (-negative, 0.0), (0.0, positive)))


def elu_slope(x: Number, negative: float, positive: float, inside: float) -> Number:
    """The derivative of `elu`."""
    low, half = _elu_pieces(inside)
    function = _elu_slope(negative * inside, inside)
    return piecewise(x, pieces_of(function, low, 0, half, _DEGREE, _ZERO, (positive, 0.0)))


def _elu_pieces(inside: float) -> tuple[float, float]:
    half = 2.0 ** round(-math.log2(inside))
    return -12 * half, half


@lru_cache(maxsize=64)
def _elu(negative: float, inside: float) -> Function:
    return lambda x: negative * np.expm1(inside * x)


@lru_cache(maxsize=64)
def _elu_slope(negative: float, inside: float) -> Function:
    return lambda x: negative * np.exp(inside * x)


def _sigmoid(x: Any) -> Any:
    return 1 / (1 + np.exp(-x))


def _softplus(x: Any) -> Any:
    return np.logaddexp(0, x)


def _silu(x: Any) -> Any:
    return x * _sigmoid(x)


def _silu_slope(x: Any) -> Any:
    s = _sigmoid(x)
    return s * (1 + x * (1 - s))


def _gelu(x: Any) -> Any:
    return x * (1 + _erf(x / math.sqrt(2))) / 2


def _gelu_slope(x: Any) -> Any:
    return (1 + _erf(x / math.sqrt(2))) / 2 + x * np.exp(-x * x / 2) / math.sqrt(2 * math.pi)


def _inner(x: Any) -> Any:
    return math.sqrt(2 / math.pi) * (x + 0.044715 * x**3)


def _tanh_gelu(x: Any) -> Any:
    return x * (1 + np.tanh(_inner(x))) / 2


def _tanh_gelu_slope(x: Any) -> Any:
    t = np.tanh(_inner(x))
    return (1 + t) / 2 + x * (1 - t * t) * math.sqrt(2 / math.pi) * (1 + 3 * 0.044715 * x**2) / 2


_GELU = {"none": (_gelu, _gelu_slope), "tanh": (_tanh_gelu, _tanh_gelu_slope)}
