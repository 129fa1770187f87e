"""Values that everybody may see, such as masked ones: here, and at the holders that need them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch

from syft.core.ids import new_id
from syft.core.messages import Command, Put
from syft.encoded.moves import move
from syft.tensors.pointer import PointerTensor, pointer_to


class Public:
    """A tensor that is sent to each far holder once, however often it is used there.

    Args:
        tensor: int64, or a function that waits for it: what does not depend on it can be asked for meanwhile.
    """

    __slots__ = ("_kept", "_tensor")

    def __init__(self, tensor: torch.Tensor | Callable[[], torch.Tensor]) -> None:
        self._tensor = tensor
        self._kept: dict[Any, PointerTensor] = {}

    @property
    def tensor(self) -> torch.Tensor:
        """The tensor; here it is waited for."""
        tensor = self._tensor
        if not isinstance(tensor, torch.Tensor):
            tensor = self._tensor = tensor()
        return tensor

    def at(self, holder: Any) -> Any:
        """What stands for it in a message to a holder: itself in the same process, otherwise a reference."""
        if holder.in_process:
            return self.tensor
        pointer = self._kept.get(holder.id)
        if pointer is None:
            pointer = self._kept[holder.id] = pointer_to(holder, new_id(), holder.client)
            holder.post(Put(((pointer.id_at_location, self.tensor),)))
        return pointer.ref

    def moved(self, name: str, args: tuple[Any, ...]) -> Public:
        """The result of an op that only moves elements, here and wherever this tensor is."""
        out = Public(move(name, self.tensor, *args))
        for place, pointer in self._kept.items():
            there = out._kept[place] = pointer_to(pointer.location, new_id(), pointer.owner)
            command = Command("mpc.move", (name, pointer.ref, args), None, there.id_at_location, False)
            pointer.location.post(command)
        return out
