"""What is kept for later use is used for the same thing only, and what a client has a worker keep counts."""

from __future__ import annotations

import gc
from dataclasses import replace
from typing import Any

import pytest
import torch

from syft.core.ids import new_id
from syft.core.messages import Command
from syft.core.random import Tape
from syft.encoded.costs import profile
from syft.exceptions import (
    EmptyCryptoPrimitiveStoreError,
    LimitExceededError,
    ProtocolStepError,
    WorkerNotFoundException,
)
from syft.mpc import spent
from syft.mpc.bit_planes import sliced
from syft.mpc.carry_tree import CarryTree, layout_of
from syft.mpc.comparison import Blinding
from syft.mpc.masks import Masks
from syft.mpc.material import held
from syft.mpc.preparing import prepare
from syft.mpc.sharing import is_shared
from syft.mpc.spent import Spent
from syft.workers.accounting import footprint
from tests.mpc.parties import Parties, new_parties


@pytest.fixture
def group(hook: Any) -> Parties:
    """Two holders and a provider of this test only."""
    return new_parties(2)


def numbers(tensor: Any) -> Any:
    """The values as floats; the shares stay."""
    return tensor.copy().get().float_precision()


@pytest.mark.parametrize("shared", [False, True])
def test_bits_take_constants_with_fractional_digits(group: Parties, shared: bool) -> None:
    """Results of comparisons have no fractional digits by themselves."""
    x = torch.tensor([1.0, -2.0]).fix_precision(base=2, precision_fractional=16)
    x = group.share(x) if shared else x
    bits = x > 0
    for out, expected in (
        (bits + 0.1, [1.1, 0.1]),
        (0.5 - bits, [-0.5, 0.5]),
        (bits * 0.5 + 0.25, [0.75, 0.25]),
        (bits * 0.1 - 0.3, [-0.2, -0.3]),
        (torch.ones_like(x) + 0.25, [1.25, 1.25]),
    ):
        found = numbers(out) if is_shared(out) else out.float_precision()
        torch.testing.assert_close(found, torch.tensor(expected), atol=1e-4, rtol=0)


def test_a_known_inverse_is_that_of_the_same_number(group: Parties) -> None:
    """x and x / 4 stand on the same integers."""
    x = group.fixed([2.0, 4.0])
    torch.testing.assert_close(numbers(1 / x), torch.tensor([0.5, 0.25]), atol=1e-3, rtol=0)
    torch.testing.assert_close(numbers(1 / (x * 0.25)), torch.tensor([2.0, 1.0]), atol=1e-3, rtol=0)


def test_steps_with_public_indices_are_prepared(group: Parties) -> None:
    """Indices are compared by their values; with others, what was prepared is not used."""
    index = torch.tensor([0, 2, 1])

    def picked(x: Any, index: torch.Tensor) -> Any:
        return x[index] * x

    assert prepare(group.provider, picked, group.fixed([1.0, 2.0, 3.0]), index, n_instances=2) == 2
    for again, dealt in ((index.clone(), False), (torch.tensor([2, 1, 0]), True)):
        x = group.fixed([1.0, 2.0, 3.0])
        with profile() as costs:
            out = picked(x, again)
            found = out.get().float_precision()
        torch.testing.assert_close(found, torch.tensor([1.0, 2, 3])[again] * torch.tensor([1.0, 2, 3]))
        assert (costs.total.dealt > 0) is dealt


def test_what_was_prepared_waits_for_tensors_that_use_it(group: Parties) -> None:
    """Nobody else needs the group meanwhile; when all is used, it goes."""
    group.provider.crypto_store.provide_primitives("mul", group.holders, n_instances=1, shapes=[(2,), (2,)])
    group.provider.crypto_store.force_preprocessing = True
    x, y = group.share(torch.tensor([2, 3])), group.share(torch.tensor([5, 7]))
    assert (x * y).get().tolist() == [10, 21]
    with pytest.raises(EmptyCryptoPrimitiveStoreError):
        y * y
    del x, y
    gc.collect()
    assert group.groups() == 0


def test_keys_are_agreed_on_once_while_shared_tensors_follow_each_other(group: Parties) -> None:
    """The next one is shared before the last one is gone, as in any loop."""
    x = group.shared([1, 2])
    name = x.group.name
    for _ in range(3):
        following = group.shared([3, 4])
        x = following
        del following
        gc.collect()
        assert x.group.name == name
    del x
    gc.collect()
    assert group.groups() == 0


def test_the_wider_of_two_widths_is_compared(group: Parties) -> None:
    """Whichever comes first."""
    narrow, wide = group.fixed([1.0]), group.fixed([40000.0])
    narrow.child.child.width = 32
    for out in (narrow + wide, wide + narrow, narrow * wide, torch.cat([wide, narrow])[:1]):
        assert numbers(out > 0).tolist() == [1]
    assert numbers((narrow + narrow) > 0).tolist() == [1]
    assert (narrow + narrow).child.child.width == 32


def test_what_steps_keep_counts() -> None:
    """A session would have no limit for masks and half-done comparisons otherwise."""
    words = torch.zeros(1000, dtype=torch.int64)
    assert footprint(Masks("group", (words, words.clone()))) >= 16000
    assert footprint(Blinding(True, words.numpy())) >= 8000
    layout = layout_of(1000, 64, "order")
    tree = CarryTree(True, sliced(words.numpy().view("u8"), 64), held(Tape(bytes(16)), 0, layout, None), "order")
    assert footprint(tree) >= 0.8 * layout.nbytes


def test_strips_that_were_left_out_are_remembered_up_to_a_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each gap takes memory; those that are there can still be filled."""
    monkeypatch.setattr(spent, "_MOST_RANGES", 3)
    used = Spent()
    for number in (0, 2, 4):
        used.add(number)
    with pytest.raises(LimitExceededError, match="left out"):
        used.add(6)
    for number in (5, 1, 3, 9):
        used.add(number)
    assert used.ranges == [[0, 6], [9, 10]]


@pytest.mark.parametrize("settings", [{"storage": "large"}, {"precision_fractional": 100}])
def test_large_numbers_take_what_a_result_may(group: Parties, settings: dict[str, Any]) -> None:
    """Their integers take many times what the floats do."""
    worker = group.holders[0]
    worker._executor.policy = replace(worker._executor.policy, result_bytes=1 << 16)

    def fixed(count: int) -> Any:
        return worker.request(Command("mpc.fix_precision", (torch.ones(count), settings), None, new_id(), False))

    fixed(100)
    with pytest.raises(LimitExceededError):
        fixed(1000)


def test_names_of_holders_are_those_that_the_worker_knows(group: Parties, workers: Any) -> None:
    """And not those of the process that it runs in."""
    sharing = Command("mpc.share", (torch.tensor([1]), ("alice", "bob"), {}), None, new_id(), False)
    group.holders[0]._known_workers.clear()
    with pytest.raises(WorkerNotFoundException):
        group.holders[0].request(sharing)


def test_zeros_are_refused_before_they_are_made(group: Parties) -> None:
    """There is no memory for so many."""
    group.provider._executor.policy = replace(group.provider._executor.policy, result_bytes=1 << 16)
    x = group.shared([1])
    number = x.group.number()
    with pytest.raises(LimitExceededError):
        group.provider.request(Command("mpc.deal_zeros", (x.group.name, number, (2**20, 2**20)), None, new_id(), False))


@pytest.mark.parametrize("at", ["public", "coefficient", "signs"])
def test_public_parts_have_the_shape_of_the_shares(group: Parties, at: str) -> None:
    """Of others, broadcasting would make more than was looked at: here 2^24 elements of 2^12."""
    holder = group.holders[0]
    holder._executor.policy = replace(holder._executor.policy, result_bytes=1 << 20)
    row, column = torch.zeros(1 << 12, dtype=torch.int64), torch.zeros(1 << 12, 1, dtype=torch.int64)
    x = group.shared([1])
    name, number = x.group.name, x.group.number()
    wrong = (row, column if at == "public" else row, (column if at == "coefficient" else None,))
    right = (row, row, (None,))
    step: tuple[Any, ...] = ("mpc.product", (name, number, "mul", (), wrong, right, None))
    if at == "signs":
        step = ("mpc.truncate", (name, number, row, column, None))
    with pytest.raises(ProtocolStepError, match="have one shape"):
        holder.request(Command(*step, None, new_id(), False))


def test_far_members_hear_of_the_end_of_a_group_when_the_next_is_made(
    group: Parties, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A finalizer may run while a connection's locks are held, so it sends nothing."""
    x = group.share(torch.tensor([3, 4]))
    x * x
    members = [*group.holders, group.provider]
    for worker in members:
        monkeypatch.setattr(worker, "is_far", True, raising=False)
    first = group.holders[0].service("mpc")
    assert len(first.parties) == 1
    (before,) = first.parties
    del x
    gc.collect()
    assert list(first.parties) == [before]
    y = group.share(torch.tensor([5]))
    y * y
    assert before not in first.parties
    assert len(first.parties) == 1


def test_an_opening_that_failed_is_made_again(group: Parties, monkeypatch: pytest.MonkeyPatch) -> None:
    x = group.share(torch.tensor([3, -4]))
    x * x
    y = group.share(torch.tensor([5, 6]))
    holder = group.holders[0]
    begin = holder.begin

    def failing(message: Any) -> Any:
        begin(message)
        raise_later = ConnectionError("the holder is gone")

        def answer() -> Any:
            raise raise_later

        return answer

    monkeypatch.setattr(holder, "begin", failing)
    with pytest.raises(ConnectionError, match="the holder is gone"):
        y * y
    monkeypatch.setattr(holder, "begin", begin)
    assert (y * y).get().tolist() == [25, 36]
