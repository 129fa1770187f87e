"""A worker with data, users, models and a training on it, and the view of it that the status port reads."""

from __future__ import annotations

import hmac
import time
from collections import defaultdict
from dataclasses import replace
from typing import Any

import torch
from torch import nn

import syft as sy
from syft.exceptions import AuthenticationError
from syft.status import ObjectRow, SessionRow, Traffic, TrainingRow

# The value of a stored tensor; no page may hold it.
CANARY = 31337.015625


class CountingWorker(sy.VirtualWorker):
    """A worker that counts the messages and bytes of each kind, and the commands it carried out."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self.counted: defaultdict[str, Traffic] = defaultdict(Traffic)
        self.commands = 0
        self._kind = "?"
        super().__init__(*args, wire=True, **kwargs)

    def request(self, message: Any) -> Any:
        """Count what is encoded both ways."""
        self._kind = type(message).__name__.lower()
        return super().request(message)

    post = request

    def recv_msg(self, binary: bytes) -> bytes:
        """Count and answer."""
        answer = super().recv_msg(binary)
        row = self.counted[self._kind]
        self.counted[self._kind] = Traffic(
            row.messages_in + 1, row.messages_out + 1, row.bytes_in + len(binary), row.bytes_out + len(answer)
        )
        self.commands += self._kind == "command"
        return answer


class Lab:
    """The `WorkerView` of a `CountingWorker`.

    Args:
        worker: the worker.
        tokens: token to user; empty lets everybody in.
    """

    def __init__(self, worker: CountingWorker, tokens: dict[str, str] | None = None) -> None:
        self.worker = worker
        self.tokens = tokens or {}
        self.started = time.time()
        self.is_healthy = True
        self.owners: dict[Any, str] = {}
        self.since: dict[str, float] = {}
        self.away: set[str] = set()
        self._training: TrainingRow | None = None

    @property
    def id(self) -> str:
        """The worker's id."""
        return str(self.worker.id)

    def give(self, user: str, tensor: torch.Tensor) -> Any:
        """Send a tensor in a user's name; its pointer."""
        self.since.setdefault(user, time.time())
        pointer = tensor.send(self.worker)
        self.owners[pointer.id_at_location] = user
        return pointer

    def train(self, dataset: str, steps: int, kept: int = 10_000) -> None:
        """Train logistic regression on the worker, through pointers, on tensors tagged with the key and x or y."""
        ask = self.worker.client.request_search
        (x,), (y,) = ask([dataset, "#x"], self.worker), ask([dataset, "#y"], self.worker)
        weight = torch.zeros(x.shape[1], 1).send(self.worker)
        losses: list[float] = list(self._training.losses) if self._training else []
        for _ in range(steps):
            error = torch.sigmoid(x @ weight) - y
            weight = weight - (x.t() @ error) * (0.6 / 120)
            losses.append(float((error * error).mean().get()))
            self._training = TrainingRow(dataset, len(losses), tuple(losses[-kept:]))

    def healthy(self) -> bool:
        """As the test says."""
        return self.is_healthy

    def _held(self) -> list[tuple[Any, Any]]:
        return list(self.worker._objects.items())

    def sessions(self) -> list[SessionRow]:
        """A row for each user who gave something."""
        rows = {user: SessionRow(user, since, 0, 0, user not in self.away, 0) for user, since in self.since.items()}
        for id, tensor in self._held():
            user = self.owners.get(id)
            if user is not None:
                row, nbytes = rows[user], tensor.numel() * tensor.element_size()
                rows[user] = replace(row, objects=row.objects + 1, nbytes=row.nbytes + nbytes)
        return list(rows.values())

    def objects(self) -> list[ObjectRow]:
        """What the worker's store holds."""
        return [
            ObjectRow(
                id, type(obj).__name__, tuple(obj.shape), str(obj.dtype).removeprefix("torch."),
                tuple(sorted(obj.tags or ())), obj.description, self.owners.get(id),
            )
            for id, obj in self._held()
        ]  # fmt: skip

    def traffic(self) -> dict[str, Traffic]:
        """What was counted."""
        return dict(self.worker.counted)

    def ops(self) -> int:
        """The commands that ran."""
        return self.worker.commands

    def training(self) -> TrainingRow | None:
        """The last training."""
        return self._training

    def models(self) -> list[dict[str, Any]]:
        """The models for everybody."""
        return list(self.worker.service("models").describe(None))

    def predict(self, name: str, data: torch.Tensor, user: str | None) -> torch.Tensor:
        """Run a hosted model."""
        result: torch.Tensor = self.worker.service("models").run(name, data, user=user)
        return result

    def identify(self, authorization_header: str | None) -> str | None:
        """The user of a token."""
        if not self.tokens:
            return None
        scheme, _, token = (authorization_header or "").partition(" ")
        for known, user in self.tokens.items():
            if scheme.lower() == "bearer" and hmac.compare_digest(known.encode(), token.encode()):
                return user
        raise AuthenticationError(f"worker {self.id!r} asks for a token; send it as Authorization: Bearer <token>.")


def furnish(lab: Lab) -> list[Any]:
    """Data of three users, three models and a finished training; the pointers, which keep the data alive."""
    generator = torch.Generator().manual_seed(7)
    x = torch.randn(120, 4, generator=generator)
    y = ((x @ torch.tensor([[1.0], [-2.0], [0.5], [1.0]]) + 0.4 * torch.randn(120, 1, generator=generator)) > 0).float()
    pointers = [
        lab.give("ann", x.tag("#iris", "#x", "train").describe("Measurements of 120 flowers, standardized")),
        lab.give("ann", y.tag("#iris", "#y", "train").describe("Whether a flower is a setosa")),
        lab.give("ann", torch.full((3,), CANARY).tag("#secret").describe("Nobody may see these")),
        lab.give("ben", torch.randn(64, 1, 28, 28, generator=generator).tag("#scans", "2024")),
        lab.give("ben", torch.arange(64).tag("#scans", "#labels")),
        lab.give("eve", torch.ones(2, dtype=torch.float64).tag("<script>alert(1)</script>").describe("<b>bold</b>")),
        lab.give("eve", torch.tensor(True).tag("#flag")),
    ]
    lab.away.add("eve")
    torch.manual_seed(7)
    allowed: dict[str, Any] = {"allow_remote_inference": True}
    lab.worker.serve_model(nn.Linear(4, 2), "iris", example=torch.zeros(2, 4), allow_download=True, **allowed)
    lab.worker.serve_model(nn.ReLU(), "clinic/relu", example=torch.zeros(3), **allowed)
    lab.worker.serve_model(nn.ReLU(), "kept", example=torch.zeros(3))
    lab.worker.serve_model(nn.ReLU(), "bens", example=torch.zeros(3), users=["ben"], user="ben", **allowed)
    lab.train("#iris", 30)
    return pointers
