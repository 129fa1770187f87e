"""Running a plan over a data set where both are: one message for any number of batches."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import torch

from syft.exceptions import PlanArgumentError
from syft.workers.time_limits import next_batch


def run_epochs(
    plan: Callable[..., Any],
    *data: Any,
    batch_size: int = 32,
    epochs: int = 1,
    shuffle: bool = False,
    drop_last: bool = False,
    max_batches: int | None = None,
) -> Any:
    """Run a plan on every batch of some data.

    Args:
        plan: called with a batch of each tensor.
        *data: tensors with as many rows, or one data set with ``data`` and ``targets``.
        batch_size: rows a batch.
        epochs: passes over the data.
        shuffle: draw a new order every pass.
        drop_last: leave out a last batch that is not full.
        max_batches: stop after so many batches over all epochs; None for no limit.

    Returns:
        What the plan returned for each batch, detached and stacked along a new first dimension (in the tuple or
        dict that it returned); None if it returned no tensors.

    Raises:
        PlanArgumentError: there are no rows, they do not fit together, or a number is below what makes sense.
        LimitExceededError: it takes longer than the worker allows.
    """
    tensors = _tensors(data)
    rows = {int(tensor.shape[0]) if tensor.dim() else 0 for tensor in tensors}
    if len(rows) != 1 or rows == {0}:
        raise PlanArgumentError(
            f"epochs need tensors with the same number of rows, at least 1; they have {sorted(rows)}."
        )
    if batch_size < 1 or epochs < 0 or (max_batches is not None and max_batches < 0):
        raise PlanArgumentError(
            f"batch_size={batch_size}, epochs={epochs}, max_batches={max_batches}: a batch has 1 row or more, "
            "and the others are 0 or more."
        )
    results: list[Any] = []
    for batch in _batches(tensors, rows.pop(), batch_size, epochs, shuffle, drop_last):
        if max_batches is not None and len(results) >= max_batches:
            break
        next_batch()
        results.append(_detached(plan(*batch)))
    if not results:
        raise PlanArgumentError("there is no batch to run: fewer rows than batch_size with drop_last, or 0 epochs.")
    return _stacked(results)


def _tensors(data: tuple[Any, ...]) -> list[torch.Tensor]:
    if len(data) == 1 and not isinstance(data[0], torch.Tensor):
        data = getattr(data[0], "data", None), getattr(data[0], "targets", None)
    if not data or not all(isinstance(tensor, torch.Tensor) for tensor in data):
        kinds = ", ".join(type(tensor).__name__ for tensor in data) or "nothing"
        raise PlanArgumentError(f"epochs go over tensors, or over a data set with data and targets, not over {kinds}.")
    return list(data)


def _batches(
    tensors: list[torch.Tensor], rows: int, batch_size: int, epochs: int, shuffle: bool, drop_last: bool
) -> Iterator[list[torch.Tensor]]:
    for _ in range(epochs):
        order = torch.randperm(rows) if shuffle else None
        for start in range(0, rows, batch_size):
            if drop_last and start + batch_size > rows:
                break
            stop = start + batch_size
            if order is None:
                yield [tensor[start:stop] for tensor in tensors]
            else:
                chosen = order[start:stop]
                yield [tensor[chosen.to(tensor.device)] for tensor in tensors]


def _detached(value: Any) -> Any:
    if isinstance(value, torch.Tensor):
        return value.detach()
    if type(value) in (list, tuple):
        return type(value)([_detached(part) for part in value])
    return {k: _detached(v) for k, v in value.items()} if type(value) is dict else None


def _stacked(results: list[Any]) -> Any:
    first = results[0]
    if isinstance(first, torch.Tensor):
        return torch.stack(results) if all(r.shape == first.shape for r in results) else torch.cat(results)
    if type(first) in (list, tuple):
        return type(first)([_stacked(list(column)) for column in zip(*results, strict=True)])
    return {k: _stacked([r[k] for r in results]) for k in first} if type(first) is dict else None
