"""The workloads of the peers with this library: `fix_precision`, `share`, and plain torch from there on."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from torch import nn

import syft as sy
from benchmarks.peers.workloads import LEARNING_RATE, Array, Workload
from syft.encoded.tensor import EncodedTensor

Call = Callable[[], object]
Ready = Callable[[], Call]
"""Shares new inputs, of which nothing was opened yet, and returns what is to be timed. Models are shared once."""


@dataclass(frozen=True, slots=True)
class Parties:
    """Who computes, and on how many bits.

    Attributes:
        holders: The workers that hold shares.
        provider: The worker that provides triples.
        width: Bits that comparisons look at; `None` leaves it to the library.
    """

    holders: Sequence[sy.BaseWorker]
    provider: sy.BaseWorker
    width: int | None = None

    def share(self, secret: Any, **options: object) -> Any:
        """Return a tensor shared between the holders, or a module that is shared in place."""
        if self.width is not None:
            options["width"] = self.width
        encoded = secret.fix_precision(base=2, precision_fractional=16)
        return encoded.share(*self.holders, crypto_provider=self.provider, **options)

    def finish(self, result: Any) -> Any:
        """Return `result` once all of it is computed: rescaled, as the peers do, and at served workers, too."""
        if isinstance(result, EncodedTensor):
            result.child.child  # noqa: B018 - an unsettled product is divided when its integers are asked for
        for worker in (*self.holders, self.provider):
            if isinstance(worker, sy.WebsocketClientWorker):
                worker.sync()
        return result


def _mlp() -> nn.Sequential:
    return nn.Sequential(nn.Linear(784, 128), nn.ReLU(), nn.Linear(128, 10))


def _cnn() -> nn.Sequential:
    return nn.Sequential(
        *(nn.Conv2d(1, 16, 5), nn.ReLU(), nn.AvgPool2d(2)),
        *(nn.Conv2d(16, 16, 5), nn.ReLU(), nn.AvgPool2d(2)),
        *(nn.Flatten(), nn.Linear(256, 100), nn.ReLU(), nn.Linear(100, 10)),
    )


def _plain_model(workload: Workload) -> nn.Sequential:
    model = _cnn() if workload.kind == "cnn" else _mlp()
    with torch.no_grad():
        for parameter, values in zip(model.parameters(), workload.parameters, strict=True):
            parameter.copy_(torch.from_numpy(values))
    return model


def _inputs(workload: Workload, parties: Parties) -> list[Any]:
    shared = [parties.share(torch.from_numpy(values)) for values in workload.inputs]
    return [parties.finish(secret) for secret in shared]


def _inference(workload: Workload, parties: Parties) -> Ready:
    model = parties.share(_plain_model(workload))

    def ready() -> Call:
        (x,) = _inputs(workload, parties)

        def call() -> object:
            with torch.no_grad():
                return parties.finish(model(x))

        return call

    return ready


def _training(workload: Workload, parties: Parties) -> tuple[Ready, nn.Module]:
    model = parties.share(_plain_model(workload), requires_grad=True)
    optimizer = torch.optim.SGD(model.parameters(), lr=LEARNING_RATE)

    def ready() -> Call:
        x, target = _inputs(workload, parties)

        def call() -> None:
            optimizer.zero_grad()
            F.mse_loss(model(x), target).backward()
            optimizer.step()
            parties.finish(model)

        return call

    return ready, model


_OPERATIONS: dict[str, Callable[..., object]] = {
    "mul": lambda x, y: x * y,
    "matmul": lambda x, w: x @ w,
    "relu": F.relu,
}


def prepare(workload: Workload, parties: Parties) -> Ready:
    """Share the model of a workload, if it has one; results stay shared."""
    if workload.kind == "train":
        return _training(workload, parties)[0]
    if workload.parameters:
        return _inference(workload, parties)

    def ready() -> Call:
        operation = partial(_OPERATIONS[workload.kind], *_inputs(workload, parties))
        return lambda: parties.finish(operation())

    return ready


def results(workload: Workload, parties: Parties) -> tuple[Array, ...]:
    """Carry a workload out once, from new shares, and open its results."""
    if workload.kind != "train":
        secret: Any = prepare(workload, parties)()()
        return (secret.get().float_precision().numpy(),)
    ready, model = _training(workload, parties)
    ready()()
    opened = model.get().float_precision()
    return tuple(parameter.detach().numpy() for parameter in opened.parameters())
