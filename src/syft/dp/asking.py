"""Private questions to data at a worker: ``sy.dp.mean(pointer, lower=0, upper=120, epsilon=0.5)``.

The worker clips each row to the bounds, charges the asker's budget in its ledger, and answers with noise. The answer
is a plain number; the tensor stays where it is and cannot be fetched. See `syft.dp.queries` for what a row is.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

from syft.core.messages import ObjectId
from syft.exceptions import UsageError
from syft.tensors.base import is_wrapper, link_of
from syft.tensors.pointer import PointerTensor

SERVICE = "privacy"
"""The service of a worker that answers."""

_Numbers = float | torch.Tensor


def sum(
    pointer: torch.Tensor | PointerTensor,
    *,
    lower: float,
    upper: float,
    epsilon: float,
    delta: float = 0.0,
    column: int | None = None,
    user: str | None = None,
) -> _Numbers:
    """The sum of the rows of a tensor at a worker, with noise.

    Args:
        pointer: to a private tensor, or to one that its owner offers for private questions: (N,), or (N, …) for the
            sum of each place in a row, which takes more noise.
        lower: each value is clipped to be at least that. Say what is possible, not what is in the data.
        upper: likewise, at most.
        epsilon: what the answer costs.
        delta: 0 for Laplace noise; above 0 for Gaussian noise, which is less where a row has many places.
        column: ask about this place of each row only.
        user: on a virtual worker, as whom to ask. A served worker knows.

    Returns:
        A float, or a tensor of torch.float64 of the shape of a row.

    Raises:
        PrivacyBudgetError: there is not enough budget. Nothing was released, nothing is spent.
        GetNotPermittedError: nobody may ask about this tensor.
        UsageError: arguments that make no sense, or a tensor that is not at a worker.

    Example:
        >>> import syft as sy
        >>> hook = sy.TorchHook(torch)
        >>> carl = sy.VirtualWorker(hook, id="carl")
        >>> carl.privacy.allow("ana", sy.dp.Budget(epsilon=1000.0))
        >>> ages = torch.tensor([31.0, 47.0, 25.0]).private_tensor(allowed_users=("carl",)).send(carl, user="carl")
        >>> round(sy.dp.sum(ages, lower=0, upper=120, epsilon=900.0, user="ana"), -1)
        100.0
    """
    return _number(_ask(pointer, "sum", user, lower, upper, epsilon, delta, column))


def mean(
    pointer: torch.Tensor | PointerTensor,
    *,
    lower: float,
    upper: float,
    epsilon: float,
    delta: float = 0.0,
    column: int | None = None,
    user: str | None = None,
) -> _Numbers:
    """The mean of the rows of a tensor at a worker, with noise; arguments, result and errors as for `sum`.

    The number of rows is taken for a secret, too: half of the cost goes into a noisy count.
    """
    return _number(_ask(pointer, "mean", user, lower, upper, epsilon, delta, column))


def count(
    pointer: torch.Tensor | PointerTensor,
    *,
    epsilon: float,
    lower: float | None = None,
    upper: float | None = None,
    delta: float = 0.0,
    column: int | None = None,
    user: str | None = None,
) -> int:
    """How many rows a tensor at a worker has, or how many lie from ``lower`` to ``upper``, with noise.

    Arguments and errors as for `sum`.

    Returns:
        An integer; noise may make it negative.
    """
    answer: int = _ask(pointer, "count", user, lower, upper, epsilon, delta, column)
    return answer


def histogram(
    pointer: torch.Tensor | PointerTensor,
    *,
    bins: int | Sequence[float],
    epsilon: float,
    lower: float | None = None,
    upper: float | None = None,
    delta: float = 0.0,
    column: int | None = None,
    user: str | None = None,
) -> torch.Tensor:
    """How many rows of a tensor at a worker fall into each bin, with noise.

    Args:
        pointer: as for `sum`, with one number in a row or a ``column``.
        bins: how many bins of one width from ``lower`` to ``upper``; or their edges, rising.
        epsilon: as for `sum`. It does not grow with the number of bins.
        lower: where the first of so many bins begins. Rows outside are counted in the first or last one.
        upper: where the last one ends.
        delta: as for `sum`.
        column: likewise.
        user: likewise.

    Returns:
        A tensor of torch.int64 with a count for each bin; noise may make some negative.

    Raises:
        PrivacyBudgetError: see `sum`.
    """
    given = bins if isinstance(bins, int) else [float(edge) for edge in bins]
    return torch.tensor(_ask(pointer, "histogram", user, given, lower, upper, epsilon, delta, column))


def quantile(
    pointer: torch.Tensor | PointerTensor,
    q: float = 0.5,
    *,
    lower: float,
    upper: float,
    epsilon: float,
    resolution: int = 1000,
    column: int | None = None,
    user: str | None = None,
) -> float:
    """A value that about the part ``q`` of the rows of a tensor at a worker lie below; the median when left out.

    Args:
        pointer: as for `sum`, with one number in a row or a ``column``.
        q: from 0 to 1.
        lower: the least answer.
        upper: the largest one.
        epsilon: as for `sum`.
        resolution: the answer is ``lower`` plus a multiple of the range by so many, at most 10,000.
        column: as for `sum`.
        user: likewise.

    Returns:
        A float.

    Raises:
        PrivacyBudgetError: see `sum`.
    """
    answer: float = _ask(pointer, "quantile", user, q, lower, upper, epsilon, resolution, column)
    return answer


def budget(worker: Any, user: str | None = None) -> dict[str, float | int | None]:
    """What you may still learn at a worker.

    Args:
        worker: a `VirtualWorker` or `WebsocketClientWorker`.
        user: on a virtual worker, who asks.

    Returns:
        ``epsilon`` and ``delta`` of your budget (None without one), what is ``spent`` and what is ``remaining`` of
        epsilon, and the number of ``releases``.
    """
    answer: dict[str, float | int | None] = worker.ask(SERVICE, "budget", user)
    return answer


def _ask(pointer: Any, question: str, user: str | None, *arguments: Any) -> Any:
    location, id = _at(pointer)
    return location.ask(SERVICE, question, id, user, *arguments)


def _at(pointer: Any) -> tuple[Any, ObjectId]:
    link = link_of(pointer) if isinstance(pointer, torch.Tensor) and is_wrapper(pointer) else pointer
    if not isinstance(link, PointerTensor):
        raise UsageError(
            f"private questions are asked through a pointer to a tensor at a worker, not a {type(pointer).__name__}; "
            "for a tensor of your own use syft.dp.queries or syft.dp.mechanisms"
        )
    if link.path:
        raise UsageError(
            f"this pointer is to {'.'.join(link.path)!r} of a tensor; ask of the tensor, not of a part of it"
        )
    return link.location, link.id_at_location


def _number(answer: Any) -> _Numbers:
    return torch.tensor(answer, dtype=torch.float64) if isinstance(answer, list) else float(answer)
