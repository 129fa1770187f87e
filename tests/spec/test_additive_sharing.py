"""Shared tensors: 0.2.4's behaviour, and right answers where it gave wrong ones, or said something about values."""

from __future__ import annotations

import inspect
import random
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

import syft as sy
from syft.exceptions import (
    ConsumedPointerError,
    CryptoProviderError,
    SyftError,
    TensorsNotCollocatedException,
    UnsupportedOp,
    UsageError,
)
from syft.mpc.shared import AdditiveSharingTensor
from tests.mpc.parties import Parties, listened, new_parties

Worker = sy.VirtualWorker
INTEGERS = torch.tensor([25, -7, 0, 1000])


@pytest.fixture
def group(hook: Any) -> Parties:
    """Two holders and a provider in this process."""
    return new_parties(2)


@pytest.fixture
def three(hook: Any) -> Parties:
    """Three holders and a provider in this process."""
    return new_parties(3)


# --- share ----------------------------------------------------------------------------------------


def test_printed_forms(workers: list[Worker]) -> None:
    bob, alice, james = workers
    x = torch.tensor([1, -2, 3]).share(bob, alice, crypto_provider=james)
    at = [p.id_at_location for p in x.child.child.values()]
    ids = [p.id for p in x.child.child.values()]
    shares = f"\n\t-> [PointerTensor | me:{ids[0]} -> bob:{at[0]}]\n\t-> [PointerTensor | me:{ids[1]} -> alice:{at[1]}]"
    assert repr(x) == str(x) == f"(Wrapper)>[AdditiveSharingTensor]{shares}\n\t*crypto provider: james*"
    fixed = torch.tensor([0.5]).fix_prec().share(bob, alice, crypto_provider=james)
    assert repr(fixed).startswith("(Wrapper)>FixedPrecisionTensor>[AdditiveSharingTensor]\n\t-> [PointerTensor | me:")
    assert repr(torch.tensor([1]).share(bob, alice)).endswith("*crypto provider: me*")


def test_a_tensor_without_shares() -> None:
    assert repr(AdditiveSharingTensor()) == "[AdditiveSharingTensor]\n\t*crypto provider: me*"
    with pytest.raises(ValueError, match="Shares should be a dict of Pointers, optionally wrapped, but got:"):
        AdditiveSharingTensor({"alice": 3})


def test_attributes(group: Parties) -> None:
    x = group.share(INTEGERS.reshape(2, 2)).child
    assert (x.field, x.n_bits, x.shape) == (2**64, 64, (2, 2))
    assert list(x.child) == [holder.id for holder in group.holders]
    assert x.locations == group.holders
    assert x.crypto_provider is group.provider
    assert x.get_class_attributes()["crypto_provider"] is group.provider


def test_the_source_stays_and_each_holder_has_one_share(group: Parties) -> None:
    source = INTEGERS.clone()
    x = group.share(source)
    assert torch.equal(source, INTEGERS)
    assert group.objects() == [1, 1, 0]
    assert torch.equal(x.get(), INTEGERS)
    assert group.objects() == [0, 0, 0]


def test_part_9_adds_shares_by_hand(three: Parties) -> None:
    x = three.share(torch.tensor([25]))
    shares = [next(iter(holder._objects.values())) for holder in three.holders]
    assert (sum(shares) % x.child.field).tolist() == [25]


def test_holders_are_named_by_worker_or_id(workers: list[Worker]) -> None:
    bob, alice, james = workers
    x = torch.tensor([3]).share("bob", alice, crypto_provider="james")
    assert (x * x).get().tolist() == [9]


def test_in_place_sharing_returns_the_very_tensor(workers: list[Worker]) -> None:
    bob, alice, _ = workers
    x = torch.tensor([1, 2])
    assert x.share_(bob, alice) is x and x.is_wrapper
    assert x.get_() is x and x.tolist() == [1, 2]
    y = torch.tensor([0.5]).fix_prec()
    assert y.share_(bob, alice) is y
    assert y.get_() is y and y.float_prec().item() == 0.5


def test_what_cannot_be_shared_is_refused(group: Parties) -> None:
    alice, bob = group.holders
    for tensor in (torch.tensor([1.5]), torch.tensor([1.7], dtype=torch.float64)):  # 0.2.4 cut the second one
        with pytest.raises(UsageError, match="cannot be additively shared, Use fix_precision"):
            tensor.share(alice, bob)
    for owners in ((), (alice,)):
        with pytest.raises(UsageError, match="at least two workers"):
            torch.tensor([1]).share(*owners)
    with pytest.raises(UsageError, match="names one of them twice"):
        torch.tensor([1]).share(alice, bob, alice)
    with pytest.raises(UsageError, match="shared already"):
        group.fixed([1.0]).share(alice, bob)
    with pytest.raises(UsageError, match="no protocol 'quantum'"):
        torch.tensor([1]).share(alice, bob, protocol="quantum")
    with pytest.raises(UsageError, match="not at 16"):
        torch.tensor([1]).share(alice, bob, width=16)
    with pytest.raises(TypeError):
        torch.tensor([1]).share(alice, bob, colour="red")


def test_truth_values_and_items_are_refused(group: Parties) -> None:
    x = group.share(torch.tensor([1]))
    with pytest.raises(SyftError, match="can't be converted boolean values. You should decrypt it first"):
        bool(x)
    with pytest.raises(SyftError, match="can't be converted boolean values. You should decrypt it first"):
        bool(x.child)
    with pytest.raises(RuntimeError, match='Please consider calling ".get" method instead of ".item" method'):
        x.item()
    for read in (lambda: x.tolist(), lambda: x.numpy(), lambda: group.fixed([1.0]).float_prec()):
        with pytest.raises(SyftError, match="fetch them with"):
            read()


@pytest.mark.parametrize("values", [0, [], [[]], [2**63 - 1, -(2**63)], [True, False]])
def test_any_integers_are_shared(group: Parties, values: Any) -> None:
    source = torch.tensor(values) if values not in ([], [[]]) else torch.tensor(values, dtype=torch.int64)
    assert torch.equal(group.share(source).get(), source.long())


# --- opening and refreshing -----------------------------------------------------------------------


def test_get_consumes_and_copies_do_not(workers: list[Worker]) -> None:
    bob, alice, james = workers
    x = torch.tensor([3, -4]).share(bob, alice, crypto_provider=james)
    copy = x.copy()
    assert x.copy().get().tolist() == [3, -4]
    assert x.get().tolist() == [3, -4]
    with pytest.raises(AttributeError):
        x.get()
    with pytest.raises(ConsumedPointerError):
        _ = x + 1
    assert copy.get().tolist() == [3, -4]


def test_a_fetched_fixed_tensor_is_decoded_in_a_second_step(workers: list[Worker]) -> None:
    bob, alice, _ = workers
    fetched = torch.tensor([1.5, -2.0]).fix_prec().share(bob, alice).get()
    assert repr(fetched).startswith("(Wrapper)>FixedPrecisionTensor>tensor(")
    assert fetched.float_prec().tolist() == [1.5, -2.0]


def test_virtual_get_moves_nothing(group: Parties) -> None:
    x = group.share(INTEGERS)
    assert torch.equal(x.child.virtual_get(), INTEGERS)
    assert torch.equal(x.virtual_get(), INTEGERS)
    assert group.objects() == [1, 1, 0]


def test_reconstruct_gives_the_holders_the_values(group: Parties) -> None:
    x = group.share(INTEGERS)
    copies = x.child.reconstruct()
    assert type(copies).__name__ == "MultiPointerTensor"
    for value in copies.get():
        assert torch.equal(value, INTEGERS)
    assert torch.equal(x.get(), INTEGERS)


def test_refresh_gives_new_shares_of_the_same_values(group: Parties) -> None:
    for x, decode in ((group.share(INTEGERS), lambda v: v), (group.fixed([0.5, -2.0]), lambda v: v.float_precision())):
        before = [next(iter(holder._objects.values())).clone() for holder in group.holders]
        expected = decode(x.copy().get())
        assert x.refresh() is x
        after = [next(iter(holder._objects.values())) for holder in group.holders]
        assert not any(torch.equal(a, b) for a, b in zip(before, after, strict=True))
        assert torch.equal(decode(x.get()), expected)


def test_zero_is_a_fresh_sharing_of_zeros(group: Parties) -> None:
    x = group.share(INTEGERS).child
    assert x.zero().get().tolist() == [0, 0, 0, 0]
    assert x.zero((2, 3)).shape == (2, 3)
    one, other = x.zero(), x.zero()
    assert one.virtual_get().tolist() == other.virtual_get().tolist()
    first = [next(iter(s.shares.values())) for s in (one, other)]
    assert not torch.equal(*[p.location._objects[p.id_at_location] for p in first])


def test_the_description_travels_and_shares_stay(workers: list[Worker]) -> None:
    bob, alice, james = workers
    x = torch.tensor([4, 5]).share(bob, alice, crypto_provider=james).send(james)
    assert x.get().get().tolist() == [4, 5]


def test_a_pointer_is_shared_by_its_worker(workers: list[Worker]) -> None:
    bob, alice, james = workers
    pointer = torch.tensor([1, 2]).send(james)
    shared = pointer.share(bob, alice)
    assert "PointerTensor" in repr(shared)
    assert shared.get().get().tolist() == [1, 2]


# --- arithmetic -----------------------------------------------------------------------------------


def test_n2_products_among_three_holders_are_right(three: Parties) -> None:
    """0.2.4 destroyed half of the elements."""
    x, y = torch.randn(1000), torch.randn(1000)
    out = (three.fixed(x) * three.fixed(y)).get().float_precision()
    assert torch.allclose(out, x * y, atol=2e-3)
    total = three.fixed([1.5])
    assert ((total + total + total) / 3).get().float_precision().item() == pytest.approx(1.5, abs=1e-3)


def test_n3_products_of_large_numbers_do_not_fail_now_and_then(group: Parties) -> None:
    """0.2.4 lost 21 % of the products of a million with a million."""
    x = torch.full((20_000,), 1e6)
    out = (group.fixed(x, base=10, precision_fractional=3) * group.fixed(x, base=10, precision_fractional=3)).get()
    assert torch.allclose(out.float_precision(), x * x, rtol=1e-5)


@pytest.mark.parametrize("count", [1, 3, 5, 7])
def test_n4_means_are_right(three: Parties, count: int) -> None:
    """Whatever they divide by; so are averages of pooling."""
    x = torch.randn(count, 4)
    assert torch.allclose(three.fixed(x).mean(0).get().float_precision(), x.mean(0), atol=1e-3)
    assert torch.allclose(three.fixed(x).mean().get().float_precision(), x.mean(), atol=1e-3)
    image = torch.randn(1, 1, 3 * count, 3)
    assert torch.allclose(
        F.avg_pool2d(three.fixed(image), 3).get().float_precision(), F.avg_pool2d(image, 3), atol=1e-3
    )


@pytest.mark.parametrize("public", [False, True])
def test_n5_what_was_silently_wrong_is_right(group: Parties, public: bool) -> None:
    """Products that were computed share by share, factors that were floats."""
    a, b = torch.tensor([[1, -2], [3, 4]]), torch.tensor([[5, 6], [-7, 8]])
    other = b if public else group.share(b)
    for run in (
        torch.mm,
        torch.matmul,
        lambda x, y: torch.einsum("ij,jk->ik", x, y),
        lambda x, y: torch.bmm(x[None], y[None])[0],
    ):
        assert torch.equal(run(group.share(a), other).get(), a @ b)
    assert (2.5 * group.fixed([2.0, -4.0])).get().float_precision().tolist() == [5.0, -10.0]
    x = group.share(a)
    assert (x.size(), x.numel(), len(x), x.dim()) == (torch.Size([2, 2]), 4, 2, 2)


def test_n5_the_default_is_to_deny(group: Parties) -> None:
    """An op without a rule is not forwarded to the shares."""
    for run in (torch.frac, torch.erfinv, lambda v: torch.fft.fft(v), lambda v: v.bernoulli_()):
        with pytest.raises(NotImplementedError, match="no rule"):
            run(group.fixed([1.0, 2.0]))
    with pytest.raises(UnsupportedOp, match="no rule for shared tensors"):
        group.shared([1, 2]).sigmoid()
    with pytest.raises(UsageError, match="integers are computed with integers"):
        group.share(INTEGERS) * 2.5


def test_n12_public_numbers_are_added_once(three: Parties) -> None:
    """0.2.4 added 2 at every holder, and multiplied in place not at all."""
    x = three.share(torch.tensor([3, 4]))
    x += 2
    assert x.copy().get().tolist() == [5, 6]
    x *= 2
    assert x.copy().get().tolist() == [10, 12]
    x *= three.share(torch.tensor([2, 3]))
    assert x.copy().get().tolist() == [20, 36]
    x[0] = 5
    x -= 1
    assert x.get().tolist() == [4, 35]


def test_n13_division_by_zero_is_an_error(group: Parties) -> None:
    for x in (group.share(INTEGERS), group.fixed([1.0])):
        with pytest.raises(ZeroDivisionError):
            x / 0


@pytest.mark.parametrize("difference", [2**30, 2**31, 3 * 10**9, 2**60, 2**62])
def test_n8_equality_and_order_are_right_for_all_differences(three: Parties, difference: int) -> None:
    """0.2.4 took numbers for equal that were 2^31 apart, and positive ones for negative from 2^60 on."""
    x, y = torch.tensor([difference, -difference, difference]), torch.tensor([0, 0, difference])
    a, b = three.share(x), three.share(y)
    assert torch.equal((a == b).get(), (x == y).long())
    assert torch.equal((a != b).get(), (x != y).long())
    assert torch.equal((a > b).get(), (x > y).long())
    assert torch.equal((a >= 0).get(), (x >= 0).long())


def test_n17_a_bias_is_never_dropped(group: Parties) -> None:
    x, w, b = (
        group.share(torch.tensor([[5, -5]])),
        group.share(torch.tensor([[1, 0], [0, 1]])),
        group.share(torch.tensor([10, 20])),
    )
    assert F.linear(x, w).get().tolist() == [[5, -5]]
    assert F.linear(x, w, b).get().tolist() == [[15, 15]]


def test_n18_what_did_not_work(group: Parties) -> None:
    """Convolutions without bias, ReLU, cat with a position, split, iteration, copies of parameters."""
    x = group.fixed([[1.5, -2.0], [0.0, 4.0]])
    plain = torch.tensor([[1.5, -2.0], [0.0, 4.0]])
    for run in (
        nn.ReLU(), nn.ReLU(inplace=True), torch.relu, F.relu, lambda v: torch.cat([v, v], 1), lambda v: v.split(1)[1],
        lambda v: next(iter(v)), lambda v: F.conv2d(v[None, None], v[None, None, :1, :1]),
    ):  # fmt: skip
        source = x.copy()
        assert torch.allclose(run(source).get().float_precision(), run(plain.clone()), atol=1e-3)
    layer = nn.Linear(2, 1).fix_precision().share(*group.holders)
    assert layer.weight.copy().get().float_precision().shape == (1, 2)


@pytest.mark.parametrize("op", [torch.add, torch.mul, torch.matmul, torch.lt])
def test_tensors_of_other_holders_are_refused(group: Parties, three: Parties, op: Any) -> None:
    """A sentence that names them; in 0.2.4 a KeyError or a bare AssertionError."""
    with pytest.raises(TensorsNotCollocatedException, match="party 0 of 2"):
        op(group.share(INTEGERS), three.share(INTEGERS))


# --- security -------------------------------------------------------------------------------------


def test_s1_seeds_do_not_repeat_shares(group: Parties) -> None:
    """Neither torch's nor numpy's nor Python's."""
    seen = []
    for _ in range(2):
        torch.manual_seed(7)
        np.random.seed(7)
        random.seed(7)
        x = group.share(torch.zeros(4, dtype=torch.int64))
        seen += next(iter(group.holders[0]._objects.values())).tolist()
        x.get()
    assert len(set(seen)) == 8


def test_s2_to_s4_a_comparison_shows_the_client_nothing(group: Parties) -> None:
    """0.2.4's client saw twice the differences of what it compared, and the results up to one flip."""
    values = torch.tensor([10, 25, -7, 1000, 10, 10])
    differences = {int(a - b) * k for a in values for b in values if a != b for k in (1, 2, -1, -2)}
    results = []
    for _ in range(40):
        x = group.share(values)
        traffic = listened(group, lambda x=x: x > 0)
        openings = [v for name, seen in traffic.answers.items() if name.startswith("mpc.mask") for v in seen]
        assert len(openings) == len(group.holders) + 1, "of each, and of all together"
        for opened in openings:
            flat = opened.reshape(-1)
            assert not differences & {int(a - b) for a in flat for b in flat}, "one mask for each element"
            assert flat[0] != flat[4] != flat[5], "equal values look different"
        (shown,) = [seen[0] for name, seen in traffic.sent.items() if name.startswith("mpc.bits at 0")]
        results.append(tuple(shown.tolist()))
    assert len(set(results)) > 20, "each bit is blinded by one of its own: of 64 patterns, many are seen"


def test_s5_s6_the_client_never_is_the_provider_silently(group: Parties) -> None:
    """Without one, what needs it fails, and says what to pass; a holder is not accepted."""
    alice, bob = group.holders
    x = INTEGERS.share(alice, bob)
    for run in (lambda: x * x, lambda: x > 0, lambda: x.refresh(), lambda: x / 3):
        with pytest.raises(CryptoProviderError, match="crypto_provider="):
            run()
    assert torch.equal((x + x - 1).get(), 2 * INTEGERS - 1)
    with pytest.raises(CryptoProviderError, match="cannot be a holder and the crypto provider"):
        INTEGERS.share(alice, bob, crypto_provider=alice)


def test_s8_virtual_workers_say_that_they_are_a_simulation() -> None:
    assert "simulation" in (inspect.getdoc(sy.VirtualWorker) or "")
