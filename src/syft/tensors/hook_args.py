"""0.2.4's functions for tensor types that pass calls on by hand, over `strip` and `cover`.

0.2.4 needed each type in four tables; here a type registers when its class is defined, so the registering
functions below accept what they are given and need do nothing.
"""

from __future__ import annotations

from typing import Any

import torch

from syft.core.ops import op_named
from syft.exceptions import UnsupportedOp
from syft.tensors.base import SyftTensor, apply, is_wrapper, unwrap, wrap
from syft.tensors.chain import ChainTensor, strip
from syft.tensors.outputs import Outputs


def unwrap_args_from_method(
    attr: str, method_self: Any, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> tuple[Any, tuple[Any, ...], dict[str, Any]]:
    """The operands of a method without their outermost layer: the wrapper, or else the link.

    Args:
        attr: the method's name, for the error.
        method_self: the tensor it was called on.
        args: its arguments.
        kwargs: its keyword arguments.

    Returns:
        What is under ``method_self``, the arguments, the keyword arguments.

    Raises:
        UnsupportedOp: there is nothing under ``method_self``.

    Example:
        >>> import syft as sy, torch
        >>> hook = sy.TorchHook(torch)
        >>> x = sy.LoggingTensor().on(torch.tensor([1, 2]), wrap=False)
        >>> unwrap_args_from_method("add", x, (x,), {})
        (tensor([1, 2]), (tensor([1, 2]),), {})
    """
    if is_wrapper(method_self):
        return unwrap(method_self), tuple(unwrap(list(args))), unwrap(dict(kwargs))
    if not isinstance(method_self, ChainTensor):
        raise UnsupportedOp(
            f"{attr!r} was called on a {type(method_self).__name__}, which has nothing under it to pass it to"
        )
    kind = type(method_self)
    return method_self.child, tuple(strip(kind, list(args))), strip(kind, dict(kwargs))


def unwrap_args_from_function(
    attr: str, args: Any, kwargs: dict[str, Any], return_args_type: bool = False
) -> tuple[Any, ...]:
    """The operands of a function without their outermost layer, and the type that runs it from there.

    Args:
        attr: the function's dotted name, for the error.
        args: its arguments.
        kwargs: its keyword arguments.
        return_args_type: return the type of the given operands, too.

    Returns:
        Arguments, keyword arguments, a type, and the operands' type if asked for. The type is that of what was
        under the first operand if it has a ``handle_func_command``, else ``torch.Tensor``, which runs anything.

    Raises:
        UnsupportedOp: no operand has anything under it.
    """
    outer = _first(args, kwargs, attr)
    if is_wrapper(outer):
        child = unwrap(outer)
        stripped = (tuple(unwrap(list(args))), unwrap(dict(kwargs)))
    else:
        child, kind = outer.child, type(outer)
        stripped = (tuple(strip(kind, list(args))), strip(kind, dict(kwargs)))
    runner = type(child) if isinstance(child, ChainTensor) else torch.Tensor
    return (*stripped, runner, type(outer)) if return_args_type else (*stripped, runner)


def _first(args: Any, kwargs: dict[str, Any], attr: str) -> Any:
    flat = list(_flat([*args, *kwargs.values()]))
    links = [v for v in flat if is_wrapper(v)] or [v for v in flat if isinstance(v, ChainTensor)]
    if not links:
        raise UnsupportedOp(f"{attr!r} was called without any tensor that has something under it")
    return max(links, key=lambda link: 0 if is_wrapper(link) else link.precedence)


def _flat(values: list[Any]) -> Any:
    for value in values:
        if isinstance(value, (list, tuple)):
            yield from _flat(list(value))
        else:
            yield value


def hook_response(
    attr: str, response: Any, wrap_type: type, wrap_args: dict[str, Any] | None = None, new_self: Any = None
) -> Any:
    """Put a layer over every tensor of a result.

    Args:
        attr: the name of what was called, for the error.
        response: what it returned.
        wrap_type: a tensor type, or ``torch.Tensor`` for the wrapper.
        wrap_args: the keyword arguments of ``wrap_type``.
        new_self: accepted for 0.2.4 code, no effect.

    Returns:
        The result with its tensors covered; `Outputs` for several; plain values as they are.

    Raises:
        UnsupportedOp: ``wrap_type`` cannot stand over a tensor.
    """
    if wrap_type is torch.Tensor or issubclass(wrap_type, torch.Tensor):
        return _wrapped(response)
    if not issubclass(wrap_type, ChainTensor):
        raise UnsupportedOp(f"the result of {attr!r} cannot be put under a {wrap_type.__name__}")
    return wrap_type(**(wrap_args or {})).cover(response)


def _wrapped(response: Any) -> Any:
    if isinstance(response, SyftTensor):
        return wrap(response)
    if isinstance(response, (list, tuple)) and not isinstance(response, torch.Size):
        return Outputs([_wrapped(r) for r in response], getattr(response, "names", ()))
    return response


def handle_func_command(command: tuple[Any, ...]) -> Any:
    """Run ``(dotted name, None, args, kwargs)`` on what is left when all layers are taken off.

    `unwrap_args_from_function` names ``torch.Tensor`` as the type of plain tensors, and this is what that
    type then runs.

    Raises:
        UnsupportedOp: there is no op of that name.
    """
    name, _, args, kwargs = command
    return apply(op_named(name), tuple(args), dict(kwargs or {}))


def get_child(link: Any) -> Any:
    """What is under a link: 0.2.4's usual forward rule."""
    return link.child


def one(_link: Any) -> int:
    """0.2.4's type rule for a single tensor."""
    return 1


def register_type_rule(new_type_rules: dict[type, Any]) -> None:
    """Kept for 0.2.4 code: a tensor type registers when its class is defined."""


def register_forward_func(new_forward_rules: dict[type, Any]) -> None:
    """Kept for 0.2.4 code: what is under a link is always its ``child``."""


def register_backward_func(new_backward_rules: dict[type, Any]) -> None:
    """Kept for 0.2.4 code: results are covered with the settings that the type declares."""


def default_register_tensor(*tensor_types: type) -> None:
    """Kept for 0.2.4 code: a tensor type registers when its class is defined."""


def register_ambiguous_method(*methods: str) -> None:
    """Kept for 0.2.4 code: nothing is remembered of the arguments of earlier calls."""


def register_ambiguous_function(*functions: str) -> None:
    """Kept for 0.2.4 code: nothing is remembered of the arguments of earlier calls."""
