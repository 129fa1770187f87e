"""Concurrent rounds over worker processes that are killed, frozen, slow, and come back."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

import syft as sy
from syft.exceptions import FederatedError
from syft.federated.callbacks import Callback, WorkReport
from tests.network.processes import Restartable, processes, workers

__all__ = ["processes", "workers"]

pytestmark = pytest.mark.network
NAMES = ("ann", "ben", "cyd")
WIDE = 400


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Restartable]]:
    """Three processes with a data set each; cyd has a hundred times more than the others."""
    folder = tmp_path_factory.mktemp("rounds")
    started: dict[str, Restartable] = {}
    for name in NAMES:
        rows = 40_000 if name == "cyd" else 400
        np.savez(folder / f"{name}.npz", data=np.ones((rows, 4), np.float32), targets=np.arange(rows) % 2)
        started[name] = Restartable(folder, name, "--data", f"points={name}.npz", "--keepalive", "1")
    yield started
    for process in started.values():
        process.close()


def trainer(workers: dict[str, Any], **options: Any) -> sy.ConcurrentTrainer:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(4, WIDE), nn.ReLU(), nn.Linear(WIDE, WIDE), nn.ReLU(), nn.Linear(WIDE, 2))
    settings = {"batch_size": 4, "quorum": 2, "optimizer_args": {"lr": 0.001}} | options
    example = (torch.zeros(2, 4), torch.zeros(2, dtype=torch.long))
    return sy.ConcurrentTrainer(model, workers, F.cross_entropy, dataset="points", example=example, **settings)


class When(Callback):
    """Does something when a worker has got somewhere."""

    def __init__(self, client: str, steps: int, act: Callable[[], object]) -> None:
        self.client, self.steps, self._act = client, steps, act
        self.lost: list[tuple[int, str, str]] = []
        self.back: list[tuple[int, str]] = []
        self.ended = 0

    def on_work(self, report: WorkReport) -> None:
        if report.client == self.client and report.stage == "train" and report.steps >= self.steps and self.ended == 0:
            self.ended = 1
            self._act()

    def on_client_lost(self, round: int, client: str, error: Exception) -> None:
        self.lost.append((round, client, str(error)))

    def on_client_back(self, round: int, client: str) -> None:
        self.back.append((round, client))


def test_a_worker_that_is_killed_is_left_out_and_comes_back(
    processes: dict[str, Restartable], workers: dict[str, Any]
) -> None:
    training, events = trainer(workers), When("cyd", 1, processes["cyd"].kill)
    training.fit(1, callbacks=[events])
    assert set(training.history[0].clients) == {"ann", "ben"}
    assert "connection to worker 'cyd'" in training.history[0].lost["cyd"]
    training.fit(1, callbacks=[events])
    assert [(round, name) for round, name, _ in events.lost] == [(1, "cyd"), (2, "cyd")]
    processes["cyd"].start()
    short = trainer(workers, max_batches=5)
    short._away = training._away
    short.fit(1, callbacks=[events])
    assert set(short.history[0].clients) == set(NAMES) and events.back == [(1, "cyd")]


def test_a_frozen_worker_is_left_out_when_it_makes_no_progress(
    processes: dict[str, Restartable], workers: dict[str, Any]
) -> None:
    events = When("cyd", 1, processes["cyd"].freeze)
    training = trainer(workers, progress_timeout=1.0)
    training.fit(1, callbacks=[events])
    assert set(training.history[0].clients) == {"ann", "ben"}
    assert [name for _, name, _ in events.lost] == ["cyd"]


def test_patience_ends_and_a_part_of_the_work_counts(workers: dict[str, Any]) -> None:
    training = trainer(workers, patience=0.3)
    training.fit(1)
    parts = training.history[0].clients
    assert set(parts) == set(NAMES) and not training.history[0].lost
    assert parts["ann"].samples == parts["ben"].samples == 400
    assert 0 < parts["cyd"].samples == 4 * parts["cyd"].batches < 40_000


def test_without_a_quorum_the_model_stays(processes: dict[str, Restartable], workers: dict[str, Any]) -> None:
    processes["ann"].kill()
    processes["ben"].kill()
    training = trainer(workers, max_batches=2)
    before = [value.clone() for value in training.model.state_dict().values()]
    with pytest.raises(FederatedError, match=r"1 of 3 workers finished round 1, and 2 are needed"):
        training.fit(1)
    assert all(map(torch.equal, before, training.model.state_dict().values()))


def test_progress_is_told_while_a_worker_trains(workers: dict[str, Any]) -> None:
    seen: list[WorkReport] = []

    class Listener(Callback):
        def on_work(self, report: WorkReport) -> None:
            seen.append(report)

    trainer(workers, max_batches=1500).fit(1, callbacks=[Listener()])
    steps = [report.steps for report in seen if report.client == "cyd" and report.stage == "train"]
    assert len(set(steps)) > 2 and steps == sorted(steps) and steps[-1] == 1500


def test_a_training_that_is_cancelled_stops_on_the_workers(workers: dict[str, Any]) -> None:
    training = trainer(workers)

    async def impatient() -> None:
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(training.async_fit(1), 2.0)

    asyncio.run(impatient())
    cyd = workers["cyd"]
    cyd.connect()
    done = threading.Event()
    threading.Thread(target=lambda: (cyd.sync(), done.set()), daemon=True).start()
    assert done.wait(20), "the worker still trains"
    assert cyd.ask("training", "report")["steps"] < 10_000
    assert len(training.history) == 0


def test_rounds_run_at_the_same_time(workers: dict[str, Any]) -> None:
    spans: dict[str, list[float]] = {}

    class Clock(Callback):
        def on_work(self, report: WorkReport) -> None:
            spans.setdefault(report.client, []).append(time.monotonic())

    trainer(workers, max_batches=100).fit(1, callbacks=[Clock()])
    assert max(span[0] for span in spans.values()) < min(span[-1] for span in spans.values())
