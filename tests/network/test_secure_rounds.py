"""Secure aggregation over ``syft worker`` processes: the mean is right, also when one is killed half-way."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

import syft as sy
from syft.exceptions import FederatedError
from syft.federated import SecureAggregation
from syft.federated.secure.participant import SecretParticipant
from tests.network.processes import Restartable, processes, workers

__all__ = ["processes", "workers"]

pytestmark = pytest.mark.network
NAMES = ("ann", "ben", "cyd")


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Restartable]]:
    """Three processes with a data set each."""
    folder = tmp_path_factory.mktemp("secure")
    started: dict[str, Restartable] = {}
    for rows, name in zip((40, 60, 80), NAMES, strict=True):
        rng = np.random.default_rng(rows)
        data = rng.standard_normal((rows, 4), dtype=np.float32)
        np.savez(folder / f"{name}.npz", data=data, targets=(data.sum(1) > 0).astype(np.int64))
        started[name] = Restartable(folder, name, "--data", f"points={name}.npz", "--keepalive", "1")
    yield started
    for process in started.values():
        process.close()


def trainer(workers: dict[str, Any], strategy: SecureAggregation | None, **options: Any) -> sy.ConcurrentTrainer:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(4, 64), nn.ReLU(), nn.Linear(64, 2))
    settings = {"batch_size": 20, "shuffle": False, "progress_timeout": 10.0} | options
    example = (torch.zeros(2, 4), torch.zeros(2, dtype=torch.long))
    return sy.ConcurrentTrainer(
        model, workers, F.cross_entropy, dataset="points", example=example, strategy=strategy, **settings
    )


def distance(one: nn.Module, other: nn.Module) -> float:
    pairs = zip(one.state_dict().values(), other.state_dict().values(), strict=True)
    return max(float((a - b).abs().max()) for a, b in pairs)


def test_the_mean_is_that_of_plain_averaging(workers: dict[str, Any]) -> None:
    plain, hidden = trainer(workers, None), trainer(workers, SecureAggregation())
    plain.fit(2)
    history = hidden.fit(2)
    assert distance(plain.model, hidden.model) < 1e-6
    assert history[1].together["samples"] == 180 and not history[1].lost
    assert history[1].train_loss == pytest.approx(plain.history[1].train_loss, abs=1e-5)
    assert [worker.ask("session", "objects_count") for worker in workers.values()] == [0, 0, 0]


@pytest.mark.parametrize("stage", ["masked", "unmask"])
def test_a_worker_is_killed_at_a_stage(
    processes: dict[str, Restartable], workers: dict[str, Any], monkeypatch: pytest.MonkeyPatch, stage: str
) -> None:
    ask = SecretParticipant.ask

    async def asked(self: SecretParticipant, method: str, *args: Any) -> Any:
        if self.worker.id == "cyd" and method == stage:
            processes["cyd"].kill()
        return await ask(self, method, *args)

    there = workers if stage == "unmask" else {name: workers[name] for name in ("ann", "ben")}
    expected, hidden = trainer(there, None), trainer(workers, SecureAggregation(threshold=2))
    expected.fit(1)
    monkeypatch.setattr(SecretParticipant, "ask", asked)
    record = hidden.fit(1)[0]
    assert set(record.clients) == set(there) and set(record.lost) == set(workers) - set(there)
    assert distance(expected.model, hidden.model) < 1e-6
    monkeypatch.undo()
    processes["cyd"].start()
    assert set(hidden.fit(1)[1].clients) == set(NAMES)


def test_too_few_workers_and_nothing_is_unmasked(processes: dict[str, Restartable], workers: dict[str, Any]) -> None:
    processes["ann"].kill()
    hidden = trainer(workers, SecureAggregation(threshold=3))
    before = [value.clone() for value in hidden.model.parameters()]
    with pytest.raises(FederatedError, match=r"2 of 3 workers finished round 1, and 3 are needed(.|\n)*ann"):
        hidden.fit(1)
    assert all(map(torch.equal, before, hidden.model.parameters()))
