"""What each op with parameters contributes to their gradients, sample by sample: one rule an op.

A rule takes the gradient at the op's output and the op's own arguments, and returns the contributions by the name of
the parameter's argument. Samples lie along dimension 0, here and everywhere in this room.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import torch
import torch.nn.functional as F

from syft.dp.contributions import Contribution, Looked, Outer, Written

Contributions = dict[str, Contribution]
Rule = Callable[..., Contributions]
RULES: dict[Any, Rule] = {}
"""The op, as modules call it, to its rule."""
_CACHED = 1 << 22  # bytes


def can_follow(op: Any, batch: int, arguments: tuple[Any, ...], options: dict[str, Any]) -> bool:
    """Whether a rule knows this call: samples along dimension 0, and no option that changes the gradient.

    Args:
        op: what is called.
        batch: how many samples there are.
        arguments: the positional ones, the input first.
        options: those by name.
    """
    if op not in RULES or not arguments:
        return False
    input = arguments[0]
    if not isinstance(input, torch.Tensor) or input.dim() == 0 or len(input) != batch:
        return False
    if op is F.linear:
        return input.dim() >= 2
    if op in (F.conv1d, F.conv2d, F.conv3d):
        return input.dim() == {F.conv1d: 3, F.conv2d: 4, F.conv3d: 5}[op]
    if op is F.embedding:
        renormed = options.get("max_norm") is not None  # which changes the table by what is looked up in it
        return not (renormed or options.get("scale_grad_by_freq") or options.get("sparse"))
    if op in (F.layer_norm, F.rms_norm):
        return input.dim() > len(arguments[1])
    if op is F.instance_norm:
        return options.get("running_mean") is None and bool(options.get("use_input_stats", True))
    return True


def _rule(*ops: Any) -> Callable[[Rule], Rule]:
    def register(rule: Rule) -> Rule:
        RULES.update(dict.fromkeys(ops, rule))
        return rule

    return register


@_rule(F.linear)
def linear(gradient: torch.Tensor, input: torch.Tensor, weight: torch.Tensor, bias: Any = None) -> Contributions:
    """Inputs of shape ``(B, ..., columns)``; the positions of one sample add up."""
    outputs = gradient.reshape(len(gradient), -1, gradient.shape[-1])
    inputs = input.reshape(len(input), -1, input.shape[-1])
    return {"weight": Outer(inputs, outputs, weight.shape), "bias": Written(outputs.sum(1))}


@_rule(F.conv1d, F.conv2d, F.conv3d)
def convolution(
    gradient: torch.Tensor,
    input: torch.Tensor,
    weight: torch.Tensor,
    bias: Any = None,
    stride: int | Sequence[int] = 1,
    padding: str | int | Sequence[int] = 0,
    dilation: int | Sequence[int] = 1,
    groups: int = 1,
) -> Contributions:
    """A convolution is a linear layer on its windows, each group of channels for itself."""
    kernel, places = weight.shape[2:], gradient.shape[2:]
    stride, dilation = _per_dimension(stride, kernel), _per_dimension(dilation, kernel)
    windows = _windows(_padded(input, kernel, padding, dilation), kernel, stride, dilation, places)
    outputs = gradient.reshape(len(gradient), groups, -1, math.prod(places))
    rows, columns = outputs.shape[2], weight[0].numel()
    bias_part = Written(gradient.flatten(2).sum(2))
    if groups == 1 and math.prod(places) * (rows + columns) < rows * columns:
        inputs = windows.reshape(len(windows), columns, -1).transpose(1, 2)
        return {"weight": Outer(inputs, outputs[:, 0].transpose(1, 2), weight.shape), "bias": bias_part}
    written = gradient.new_empty(len(gradient) * groups, rows, columns)
    # A few samples at a time, so that their windows, many times the size of the input, stay in the cache.
    few = max(1, _CACHED // (groups * columns * math.prod(places) * gradient.element_size()))
    for at in range(0, len(gradient), few):
        inputs = windows[at : at + few].reshape(-1, columns, math.prod(places)).transpose(1, 2)
        torch.bmm(outputs[at : at + few].flatten(0, 1), inputs, out=written[at * groups : (at + few) * groups])
    return {"weight": Written(written.view(len(gradient), *weight.shape)), "bias": bias_part}


def _per_dimension(value: int | Sequence[int], kernel: torch.Size) -> tuple[int, ...]:
    return (value,) * len(kernel) if isinstance(value, int) else tuple(value)


def _padded(
    input: torch.Tensor, kernel: torch.Size, padding: str | int | Sequence[int], dilation: tuple[int, ...]
) -> torch.Tensor:
    if padding == "same":
        totals = [step * (size - 1) for size, step in zip(kernel, dilation, strict=True)]
        sides = [(total // 2, total - total // 2) for total in totals]
    else:
        sides = [(side, side) for side in _per_dimension(0 if padding == "valid" else padding, kernel)]  # type: ignore[arg-type]
    if not any(map(any, sides)):
        return input
    return F.pad(input, [amount for side in reversed(sides) for amount in side])


def _windows(
    input: torch.Tensor, kernel: torch.Size, stride: tuple[int, ...], dilation: tuple[int, ...], places: torch.Size
) -> torch.Tensor:
    """A view of an input in any number of dimensions: shape ``(B, channels, *kernel, *places)``."""
    batch, channels, *along = input.stride()
    inside = (step * far for step, far in zip(along, dilation, strict=True))
    between = (step * far for step, far in zip(along, stride, strict=True))
    return input.as_strided((*input.shape[:2], *kernel, *places), (batch, channels, *inside, *between))


@_rule(F.embedding)
def embedding(
    gradient: torch.Tensor,
    input: torch.Tensor,
    weight: torch.Tensor,
    padding_idx: int | None = None,
    **_options: Any,  # those that `can_follow` refuses
) -> Contributions:
    """Rows of a table; the row of the padding gets no gradient."""
    rows = input.reshape(len(input), -1)
    outputs = gradient.reshape(*rows.shape, weight.shape[1])
    if padding_idx is not None:
        outputs = outputs * (rows != padding_idx % len(weight))[:, :, None].to(outputs.dtype)
    return {"weight": Looked(rows, outputs, weight.shape)}


@_rule(F.layer_norm)
def layer_norm(
    gradient: torch.Tensor,
    input: torch.Tensor,
    normalized_shape: Sequence[int],
    weight: Any = None,
    bias: Any = None,
    eps: float = 1e-5,
) -> Contributions:
    """A scale and a shift of what was normalised over the last dimensions."""
    normalised = F.layer_norm(input, list(normalized_shape), eps=eps)
    return _scaled(gradient, normalised, list(range(1, input.dim() - len(normalized_shape))))


@_rule(F.rms_norm)
def rms_norm(
    gradient: torch.Tensor,
    input: torch.Tensor,
    normalized_shape: Sequence[int],
    weight: Any = None,
    eps: float | None = None,
) -> Contributions:
    """A scale of what was normalised over the last dimensions."""
    normalised = F.rms_norm(input, list(normalized_shape), eps=eps)
    return _scaled(gradient, normalised, list(range(1, input.dim() - len(normalized_shape))))


@_rule(F.group_norm)
def group_norm(
    gradient: torch.Tensor,
    input: torch.Tensor,
    num_groups: int,
    weight: Any = None,
    bias: Any = None,
    eps: float = 1e-5,
) -> Contributions:
    """A scale and a shift of each channel."""
    return _scaled(gradient, F.group_norm(input, num_groups, eps=eps), list(range(2, input.dim())))


@_rule(F.instance_norm)
def instance_norm(
    gradient: torch.Tensor,
    input: torch.Tensor,
    running_mean: Any = None,
    running_var: Any = None,
    weight: Any = None,
    bias: Any = None,
    use_input_stats: bool = True,
    momentum: float = 0.1,
    eps: float = 1e-5,
) -> Contributions:
    """A scale and a shift of each channel; the statistics are those of one sample."""
    return _scaled(gradient, F.instance_norm(input, eps=eps), list(range(2, input.dim())))


def _scaled(gradient: torch.Tensor, normalised: torch.Tensor, shared: list[int]) -> Contributions:
    weight, bias = gradient * normalised, gradient
    if shared:
        weight, bias = weight.sum(shared), bias.sum(shared)
    return {"weight": Written(weight), "bias": Written(bias)}
