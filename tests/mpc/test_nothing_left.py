"""Nothing is left of what was computed: not at the parties, not at the client, not when something fails."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from typing import Any

import pytest
import torch

from syft.core.messages import Command, Take
from syft.exceptions import ConsumedPointerError, ProtocolStepError
from syft.mpc.group import Group
from syft.mpc.protocols import divide, is_negative, is_zero, multiply, refreshed
from syft.mpc.public import Public
from tests.mpc.parties import Parties, Watched, new_parties


@pytest.fixture
def group(hook: Any) -> Iterator[Parties]:
    """Parties that hold nothing, neither before nor after the test."""
    fresh = new_parties(3)
    yield fresh
    gc.collect()
    assert fresh.objects() == [0, 0, 0, 0]
    assert fresh.groups() == 0, "keys are gone with the last tensor that needs them"


def everything(group: Parties, x: Any) -> None:
    """Each protocol once, on a tensor and on what comes of it."""
    y = multiply("mul", (), x, x)
    z = divide(y.moved("t"), 8)
    bits = is_negative(z)
    w = multiply("mul", (), bits, z)
    is_zero(w)
    refreshed(w).moved("sum", [0], False)
    multiply("matmul", (), z, x)


def count_publics() -> int:
    """How many openings this process remembers."""
    return sum(type(obj) is Public for obj in gc.get_objects())


def test_a_thousand_operations_leave_nothing(group: Parties) -> None:
    """At the holders and at the provider there is as much after one round of all protocols as after many."""
    x = group.shared(torch.arange(4).reshape(2, 2))
    seen = []
    for _ in range(120):
        everything(group, x)
        seen.append(group.objects())
    assert set(map(tuple, seen)) == {(1, 1, 1, 1)}, "a share each, and the mask that x was opened under"
    x.get()


def test_training_leaves_nothing(group: Parties) -> None:
    """A model keeps its parameters and their masks, and no more of it after the tenth step than after the second."""
    model = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.ReLU(), torch.nn.Linear(4, 1))
    model.fix_precision(base=2, precision_fractional=16).share(*group.holders, crypto_provider=group.provider)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    data, target = group.fixed(torch.randn(5, 3)), group.fixed(torch.randn(5, 1))
    seen = []
    for _ in range(4):
        optimizer.zero_grad()
        ((model(data) - target) ** 2).mean().backward()
        optimizer.step()
        gc.collect()
        seen.append(tuple(group.objects()))
    assert len(set(seen[1:])) == 1
    optimizer.zero_grad()


def test_the_client_remembers_no_openings_of_tensors_that_are_gone(group: Parties) -> None:
    """An opening lives as long as the tensor whose products it serves."""
    gc.collect()
    before = count_publics()
    x = group.shared(torch.arange(4).reshape(2, 2))
    everything(group, x)
    gc.collect()
    assert count_publics() == before + 1
    x.get()
    gc.collect()
    assert count_publics() == before


class Refusing(Watched):
    """A worker that fails at one op of its choice."""

    fails_at: str | None = None

    def request(self, message: Any) -> Any:
        """See `VirtualWorker`."""
        if type(message) is Command and message.op == self.fails_at:
            raise ProtocolStepError(f"no {message.op} today")
        return super().request(message)

    post = request


@pytest.mark.parametrize("who", ["first", "last", "provider"])
def test_failures_in_the_middle_leave_nothing(hook: Any, who: str) -> None:
    """Whoever fails, and at whatever step; the next attempt succeeds with strips of its own."""
    group = new_parties(3)
    place = {"first": 0, "last": 2, "provider": 3}[who]
    failing = Refusing(hook, id="failing", auto_add=False)
    if who == "provider":
        group.provider = failing
    else:
        group.holders[place] = failing
    ops = {
        "mpc.mask", "mpc.product", "mpc.truncate", "mpc.compare", "mpc.compare_next", "mpc.bits", "mpc.zeros", "mpc.move"
    }  # fmt: skip
    dealt = {
        "mpc.deal_mask", "mpc.deal_product", "mpc.deal_truncate", "mpc.deal_compare", "mpc.deal_arranged", "mpc.deal_zeros"
    }  # fmt: skip
    for op in dealt if who == "provider" else ops:
        x = group.shared(torch.arange(4).reshape(2, 2))
        x.group  # noqa: B018 - the keys are agreed on
        failing.fails_at = op
        with pytest.raises(ProtocolStepError, match="today"):
            everything(group, x)
        failing.fails_at = None
        everything(group, x)
        assert torch.equal(x.get(), torch.arange(4).reshape(2, 2))
        del x
        gc.collect()
        assert (op, group.objects(), group.groups()) == (op, [0, 0, 0, 0], 0)


def test_fetched_tensors_are_gone_and_copies_are_not(group: Parties) -> None:
    """Each tensor is fetched once; a copy, a sum with something public and a detached tensor have a life of their own."""
    x = group.share(torch.tensor([3, -4]))
    others = [x.copy(), x.clone(), x + 0, x.detach(), x.view(2)]
    assert torch.equal(x.get(), torch.tensor([3, -4]))
    with pytest.raises(ConsumedPointerError):
        x.get()
    with pytest.raises(ConsumedPointerError):
        x * x
    for other in others:
        assert torch.equal(other.get(), torch.tensor([3, -4]))
    fixed = group.fixed([1.5])
    copy = fixed.copy()
    assert fixed.get().float_precision().item() == 1.5
    with pytest.raises(ConsumedPointerError):
        fixed.get()
    assert copy.get().float_precision().item() == 1.5


def test_groups_are_made_once_and_live_as_long_as_tensors_need_them(group: Parties) -> None:
    """Other tensors of the same holders and provider use the same keys."""
    x, y = group.shared([1, 2]), group.shared([3, 4])
    assert group.groups() == 0
    first = x.group
    assert y.group is first
    multiply("mul", (), x, y)
    assert group.groups() == 4, "one at each party"
    name = first.name
    del first, x, y
    gc.collect()
    assert group.groups() == 0
    z = group.shared([5])
    assert z.group.name != name
    assert isinstance(z.group, Group)


def test_masks_cannot_be_fetched(group: Parties) -> None:
    """Who knows them knows the values: the provider gives them to nobody."""
    x = group.shared([1, 2])
    multiply("mul", (), x, x)
    ref = x.wire.masks.ref  # type: ignore[union-attr]
    for message in (
        Take((ref,), keep=True),
        Command("torch.stack", (ref,), None, 1, False),
        Command("torch.add", (ref, 1), None, 2, False),
    ):
        with pytest.raises(Exception, match=r"serialize|Masks"):
            group.provider.request(message)
