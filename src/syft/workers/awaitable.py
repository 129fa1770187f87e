"""The calls on a worker that a coroutine can await: other coroutines run until the answer is there."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, Protocol

from syft.core import messages as m


class Asking(Protocol):
    """Whatever questions can be put to that must not wait for what a worker is doing."""

    async def async_ask(self, service: str, method: str, *args: Any) -> Any:
        """Call a service of the worker."""

    def close(self) -> None:
        """Ask no more."""


class AwaitableForms:
    """What all workers have for ``await``."""

    call_of: Callable[..., m.Call]

    async def async_request(self, message: Any) -> Any:
        """Like ``request``, for ``await``: other coroutines run meanwhile."""
        return await self._awaited(message, None)

    async def async_ask(self, service: str, method: str, *args: Any, **kwargs: Any) -> Any:
        """Like ``ask``, for ``await``: call a service of this worker."""
        return await self.async_request(self.call_of(service, method, *args, **kwargs))

    async def async_sync(self) -> None:
        """Like ``sync``, for ``await``: wait until all that was sent is dealt with."""

    async def async_get(self, pointer: Any, user: Any = None, reason: str = "") -> Any:
        """Fetch what a pointer at this worker stands for, for ``await``.

        Args:
            pointer: a pointer, wrapped or not. It is used up.
            user: credential, for private tensors.
            reason: for the worker's owner.
        """
        return await asyncio.to_thread(pointer.get, user=user, reason=reason)

    async def async_fit(
        self, dataset_key: str, return_ids: Any = None, device: str = "cpu", *, return_loss: bool = True
    ) -> Any:
        """Have the worker train on a data set of its own while other coroutines run, for as long as it takes.

        Args:
            dataset_key: the key of the data set.
            return_ids: accepted for 0.2.4 code, no effect.
            device: where the worker puts batches.
            return_loss: fetch the loss of the last batch.

        Returns:
            The loss of the last batch, or None if that was not to be fetched.
        """
        reply = await self._awaited(self.call_of("training", "fit", dataset_key, device), None)
        if type(reply) is m.Stored and not return_loss:
            await self.async_request(m.Forget((reply.id,)))
            return None
        if type(reply) is m.Stored:
            (loss,) = await self.async_request(m.Take((m.Ref(reply.id),)))
            return loss
        return reply

    def aside(self) -> Asking:
        """A way to ask questions that must not wait for what is under way."""
        raise NotImplementedError

    def moved(self) -> int | None:
        """Bytes that have gone to the worker and come from it; None where messages are not made of bytes."""
        return None

    async def _awaited(self, message: Any, timeout: float | None) -> Any:
        raise NotImplementedError


class AwaitableInThreads(AwaitableForms):
    """The forms of a worker of this process: what is awaited runs in a thread."""

    request: Callable[[Any], Any]

    def aside(self) -> Asking:
        """The worker itself, which deals with questions in between."""
        return _InBetween(self)

    async def _awaited(self, message: Any, timeout: float | None) -> Any:
        return await asyncio.to_thread(self.request, message)


class _InBetween:
    def __init__(self, worker: AwaitableInThreads) -> None:
        self._worker = worker

    async def async_ask(self, service: str, method: str, *args: Any) -> Any:
        return self._worker.request(self._worker.call_of(service, method, *args))

    def close(self) -> None:
        pass
