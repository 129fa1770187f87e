"""Holders of shares and their provider in this process, and what crosses between them and the client."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import torch

import syft as sy
from syft.core.messages import Call, Command, Shown
from syft.core.session import SESSION
from syft.mpc.shared import AdditiveSharingTensor

LOWEST, HIGHEST = -(2**63), 2**63 - 1
EXTREMES = [0, 1, -1, 2, -2, 2**62, -(2**62), 2**62 - 1, HIGHEST, LOWEST, LOWEST + 1, 2**32, -(2**31), 2**31 - 1]


class Watched(sy.VirtualWorker):
    """A worker that shows its messages and their answers to whoever listens."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self.listeners: list[Callable[[Any, Any, Any], None]] = []
        super().__init__(*args, **kwargs)

    def request(self, message: Any) -> Any:
        """See `VirtualWorker`."""
        answer = super().request(message)
        for listener in self.listeners:
            listener(self, message, answer)
        return answer

    post = request


@dataclass
class Parties:
    """Some holders and a provider that holds no share."""

    holders: list[Any]
    provider: Any

    @property
    def everybody(self) -> list[Any]:
        """The provider last."""
        return [*self.holders, self.provider]

    def shared(self, values: Any, **settings: Any) -> AdditiveSharingTensor:
        """The bare link over shared integers."""
        tensor = values if isinstance(values, torch.Tensor) else torch.tensor(values, dtype=torch.int64)
        out: AdditiveSharingTensor = tensor.share(
            *self.holders, crypto_provider=self.provider, no_wrap=True, **settings
        )
        return out

    def share(self, values: torch.Tensor, **settings: Any) -> Any:
        """The tensor over shared integers, or over numbers in fixed precision."""
        return values.share(*self.holders, crypto_provider=self.provider, **settings)

    def fixed(self, values: Any, requires_grad: bool = False, **encoding: Any) -> Any:
        """The tensor over shared numbers with 16 binary digits, if not said otherwise."""
        encoding = encoding or {"base": 2, "precision_fractional": 16}
        return self.share(torch.as_tensor(values).fix_precision(**encoding), requires_grad=requires_grad)

    def objects(self) -> list[int]:
        """How many objects each party holds."""
        return [len(party._objects) for party in self.everybody]

    def groups(self) -> int:
        """In how many groups all of them are, and keys that wait for one."""
        services = [party.made_service("mpc") for party in self.everybody]
        return sum([len(s._keys) + len(s.parties) + len(s.dealers) for s in services if s is not None])


@cache
def parties(count: int = 2) -> Parties:
    """So many holders and a provider; the same ones at each call, as nothing of a test stays with them."""
    return new_parties(count)


def new_parties(count: int = 2) -> Parties:
    """So many holders and a provider that nobody else has."""
    hook = SESSION.hook
    *holders, provider = [Watched(hook, id=f"party {i} of {count}", auto_add=False) for i in range(count + 1)]
    return Parties(holders, provider)


@dataclass
class Traffic:
    """The tensors that crossed while somebody listened.

    Attributes:
        sent: tensors in the operands of commands, by what they were sent for: op, role and place.
        shown: what kernels answered with, by op, role and place.
        opened: what the answers of all holders to one step add up to, by the op.
    """

    sent: dict[str, list[torch.Tensor]] = field(default_factory=dict)
    shown: dict[str, list[torch.Tensor]] = field(default_factory=dict)
    opened: dict[str, list[torch.Tensor]] = field(default_factory=dict)

    @property
    def answers(self) -> dict[str, list[torch.Tensor]]:
        """Everything that was shown, alone or together."""
        return {**self.shown, **{f"{op}, together": values for op, values in self.opened.items()}}


def listened(group: Parties, step: Callable[[], Any]) -> Traffic:
    """What crosses during a step.

    Args:
        group: all of whom are listened to.
        step: what is done meanwhile.
    """
    traffic, pending = Traffic(), dict[str, list[torch.Tensor]]()

    def listen(worker: Any, message: Any, answer: Any) -> None:
        if type(message) is Call:
            return
        role = group.everybody.index(worker)
        name = f"{message.op} at {role}" if type(message) is Command else type(message).__name__
        if type(message) is Command:
            for place, tensor in enumerate(tensors_in(message.args)):
                traffic.sent.setdefault(f"{name}, {place}", []).append(tensor.clone())
        if type(answer) is Shown and answer.values:
            for place, tensor in enumerate(answer.values):
                traffic.shown.setdefault(f"{name}, {place}", []).append(tensor.clone())
            if worker is not group.provider:
                waiting = pending.setdefault(message.op, [])
                waiting.append(answer.values[0].clone())
                if len(waiting) == len(group.holders):
                    traffic.opened.setdefault(message.op, []).append(_together(waiting))
                    waiting.clear()

    for party in group.everybody:
        party.listeners.append(listen)
    try:
        step()
    finally:
        for party in group.everybody:
            party.listeners.remove(listen)
    return traffic


def tensors_in(value: Any) -> Iterator[torch.Tensor]:
    """The tensors in an operand."""
    if isinstance(value, torch.Tensor):
        yield value
    elif isinstance(value, (list, tuple)):
        for part in value:
            yield from tensors_in(part)


def _together(shares: list[torch.Tensor]) -> torch.Tensor:
    total, *others = shares
    for other in others:
        total = total + other if total.dtype == torch.int64 else total ^ other
    return total
