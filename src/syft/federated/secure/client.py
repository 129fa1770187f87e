"""The client's side of secure aggregation, without any input or output."""

from __future__ import annotations

import hashlib
import hmac
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch

from syft.exceptions import AggregationError
from syft.federated.secure.fixed_point import FixedPoint
from syft.federated.secure.key_agreement import KeyPair, derived, seal, unseal
from syft.federated.secure.masks import mask_of
from syft.federated.secure.secret_sharing import SECRET_BYTES, SHARE_BYTES, split_secret

MOST_CLIENTS = 2048
"""How many clients an aggregation has at most: what each does for its shares grows with their square."""

MASKS, SHARES, OWN = "pairwise mask", "sealed shares", "own mask"
"""What keys are for."""


@dataclass(frozen=True, slots=True)
class PublicKeys:
    """What a client tells of its keys.

    Args:
        shares: for sealing what others send to it through the server.
        masks: for the masks that it shares with each of the others.
    """

    shares: bytes
    masks: bytes


@dataclass(frozen=True, slots=True)
class SharedKeys:
    """What a client sends when it shares its secrets.

    Args:
        sealed: for each other client, its share of both secrets, which only that one can open.
        check: the SHA-256 of the secret of its own mask, which tells nothing of it, and by which wrong shares of it are
            noticed.
    """

    sealed: Mapping[str, bytes]
    check: bytes


@dataclass(frozen=True, slots=True)
class Shares:
    """What a client gives out in the end: of each other one either the one kind of share or the other.

    Args:
        own_masks: shares of the secrets of own masks, of those whose masked vectors arrived.
        mask_keys: shares of the private keys of pairwise masks, of those whose did not.
    """

    own_masks: Mapping[str, bytes]
    mask_keys: Mapping[str, bytes]


class AggregationClient:
    """One client in one aggregation. Its methods are the stages, each called once and in this order:

    1. `advertise`: two fresh key pairs, one for sealing and one for masks;
    2. `share_keys`: its mask key and the secret of its own mask, in shares that any ``threshold`` clients can join;
    3. `masked`: its vector plus its own mask, plus the masks shared with clients of greater names, minus those shared
       with clients of smaller ones: in the sum over all, these cancel;
    4. `unmask`: its shares of what hides the sum: own masks of those that are in it, mask keys of those that are not.

    Who learns what: the server learns sums over ``threshold`` clients or more. A client gives out one share of another
    one's secrets, of one kind, once; so as long as the threshold is more than half, nobody gets enough of both kinds,
    which together would unmask one client, also when the server says different things to different clients.

    Args:
        name: what the others call it.
        session: some bytes that name this aggregation.
        threshold: how many clients must stay until the end.
        ring: the numbers of the vectors.

    Raises:
        AggregationError: a stage is not the next one, or asks for what would show somebody's vector.
    """

    def __init__(self, name: str, session: bytes, threshold: int, ring: FixedPoint) -> None:
        self.name, self.session, self.threshold, self.ring = name, session, threshold, ring
        self._sealing, self._masking = KeyPair.fresh(), KeyPair.fresh()
        self._own_secret = os.urandom(SECRET_BYTES)
        self._keys: Mapping[str, PublicKeys] = {}
        self._own_shares = b""
        self._received: Mapping[str, bytes] = {}
        self._done = 0

    def advertise(self) -> PublicKeys:
        """Stage 1: the public keys."""
        self._stage(1)
        return PublicKeys(self._sealing.public, self._masking.public)

    def share_keys(self, keys: Mapping[str, PublicKeys]) -> SharedKeys:
        """Stage 2: share the secrets.

        Args:
            keys: the public keys of all clients, this one's too.

        Returns:
            A sealed share for each of the others.
        """
        self._stage(2)
        self._check_keys(keys)
        self._keys = dict(sorted(keys.items()))
        halves = [split_secret(one, self.threshold, len(keys)) for one in (self._masking.private, self._own_secret)]
        both = {name: mine + own for name, mine, own in zip(self._keys, *halves, strict=True)}
        self._own_shares = both.pop(self.name)
        sealed = {
            name: seal(self._sealing.agree(keys[name].shares, SHARES), text, self._label(self.name, name))
            for name, text in both.items()
        }
        return SharedKeys(sealed, hashlib.sha256(self._own_secret).digest())

    def masked(self, vector: torch.Tensor, sealed: Mapping[str, bytes]) -> torch.Tensor:
        """Stage 3: hide the vector.

        Args:
            vector: numbers of the ring, of any shape; left as it is.
            sealed: what the others have shared with this client; who is missing has dropped out.

        Returns:
            A vector of the same dtype that is uniform for whoever lacks the masks.
        """
        self._stage(3)
        strangers = sealed.keys() - (self._keys.keys() - {self.name})
        if strangers or len(sealed) + 1 < self.threshold:
            raise AggregationError(
                f"client {self.name!r} adds no vector to a sum of {len(sealed) + 1} clients with threshold "
                f"{self.threshold}, {len(strangers)} of them unknown: it would hide too little"
            )
        self._received = dict(sealed)
        size, bits = vector.numel(), self.ring.bits
        total = vector.reshape(-1) + mask_of(derived(self._own_secret, OWN, self.session), size, bits)
        for name in sealed:
            mask = mask_of(self._masking.agree(self._keys[name].masks, MASKS), size, bits)
            total += mask if self.name < name else -mask
        return total

    def unmask(self, arrived: Sequence[str]) -> Shares:
        """Stage 4: help to unmask the sum. It works once, whatever it answers.

        Args:
            arrived: the clients whose masked vectors the server has summed.

        Returns:
            One share of each client that has shared its secrets.
        """
        self._stage(4)
        known, there = self._received.keys() | {self.name}, set(arrived)
        if not there <= known or self.name not in there or len(there) < self.threshold:
            raise AggregationError(
                f"client {self.name!r} does not help to unmask a sum of {len(there)} clients with threshold "
                f"{self.threshold}: they must be that many at least, all known to it, and itself among them"
            )
        opened = {self.name: self._own_shares} | {name: self._opened(name) for name in self._received}
        return Shares(
            own_masks={name: opened[name][SHARE_BYTES:] for name in sorted(there)},
            mask_keys={name: opened[name][:SHARE_BYTES] for name in sorted(known - there)},
        )

    def _stage(self, number: int) -> None:
        if self._done != number - 1:
            raise AggregationError(
                f"client {self.name!r} has done {self._done} of 4 stages of this aggregation and does not do stage "
                f"{number} now: each comes once and in its turn, as what two answers say together may show an update"
            )
        self._done = number

    def _check_keys(self, keys: Mapping[str, PublicKeys]) -> None:
        own = PublicKeys(self._sealing.public, self._masking.public)
        told = [key for pair in keys.values() for key in (pair.shares, pair.masks)]
        if keys.get(self.name) != own or len(set(told)) < len(told):
            raise AggregationError(
                f"client {self.name!r} shares no secrets: its own keys are missing from the list or changed, or two of "
                f"the {len(told)} keys are the same"
            )
        if not least_threshold(len(keys)) <= self.threshold <= len(keys) <= MOST_CLIENTS:
            raise AggregationError(
                f"client {self.name!r} takes no part in an aggregation of {len(keys)} clients with threshold "
                f"{self.threshold}; it must be more than half of them, and 2 at least, and they {MOST_CLIENTS} at most"
            )

    def _label(self, sender: str, receiver: str) -> bytes:
        return (
            b"".join(len(part).to_bytes(4, "big") + part for part in (self.session, sender.encode()))
            + receiver.encode()
        )

    def _opened(self, sender: str) -> bytes:
        try:
            key = self._sealing.agree(self._keys[sender].shares, SHARES)
            opened = unseal(key, self._received[sender], self._label(sender, self.name))
        except AggregationError as error:
            raise AggregationError(f"client {self.name!r} cannot use the shares of {sender!r}: {error}") from None
        if len(opened) != 2 * SHARE_BYTES:
            raise AggregationError(
                f"client {self.name!r} got {len(opened)} bytes from {sender!r} in place of two shares"
            )
        return opened


def least_threshold(clients: int) -> int:
    """The least threshold that protects so many clients.

    With half of them or fewer, a server could tell one half one thing and the other half another, and get enough shares
    of both kinds. A sum over one client is no sum.
    """
    return max(2, clients // 2 + 1)


def fits(secret: bytes, check: bytes) -> bool:
    """Whether this is the secret of a check (see `SharedKeys`)."""
    return hmac.compare_digest(hashlib.sha256(secret).digest(), check)
