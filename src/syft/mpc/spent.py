"""Which strips of a tape were used: none is used twice, as a mask that hides two values hides neither."""

from __future__ import annotations

import threading
from bisect import bisect_right

from syft.exceptions import LimitExceededError, ProtocolStepError

_MOST_RANGES = 1 << 16


class Spent:
    """A set of numbers that are nearly all used in order, kept as ranges.

    >>> spent = Spent()
    >>> spent.add(0); spent.add(2); spent.add(1)
    >>> spent.ranges
    [[0, 3]]
    """

    __slots__ = ("_lock", "ranges")

    def __init__(self) -> None:
        self.ranges: list[list[int]] = []
        self._lock = threading.Lock()  # several threads may compute with the same keys

    def add(self, number: int) -> None:
        """Use a number up.

        Raises:
            ProtocolStepError: it was used before, or there is no such strip.
            LimitExceededError: too many numbers were left out to remember which.
        """
        if type(number) is not int or not 0 <= number < 1 << 64:
            raise ProtocolStepError(f"a tape has no strip {number!r}; they are numbered from 0 to 2^64 - 1")
        with self._lock:
            self._add(number)

    def _add(self, number: int) -> None:
        ranges = self.ranges
        if ranges and number == ranges[-1][1]:
            ranges[-1][1] += 1
            return
        at = bisect_right(ranges, number, key=lambda r: r[0])
        before = ranges[at - 1] if at else None
        if before is not None and number < before[1]:
            raise ProtocolStepError(
                f"strip {number} of a tape was to be used twice, which would show the difference of two secrets; "
                "every product and comparison takes randomness of its own"
            )
        joins = at < len(ranges) and ranges[at][0] == number + 1
        if before is not None and before[1] == number:
            before[1] = ranges.pop(at)[1] if joins else number + 1
        elif joins:
            ranges[at][0] = number
        elif len(ranges) >= _MOST_RANGES:
            raise LimitExceededError(
                f"{_MOST_RANGES:,} ranges of strips were left out of a tape; use them in order, or share the values "
                "again for a new one"
            )
        else:
            ranges.insert(at, [number, number + 1])
