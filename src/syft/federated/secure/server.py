"""The server's side of secure aggregation, without any input or output: it says what to ask and is told the answers."""

from __future__ import annotations

import math
from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from syft.exceptions import AggregationError
from syft.federated.secure.client import (
    MASKS,
    MOST_CLIENTS,
    OWN,
    PublicKeys,
    SharedKeys,
    Shares,
    fits,
    least_threshold,
)
from syft.federated.secure.fixed_point import FixedPoint
from syft.federated.secure.key_agreement import PUBLIC_BYTES, KeyPair, derived
from syft.federated.secure.masks import DTYPES, mask_of
from syft.federated.secure.secret_sharing import SHARE_BYTES, join_shares

Requests = Mapping[str, tuple[Any, ...]]
"""What to ask each client at one stage: the arguments of the method of `AggregationClient` that is named for it."""

Answers = Mapping[str, Any]
"""What each client has answered: its result, or an exception. Who is missing has not answered."""

STAGES = ("advertise", "share_keys", "masked", "unmask")


@dataclass(frozen=True, slots=True)
class Summed:
    """What the server has learned.

    Args:
        total: the sum of the vectors of `clients`, numbers of the ring.
        clients: whose vectors are in it.
        lost: who is not, and why. Those that have vanished since their vectors arrived are not lost.
    """

    total: torch.Tensor
    clients: tuple[str, ...]
    lost: Mapping[str, str]


def threshold_for(clients: int, wanted: int | None = None) -> int:
    """How many of so many clients must stay.

    Args:
        clients: how many there are.
        wanted: how many; two thirds, rounded up, and more than half in any case, when None.

    Raises:
        AggregationError: it is not more than half of the clients, below 2, or more than there are, or there are too
            many clients.

    Example:
        >>> [threshold_for(clients) for clients in (2, 3, 4, 6, 10)]
        [2, 2, 3, 4, 7]
    """
    least = least_threshold(clients)
    threshold = max(least, math.ceil(2 * clients / 3)) if wanted is None else wanted
    if not least <= threshold <= clients <= MOST_CLIENTS:
        raise AggregationError(
            f"{clients} clients cannot sum in secret with threshold {threshold}: it must be from {least} (more than "
            f"half of them, and 2 at least) to their number, and that at most {MOST_CLIENTS}"
        )
    return threshold


class AggregationServer:
    """The server in one aggregation.

    Args:
        clients: their names.
        threshold: how many must stay until the end.
        ring: the numbers of the vectors.
        size: how many numbers a vector has.
        session: the bytes that name this aggregation.

    Raises:
        AggregationError: the threshold does not fit.
    """

    def __init__(self, clients: Sequence[str], threshold: int, ring: FixedPoint, size: int, session: bytes) -> None:
        self.clients, self.threshold = tuple(clients), threshold_for(len(clients), threshold)
        self.ring, self.size, self.session = ring, size, session
        self.lost: dict[str, str] = {}

    def run(self) -> Generator[Requests, Answers, Summed]:
        """The stages, as a generator: it yields what to ask, is sent the answers, and returns the sum.

        The order of the yields is that of `STAGES`. A client that fails at a stage is asked nothing any more. It is in
        the sum if and only if its masked vector has arrived.

        Raises:
            AggregationError: fewer clients than the threshold are left, or the shares do not fit together.
        """
        first: Requests = {name: () for name in self.clients}
        keys = self._sound(0, first, (yield first), _check_keys)
        shared = self._sound(1, keys, (yield {name: (keys,) for name in keys}), self._check_shared(keys))
        third = {name: ({one: shared[one].sealed[name] for one in shared if one != name},) for name in shared}
        masked = self._sound(2, third, (yield third), self._check_masked)
        total = torch.zeros(self.size, dtype=DTYPES[self.ring.bits])
        for vector in masked.values():
            total += vector.cpu()
        fourth = {name: (sorted(masked),) for name in masked}
        shares = self._sound(3, fourth, (yield fourth), self._check_shares(shared, masked))
        self._unmask(total, keys, shared, masked, shares)
        return Summed(total, tuple(masked), {name: why for name, why in self.lost.items() if name not in masked})

    def _sound(self, stage: int, asked: Mapping[str, Any], answers: Answers, check: Callable[[str, Any], None]) -> Any:
        """The answers that can be used; the others are lost.

        Raises:
            AggregationError: too few are left.
        """
        sound = {}
        for name in asked:
            answer = answers.get(name, AggregationError("there was no answer"))
            try:
                if isinstance(answer, BaseException):
                    raise answer
                check(name, answer)
                sound[name] = answer
            except Exception as error:
                self.lost[name] = f"{error}" or type(error).__name__
        if len(sound) < self.threshold:
            reasons = "".join([f"\n  {name}: {reason}" for name, reason in self.lost.items()])
            raise AggregationError(
                f"{len(sound)} of {len(self.clients)} clients are left after stage {STAGES[stage]!r}, and the "
                f"threshold is {self.threshold}: nothing is unmasked.{reasons}"
            )
        return sound

    def _check_shared(self, keys: Mapping[str, PublicKeys]) -> Callable[[str, Any], None]:
        def check(name: str, shared: Any) -> None:
            _expect(name, type(shared) is SharedKeys and shared.sealed.keys() == keys.keys() - {name}, "sealed shares")
            _expect(name, all(type(one) is bytes for one in (*shared.sealed.values(), shared.check)), "bytes")

        return check

    def _check_masked(self, name: str, vector: Any) -> None:
        plain = type(vector) is torch.Tensor and vector.layout is torch.strided
        alike = plain and vector.dtype == DTYPES[self.ring.bits] and tuple(vector.shape) == (self.size,)
        _expect(name, alike, f"{self.size} masked numbers")

    def _check_shares(self, shared: Mapping[str, Any], masked: Mapping[str, Any]) -> Callable[[str, Any], None]:
        def check(name: str, shares: Any) -> None:
            _expect(name, type(shares) is Shares, "shares")
            _expect(name, shares.own_masks.keys() == masked.keys(), "shares of the own masks of those in the sum")
            _expect(name, shares.mask_keys.keys() == shared.keys() - masked.keys(), "shares of the keys of the others")
            each = (*shares.own_masks.values(), *shares.mask_keys.values())
            _expect(name, all(type(one) is bytes and len(one) == SHARE_BYTES for one in each), "shares")

        return check

    def _unmask(
        self,
        total: torch.Tensor,
        keys: Mapping[str, PublicKeys],
        shared: Mapping[str, SharedKeys],
        masked: Mapping[str, torch.Tensor],
        shares: Mapping[str, Shares],
    ) -> None:
        """Take from the sum the own masks of those in it, and the masks that they share with those that are not."""
        numbers = {name: number for number, name in enumerate(sorted(keys), start=1)}
        givers = list(shares)[: self.threshold]
        for name in masked:
            secret = join_shares({numbers[giver]: shares[giver].own_masks[name] for giver in givers})
            if not fits(secret, shared[name].check):
                raise _misfit(name, givers)
            total -= mask_of(derived(secret, OWN, self.session), self.size, self.ring.bits)
        for name in shared.keys() - masked.keys():
            pair = KeyPair.of(join_shares({numbers[giver]: shares[giver].mask_keys[name] for giver in givers}))
            if pair.public != keys[name].masks:
                raise _misfit(name, givers)
            for other in masked:
                mask = mask_of(pair.agree(keys[other].masks, MASKS), self.size, self.ring.bits)
                total -= mask if other < name else -mask


def _check_keys(name: str, keys: Any) -> None:
    _expect(name, type(keys) is PublicKeys, "two public keys")
    _expect(name, all(type(key) is bytes and len(key) == PUBLIC_BYTES for key in (keys.shares, keys.masks)), "keys")


def _expect(name: str, right: bool, due: str) -> None:
    if not right:
        raise AggregationError(f"client {name!r} has sent something else where {due} were due")


def _misfit(name: str, givers: Sequence[str]) -> AggregationError:
    return AggregationError(
        f"the shares of the secrets of client {name!r} do not fit together: it, or one of "
        f"{', '.join(map(repr, givers))}, has sent wrong ones. Nothing is unmasked; try again without some of them"
    )
