"""Ids: unguessable unless somebody chooses them."""

from __future__ import annotations

import os
import random
from typing import Any

import pytest
import torch

import syft as sy
from syft.exceptions import IdNotUniqueError
from syft.generic.id_provider import IdProvider

Worker = sy.VirtualWorker


def test_ids_are_different_63_bit_numbers(hook: sy.TorchHook) -> None:
    ids = [sy.ID_PROVIDER.pop() for _ in range(1000)]
    assert len(set(ids)) == 1000
    assert all(isinstance(i, int) and 0 <= i < 2**63 for i in ids)
    assert max(ids) > 2**60


def test_extra_arguments_are_ignored() -> None:
    assert IdProvider().pop("anything", 5) >= 0


def test_chosen_ids_are_handed_out_from_the_end() -> None:
    provider = IdProvider()
    provider.set_next_ids([1, 2, 3])
    assert [provider.pop() for _ in range(3)] == [3, 2, 1]
    assert provider.pop() not in (1, 2, 3)


def test_ids_can_be_given_to_the_constructor() -> None:
    provider = IdProvider(given_ids=[10, 20])
    assert [provider.pop(), provider.pop()] == [20, 10]


def test_ids_handed_out_before_are_refused() -> None:
    provider = IdProvider()
    used = provider.pop()
    with pytest.raises(IdNotUniqueError, match=str(used)):
        provider.set_next_ids([used])
    provider.set_next_ids([5])
    provider.pop()
    with pytest.raises(IdNotUniqueError, match="5"):
        provider.set_next_ids([5, 6])


def test_the_check_can_be_left_out() -> None:
    provider = IdProvider()
    used = provider.pop()
    provider.set_next_ids([used], check_ids=False)
    assert provider.pop() == used


def test_refused_ids_change_nothing() -> None:
    provider = IdProvider(given_ids=[7])
    with pytest.raises(IdNotUniqueError):
        provider.set_next_ids([8, 7])
    assert provider.pop() == 7


def test_ids_can_be_recorded() -> None:
    provider = IdProvider()
    provider.pop()
    provider.start_recording_ids()
    first = [provider.pop(), provider.pop()]
    assert provider.get_recorded_ids(continue_recording=True) == first
    third = provider.pop()
    assert provider.get_recorded_ids() == [*first, third]
    provider.pop()
    provider.start_recording_ids()
    assert provider.get_recorded_ids() == []


def test_seeds_do_not_change_ids() -> None:
    drawn = []
    for _ in range(2):
        random.seed(0)
        torch.manual_seed(0)
        drawn.append([sy.ID_PROVIDER.pop() for _ in range(300)])
    assert not set(drawn[0]) & set(drawn[1])


@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_forked_process_draws_other_ids() -> None:
    provider = IdProvider()
    provider.pop()
    read, write = os.pipe()
    if (child := os.fork()) == 0:
        os.write(write, b",".join(str(provider.pop()).encode() for _ in range(50)))
        os._exit(0)
    os.waitpid(child, 0)
    theirs = {int(i) for i in os.read(read, 10_000).split(b",")}
    os.close(read)
    os.close(write)
    assert len(theirs) == 50
    assert not theirs & {provider.pop() for _ in range(50)}


def test_chosen_ids_name_tensors_pointers_and_results(bob: Worker) -> None:
    x = torch.tensor([1])
    x.id = 11
    p = x.send(bob)
    sy.ID_PROVIDER.set_next_ids([12], check_ids=False)
    assert p.id == 12
    assert str(p) == "(Wrapper)>[PointerTensor | me:12 -> bob:11]"
    sy.ID_PROVIDER.set_next_ids([21], check_ids=False)
    q = p + p
    assert q.id_at_location == 21
    assert list(bob._objects) == [11, 21]


def test_ids_may_be_text(bob: Worker) -> None:
    x = torch.tensor([1, 2])
    x.id = "weights"
    p = x.send(bob)
    assert p.id_at_location == "weights"
    assert list(bob._objects) == ["weights"]
    assert (p + 1).get().tolist() == [2, 3]
    back: Any = p.get()
    assert back.id == "weights"
