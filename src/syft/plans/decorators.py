"""`func2plan`: the decorator that makes a plan of a function."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import torch

from syft.exceptions import PlanBuildError, UsageError
from syft.plans.plan import Plan
from syft.serde.torch_types import DTYPES

Shape = Sequence[int]


class func2plan:
    """Decorator: make a plan of a function.

    Args:
        args_shape: shapes of the arguments; with them the plan is built at once, from zeros. -1 is any size.
        state: tensors that the function gets as a last argument, a `State`, whose ``read()`` gives them; or modules
            that the function calls.
        args_dtypes: dtypes of the arguments, as torch dtypes or their names; float32 when None.

    Raises:
        ValueError: a shape is not one, or the function does not take so many arguments.

    Example:
        >>> import syft as sy, torch
        >>> hook = sy.TorchHook(torch)
        >>> @sy.func2plan(args_shape=[(-1, 2)])
        ... def double(x):
        ...     return x + x
        >>> double.is_built, double(torch.ones(1, 2))
        (True, tensor([[2., 2.]]))
    """

    def __init__(
        self, args_shape: Iterable[Shape] | None = None, state: Any = None, args_dtypes: Sequence[Any] | None = None
    ) -> None:
        self.shapes = None if not args_shape else list(args_shape)
        self.state = state
        self.dtypes = args_dtypes

    def __call__(self, function: Callable[..., Any]) -> Plan:
        """The plan of a function."""
        plan = Plan(function.__name__, forward=function, state=self.state)
        if self.shapes is not None:
            examples = dummy_args(self.shapes, self.dtypes)
            try:
                plan.build(*examples)
            except TypeError as error:
                raise PlanBuildError(
                    f"Automatic build using @func2plan failed! {error}\nCheck that:\n"
                    "- args_shape has one shape for each argument that is not the state;\n"
                    "- the function runs on tensors of these shapes: build it by hand with plan.build(example, ...)."
                ) from error
        return plan


def dummy_args(shapes: Iterable[Shape], dtypes: Sequence[Any] | None = None) -> list[torch.Tensor]:
    """Zeros of these shapes, with 1 where a size is free.

    Args:
        shapes: sizes of at least 0, or -1.
        dtypes: one for each shape; float32 when None.

    Raises:
        ValueError: a size is below -1.
        TypeError: a shape is no list of sizes.
    """
    shapes = [tuple(shape) for shape in shapes]
    kinds = [torch.float32] * len(shapes) if dtypes is None else [_dtype(dtype) for dtype in dtypes]
    if len(kinds) != len(shapes):
        raise UsageError(f"args_dtypes names {len(kinds)} dtypes for {len(shapes)} shapes")
    for shape in shapes:
        if any(type(size) is not int or size < -1 for size in shape):
            raise UsageError(f"Invalid shape {shape}: sizes are 0 or more, or -1 for any size")
    examples = [tuple(1 if size == -1 else size for size in shape) for shape in shapes]
    return [torch.zeros(shape, dtype=kind) for shape, kind in zip(examples, kinds, strict=True)]


def _dtype(dtype: Any) -> torch.dtype:
    found = DTYPES.get(dtype.removeprefix("torch.")) if isinstance(dtype, str) else dtype
    if not isinstance(found, torch.dtype):
        raise UsageError(f"{dtype!r} is no dtype of torch")
    return found


def method2plan(*args: Any, **kwargs: Any) -> Any:
    """0.2's decorator for methods; gone since 0.2.

    Raises:
        SyntaxError: always.
    """
    raise SyntaxError("method2plan is not supported anymore. Consider instead subclassing your object from sy.Plan.")
