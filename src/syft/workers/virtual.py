"""`VirtualWorker`: a worker in this process, for trying out what will run on real ones.

What crosses it is copied, never shared. With ``wire=True`` every message and every answer goes through the
wire codec, exactly as between two machines.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import torch

from syft.core import messages as m
from syft.serde.codec import decode, encode
from syft.tensors.base import is_wrapper
from syft.workers.base import BaseWorker
from syft.workers.crossing import copy_of, handed_over, taken_out
from syft.workers.registry import logger


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
        handlers = self._executor.handlers
        self._direct: dict[type, Callable[[Any], Any]] = {
            **handlers,
            m.Put: self._put,
            m.Take: self._take,
            m.Call: self._call,
        }

    def request(self, message: Any) -> Any:
        """Send this worker a message and wait for its answer.

        Args:
            message: one of `syft.core.messages`.

        Returns:
            The worker's answer.
        """
        if self.wire or self.log_msgs or self.verbose or self.message_pending_time:
            return self._slow(message)
        handler = self._direct.get(type(message))
        return handler(message) if handler is not None else self._executor.handle(message)

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
        handler = self._direct.get(type(message), self._executor.handle)
        return handler(message)

    # What crosses is copied; everything else goes to the executor as it is.

    def _put(self, message: m.Put) -> Any:
        crossing = handed_over if message.giving else copy_of
        objects = tuple([(id, self._cross(obj, self, crossing)) for id, obj in message.objects])
        return self._executor.handle(m.Put(objects, message.user, message.owning))

    def _take(self, message: m.Take) -> Any:
        crossing = copy_of if message.keep else taken_out
        return [self._cross(obj, self.client or self, crossing) for obj in self._executor.handle(message)]

    def _call(self, message: m.Call) -> Any:
        return self._cross_value(
            self._executor.handle(
                m.Call(
                    message.target,
                    self._cross_value(message.args, self),
                    self._cross_value(message.kwargs, self),
                    message.result,
                    message.method,
                )
            ),
            self.client or self,
        )

    def _cross_value(self, value: Any, receiver: Any) -> Any:
        return decode(encode(value), receiver)

    def _cross(self, obj: Any, receiver: Any, crossing: Callable[[torch.Tensor], torch.Tensor]) -> Any:
        if isinstance(obj, torch.Tensor) and not is_wrapper(obj):
            return crossing(obj)
        return decode(encode(obj), receiver)
