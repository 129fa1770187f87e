"""What the status port shows of a `WebsocketServerWorker`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch

from syft.core.naming import names_of
from syft.exceptions import AuthenticationError
from syft.status.view import ObjectRow, SessionRow, Traffic, TrainingRow
from syft.tensors.base import is_wrapper
from syft.workers.timed import within
from syft.workers.websocket_server import WebsocketServerWorker


class ServedWorkerView:
    """A served worker, as `syft.status.view.WorkerView`.

    Args:
        worker: the worker.
    """

    def __init__(self, worker: WebsocketServerWorker) -> None:
        self._worker = worker

    @property
    def id(self) -> str:
        """The worker's id."""
        return str(self._worker.id)

    @property
    def started(self) -> float:
        """When it began to serve."""
        return self._worker.started

    def healthy(self) -> bool:
        """Whether clients can connect."""
        return self._worker.serving

    def sessions(self) -> Sequence[SessionRow]:
        """The sessions of clients."""
        return [
            SessionRow(
                session.identity.user,
                session.since,
                len(session._store),
                session.nbytes,
                channel.attached,
                channel.pending,
            )
            for session, channel in self._worker.sessions.rows()
        ]

    def objects(self) -> Sequence[ObjectRow]:
        """What the owner offers, and what clients hold; never values."""
        rows = [_row(id, obj, None) for id, obj in list(self._worker._store.objects.items())]
        for session, _ in self._worker.sessions.rows():
            owner = session.identity.user or f"session {session.name}"
            rows.extend(_row(id, obj, owner) for id, obj in list(session._store.objects.items()))
        return rows

    def traffic(self) -> Mapping[str, Traffic]:
        """What went in and out by kind of message."""
        counted = self._worker.traffic.by_kind().items()
        return {k: Traffic(t.messages_in, t.messages_out, t.bytes_in, t.bytes_out) for k, t in counted}

    def ops(self) -> int:
        """Commands dealt with."""
        command = self._worker.traffic.by_kind().get("Command")
        return 0 if command is None else command.messages_in

    def training(self) -> TrainingRow | None:
        """The training with the most steps of those that clients have here."""
        running = []
        for session, _ in self._worker.sessions.rows():
            if (made := session.made_service("training")) is not None and made.progress.steps:
                running.append(made.progress)
        if not running:
            return None
        progress = max(running, key=lambda p: p.steps)
        return TrainingRow(progress.dataset, progress.steps, list(progress.losses))

    def models(self) -> Sequence[Mapping[str, Any]]:
        """The models that anybody may use."""
        found: list[dict[str, Any]] = self._worker.service("models").describe()
        return found

    def predict(self, name: str, data: torch.Tensor, user: str | None) -> torch.Tensor:
        """Run a hosted model, within the limits of a client."""
        with within(self._worker.limits):
            out: torch.Tensor = self._worker.service("models").run(name, data, user=user)
        return out

    def identify(self, authorization_header: str | None) -> str | None:
        """The user of a token; None where the worker demands none."""
        tokens = self._worker.sessions.tokens
        if tokens is None:
            return None
        scheme, _, text = (authorization_header or "").partition(" ")
        if scheme.lower() != "bearer" or not text.strip():
            raise AuthenticationError("this worker wants a token: send the header 'Authorization: Bearer <token>'")
        return str(tokens.identify_bearer(text.strip()).user)


def _row(id: Any, obj: Any, owner: str | None) -> ObjectRow:
    tags, description = names_of(obj)
    kind = type(obj).__name__
    words = tuple(sorted(map(str, tags)))
    if not isinstance(obj, torch.Tensor) or is_wrapper(obj):
        return ObjectRow(id, kind, tags=words, description=description, owner=owner)
    dtype = str(obj.dtype).removeprefix("torch.")
    return ObjectRow(id, kind, tuple(obj.shape), dtype, words, description, owner)
