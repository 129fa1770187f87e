"""Rules of what layers are made of: rectifiers, convolutions, pooling, losses."""

from __future__ import annotations

from typing import Any

import torch

from syft.encoded import number as n
from syft.encoded.number import Number, guarded, settled
from syft.encoded.ring import ring_of
from syft.encoded.rules_structure import total
from syft.encoded.tensor import number, rule
from syft.exceptions import UnsupportedOp

aten = torch.ops.aten


@rule(aten.relu)
def rectified(a: Number) -> Number:
    """The values where they are not below zero, else 0."""
    a = n.compared(a)
    factor = guarded(a)
    if factor is a:
        return a.with_raw(ring_of(a.raw).rectified(a.raw))
    # What is to be divided is compared as it is: one opening serves both.
    passes = a.with_raw(ring_of(a.raw).nonnegative(a.raw), 1)
    out = n.multiply(factor, passes)
    if not isinstance(out.raw, torch.Tensor):
        out.raw.passes = lambda: passes.raw
    return out


@rule(aten.threshold_backward)
def _threshold_backward(g: Any, result: Number, threshold: Any) -> Number:
    g = number(g, result)
    # A shared result remembers where the rectifier let values pass.
    passes = getattr(result.raw, "passes", None)
    bits = n.less(number(threshold, result), result) if passes is None else result.with_raw(passes(), 1)
    return n.multiply(guarded(g), bits)


@rule(aten.clamp)
def _clamp(a: Number, low: Any = None, high: Any = None) -> Number:
    out = a
    if low is not None:
        out = n.add(rectified(n.sub(out, number(low, a))), number(low, a))
    if high is not None:
        out = n.sub(number(high, a), rectified(n.sub(number(high, a), out)))
    return out


@rule(aten.hardtanh)
def _hardtanh(a: Number, low: Any = -1, high: Any = 1) -> Number:
    return _clamp(a, low, high)


@rule(aten.clamp_min)
def _clamp_min(a: Number, low: Any) -> Number:
    return _clamp(a, low)


@rule(aten.clamp_max)
def _clamp_max(a: Number, high: Any) -> Number:
    return _clamp(a, None, high)


@rule(aten.maximum)
def _maximum(a: Any, b: Any) -> Number:
    like = a if isinstance(a, Number) else b
    a, b = settled(number(a, like)), settled(number(b, like))
    return n.add(b, rectified(n.sub(a, b)))


@rule(aten.minimum)
def _minimum(a: Any, b: Any) -> Number:
    like = a if isinstance(a, Number) else b
    a, b = settled(number(a, like)), settled(number(b, like))
    return n.sub(a, rectified(n.sub(a, b)))


@rule(aten.convolution)
def _convolution(
    x: Any, w: Any, bias: Any, stride: Any, padding: Any, dilation: Any, transposed: bool, out_padding: Any, groups: int
) -> Number:
    like = x if isinstance(x, Number) else w
    if transposed:
        raise UnsupportedOp("transposed convolutions have no rule for fixed-precision and shared tensors")
    x, w = number(x, like), number(w, like)
    flat = len(w.shape) == 3  # a convolution over one dimension
    if flat:
        x, w = x.moved("unsqueeze", 2), w.moved("unsqueeze", 2)
    out = n.multiply(x, w, "conv", _spec(stride, padding, dilation, groups))
    if bias is not None:
        out = n.add(out, number(bias, like).moved("view", [1, -1, 1, 1]))
    return out.moved("squeeze", 2) if flat else out


def _spec(stride: Any, padding: Any, dilation: Any, groups: int) -> tuple[Any, ...]:
    def pair(value: Any, fill: int) -> tuple[int, int]:
        return (fill, value[0]) if len(value) == 1 else (value[0], value[1])

    return pair(stride, 1), pair(padding, 0), pair(dilation, 1), groups


@rule(aten.convolution_backward)
def _convolution_backward(
    g: Any, x: Any, w: Any, bias_sizes: Any, stride: Any, padding: Any, dilation: Any, transposed: bool,
    out_padding: Any, groups: int, wanted: Any,
) -> Any:  # fmt: skip
    like = next(v for v in (g, x, w) if isinstance(v, Number))
    g, x, w = guarded(number(g, like)), number(x, like), number(w, like)
    flat = len(w.shape) == 3
    if flat:
        g, x, w = (v.moved("unsqueeze", 2) for v in (g, x, w))
    spec = _spec(stride, padding, dilation, groups)
    out: list[Any] = [None, None, None]
    if wanted[0]:
        out[0] = n.multiply(g, w, "conv_input", (*spec, tuple(x.shape[2:])))
    if wanted[1]:
        out[1] = n.multiply(x, g, "conv_weight", (*spec, tuple(w.shape[2:])))
    if wanted[2]:
        out[2] = total(g, [0, 2, 3])
    return tuple([v.moved("squeeze", 2) if flat and v is not None and len(v.shape) == 4 else v for v in out])


@rule(aten.avg_pool2d)
def _avg_pool2d(
    a: Number, size: Any, stride: Any = (), padding: Any = 0, ceil_mode: bool = False, count_padding: bool = True,
    divisor: Any = None,
) -> Number:  # fmt: skip
    windows = pooled_windows(a, size, stride or size, padding, ceil_mode)
    if not count_padding and any(_pair(padding)):
        raise UnsupportedOp("avg_pool2d with padding has no rule for count_include_pad=False; leave it at True")
    summed = total(windows, [-1])
    return summed.with_raw(summed.raw, summed.scale * (divisor or windows.shape[-1]))


@rule(aten.avg_pool2d_backward)
def _avg_pool2d_backward(
    g: Number, a: Any, size: Any, stride: Any, padding: Any, ceil_mode: bool, count_padding: bool, divisor: Any
) -> Number:
    kernel = _pair(size)
    spread = spread_windows(g.moved("unsqueeze", -1), a.shape, kernel, _pair(stride or size), _pair(padding))
    return spread.with_raw(spread.raw, spread.scale * (divisor or kernel[0] * kernel[1]))


def pooled_windows(a: Number, size: Any, stride: Any, padding: Any, ceil_mode: bool) -> Number:
    """The windows of a pooling: (batch, channels, out height, out width, elements)."""
    if ceil_mode:
        raise UnsupportedOp("mean pooling with ceil_mode=True has no rule for fixed-precision and shared tensors")
    (kh, kw), (sh, sw), (ph, pw) = _pair(size), _pair(stride), _pair(padding)
    if ph or pw:
        a = a.moved("constant_pad_nd", [pw, pw, ph, ph], 0)
    lead = len(a.shape) - 2
    a = a.moved("unfold", lead, kh, sh).moved("unfold", lead + 1, kw, sw)
    return a.moved("view", [*a.shape[:-2], kh * kw])


def spread_windows(g: Number, shape: Any, kernel: Any, stride: Any, padding: Any) -> Number:
    """The gradient of what windows were taken from.

    Args:
        g: (…, out height, out width, elements of a window, or 1 for all of them).
        shape: of what the windows were taken from.
        kernel: height and width of a window.
        stride: between windows.
        padding: on each side.
    """
    kh, kw = kernel
    lead = list(g.shape[:-1])
    if g.shape[-1] == 1:
        g = g.moved("expand", [*lead, kh * kw])
    g = g.moved("view", [*lead, kh, kw])
    height, width = shape[-2] + 2 * padding[0], shape[-1] + 2 * padding[1]
    dims = len(lead)
    outer = list(shape[:-2])
    out_h = lead[-2]
    # Undo the windows over the width, then over the height.
    g = g.moved("permute", [*range(dims - 2), dims - 2, dims, dims - 1, dims + 1])
    g = g.moved("unfold_backward", [*outer, out_h, kh, width], dims, kw, stride[1])
    g = g.moved("permute", [*range(dims - 2), dims - 2, dims, dims - 1])
    g = g.moved("unfold_backward", [*outer, height, width], dims - 2, kh, stride[0])
    if padding[0] or padding[1]:
        g = g.moved("slice", dims - 2, padding[0], height - padding[0])
        g = g.moved("slice", dims - 1, padding[1], width - padding[1])
    return g


def _pair(value: Any) -> tuple[int, int]:
    if isinstance(value, int):
        return value, value
    return (value[0], value[0]) if len(value) == 1 else (value[0], value[1])


@rule(aten.mse_loss)
def _mse_loss(a: Any, b: Any, reduction: int = 1) -> Number:
    like = a if isinstance(a, Number) else b
    squares = n.square(n.sub(number(a, like), number(b, like)))
    if reduction == 0:
        return squares
    summed = total(squares)
    return summed if reduction == 2 else summed.with_raw(summed.raw, summed.scale * max(1, squares.shape.numel()))


@rule(aten.mse_loss_backward)
def _mse_loss_backward(g: Any, a: Any, b: Any, reduction: int) -> Number:
    like = a if isinstance(a, Number) else b
    difference = n.multiply(n.sub(number(a, like), number(b, like)), number(2, like))
    if reduction == 1:
        difference = difference.with_raw(difference.raw, difference.scale * max(1, difference.shape.numel()))
    return n.multiply(difference, number(g, like))
