"""The protocol among state machines: the sum is right whoever drops out when, or nothing is unmasked."""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterator
from typing import Any

import pytest
import torch

from syft.exceptions import AggregationError
from syft.federated.secure.client import AggregationClient, SharedKeys, Shares
from syft.federated.secure.fixed_point import FixedPoint
from syft.federated.secure.masks import DTYPES
from syft.federated.secure.secret_sharing import SHARE_BYTES
from syft.federated.secure.server import STAGES, AggregationServer, threshold_for
from tests.federated.secure.rounds import SESSION, aggregate, clients_of, with_masked

NEVER = 4
RING = FixedPoint(64, 24)


def vectors_of(names: Any, bits: int = 64, size: int = 5) -> dict[str, torch.Tensor]:
    """Vectors over all of the ring, so that wrapping around is a part of every sum."""
    low, high = -(2 ** (bits - 1)), 2 ** (bits - 1) - 1
    return {name: torch.randint(low, high, (size,), dtype=DTYPES[bits]) for name in names}


def sum_of(vectors: dict[str, torch.Tensor], names: Any) -> torch.Tensor:
    total = torch.zeros_like(next(iter(vectors.values())))
    for name in names:
        total += vectors[name]
    return total


@pytest.mark.parametrize("bits", [32, 64])
@pytest.mark.parametrize("count", [2, 3, 6, 9])
def test_masks_cancel_exactly(bits: int, count: int) -> None:
    names = "abcdefghi"[:count]
    vectors = vectors_of(names, bits, 100)
    threshold = threshold_for(count)
    clients = clients_of(names, threshold, FixedPoint(bits, 8))
    summed = aggregate(clients, vectors, threshold)
    assert torch.equal(summed.total, sum_of(vectors, names)) and summed.total.dtype == DTYPES[bits]
    assert summed.clients == tuple(names) and not summed.lost


def test_pairwise_masks_cancel_by_themselves(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("syft.federated.secure.client.derived", lambda *args: bytes(16))
    clients = clients_of("abcd", 3, RING)
    vectors = vectors_of(clients)
    own = with_masked(clients_of("abcd", 3, RING), dict.fromkeys("abcd", torch.zeros(5, dtype=torch.int64)))
    masked = with_masked(clients, vectors)
    assert torch.equal(sum_of(masked, "abcd") - sum_of(own, "abcd"), sum_of(vectors, "abcd"))
    assert not torch.equal(masked["a"] - own["a"], vectors["a"])


# --- drop-outs ---------------------------------------------------------------------------------------


def everyone(count: int) -> Iterator[tuple[int, ...]]:
    """For each client, every stage at which it may drop out."""
    return itertools.product(range(NEVER + 1), repeat=count)


def how_many(count: int) -> Iterator[tuple[int, ...]]:
    """Every number of clients that drop out at each stage; who they are is drawn."""
    for counted in itertools.combinations_with_replacement(range(NEVER + 1), count):
        yield tuple(random.sample(counted, count))


def check_drop_outs(stages: tuple[int, ...], threshold: int) -> bool:
    """Whether the sum came about; it is right then, and there were too few otherwise."""
    names = "abcdef"[: len(stages)]
    vectors = vectors_of(names)
    gone = dict(zip(names, stages, strict=True))
    left = [sum(stage > number for stage in stages) for number in range(len(STAGES))]
    clients = clients_of(names, threshold, RING)
    first = next((number for number, count in enumerate(left) if count < threshold), None)
    if first is not None:
        # What fails is the first stage that leaves too few. Clients never see fewer keys than the threshold.
        with pytest.raises(AggregationError, match=f"{left[first]} of {len(names)} clients are left") as raised:
            aggregate(clients, vectors, threshold, gone=gone)
        assert f"the threshold is {threshold}" in str(raised.value) and repr(STAGES[first]) in str(raised.value)
        return False
    summed = aggregate(clients, vectors, threshold, gone=gone)
    arrived = [name for name in names if gone[name] > STAGES.index("masked")]
    assert summed.clients == tuple(arrived) and torch.equal(summed.total, sum_of(vectors, arrived))
    assert set(summed.lost) == set(names) - set(arrived)
    return True


@pytest.mark.parametrize(("count", "threshold"), [(2, 2), (3, 2), (3, 3)])
def test_all_drop_outs_of_few(count: int, threshold: int) -> None:
    came = [check_drop_outs(stages, threshold) for stages in everyone(count)]
    assert any(came) and not all(came)


@pytest.mark.parametrize(("count", "threshold"), [(4, 3), (4, 4), (5, 3)])
@pytest.mark.parametrize("first", range(NEVER + 1))
def test_all_drop_outs_of_four_and_five(count: int, threshold: int, first: int) -> None:
    for stages in everyone(count - 1):
        check_drop_outs((first, *stages), threshold)


@pytest.mark.parametrize("stage", range(NEVER))
def test_any_of_six_drop_out_together(stage: int) -> None:
    came = [check_drop_outs(stages, 4) for stages in itertools.product((stage, NEVER), repeat=6)]
    assert sum(came) == 1 + 6 + 15


@pytest.mark.parametrize(("count", "threshold"), [(6, 4), (6, 5)])
def test_any_number_of_six_drop_out_at_each_stage(count: int, threshold: int) -> None:
    came = [check_drop_outs(stages, threshold) for stages in how_many(count)]
    assert any(came) and not all(came)


def test_a_client_that_sends_its_vector_and_vanishes_is_in_the_sum() -> None:
    vectors = vectors_of("abcd")
    summed = aggregate(clients_of("abcd", 3, RING), vectors, 3, gone={"b": 3})
    assert summed.clients == tuple("abcd") and not summed.lost
    assert torch.equal(summed.total, sum_of(vectors, "abcd"))


# --- answers that are wrong --------------------------------------------------------------------------

WRONG: list[tuple[str, Any]] = [
    ("advertise", None),
    ("advertise", (b"\0" * 32, b"\0" * 32)),
    ("share_keys", None),
    ("share_keys", SharedKeys({}, b"")),
    ("share_keys", SharedKeys({"b": b"", "c": b"", "d": b"", "e": b""}, b"")),
    ("share_keys", SharedKeys([], b"")),  # type: ignore[arg-type]
    ("masked", None),
    ("masked", torch.zeros(4, dtype=torch.int64)),
    ("masked", torch.zeros(5)),
    ("masked", torch.zeros(5, dtype=torch.int64).to_sparse()),
    ("unmask", None),
    ("unmask", Shares({}, {})),
    ("unmask", Shares(dict.fromkeys("abcd", b"short"), {})),
    ("unmask", Shares(dict.fromkeys("abcd", bytes(SHARE_BYTES)), {"x": bytes(SHARE_BYTES)})),
]


@pytest.mark.parametrize(("at", "answer"), WRONG)
def test_a_client_that_answers_nonsense_is_left_out(at: str, answer: Any) -> None:
    def change(stage: str, answers: dict[str, Any]) -> None:
        if stage == at:
            answers["a"] = answer

    vectors = vectors_of("abcd")
    summed = aggregate(clients_of("abcd", 3, RING), vectors, 3, change=change)
    assert torch.equal(summed.total, sum_of(vectors, summed.clients))
    if at == "unmask":
        assert set(summed.clients) == set("abcd") and not summed.lost
        with pytest.raises(
            AggregationError, match=r"3 of 4 clients are left after stage 'unmask'(.|\n)*client 'a' has sent"
        ):
            aggregate(clients_of("abcd", 4, RING), vectors, 4, change=change)
    else:
        assert set(summed.clients) == set("bcd") and set(summed.lost) == {"a"} and summed.lost["a"]


@pytest.mark.parametrize("kind", ["own_masks", "mask_keys"])
def test_wrong_shares_are_noticed(kind: str) -> None:
    def change(stage: str, answers: dict[str, Any]) -> None:
        if stage == "unmask":
            shares = {"own_masks": dict(answers["a"].own_masks), "mask_keys": dict(answers["a"].mask_keys)}
            name, share = next(iter(shares[kind].items()))
            shares[kind][name] = share[:-1] + bytes([share[-1] ^ 1])
            answers["a"] = Shares(**shares)

    with pytest.raises(AggregationError, match="do not fit together"):
        aggregate(clients_of("abcd", 3, RING), vectors_of("abcd"), 3, gone={"d": 2}, change=change)


def test_a_sealed_share_that_was_changed_is_noticed_by_who_gets_it() -> None:
    def change(stage: str, answers: dict[str, Any]) -> None:
        if stage == "share_keys":
            sealed = {**answers["a"].sealed, "b": bytes(100)}
            answers["a"] = SharedKeys(sealed, answers["a"].check)

    with pytest.raises(AggregationError, match="'b' cannot use the shares of 'a'"):
        aggregate(clients_of("abcd", 4, RING), vectors_of("abcd"), 4, change=change)
    vectors = vectors_of("abcd")
    assert torch.equal(aggregate(clients_of("abcd", 3, RING), vectors, 3, change=change).total, sum_of(vectors, "abcd"))


@pytest.mark.parametrize(("clients", "threshold"), [(1, None), (1, 1), (2, 1), (4, 2), (3, 4), (6, 3), (2049, None)])
def test_thresholds_that_protect_nobody_are_refused(clients: int, threshold: int | None) -> None:
    with pytest.raises(AggregationError, match="it must be from"):
        threshold_for(clients, threshold)
    if threshold is not None:
        with pytest.raises(AggregationError, match="it must be from"):
            AggregationServer("abcdef"[:clients], threshold, RING, 1, SESSION)


def test_clients_take_no_threshold_that_protects_nobody() -> None:
    for threshold in (0, 1, 2, 5):
        clients = clients_of("abcd", threshold, RING)
        keys = {name: client.advertise() for name, client in clients.items()}
        with pytest.raises(AggregationError, match="more than half"):
            clients["a"].share_keys(keys)


def test_stages_come_in_their_order() -> None:
    client = AggregationClient("a", SESSION, 2, RING)
    for early in (lambda: client.share_keys({}), lambda: client.masked(torch.zeros(1), {}), lambda: client.unmask([])):
        with pytest.raises(AggregationError, match="has done 0 of 4 stages"):
            early()
    client.advertise()
    with pytest.raises(AggregationError, match="has done 1 of 4 stages"):
        client.advertise()
