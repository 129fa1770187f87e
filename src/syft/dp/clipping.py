"""Gradients clipped sample by sample, in one backward pass.

While a private model computes, its parameters are out of autograd's sight: the ops that use them run on detached
values, and their outputs tell the gradient that arrives at them in ``loss.backward()``. From it and from the op's
input follow the norm of each sample's gradient and then the clipped sum over the batch, which becomes the
parameters' ``.grad``. No gradient that mixes samples without clipping is ever computed.

Where an op has no rule, or samples meet in the model, the model is run for each sample alone: slower, and right for
any model.
"""

from __future__ import annotations

import functools
import logging
import math
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import torch
from torch.utils._pytree import tree_flatten, tree_unflatten

from syft.core.random import SYSTEM_RANDOM
from syft.dp.contributions import Contribution, Written
from syft.dp.following import FollowedPass, NoRule
from syft.dp.isolated import Parameters, computed_alone
from syft.dp.sampling import Drawn
from syft.exceptions import UsageError

logger = logging.getLogger("syft.dp")

_BELOW = 1 - 2.0**-19  # norms in float32 are good to one in a million


class Clipper:
    """Turns ``model(x)`` and ``loss.backward()`` into sums of clipped gradients.

    1. `forward` stands in the place of the model's own ``forward``.
    2. ``loss.backward()`` adds to the ``.grad`` of every parameter the sum over the samples of
       ``gradient * min(1, max_grad_norm / norm)``, the norm taken over all parameters together.

    A sample with a NaN or an infinity in its gradient counts as 0.

    Args:
        parameters: what is trained, by name.
        compute: the model as a function of its inputs.
        compute_with: the model as a function of a dict of parameters, positional and named inputs.
        max_grad_norm: what norms are clipped to, above 0.
        mean_loss: whether the loss is the mean over the batch, as torch's losses are; else the sum.
        isolate: run every sample alone from the start.
        drawn: the batch that is worked on; None for any.

    Attributes:
        summed: how many samples of which batch, by its number, are in the gradients.
        refused: how many counted as 0 because of a NaN or an infinity, over all steps.
        isolated: whether every sample is run alone.
    """

    def __init__(
        self,
        parameters: dict[str, torch.nn.Parameter],
        compute: Callable[..., Any],
        compute_with: Callable[[Parameters, tuple[Any, ...], dict[str, Any]], Any],
        max_grad_norm: float,
        *,
        mean_loss: bool = True,
        isolate: bool = False,
        drawn: Callable[[], Drawn] | None = None,
    ) -> None:
        if not 0 < max_grad_norm < math.inf:
            raise UsageError(f"max_grad_norm={max_grad_norm} makes no sense; it is a finite number above 0")
        self.parameters, self.max_grad_norm = parameters, max_grad_norm
        self._names = {id(parameter): name for name, parameter in parameters.items()}
        self._compute, self._compute_with = compute, compute_with
        self._mean_loss, self._drawn = mean_loss, drawn
        self.isolated, self._checked, self._probing = isolate, False, False
        self._arrived: list[tuple[int, dict[str, Contribution]]] = []
        self._ours: dict[str, tuple[torch.Tensor, int]] = {}
        self.summed: Counter[int] = Counter()
        self.refused = 0
        for name, parameter in parameters.items():
            parameter.register_hook(functools.partial(_refuse_raw, name))

    @property
    def dimension(self) -> int:
        """How many numbers are trained."""
        return sum(parameter.numel() for parameter in self.parameters.values())

    def forward(self, *inputs: Any, **options: Any) -> Any:
        """The model's outputs; where gradients are on, those of single samples will be known.

        Args:
            *inputs: of the model; a tensor has one sample an entry of dimension 0.
            **options: of the model, by name.

        Raises:
            UsageError: no tensor among the inputs.
        """
        if not torch.is_grad_enabled():
            return self._compute(*inputs, **options)
        batch = _batch_size((inputs, options))
        if not self.isolated:
            try:
                return self._followed(batch, inputs, options)
            except NoRule as reason:
                logger.info("every sample is computed alone, which is slower: %s", reason)
                self.isolated = True
        values = {name: parameter.detach() for name, parameter in self.parameters.items()}
        outputs, copies = computed_alone(self._compute_with, values, inputs, options, batch)
        for name, copy in copies.items():
            copy.register_hook(functools.partial(self._arrived_alone, batch, name))
        return outputs

    def _followed(self, batch: int, inputs: tuple[Any, ...], options: dict[str, Any]) -> Any:
        followed = FollowedPass(self._names, batch, self._arrive)
        if self._checked or batch < 2:
            with followed:
                return self._compute(*inputs, **options)
        leaves, form = tree_flatten((inputs, options))
        watched = [_watched(leaf) for leaf in leaves]
        seen, named = tree_unflatten([_fresh(leaf) for leaf in watched], form)
        with followed:
            outputs = self._compute(*seen, **named)
        self._check_apart(batch, outputs, [*followed.outputs, *filter(_is_watched, watched)])
        self._checked = True
        return outputs

    def _check_apart(self, batch: int, outputs: Any, inner: list[torch.Tensor]) -> None:
        """Finds out whether the outputs of some samples, chosen at random, depend on what belongs to others."""
        chosen = torch.from_numpy(SYSTEM_RANDOM.bytes(batch) & 1).bool()
        chosen[0], chosen[1] = True, False
        tensors = [leaf for leaf in tree_flatten(outputs)[0] if _is_watched(leaf)]
        if any(leaf.dim() == 0 or len(leaf) != batch for leaf in tensors):
            raise NoRule("an output of the model has not one entry a sample")
        self._probing = True
        try:
            total = torch.stack([leaf[chosen].sum() for leaf in tensors]).sum()
            found = torch.autograd.grad(total, inner, retain_graph=True, allow_unused=True)
        finally:
            self._probing = False
        for gradient in found:
            if gradient is not None and (len(gradient) != batch or bool((gradient[~chosen] != 0).any())):
                raise NoRule("samples of a batch meet in the model")

    def _arrived_alone(self, batch: int, name: str, gradients: torch.Tensor) -> None:
        self._arrive(batch, {name: Written(gradients.detach())})

    def _arrive(self, batch: int, contributions: dict[str, Contribution]) -> None:
        if self._probing:
            return
        if not self._arrived:  # the sums are made when the whole backward pass is over
            torch.autograd.Variable._execution_engine.queue_callback(self._sum_up)
        self._arrived.append((batch, contributions))

    def _sum_up(self) -> None:
        arrived, self._arrived = self._arrived, []
        batch = arrived[0][0]
        if any(other != batch for other, _ in arrived):
            raise UsageError("one loss was computed from batches of different sizes; call backward for each of them")
        parts = together([contributions for _, contributions in arrived])
        drawn = Drawn(0, batch) if self._drawn is None else self._drawn()
        if all(parameter.grad is None for parameter in self.parameters.values()):
            self.summed.clear()  # what was summed before was thrown away by zero_grad()
        with torch.no_grad():
            clipped = clip(parts, self.max_grad_norm, batch if self._mean_loss else 1)
            weights = torch.zeros_like(clipped.weights) if drawn.is_empty else clipped.weights
            for name, part in clipped.parts.items():
                self._add(name, part.weighted_sum(weights))
        self.refused += clipped.refused
        self.summed[drawn.number] += 0 if drawn.is_empty else batch

    def _add(self, name: str, total: torch.Tensor) -> None:
        parameter = self.parameters[name]
        self._check_ours(name)
        if parameter.grad is None:
            parameter.grad = total.to(parameter.dtype)
        else:
            parameter.grad.add_(total)
        self._ours[name] = parameter.grad, parameter.grad._version

    def _check_ours(self, name: str) -> None:
        """Refuses a gradient that something else wrote, which may say anything about one sample."""
        gradient = self.parameters[name].grad
        if gradient is None:
            return
        ours, version = self._ours.get(name, (None, -1))
        if (gradient is not ours or gradient._version != version) and bool((gradient != 0).any()):
            raise UsageError(
                f"the gradient of {name!r} was changed by something else than the backward pass of the private model. "
                "Its clipping and noise are the private optimizer's; call zero_grad() and leave .grad alone."
            )

    def taken(self, name: str) -> torch.Tensor:
        """The sum of clipped gradients for a parameter; zeros where nothing arrived.

        Raises:
            UsageError: something else wrote into ``.grad``.
        """
        self._check_ours(name)
        parameter = self.parameters[name]
        return torch.zeros_like(parameter) if parameter.grad is None else parameter.grad

    def released(self, name: str, gradient: torch.Tensor) -> None:
        """Sets the ``.grad`` of a parameter to what may be seen."""
        self.parameters[name].grad = gradient
        self._ours[name] = gradient, gradient._version


@dataclass(frozen=True, slots=True)
class Clipped:
    """What of the samples' gradients is summed.

    Attributes:
        parts: the contributions, with zeros for samples that do not count.
        weights: by which each sample's gradient is multiplied, shape ``(B,)``.
        refused: how many samples do not count because their gradient is not finite.
    """

    parts: dict[str, Contribution]
    weights: torch.Tensor
    refused: int


def clip(parts: dict[str, Contribution], max_grad_norm: float, scale: float = 1.0) -> Clipped:
    """The weights that bring the gradient of every sample to a norm of at most ``max_grad_norm``.

    Args:
        parts: the contributions to every parameter; the norm is taken over all of them.
        max_grad_norm: the bound, above 0.
        scale: what the gradients are multiplied by before.

    Example:
        >>> clip({"weight": Written(torch.tensor([[3.0, 4.0], [0.3, 0.4]]))}, max_grad_norm=1.0).weights
        tensor([0.2000, 1.0000])
    """
    squares = [part.squared_norms() for part in parts.values()]
    squares = [square.to(squares[0].device, torch.promote_types(square.dtype, torch.float32)) for square in squares]
    norms = torch.stack(squares).sum(0).sqrt_().mul_(scale)
    weights = (max_grad_norm * _BELOW / norms).clamp_(max=1.0).mul_(scale)
    bad = ~torch.isfinite(norms)
    if not bool(bad.any()):
        return Clipped(parts, weights, 0)
    return Clipped(
        {name: part.without(bad) for name, part in parts.items()}, weights.masked_fill(bad, 0.0), int(bad.sum())
    )


def together(arrived: Iterable[dict[str, Contribution]]) -> dict[str, Contribution]:
    """The contributions of several ops by parameter.

    The norm of a parameter that is used more than once is that of the sum, so the sum is written down.
    """
    parts: dict[str, Contribution] = {}
    for contributions in arrived:
        for name, contribution in contributions.items():
            before = parts.get(name)
            parts[name] = contribution if before is None else Written(before.each() + contribution.each())
    return parts


def _batch_size(inputs: Any) -> int:
    for leaf in tree_flatten(inputs)[0]:
        if isinstance(leaf, torch.Tensor) and leaf.dim() > 0:
            return len(leaf)
    raise UsageError("a private model is called with a batch: a tensor with one sample an entry of dimension 0")


def _watched(leaf: Any) -> Any:
    floating = isinstance(leaf, torch.Tensor) and leaf.is_floating_point() and leaf.dim() > 0
    return leaf.detach().requires_grad_() if floating else leaf


def _fresh(leaf: Any) -> Any:
    return leaf.clone() if _is_watched(leaf) else leaf  # so that the model may work on it in place


def _is_watched(leaf: Any) -> bool:
    return isinstance(leaf, torch.Tensor) and leaf.requires_grad


def _refuse_raw(name: str, gradient: torch.Tensor) -> None:
    raise UsageError(
        f"a gradient would reach {name!r} without being clipped: the parameter is used outside the private model's "
        "forward pass. Compute the loss from the model's outputs alone; for weight decay, use the optimizer's."
    )
