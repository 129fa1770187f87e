"""What a worker knows as a holder of shares or as the crypto provider: its service ``mpc``."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from syft.core.random import KEY_BYTES, Tape
from syft.exceptions import LimitExceededError, ProtocolStepError
from syft.mpc.material import Layout, Words, dealt, held
from syft.mpc.spent import Spent

Limits = Callable[[int], None]
_MOST_GROUPS, _MOST_HOLDERS, _LONGEST_NAME = 4096, 64, 64
_KEPT = 31 << 20
"""bytes; the largest block that glibc lets its limits follow."""


class Party:
    """A holder in a group.

    Args:
        index: its place among the holders, from 0.
        count: how many holders there are.
        tape: what it shares with the provider.
        limits: says whether so much memory may be used.
    """

    __slots__ = ("count", "first", "last", "limits", "spent", "tape")

    def __init__(self, index: int, count: int, tape: Tape, limits: Limits) -> None:
        self.first, self.last, self.count = index == 0, index == count - 1, count
        self.tape, self.limits = tape, limits
        self.spent = Spent()

    def material(self, number: int, layout: Layout, correction: Any) -> list[Words]:
        """The segments of a strip, which is used up.

        Args:
            number: of the strip.
            layout: of the strip.
            correction: a tensor of uint8, for the last holder.

        Raises:
            ProtocolStepError: the strip was used before.
        """
        self.limits(layout.nbytes)
        self.spent.add(number)
        if not (self.last and layout.correlated):
            return held(self.tape, number, layout, None)
        words = correction.numpy() if isinstance(correction, torch.Tensor) else None
        nbytes = layout.nbytes - layout.correlated_at
        if words is None or words.dtype != np.uint8 or words.shape != (nbytes,):
            raise ProtocolStepError(f"the last holder needs a correction of {nbytes} bytes from the provider")
        return held(self.tape, number, layout, np.ascontiguousarray(words))


class Dealer:
    """The provider of a group.

    Args:
        tapes: what it shares with each holder, in their order.
        limits: says whether so much memory may be used.
    """

    __slots__ = ("limits", "spent", "tapes")

    def __init__(self, tapes: Sequence[Tape], limits: Limits) -> None:
        self.tapes, self.limits = tapes, limits
        self.spent = Spent()

    def mask(self, number: int, count: int) -> Words:
        """So many ring elements that the holders' strips of this number add up to; the strips are used up."""
        self.limits(8 * count)
        self.spent.add(number)
        first, *others = [tape.strip(number, 8 * count).view(np.uint64) for tape in self.tapes]
        for other in others:
            first += other
        return first

    def deal(self, number: int, layout: Layout, choose: Any) -> Words:
        """See `dealt`. The strips are used up: two corrections with one strip would show what is between them."""
        self.limits(layout.nbytes)
        self.spent.add(number)
        return dealt(self.tapes, number, layout, choose)


class MpcService:
    """The groups that a worker takes part in. Workers have one each, as their service ``mpc``.

    Args:
        worker: whose.
    """

    remote_methods = frozenset({"lead", "join", "meet", "leave"})

    def __init__(self, worker: Any) -> None:
        self.worker = worker
        self._keys: dict[str, X25519PrivateKey] = {}
        self.parties: dict[str, Party] = {}
        self.dealers: dict[str, Dealer] = {}
        # Strips come and go in megabytes. Once a large block was freed, glibc keeps twice as much of what is freed
        # later (mallopt(3), M_MMAP_THRESHOLD), in place of giving it back and fetching it anew, zeroed, in each step,
        # which doubles the time of large comparisons. Nothing is written into the block, so it takes no memory.
        np.empty(_KEPT, np.uint8)

    def lead(self, group: str) -> bytes:
        """Become the provider of a group that is being made; the public key for its holders."""
        return self._new_key(group)

    def join(self, group: str, index: int, count: int, provider: bytes) -> bytes:
        """Become a holder of a group; the public key for its provider.

        Args:
            group: its name.
            index: this holder's place, from 0.
            count: how many holders there are.
            provider: the provider's public key.
        """
        if type(index) is not int or type(count) is not int or not 0 <= index < count <= _MOST_HOLDERS:
            raise ProtocolStepError(f"there is no holder {index!r} of {count!r}; they are counted from 0")
        public = self._new_key(group)
        self.parties[group] = Party(index, count, _tape(self._keys.pop(group), provider, group, index), self.check)
        return public

    def meet(self, group: str, holders: Sequence[bytes]) -> None:
        """Complete a group as its provider, with the public keys of its holders in their order."""
        if not 2 <= len(holders) <= _MOST_HOLDERS:
            raise ProtocolStepError(f"a group has 2 to {_MOST_HOLDERS} holders, not {len(holders)}")
        if group not in self._keys:
            raise ProtocolStepError(_unknown(self.worker, "provider"))
        own = self._keys.pop(group)
        self.dealers[group] = Dealer([_tape(own, key, group, index) for index, key in enumerate(holders)], self.check)

    def leave(self, group: str) -> None:
        """Forget a group and its keys."""
        for known in (self._keys, self.parties, self.dealers):
            known.pop(group, None)

    def check(self, nbytes: int) -> None:
        """Refuse a step that takes more memory than this worker allows a result.

        Raises:
            LimitExceededError: it does.
        """
        limit = self.worker._executor.policy.result_bytes
        if limit is not None and nbytes > limit:
            raise LimitExceededError(
                f"this step would take {nbytes:,} bytes, and worker {self.worker.id!r} allows {limit:,} a result; work "
                "in parts, or let its owner raise the limit"
            )

    def party(self, group: str) -> Party:
        """This worker as a holder of a group.

        Raises:
            ProtocolStepError: it is none.
        """
        try:
            return self.parties[group]
        except KeyError:
            raise ProtocolStepError(_unknown(self.worker, "holder")) from None

    def dealer(self, group: str) -> Dealer:
        """This worker as the provider of a group.

        Raises:
            ProtocolStepError: it is not.
        """
        try:
            return self.dealers[group]
        except KeyError:
            raise ProtocolStepError(_unknown(self.worker, "provider")) from None

    def _new_key(self, group: str) -> bytes:
        if type(group) is not str or len(group) > _LONGEST_NAME:
            raise ProtocolStepError(f"the name of a group is a text of up to {_LONGEST_NAME} characters")
        if len(self._keys) + len(self.parties) + len(self.dealers) >= _MOST_GROUPS:
            raise LimitExceededError(
                f"worker {self.worker.id!r} is in {_MOST_GROUPS} groups of holders already; drop tensors that are not "
                "needed any more, or close the connection"
            )
        key = self._keys[group] = X25519PrivateKey.generate()
        return key.public_key().public_bytes_raw()


def _tape(own: X25519PrivateKey, peer: bytes, group: str, index: int) -> Tape:
    """RFC 7748 key agreement and RFC 5869 key derivation, bound to the group and the holder's place in it."""
    secret = own.exchange(X25519PublicKey.from_public_bytes(peer))
    return Tape(HKDF(SHA256(), KEY_BYTES, salt=group.encode(), info=b"syft.mpc %d" % index).derive(secret))


def _unknown(worker: Any, role: str) -> str:
    return (
        f"worker {worker.id!r} is no {role} of this group any more: it was started anew or has forgotten its keys. "
        "Share the values again."
    )
