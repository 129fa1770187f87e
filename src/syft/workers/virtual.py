"""`VirtualWorker`: a worker in this process, for trying out what will run on real ones.

What crosses it is copied, never shared. With ``wire=True`` every message and every answer goes through the
wire codec, exactly as between two machines.
"""

from __future__ import annotations

import time
from typing import Any

import torch

from syft.core import messages as m
from syft.core.metadata import existing_metadata, metadata_of
from syft.serde.codec import decode, encode
from syft.tensors.base import is_wrapper
from syft.workers.base import BaseWorker
from syft.workers.registry import logger

_CROSSING = frozenset({m.Put, m.Take, m.Call})


class VirtualWorker(BaseWorker):
    """A simulated worker in this process. It is a simulation: one process has no secrets from itself.

    Args:
        hook: the `TorchHook`.
        id: its name.
        *args: see `BaseWorker`.
        wire: send every message through the wire codec.
        **kwargs: see `BaseWorker`.

    Example:
        >>> import syft as sy, torch
        >>> hook = sy.TorchHook(torch)
        >>> dora = sy.VirtualWorker(hook, id="dora")
        >>> (torch.tensor([1, 2]).send(dora) + 1).get()
        tensor([2, 3])
    """

    def __init__(self, hook: Any, id: m.ObjectId = 0, *args: Any, wire: bool = False, **kwargs: Any) -> None:
        super().__init__(hook, id, *args, **kwargs)
        self.wire = wire
        self._handle = self._executor.handle

    def request(self, message: Any) -> Any:
        """Send this worker a message and wait for its answer.

        Args:
            message: one of `syft.core.messages`.

        Returns:
            The worker's answer.
        """
        if self.wire or self.log_msgs or self.verbose or self.message_pending_time:
            return self._slow(message)
        if type(message) not in _CROSSING:
            return self._handle(message)
        return self._copying(message)

    post = request

    def forget(self, id: m.ObjectId) -> None:
        """Tell this worker that the last pointer to an object died. Never raises: a finalizer calls it."""
        if self.wire or self.log_msgs or self.verbose or self.message_pending_time:
            super().forget(id)
        else:
            self._store.objects.pop(id, None)

    def _slow(self, message: Any) -> Any:
        if self.message_pending_time:
            time.sleep(self.message_pending_time)
        if self.wire:
            return self.exchange(encode(message), self.client or self)
        if self.log_msgs:
            self.msg_history.append(encode(message))
        if self.verbose:
            logger.info("worker %s received %s", self, type(message).__name__)
        return self._copying(message)

    def _copying(self, message: Any) -> Any:
        """Handle a message with a copy of every object that crosses."""
        if type(message) is m.Put:
            objects = tuple([(id, self._cross(obj, self)) for id, obj in message.objects])
            return self._handle(m.Put(objects, message.user, message.owning))
        answer = self._handle(message)
        if type(message) is m.Take:
            return [self._cross(obj, self.client or self) for obj in answer]
        return answer

    def _cross(self, obj: Any, receiver: Any) -> Any:
        if isinstance(obj, torch.Tensor) and not is_wrapper(obj):
            return copy_of(obj)
        return decode(encode(obj), receiver)


def copy_of(tensor: torch.Tensor) -> torch.Tensor:
    """A leaf with the values, the gradient and the names of a tensor, and memory of its own.

    Args:
        tensor: a local tensor.

    Returns:
        A tensor of the same type, dtype, device and ``requires_grad``.
    """
    out = tensor.detach().clone()
    kind = type(tensor)
    if kind is torch.nn.Parameter or (kind is not torch.Tensor and isinstance(tensor, torch.nn.Parameter)):
        out = _make_subclass(torch.nn.Parameter, out, tensor.requires_grad)
    elif tensor.requires_grad:
        out.requires_grad_()
    if tensor.is_leaf and (grad := tensor.grad) is not None:
        out.grad = grad.detach().clone() if grad.requires_grad else grad.clone()
    entry = existing_metadata(tensor)
    if entry is not None and (entry.tags or entry.description):
        copied = metadata_of(out)
        copied.id, copied.description = entry.id, entry.description
        copied.tags = None if entry.tags is None else set(entry.tags)
    return out


_make_subclass = torch.Tensor._make_subclass
