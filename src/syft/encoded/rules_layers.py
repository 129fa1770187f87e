"""How layers that normalise or drop, and statistics, are made of ops that have rules on encoded tensors."""

from __future__ import annotations

from typing import Any

import torch
from torch.nn import functional as F

from syft.encoded import functions
from syft.encoded import number as n
from syft.encoded.number import Number, settled
from syft.encoded.rules_structure import total
from syft.encoded.tensor import EncodedTensor, composed, link_under, rule
from syft.exceptions import UnsupportedOp, UsageError

aten = torch.ops.aten


@rule(aten.var)
def _var(a: Number, dim: Any = None, correction: Any = None, keepdim: bool = False) -> Number:
    dims = list(range(len(a.shape))) if dim is None or dim == [] else [dim] if isinstance(dim, int) else list(dim)
    sums = total(a, dims, keepdim=True)
    count = a.shape.numel() // max(1, sums.shape.numel())
    rest = count - (1 if correction is None else int(correction))
    if rest <= 0:
        raise UsageError(f"the variance of {count} numbers with correction={correction} divides by {max(rest, 0)}")
    centred = settled(n.sub(a, sums.with_raw(sums.raw, sums.scale * count)))
    squares = total(n.square(centred), dims, keepdim)
    return squares.with_raw(squares.raw, squares.scale * rest)


@composed(torch.std, torch.Tensor.std)
def _std(x: Any, *args: Any, **kwargs: Any) -> Any:
    return torch.var(x, *args, **kwargs).sqrt()


@rule(aten.linalg_vector_norm)
def _vector_norm(a: Number, p: Any = 2, dim: Any = None, keepdim: bool = False, dtype: Any = None) -> Number:
    if p != 2:
        raise UnsupportedOp(
            f"the norm with ord={p} has no rule for fixed-precision and shared tensors; that with 2 has"
        )
    return functions.sqrt(total(n.square(settled(a)), dim, keepdim))


@composed(torch.norm, torch.Tensor.norm, torch.linalg.vector_norm, torch.linalg.norm)
def _norm(x: Any, p: Any = 2, dim: Any = None, keepdim: bool = False, **kwargs: Any) -> Any:
    p = kwargs.pop("ord", p)
    if p not in (None, "fro", 1, 2):
        raise UnsupportedOp(f"the norm with p={p!r} has no rule for fixed-precision and shared tensors; 1 and 2 have")
    parts = x.abs() if p == 1 else x * x
    summed = parts.sum() if dim is None else parts.sum(dim, keepdim=keepdim)
    return summed if p == 1 else summed.sqrt()


@composed(F.hardsigmoid)
def _hardsigmoid(input: Any, inplace: bool = False) -> Any:
    return F.hardtanh(input + 3, 0.0, 6.0) / 6


@composed(F.hardswish)
def _hardswish(input: Any, inplace: bool = False) -> Any:
    return input * _hardsigmoid(input)


def _dropping(channels: bool) -> Any:
    def dropout(input: Any, p: float = 0.5, training: bool = True, inplace: bool = False, train: Any = None) -> Any:
        if not (training if train is None else train) or p == 0:
            return input
        shape = [*input.shape[:2], *[1] * (input.dim() - 2)] if channels else input.shape
        # Which elements are dropped is public: it says nothing about them.
        kept = F.dropout(torch.ones(shape), p, True)
        return input.mul_(kept) if inplace else input * kept

    return dropout


composed(F.dropout, torch.dropout)(_dropping(channels=False))
composed(F.dropout1d, F.dropout2d, F.dropout3d, torch.feature_dropout)(_dropping(channels=True))


@composed(F.layer_norm)
def _layer_norm(input: Any, normalized_shape: Any, weight: Any = None, bias: Any = None, eps: float = 1e-5) -> Any:
    out = _normalised(input, list(range(-len(normalized_shape), 0)), eps)[0]
    return _affine(out, weight, bias)


@composed(torch.layer_norm)
def _torch_layer_norm(
    input: Any, normalized_shape: Any, weight: Any = None, bias: Any = None, eps: float = 1e-5, cudnn: bool = True
) -> Any:
    return _layer_norm(input, normalized_shape, weight, bias, eps)


@composed(F.group_norm)
def _group_norm(input: Any, num_groups: int, weight: Any = None, bias: Any = None, eps: float = 1e-5) -> Any:
    grouped = input.reshape(input.shape[0], num_groups, -1)
    out = _normalised(grouped, [-1], eps)[0].reshape(input.shape)
    return _affine(out, _channelwise(weight, input), _channelwise(bias, input))


@composed(F.batch_norm)
def _batch_norm(
    input: Any, running_mean: Any, running_var: Any, weight: Any = None, bias: Any = None, training: bool = False,
    momentum: float = 0.1, eps: float = 1e-5,
) -> Any:  # fmt: skip
    if not training:
        # The channels' own factor is found first: it is small.
        factor = torch.rsqrt(running_var + eps)
        factor = factor if weight is None else factor * weight
        out = (input - _channelwise(running_mean, input)) * _channelwise(factor, input)
        return out if bias is None else out + _channelwise(bias, input)
    dims = [0, *range(2, input.dim())]
    out, mean, var = _normalised(input, dims, eps)
    if running_mean is not None:
        _remember(running_mean, mean, momentum)
        count = input.numel() // input.shape[1]
        _remember(running_var, var * (count / max(1, count - 1)), momentum)
    return _affine(out, _channelwise(weight, input), _channelwise(bias, input))


@composed(torch.batch_norm)
def _torch_batch_norm(
    input: Any, weight: Any, bias: Any, running_mean: Any, running_var: Any, training: bool, momentum: float,
    eps: float, cudnn: bool,
) -> Any:  # fmt: skip
    return _batch_norm(input, running_mean, running_var, weight, bias, training, momentum, eps)


@torch.no_grad()
def _remember(running: Any, value: Any, momentum: float) -> None:
    if not isinstance(running, EncodedTensor):
        raise UsageError(
            "the running statistics of a batch norm are plain numbers, and what they would be updated with is encoded; "
            "encode or share the whole module, or call module.eval()"
        )
    running.lerp_(value.detach().reshape(-1), momentum)


def _normalised(x: Any, dims: list[int], eps: float) -> tuple[Any, Any, Any]:
    mean = x.mean(dims, keepdim=True)
    centred = _settle(x - mean)
    var = (centred * centred).mean(dims, keepdim=True)
    return centred * torch.rsqrt(var + eps), mean, var


def _settle(x: Any) -> Any:
    """Divide now what several products are going to need."""
    _ = link_under(x).child
    return x


def _channelwise(values: Any, like: Any) -> Any:
    return None if values is None else values.reshape(1, -1, *[1] * (like.dim() - 2))


def _affine(x: Any, weight: Any, bias: Any) -> Any:
    x = x if weight is None else x * weight
    return x if bias is None else x + bias
