"""`MultiPointerTensor`: one tensor with a copy on each of several workers; ops run on all of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import torch

from syft.core.ops import Op, Returns
from syft.exceptions import NotSupportedError, SyftError, TensorsNotCollocatedException, UsageError
from syft.tensors.base import SyftTensor, apply, unwrap, wrap
from syft.tensors.outputs import Outputs
from syft.tensors.pointer import PointerTensor


class MultiPointerTensor(SyftTensor):
    """Pointers to one tensor a worker, in the order they were sent.

    Args:
        owner: the worker this belongs to.
        id: its own id.
        tags: words to find it by.
        description: a text about it.
        children: pointers on different workers, all of one shape.
    """

    precedence = 2

    def __init__(
        self,
        owner: Any = None,
        id: Any = None,
        tags: Any = None,
        description: str | None = None,
        children: Iterable[Any] = (),
    ) -> None:
        super().__init__(owner, id, tags, description)
        self.child: dict[Any, PointerTensor] = {}
        for pointer in map(unwrap, children):
            place = pointer.location.id
            if place in self.child:
                raise UsageError(f"two of these pointers point to {place!r}; a multi-pointer has one copy a worker")
            self.child[place] = pointer
        shapes = {tuple(p.shape) for p in self.child.values()}
        if len(shapes) > 1:
            raise UsageError(f"the copies of a multi-pointer must have one shape, these have {sorted(shapes)}")

    @classmethod
    def default(cls, op: Op, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Run the op on every worker.

        Args:
            op: what to run.
            args: multi-pointers over the same workers, and plain values.
            kwargs: likewise.

        Returns:
            A multi-pointer, `Outputs` of them, or a dict of plain values by worker id.

        Raises:
            TensorsNotCollocatedException: an operand is not on every one of the workers.
        """
        first = _find((*args, *kwargs.values()))
        results = {
            place: apply(op, tuple(_pick(a, place, first, op) for a in args), _pick(kwargs, place, first, op))
            for place in first.child
        }
        if op.returns is Returns.SELF:
            return args[0]
        return _join(results)

    def get(self, sum_results: bool = False, **kwargs: Any) -> Any:
        """Fetch all copies; the workers forget them.

        Args:
            sum_results: return their sum instead of a list.
            **kwargs: passed to every pointer's ``get``.

        Returns:
            A list of tensors in the order of sending, or one tensor.
        """
        results = [pointer.get(**kwargs) for pointer in self.child.values()]
        return sum(results[1:], results[0]) if sum_results else results

    def virtual_get(self, sum_results: bool = False) -> Any:
        """Peek at all copies without removing them."""
        results = [pointer.clone().get() for pointer in self.child.values()]
        return sum(results[1:], results[0]) if sum_results else results

    @property
    def shape(self) -> torch.Size:
        """The shape of every copy."""
        return next(iter(self.child.values())).shape

    @property
    def grad(self) -> Any:
        """A multi-pointer to the gradients, or None if no copy has one."""
        grads = {place: pointer.grad for place, pointer in self.child.items()}
        if all(g is None for g in grads.values()):
            return None
        return MultiPointerTensor(children=[g for g in grads.values() if g is not None])

    def __repr__(self) -> str:
        return f"[{type(self).__name__}]" + "".join(f"\n\t-> {pointer}" for pointer in self.child.values())


def _find(values: Iterable[Any]) -> MultiPointerTensor:
    for value in values:
        if isinstance(value, MultiPointerTensor):
            return value
        if isinstance(value, (list, tuple)) and (found := _find_or_none(value)) is not None:
            return found
    raise SyftError("no multi-pointer among the operands")


def _find_or_none(values: Iterable[Any]) -> MultiPointerTensor | None:
    try:
        return _find(values)
    except SyftError:
        return None


def _pick(value: Any, place: Any, first: MultiPointerTensor, op: Op) -> Any:
    if isinstance(value, MultiPointerTensor):
        if value.child.keys() != first.child.keys():
            here = next((p for w, p in first.child.items() if w not in value.child), first.child[place])
            there = next((p for w, p in value.child.items() if w not in first.child), None)
            raise TensorsNotCollocatedException(here, there, attr=op.name)
        return value.child[place]
    if isinstance(value, SyftTensor) or (isinstance(value, torch.Tensor) and value.dim() > 0):
        raise TensorsNotCollocatedException(first.child[place], value, attr=op.name)
    if type(value) in (list, tuple):
        return type(value)(_pick(v, place, first, op) for v in value)
    if type(value) is dict:
        return {k: _pick(v, place, first, op) for k, v in value.items()}
    return value


def _join(results: dict[Any, Any]) -> Any:
    sample = next(iter(results.values()))
    if isinstance(sample, PointerTensor):
        return MultiPointerTensor(children=results.values())
    if isinstance(sample, (list, tuple)):
        joined = [_join(dict(zip(results, column, strict=True))) for column in zip(*results.values(), strict=True)]
        return Outputs(joined, getattr(sample, "names", ()))
    if all(r is None for r in results.values()):
        return None
    raise NotSupportedError(
        f"this gives one plain value for each of {', '.join(map(str, results))}; ask the pointers in .child.child"
    )


def _rule(key: str) -> Callable[..., Any]:
    def look(op: Op, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        multi = args[0]
        return apply(op, (next(iter(multi.child.values())), *args[1:]), kwargs)

    look.__name__ = f"_{key}"
    return look


for _key in ("shape", "size", "dim", "ndim", "numel", "__len__", "dtype", "device", "layout"):
    MultiPointerTensor.implements(_key)(_rule(_key))


@MultiPointerTensor.implements("backward")
def _backward(op: Op, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
    first = _find(args)
    for place in first.child:
        apply(op, tuple(_pick(a, place, first, op) for a in args), _pick(kwargs, place, first, op))


@MultiPointerTensor.implements("grad")
def _grad(op: Op, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    return args[0].grad


def combine_pointers(*pointers: Any) -> Any:
    """One multi-pointer over existing pointers, in this order.

    Args:
        *pointers: wrapped pointers on different workers, all of one shape.

    Returns:
        A wrapped `MultiPointerTensor`.
    """
    return wrap(MultiPointerTensor(children=pointers))
