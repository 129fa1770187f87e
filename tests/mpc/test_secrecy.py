"""What crosses between the parties and the client says nothing about the values.

Each check is repeated on something that is broken on purpose, which it must reject. False-alarm rate: one in a million
for each test.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

from syft.core import ops
from syft.core.ids import new_id
from syft.core.messages import Command, Shown
from syft.core.random import Tape
from syft.exceptions import ProtocolStepError
from syft.mpc import comparison_tree, service
from syft.mpc.material import Layout
from syft.mpc.protocols import divide, is_negative, is_zero, multiply, rectified, refreshed
from syft.mpc.shared import AdditiveSharingTensor
from tests.mpc.parties import Parties, Traffic, listened, new_parties, parties
from tests.statistics.uniformity import (
    ALPHA,
    WORDS,
    Implausible,
    assert_plausible,
    assert_same_distribution,
    assert_uniform,
    bottom_bits,
    duplicates_p_value,
    residues_p_value,
    top_bits,
    two_sample_p_value,
)

pytestmark = pytest.mark.statistical

Shared = AdditiveSharingTensor
SECRETS = (0, -(2**62) + 12345)
OPERATIONS: dict[str, Callable[[Shared, Shared], Any]] = {
    "product": lambda x, y: multiply("mul", (), x, y),
    "square": lambda x, y: multiply("mul", (), x, x),
    "matrix product": lambda x, y: multiply("matmul", (), x.moved("view", [160, 320]), y.moved("view", [320, 160])),
    "quotient by a power": lambda x, y: divide(x, 2**16),
    "quotient": lambda x, y: divide(x, 1000),
    "product of quotients": lambda x, y: multiply("mul", (), divide(x, 1000), divide(y, 8)),
    "sign": lambda x, y: is_negative(x),
    "equality": lambda x, y: is_zero(x),
    "rectifier": lambda x, y: multiply("mul", (), x, is_negative(x)),
    "gate": lambda x, y: rectified(x),
    "refresh": lambda x, y: refreshed(x),
}  # fmt: skip


@pytest.fixture(autouse=True)
def _hook(hook: Any) -> None:
    """Torch is hooked."""


def crossing(
    group: Parties, operation: Callable[[Shared, Shared], Any], secret: int, count: int = WORDS, **settings: Any
) -> Traffic:
    """What crosses when equal secrets are computed with, shared anew."""
    x, y = (group.shared(torch.full((count,), secret), **settings) for _ in range(2))
    return listened(group, lambda: operation(x, y))


def nibbles(tensors: list[torch.Tensor]) -> torch.Tensor:
    """All that is in tensors of any dtype as values below 16."""
    data = torch.cat([t.contiguous().reshape(-1).view(torch.uint8) for t in tensors]).to(torch.int64)
    return torch.cat([data & 15, data >> 4])


def ends(tensors: list[torch.Tensor], bits: int) -> dict[str, torch.Tensor]:
    """The lowest and the highest bits of each element, a row for each."""
    data = torch.cat([(t.view(torch.uint8) if t.dtype is torch.bool else t).reshape(-1, 1) for t in tensors])
    high = data >> (8 * data.element_size() - bits)
    return {"low": bottom_bits(data.long(), bits), "high": bottom_bits(high.long(), bits)}


def words_of(traffic: Traffic) -> torch.Tensor:
    """All that was shown by somebody alone, in words of 64 bits, so long as they can be told apart."""
    data = [t.contiguous().reshape(-1).view(torch.uint8) for tensors in traffic.shown.values() for t in tensors]
    return torch.cat([d[: len(d) // 8 * 8].view(torch.int64) for d in data])


def hold_uniform(traffic: Traffic) -> None:
    """Fail unless all that anybody shows, and what the holders show together, is uniform and fresh."""
    p_values = {name: residues_p_value(nibbles(values), 16) for name, values in traffic.answers.items()}
    assert p_values, "something was shown"
    assert_plausible({**p_values, "repetitions": duplicates_p_value(words_of(traffic))})
    for values in traffic.answers.values():
        words = torch.cat([v.reshape(-1) for v in values])
        if words.dtype == torch.int64 and words.numel() >= WORDS:
            assert_uniform(words, ALPHA / len(traffic.answers))


def hold_alike(one: Traffic, other: Traffic, bits: int = 4) -> None:
    """Fail unless all that crossed is distributed alike, each tensor alone and the first words of all together."""
    p_values = {}
    for kind in ("sent", "answers"):
        mine, others = getattr(one, kind), getattr(other, kind)
        assert mine.keys() == others.keys()
        for name, values in mine.items():
            for end, digits in ends(values, bits).items():
                p_values[f"{kind} {name}, {end}"] = two_sample_p_value(digits, ends(others[name], bits)[end], 1 << bits)
    assert_plausible(p_values)
    assert_same_distribution(_joint(one), _joint(other), 2)


def _joint(traffic: Traffic) -> torch.Tensor:
    # One bit of each of the first things that are shown for each element, those of one step together.
    columns = [v[0].reshape(-1)[:1600].long() & 1 for v in traffic.answers.values()]
    return torch.stack([c for c in columns if len(c) == 1600][:4], 1)


# --- shares ---------------------------------------------------------------------------------------


def shares_of(count: int, secret: int) -> torch.Tensor:
    """The shares of many equal secrets, a row for each."""
    shared = parties(count).shared(torch.full((WORDS,), secret))
    return torch.stack([p.location._objects[p.id_at_location] for p in shared.shares.values()], 1)


@pytest.mark.parametrize("count", [2, 3, 5])
@pytest.mark.parametrize("secret", [0, 1, 127, -128, -(2**63)])
def test_every_share_is_uniform(count: int, secret: int) -> None:
    """That of the last holder, too, who gets what is missing."""
    shares = shares_of(count, secret)
    assert torch.equal(shares.sum(1), torch.full((WORDS,), secret))
    for share in shares.unbind(1):
        assert_uniform(share, ALPHA / count)


@pytest.mark.parametrize("count", [2, 3, 5])
def test_all_holders_but_one_know_nothing(count: int) -> None:
    """Whichever is missing; all of them together know everything, which is the negative control."""
    views = [top_bits(shares_of(count, secret), 2) for secret in SECRETS]
    for missing in range(count):
        seen = [torch.cat([v[:, :missing], v[:, missing + 1 :]], 1) for v in views]
        assert_same_distribution(*seen, ring=4, alpha=ALPHA / count)
    if count < 5:  # with more, the cells are too many for the sample
        with pytest.raises(Implausible):
            assert_same_distribution(*views, ring=4)


def test_results_are_shared_uniformly_too() -> None:
    """Of a product, a quotient and a comparison; so are fresh shares of old values."""
    for name in ("product", "quotient", "sign", "gate", "refresh"):
        group = parties(3)
        x, y = (group.shared(torch.full((WORDS,), SECRETS[1])) for _ in range(2))
        out = OPERATIONS[name](x, y)
        out = out[0] if name == "gate" else out  # the bits come with it
        for pointer in out.shares.values():
            assert_uniform(pointer.location._objects[pointer.id_at_location], ALPHA / 15)


# --- messages -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "count"),
    [*((name, 2) for name in OPERATIONS), *((name, 3) for name in ("product", "quotient", "sign", "gate"))],
)
def test_all_that_crosses_is_uniform_and_fresh(name: str, count: int) -> None:
    """Openings of each holder and of all together, and corrections; and it is alike for another secret."""
    first, second = (crossing(parties(count), OPERATIONS[name], secret) for secret in SECRETS)
    hold_uniform(first)
    hold_uniform(second)
    hold_alike(first, second)


@pytest.mark.parametrize("name", ["sign", "equality", "gate"])
def test_function_secret_sharing_shows_nothing_either(name: str) -> None:
    """Its correction words need not be uniform, but they are alike for all secrets."""
    first, second = (crossing(parties(2), OPERATIONS[name], secret, 3200, protocol="fss") for secret in SECRETS)
    hold_alike(first, second, bits=2)
    for values in (first.opened["mpc.compare_fss"], second.opened["mpc.compare_fss"]):
        assert_plausible({"blinded bits": residues_p_value(nibbles(values) & 3, 4)})


def test_the_same_tensor_is_opened_once_and_never_under_another_mask() -> None:
    """However many products it takes part in; and the same values shared again are opened under new masks."""
    group = parties(2)
    x, y = (group.shared(torch.full((WORDS,), 7)) for _ in range(2))
    traffic = listened(group, lambda: [multiply("mul", (), x, y) for _ in range(3)])
    assert len(traffic.opened["mpc.mask"]) == 2
    assert listened(group, lambda: divide(x, 8)).opened.get("mpc.mask") is None
    again = crossing(group, OPERATIONS["product"], 7)
    assert_plausible({"repetitions": duplicates_p_value(torch.cat([words_of(traffic), words_of(again)]))})


def test_the_provider_is_told_shapes_only() -> None:
    """No tensor is sent to it but indices that are public anyway."""
    for name, operation in OPERATIONS.items():
        sent = crossing(parties(2), operation, 5).sent
        assert not [place for place in sent if f"at {len(parties(2).holders)}," in place], name


# --- negative controls ----------------------------------------------------------------------------


@pytest.fixture
def broken(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Break something that secrecy depends on."""
    strip = Tape.strip

    def words(change: Callable[[np.ndarray[Any, Any]], Any]) -> Callable[..., Any]:
        def changed(self: Tape, number: int, nbytes: int, start: int = 0) -> Any:
            out = strip(self, number, -(-nbytes // 8) * 8, start).view(np.uint64)
            change(out)
            return out.view(np.uint8)[:nbytes]

        return changed

    def tapes(strip_of: Callable[..., Any]) -> None:
        monkeypatch.setattr(Tape, "strip", strip_of)
        monkeypatch.setattr(Tape, "covered", lambda s, data, number, start=0: data ^ s.strip(number, data.size, start))

    def small(out: np.ndarray[Any, Any]) -> None:
        out &= np.uint64(2**62 - 1)

    def alike(out: np.ndarray[Any, Any]) -> None:
        out[:] = out[:1]

    def open_correction(tapes: Any, number: int, layout: Layout, choose: Any) -> Any:
        correction = dealt(tapes, number, layout, choose)
        return tapes[-1].covered(correction, number, layout.correlated_at)

    dealt = service.dealt
    breaks: dict[str, Callable[[], None]] = {
        "strips repeat": lambda: tapes(lambda s, number, n, start=0: strip(s, 0, n, start)),
        "masks of 62 bits": lambda: tapes(words(small)),
        "one mask for all elements": lambda: tapes(words(alike)),
        "no mask": lambda: monkeypatch.setitem(
            ops._BY_NAME, "mpc.mask", ops.Op("mpc.mask", "mpc.mask", _show, ops.op_named("mpc.mask").returns)
        ),
        "corrections in clear": lambda: monkeypatch.setattr(service, "dealt", open_correction),
        "no blinding": lambda: monkeypatch.setattr(
            comparison_tree.SYSTEM_RANDOM, "bytes", lambda n: np.zeros(n, np.uint8)
        ),
    }
    return lambda name: breaks[name]()


def _show(service: Any, group: str, number: int, share: torch.Tensor) -> Shown:
    return Shown((share.clone(),))


@pytest.mark.parametrize(
    ("what", "operation"),
    [
        ("strips repeat", "product"),
        ("masks of 62 bits", "product"),
        ("masks of 62 bits", "sign"),
        ("one mask for all elements", "square"),
        ("one mask for all elements", "sign"),
        ("no mask", "square"),
        ("no mask", "quotient"),
    ],
)
def test_broken_masks_are_rejected(broken: Any, what: str, operation: str) -> None:
    """Negative control: the check of what is shown finds them."""
    broken(what)
    with pytest.raises(Implausible):
        hold_uniform(crossing(new_parties(2), OPERATIONS[operation], SECRETS[1]))


def known_without_the_last(group: Parties) -> torch.Tensor:
    """What the first holder of two and whoever relays corrections make of one: its words with the other strip's."""
    x = group.shared(torch.full((WORDS,), SECRETS[1]))
    traffic = listened(group, lambda: multiply("mul", (), x, x))
    (correction,) = traffic.shown["mpc.deal_product at 2, 0"]
    tape = group.holders[0].made_service("mpc").parties[x.group.name].tape
    return correction.view(torch.int64) + torch.from_numpy(tape.strip(1, correction.numel())).view(torch.int64)


def test_corrections_say_nothing_to_the_other_holders() -> None:
    """Together with what these have."""
    assert_uniform(known_without_the_last(parties(2)))


def test_corrections_in_clear_are_rejected(broken: Any) -> None:
    """Negative control: they show the squares of masks."""
    broken("corrections in clear")
    with pytest.raises(Implausible):
        assert_uniform(known_without_the_last(new_parties(2)))


def test_results_that_are_not_blinded_are_rejected(broken: Any) -> None:
    """Negative control: the check that two secrets look alike finds them."""
    broken("no blinding")
    first, second = (crossing(new_parties(2), OPERATIONS["sign"], secret) for secret in SECRETS)
    with pytest.raises(Implausible):
        hold_alike(first, second)


# --- freshness ------------------------------------------------------------------------------------


def test_a_strip_is_used_once_by_holders_and_by_the_provider() -> None:
    """Whoever asks for a second use gets an error, and nothing else."""
    group = parties(2)
    x = group.shared(torch.arange(4))
    multiply("mul", (), x, x)
    mpc, masks = x.group, x.wire.masks.ref  # type: ignore[union-attr]
    (share, _) = [p.ref for p in x.shares.values()]
    for number in range(2):
        with pytest.raises(ProtocolStepError, match="used twice"):
            group.holders[0].request(_command("mpc.mask", mpc.name, number, share))
        for op, args in (
            ("mpc.deal_mask", (torch.Size([4]),)),
            ("mpc.deal_zeros", (torch.Size([4]),)),
            ("mpc.deal_product", ("mul", (), masks, masks)),
            ("mpc.deal_truncate", (masks, 8)),
            ("mpc.deal_compare", (masks, "order", 64, False)),
        ):
            with pytest.raises(ProtocolStepError, match="used twice"):
                group.provider.request(_command(op, mpc.name, number, *args))
    assert torch.equal(multiply("mul", (), x, x).get(), torch.arange(4) ** 2)


def _command(op: str, *args: Any) -> Command:
    return Command(op, args, None, new_id(), False)


def test_seeds_have_no_influence() -> None:
    """Of torch, numpy and random: shares, openings and corrections differ with the same seeds."""
    seen = []
    for _ in range(2):
        torch.manual_seed(7)
        np.random.seed(7)
        random.seed(7)
        group = new_parties(2)
        shared = group.shared(torch.zeros(64, dtype=torch.int64))
        seen.append(words_of(listened(group, lambda shared=shared: divide(multiply("mul", (), shared, shared), 8))))
        seen.append(torch.cat([p.location._objects[p.id_at_location] for p in shared.shares.values()]))
    words = torch.cat(seen)
    assert words.unique().numel() == words.numel()


def test_a_forked_process_shares_differently(run_script: Any) -> None:
    """Parent and child draw from streams of their own."""
    out = run_script(
        """
import os, torch, syft as sy
hook = sy.TorchHook(torch)
alice, bob = (sy.VirtualWorker(hook, id=name) for name in ("alice", "bob"))
torch.zeros(1, dtype=torch.int64).share(alice, bob).get()
read, write = os.pipe()
child = os.fork()
x = torch.zeros(8, dtype=torch.int64).share(alice, bob)
mine = [int(v) for s in (alice, bob) for o in s._objects.values() for v in o]
if child == 0:
    os.write(write, repr(mine).encode())
    os._exit(0)
os.waitpid(child, 0)
print(len(set(mine) & set(eval(os.read(read, 1 << 16)))), len(set(mine)))
"""
    )
    assert out.split() == ["0", "16"]
