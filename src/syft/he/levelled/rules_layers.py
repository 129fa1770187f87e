"""Rules of layers on encrypted tensors, and what to use in the place of those that ciphertexts cannot have."""

from __future__ import annotations

import math
from typing import Any

import torch
import torch.nn.functional as F
from torch import _VF

from syft.exceptions import UnsupportedOp
from syft.he.levelled.operations import add_plain, total, weighted
from syft.he.levelled.slots import CiphertextLink, check_elements
from syft.he.levelled.tensor import REMEDIES, CiphertextTensor, composed, refuse, rule

aten = torch.ops.aten
Link = CiphertextLink


@composed(F.linear)
def _linear(input: Any, weight: Any, bias: Any = None) -> Any:
    if not isinstance(input, CiphertextTensor) or isinstance(weight, CiphertextTensor):
        raise UnsupportedOp("a linear layer is computed on encrypted inputs with plain weights")
    a = input.child
    if a.batch is None or not a.places.dim() or a.places.shape[-1] != weight.shape[-1]:
        raise UnsupportedOp(
            f"a linear layer of {weight.shape[-1]} inputs takes (samples, ..., {weight.shape[-1]}), not "
            f"{tuple(input.shape)}"
        )
    lead = a.places.shape[:-1]
    out = weighted(a, a.places.reshape(-1, weight.shape[-1]), weight.reshape(-1, weight.shape[-1]))
    out = out.with_places(out.places.reshape(*lead, *weight.shape[:-1]))
    return CiphertextTensor(out if bias is None else add_plain(out, bias if bias.dim() == 0 else _row(bias, out)))


def _row(bias: torch.Tensor, out: Link) -> torch.Tensor:
    return bias.reshape([1] * (len(out.shape) - bias.dim()) + list(bias.shape))


@rule(aten.convolution)
def _convolution(
    x: Any, w: Any, bias: Any, stride: Any, padding: Any, dilation: Any, transposed: bool, out_padding: Any, groups: int
) -> Link:
    if transposed or not isinstance(x, Link) or isinstance(w, Link) or w.dim() not in (3, 4):
        raise UnsupportedOp(
            "convolutions over one or two dimensions are computed on encrypted inputs with plain weights, and "
            "transposed ones are not"
        )
    dims = w.dim() - 2
    windows = _windows(x.places, w.shape[2:], *[_each(v, dims) for v in (stride, padding, dilation)])
    spatial = windows.shape[1 : 1 + dims]
    outputs, inputs = w.shape[0] // groups, w.shape[1]
    parts = []
    for group in range(groups):
        rows = windows[group * inputs : (group + 1) * inputs]  # (channels, *spatial, *kernel)
        rows = rows.permute(*range(1, 1 + dims), 0, *range(1 + dims, 1 + 2 * dims)).reshape(spatial.numel(), -1)
        kernels = w[group * outputs : (group + 1) * outputs].reshape(outputs, -1)
        parts.append(weighted(x, rows, kernels))
    vectors: list[Any] = []
    places = []
    for part in parts:
        places.append(torch.where(part.places > 0, part.places + len(vectors), 0).t().reshape(outputs, *spatial))
        vectors += part.vectors
    out = x.with_vectors(vectors, torch.cat(places), parts[0].level, parts[0].factor)
    return out if bias is None else add_plain(out, bias.reshape(1, -1, *[1] * dims))


def _windows(places: torch.Tensor, kernel: Any, stride: Any, padding: Any, dilation: Any) -> torch.Tensor:
    """The places under a kernel at each of its positions: (channels, *positions, *kernel)."""
    spans = [(size - 1) * gap + 1 for size, gap in zip(kernel, dilation, strict=True)]
    padded = [size + 2 * p for size, p in zip(places.shape[1:], padding, strict=True)]
    if any(span > size for span, size in zip(spans, padded, strict=True)):
        raise UnsupportedOp(f"a kernel that reaches over {spans} does not fit {padded} with padding")
    positions = [(size - span) // step + 1 for size, span, step in zip(padded, spans, stride, strict=True)]
    check_elements(places.shape[0] * max(math.prod(padded), math.prod(positions) * math.prod(kernel)))
    pad = [p for size in reversed(padding) for p in (size, size)]
    out = torch.constant_pad_nd(places, pad, 0)
    for dim, (span, step, gap) in enumerate(zip(spans, stride, dilation, strict=True)):
        out = out.unfold(1 + dim, span, step)[..., ::gap]
    return out


def _each(value: Any, dims: int) -> list[int]:
    values = [value] if isinstance(value, int) else list(value)
    return values * dims if len(values) == 1 else values


@rule(aten.avg_pool2d)
def _avg_pool2d(
    a: Link, size: Any, stride: Any = (), padding: Any = 0, ceil_mode: bool = False, count_padding: bool = True,
    divisor: Any = None,
) -> Link:  # fmt: skip
    kernel, steps, pad = _each(size, 2), _each(stride or size, 2), _each(padding, 2)
    if ceil_mode or (any(pad) and not count_padding):
        raise UnsupportedOp("mean pooling takes ceil_mode=False, and count_include_pad=True where there is padding")
    lead = a.places.shape[:-2]
    windows = _windows(a.places.reshape(-1, *a.places.shape[-2:]), kernel, steps, pad, [1, 1])
    windows = windows.reshape(*lead, *windows.shape[1:3], -1)
    summed = total(a.with_places(windows), [windows.dim()])
    return summed.scaled(1 / (divisor or kernel[0] * kernel[1]))


@rule(aten._adaptive_avg_pool2d)
def _adaptive_avg_pool2d(a: Link, size: Any) -> Link:
    into = _each(size, 2)
    if any(have % want for have, want in zip(a.places.shape[-2:], into, strict=True)):
        raise UnsupportedOp(f"{tuple(a.places.shape[-2:])} pixels are not divided evenly into {into}; use AvgPool2d")
    return _avg_pool2d(a, [have // want for have, want in zip(a.places.shape[-2:], into, strict=True)])


@composed(F.batch_norm)
def _batch_norm(
    input: Any, running_mean: Any, running_var: Any, weight: Any = None, bias: Any = None, training: bool = False,
    momentum: float = 0.1, eps: float = 1e-5,
) -> Any:  # fmt: skip
    if training or running_mean is None:
        raise UnsupportedOp("batch norm needs the statistics of training on ciphertexts: call module.eval() before")
    shape = [1, -1, *[1] * (input.dim() - 2)]
    factor = torch.rsqrt(running_var.double() + eps)
    factor = factor if weight is None else factor * weight
    shift = -running_mean * factor if bias is None else bias - running_mean * factor
    return input * factor.reshape(shape) + shift.reshape(shape)


@composed(F.dropout, F.dropout2d, F.alpha_dropout)
def _dropout(input: Any, p: float = 0.5, training: bool = True, inplace: bool = False) -> Any:
    if training and p:
        raise UnsupportedOp("dropout is for training; call module.eval() before a model gets encrypted inputs")
    return input


_COMPARES = (
    "It compares, which ciphertexts cannot. Put a polynomial in its place, and train the model with it: "
    "sy.he.Square(), or sy.he.Polynomial([0.3, 0.5, 0.12]) which is near ReLU from -3 to 3"
)
_AVERAGES = "It takes a maximum, which ciphertexts cannot. Put nn.AvgPool2d in its place, and train the model with it"
_SIGMOID = (
    "It is no polynomial. Put one in its place, and train the model with it: "
    "sy.he.Polynomial([0.5, 0.197, 0, -0.004]) is near the sigmoid from -5 to 5"
)
_TANH = (
    "It is no polynomial. Put one in its place, and train the model with it: "
    "sy.he.Polynomial([0, 0.8, 0, -0.06]) is near tanh from -2 to 2"
)
_CURVED = (
    "It is no polynomial. Put one in its place that is near it where your numbers are, sy.he.Polynomial(coefficients), "
    "or do this after they are decrypted"
)
_LAST = "Return the scores, and do this after they are decrypted"
REMEDIES.update(
    dict.fromkeys(
        ("relu", "leaky_relu", "elu", "gelu", "silu", "hardtanh", "hardswish", "clamp", "clamp_min", "threshold",
         "_prelu_kernel", "abs", "sign", "softplus", "celu", "mish"), _COMPARES,
    ),
)  # fmt: skip
REMEDIES.update(dict.fromkeys(("max_pool2d_with_indices", "max_pool2d", "max_pool1d", "amax"), _AVERAGES))
REMEDIES.update(dict.fromkeys(("sigmoid", "hardsigmoid", "log_sigmoid_forward"), _SIGMOID))
REMEDIES.update(tanh=_TANH)
REMEDIES.update(
    dict.fromkeys(
        ("_softmax", "_log_softmax", "argmax", "argmin", "max", "min", "topk", "sort", "lt", "gt", "le", "ge", "eq",
         "ne"), _LAST,
    ),
)  # fmt: skip
REMEDIES.update(dict.fromkeys(("exp", "log", "sqrt", "rsqrt", "reciprocal", "sin", "cos", "erf"), _CURVED))


@composed(F.relu, torch.relu, torch.relu_)
def _relu(*args: Any, **kwargs: Any) -> Any:
    refuse("relu")


@composed(F.max_pool2d, torch.max_pool2d)
def _max_pool2d(*args: Any, **kwargs: Any) -> Any:
    refuse("max_pool2d")


@composed(_VF.lstm, _VF.gru, _VF.rnn_tanh, _VF.rnn_relu)
def _recurrent(*args: Any, **kwargs: Any) -> Any:
    raise UnsupportedOp(
        "recurrent layers (lstm, gru, rnn) have sigmoids and tanh at every step, which ciphertexts cannot. Put a "
        "convolution over time in their place, nn.Conv1d, with sy.he.Square() behind it"
    )
