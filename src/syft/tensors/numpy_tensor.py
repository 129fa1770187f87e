"""`NumpyTensor`: a chain over a numpy array. Arithmetic is numpy's; all else goes through torch and back."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from syft.core.ops import Op, Returns
from syft.exceptions import UnsupportedOp, UsageError
from syft.tensors.base import SyftTensor, Wrapper, apply, is_wrapper, link_of, wrap
from syft.tensors.chain import ChainTensor, first_of

_NUMBERS = (bool, int, float, complex)


class NumpyLink(ChainTensor):
    """The link over a numpy array; made by `NumpyTensor`."""

    precedence = 10

    @classmethod
    def default(cls, op: Op, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Run the op on torch tensors with the values of the arrays, and make arrays of what comes out.

        Raises:
            UnsupportedOp: a result has a dtype that numpy lacks, such as bfloat16.
        """
        target = args[0] if args and op.returns in (Returns.SELF, Returns.NOTHING) else None
        tensors = _to_torch(args)
        out = apply(op, tensors, _to_torch(kwargs))
        if isinstance(target, cls):
            target.child = _array(tensors[0])
            return target if op.returns is Returns.SELF else None
        return first_of(cls, args, kwargs).cover(out)

    def cover(self, out: Any) -> Any:
        """Every tensor of a result as a link over an array of its values."""
        if isinstance(out, torch.Tensor):
            return self.like(_array(out))
        if isinstance(out, SyftTensor):
            return out
        return super().cover(out)

    def transpose(self, *axes: int) -> NumpyLink:
        """The array with its axes in another order.

        Args:
            *axes: none to reverse all axes; two to swap them, as in torch; all of them in 0.2.4's order,
                which is numpy's backwards.
        """
        if len(axes) == 2:
            return self.like(np.swapaxes(self.child, *axes))
        return self.like(np.transpose(self.child, axes[::-1] or None))

    def __repr__(self) -> str:
        return "NumpyTensor" + super().__repr__().removeprefix(type(self).__name__)


def _to_torch(value: Any) -> Any:
    if isinstance(value, NumpyLink):
        if not isinstance(value.child, np.ndarray):
            raise UnsupportedOp(f"there is no array under this NumpyTensor but a {type(value.child).__name__}")
        array = np.asarray(value.child, order="C")
        return torch.from_numpy(array if array.flags.writeable else array.copy())
    if type(value) in (list, tuple):
        return type(value)([_to_torch(v) for v in value])
    if type(value) is dict:
        return {k: _to_torch(v) for k, v in value.items()}
    if type(value) is slice:
        return slice(_to_torch(value.start), _to_torch(value.stop), _to_torch(value.step))
    return value


def _array(tensor: torch.Tensor) -> np.ndarray[Any, Any]:
    try:
        return tensor.detach().cpu().resolve_conj().resolve_neg().numpy()
    except TypeError as error:  # torch would swallow a TypeError inside an operator
        raise UnsupportedOp(
            f"numpy has no arrays of dtype {tensor.dtype}; choose another dtype for the result"
        ) from error


def _arithmetic(compute: Callable[..., Any]) -> Callable[..., Any]:
    def rule(op: Op, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        if kwargs or not all(isinstance(a, (NumpyLink, *_NUMBERS)) for a in args):
            return NumpyLink.default(op, args, kwargs)
        arrays = [a.child if isinstance(a, NumpyLink) else a for a in args]
        return first_of(NumpyLink, args).like(np.asarray(compute(*arrays)))

    return rule


def _reflected(compute: Callable[..., Any]) -> Callable[..., Any]:
    return lambda a, b: compute(b, a)


for _keys, _compute in (
    (("add",), np.add),
    (("sub",), np.subtract),
    (("rsub",), _reflected(np.subtract)),
    (("mul",), np.multiply),
    (("div",), np.true_divide),
    (("rdiv",), _reflected(np.true_divide)),
    (("matmul", "mm"), np.matmul),
    (("rmatmul",), _reflected(np.matmul)),
    (("dot",), np.dot),
    (("neg",), np.negative),
):
    NumpyLink.implements(*_keys)(_arithmetic(_compute))


def _transpose(self: Wrapper, *axes: Any, **kwargs: Any) -> Any:
    """`torch.Tensor.transpose`; over a numpy array also numpy's forms, with no axes or with all of them."""
    link = link_of(self)
    if isinstance(link, NumpyLink) and not kwargs:
        return wrap(link.transpose(*axes))
    return torch.Tensor.transpose(self, *axes, **kwargs)


# torch refuses other numbers of axes before it asks any tensor type.
Wrapper.transpose = _transpose  # type: ignore[method-assign, assignment]


def NumpyTensor(numpy_tensor: Any) -> Wrapper:
    """A tensor over a numpy array.

    Args:
        numpy_tensor: an array, or what ``numpy.asarray`` makes one of; bools or numbers.

    Returns:
        ``(Wrapper)>NumpyTensor>…``; the array is ``.child.child`` and is not copied.

    Raises:
        UsageError: the values are no numbers.

    Example:
        >>> x = NumpyTensor(numpy_tensor=[[1, 2, 3, 4]])
        >>> x + x
        (Wrapper)>NumpyTensor>[[2 4 6 8]]
    """
    array = np.asarray(numpy_tensor)
    if array.dtype.kind not in "biufc":
        raise UsageError(
            f"a NumpyTensor holds numbers or bools, not {array.dtype}; convert the array with .astype(...) first"
        )
    link = NumpyLink()
    link.child = array if array.dtype.isnative else array.astype(array.dtype.newbyteorder("="))
    return link.wrap()


def numpy_tensor(self: torch.Tensor) -> Wrapper:
    """A copy of this local tensor as a `NumpyTensor`.

    Raises:
        UsageError: this tensor is a wrapper.
    """
    if is_wrapper(self):
        raise UsageError(
            "Can only cast a data tensor to NumpyTensor. You called this on a wrapper; "
            "fetch what it stands for with .get() first."
        )
    return NumpyTensor(_array(self).copy())
