"""The calls on a worker elsewhere that a coroutine can await: other coroutines run until the answer is there."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from syft.core import messages as m
from syft.transports.link import Answered, Link
from syft.transports.stream import Buffer


class AwaitableForms:
    """The part of a `WebsocketClientWorker` for ``await``."""

    timeout: float | None
    _link: Link
    _prepared: Callable[[Any], list[Buffer]]
    _result: Callable[[Any, Buffer], Any]
    call_of: Callable[..., m.Call]

    async def async_request(self, message: Any) -> Any:
        """Like `request`, for ``await``: other coroutines run meanwhile."""
        loop = asyncio.get_running_loop()
        arrived: asyncio.Future[Answered] = loop.create_future()

        def settle(answered: Answered) -> None:
            if not arrived.done():
                arrived.set_result(answered)

        def done(answered: Answered) -> None:
            loop.call_soon_threadsafe(settle, answered)

        self._link.begin(self._prepared(message), done)
        answered = await asyncio.wait_for(arrived, self.timeout)
        return self._result(message, answered.result())

    async def async_sync(self) -> None:
        """`sync` for ``await``."""
        await self.async_ask("session", "sync")

    async def async_ask(self, service: str, method: str, *args: Any, **kwargs: Any) -> Any:
        """`ask` for ``await``: call a service of this worker."""
        return await self.async_request(self.call_of(service, method, *args, **kwargs))

    async def async_get(self, pointer: Any, user: Any = None, reason: str = "") -> Any:
        """Fetch what a pointer at this worker stands for, for ``await``.

        Args:
            pointer: a pointer, wrapped or not. It is used up.
            user: credential, for private tensors.
            reason: for the worker's owner.
        """
        return await asyncio.to_thread(pointer.get, user=user, reason=reason)

    async def async_fit(self, dataset_key: str, return_ids: Any = None, device: str = "cpu") -> Any:
        """Have the worker train on a data set of its own while other coroutines run.

        Args:
            dataset_key: the key of the data set.
            return_ids: accepted for 0.2.4 code, no effect.
            device: where the worker puts batches.

        Returns:
            The loss of the last batch.
        """
        reply = await self.async_ask("training", "fit", dataset_key, device)
        if type(reply) is m.Stored:
            (loss,) = await self.async_request(m.Take((m.Ref(reply.id),)))
            return loss
        return reply
