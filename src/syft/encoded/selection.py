"""The largest of several numbers and their order, found by comparing all pairs of a level at once.

Results remember which elements were picked, by bits, and hand gradients on to these.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

import torch

from syft.encoded import number as n
from syft.encoded.number import Number, settled
from syft.encoded.rules_structure import join, total
from syft.exceptions import UsageError

LONGEST_RANKED = 512
"""So many elements can be ranked: each is compared with all others."""
_FEW_PAIRS = 1 << 15
"""Up to so many comparisons, ranking is faster than a tournament, which takes several times as many rounds."""


class Selection(Protocol):
    """Which elements of the last dimension were picked."""

    @property
    def values(self) -> Number:
        """What was picked."""

    def places(self) -> Number:
        """Where that stood, from 0."""

    def spread(self, g: Number) -> Number:
        """What was picked gets its own gradient, all other elements get zero.

        Args:
            g: the gradient of the values.

        Returns:
            That of the elements they were picked from.
        """


def check_length(length: int, longest: int | None = None) -> None:
    """Whether so many elements can be compared.

    Raises:
        UsageError: there are none, or too many.
    """
    if length == 0:
        raise UsageError("there is nothing to compare along this dimension: it has no elements")
    if longest is not None and length > longest:
        raise UsageError(
            f"ranking compares each element with all others, which is done for {longest} of them at most, not for "
            f"{length}; take max() or min(), or split the dimension first"
        )


def largest(a: Number) -> Selection:
    """Pick the largest along the last dimension, the first of several.

    Args:
        a: (…, elements), whose differences are exact: below 2^63 as integers, or 2^31 with ``width=32``.

    Returns:
        A selection of (…) values.

    Raises:
        UsageError: there are no elements.
    """
    length = a.shape[-1]
    check_length(length)
    pairs = a.shape.numel() // length * (length * (length - 1) // 2)
    if length > 3 and pairs <= _FEW_PAIRS:
        return First(ranked(a, range(1), descending=True))
    return tournament(a)


# --- tournaments ----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Tournament:
    """Neighbours are compared and the larger ones go on to the next level.

    Attributes:
        values: of the winners, without the last dimension.
        levels: how many took part in each level, and 1 where the second of a pair won. One without a pair goes on.
    """

    values: Number
    levels: tuple[tuple[int, Number], ...]

    def places(self) -> Number:
        """See `Selection`. Takes a round for each level but the first."""
        if not self.levels:
            return self.values.with_raw(torch.zeros(self.values.shape, dtype=torch.int64), 1)
        places: Number | None = None
        for size, won in self.levels:
            even = size - size % 2
            if places is None:
                rest = torch.arange(even, size).expand(*won.shape[:-1], -1)
                places = _joined(n.add(won, won.with_raw(torch.arange(0, even, 2))), won.with_raw(rest))
            else:
                left, right = _pairs(places, even)
                gained = n.multiply(n.sub(right, left), won)
                places = _joined(n.add(left, gained), _slice(places, even, size))
        assert places is not None  # noqa: S101 - there was a level
        return places.moved("select", -1, 0)

    def spread(self, g: Number) -> Number:
        """See `Selection`. Takes a round for each level."""
        g = settled(g).moved("unsqueeze", -1)
        for size, won in reversed(self.levels):
            pairs = size // 2
            winners = _slice(g, 0, pairs)
            second = n.multiply(winners, won)
            first = n.sub(winners, second)
            both = join([first.moved("unsqueeze", -1), second.moved("unsqueeze", -1)], -1)
            g = _joined(both.moved("view", [*won.shape[:-1], 2 * pairs]), _slice(g, pairs, g.shape[-1]))
        return g


def tournament(a: Number) -> Tournament:
    """See `largest`; a number of rounds that grows with the logarithm, and one comparison for each loser."""
    values, levels = settled(a), []
    while (size := values.shape[-1]) > 1:
        even = size - size % 2
        left, right = _pairs(values, even)
        lead = n.sub(left, right)
        won = n.negative(lead)
        levels.append((size, won))
        # What was opened for the comparison serves the product, too.
        values = _joined(n.sub(left, n.multiply(lead, won)), _slice(values, even, size))
    return Tournament(values.moved("select", -1, 0), tuple(levels))


def _pairs(a: Number, even: int) -> tuple[Number, Number]:
    return a.moved("slice", -1, 0, even, 2), a.moved("slice", -1, 1, even, 2)


def _slice(a: Number, start: int, end: int) -> Number:
    return a if (start, end) == (0, a.shape[-1]) else a.moved("slice", -1, start, end)


def _joined(a: Number, rest: Number) -> Number:
    return join([a, rest], -1) if rest.shape[-1] else a


# --- ranking --------------------------------------------------------------------------------------


class Ranking:
    """Elements picked by their rank.

    Args:
        elements: settled, (…, elements).
        hot: 1 where an element has the rank, else 0: (…, picks, elements).
    """

    def __init__(self, elements: Number, hot: Number) -> None:
        self._elements, self.hot = elements, hot

    @cached_property
    def values(self) -> Number:
        """(…, picks). Takes a round if the elements are shared and were in no product yet."""
        return total(n.multiply(self.hot, self._elements.moved("unsqueeze", -2)), [-1])

    def places(self) -> Number:
        """See `Selection`. Takes no round."""
        return n.multiply(self.hot, self.hot.with_raw(torch.arange(self.hot.shape[-1])), "matmul")

    def spread(self, g: Number) -> Number:
        """See `Selection`. Takes a round."""
        return total(n.multiply(self.hot, settled(g).moved("unsqueeze", -1)), [-2])


class First:
    """The only pick of a ranking, without its dimension.

    Args:
        ranking: of one pick.
    """

    def __init__(self, ranking: Ranking) -> None:
        self._ranking = ranking

    @property
    def values(self) -> Number:
        """See `Selection`."""
        return self._ranking.values.moved("select", -1, 0)

    @property
    def hot(self) -> Number:
        """1 where the element was picked, else 0."""
        return self._ranking.hot.moved("select", -2, 0)

    def places(self) -> Number:
        """See `Selection`."""
        return self._ranking.places().moved("select", -1, 0)

    def spread(self, g: Number) -> Number:
        """See `Selection`."""
        return self._ranking.spread(g.moved("unsqueeze", -1))


def ranked(a: Number, ranks: Sequence[int], *, descending: bool) -> Ranking:
    """Pick elements of the last dimension by their rank. Takes the same few rounds for any number of them.

    Args:
        a: (…, elements)
        ranks: which to pick, from 0.
        descending: count from the largest; otherwise from the smallest. Of equal ones the first comes first.

    Raises:
        UsageError: there are no elements, or more than can be ranked.
    """
    length = a.shape[-1]
    check_length(length, LONGEST_RANKED)
    a = settled(a)
    if length == 1:
        hot = a.with_raw(torch.ones(*a.shape[:-1], len(ranks), 1, dtype=torch.int64), 1)
        return Ranking(a, hot)
    first, second = torch.triu_indices(length, length, 1)
    one, other = a.moved("index_select", -1, first), a.moved("index_select", -1, second)
    behind = n.negative(n.sub(one, other) if descending else n.sub(other, one))  # the first comes after the second
    # All before it are ahead of an element, but for those which are behind it.
    ahead = n.sub(behind.moved("index_sum", -1, first, length), behind.moved("index_sum", -1, second, length))
    rank = n.add(ahead, a.with_raw(torch.arange(length), 1)).moved("unsqueeze", -2)
    hot = n.zero(n.sub(rank, a.with_raw(torch.tensor(list(ranks)).unsqueeze(-1), 1)))
    return Ranking(a, hot)
