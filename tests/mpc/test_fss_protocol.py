"""Comparisons by function secret sharing: the answers of the tree, two rounds, and nothing to see in between."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

import syft as sy
from syft.core.random import SYSTEM_RANDOM
from syft.exceptions import LimitExceededError, ProtocolStepError, UsageError
from syft.mpc import comparison_fss
from syft.mpc.comparison import ORDER
from syft.mpc.comparisons import COMPARISONS, comparison_named
from syft.mpc.group import Group
from syft.mpc.prepared import Dealt
from syft.mpc.protocols import is_negative
from syft.mpc.shared import AdditiveSharingTensor
from syft.mpc.sharing import shared_under
from tests.statistics.uniformity import (
    Implausible,
    assert_same_distribution,
    assert_uniform,
    assert_uniform_residues,
)

Worker = sy.VirtualWorker
here = pytest.mark.parametrize("mode", ["reference"])
widths = pytest.mark.parametrize("width", [32, 64])


@pytest.fixture
def share(alice: Worker, bob: Worker, james: Worker) -> Callable[..., Any]:
    """Share among alice and bob, who compare by function secret sharing unless told otherwise."""

    def shared(values: torch.Tensor, protocol: str = "fss", **settings: Any) -> Any:
        return values.share(alice, bob, crypto_provider=james, protocol=protocol, **settings)  # type: ignore[attr-defined]

    return shared


def edges(width: int) -> torch.Tensor:
    """Zero, powers of two and the ends of the range, and what is next to them."""
    powers = [1 << k for k in range(width - 1)]
    near = [sign * p + step for p in powers for sign in (1, -1) for step in (-1, 0, 1)]
    ends = [(1 << (width - 1)) - 1, -(1 << (width - 1))]
    return torch.tensor([0, *near, *ends])


def random_values(width: int, count: int) -> torch.Tensor:
    return SYSTEM_RANDOM.integers((count,)) >> (64 - width)


# --- the answers ---


@widths
def test_signs_and_zeros_at_the_edges(share: Callable[..., Any], width: int) -> None:
    values = edges(width)
    x = share(values, width=width)
    assert torch.equal((x < 0).get(), (values < 0).long())
    assert torch.equal((x == 0).get(), (values == 0).long())


@here
@widths
def test_the_answers_of_the_tree(share: Callable[..., Any], width: int) -> None:
    values = random_values(width, 2001)  # the last byte of bits is not full
    values[::3] >>= 20
    values[::10] = 0
    fss, tree = share(values, width=width), share(values, "tree", width=width)
    for question in (lambda x: x < 0, lambda x: x == 0):
        assert torch.equal(question(fss).get(), question(tree).get())


@here
@pytest.mark.parametrize("shape", [(), (0,), (1,), (7,), (8,), (9,), (3, 0), (2, 3, 5)])
def test_shapes(share: Callable[..., Any], shape: tuple[int, ...]) -> None:
    values = SYSTEM_RANDOM.integers(shape) >> 32
    x = share(values)
    assert torch.equal((x >= 0).get(), (values >= 0).long())
    assert torch.equal((x != 0).get(), (values != 0).long())


@here
def test_views_of_what_is_open_already(share: Callable[..., Any]) -> None:
    values = random_values(64, 60).reshape(6, 10) >> 8
    x = share(values)
    is_negative(shared_under(x))
    views: list[Callable[[Any], Any]] = [
        lambda t: t, lambda t: t.t(), lambda t: t[:, ::3], lambda t: t[2], lambda t: t.expand(2, 6, 10)
    ]  # fmt: skip
    for view in views:
        with sy.mpc.profile() as profile:
            bits = is_negative(shared_under(view(x)))
        assert torch.equal(bits.get(), (view(values) < 0).long()) and profile.total.rounds == 1


def test_what_is_made_of_comparisons(share: Callable[..., Any]) -> None:
    values = torch.tensor([[0.5, -1.25, 3.0, 2.75], [-4.0, -0.5, -0.25, -8.0]])
    x = share(values.fix_precision(base=2, precision_fractional=16))  # type: ignore[attr-defined]
    assert torch.equal(x.relu().get().float_precision(), values.relu())
    assert torch.equal(x.clamp(-1, 2).get().float_precision(), values.clamp(-1, 2))
    assert torch.equal((x > x.flip(1)).get().float_precision(), (values > values.flip(1)).float())


@here
def test_a_network_and_its_gradients(share: Callable[..., Any], alice: Worker, bob: Worker, james: Worker) -> None:
    torch.manual_seed(1)
    net = torch.nn.Sequential(torch.nn.Linear(5, 8), torch.nn.ReLU(), torch.nn.Linear(8, 2))
    values = torch.randn(4, 5)
    net(values).sum().backward()
    expected, gradient = net(values), net[0].weight.grad
    net.zero_grad()
    fixed = {"base": 2, "precision_fractional": 16}
    net.fix_precision(**fixed).share(alice, bob, crypto_provider=james, protocol="fss")
    out = net(share(values.fix_precision(**fixed)))  # type: ignore[attr-defined]
    out.sum().backward()
    assert torch.allclose(out.get().float_precision(), expected, atol=1e-3)
    assert torch.allclose(net[0].weight.grad.get().float_precision(), gradient, atol=1e-3)


# --- what it costs ---


@here
def test_rounds(share: Callable[..., Any]) -> None:
    def rounds(run: Callable[[], Any]) -> int:
        with sy.mpc.profile() as profile:
            run()
        return profile.total.rounds

    values = torch.tensor([3, -4, 0])
    x, y, z, other = (share(values) for _ in range(4))
    tree = share(values, "tree")
    assert rounds(lambda: x < 0) == 2
    assert rounds(lambda: y == 0) == 2
    assert rounds(lambda: tree < 0) == 7
    assert rounds(z.relu) == 2, "the bit has a masked form, so that its product with z opens nothing"
    assert rounds(z.relu) == 1, "z is open under a mask already"
    bit = x < 0
    assert rounds(lambda: other * bit) == 1, "for the other factor"


@here
def test_the_provider_makes_no_more_keys_than_it_allows(
    share: Callable[..., Any], monkeypatch: pytest.MonkeyPatch, james: Worker
) -> None:
    executor = james._executor
    monkeypatch.setattr(executor, "policy", replace(executor.policy, result_bytes=912_000))
    assert (share(torch.ones(1000, dtype=torch.int64)) < 0).get().eq(0).all()
    with pytest.raises(LimitExceededError, match="912,912 bytes"):
        share(torch.ones(1001, dtype=torch.int64)) < 0  # noqa: B015


# --- what can be seen ---


class Seen:
    """What crosses the client, and the holders' shares of the results before these are blinded."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.crossed: dict[str, list[Any]] = {}
        self.operands: list[Any] = []
        self.bits: dict[int, torch.Tensor] = {}
        ask, deal = Group._ask, Group.dealt
        function = comparison_fss._FUNCTIONS[ORDER]

        def asking(group: Group, op: str, operands: Any, ids: Any) -> Any:
            self.operands.append((op, operands))
            return [self._noted(op, answer) for answer in ask(group, op, operands, ids)]

        def dealing(group: Group, op: str, args: Any) -> Any:
            number, answer, masks = deal(group, op, args)
            return Dealt(number, self._noted(op, answer), masks)

        def evaluating(party: int, *args: Any) -> Any:
            share = function.evaluate(party, *args)
            self.bits[party] = torch.from_numpy(share).long()
            return share

        monkeypatch.setattr(Group, "_ask", asking)
        monkeypatch.setattr(Group, "dealt", dealing)
        monkeypatch.setitem(comparison_fss._FUNCTIONS, ORDER, function._replace(evaluate=evaluating))

    def _noted(self, op: str, answer: Any) -> Any:
        reply = answer()
        self.crossed.setdefault(op, []).append(reply.values)
        return lambda: reply

    def shown(self, op: str, count: int) -> list[torch.Tensor]:
        """Of each holder, as so many single bits."""
        return [torch.from_numpy(np.unpackbits(v.numpy(), count=count)).long() for (v,) in self.crossed[op]]

    def view(self, x: AdditiveSharingTensor, party: int) -> torch.Tensor:
        """What the client and a holder see together, a row of bits for each element."""
        count = x.shape.numel()
        first, second = self.shown("mpc.compare_fss", count)
        _, levels, leaf = self.crossed["mpc.deal_compare_fss"][0]
        assert x.wire is not None
        masked = x.wire.public.tensor
        top_word, leaf_word = (levels[0, :, 0] >> 63) & 1, leaf[:, 1] & 1
        return torch.stack([first, first ^ second, (masked >> 63) & 1, top_word, leaf_word, self.bits[party]], dim=1)


def views(share: Callable[..., Any], monkeypatch: pytest.MonkeyPatch, value: int) -> tuple[AdditiveSharingTensor, Seen]:
    """Compare many times the same value."""
    with monkeypatch.context() as patched:
        seen = Seen(patched)
        x = shared_under(share(torch.full((1 << 14,), value)))
        assert is_negative(x).get().eq(value < 0).all()
    return x, seen


@here
def test_what_crosses_is_uniform(share: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> None:
    _, seen = views(share, monkeypatch, -5)
    ((correction, levels, leaf),) = seen.crossed["mpc.deal_compare_fss"]
    assert_uniform(levels[:, :1024])
    assert_uniform(torch.cat([leaf, levels[-1]]))
    assert_uniform_residues(correction.long(), 256)
    for (shown,) in seen.crossed["mpc.compare_fss"]:
        assert_uniform_residues(torch.cat([shown & 15, shown >> 4]).long(), 16)
    first, second = seen.shown("mpc.compare_fss", 1 << 14)
    assert_uniform_residues(first ^ second, 2)


@here
def test_without_blinding_the_results_would_be_seen(share: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> None:
    class Constant:
        def bytes(self, count: int) -> Any:
            return np.zeros(count, np.uint8)

    monkeypatch.setattr(comparison_fss, "SYSTEM_RANDOM", Constant())
    x, seen = views(share, monkeypatch, -5)
    first, second = seen.shown("mpc.compare_fss", 1 << 14)
    assert x.wire is not None
    with pytest.raises(Implausible):
        assert_uniform_residues(first ^ second ^ (x.wire.public.tensor < 0).long(), 2)


@here
def test_the_client_and_a_holder_see_the_same_whatever_the_sign(
    share: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    below, above = (views(share, monkeypatch, value) for value in (-5, 5))
    for party in (0, 1):
        rows = [seen.view(x, party) for x, seen in (below, above)]
        assert_same_distribution(rows[0], rows[1], 2)
    both = [torch.stack([s.bits[0] ^ s.bits[1], (x.wire.public.tensor >> 62) & 1], dim=1) for x, s in (below, above)]
    with pytest.raises(Implausible):  # both holders together see it: the test can fail
        assert_same_distribution(both[0], both[1], 2)


@here
def test_a_key_is_evaluated_once(share: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> None:
    x, seen = views(share, monkeypatch, 5)
    op, operands = seen.operands[-1]
    assert op == "mpc.compare_fss"
    with pytest.raises(ProtocolStepError):
        x.group.start(op, operands)


@here
def test_comparisons_of_one_value_have_keys_of_their_own(
    share: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = Seen(monkeypatch)
    x = share(torch.tensor([5] * 8))
    results = [x < 0, x < 0]
    (_, first, _), (_, second, _) = seen.crossed["mpc.deal_compare_fss"]
    assert not (first == second).any()
    assert all(result.get().eq(0).all() for result in results)


# --- among whom ---


@here
def test_three_holders_are_refused(
    make_worker: Callable[[str], Worker], alice: Worker, bob: Worker, james: Worker
) -> None:
    carol, values = make_worker("carol"), torch.tensor([1, -2])
    owners = alice, bob, carol
    with pytest.raises(UsageError, match="at most 2 holders, and alice, bob, carol are 3; share with protocol='tree'"):
        values.share(*owners, crypto_provider=james, protocol="fss")  # type: ignore[attr-defined]
    assert not carol._objects
    x = values.share(*owners, crypto_provider=james, protocol="tree")  # type: ignore[attr-defined]
    assert (x < 0).get().tolist() == [0, 1]
    two = values.share(alice, bob, crypto_provider=james, protocol="fss")  # type: ignore[attr-defined]
    with pytest.raises(UsageError, match="protocol='tree'"):
        two.move(*owners)
    two.move(bob, carol)
    assert (two < 0).get().tolist() == [0, 1]


@here
def test_three_holders_are_refused_when_they_compare(
    make_worker: Callable[[str], Worker], alice: Worker, bob: Worker, james: Worker
) -> None:
    owners = (alice, bob, make_worker("carol"))
    x = shared_under(torch.tensor([1, -2]).share(*owners, crypto_provider=james))  # type: ignore[attr-defined]
    x.protocol = "fss"  # as if it had come from somewhere else
    with pytest.raises(UsageError, match="protocol='tree'"):
        is_negative(x)


def test_protocols_have_names() -> None:
    assert {name: found.name for name, found in COMPARISONS.items()} == {"tree": "tree", "snn": "tree", "fss": "fss"}
    with pytest.raises(UsageError, match="no protocol 'falcon' for comparisons; there are tree, snn, fss"):
        comparison_named("falcon", ["alice", "bob"])
