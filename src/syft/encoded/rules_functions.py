"""Rules of quotients and of functions that are approximated, on encoded tensors."""

from __future__ import annotations

from typing import Any

import torch

from syft.encoded import activations
from syft.encoded import functions as f
from syft.encoded import number as n
from syft.encoded.number import Number, settled
from syft.encoded.tensor import composed, number, rule
from syft.exceptions import UnsupportedOp

aten = torch.ops.aten

_NOISE = 8
"""Optimizers divide by sizes of gradients. Below this, as integers, these are nothing but rounding, of zero."""


@rule(aten.reciprocal)
def _reciprocal(a: Number) -> Number:
    return f.reciprocal(a)


@rule(aten.div)
def _div(a: Any, b: Any, rounding_mode: str | None = None) -> Number:
    if rounding_mode is not None:
        raise UnsupportedOp(
            f"division with rounding_mode={rounding_mode!r} has no rule for fixed-precision and shared tensors; divide "
            "without it"
        )
    return divided(a, b)


def divided(a: Any, b: Any, smallest: int = 1) -> Number:
    """a / b, where one of them is a number; integers of b below the smallest one count as zero."""
    if not isinstance(b, Number):
        return f.quotient_by_public(a, b)
    a = number(a, b)
    return f.quotient(a, b if b.encoding is not None else Number(b.raw, b.scale, a.encoding), smallest=smallest)


@composed(torch.Tensor.__rtruediv__)
def _rtruediv(a: Any, b: Any) -> Any:
    return torch.div(torch.as_tensor(b), a)  # torch multiplies by a reciprocal, which was rounded before


@rule(aten.addcdiv)
def _addcdiv(a: Any, b: Any, c: Any, value: Any = 1) -> Number:
    product = divided(b, c, _NOISE)
    return n.add(number(a, product), product if value == 1 else n.multiply(product, number(value, product)))


rule(aten.exp)(f.exp)
rule(aten.log)(f.log)
rule(aten.sqrt)(f.sqrt)
rule(aten.rsqrt)(f.rsqrt)


@rule(aten.sigmoid)
def _sigmoid(a: Number) -> Number:
    return activations.sigmoid(a)


@rule(aten.sigmoid_backward)
def _sigmoid_backward(g: Any, out: Number) -> Number:
    slope = settled(n.multiply(out, n.sub(number(1, out), out)))
    return n.multiply(number(g, out), slope)


@rule(aten.tanh)
def _tanh(a: Number) -> Number:
    return activations.tanh(a)


@rule(aten.tanh_backward)
def _tanh_backward(g: Any, out: Number) -> Number:
    return n.multiply(number(g, out), settled(n.sub(number(1, out), n.square(out))))


@rule(aten.softplus)
def _softplus(a: Number, beta: float = 1, threshold: float = 20) -> Number:
    return n.multiply(activations.softplus(_times(a, beta)), number(1 / beta, a))


@rule(aten.softplus_backward)
def _softplus_backward(g: Any, a: Number, beta: float, threshold: float) -> Number:
    return n.multiply(number(g, a), activations.sigmoid(_times(a, beta)))


@rule(aten.log_sigmoid_forward)
def _log_sigmoid(a: Number) -> tuple[Number, torch.Tensor]:
    return n.neg(activations.softplus(n.neg(a))), torch.empty(0)


@rule(aten.log_sigmoid_backward)
def _log_sigmoid_backward(g: Any, a: Number, buffer: Any) -> Number:
    return n.multiply(number(g, a), activations.sigmoid(n.neg(a)))


def _times(a: Number, factor: float) -> Number:
    return a if factor == 1 else n.multiply(a, number(factor, a))


@rule(aten.gelu)
def _gelu(a: Number, approximate: str = "none") -> Number:
    return activations.gelu(a, approximate)


@rule(aten.gelu_backward)
def _gelu_backward(g: Any, a: Number, approximate: str = "none") -> Number:
    return n.multiply(number(g, a), activations.gelu_slope(a, approximate))


@rule(aten.silu)
def _silu(a: Number) -> Number:
    return activations.silu(a)


@rule(aten.silu_backward)
def _silu_backward(g: Any, a: Number) -> Number:
    return n.multiply(number(g, a), activations.silu_slope(a))


@rule(aten.elu)
def _elu(a: Number, alpha: float = 1, scale: float = 1, input_scale: float = 1) -> Number:
    return activations.elu(a, alpha * scale, scale, input_scale)


@rule(aten.elu_backward)
def _elu_backward(g: Any, alpha: float, scale: float, input_scale: float, is_result: bool, a: Number) -> Number:
    if is_result:
        raise UnsupportedOp("elu in place has no gradient for fixed-precision and shared tensors; use inplace=False")
    return n.multiply(number(g, a), activations.elu_slope(a, alpha * scale, scale, input_scale))


@rule(aten.leaky_relu)
def _leaky_relu(a: Number, slope: float = 0.01) -> Number:
    a = settled(a)
    return n.multiply(a, _leak(a, slope))


@rule(aten.leaky_relu_backward)
def _leaky_relu_backward(g: Any, a: Number, slope: float, is_result: bool) -> Number:
    return n.multiply(settled(number(g, a)), _leak(a, slope))


def _leak(a: Number, slope: float) -> Number:
    return n.add(n.multiply(n.less(number(0, a), a), number(1 - slope, a)), number(slope, a))


@rule(aten.hardtanh_backward)
def _hardtanh_backward(g: Any, a: Number, low: float, high: float) -> Number:
    a = settled(a)
    inside = n.sub(n.less(number(low, a), a), n.complement(n.less(a, number(high, a))))
    return n.multiply(settled(number(g, a)), inside)
