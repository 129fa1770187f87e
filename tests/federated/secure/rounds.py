"""Aggregations among state machines, without workers: who drops out when, and what the server is told."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import torch

from syft.federated.secure.client import AggregationClient
from syft.federated.secure.fixed_point import FixedPoint
from syft.federated.secure.server import STAGES, AggregationServer, Summed

SESSION = b"a session"
Clients = dict[str, AggregationClient]


def clients_of(names: Iterable[str], threshold: int, ring: FixedPoint, kind: type = AggregationClient) -> Clients:
    """Fresh clients."""
    return {name: kind(name, SESSION, threshold, ring) for name in names}


def told(clients: Clients, stage: str, requests: Mapping[str, Any], vectors: Mapping[str, torch.Tensor]) -> Any:
    """What the clients answer at a stage."""
    answers: dict[str, Any] = {}
    for name, args in requests.items():
        given = (vectors[name], *args) if stage == "masked" else args
        try:
            answers[name] = getattr(clients[name], stage)(*given)
        except Exception as error:
            answers[name] = error
    return answers


def aggregate(
    clients: Clients,
    vectors: Mapping[str, torch.Tensor],
    threshold: int,
    *,
    gone: Mapping[str, int] | None = None,
    change: Callable[[str, dict[str, Any]], None] = lambda stage, answers: None,
) -> Summed:
    """A whole aggregation.

    Args:
        clients: who takes part.
        vectors: what they have.
        threshold: the server's.
        gone: at which stage, from 0, clients drop out.
        change: changes the answers of a stage.
    """
    gone = gone or {}
    ring, size = next(iter(clients.values())).ring, next(iter(vectors.values())).numel()
    conversation = AggregationServer(list(clients), threshold, ring, size, SESSION).run()
    answers: Any = None
    for number, stage in enumerate(STAGES):
        requests = conversation.send(answers)
        left = {name: args for name, args in requests.items() if gone.get(name) != number}
        answers = told(clients, stage, left, vectors)
        change(stage, answers)
    try:
        conversation.send(answers)
    except StopIteration as end:
        return end.value
    raise AssertionError("the server goes on after the last stage")


def with_masked(clients: Clients, vectors: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """The masked vectors of an aggregation in which nobody drops out."""
    kept: dict[str, torch.Tensor] = {}

    def keep(stage: str, answers: dict[str, Any]) -> None:
        if stage == "masked":
            kept.update({name: vector.clone() for name, vector in answers.items()})

    aggregate(clients, vectors, next(iter(clients.values())).threshold, change=keep)
    return kept
