"""`ConcurrentTrainer` on virtual and served workers: what it computes, whom it leaves out, and what it says of it."""

from __future__ import annotations

import asyncio
import copy
import math
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import nn

import syft as sy
from syft.exceptions import CheckpointError, FederatedError
from syft.federated.averaging import average_state_dicts
from syft.federated.callbacks import Callback, WorkReport
from syft.federated.history import History, RoundRecord
from syft.federated.strategies import ClientUpdate, FedOpt, FedProx
from syft.federated.training_service import Progress, TrainingService

EXAMPLE = (torch.zeros(2, 3), torch.zeros(2, dtype=torch.long))
COUNTS = {"bob": 8, "alice": 20, "james": 14}


def data_of(name: str) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(len(name))
    count = COUNTS[name]
    return torch.randn(count, 3, generator=generator), torch.randint(0, 2, (count,), generator=generator)


def network() -> nn.Module:
    torch.manual_seed(3)
    return nn.Sequential(nn.Linear(3, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Linear(8, 2))


@pytest.fixture
def three(make_worker: Callable[..., Any]) -> dict[str, Any]:
    """Three workers with data of different amounts."""
    workers = {name: make_worker(name) for name in COUNTS}
    for name, worker in workers.items():
        worker.add_dataset(sy.BaseDataset(*data_of(name)), key="points")
    return workers


def trainer(workers: dict[str, Any], **options: Any) -> sy.ConcurrentTrainer:
    settings = {"batch_size": 4, "shuffle": False, "optimizer_args": {"lr": 0.1, "momentum": 0.9}} | options
    model = settings.pop("model", None) or network()
    return sy.ConcurrentTrainer(model, workers, F.cross_entropy, dataset="points", example=EXAMPLE, **settings)


def trained(model: nn.Module, name: str, epochs: int = 1, most: int = 10**6) -> dict[str, torch.Tensor]:
    """What plain torch makes of the model on the data of one worker."""
    twin = copy.deepcopy(model).train()
    optimizer = torch.optim.SGD(twin.parameters(), lr=0.1, momentum=0.9)
    data, targets = data_of(name)
    batches = [pair for _ in range(epochs) for pair in zip(data.split(4), targets.split(4), strict=True)]
    for x, y in batches[:most]:
        optimizer.zero_grad()
        F.cross_entropy(twin(x), y).backward()
        optimizer.step()
    return {name: value.detach() for name, value in twin.state_dict().items()}


class Diary(Callback):
    """Writes down what it is told."""

    def __init__(self) -> None:
        self.lines: list[tuple[Any, ...]] = []
        self.work: list[WorkReport] = []

    def on_round_begin(self, round: int, clients: list[str]) -> None:
        self.lines.append(("begin", round, *clients))

    def on_client_end(self, round: int, update: ClientUpdate) -> None:
        self.lines.append(("end", round, update.name))

    def on_work(self, report: WorkReport) -> None:
        self.work.append(report)

    def on_client_lost(self, round: int, client: str, error: Exception) -> None:
        self.lines.append(("lost", round, client, str(error)))

    def on_client_back(self, round: int, client: str) -> None:
        self.lines.append(("back", round, client))

    def on_round_end(self, record: RoundRecord, model: nn.Module) -> None:
        self.lines.append(("done", record.round))


def test_rounds_equal_plain_training_and_averaging(three: dict[str, Any]) -> None:
    training = trainer(three, local_epochs=2)
    expected = copy.deepcopy(training.model)
    for _ in range(2):
        states = {name: trained(expected, name, epochs=2) for name in COUNTS}
        expected.load_state_dict(average_state_dicts(states, COUNTS))
    history = training.fit(2)
    for name, value in expected.state_dict().items():
        assert torch.equal(training.model.state_dict()[name], value), name
    assert [record.round for record in history.rounds] == [1, 2]
    record = history[1]
    assert {name: client.samples for name, client in record.clients.items()} == COUNTS
    assert {name: client.batches for name, client in record.clients.items()} == {"bob": 4, "alice": 10, "james": 8}
    assert 0 < record.train_loss < 1 and not record.lost


def test_the_limit_of_batches_and_the_samples_that_count(three: dict[str, Any]) -> None:
    training = trainer(three, max_batches=3)
    counts = {"bob": 8, "alice": 12, "james": 12}
    expected = average_state_dicts({name: trained(training.model, name, most=3) for name in COUNTS}, counts)
    history = training.fit(1)
    assert {name: client.samples for name, client in history[0].clients.items()} == counts
    assert all(torch.equal(training.model.state_dict()[name], value) for name, value in expected.items())


def test_nothing_stays_on_the_workers(three: dict[str, Any]) -> None:
    trainer(three).fit(2)
    assert [len(worker._objects) for worker in three.values()] == [0, 0, 0]


def test_a_server_side_optimizer_is_stepped(three: dict[str, Any]) -> None:
    training = trainer(three, strategy=FedOpt(lambda p: torch.optim.SGD(p, lr=1.0)))
    plain = trainer(three)
    training.fit(1)
    plain.fit(1)
    for one, other in zip(training.model.parameters(), plain.model.parameters(), strict=True):
        assert torch.allclose(one, other, atol=1e-6)


def test_the_model_is_evaluated_after_each_round(three: dict[str, Any]) -> None:
    seen: list[torch.Tensor] = []

    def evaluate(model: nn.Module) -> dict[str, float]:
        assert not model.training
        seen.append(model[0].weight.detach().clone())
        return {"rounds": len(seen)}

    history = trainer(three, evaluate=evaluate).fit(2)
    assert [record.metrics for record in history.rounds] == [{"rounds": 1}, {"rounds": 2}]
    assert not torch.equal(*seen)


def test_callbacks_hear_of_each_stage_and_step(three: dict[str, Any]) -> None:
    diary = Diary()
    trainer(three).fit(1, callbacks=[diary])
    assert diary.lines[0] == ("begin", 1, "bob", "alice", "james") and diary.lines[-1] == ("done", 1)
    assert sorted(diary.lines[1:-1]) == [("end", 1, "alice"), ("end", 1, "bob"), ("end", 1, "james")]
    of_alice = [report for report in diary.work if report.client == "alice"]
    assert list(dict.fromkeys(report.stage for report in of_alice)) == ["connect", "send", "train", "fetch"]
    last = [report for report in of_alice if report.stage == "train"][-1]
    assert (last.steps, last.total) == (5, 5) and math.isfinite(last.loss)


def test_an_error_of_a_callback_is_no_workers_failure(three: dict[str, Any]) -> None:
    class Broken(Callback):
        def on_work(self, report: WorkReport) -> None:
            raise ZeroDivisionError("mine")

    training = trainer(three)
    with pytest.raises(ZeroDivisionError, match="mine"):
        training.fit(1, callbacks=[Broken()])
    assert len(training.fit(1)) == 1


def test_a_worker_without_the_data_is_left_out_and_named(three: dict[str, Any]) -> None:
    three["alice"].remove_dataset("points")
    training, diary = trainer(three, quorum=2), Diary()
    expected = average_state_dicts({n: trained(training.model, n) for n in ("bob", "james")}, {"bob": 8, "james": 14})
    history = training.fit(1, callbacks=[diary])
    assert history[0].lost == {"alice": "Dataset points unknown."} and "alice" not in history[0].clients
    assert ("lost", 1, "alice", "Dataset points unknown.") in diary.lines
    assert all(torch.equal(training.model.state_dict()[name], value) for name, value in expected.items())
    three["alice"].add_dataset(sy.BaseDataset(*data_of("alice")), key="points")
    history = training.fit(1, callbacks=[diary])
    assert ("back", 2, "alice") in diary.lines and not history[1].lost and "alice" in history[1].clients
    assert sy.ConcurrentTrainer.__name__ and history.to_dict()["rounds"][0]["lost"] == history[0].lost


class Stubborn(TrainingService):
    """Trains, or says so, for as long as it pleases, whatever it is told."""

    over = threading.Event()

    def fit(self, dataset_key: str, device: str = "cpu") -> torch.Tensor:
        assert self.config is not None
        self.progress = Progress(dataset_key, self.config.id, 10)
        while not self.over.wait(0.05):
            self.progress.add(1.0, 1, first_pass=False)
        return torch.zeros(1)


class Sparse(TrainingService):
    """Trains, and sends back what has the right shapes and types and is no plain tensor."""

    def fit(self, dataset_key: str, device: str = "cpu") -> torch.Tensor:
        loss = super().fit(dataset_key, device)
        assert self.config is not None
        tensors = self.worker._store.get(self.config._model_id).state._tensors
        for place, tensor in enumerate(tensors):
            if not tensor.is_floating_point():
                tensors[place] = tensor.detach().to_sparse()
        return loss


def with_a_bad_one(hook: sy.TorchHook, workers: dict[str, Any], service: type[TrainingService]) -> dict[str, Any]:
    """These workers, but for one in the place of bob that has its own way to train."""
    bad = sy.VirtualWorker(hook, id="bad", auto_add=False)
    bad.__dict__["_services"] = {"training": service(bad)}
    bad.add_dataset(sy.BaseDataset(*data_of("bob")), key="points")
    return {**workers, "bob": bad}


def test_a_worker_that_does_not_stop_when_told_is_left_out(hook: sy.TorchHook, three: dict[str, Any]) -> None:
    Stubborn.over.clear()
    training = trainer(with_a_bad_one(hook, three, Stubborn), quorum=2, patience=0.3, progress_timeout=2.0)

    async def train() -> History:
        try:
            return await asyncio.wait_for(training.async_fit(1), 30)
        finally:
            Stubborn.over.set()

    (record,) = asyncio.run(train()).rounds
    assert sorted(record.clients) == ["alice", "james"]
    assert "no progress" in record.lost["bob"]


def test_a_worker_that_sends_no_plain_tensors_is_left_out(hook: sy.TorchHook, three: dict[str, Any]) -> None:
    (record,) = trainer(with_a_bad_one(hook, three, Sparse)).fit(1).rounds
    assert sorted(record.clients) == ["alice", "james"]
    assert "plain" in record.lost["bob"]


def test_too_few_workers_end_the_training_and_leave_the_model(three: dict[str, Any]) -> None:
    three["alice"].remove_dataset("points")
    training = trainer(three, quorum=3)
    before = copy.deepcopy(training.model.state_dict())
    with pytest.raises(FederatedError, match=r"2 of 3 workers finished round 1, and 3 are needed(.|\n)*alice: Dataset"):
        training.fit(5)
    assert all(torch.equal(training.model.state_dict()[name], value) for name, value in before.items())
    assert len(training.history) == 0


def test_a_model_that_is_not_finite_is_refused(three: dict[str, Any]) -> None:
    data, targets = data_of("james")
    three["james"].remove_dataset("points")
    three["james"].add_dataset(sy.BaseDataset(data * math.nan, targets), key="points")
    history = trainer(three).fit(1)
    assert "NaN" in history[0].lost["james"] and set(history[0].clients) == {"bob", "alice"}


def test_it_can_be_awaited_and_run_inside_a_running_loop(three: dict[str, Any]) -> None:
    async def both() -> list[str]:
        order: list[str] = []

        async def other() -> None:
            await asyncio.sleep(0)
            order.append("other")

        training = trainer(three)
        await asyncio.gather(training.async_fit(1), other())
        order.append("trained")
        assert len(training.fit(1)) == 2  # as in a notebook's cell
        return order

    assert asyncio.run(both()) == ["other", "trained"]


def test_a_checkpoint_goes_on_where_it_was(three: dict[str, Any], tmp_path: Path) -> None:
    whole = trainer(three)
    whole.fit(3)
    first = trainer(three)
    first.fit(2, checkpoint=tmp_path / "half.pt")
    second = trainer(three)
    assert second.resume(tmp_path / "half.pt") == 2
    second.fit(1)
    assert [record.round for record in second.history.rounds] == [1, 2, 3]
    for one, other in zip(whole.model.state_dict().values(), second.model.state_dict().values(), strict=True):
        assert torch.equal(one, other)
    other_model = nn.Sequential(nn.Linear(3, 4), nn.Linear(4, 2))
    with pytest.raises(CheckpointError, match="another model"):
        trainer(three, model=other_model).resume(tmp_path / "half.pt")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"quorum": 0}, "quorum is 0; it must be from 1 to 3"),
        ({"quorum": 4}, "quorum is 4; it must be from 1 to 3"),
        ({"progress_timeout": 0}, "progress_timeout=0"),
        ({"patience": -1.0}, "patience=-1.0"),
        ({"strategy": FedProx(0.1)}, "FedProx adds to the loss"),
    ],
)
def test_settings_that_make_no_sense_are_refused(three: dict[str, Any], options: Any, message: str) -> None:
    with pytest.raises(FederatedError, match=message):
        trainer(three, **options)


def test_no_workers_and_remote_models_are_refused(bob: Any) -> None:
    with pytest.raises(FederatedError, match="no workers"):
        trainer({})
    with pytest.raises(FederatedError, match="on a worker"):
        trainer({"bob": bob}, model=network().send(bob))


def test_tied_weights_and_entries_that_are_not_trained_come_back(three: dict[str, Any]) -> None:
    class Tied(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first, self.second = nn.Linear(3, 3), nn.Linear(3, 3)
            self.second.weight = self.first.weight
            self.last = nn.Linear(3, 2)
            self.register_buffer("unused", torch.tensor([7.0]))

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.last(self.second(self.first(x)))

    torch.manual_seed(0)
    training = trainer(three, model=Tied())
    expected = average_state_dicts({name: trained(training.model, name) for name in COUNTS}, COUNTS)
    training.fit(1)
    state = training.model.state_dict()
    assert all(torch.equal(state[name], value) for name, value in expected.items())
    assert training.model.first.weight is training.model.second.weight and state["unused"].item() == 7
