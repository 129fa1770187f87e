"""One sample of torch's operator test database: run here, run on a worker, and compare."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch.utils._pytree import tree_map

import syft as sy
from tests.network.servers import ShownWorker

SEED = 1701

Worker = sy.VirtualWorker | ShownWorker

# Torch leaves their values to chance; a worker zeroes them, so that no old memory is handed out.
UNWRITTEN = frozenset({"empty", "empty_like", "empty_permuted", "empty_strided", "new_empty", "new_empty_strided"})


class Skipped(Exception):
    """The sample says nothing about pointers: torch itself refuses it, or there is no tensor in it."""


class Wrong(Exception):
    """The worker's answer differs from the local one; the text says where."""


@dataclass(frozen=True, slots=True)
class Operands:
    """A call's operands, every tensor replaced by a leaf of its own.

    Attributes:
        args: positional operands.
        kwargs: keyword operands.
        tensors: the leaves, in the order they were met.
    """

    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    tensors: list[torch.Tensor]


def prepared(sample: Any, place: Callable[[torch.Tensor], torch.Tensor]) -> Operands:
    """The operands of a sample with every tensor, however deep it lies, put in its place.

    Args:
        sample: a ``SampleInput`` of torch.
        place: gets a leaf that nobody else holds and returns what stands for it in the call.
    """
    placed: dict[int, torch.Tensor] = {}

    def one(value: Any) -> Any:
        if not isinstance(value, torch.Tensor):
            return value
        if id(value) not in placed:
            leaf = value.detach().clone()
            placed[id(value)] = place(leaf.requires_grad_() if value.requires_grad else leaf)
        return placed[id(value)]

    args, kwargs = tree_map(one, ((sample.input, *sample.args), dict(sample.kwargs)))
    return Operands(tuple(args), kwargs, list(placed.values()))


def flat(value: Any) -> list[Any]:
    """The results of a call in one list, whatever containers they came in."""
    if isinstance(value, list | tuple):
        return [leaf for item in value for leaf in flat(item)]
    if isinstance(value, dict):
        return [leaf for key in sorted(value) for leaf in flat(value[key])]
    return [value]


def differentiate(results: list[Any], process: Callable[[Any], Any], raw: Any) -> bool:
    """Backward from the sum of all results that have a history; False when there is none."""
    if not any(isinstance(r, torch.Tensor) and r.requires_grad for r in results):
        return False
    loss: Any = 0
    for part in flat(process(tuple(raw) if isinstance(raw, list) else raw)):
        if isinstance(part, torch.Tensor) and part.requires_grad:
            loss = loss + (part.abs().sum() if part.is_complex() else part.sum())
    loss.backward()
    return True


def here(info: Any, sample: Any) -> tuple[list[Any], list[torch.Tensor | None]]:
    """Results and gradients of the call in this process.

    Raises:
        Skipped: torch refuses the sample, or there is no tensor to send.
    """
    operands = prepared(sample, lambda leaf: leaf)
    if not operands.tensors:
        raise Skipped("no tensor among the operands")
    torch.manual_seed(SEED)
    try:
        raw = info.op(*operands.args, **operands.kwargs)
        results = flat(raw)
        if not differentiate(results, sample.output_process_fn_grad, raw):
            return results, []
    except Exception as error:
        raise Skipped(f"torch refuses it: {error}") from error
    return results, [leaf.grad for leaf in operands.tensors]


def there(info: Any, sample: Any, worker: Worker) -> tuple[list[Any], list[torch.Tensor | None]]:
    """Results and gradients of the same call on the worker, fetched."""
    operands = prepared(sample, lambda leaf: leaf.send(worker))
    torch.manual_seed(SEED)
    raw = info.op(*operands.args, **operands.kwargs)
    results = flat(raw)
    differentiated = differentiate(results, sample.output_process_fn_grad, raw)
    gradients = [p.grad if p.grad is None else p.grad.get() for p in operands.tensors] if differentiated else []
    needs_grad = [r.requires_grad for r in results if isinstance(r, torch.Tensor)]
    fetched = {id(r): r.get() for r in results if isinstance(r, torch.Tensor) and r.is_wrapper}
    if needs_grad != [f.requires_grad for f in fetched.values()]:
        raise Wrong("requires_grad is lost on the way")
    return [fetched.get(id(r), r) for r in results], gradients


def same(actual: Any, wanted: Any, what: str, *, values: bool = True) -> None:
    """Hold one fetched value against the local one.

    Raises:
        Wrong: they differ in type, dtype, layout, shape, history or value.
    """
    if not isinstance(wanted, torch.Tensor):
        if type(actual) is not type(wanted) or not (actual == wanted or actual != actual):
            raise Wrong(f"{what} is {actual!r} and not {wanted!r}")
        return
    if not isinstance(actual, torch.Tensor):
        raise Wrong(f"{what} is a {type(actual).__name__} and not a tensor")
    if actual.requires_grad is not wanted.requires_grad:
        raise Wrong(f"{what} has requires_grad={actual.requires_grad}")
    try:
        actual, wanted = actual.detach(), wanted.detach()
        if not values:
            actual, wanted = torch.zeros_like(actual), torch.zeros_like(wanted)
        torch.testing.assert_close(actual, wanted, equal_nan=True)
    except AssertionError as error:
        raise Wrong(f"{what}: {' '.join(str(error).split())[:160]}") from None


def check(info: Any, sample: Any, worker: Worker) -> None:
    """Run a sample here and on the worker.

    Args:
        info: an ``OpInfo`` of torch.
        sample: one of its samples.
        worker: where the tensors are sent; it is emptied afterwards.

    Raises:
        Skipped: the sample says nothing about pointers.
        Wrong: results or gradients differ.
        Exception: what the remote call raised.
    """
    wanted, wanted_gradients = here(info, sample)
    try:
        actual, gradients = there(info, sample, worker)
    finally:
        worker.clear_objects()
    if len(actual) != len(wanted):
        raise Wrong(f"{len(actual)} results and not {len(wanted)}")
    if len(gradients) != len(wanted_gradients):
        raise Wrong("there is a gradient on one side only")
    for index, (one, other) in enumerate(zip(actual, wanted, strict=True)):
        same(one, other, f"result {index}", values=info.name not in UNWRITTEN)
    for index, (one, other) in enumerate(zip(gradients, wanted_gradients, strict=True)):
        if (one is None) is not (other is None):
            raise Wrong(f"gradient {index} is {'missing' if one is None else 'made up'}")
        if other is not None:
            same(one, other, f"gradient {index}")
