"""Which strips were used: every number once, in whatever order and from however many threads."""

from __future__ import annotations

import itertools
import threading
import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syft.exceptions import ProtocolStepError
from syft.mpc.spent import Spent


@given(numbers=st.lists(st.integers(0, 12), max_size=30))
def test_a_number_is_used_once(numbers: list[int]) -> None:
    """Held to a set."""
    spent, model = Spent(), set[int]()
    for number in numbers:
        if number in model:
            with pytest.raises(ProtocolStepError, match="used twice"):
                spent.add(number)
        else:
            spent.add(number)
        model.add(number)
    assert [n for first, end in spent.ranges for n in range(first, end)] == sorted(model)
    assert all(a[1] < b[0] for a, b in itertools.pairwise(spent.ranges)), "ranges that touch are one"


class Restless(list[list[int]]):
    """Lets other threads run whenever it is looked into."""

    def __getitem__(self, at: Any) -> Any:
        time.sleep(0)
        return super().__getitem__(at)


def test_threads_do_not_get_into_each_others_way() -> None:
    """What one uses up is used up for all, and nothing else is."""
    spent, numbers = Spent(), itertools.count()
    spent.ranges = Restless()

    def use() -> None:
        for _ in range(500):
            spent.add(next(numbers))

    threads = [threading.Thread(target=use) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert spent.ranges == [[0, 2000]]
