"""What belongs to a plan besides its ops: parameters, buffers and other tensors, found in its attributes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, Protocol, runtime_checkable

import torch
from torch import nn

from syft.exceptions import PlanBuildError
from syft.plans.build import Owned


@runtime_checkable
class HasState(Protocol):
    """Something with tensors of its own, such as a plan inside a plan."""

    def owned(self) -> list[Owned]:
        """Names and tensors."""


class State:
    """The tensors of a plan, in the order of their slots.

    Args:
        tensors: names and tensors.
        readable: how many of them `read` gives out; those of nested plans come after.

    Example:
        >>> State([("bias", torch.ones(1))]).read()
        (tensor([1.]),)
    """

    def __init__(self, tensors: Iterable[Owned] = (), readable: int | None = None) -> None:
        owned = list(tensors)
        self.names = tuple(name for name, _ in owned)
        self._tensors = [tensor for _, tensor in owned]
        self._readable = len(owned) if readable is None else readable

    def read(self) -> tuple[torch.Tensor, ...]:
        """The tensors that were given as state."""
        return tuple(self._tensors[: self._readable])

    def tensors(self) -> list[torch.Tensor]:
        """All tensors, those of nested plans included."""
        return list(self._tensors)

    def owned(self) -> list[Owned]:
        """Names and tensors."""
        return list(zip(self.names, self._tensors, strict=True))

    def __len__(self) -> int:
        return len(self._tensors)

    def __iter__(self) -> Iterator[torch.Tensor]:
        return iter(self._tensors)

    def __repr__(self) -> str:
        listed = ", ".join(f"{name}{tuple(tensor.shape)}" for name, tensor in self.owned())
        return f"<State: {listed or 'empty'}>"


def owned_by(attributes: dict[str, Any]) -> list[Owned]:
    """The tensors among the attributes of an object: tensors, modules, and what has state itself.

    Args:
        attributes: by name.

    Returns:
        Names and tensors, each tensor once.
    """
    found: list[Owned] = []
    seen: set[int] = set()
    for name, value in attributes.items():
        for label, tensor in _tensors_in(name, value):
            if id(tensor) not in seen:
                seen.add(id(tensor))
                found.append((label, tensor))
    return found


def owned_by_state(state: Any) -> list[Owned]:
    """The tensors of what was given as ``state=``: a tensor, a module, a `State`, or several of these.

    Raises:
        PlanBuildError: it is none of these.
    """
    if state is None:
        return []
    parts = list(state) if isinstance(state, (list, tuple)) else [state]
    for part in parts:
        if not isinstance(part, (torch.Tensor, nn.Module, HasState)):
            raise PlanBuildError(f"the state of a plan is made of tensors and modules, not of a {type(part).__name__}.")
    return owned_by({f"state[{number}]": part for number, part in enumerate(parts)})


def _tensors_in(name: str, value: Any) -> Iterator[Owned]:
    if isinstance(value, torch.Tensor):
        yield name, value
    elif isinstance(value, nn.Module):
        for label, tensor in (*value.named_parameters(), *value.named_buffers()):
            yield f"{name}.{label}", tensor
    elif isinstance(value, HasState):
        for label, tensor in value.owned():
            yield f"{name}.{label}", tensor
    elif type(value) in (list, tuple):
        for number, part in enumerate(value):
            yield from _tensors_in(f"{name}[{number}]", part)
    elif type(value) is dict:
        for key, part in value.items():
            yield from _tensors_in(f"{name}[{key!r}]", part)


class Attributes:
    """The attributes of an object and of its modules as they are now, to find out what a function assigns.

    Args:
        holder: whose.
    """

    def __init__(self, holder: Any) -> None:
        modules = [m for value in vars(holder).values() if isinstance(value, nn.Module) for m in value.modules()]
        tables = [("", vars(holder))]
        for module in modules:
            tables += [(f"{type(module).__name__}.", table) for table in (module._parameters, module._buffers)]
        self._tables = [(prefix, table, dict(table)) for prefix, table in tables]

    def restore(self) -> list[str]:
        """Set everything back; the names of what was assigned."""
        assigned = []
        for prefix, table, before in self._tables:
            assigned += [prefix + name for name in table if table[name] is not before.get(name, table)]
            assigned += [prefix + name for name in before if name not in table]
            table.clear()
            table.update(before)
        return assigned
