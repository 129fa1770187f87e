"""Whose batch comes when: the order in which a loader visits workers, as plain numbers.

A schedule is made of the number of batches on each worker and of nothing else, so the length of a
loader is counted with the very code that orders it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple


class Visit(NamedTuple):
    """One batch of one worker.

    Attributes:
        worker: position of the worker.
        turn: which pass over that worker's data this is part of; every pass is shuffled anew.
        batch: position of the batch in the pass.
    """

    worker: int
    turn: int
    batch: int


Step = list[Visit]


def sequential(counts: Sequence[int]) -> Iterator[Step]:
    """All batches of the first worker, then all of the second, and so on.

    Args:
        counts: the number of batches on each worker.

    Example:
        >>> [(visit.worker, visit.batch) for (visit,) in sequential([2, 1])]
        [(0, 0), (0, 1), (1, 0)]
    """
    for worker, count in enumerate(counts):
        for batch in range(count):
            yield [Visit(worker, 0, batch)]


def together(counts: Sequence[int], *, shortest: bool = False) -> Iterator[Step]:
    """One batch of every worker a step.

    Args:
        counts: the number of batches on each worker.
        shortest: stop when the first worker is used up; otherwise the others go on until all are.

    Example:
        >>> [[visit.worker for visit in step] for step in together([1, 2])]
        [[0, 1], [1]]
    """
    ends = min(counts, default=0) if shortest else max(counts, default=0)
    for batch in range(ends):
        yield [Visit(worker, 0, batch) for worker, count in enumerate(counts) if batch < count]


def round_robin(counts: Sequence[int], *, shortest: bool = False) -> Iterator[Step]:
    """One batch of the first worker, one of the second, and so on, again and again.

    Args:
        counts: the number of batches on each worker.
        shortest: stop after the round in which a worker gives its last batch.

    Example:
        >>> [visit.worker for (visit,) in round_robin([1, 3])]
        [0, 1, 1, 1]
    """
    for step in together(counts, shortest=shortest):
        yield from ([visit] for visit in step)


def rotating(counts: Sequence[int], iterators: int, *, shortest: bool = False) -> Iterator[Step]:
    """Several iterators at work, no two on one worker, each of which visits every worker once.

    Iterator *i* starts on worker *i*. When a worker is used up, its iterator takes the first worker that
    it has not visited and that no other iterator is on. If there is none it rests for a step, or, with
    ``shortest``, the schedule ends.

    Args:
        counts: the number of batches on each worker.
        iterators: how many, at most as many as workers.
        shortest: end as soon as an iterator finds no worker although data is left.

    Example:
        >>> [[visit.worker for visit in step] for step in rotating([1, 2, 2], 2)]
        [[0, 1], [2, 1], [2, 0], [1, 2], [1, 2]]
    """
    left = [{k for k, count in enumerate(counts) if count} for _ in range(iterators)]
    on: list[int | None] = [None] * iterators
    position = [0] * iterators
    for i in range(iterators):
        if counts[i]:
            on[i] = i
            left[i].discard(i)
    while True:
        step: Step = []
        for i in range(iterators):
            here = on[i]
            if here is None or position[i] == counts[here]:
                here = min(left[i].difference(k for k in on if k is not None), default=None)
                if here is None and shortest:
                    return
                left[i].discard(-1 if here is None else here)
                on[i], position[i] = here, 0
            if here is not None:
                step.append(Visit(here, i, position[i]))
                position[i] += 1
        if step:
            yield step
        elif not any(left):
            return
        # Else all have just let go of the workers that they kept from each other, and now find them free.
