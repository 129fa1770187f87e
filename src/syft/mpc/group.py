"""`Group`: the holders of shares and their crypto provider, as the client that drives them sees them.

All messages pass through the client: holders need not reach each other. What passes are masked values, which say
nothing to anybody, and corrections, which only the last holder can read.
"""

from __future__ import annotations

import itertools
import weakref
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import torch

from syft.core.ids import new_id
from syft.core.messages import Shown
from syft.core.ops import PROTOCOLS
from syft.core.random import SYSTEM_RANDOM
from syft.encoded.costs import ACTIVE
from syft.exceptions import EmptyCryptoPrimitiveStoreError
from syft.mpc.prepared import Dealt, Prepared
from syft.mpc.steps import run_at, step
from syft.tensors.object_pointer import ObjectPointer
from syft.tensors.pointer import PointerTensor

_LEAVING = "_mpc_leaving"
_GROUPS = "_mpc_groups"
STORE = "_crypto_store"
"""Where a provider has its `CryptoStore`."""
PREPARED = "_mpc_prepared"
"""Where a provider keeps the groups that it has prepared something for: nothing else needs them until that is used."""
_WITHOUT_STRIP = frozenset({"mpc.deal_arranged"})
_WITHOUT_MASKS = frozenset({"mpc.deal_product", "mpc.deal_zeros"})
Answer = Callable[[], Any]


class Group:
    """Holders and provider that have agreed on keys.

    Args:
        holders: workers, at least two, in the order of their shares.
        provider: a worker that is none of them.
    """

    def __init__(self, holders: Sequence[Any], provider: Any) -> None:
        self.holders, self.provider = tuple(holders), provider
        self.name = SYSTEM_RANDOM.key().hex()
        self._beginnings = _beginnings(self.holders, provider)
        self._numbers = itertools.count()
        self.prepared = Prepared()
        for worker in (*self.holders, provider):
            _say_what_was_left(worker)
        public = provider.ask(PROTOCOLS, "lead", self.name)
        keys = [h.ask(PROTOCOLS, "join", self.name, i, len(holders), public) for i, h in enumerate(holders)]
        provider.ask(PROTOCOLS, "meet", self.name, keys)
        weakref.finalize(self, _disband, self.name, (*self.holders, provider)).atexit = False

    def number(self) -> int:
        """A strip that was not used yet."""
        return next(self._numbers)

    # --- holders ------------------------------------------------------------------------------------

    def post(self, op: str, operands: Sequence[tuple[Any, ...]]) -> dict[Any, PointerTensor]:
        """Run a kernel at each holder that keeps a tensor.

        Args:
            op: its name.
            operands: of each holder, in their order.

        Returns:
            Pointers to the results, by holder.
        """
        return {holder.id: run_at(holder, op, args) for holder, args in zip(self.holders, operands, strict=True)}

    def ask(self, op: str, operands: Sequence[tuple[Any, ...]]) -> list[Answer]:
        """Run a kernel at each holder that shows something.

        Args:
            op: its name.
            operands: of each holder, in their order.

        Returns:
            What waits for the answer of each.
        """
        return self._ask(op, operands, [new_id() for _ in self.holders])

    def start(self, op: str, operands: Sequence[tuple[Any, ...]]) -> tuple[list[Answer], list[ObjectPointer]]:
        """Run a kernel at each holder that shows something, and keeps something for later.

        Args:
            op: its name.
            operands: of each holder, in their order.

        Returns:
            What waits for the answer of each, and pointers to what they keep.
        """
        ids = [new_id() for _ in self.holders]
        # Made first: when a holder fails, the others forget what they keep.
        kept = [ObjectPointer(h, id, h.client) for h, id in zip(self.holders, ids, strict=True)]
        return self._ask(op, operands, ids), kept

    def _ask(self, op: str, operands: Sequence[tuple[Any, ...]], ids: Sequence[Any]) -> list[Answer]:
        return [holder.begin(step(op, args, id)) for holder, args, id in zip(self.holders, operands, ids, strict=True)]

    def for_last(self, correction: torch.Tensor) -> list[torch.Tensor | None]:
        """The operand of each holder that is a correction for the last one."""
        return [*[None] * (len(self.holders) - 1), correction]

    def opened(self, answers: Sequence[Answer], *, additive: bool) -> torch.Tensor:
        """What the holders have shown together.

        Args:
            answers: of `ask`.
            additive: the sum; otherwise the exclusive or.
        """
        shown = [shown_by(answer).numpy() for answer in answers]
        combine = np.add if additive else np.bitwise_xor  # in numpy, which is faster than torch with integers
        total = combine(shown[0], shown[1], out=np.empty_like(shown[0]))
        for share in shown[2:]:
            combine(total, share, out=total)
        if (profile := ACTIVE.get()) is not None:
            profile.opened(total.nbytes, len(shown))
        return torch.from_numpy(total)

    # --- the provider -------------------------------------------------------------------------------

    def deal(self, op: str, *args: Any) -> Dealt:
        """Have the provider make material, or take what it has made ahead of time.

        Args:
            op: the name of its kernel.
            *args: operands after the group and the number of the strip: plain values, and pointers to masks.

        Raises:
            EmptyCryptoPrimitiveStoreError: nothing else than what was prepared is to be used, and it is not there.
        """
        found = self._prepared(op, args) if len(self.prepared) else None
        if found is None:
            store = self.provider.__dict__.get(STORE)
            if store is not None and store.force_preprocessing and self.prepared.recording is None:
                raise EmptyCryptoPrimitiveStoreError(store, 0, op=op.removeprefix("mpc.deal_"), n_instances=1)
            found = self.dealt(op, args)
        if self.prepared.recording is not None:
            self.prepared.recording.add(op, args, found.masks)
        return found

    def _prepared(self, op: str, args: tuple[Any, ...]) -> Dealt | None:
        found = self.prepared.take(op, args)
        if not len(self.prepared):
            self.provider.__dict__[PREPARED].discard(self)
        return found

    def dealt(self, op: str, args: tuple[Any, ...]) -> Dealt:
        """Have the provider make material now; see `deal`."""
        result = new_id()
        number = None if op in _WITHOUT_STRIP else self.number()
        strip = () if number is None else (number,)
        operands = [a.ref if isinstance(a, ObjectPointer) else a for a in args]
        command = step(op, (self.name, *strip, *operands), result)
        profile = ACTIVE.get()
        if profile is None:
            answer = self.provider.begin(command)
        else:
            with profile.dealing():
                answer = self.provider.begin(command)
        return Dealt(number, answer, None if op in _WITHOUT_MASKS else ObjectPointer(self.provider, result))


def shown_by(answer: Answer) -> torch.Tensor:
    """The tensor that a kernel has shown."""
    reply: Shown = answer()
    (tensor,) = reply.values
    return tensor


def group_of(holders: Sequence[Any], provider: Any) -> Group:
    """The group of these holders and this provider; made when it is first needed, gone when nothing needs it.

    Args:
        holders: workers, in the order of their shares.
        provider: a worker.
    """
    found = known_group(holders, provider)
    if found is None:
        groups = provider.__dict__.setdefault(_GROUPS, weakref.WeakValueDictionary())
        found = groups[_key(holders)] = Group(holders, provider)
    return found


def known_group(holders: Sequence[Any], provider: Any) -> Group | None:
    """The group of these holders and this provider, if there is one; see `group_of`."""
    groups: Mapping[Any, Group] = provider.__dict__.get(_GROUPS, {})
    found = groups.get(_key(holders))
    # Who was started anew since has no keys any more.
    return None if found is None or found._beginnings != _beginnings(holders, provider) else found


def _beginnings(holders: Sequence[Any], provider: Any) -> list[int]:
    return [worker.beginnings for worker in (*holders, provider)]


def _key(holders: Sequence[Any]) -> tuple[int, ...]:
    return tuple(id(holder) for holder in holders)


def _disband(name: str, workers: Sequence[Any]) -> None:
    for worker in workers:
        if worker.is_far:
            # A finalizer may run where the connection's locks are held: it is said with the next group that is made.
            worker.__dict__.setdefault(_LEAVING, deque()).append(name)
            continue
        try:
            worker.post(worker.call_of(PROTOCOLS, "leave", name))
        except Exception:  # noqa: S112 - a finalizer raises nothing, and a worker that is gone has forgotten
            continue


def _say_what_was_left(worker: Any) -> None:
    leaving = worker.__dict__.get(_LEAVING, ())
    while leaving:
        worker.post(worker.call_of(PROTOCOLS, "leave", leaving.popleft()))
