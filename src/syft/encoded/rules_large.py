"""The rules of `LargePrecisionTensor`: arithmetic, comparisons, and whatever moves elements."""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from syft.core.ops import Op, Returns
from syft.encoded.digits import Large, large, toward_zero
from syft.encoded.large import LargePrecisionTensor
from syft.encoded.ring import ring_of
from syft.exceptions import DivisionByZeroError, UnsupportedOp, UsageError
from syft.tensors.base import SyftTensor
from syft.tensors.chain import all_of, first_of

_PLAIN = (bool, int, float, torch.Tensor)


# --- arithmetic -----------------------------------------------------------------------------------


def _operand(value: Any, model: LargePrecisionTensor) -> Large:
    if isinstance(value, LargePrecisionTensor):
        ours, theirs = ((t.field, t.base, t.precision_fractional) for t in (model, value))
        if ours != theirs:
            raise UsageError(
                f"numbers with {model.base} ** {model.precision_fractional} and with {value.base} ** "
                f"{value.precision_fractional}, or of different fields, do not compute with each other; encode both "
                "alike"
            )
        return value.integers
    if isinstance(value, SyftTensor) or not isinstance(value, _PLAIN):
        raise UnsupportedOp(
            f"a large-precision tensor does not compute with a {type(value).__name__}; give it another one, a number "
            "or a local tensor"
        )
    return model.encode(value)


def _pair(op: Op, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[Any, Any]:
    named = {**dict(zip(("input", "other"), args, strict=False)), **kwargs}
    alpha = named.pop("alpha", 1)
    if len(args) > 2 or named.keys() != {"input", "other"}:
        raise UnsupportedOp(f"{op.name!r} of large-precision tensors takes two operands and alpha, and no more")
    if alpha != 1:
        named["other"] = named["other"] * alpha
    return named["input"], named["other"]


def _answer(op: Op, args: tuple[Any, ...], out: LargePrecisionTensor) -> LargePrecisionTensor:
    """The result, or the first operand with it, for what works in place."""
    if op.returns is not Returns.SELF:
        return out
    target = args[0]
    if not isinstance(target, LargePrecisionTensor) or out.shape != target.shape:
        raise UsageError(
            f"{op.name!r} would put a large-precision tensor of shape {tuple(out.shape)} into another kind of tensor, "
            "or one of another shape; compute a new tensor"
        )
    target._integers, target._shares = out._integers, out._shares
    return target


def _binary(compute: Callable[[Large, Large, int], Any], *keys: str, reflected: tuple[str, ...] = ()) -> None:
    def rule(op: Op, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        a, b = _pair(op, args, kwargs)
        a, b = (b, a) if op.key in reflected else (a, b)
        model = first_of(LargePrecisionTensor, a, b)
        if model.shares is not None or any(link.shares is not None for link in all_of(LargePrecisionTensor, a, b)):
            return _answer(op, args, _shared(op, a, b))
        return _answer(op, args, model.over(compute(_operand(a, model), _operand(b, model), model.scale)))

    LargePrecisionTensor.implements(*keys, *reflected)(rule)


def _nonzero(divisors: Large) -> Large:
    if any(divisor == 0 for divisor in divisors.flat):
        raise DivisionByZeroError("a large-precision tensor is divided by zero, or by less than its last digit")
    return divisors


def _compared(compare: Callable[[Any, Any], Any]) -> Callable[[Large, Large, int], Any]:
    def compute(a: Large, b: Large, scale: int) -> Any:
        return large(np.asarray(compare(a, b), dtype=object) * scale)

    return compute


_binary(lambda a, b, scale: a + b, "add", "add_")
_binary(lambda a, b, scale: a - b, "sub", "sub_", reflected=("rsub",))
_binary(lambda a, b, scale: toward_zero(a * b, scale), "mul", "mul_")
_binary(lambda a, b, scale: toward_zero(a * scale, _nonzero(b)), "div", "div_", reflected=("rdiv",))
_binary(lambda a, b, scale: a % _nonzero(b), "remainder", "remainder_", reflected=("rremainder",))
_binary(lambda a, b, scale: toward_zero(np.matmul(a, b), scale), "matmul", "mm", "dsmm", reflected=("rmatmul",))
_binary(_compared(operator.eq), "eq")
_binary(_compared(operator.ne), "ne")
_binary(_compared(operator.lt), "lt")
_binary(_compared(operator.le), "le")
_binary(_compared(operator.gt), "gt")
_binary(_compared(operator.ge), "ge")


@LargePrecisionTensor.implements("neg", "neg_", "abs", "abs_")
def _unary(op: Op, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    link = first_of(LargePrecisionTensor, args, kwargs)
    if op.key.startswith("neg") and link.shares is not None:
        return _answer(op, args, link.like(ring_of(link.shares).neg(link.shares)))
    return _answer(op, args, link.over(-link.integers if op.key.startswith("neg") else abs(link.integers)))


@LargePrecisionTensor.implements("sum", "mean")
def _reduced(op: Op, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    named = {**dict(zip(("input", "dim", "keepdim"), args, strict=False)), **kwargs}
    link, dim, keepdim = named.pop("input"), named.pop("dim", None), named.pop("keepdim", False)
    named.pop("axis", None)
    if named.pop("dtype", None) is not None or named:
        raise UnsupportedOp(f"{op.name!r} of large-precision tensors takes dim and keepdim, and no more")
    integers = link.integers
    every = dim is None or dim == () or dim == []
    dims = tuple(range(integers.ndim)) if every else (dim,) if isinstance(dim, int) else tuple(dim)
    total = large(np.sum(integers, axis=dims, keepdims=keepdim) if dims else integers)
    count = integers.size // max(1, total.size)
    return link.over(total if op.key == "sum" else toward_zero(total, count))


# --- shared digits --------------------------------------------------------------------------------


def _shared(op: Op, a: Any, b: Any) -> LargePrecisionTensor:
    """Digit by digit: there is room for carries, which are made when the digits are read."""
    kind = op.key.removesuffix("_").removeprefix("r")
    if kind not in ("add", "sub"):
        raise UnsupportedOp(
            f"{op.name!r} has no rule for large numbers that are shared: their digits can be added and subtracted. "
            "Fetch them with .get(), or use fix_precision(base=2, precision_fractional=16), on which all works"
        )
    links = all_of(LargePrecisionTensor, a, b)
    model = next(link for link in links if link.shares is not None)
    if any(link.settings() != model.settings() for link in links):
        raise UsageError("shared large numbers of different fields, precisions or digits do not add; encode both alike")
    a, b = (_digits(value, model) for value in (a, b))
    ring = ring_of(a, b)
    return model.like(ring.add(a, b) if kind == "add" else ring.sub(a, b))


def _digits(value: Any, model: LargePrecisionTensor) -> Any:
    if isinstance(value, LargePrecisionTensor) and value.shares is not None:
        return value.shares
    return model.over(_operand(value, model)).all_digits()


# --- what moves elements --------------------------------------------------------------------------

# Not those that show elements several times, such as expand: the result, which has memory of its own here, may be huge.
_MOVES = (
    "H T cat chunk clone constant_pad_nd contiguous data detach diag diag_embed diagonal "
    "flatten flip fliplr flipud gather getitem hstack index_select mT masked_select movedim narrow pad permute ravel "
    "repeat repeat_interleave reshape reshape_as roll rot90 select split squeeze stack t take tensor_split tile "
    "transpose tril triu unbind unflatten unsqueeze view view_as vstack"
).split()
_SEVERAL = frozenset({"cat", "stack", "hstack", "vstack", "reshape_as", "view_as"})


@LargePrecisionTensor.implements(*_MOVES)
def _moved(op: Op, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """Move the places of the elements instead of these: torch says what goes where."""
    links = all_of(LargePrecisionTensor, args, kwargs)
    if len(links) > 1 and op.key not in _SEVERAL:
        raise UnsupportedOp(f"{op.name!r} of large-precision tensors takes no other one of them as an index")
    model = links[0]
    if op.key in ("clone", "data", "detach") and model.shares is not None:
        return model.like(ring_of(model.shares).move("alias", model.shares))
    pool, places = [large([0])], 1  # what is padded is zero
    standing: dict[int, torch.Tensor] = {}
    for link in links:
        integers = _operand(link, model)
        standing[id(link)] = torch.arange(places, places + integers.size).reshape(integers.shape)
        pool.append(integers.reshape(-1))
        places += integers.size
    everything = np.concatenate(pool)
    moved = op.fn(*_standing_in(args, standing), **_standing_in(kwargs, standing))
    return _taken(moved, everything, model)


def _standing_in(value: Any, standing: dict[int, torch.Tensor]) -> Any:
    if isinstance(value, LargePrecisionTensor):
        return standing[id(value)]
    if type(value) in (list, tuple):
        return type(value)([_standing_in(v, standing) for v in value])
    if type(value) is dict:
        return {name: _standing_in(v, standing) for name, v in value.items()}
    return value


def _taken(moved: Any, everything: Large, model: LargePrecisionTensor) -> Any:
    if isinstance(moved, torch.Tensor):
        return model.over(everything[moved.numpy()])
    return [_taken(part, everything, model) for part in moved]


@LargePrecisionTensor.implements("grad")
def _grad(op: Op, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
    """None: they are not differentiated."""
