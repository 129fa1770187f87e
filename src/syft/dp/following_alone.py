"""Samples that never meet, and are followed all the same: as fast as a batch, for a loss that nobody vouches for.

The loss runs for every sample alone under ``torch.vmap``, which is what keeps samples apart, whatever the loss does.
Only the ops that use parameters, and whose rules take one sample after the other, are run below it on the whole batch,
where the gradient at their outputs can be heard.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch._C._functorch import is_batchedtensor
from torch.utils._pytree import tree_flatten

from syft.dp.following import FollowedPass, NoRule, argument_names
from syft.dp.layer_rules import Contributions


def followed_alone(
    loss: Callable[..., torch.Tensor], parameters: dict[str, torch.Tensor], samples: tuple[torch.Tensor, ...]
) -> list[Contributions]:
    """What each sample contributes to the gradients of a loss.

    Args:
        loss: of one sample, a scalar; uses the very tensors of ``parameters``.
        parameters: leaves that need gradients, by name.
        samples: tensors with one sample an entry of dimension 0.

    Returns:
        The contributions of each op, by parameter.

    Raises:
        NoRule: the loss uses a parameter in an op without a rule.
        Exception: what the loss raises, and what it does that cannot be written for all samples at once.

    Example:
        >>> weight = torch.zeros(1, 2, requires_grad=True)
        >>> def loss(x):
        ...     return torch.nn.functional.linear(x.unsqueeze(0), weight).sum()
        >>> (found,) = followed_alone(loss, {"weight": weight}, (torch.tensor([[3.0, 4.0], [0.0, 1.0]]),))
        >>> found["weight"].squared_norms()
        tensor([25.,  1.])
    """
    arrived: list[Contributions] = []
    names = {id(parameter): name for name, parameter in parameters.items()}
    followed = _FollowedAlone(names, 1, lambda _, contributions: arrived.append(contributions))

    def one(*sample: torch.Tensor) -> torch.Tensor:
        with followed:
            return loss(*sample)

    with torch.enable_grad():
        total = torch.vmap(one, randomness="different")(*samples).sum()
        if total.requires_grad:
            total.backward()
    return arrived


class _FollowedAlone(FollowedPass):
    """Follows a pass of one sample, whose tensors stand for those of all samples."""

    def _follow(self, op: Any, arguments: tuple[Any, ...], options: dict[str, Any]) -> torch.Tensor:
        named = dict(zip(argument_names(op), arguments, strict=False)) | options
        sample = named.pop("input")
        if any(isinstance(value, torch.Tensor) and is_batchedtensor(value) for value in named.values()):
            raise NoRule(f"{op.__name__} has a weight that depends on the sample")

        def below(batch: torch.Tensor) -> torch.Tensor:
            return super(_FollowedAlone, self)._follow(op, (batch,), named)

        result: torch.Tensor = _Below.apply(sample, below)
        return result

    def _check_unused(self, op: Any, result: Any) -> None:
        # Under vmap a tensor does not say for sure whether it needs a gradient, so any counts as a use.
        if any(isinstance(leaf, torch.Tensor) for leaf in tree_flatten(result)[0]):
            raise NoRule(f"there is no rule for this use of {getattr(op, '__name__', op)}")


class _Below(torch.autograd.Function):
    """Runs a function below ``torch.vmap``, on all samples at once."""

    @staticmethod
    def forward(sample: torch.Tensor, below: Callable[[torch.Tensor], torch.Tensor]) -> Any:
        raise NoRule("an op with parameters does not depend on the sample")

    @staticmethod
    def setup_context(ctx: Any, inputs: Any, output: Any) -> None:
        """Nothing is kept: ``below`` has its own way of hearing gradients."""

    @staticmethod
    def vmap(info: Any, in_dims: Any, sample: torch.Tensor, below: Callable[[torch.Tensor], torch.Tensor]) -> Any:
        return below(sample.movedim(in_dims[0], 0).squeeze(1)).unsqueeze(1), 0
