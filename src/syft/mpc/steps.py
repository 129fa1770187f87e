"""The messages with which a client has a worker take a step."""

from __future__ import annotations

from typing import Any

import torch

from syft.core.ids import new_id
from syft.core.messages import Command
from syft.tensors.pointer import PointerTensor, pointer_to

_grad = torch.is_grad_enabled  # to switch it off would cost more than integers, which have no gradient, gain


def step(op: str, operands: tuple[Any, ...], result: Any) -> Command:
    """The message for a kernel or a torch op on integers.

    Args:
        op: its name.
        operands: plain values, public tensors, and references to what is at the worker.
        result: the id of what it makes.
    """
    return Command(op, operands, None, result, _grad())


def run_at(worker: Any, op: str, operands: tuple[Any, ...]) -> PointerTensor:
    """Have a worker take a step that makes a tensor, without waiting.

    Args:
        worker: a holder.
        op: see `step`.
        operands: likewise.

    Returns:
        A pointer to the result.
    """
    result = new_id()
    worker.post(Command(op, operands, None, result, _grad()))
    return pointer_to(worker, result, worker.client)
