"""The calls on a worker elsewhere that a coroutine can await: other coroutines run until the answer is there."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from syft.core import messages as m
from syft.exceptions import RequestTimeoutError
from syft.serde.codec import encode_in_parts
from syft.transports.answered import Answered
from syft.transports.link import Link
from syft.transports.stream import Buffer


class AwaitableForms:
    """The part of a `WebsocketClientWorker` for ``await``."""

    timeout: float | None
    _link: Link
    _prepared: Callable[[Any], list[Buffer]]
    _result: Callable[[Any, Sequence[Buffer]], Any]
    call_of: Callable[..., m.Call]

    async def async_request(self, message: Any) -> Any:
        """Like `request`, for ``await``: other coroutines run meanwhile.

        Raises:
            ConnectionLost: the connection is broken.
            RequestTimeoutError: there was no answer in ``timeout`` seconds.
            Exception: what the worker raised.
        """
        return self._result(message, await _answer(self._link, self._prepared(message), self.timeout))

    async def async_sync(self) -> None:
        """`sync` for ``await``."""
        await self.async_ask("session", "sync")

    async def async_ask(self, service: str, method: str, *args: Any, **kwargs: Any) -> Any:
        """`ask` for ``await``: call a service of this worker."""
        return await self.async_request(self.call_of(service, method, *args, **kwargs))

    def aside(self) -> Aside:
        """A second connection into the same session, for questions that must not wait for what is under way.

        Raises:
            ConnectionLost: nobody answers.
        """
        return Aside(self)

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


class Aside:
    """A second connection of a client into its own session on a worker.

    A session deals with the messages of one connection one after the other, so a question about a training would wait
    for its end. What is asked here is answered meanwhile.

    Args:
        worker: the `WebsocketClientWorker` with the session.

    Raises:
        ConnectionLost: nobody answers.
    """

    def __init__(self, worker: Any) -> None:
        self._worker = worker
        invitation: bytes = worker.ask("session", "invite")
        self._link = Link(replace(worker._link.settings, token=None, invitation=invitation), _nothing)
        self._link.connect()

    def ask(self, service: str, method: str, *args: Any) -> Any:
        """Call a service of the worker."""
        message = self._worker.call_of(service, method, *args)
        return self._worker._result(message, self._link.request(encode_in_parts(message), self._worker.timeout))

    async def async_ask(self, service: str, method: str, *args: Any) -> Any:
        """`ask` for ``await``."""
        message = self._worker.call_of(service, method, *args)
        return self._worker._result(message, await _answer(self._link, encode_in_parts(message), self._worker.timeout))

    def close(self) -> None:
        """Close the connection; the session stays."""
        self._link.close(end=True)


async def _answer(link: Link, parts: Sequence[Buffer], timeout: float | None) -> Sequence[Buffer]:
    loop = asyncio.get_running_loop()
    arrived: asyncio.Future[Answered] = loop.create_future()

    def settle(answered: Answered) -> None:
        if not arrived.done():
            arrived.set_result(answered)

    def done(answered: Answered) -> None:
        try:
            loop.call_soon_threadsafe(settle, answered)
        except RuntimeError:  # nobody waits any more: the loop is closed. The link's thread must go on
            pass

    link.begin(parts, done)
    try:
        answered = await asyncio.wait_for(arrived, timeout)
    except TimeoutError:
        raise RequestTimeoutError(
            f"worker {link.worker!r} did not answer within {timeout} s; it is alive and may still carry the request "
            "out. Give more time with timeout=..."
        ) from None
    return answered.result()


def _nothing() -> None:
    """What a link without a worker of its own has to do when it is idle."""
