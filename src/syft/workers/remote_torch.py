"""``worker.remote.torch.zeros(2)``: tensors made directly on a worker."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch

from syft.core.ids import new_id
from syft.core.messages import Command
from syft.core.ops import op_named
from syft.tensors.base import wrap
from syft.tensors.pointer import pointer_to

FACTORIES = ("arange", "eye", "full", "linspace", "ones", "rand", "randint", "randn", "randperm", "tensor", "zeros")
"""The torch functions that make a tensor out of plain values."""


class RemoteTorch:
    """The part of torch that makes tensors, at one worker.

    Args:
        worker: where the tensors are made.
    """

    def __init__(self, worker: Any) -> None:
        self._worker = worker

    @property
    def torch(self) -> RemoteTorch:
        """0.2.4's spelling: ``worker.remote.torch``."""
        return self

    def __getattr__(self, name: str) -> Callable[..., Any]:
        if name not in FACTORIES:
            raise AttributeError(f"worker.remote.torch makes tensors with {', '.join(FACTORIES)}; it has no {name!r}")
        op = op_named(f"torch.{name}")

        def create(*args: Any, **kwargs: Any) -> Any:
            result = new_id()
            self._worker.post(Command(op.name, args, kwargs, result, torch.is_grad_enabled()))
            return wrap(pointer_to(self._worker, result, self._worker.client))

        return create

    def __dir__(self) -> list[str]:
        return ["torch", *FACTORIES]
