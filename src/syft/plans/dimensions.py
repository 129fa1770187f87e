"""Sizes that are not known while a plan is recorded: what Python does with ``x.shape`` becomes an expression.

A plan recorded with 2 rows must run with 5. So ``x.shape[0]`` is no number while a function is recorded but a
`Dimension`: torch takes it wherever it takes a size, arithmetic on it gives another one, and a decision about it
(``if x.shape[0] > 1``, ``range(x.shape[0])``) is noted as a condition that every later run must meet.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import torch

from syft.core.messages import Ref
from syft.exceptions import PlanBuildError

ARITHMETIC: Mapping[str, Callable[[int, int], int]] = MappingProxyType(
    {"+": operator.add, "-": operator.sub, "*": operator.mul, "//": operator.floordiv, "%": operator.mod}
)
COMPARISONS: Mapping[str, Callable[[Any, Any], bool]] = MappingProxyType(
    {
        "==": operator.eq,
        "!=": operator.ne,
        "<": operator.lt,
        "<=": operator.le,
        ">": operator.gt,
        ">=": operator.ge,
    }
)


@dataclass(frozen=True, slots=True)
class Size:
    """The size of a tensor along one axis, read when the plan runs."""

    ref: Ref
    axis: int


@dataclass(frozen=True, slots=True)
class Arithmetic:
    """An operation of `ARITHMETIC` on sizes and numbers."""

    operation: str
    left: Any
    right: Any


@dataclass(frozen=True, slots=True)
class Condition:
    """A comparison of `COMPARISONS` that came out this way while the plan was recorded."""

    comparison: str
    left: Any
    right: Any
    outcome: bool


Note = Callable[[Condition], None]


class Dimension(torch.SymInt):
    """A size that stands for all sizes.

    Args:
        value: what it is for the example.
        expression: how it is computed from the operands of a run: a `Size`, an `Arithmetic` or a number.
        note: told of each `Condition` that Python makes of it.
    """

    def __init__(self, value: int, expression: Any, note: Note) -> None:
        # Not SymInt's own: its node is for torch's compiler, which never sees a dimension of ours.
        self.value, self.expression, self.note = value, expression, note

    @property
    def __class__(self) -> type:
        # Code that asks isinstance(size, int) means a size.
        return int

    @__class__.setter
    def __class__(self, value: type) -> None:
        raise PlanBuildError("the class of a size cannot be set")

    def _fixed(self) -> int:
        # Python makes a plain number of it, so the recording holds for this number only.
        self.note(Condition("==", self.expression, self.value, True))
        return self.value

    def __index__(self) -> int:
        return self._fixed()

    def __int__(self) -> int:
        return self._fixed()

    def __float__(self) -> float:
        return float(self._fixed())

    def __hash__(self) -> int:
        return hash(self._fixed())

    def __bool__(self) -> bool:
        return self._compare("!=", 0)

    def _compare(self, comparison: str, other: Any) -> bool:
        value, expression = _parts(other)
        outcome = COMPARISONS[comparison](self.value, value)
        self.note(Condition(comparison, self.expression, expression, outcome))
        return outcome

    def _combine(self, operation: str, left: Any, right: Any) -> Dimension:
        (a, first), (b, second) = _parts(left), _parts(right)
        return Dimension(ARITHMETIC[operation](a, b), Arithmetic(operation, first, second), self.note)

    def __neg__(self) -> Dimension:
        return self._combine("-", 0, self)

    def __pos__(self) -> Dimension:
        return self

    def __abs__(self) -> Dimension:
        return self if self._compare(">=", 0) else -self

    def __divmod__(self, other: Any) -> tuple[Any, Any]:
        return self // other, self % other

    def __rdivmod__(self, other: Any) -> tuple[Any, Any]:
        return other // self, other % self

    @property
    def node(self) -> Any:
        """What torch's compiler asks a size for."""
        raise PlanBuildError(
            "a size was used in a way that cannot be recorded as a computation; "
            "make it a number with int(x.shape[0]), and the plan holds for that size only."
        )

    def __repr__(self) -> str:
        return str(self.value)

    __str__ = __repr__

    def __format__(self, spec: str) -> str:
        return format(self.value, spec)

    def __deepcopy__(self, memo: Any) -> Dimension:
        return self


def _parts(value: Any) -> tuple[int, Any]:
    return (value.value, value.expression) if isinstance(value, Dimension) else (value, value)


def _is_size(value: Any) -> bool:
    return type(value) is int or isinstance(value, Dimension)


def _arithmetic(operation: str, reflected: bool) -> Callable[[Dimension, Any], Any]:
    def compute(self: Dimension, other: Any) -> Any:
        if _is_size(other):
            return self._combine(operation, other, self) if reflected else self._combine(operation, self, other)
        if isinstance(other, torch.Tensor):
            return NotImplemented
        value = self._fixed()
        return ARITHMETIC[operation](other, value) if reflected else ARITHMETIC[operation](value, other)

    return compute


def _fixed_arithmetic(compute_fixed: Callable[[Any, Any], Any], reflected: bool) -> Callable[[Dimension, Any], Any]:
    def compute(self: Dimension, other: Any) -> Any:
        if isinstance(other, torch.Tensor):
            return NotImplemented
        other = other._fixed() if isinstance(other, Dimension) else other
        return compute_fixed(other, self._fixed()) if reflected else compute_fixed(self._fixed(), other)

    return compute


def _comparison(comparison: str) -> Callable[[Dimension, Any], Any]:
    def compare(self: Dimension, other: Any) -> Any:
        if isinstance(other, torch.Tensor) or not (_is_size(other) or isinstance(other, float)):
            return NotImplemented
        return self._compare(comparison, other)

    return compare


_NAMES = {"+": "add", "-": "sub", "*": "mul", "//": "floordiv", "%": "mod"}
for _operation, _name in _NAMES.items():
    setattr(Dimension, f"__{_name}__", _arithmetic(_operation, reflected=False))
    setattr(Dimension, f"__r{_name}__", _arithmetic(_operation, reflected=True))
for _name, _function in {"truediv": operator.truediv, "pow": operator.pow}.items():
    setattr(Dimension, f"__{_name}__", _fixed_arithmetic(_function, reflected=False))
    setattr(Dimension, f"__r{_name}__", _fixed_arithmetic(_function, reflected=True))
for _name in ("eq", "ne", "lt", "le", "gt", "ge"):
    _sign = next(sign for sign, function in COMPARISONS.items() if function.__name__ == _name)
    setattr(Dimension, f"__{_name}__", _comparison(_sign))


def evaluate(expression: Any, tensor_of: Callable[[Ref], torch.Tensor]) -> Any:
    """The value of an expression in one run.

    Args:
        expression: a `Size`, an `Arithmetic`, or a number.
        tensor_of: finds the tensor behind a reference.

    Returns:
        A number (or a `Dimension`, if the tensors are being recorded themselves).
    """
    kind = type(expression)
    if kind is Size:
        return tensor_of(expression.ref).shape[expression.axis]
    if kind is Arithmetic:
        compute = ARITHMETIC[expression.operation]
        return compute(evaluate(expression.left, tensor_of), evaluate(expression.right, tensor_of))
    return expression


CONTAINERS = frozenset({list, tuple, torch.Size, dict, slice})
"""What an operand may be nested in."""


def map_parts(value: Any, change: Callable[[Any], Any]) -> Any:
    """A container of the same kind with every part changed; a value that is no container as it is."""
    kind = type(value)
    if kind is list or kind is tuple or kind is torch.Size:
        return kind([change(part) for part in value])
    if kind is dict:
        return {key: change(part) for key, part in value.items()}
    if kind is slice:
        return slice(change(value.start), change(value.stop), change(value.step))
    return value


def refs_of(expression: Any) -> list[Ref]:
    """The references in an expression, a condition or an operand, in order."""
    kind = type(expression)
    if kind is Ref:
        return [expression]
    if kind is Size:
        return [expression.ref]
    if kind is Arithmetic or kind is Condition:
        return refs_of(expression.left) + refs_of(expression.right)
    if kind is dict:
        expression = list(expression.values())
    elif kind is slice:
        expression = [expression.start, expression.stop, expression.step]
    elif kind not in (list, tuple, torch.Size):
        return []
    return [ref for part in expression for ref in refs_of(part)]
