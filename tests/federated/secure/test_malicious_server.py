"""What a server that asks for too much is refused; and that it would get it from clients without these refusals."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import pytest
import torch

from syft.exceptions import AggregationError
from syft.federated.secure.client import MASKS, OWN, AggregationClient, PublicKeys
from syft.federated.secure.fixed_point import FixedPoint
from syft.federated.secure.key_agreement import KeyPair, derived
from syft.federated.secure.masks import mask_of
from syft.federated.secure.secret_sharing import join_shares
from tests.federated.secure.rounds import SESSION, Clients, clients_of

RING = FixedPoint(64, 24)
VECTOR = torch.tensor([3, 1, 4, 1, 5])
VICTIM = "a"


class Server:
    """A server that has let the clients come up to the last stage, and wants the vector of one of them."""

    def __init__(self, clients: Clients) -> None:
        self.clients = clients
        self.keys: Mapping[str, PublicKeys] = {name: client.advertise() for name, client in clients.items()}
        shared = {name: client.share_keys(self.keys).sealed for name, client in clients.items()}
        self.masked = {
            name: client.masked(VECTOR, {one: sealed[name] for one, sealed in shared.items() if one != name})
            for name, client in clients.items()
        }
        self.own: dict[int, bytes] = {}
        self.pairs: dict[int, bytes] = {}

    def ask(self, name: str, arrived: Sequence[str]) -> None:
        shares = self.clients[name].unmask(arrived)
        number = sorted(self.clients).index(name) + 1
        if VICTIM in shares.own_masks:
            self.own[number] = shares.own_masks[VICTIM]
        if VICTIM in shares.mask_keys:
            self.pairs[number] = shares.mask_keys[VICTIM]

    def attack(self) -> torch.Tensor:
        """The victim's vector, if there are shares enough of both kinds."""
        pair, own = KeyPair.of(join_shares(self.pairs)), join_shares(self.own)
        vector = self.masked[VICTIM] - mask_of(derived(own, OWN, SESSION), len(VECTOR), 64)
        for name, keys in self.keys.items():
            if name != VICTIM:
                mask = mask_of(pair.agree(keys.masks, MASKS), len(VECTOR), 64)
                vector -= mask if VICTIM < name else -mask
        return vector


class Forgetful(AggregationClient):
    """Does not remember that it has answered."""

    def _stage(self, number: int) -> None:
        pass


class Lenient(AggregationClient):
    """Takes any threshold."""

    def _check_keys(self, keys: Mapping[str, PublicKeys]) -> None:
        pass


def ask_for_both_kinds(server: Server) -> None:
    everybody = sorted(server.clients)
    for name in everybody[1:]:
        server.ask(name, everybody)
        server.ask(name, everybody[1:])


def tell_two_stories(server: Server) -> None:
    everybody = sorted(server.clients)
    half = len(everybody) // 2
    for name in everybody[: half + 1][1:] + everybody[:1]:
        server.ask(name, everybody)
    for name in everybody[half + 1 :]:
        server.ask(name, everybody[1:])


def test_nobody_gives_both_kinds_of_shares() -> None:
    server = Server(clients_of("abcde", 3, RING))
    with pytest.raises(AggregationError, match="has done 4 of 4 stages"):
        ask_for_both_kinds(server)
    assert len(server.own) + len(server.pairs) <= 1


def test_control_clients_that_forget_give_everything_away() -> None:
    server = Server(clients_of("abcde", 3, RING, Forgetful))
    ask_for_both_kinds(server)
    assert torch.equal(server.attack(), VECTOR)


@pytest.mark.parametrize("count", [4, 5, 6, 7])
def test_two_stories_to_two_halves_give_too_few_shares(count: int) -> None:
    threshold = count // 2 + 1
    server = Server(clients_of("abcdefg"[:count], threshold, RING))
    tell_two_stories(server)
    assert len(server.own) + len(server.pairs) == count
    assert len(server.own) < threshold or len(server.pairs) < threshold
    with contextlib.suppress(AggregationError):  # the shares give another secret, or none
        assert not torch.equal(server.attack(), VECTOR)


def test_control_with_a_threshold_of_half_two_stories_are_enough() -> None:
    clients = clients_of("abcde", 2, RING, Lenient)
    server = Server(clients)
    tell_two_stories(server)
    assert torch.equal(server.attack(), VECTOR)


@pytest.mark.parametrize(
    "arrived", [[], ["a"], ["b", "c"], ["a", "b"], ["a", "b", "c", "x"], ["a", "a", "a"], ["b", "c", "d", "e"]]
)
def test_no_help_with_sums_that_hide_too_little_or_that_one_is_not_in(arrived: list[str]) -> None:
    server = Server(clients_of("abcde", 3, RING))
    with pytest.raises(AggregationError, match="does not help to unmask"):
        server.clients["a"].unmask(arrived)
    with pytest.raises(AggregationError, match="has done 4 of 4 stages"):  # and no second try
        server.clients["a"].unmask(["a", "b", "c", "d", "e"])


def sealed_for(clients: Clients, name: str) -> dict[str, bytes]:
    keys = {one: client.advertise() for one, client in clients.items()}
    shared = {one: client.share_keys(keys).sealed for one, client in clients.items()}
    return {one: sealed[name] for one, sealed in shared.items() if one != name}


def test_no_vector_for_a_sum_that_hides_too_little() -> None:
    clients = clients_of("abcde", 3, RING)
    sealed = sealed_for(clients, "a")
    with pytest.raises(AggregationError, match="it would hide too little"):
        clients["a"].masked(VECTOR, {"b": sealed["b"]})


def test_no_vector_for_a_sum_with_strangers() -> None:
    clients = clients_of("abcde", 3, RING)
    sealed = sealed_for(clients, "a")
    with pytest.raises(AggregationError, match="1 of them unknown"):
        clients["a"].masked(VECTOR, {**sealed, "x": b""})


def changed_keys(keys: dict[str, PublicKeys], how: str) -> dict[str, PublicKeys]:
    other = KeyPair.fresh().public
    changes: dict[str, Any] = {
        "own key changed": {"a": replace(keys["a"], masks=other)},
        "two the same": {"b": keys["c"]},
        "one for both": {"b": PublicKeys(other, other)},
        "somebody's twice": {"b": replace(keys["b"], shares=keys["c"].masks)},
    }
    return {**keys, **changes[how]}


@pytest.mark.parametrize("how", ["own key changed", "two the same", "one for both", "somebody's twice"])
def test_no_secrets_under_keys_that_were_tampered_with(how: str) -> None:
    clients = clients_of("abcde", 3, RING)
    keys = {name: client.advertise() for name, client in clients.items()}
    with pytest.raises(AggregationError, match="shares no secrets"):
        clients["a"].share_keys(changed_keys(keys, how))


def test_no_secrets_where_one_is_not_listed() -> None:
    clients = clients_of("abcde", 3, RING)
    keys = {name: client.advertise() for name, client in clients.items()}
    with pytest.raises(AggregationError, match="shares no secrets"):
        clients["a"].share_keys({name: key for name, key in keys.items() if name != "a"})
