"""The client's side of secure aggregation on a worker: the model that was trained there leaves it masked only."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch

from syft.core import messages as m
from syft.core.ids import new_id
from syft.core.random import KEY_BYTES
from syft.exceptions import AggregationError
from syft.federated.secure.client import AggregationClient, PublicKeys
from syft.federated.secure.fixed_point import FixedPoint
from syft.federated.secure.update import weighted_change
from syft.he.paillier.keys import PaillierPublicKey
from syft.plans.plan import Plan
from syft.workers.services import SERVICES
from syft.workers.tensor_sizes import PLAIN

_MOST_AT_ONCE = 64


@dataclass(slots=True)
class _Taking:
    """One aggregation that this worker takes part in, under one name."""

    client: AggregationClient
    vector: Any = field(default_factory=new_id)  # its id in the store, where what a client keeps is counted


class AggregationService:
    """The aggregations that a worker takes part in. Workers have one each, as their service ``aggregation``.

    An aggregation is known by its session and the name of the client; a worker can be several clients. What is summed
    is taken out of the worker's store by id, under the rules for fetching it: nobody fetches or sums it again.

    Args:
        worker: whose.
    """

    remote_methods = frozenset({"remember", "pulse", "advertise", "share_keys", "masked", "unmask", "encrypted"})
    trusted_key: PaillierPublicKey | None = None
    """The only key that updates are encrypted under, if the worker's owner has set one here."""

    def __init__(self, worker: Any) -> None:
        self.worker = worker
        self._taking: dict[tuple[bytes, str], _Taking] = {}
        self._salt = os.urandom(KEY_BYTES)

    def remember(self, ids: Sequence[Any], places: Sequence[int] | None = None) -> list[torch.Tensor]:
        """Copy a model before it is trained, so that its change can be told afterwards; the copies stay here.

        Args:
            ids: of its tensors, or of the one plan that holds it.
            places: which tensors of that plan.

        Returns:
            The copies.
        """
        return [tensor.detach().clone() for tensor in self._given(ids, places, keep=True)]

    def pulse(self, config: Any) -> bytes:
        """Something that changes with every batch of a training and tells nothing else: neither batches nor losses.

        Args:
            config: the id of its `TrainConfig`.
        """
        progress = self.worker.service("training").progress
        steps = progress.steps if progress.config == config else -1
        return hashlib.blake2b(f"{config!r} {steps}".encode(), key=self._salt, digest_size=KEY_BYTES).digest()

    def advertise(self, session: bytes, name: str, terms: Mapping[str, Any], model: Mapping[str, Any]) -> list[bytes]:
        """Stage 1: take the trained model out of the store, see whether it is sound, and make keys.

        Args:
            session: names the aggregation.
            name: names this client.
            terms: ``threshold``, ``bits``, ``fraction_bits`` and ``max_norm``.
            model: ``trained`` and ``places`` (see `remember`); ``start``, the ids of the copies; ``weight`` and
                ``loss`` (an id), or ``config``, the id of the training of this worker that knows both, in which case
                ``weight`` is None for samples.

        Returns:
            The public keys for shares and for masks.

        Raises:
            AggregationError: the model is not sound; the message names the client.
        """
        if (session, name) in self._taking:
            raise AggregationError(f"client {name!r} takes part in this aggregation already")
        taking = _Taking(
            AggregationClient(name, session, terms["threshold"], FixedPoint(terms["bits"], terms["fraction_bits"]))
        )
        with _keeping(name):
            vector = self._update(model, terms["max_norm"])
        self.worker._store.put(taking.vector, vector)
        for old in [key for key in self._taking if key[1] == name]:  # one that was broken off
            self._drop(old)
        while len(self._taking) >= _MOST_AT_ONCE:
            self._drop(next(iter(self._taking)))
        self._taking[session, name] = taking
        keys = taking.client.advertise()
        return [keys.shares, keys.masks]

    def share_keys(self, session: bytes, name: str, keys: Mapping[str, Sequence[bytes]]) -> list[Any]:
        """Stage 2 (see `AggregationClient.share_keys`).

        Args:
            session: names the aggregation.
            name: names this client.
            keys: both public keys of each client.

        Returns:
            The sealed shares by name, and the check.

        Raises:
            AggregationError: the update does not fit into a sum of so many; the message names the client.
        """
        taking = self._of(session, name)
        client, ring = taking.client, taking.client.ring
        try:
            with _keeping(name):
                numbers = ring.encode(self.worker._store.get(taking.vector), len(keys))
        except AggregationError:
            self._drop((session, name))
            raise
        shared = client.share_keys({one: PublicKeys(*pair) for one, pair in keys.items()})
        self.worker._store.put(taking.vector, numbers)
        return [dict(shared.sealed), shared.check]

    def masked(self, session: bytes, name: str, sealed: Mapping[str, bytes]) -> torch.Tensor:
        """Stage 3 (see `AggregationClient.masked`). The update itself is forgotten.

        Args:
            session: names the aggregation.
            name: names this client.
            sealed: what the others have sealed for this one.
        """
        taking = self._of(session, name)
        numbers = self.worker._store.get(taking.vector)
        self.worker._store.discard((taking.vector,))
        return taking.client.masked(numbers, sealed)

    def unmask(self, session: bytes, name: str, arrived: Sequence[str]) -> list[dict[str, bytes]]:
        """Stage 4 (see `AggregationClient.unmask`). The aggregation is over for this client, whatever comes of it.

        Args:
            session: names the aggregation.
            name: names this client.
            arrived: whose vectors are in the sum.

        Returns:
            The shares of own masks and of mask keys, by name.
        """
        taking = self._of(session, name)
        self._drop((session, name))
        shares = taking.client.unmask(arrived)
        return [dict(shares.own_masks), dict(shares.mask_keys)]

    def encrypted(self, name: str, terms: Mapping[str, Any], model: Mapping[str, Any]) -> Any:
        """Take the trained model out of the store, see whether it is sound, and encrypt its change (another protocol).

        Args:
            name: names this client.
            terms: ``public_key``, ``parties`` (of how many updates the sum will be), ``fraction_bits``, ``max_norm``.
            model: see `advertise`.

        Returns:
            The vector of `weighted_change` in fixed point, packed under the key.

        Raises:
            AggregationError: the model is not sound, or the key is not the trusted one; the message names the client.
        """
        key, parties = terms["public_key"], terms["parties"]
        with _keeping(name):
            if not isinstance(key, PaillierPublicKey) or self.trusted_key not in (None, key):
                raise AggregationError(f"{key!r} is no key that it encrypts under")
            vector = self._update(model, terms["max_norm"])
            numbers: Any = FixedPoint(64, terms["fraction_bits"]).encode(vector, parties)
        return numbers.encrypt(key, packed=True, additions=parties)

    def _update(self, model: Mapping[str, Any], max_norm: float | None) -> torch.Tensor:
        trained = self._given(model["trained"], model["places"])
        start = self._given(model["start"])
        return weighted_change(start, trained, *self._figures(model), max_norm)

    def _of(self, session: bytes, name: str) -> _Taking:
        try:
            return self._taking[session, name]
        except KeyError:
            raise AggregationError(f"client {name!r} takes no part in this aggregation, or not any more") from None

    def _drop(self, key: tuple[bytes, str]) -> None:
        self.worker._store.discard((self._taking.pop(key).vector,))

    def _given(self, ids: Sequence[Any], places: Sequence[int] | None = None, *, keep: bool = False) -> list[Any]:
        """Tensors of the store, as whoever asks may fetch them: the owner's rules are those for fetching."""
        message = m.Take(tuple([m.Ref(id) for id in ids]), keep=keep)
        objects = self.worker._executor.handle(message)
        if places is not None:
            (plan,) = objects
            if not isinstance(plan, Plan):
                raise AggregationError(f"object {ids[0]} is a {type(plan).__name__} and no plan that was trained")
            tensors = plan.state.tensors()
            objects = [tensors[place] for place in places]
        if not all(type(one) in PLAIN and one.layout is torch.strided for one in objects):
            raise AggregationError("only plain dense tensors can be summed in secret")
        return list(objects)

    def _figures(self, model: Mapping[str, Any]) -> tuple[float, float]:
        if model["config"] is None:
            (loss,) = self._given([model["loss"]])
            return float(model["weight"]), float(loss)
        progress = self.worker.service("training").progress
        if progress.config != model["config"] or not progress.seen:
            raise AggregationError("this worker has not trained with that config last, so its weight is not known")
        weight = progress.samples if model["weight"] is None else model["weight"]
        return float(weight), progress.loss_sum / progress.seen


@contextmanager
def _keeping(name: str) -> Iterator[None]:
    """Say who keeps its update to itself if it is not sound."""
    try:
        yield
    except AggregationError as error:
        raise AggregationError(f"client {name!r} keeps its update to itself: {error}.") from None


SERVICES["aggregation"] = AggregationService
