"""Long computations below the workers: whether they may go on is asked before each of their parts."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextvars import ContextVar
from typing import TypeVar

T = TypeVar("T")

GO_ON: ContextVar[Callable[[], None] | None] = ContextVar("go_on", default=None)
"""What raises once a computation is to end. A worker sets it while it deals with a client whose time is limited."""


def paced(items: Iterable[T]) -> Iterator[T]:
    """The items, one after the other, as long as the computation may go on.

    Args:
        items: what takes a while to deal with, each by itself.

    Raises:
        LimitExceededError: the time that a worker gives a client is over.

    Example:
        >>> list(paced("ab"))
        ['a', 'b']
    """
    go_on = GO_ON.get()
    if go_on is None:
        yield from items
        return
    for item in items:
        go_on()
        yield item
