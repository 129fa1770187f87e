"""Running an op on private values so that nothing about the values comes out by the side.

A result alone says nothing: it is private too. What could talk is everything around it, so that

1. shapes may not depend on values: the op is first run on tensors without values (torch's meta device);
2. errors may not depend on values: if the op fails after that, its result is NaN (0 for integers) and the
   reason stands in the private result;
3. public operands are copied first: nothing is written into them, and no result shares their memory;
4. where other private values are written into a private tensor, it gets memory of its own;
5. values never leave for another worker as operands;
6. gradients are not accumulated, as they would be written into public leaves;
7. ops that draw random numbers until the values are content draw them from a stream of their own.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from syft.core.ops import BY_NAME, Op, Returns
from syft.exceptions import GetNotPermittedError, SyftError
from syft.tensors.base import SyftTensor, apply, unwrap
from syft.tensors.chain import ChainTensor
from syft.tensors.permission import may_see

_CLONE = BY_NAME["Tensor.clone"]
_GRADIENTS = frozenset({"backward", "autograd.backward", "autograd.grad"})
_SETTERS = frozenset({"setitem", "__setitem__", "data.set", "grad.set", "requires_grad.set", "real.set", "imag.set"})
# Moves between devices and dtypes: they keep the shape and cannot run without values.
_MOVES = frozenset({"to", "cpu", "cuda"})


_DRAWS = frozenset({"bernoulli", "bernoulli_", "binomial", "multinomial", "normal", "poisson"})
_DRAWS |= {"_standard_gamma", "_sample_dirichlet"}


class NoStandIn(Exception):
    """An operand is elsewhere, or in pieces: there is no tensor to take the shape from."""


def target_of(private: type[ChainTensor], op: Op, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """The private link that an op writes into, or None if it returns something new.

    Raises:
        GetNotPermittedError: the op would write into something public.
    """
    if op.key in _GRADIENTS or (op.returns is Returns.NOTHING and op.key not in _SETTERS):
        raise GetNotPermittedError(
            f"{op.name!r} would write what is computed from private values into other tensors. "
            "Fetch the private tensor with .get(user=...) and compute there."
        )
    target = kwargs.get("out")
    if target is None and op.returns in (Returns.SELF, Returns.NOTHING):
        target = args[0]
    elif target is None:
        return None
    if not isinstance(target, private):
        raise GetNotPermittedError(
            f"{op.name!r} would write what is computed from a private tensor into a public one. "
            "Make the target private too, or use an op that returns a new tensor."
        )
    return target


def rehearse(op: Op, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """Run the op on tensors without values: what it says then depends on shapes and dtypes only.

    Args:
        op: what to run.
        args: operands without their private links.
        kwargs: likewise.

    Returns:
        The result, on the meta device.

    Raises:
        GetNotPermittedError: the result's shape, or the result itself, depends on values.
        NoStandIn: an operand has no shape that can be taken here.
        Exception: what the op says to these shapes and dtypes.
    """
    try:
        return _without_values(op, args, kwargs)
    except SyftError:
        raise
    except Exception:
        if _has_links((args, kwargs)):  # a chain may have another dtype below than it stands for
            raise NoStandIn from None
        raise


def _without_values(op: Op, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    if op.key in _MOVES:
        return _stand_in(args[0])
    try:
        return op.fn(*_stand_in(args), **_stand_in(kwargs))
    except Exception as error:
        if "meta" not in str(error).lower():
            raise
        raise GetNotPermittedError(
            f"{op.name!r} would give out values of a private tensor, as its result or in the shape of its result. "
            "Fetch the tensor with .get(user=...) and call it there."
        ) from None


def may_speak_of_values(error: Exception, args: Any, kwargs: Any) -> bool:
    """Whether the text of an error may have private values in it.

    torch puts an argument that it cannot use into the text of its error, and the text of a private tensor has
    its values.
    """
    return not isinstance(error, SyftError) and not may_see((args, kwargs), None)


def without_values(op: Op, args: Any, kwargs: Any) -> Exception:
    """The error to give out when an op failed on private operands: what it says without values.

    Args:
        op: what failed.
        args: its operands, as the worker holds them.
        kwargs: likewise.
    """
    try:
        _without_values(op, tuple(unwrap(list(args))), unwrap(kwargs))
    except NoStandIn:
        pass
    except Exception as said:
        return said.with_traceback(None)
    return GetNotPermittedError(f"{op.name!r} failed on private values; what it said is not given out")


def _stand_in(value: Any) -> Any:
    while isinstance(value, ChainTensor):
        value = value.child
    if isinstance(value, np.ndarray):
        value = torch.from_numpy(np.empty_like(value))
    if isinstance(value, torch.Tensor):
        out = value.detach().to("meta")
        return out.requires_grad_() if value.requires_grad and value.is_leaf else out
    if isinstance(value, SyftTensor):
        raise NoStandIn
    if type(value) in (list, tuple):
        return type(value)([_stand_in(v) for v in value])
    if type(value) is dict:
        return {k: _stand_in(v) for k, v in value.items()}
    if type(value) is slice:
        return slice(_stand_in(value.start), _stand_in(value.stop), _stand_in(value.step))
    return value


def _has_links(value: Any) -> bool:
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, (list, tuple)) else ()
    return isinstance(value, SyftTensor) or any(_has_links(v) for v in inner)


def run(op: Op, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """Run an op; the common stream of random numbers moves on alike whatever the values are."""
    if op.key not in _DRAWS:
        return apply(op, args, kwargs)
    generator = torch.default_generator
    seed = int(torch.randint(1 << 62, ()))
    state = generator.get_state()
    generator.manual_seed(seed)
    try:
        return apply(op, args, kwargs)
    finally:
        generator.set_state(state)


def blank(like: Any) -> Any:
    """Results that say nothing, of the shapes that a rehearsal found."""
    if like is None:
        return None
    if isinstance(like, torch.Tensor):
        fill = torch.nan if like.is_floating_point() or like.is_complex() else 0
        return torch.full(like.shape, fill, dtype=like.dtype)
    return type(like)([blank(part) for part in like]) if type(like) in (list, tuple) else tuple(map(blank, like))


def has_shapes(result: Any, rehearsed: Any) -> bool:
    """Whether a result has the shapes that its rehearsal had (sparse tensors may have others inside)."""
    while isinstance(result, ChainTensor):
        result = result.child
    if isinstance(rehearsed, torch.Tensor):
        return isinstance(result, SyftTensor | np.ndarray) or (
            isinstance(result, torch.Tensor) and result.shape == rehearsed.shape
        )
    if isinstance(rehearsed, (list, tuple)):
        return len(result) == len(rehearsed) and all(map(has_shapes, result, rehearsed))
    return True


def open_operands(private: type[ChainTensor], value: Any) -> Any:
    """Operands as the op gets them: what is under private links, and copies of everything public."""
    if isinstance(value, private):
        return value.child
    if isinstance(value, torch.Tensor):
        return value.clone()
    if isinstance(value, SyftTensor):
        return value if is_elsewhere(value) else apply(_CLONE, (value,), {})
    if type(value) in (list, tuple):
        return type(value)([open_operands(private, v) for v in value])
    if type(value) is dict:
        return {k: open_operands(private, v) for k, v in value.items()}
    if type(value) is slice:
        return slice(*(open_operands(private, v) for v in (value.start, value.stop, value.step)))
    return value


def is_elsewhere(value: Any) -> bool:
    """Whether an op on this link would run at another place."""
    while isinstance(value, ChainTensor):
        value = value.child
    return isinstance(value, SyftTensor)


def memory_of_its_own(child: Any) -> Any:
    """A copy of what is under a link, to write into: a leaf stays a leaf and keeps its gradient."""
    if not isinstance(child, torch.Tensor) or not child.is_leaf:
        return apply(_CLONE, (child,), {})
    copy = child.detach().clone().requires_grad_(child.requires_grad)
    copy.grad = child.grad
    return copy
