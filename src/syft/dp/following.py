"""A forward pass whose ops are followed: those that use parameters tell what they contribute to the gradients."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import torch
from torch.overrides import TorchFunctionMode
from torch.utils._pytree import tree_flatten

from syft.dp.layer_rules import RULES, Contributions, can_follow
from syft.exceptions import UsageError

Arrive = Callable[[int, Contributions], None]


class NoRule(Exception):
    """A forward pass that cannot be followed op by op; the message says why."""


@dataclass
class FollowedPass(TorchFunctionMode):
    """Follows one call of a model.

    An op that uses parameters runs on their detached values, so autograd computes no gradient for them; the gradient
    at its output goes through the op's rule to ``arrive``.

    Args:
        names: the parameters' names by their ``id``.
        batch: how many samples there are.
        arrive: gets the batch size and the contributions of one op, by parameter, during the backward pass.

    Raises:
        NoRule: while the pass runs, on an op that uses a parameter and is not known.
    """

    names: dict[int, str]
    batch: int
    arrive: Arrive
    outputs: list[torch.Tensor] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__()

    def __torch_function__(
        self, op: Any, _types: Any, arguments: tuple[Any, ...] = (), options: dict[str, Any] | None = None
    ) -> Any:
        options = options or {}
        if not self._uses(arguments) and not self._uses(tuple(options.values())):
            return op(*arguments, **options)
        if can_follow(op, self.batch, arguments, options):
            return self._follow(op, arguments, options)
        result = op(*arguments, **options)
        self._check_unused(op, result)
        return result

    def _check_unused(self, op: Any, result: Any) -> None:
        # What asks a parameter for its shape, or takes its value out of autograd's sight, is no use of it.
        if any(isinstance(leaf, torch.Tensor) and leaf.requires_grad for leaf in tree_flatten(result)[0]):
            raise NoRule(f"there is no rule for this use of {getattr(op, '__name__', op)}")

    def _uses(self, arguments: tuple[Any, ...]) -> bool:
        names = self.names
        for argument in arguments:
            if id(argument) in names:
                return True
            if isinstance(argument, list | tuple) and self._uses(tuple(argument)):
                return True
        return False

    def _follow(self, op: Any, arguments: tuple[Any, ...], options: dict[str, Any]) -> torch.Tensor:
        named = dict(zip(argument_names(op), arguments, strict=False)) | options
        owners = {key: self.names[id(value)] for key, value in named.items() if id(value) in self.names}
        if not owners.keys() <= {"weight", "bias"}:
            raise NoRule(f"a parameter is the input of {op.__name__}")
        hidden = {key: value.detach() if isinstance(value, torch.Tensor) else value for key, value in named.items()}
        seen = {key: hidden[key] if key in owners else value for key, value in named.items()}
        result: torch.Tensor = op(**seen)
        # Nothing of `outputs` may be in there: no collector sees a circle through the hooks of a tensor.
        use = functools.partial(_contribute, self.arrive, self.batch, op, hidden, owners, hidden["input"]._version)
        if result.requires_grad:
            result.register_hook(use)
        else:
            result = _Tap.apply(result, torch.zeros((), requires_grad=True), use)
        self.outputs.append(result)
        return result


def _contribute(
    arrive: Arrive,
    batch: int,
    op: Any,
    seen: dict[str, Any],
    owners: dict[str, str],
    version: int,
    gradient: torch.Tensor,
) -> None:
    if seen["input"]._version != version:
        raise UsageError(
            f"the input of {op.__name__} was changed in place before the backward pass, so the gradients of single "
            "samples are lost. Use the op that makes a new tensor."
        )
    with torch.no_grad():
        parts = RULES[op](gradient.detach(), **seen)
    arrive(batch, {owner: parts[argument] for argument, owner in owners.items()})


class _Tap(torch.autograd.Function):
    """Passes a value on and tells the gradient that comes back, where nothing before it needs one."""

    @staticmethod
    def forward(ctx: Any, value: torch.Tensor, _anchor: torch.Tensor, receive: Callable[[torch.Tensor], None]) -> Any:
        ctx.receive = receive
        ctx.mark_dirty(value)  # the op after it may work in place, which a view would not allow
        return value

    @staticmethod
    def backward(ctx: Any, *gradients: Any) -> Any:
        ctx.receive(gradients[0])
        return None, None, None


@functools.cache
def argument_names(op: Any) -> tuple[str, ...]:
    """The names of an op's arguments, in order, as its rule has them."""
    return tuple(inspect.signature(RULES[op]).parameters)[1:]
