"""The key holder's side of `PaillierAggregation`: a private key that never leaves its worker, and opens sums only."""

from __future__ import annotations

from typing import Any

import torch

from syft.exceptions import AggregationError
from syft.he.paillier.keys import PaillierPrivateKey, PaillierPublicKey, keygen
from syft.he.paillier.packed import PackedPaillierTensor
from syft.he.paillier.tensor import CipherTensor, link_under
from syft.he.paillier.travel import number_bytes
from syft.workers.services import SERVICES

_MOST_KEYS = 16


class KeyHolderService:
    """The keys that a worker holds for those who ask it to. Workers have one each, as their service ``paillier``; over
    a network each client has its own.

    What it opens it sees. It cannot see what a sum was made of: that a server hands it sums only is the server's word.

    Args:
        worker: whose.
    """

    remote_methods = frozenset({"make_key", "open"})

    def __init__(self, worker: Any) -> None:
        self.worker = worker
        self._keys: dict[PaillierPublicKey, tuple[PaillierPrivateKey, int]] = {}

    def make_key(self, n_length: int, least: int) -> list[bytes]:
        """Make a pair of keys, of which the private one stays here.

        Args:
            n_length: bits of n.
            least: of how many addends a sum must be to be opened; at least 2.

        Returns:
            The n and the h of the public key, the least significant byte first.

        Raises:
            AggregationError: a sum of one would be opened.
            UsageError: there are no such keys.
        """
        if type(least) is not int or least < 2:
            raise AggregationError(f"a sum of {least} is nobody's secret any more once it is opened; take 2 or more")
        public, private = keygen(n_length=n_length)
        while len(self._keys) >= _MOST_KEYS:
            del self._keys[next(iter(self._keys))]
        self._keys[public] = private, least
        return [number_bytes(public.n), number_bytes(public.h or 0)]

    def open(self, total: Any) -> torch.Tensor:
        """Decrypt a sum.

        Args:
            total: a packed tensor that is a sum of enough addends under a key of this service.

        Returns:
            Its numbers.

        Raises:
            AggregationError: it is something else.
        """
        link = link_under(total) if isinstance(total, CipherTensor) else None
        if not isinstance(link, PackedPaillierTensor) or link.key not in self._keys:
            raise AggregationError("only packed sums under a key that was made here are opened, and this is none")
        private, least = self._keys[link.key]
        if link.addends < least:
            raise AggregationError(f"a sum of {link.addends} addends is not opened; {least} are the least")
        opened: torch.Tensor = total.decrypt(private)
        return opened


SERVICES["paillier"] = KeyHolderService
