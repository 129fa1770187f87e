"""Rules of softmax and of the losses of classifiers on encoded tensors."""

from __future__ import annotations

from typing import Any

import torch

from syft.encoded import activations
from syft.encoded import functions as f
from syft.encoded import number as n
from syft.encoded.number import Number, settled
from syft.encoded.rules_structure import total
from syft.encoded.tensor import number, rule
from syft.exceptions import UnsupportedOp, UsageError

aten = torch.ops.aten

_NONE, _MEAN = 0, 1


@rule(aten._softmax, aten._safe_softmax)
def _softmax(a: Number, dim: int, half_to_float: Any = False) -> Number:
    return f.softmax(a, dim)


@rule(aten._softmax_backward_data)
def _softmax_backward(g: Any, out: Any, dim: int, dtype: Any) -> Number:
    weighted = settled(n.multiply(number(g, out), out))
    return n.sub(weighted, n.multiply(out, total(weighted, [dim], keepdim=True)))


@rule(aten._log_softmax)
def _log_softmax(a: Number, dim: int, half_to_float: bool) -> Number:
    return f.log_softmax(a, dim)


@rule(aten._log_softmax_backward_data)
def _log_softmax_backward(g: Any, out: Number, dim: int, dtype: Any) -> Number:
    g = settled(number(g, out))
    return n.sub(g, n.multiply(f.exp(out, negative=True), total(g, [dim], keepdim=True)))


@rule(aten.logsumexp)
def _logsumexp(a: Number, dim: Any, keepdim: bool = False) -> Number:
    if len(dim) != 1:
        raise UnsupportedOp("logsumexp over several dimensions has no rule for encoded tensors; flatten them first")
    shifted = n.sub(a, f.log_softmax(a, dim[0])).moved("slice", dim[0], 0, 1)
    return shifted if keepdim else shifted.moved("squeeze", dim[0])


@rule(aten.nll_loss_forward, aten.nll_loss2d_forward)
def _nll_loss(a: Number, target: Any, weight: Any, reduction: int, ignore_index: int) -> tuple[Number, torch.Tensor]:
    chosen, weights = _weights(a, target, weight, ignore_index)
    losses = n.neg(total(n.multiply(a, number(chosen, a)), [_classes(a)]))
    weight_sum = weights.sum()
    if reduction == _NONE:
        return losses, weight_sum
    summed = total(losses)
    return (f.quotient_by_public(summed, weight_sum) if reduction == _MEAN else summed), weight_sum


@rule(aten.nll_loss_backward, aten.nll_loss2d_backward)
def _nll_loss_backward(
    g: Any, a: Number, target: Any, weight: Any, reduction: int, ignore_index: int, weight_sum: Any
) -> Number:
    chosen, _ = _weights(a, target, weight, ignore_index)
    g = number(g, a)
    if reduction == _NONE:
        g = g.moved("unsqueeze", _classes(a))
    elif reduction == _MEAN:
        g = f.quotient_by_public(g, weight_sum)
    return n.neg(n.multiply(number(chosen, a), g))


def _classes(a: Number) -> int:
    return 1 if len(a.shape) > 1 else 0


def _weights(a: Number, target: Any, weight: Any, ignore_index: int) -> tuple[torch.Tensor, torch.Tensor]:
    """The weight of each output and of each sample; integers where they are 1."""
    if isinstance(target, Number) or isinstance(weight, Number):
        raise UsageError(
            "a loss with class numbers needs them in plain; for secret classes share them one-hot as numbers: "
            "torch.nn.functional.one_hot(target, classes).float().fix_precision(…).share(…)"
        )
    counted = (target != ignore_index).long()
    classes = _classes(a)
    each = counted if weight is None else counted * weight[target * counted]
    hot = torch.nn.functional.one_hot(target * counted, a.shape[classes]).movedim(-1, classes)
    return hot * each.unsqueeze(classes), each


@rule(aten.binary_cross_entropy)
def _binary_cross_entropy(a: Number, target: Any, weight: Any = None, reduction: int = _MEAN) -> Number:
    target = number(target, a)
    both = f.log(n.join([v.moved("unsqueeze", 0) for v in (settled(a), settled(n.sub(number(1, a), a)))], 0))
    hit, missed = both.moved("select", 0, 0), both.moved("select", 0, 1)
    return _reduced(n.sub(n.multiply(target, n.sub(missed, hit)), missed), weight, reduction)


@rule(aten.binary_cross_entropy_backward)
def _binary_cross_entropy_backward(
    g: Any, a: Number, target: Any, weight: Any = None, reduction: int = _MEAN
) -> Number:
    spread = n.multiply(a, n.sub(number(1, a), a))
    # Where a is 0 or 1 there is no gradient: torch's would be as large as numbers can be.
    slope = f.quotient(n.sub(a, number(target, a)), spread, positive=True, smallest=2)
    if weight is not None:
        slope = n.multiply(slope, number(weight, a))
    if reduction == _MEAN:
        slope = slope.with_raw(slope.raw, slope.scale * max(1, a.shape.numel()))
    return n.multiply(slope, number(g, a))


@rule(aten.binary_cross_entropy_with_logits)
def _with_logits(a: Number, target: Any, weight: Any = None, pos_weight: Any = None, reduction: int = _MEAN) -> Number:
    if pos_weight is not None:
        raise UnsupportedOp(
            "binary_cross_entropy_with_logits with pos_weight has no rule for fixed-precision and shared tensors; give "
            "the weight of each element as weight"
        )
    losses = n.sub(activations.softplus(a), n.multiply(a, number(target, a)))
    return _reduced(losses, weight, reduction)


def _reduced(losses: Number, weight: Any, reduction: int) -> Number:
    if weight is not None:
        losses = n.multiply(losses, number(weight, losses))
    if reduction == _NONE:
        return losses
    summed = total(losses)
    return summed.with_raw(summed.raw, summed.scale * max(1, losses.shape.numel())) if reduction == _MEAN else summed
