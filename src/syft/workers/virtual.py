"""`VirtualWorker`: a worker in this process, for trying out what will run on real ones.

What crosses it is copied, never shared. With ``wire=True`` every message and every answer goes through the
wire codec, exactly as between two machines.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import torch

from syft.core import messages as m
from syft.exceptions import DecodeError
from syft.serde.codec import decode, encode
from syft.serde.registry import register
from syft.tensors.base import is_wrapper
from syft.tensors.wire import UnknownLocation
from syft.workers.awaitable import AwaitableInThreads
from syft.workers.base import BaseWorker, report
from syft.workers.crossing import copy_of, handed_over, taken_out

_UNCHANGEABLE = frozenset({m.Ref, m.Stored, bool, int, float, str, type(None)})


class VirtualWorker(AwaitableInThreads, BaseWorker):
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

    @property
    def in_process(self) -> bool:  # type: ignore[override]
        """Whether messages are passed on as they are."""
        return not self.watched

    def request(self, message: Any) -> Any:
        """Send this worker a message and wait for its answer.

        Args:
            message: one of `syft.core.messages`.

        Returns:
            The worker's answer.
        """
        if self.watched:
            return self._slow(message)
        handler = self._direct.get(type(message))
        return handler(message) if handler is not None else self._executor.handle(message)

    post = request

    def forget(self, id: m.ObjectId) -> None:
        """Tell this worker that the last pointer to an object died. Never raises: a finalizer calls it."""
        if self.watched:
            super().forget(id)
        else:
            self._store.objects.pop(id, None)

    def _slow(self, message: Any) -> Any:
        if self.client is not None and self.client.verbose:
            report(f"worker {self.client} sending ({type(message).__name__}) to {self}")
        if self.message_pending_time:
            time.sleep(self.message_pending_time)
        if self.wire:
            return self.exchange(encode(message), self.client or self)
        if self.log_msgs:
            self.msg_history.append(encode(message))
        if self.verbose:
            report(f"worker {self} received ({type(message).__name__})")
        handler = self._direct.get(type(message), self._executor.handle)
        return handler(message)

    # What crosses is copied; everything else goes to the executor as it is.

    def _put(self, message: m.Put) -> Any:
        crossing = handed_over if message.giving else copy_of
        objects = tuple([(id, self._cross(obj, self, crossing)) for id, obj in message.objects])
        return self._executor.handle(m.Put(objects, message.user, message.owning))

    def _take(self, message: m.Take) -> Any:
        receiver = self.client or self
        if message.keep or not self._holds_tensors(message.refs):
            # What cannot cross must not be forgotten either: copy first, then let go.
            peek = message if message.keep else replace(message, keep=True)
            copies = [self._cross(obj, receiver, copy_of) for obj in self._executor.handle(peek)]
            if not message.keep:
                self._executor.handle(message)
            return copies
        return [self._cross(obj, receiver, taken_out) for obj in self._executor.handle(message)]

    def _holds_tensors(self, refs: tuple[m.Ref, ...]) -> bool:
        objects = self._store.objects
        return all(isinstance(obj := objects.get(ref.id), torch.Tensor) and not is_wrapper(obj) for ref in refs)

    def _call(self, message: m.Call) -> Any:
        if not (_stays_the_same(message.args) and _stays_the_same(message.kwargs)):
            args, kwargs = self._cross_value(message.args, self), self._cross_value(message.kwargs, self)
            message = replace(message, args=args, kwargs=kwargs)
        return self._cross_value(self._executor.handlers[m.Call](message), self.client or self)

    def _cross_value(self, value: Any, receiver: Any) -> Any:
        return value if _stays_the_same(value) else decode(encode(value), receiver)

    def _cross(self, obj: Any, receiver: Any, crossing: Callable[[torch.Tensor], torch.Tensor]) -> Any:
        if isinstance(obj, torch.Tensor) and not is_wrapper(obj):
            return crossing(obj)
        return decode(encode(obj), receiver)


def _stays_the_same(value: Any) -> bool:
    """Whether copying through the codec would change nothing: nothing in it can be changed by its receiver."""
    kind = type(value)
    if kind is tuple:
        return all(map(_stays_the_same, value))
    return kind in _UNCHANGEABLE or (kind is dict and not value)


def _named(worker: VirtualWorker) -> Any:
    return worker.id, None


def _whole(worker: VirtualWorker) -> Any:
    return worker.id, dict(worker.current_objects())


def _from_wire(data: Any, context: Any) -> Any:
    id, objects = data
    if not isinstance(id, (str, int)) or not isinstance(objects, (dict, type(None))):
        raise DecodeError("a worker travels as its id and, if asked for, its objects by id")
    if objects is None:
        return UnknownLocation(id) if context is None else context.get_worker(id, fail_hard=True)
    here = () if context is None else (context, context.client)
    if any(worker is not None and id in worker._known_workers for worker in here):
        raise DecodeError(f"a worker {id!r} is known here; what it holds is not taken from a message")
    copy = VirtualWorker(getattr(context, "hook", None), id, auto_add=False)
    copy._store.objects.update(objects)
    return copy


register(VirtualWorker, "syft.worker", _named, _from_wire, subclasses=True, to_full_wire=_whole)
