"""What a coroutine awaits from a worker over a network, and a second connection for questions in between."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from syft.exceptions import RequestTimeoutError
from syft.serde.codec import encode_in_parts
from syft.transports.answered import Answered
from syft.transports.link import Link
from syft.transports.stream import Buffer
from syft.workers.awaitable import AwaitableForms


class AwaitableOverLink(AwaitableForms):
    """The part of a `WebsocketClientWorker` for ``await``."""

    timeout: float | None
    _link: Link
    _prepared: Callable[[Any], Sequence[Buffer]]
    _result: Callable[[Any, Sequence[Buffer]], Any]

    async def async_request(self, message: Any) -> Any:
        """Like `request`, for ``await``: other coroutines run meanwhile.

        Raises:
            ConnectionLost: the connection is broken.
            RequestTimeoutError: there was no answer in ``timeout`` seconds.
            Exception: what the worker raised.
        """
        return await self._awaited(message, self.timeout)

    async def async_sync(self) -> None:
        """`sync` for ``await``."""
        await self.async_ask("session", "sync")

    def aside(self) -> Aside:
        """A second connection into the same session, for questions that must not wait for what is under way.

        Raises:
            ConnectionLost: nobody answers.
        """
        return Aside(self)

    def moved(self) -> int | None:
        """Bytes that have gone to the worker and come from it, pieces of long messages included."""
        return self._link.moved

    async def _awaited(self, message: Any, timeout: float | None) -> Any:
        return self._result(message, await _answer(self._link, self._prepared(message), timeout))


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
