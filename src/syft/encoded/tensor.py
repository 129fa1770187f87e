"""`EncodedTensor`: what users hold of numbers in another form: fixed precision, secret shares.

torch computes on it through ``__torch_dispatch__``, below autograd: a model runs, is differentiated and optimised by
PyTorch itself, and what arrives here are the elementary ops, each with a rule on `Number`. An op without a rule is
refused by its name; nothing is ever passed on to shares that might not be linear.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from typing import Any, ClassVar

import torch

from syft.encoded.costs import ACTIVE
from syft.encoded.fixed import FixedPrecisionTensor
from syft.encoded.number import Number, add, constant, guarded, replaced, settled
from syft.encoded.ring import ring_of
from syft.exceptions import NotLocalError, UnsupportedOp, UsageError
from syft.tensors.base import SyftTensor, link_text, register_wrapper

Rule = Callable[..., Any]
_NOT_COUNTED = nullcontext()

RULES: dict[Any, Rule] = {}
"""By aten op; a rule gets numbers in the place of encoded tensors and returns numbers."""
BY_NAME: dict[str, Rule] = {}
"""The same by name: an op that works in place has the rule of the one that it is named after."""
COMPOSED: dict[Any, Rule] = {}
"""Functions that are made of others, by the torch function: these get and return tensors."""


class EncodedTensor(torch.Tensor):
    """The tensor over a `FixedPrecisionTensor`, or over shared integers."""

    child: SyftTensor
    links: ClassVar[tuple[type, ...]] = ()

    @staticmethod
    def __new__(cls: type[EncodedTensor], link: Any, requires_grad: bool = False) -> EncodedTensor:
        dtype = torch.float32 if isinstance(link, FixedPrecisionTensor) else torch.int64
        out = torch.Tensor._make_wrapper_subclass(cls, link.shape, dtype=dtype, requires_grad=requires_grad)
        out.child = link
        return out

    @classmethod
    def __torch_function__(
        cls, func: Callable[..., Any], types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        composed = COMPOSED.get(func)
        if composed is not None:
            return composed(*args, **(kwargs or {}))
        with torch._C.DisableTorchFunctionSubclass():
            return func(*args, **(kwargs or {}))

    @classmethod
    def __torch_dispatch__(  # type: ignore[override]
        cls, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        packet = func.overloadpacket
        rule = RULES.get(packet)
        target = None
        if rule is None:
            rule, target = _in_place(packet, args)
        profile = ACTIVE.get()
        operands = [_number(a) for a in args]
        named = {k: _number(v) for k, v in kwargs.items()} if kwargs else {}
        with _NOT_COUNTED if profile is None else profile.operation(packet._qualified_op_name.removeprefix("aten::")):
            out = rule(*operands, **named)
            if target is None:
                return encoded(out)
            become(target, out, reshaped=packet in _RESHAPING)
        return target

    def __repr__(self, *, tensor_contents: Any = None) -> str:  # type: ignore[override]
        text = f"(Wrapper)>{link_text(link_under(self))}"
        return f"Parameter containing:\n{text}" if isinstance(self, torch.nn.Parameter) else text

    def __str__(self) -> str:
        return f"(Wrapper)>{link_text(link_under(self))}"

    def __format__(self, spec: str) -> str:
        return object.__format__(self, spec)

    def __bool__(self) -> bool:
        raise NotLocalError(
            "Additive shared tensors can't be converted boolean values. You should decrypt it first."
            if _is_shared(self)
            else "a fixed-precision tensor has no truth value; get the numbers with .float_precision() first"
        )

    def item(self) -> Any:
        """Refuse for shared values; the number of a local one."""
        if _is_shared(self):
            raise NotLocalError(
                'Error, Please consider calling ".get" method instead of ".item" method, so you can be safely getting '
                "the item you need."
            )
        return link_under(self).decoded().item()

    def tolist(self) -> Any:
        """The numbers as lists; refused for shared values."""
        if _is_shared(self):
            raise NotLocalError("shared values are not here; fetch them with .get() first")
        return link_under(self).decoded().tolist()

    def numpy(self, *args: Any, **kwargs: Any) -> Any:
        """The numbers as an array; refused for shared values."""
        if _is_shared(self):
            raise NotLocalError("shared values are not here; fetch them with .get() first")
        return link_under(self).decoded().numpy()

    # --- functions with the keywords of 0.2.4 --------------------------------------------------------

    def exp(self, iterations: int = 8) -> Any:
        """``torch.exp``; ``iterations`` is accepted for 0.2.4 code, no effect."""
        return torch.exp(self)

    def log(self, iterations: int = 2, exp_iterations: int = 8) -> Any:
        """``torch.log``; ``iterations`` and ``exp_iterations`` are accepted for 0.2.4 code, no effect."""
        return torch.log(self)

    def reciprocal(self, method: str = "NR", nr_iters: int = 10) -> Any:
        """``torch.reciprocal``; ``nr_iters`` is accepted for 0.2 code, no effect, and so are the names of methods.

        Raises:
            UsageError: 0.2 had no such method.
        """
        _known("reciprocal", method, ("NR", "newton", "division", "log"))
        return torch.reciprocal(self)

    def sigmoid(self, method: str = "chebyshev") -> Any:
        """``torch.sigmoid``, or the polynomial that 0.2.4 calls ``"maclaurin"``, which is meant for -8 to 8.

        Raises:
            UsageError: 0.2.4 had no such method.
        """
        _known("sigmoid", method, ("chebyshev", "exp", "maclaurin"))
        if method != "maclaurin":
            return torch.sigmoid(self)
        t = self / 8
        square = t * t
        return t * (1.529638232 + square * (-2.34837661 + square * 1.378518789)) + 0.5

    def tanh(self, method: str = "chebyshev") -> Any:
        """``torch.tanh``, by itself or by the sigmoid.

        Raises:
            UsageError: 0.2.4 had no such method.
        """
        _known("tanh", method, ("chebyshev", "sigmoid"))
        return torch.tanh(self) if method == "chebyshev" else 2 * torch.sigmoid(2 * self) - 1

    def __reduce_ex__(self, protocol: Any) -> Any:
        raise NotLocalError(
            "encoded tensors cannot be pickled or saved with torch.save; fetch shared ones with .get(), and decode "
            "with .float_precision() first"
        )

    def __deepcopy__(self, memo: dict[int, Any]) -> Any:
        out = self.detach().clone().requires_grad_(self.requires_grad)
        out = torch.nn.Parameter(out, self.requires_grad) if isinstance(self, torch.nn.Parameter) else out
        memo[id(self)] = out
        return out


register_wrapper(EncodedTensor)
FixedPrecisionTensor.tensor_over = EncodedTensor


def rule(*packets: Any) -> Callable[[Rule], Rule]:
    """Register the rule of aten ops.

    Args:
        *packets: such as ``torch.ops.aten.add``.

    Raises:
        UnsupportedOp: one of them has a rule already.
    """

    def register(function: Rule) -> Rule:
        for packet in packets:
            if packet in RULES:
                raise UnsupportedOp(f"{packet} has a rule already; one op has one rule")
            RULES[packet] = BY_NAME[packet._qualified_op_name.removeprefix("aten::")] = function
        return function

    return register


def composed(*functions: Any) -> Callable[[Rule], Rule]:
    """Register how torch functions are made of others, for encoded tensors."""

    def register(function: Rule) -> Rule:
        COMPOSED.update(dict.fromkeys(functions, function))
        return function

    return register


def link_under(tensor: Any) -> Any:
    """The link under an encoded tensor."""
    return tensor.__dict__["child"]


def number_of(tensor: Any) -> Number:
    """What an encoded tensor stands for."""
    link = link_under(tensor)
    return link.number if isinstance(link, FixedPrecisionTensor) else Number(link, 1, None)


def tensor_of(number: Number) -> Any:
    """The tensor over a number."""
    if number.encoding is None:
        return number.raw if isinstance(number.raw, torch.Tensor) else EncodedTensor(settled(number).raw)
    return EncodedTensor(FixedPrecisionTensor.of(number))


def encoded(out: Any) -> Any:
    """The result of a rule with tensors in the place of numbers."""
    if isinstance(out, Number):
        return tensor_of(out)
    if isinstance(out, FixedPrecisionTensor):
        return EncodedTensor(out)
    if type(out) in (tuple, list):
        return type(out)([encoded(o) for o in out])
    return out


_RESHAPING = frozenset(
    {torch.ops.aten.squeeze_, torch.ops.aten.t_, torch.ops.aten.transpose_, torch.ops.aten.unsqueeze_}
)


def become(target: Any, out: Any, *, reshaped: bool = False) -> None:
    """Give an encoded tensor other numbers, in place; if it was shared, it stays shared.

    Args:
        target: whose numbers they will be. If it is a view, what it was taken from changes, too.
        out: the numbers.
        reshaped: whether the shape may change, too.

    Raises:
        UsageError: the numbers have another shape, or are no integers as those of the tensor are.
    """
    number, before = guarded(out if isinstance(out, Number) else out.number), number_of(target)
    if number.shape != target.shape and reshaped:
        with torch._C.DisableTorchFunctionSubclass():
            target.data = encoded(number)  # torch's own idea of the shape
    elif number.shape != target.shape:
        raise UsageError(
            f"an encoded tensor of shape {tuple(target.shape)} cannot take {tuple(number.shape)} in place; compute a "
            "new tensor"
        )
    if (number.encoding is None) != (before.encoding is None):
        raise UsageError("integers cannot become numbers with fractional digits in place; compute a new tensor")
    if isinstance(number.raw, torch.Tensor) and not isinstance(before.raw, torch.Tensor):
        number = add(before.with_raw(ring_of(before.raw).scale(before.raw, 0), number.scale), number)
    target.child = number.raw if number.encoding is None else FixedPrecisionTensor.of(number)
    if target._is_view() and not reshaped:
        _write_through(target)


def _write_through(view: Any) -> None:
    # A view has numbers of its own, which PyTorch does not know; what was written there belongs to its base, too.
    base = view._base
    whole = number_of(base)
    places = view._view_func_unsafe(torch.arange(whole.shape.numel()).reshape(whole.shape))
    become(base, replaced(settled(whole), places, number_of(view)))


def number(value: Any, like: Number) -> Number:
    """An operand of a rule as a number."""
    return value if isinstance(value, Number) else constant(value, like)


def _number(value: Any) -> Any:
    if isinstance(value, EncodedTensor):
        return number_of(value)
    if type(value) in (list, tuple):
        return type(value)([_number(v) for v in value])
    return value


def _in_place(packet: Any, args: tuple[Any, ...]) -> tuple[Rule, Any]:
    name = packet._qualified_op_name.removeprefix("aten::")
    found = BY_NAME.get(name.removesuffix("_"))
    if found is not None and name.endswith("_") and isinstance(args[0], EncodedTensor):
        return found, args[0]
    raise UnsupportedOp(
        f"{name!r} has no rule for fixed-precision and shared tensors: it would have to be computed on integers or "
        "shares that it does not understand. Decode with .get().float_precision(), or use ops that have rules: "
        f"docs/encrypted.md lists them."
    )


def _known(function: str, method: str, methods: tuple[str, ...]) -> None:
    if method not in methods:
        raise UsageError(f"Invalid method {method} given for {function} function; there are {', '.join(methods)}")


def _is_shared(tensor: Any) -> bool:
    link = link_under(tensor)
    return not (isinstance(link, FixedPrecisionTensor) and isinstance(link.number.raw, torch.Tensor))
