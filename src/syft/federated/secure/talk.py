"""The server's side of secure aggregation over workers: what `AggregationServer` asks goes to their services."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Generator, Mapping
from typing import Any

from syft.exceptions import AggregationError
from syft.federated.secure.client import PublicKeys, SharedKeys, Shares
from syft.federated.secure.server import STAGES, AggregationServer, Summed

Calls = Mapping[str, tuple[Any, ...]]
"""For each client, a method of `AggregationService` and its arguments."""

Talk = Generator[Calls, Mapping[str, Any], Summed]
"""Yields the calls of a stage, is sent their answers or exceptions by client, and returns the sum."""


def talk(server: AggregationServer, terms: Mapping[str, Any], models: Mapping[str, Mapping[str, Any]]) -> Talk:
    """One aggregation, in the messages of `AggregationService`.

    Args:
        server: says what to ask.
        terms: see `AggregationService.advertise`.
        models: likewise, for each client.

    Raises:
        AggregationError: too few clients are left.
    """
    conversation, answers = server.run(), None
    for stage in STAGES:
        requests = conversation.send(answers)  # type: ignore[arg-type]  # the first thing sent is None
        calls: dict[str, tuple[Any, ...]] = {}
        for name, given in requests.items():
            args = (dict(terms), dict(models[name])) if stage == "advertise" else given
            if stage == "share_keys":
                args = ({one: [keys.shares, keys.masks] for one, keys in given[0].items()},)
            calls[name] = (stage, server.session, name, *args)
        replies = yield calls
        answers = {name: _read(stage, reply) for name, reply in replies.items()}
    try:
        conversation.send(answers)  # type: ignore[arg-type]
    except StopIteration as end:
        summed: Summed = end.value
        return summed
    raise AggregationError("an aggregation has no more than four stages")


def sum_in_turn(conversation: Talk, asks: Mapping[str, Callable[..., Any]]) -> Summed:
    """Carry out an aggregation, one client after the other.

    Args:
        conversation: see `talk`.
        asks: calls a method of each client's service.

    Raises:
        AggregationError: too few clients are left.
    """
    answers: Any = None
    while True:
        try:
            calls = conversation.send(answers)
        except StopIteration as end:
            return _result(end)
        answers = {name: _tried(asks[name], call) for name, call in calls.items()}


async def sum_at_once(conversation: Talk, asks: Mapping[str, Callable[..., Awaitable[Any]]]) -> Summed:
    """Carry out an aggregation, all clients at the same time; each stage waits for all that have not failed.

    Args:
        conversation: see `talk`.
        asks: calls a method of each client's service.

    Raises:
        AggregationError: too few clients are left.
    """
    answers: Any = None
    while True:
        try:
            calls = conversation.send(answers)
        except StopIteration as end:
            return _result(end)
        replies = await asyncio.gather(*[asks[name](*call) for name, call in calls.items()], return_exceptions=True)
        answers = dict(zip(calls, replies, strict=True))


def _tried(ask: Callable[..., Any], call: tuple[Any, ...]) -> Any:
    try:
        return ask(*call)
    except Exception as error:  # this client is left out, and why is said
        return error


def _result(end: StopIteration) -> Summed:
    summed: Summed = end.value
    return summed


_FORMS: Mapping[str, Callable[..., Any]] = {"advertise": PublicKeys, "share_keys": SharedKeys, "unmask": Shares}


def _read(stage: str, reply: Any) -> Any:
    """An answer as `AggregationServer` takes it; what has another form is left as it is, for the server to refuse."""
    form = _FORMS.get(stage)
    well_formed = type(reply) in (list, tuple) and len(reply) == 2
    return form(*reply) if form is not None and well_formed else reply
