"""What a worker allows: limits on results, where tensors live, whose code it runs."""

from __future__ import annotations

from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

import torch

from syft.core.ops import Op
from syft.exceptions import CommandNotPermittedError
from syft.tensors.base import is_wrapper

GUARDED = frozenset({"set_", "data.set", "grad.set", "real.set", "imag.set"})
"""Keys of the ops whose arguments a policy looks at."""


@dataclass(frozen=True, slots=True)
class RunLimits:
    """What a plan may take while it runs for a client.

    Attributes:
        result_bytes: the largest result of one step; None for no limit.
        total_bytes: what all that is kept between two steps may take.
    """

    result_bytes: int | None
    total_bytes: int


RUN_LIMITS: ContextVar[RunLimits | None] = ContextVar("run_limits", default=None)
"""Set while a worker deals with a call of a client that has limits."""


@dataclass(frozen=True, slots=True)
class Policy:
    """The rules of one worker.

    Attributes:
        device: where received tensors are kept; None keeps them where they come from.
        torchscript: whether TorchScript objects of a client may be received and called. Their code can read
            files, so a worker that serves strangers says no.
        result_bytes: the largest result of one op; None for no limit.
    """

    device: torch.device | None = None
    torchscript: bool = True
    result_bytes: int | None = None

    def check(self, op: Op, args: list[Any], kwargs: dict[str, Any]) -> None:
        """Refuse what an allowed op must still not do.

        Raises:
            CommandNotPermittedError: the arguments would reach beyond the stored objects.
        """
        if not args:
            raise CommandNotPermittedError(f"{op.name!r} needs the tensor that it changes as its first operand")
        if op.key == "set_" and not (len(args) == 2 and not kwargs and isinstance(args[1], torch.Tensor)):
            raise CommandNotPermittedError("set_ takes one tensor at the same worker, not storages or offsets")
        if not is_wrapper(args[0]) and any(map(is_wrapper, args[1:])):
            # torch would take the empty inside of the wrapper without asking it.
            raise CommandNotPermittedError(f"{op.name!r} cannot put a private or remote tensor into a plain one")

    def place(self, obj: Any) -> Any:
        """The object on the worker's device.

        Args:
            obj: what was received.

        Returns:
            The object, or its copy on the device.
        """
        if self.device is None or is_wrapper(obj):
            return obj
        if not isinstance(obj, torch.Tensor):
            placed_on = getattr(type(obj), "placed_on", None)  # data sets move the tensors they hold
            return obj if placed_on is None else placed_on(obj, self.device)
        return _on(obj, self.device)

    def give_out(self, obj: Any) -> Any:
        """The object as it leaves: a worker with a device of its own gives tensors out on the CPU.

        Args:
            obj: what was fetched.

        Returns:
            The object, or its copy on the CPU.
        """
        if self.device is None or not isinstance(obj, torch.Tensor) or is_wrapper(obj):
            return obj
        return _on(obj, torch.device("cpu"))


def _on(tensor: torch.Tensor, device: torch.device) -> torch.Tensor:
    if tensor.device == device or (tensor.device.type == device.type and device.index is None):
        return tensor
    moved = tensor.detach().to(device).requires_grad_(tensor.requires_grad)
    if tensor.is_leaf and tensor.grad is not None:
        moved.grad = tensor.grad.to(device)
    return torch.nn.Parameter(moved, tensor.requires_grad) if isinstance(tensor, torch.nn.Parameter) else moved
