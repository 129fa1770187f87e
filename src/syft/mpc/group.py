"""`Group`: the holders of shares and their crypto provider, as the client that drives them sees them.

All messages pass through the client: holders need not reach each other. What passes are masked values, which say
nothing to anybody, and corrections, which only the last holder can read.
"""

from __future__ import annotations

import itertools
import weakref
from collections.abc import Callable, Sequence
from typing import Any

import torch

from syft.core.ids import new_id
from syft.core.messages import Command, Shown
from syft.core.random import SYSTEM_RANDOM
from syft.tensors.costs import ACTIVE
from syft.tensors.object_pointer import ObjectPointer
from syft.tensors.pointer import PointerTensor, pointer_to

_grad = torch.is_grad_enabled  # to switch it off costs more than integers, which have none, gain

PROTOCOLS = "mpc"
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
        self._numbers = itertools.count()
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
        out = {}
        for holder, args in zip(self.holders, operands, strict=True):
            result = new_id()
            holder.post(Command(op, args, None, result, _grad()))
            out[holder.id] = pointer_to(holder, result, holder.client)
        return out

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
        answers = self._ask(op, operands, ids)
        return answers, [ObjectPointer(h, id, h.client) for h, id in zip(self.holders, ids, strict=True)]

    def _ask(self, op: str, operands: Sequence[tuple[Any, ...]], ids: Sequence[Any]) -> list[Answer]:
        return [
            holder.begin(Command(op, args, None, id, _grad()))
            for holder, args, id in zip(self.holders, operands, ids, strict=True)
        ]

    def for_last(self, correction: torch.Tensor) -> list[torch.Tensor | None]:
        """The operand of each holder that is a correction for the last one."""
        return [*[None] * (len(self.holders) - 1), correction]

    def opened(self, answers: Sequence[Answer], *, additive: bool) -> torch.Tensor:
        """What the holders have shown together.

        Args:
            answers: of `ask`.
            additive: the sum; otherwise the exclusive or.
        """
        shown = [shown_by(answer) for answer in answers]
        total = shown[0]
        for share in shown[1:]:
            total = total + share if additive else total ^ share
        if (profile := ACTIVE.get()) is not None:
            profile.opened(total.numel() * total.element_size(), len(shown))
        return total

    # --- the provider -------------------------------------------------------------------------------

    def deal(self, op: str, *args: Any) -> Answer:
        """Have the provider make material.

        Args:
            op: the name of its kernel.
            *args: operands after the group.

        Returns:
            What waits for the correction for the last holder.
        """
        return self._deal(op, args, new_id())

    def deal_masks(self, op: str, *args: Any) -> tuple[Answer, ObjectPointer]:
        """Have the provider make material and keep masks.

        Args:
            op: the name of its kernel.
            *args: operands after the group.

        Returns:
            What waits for the correction for the last holder, and a pointer to the masks.
        """
        result = new_id()
        return self._deal(op, args, result), ObjectPointer(self.provider, result)

    def _deal(self, op: str, args: tuple[Any, ...], result: Any) -> Answer:
        profile = ACTIVE.get()
        command = Command(op, (self.name, *args), None, result, _grad())
        if profile is None:
            return self.provider.begin(command)
        with profile.dealing():
            return self.provider.begin(command)


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
    groups: weakref.WeakValueDictionary[Any, Group] = provider.__dict__.setdefault(
        "_mpc_groups", weakref.WeakValueDictionary()
    )
    key = tuple(id(holder) for holder in holders)
    group = groups.get(key)
    if group is None:
        group = groups[key] = Group(holders, provider)
    return group


def _disband(name: str, workers: Sequence[Any]) -> None:
    for worker in workers:
        try:
            worker.post(worker.call_of(PROTOCOLS, "leave", name))
        except Exception:  # noqa: S112 - a finalizer raises nothing, and a worker that is gone has forgotten
            continue
