"""`SecureAggregation` in both trainers: what they compute, whom they leave out, and what they refuse."""

from __future__ import annotations

import copy
import gc
import math
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import nn

import syft as sy
from syft.exceptions import AggregationError, ConnectionLost, FederatedError
from syft.federated import Client, FederatedTrainer, FedOpt, FedProx, History, SecureAggregation
from syft.federated.callbacks import BatchReport, Callback
from syft.federated.secure.participant import SecretParticipant
from syft.federated.secure.server import STAGES
from syft.federated.strategies import ClientUpdate, Strategy
from syft.federated.training_service import TrainingService

COUNTS = {"bob": 8, "alice": 20, "james": 14, "kim": 11}
EXAMPLE = (torch.zeros(2, 3), torch.zeros(2, dtype=torch.long))
LR = 0.1


def data_of(name: str) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(COUNTS[name])
    return torch.randn(COUNTS[name], 3, generator=generator), torch.randint(0, 2, (COUNTS[name],), generator=generator)


def network() -> nn.Module:
    torch.manual_seed(3)
    return nn.Sequential(nn.Linear(3, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Linear(8, 2))


@pytest.fixture
def four(make_worker: Callable[..., Any]) -> dict[str, Any]:
    """Four workers with data of different amounts."""
    workers = {name: make_worker(name) for name in COUNTS}
    for name, worker in workers.items():
        worker.add_dataset(sy.BaseDataset(*data_of(name)), key="points")
    return workers


@pytest.fixture
def virtual(hook: sy.TorchHook) -> dict[str, Any]:
    """Four virtual workers with the same."""
    workers = {name: sy.VirtualWorker(hook, id=name, auto_add=False) for name in COUNTS}
    for name, worker in workers.items():
        worker.add_dataset(sy.BaseDataset(*data_of(name)), key="points")
    return workers


def concurrent(workers: dict[str, Any], strategy: Strategy | None, **options: Any) -> sy.ConcurrentTrainer:
    settings = {"batch_size": 4, "shuffle": False, "optimizer_args": {"lr": LR}, "model": network()} | options
    model = settings.pop("model")
    return sy.ConcurrentTrainer(
        model, workers, F.cross_entropy, dataset="points", example=EXAMPLE, strategy=strategy, **settings
    )


def in_turn(workers: dict[str, Any], strategy: Strategy | None, **options: Any) -> FederatedTrainer:
    clients = {}
    for name, worker in workers.items():
        data, targets = (tensor.send(worker) for tensor in data_of(name))
        clients[name] = Client.from_tensors(data, targets, batch_size=9)
    settings = {"model": network(), "optimizer": lambda parameters: torch.optim.SGD(parameters, lr=LR)} | options
    model = settings.pop("model")
    return FederatedTrainer(model, clients, F.cross_entropy, strategy=strategy, **settings)


TRAINERS = pytest.mark.parametrize("make", [concurrent, in_turn])


def distance(one: nn.Module, other: nn.Module) -> float:
    pairs = zip(one.state_dict().values(), other.state_dict().values(), strict=True)
    return max(float((a.double() - b.double()).abs().max()) for a, b in pairs)


class Diary(Callback):
    """Writes down what it is told."""

    def __init__(self) -> None:
        self.lines: list[tuple[Any, ...]] = []
        self.updates: list[ClientUpdate] = []
        self.losses: list[float | None] = []

    def on_batch(self, report: BatchReport) -> None:
        self.losses.append(report.loss)

    def on_client_end(self, round: int, update: ClientUpdate) -> None:
        self.lines.append(("end", round, update.name))
        self.updates.append(update)

    def on_client_lost(self, round: int, client: str, error: Exception) -> None:
        self.lines.append(("lost", round, client, str(error)))

    def on_client_back(self, round: int, client: str) -> None:
        self.lines.append(("back", round, client))


# --- the same as in the open -------------------------------------------------------------------------


@TRAINERS
@pytest.mark.parametrize(("bits", "weighted"), [(64, True), (64, False), (32, True)])
def test_the_result_is_that_of_plain_averaging_but_for_quantisation(
    four: dict[str, Any], make: Any, bits: int, weighted: bool
) -> None:
    secret = SecureAggregation(bits=bits, weighted=weighted)
    plain, hidden = make(four, sy.federated.FedAvg(weighted=weighted)), make(four, secret)
    record, known = hidden.fit(1)[0], plain.fit(1)[0]
    total = sum(COUNTS.values()) if weighted else len(COUNTS)
    quantisation = len(COUNTS) * 2.0 ** -(secret.ring.fraction_bits + 1) / total
    assert distance(plain.model, hidden.model) <= quantisation + 2e-6  # of float32
    assert record.together["samples" if weighted else "weight"] == total
    if weighted:
        assert record.train_loss == pytest.approx(known.train_loss, abs=quantisation + 1e-6)
    assert set(record.clients) == set(COUNTS) and not record.lost


def test_a_small_model_learns_as_well(four: dict[str, Any]) -> None:
    plain, hidden = concurrent(four, None), concurrent(four, SecureAggregation())
    assert plain.fit(4)[-1].train_loss == pytest.approx(hidden.fit(4)[-1].train_loss, abs=1e-4)
    assert hidden.history[-1].train_loss < hidden.history[0].train_loss
    assert distance(plain.model, hidden.model) < 1e-4


@TRAINERS
def test_one_step_of_equal_workers_is_a_step_of_sgd_on_all_their_data(virtual: dict[str, Any], make: Any) -> None:
    torch.manual_seed(5)
    model = nn.Sequential(nn.Linear(3, 8), nn.Tanh(), nn.Linear(8, 2))
    central = copy.deepcopy(model)
    data, targets = (torch.cat([data_of(name)[part][:4] for name in COUNTS]) for part in (0, 1))
    F.cross_entropy(central(data), targets).backward()
    torch.optim.SGD(central.parameters(), lr=LR).step()
    secret = SecureAggregation()
    if make is concurrent:
        concurrent(virtual, secret, model=model, max_batches=1).fit(1)
    else:
        first = {n: [t[:4].send(w) for t in data_of(n)] for n, w in virtual.items()}
        clients = {n: Client.from_tensors(*pair, batch_size=4) for n, pair in first.items()}
        FederatedTrainer(model, clients, F.cross_entropy, strategy=secret).fit(1)
    assert distance(model, central) < 1e-6


@TRAINERS
def test_the_mean_goes_to_another_strategy(virtual: dict[str, Any], make: Any) -> None:
    def momentum() -> FedOpt:
        return FedOpt(lambda parameters: torch.optim.SGD(parameters, lr=0.7, momentum=0.9))

    plain, hidden = make(virtual, momentum()), make(virtual, SecureAggregation(momentum()))
    plain.fit(2)
    hidden.fit(2)
    assert distance(plain.model, hidden.model) < 1e-5
    assert hidden.strategy.state_dict()["optimizer"]["state"]


def test_a_strategy_with_a_term_in_the_loss(virtual: dict[str, Any]) -> None:
    plain, hidden = in_turn(virtual, FedProx(mu=0.5)), in_turn(virtual, SecureAggregation(FedProx(mu=0.5)))
    plain.fit(1)
    hidden.fit(1)
    assert distance(plain.model, hidden.model) < 1e-5
    with pytest.raises(FederatedError, match="adds to the loss"):
        concurrent(virtual, SecureAggregation(FedProx()))


def test_what_is_frozen_or_shared_within_the_model(virtual: dict[str, Any]) -> None:
    def model() -> nn.Module:
        torch.manual_seed(1)
        made = nn.Sequential(nn.Linear(3, 3), nn.Linear(3, 3), nn.Linear(3, 2))
        made[1].weight = made[0].weight
        made[2].bias.requires_grad_(False)
        return made

    plain, hidden = in_turn(virtual, None, model=model()), in_turn(virtual, SecureAggregation(), model=model())
    plain.fit(1)
    hidden.fit(1)
    assert distance(plain.model, hidden.model) < 1e-6


@TRAINERS
def test_nothing_stays_on_the_workers(four: dict[str, Any], make: Any) -> None:
    training = make(four, SecureAggregation())
    before = [len(worker._objects) for worker in four.values()]
    training.fit(2)
    assert [len(worker._objects) for worker in four.values()] == before


def test_nothing_stays_where_a_training_fails(virtual: dict[str, Any]) -> None:
    training = in_turn(virtual, SecureAggregation())
    kim = training.clients["kim"]
    training.clients["kim"] = Client(kim.worker, [(data, data) for data, _ in kim.batches])
    before = [len(worker._objects) for worker in virtual.values()]
    for _ in range(2):
        with pytest.raises(Exception) as raised:  # noqa: PT011 - whatever torch says of such targets
            training.fit(1)
        assert "while training client 'kim' in round 1" in raised.value.__notes__
        del raised
    gc.collect()
    assert [len(worker._objects) for worker in virtual.values()] == before


def test_a_checkpoint_goes_on(virtual: dict[str, Any], tmp_path: Any) -> None:
    whole = concurrent(virtual, SecureAggregation())
    whole.fit(2)
    concurrent(virtual, SecureAggregation()).fit(1, checkpoint=tmp_path / "c.pt")
    second = concurrent(virtual, SecureAggregation(), model=network())
    assert second.resume(tmp_path / "c.pt") == 1
    second.fit(1)
    assert distance(whole.model, second.model) < 1e-5
    assert History.from_json(second.history.to_json())[0].together == second.history[0].together


# --- what is told ------------------------------------------------------------------------------------


def test_the_records_of_clients_have_no_figures_of_their_own(four: dict[str, Any]) -> None:
    diary = Diary()
    record = concurrent(four, SecureAggregation()).fit(1, callbacks=[diary])[0]
    for client in record.clients.values():
        assert (client.samples, client.batches) == (0, 0)
        assert math.isnan(client.train_loss) and math.isnan(client.drift) and client.seconds > 0
    assert sorted(diary.lines) == [("end", 1, name) for name in sorted(COUNTS)]
    assert all(not update.state and update.samples == 0 for update in diary.updates)


def test_losses_of_batches_are_not_fetched(virtual: dict[str, Any]) -> None:
    diary = Diary()
    in_turn(virtual, SecureAggregation(), loss_interval=1).fit(1, callbacks=[diary])
    assert diary.losses and set(diary.losses) == {None}


# --- who is left out ---------------------------------------------------------------------------------


def spoil(worker: Any, name: str, data: torch.Tensor) -> None:
    worker.remove_dataset("points")
    worker.add_dataset(sy.BaseDataset(data, data_of(name)[1]), key="points")


def test_a_client_with_an_update_that_is_not_finite_is_left_out_and_the_round_goes_on(four: dict[str, Any]) -> None:
    data = data_of("alice")[0]
    data[3, 1] = math.nan
    spoil(four["alice"], "alice", data)
    others = {name: worker for name, worker in four.items() if name != "alice"}
    expected, diary = concurrent(others, None), Diary()
    training = concurrent(four, SecureAggregation())
    expected.fit(1)
    record = training.fit(1, callbacks=[diary])[0]
    assert set(record.lost) == {"alice"} and "client 'alice' keeps its update to itself" in record.lost["alice"]
    assert distance(expected.model, training.model) < 1e-5
    assert ("lost", 1, "alice", record.lost["alice"]) in diary.lines and ("end", 1, "alice") not in diary.lines
    spoil(four["alice"], "alice", data_of("alice")[0])
    assert not training.fit(1, callbacks=[diary])[1].lost and ("back", 2, "alice") in diary.lines


@TRAINERS
def test_a_client_whose_model_has_changed_too_much_is_left_out(virtual: dict[str, Any], make: Any) -> None:
    training = make(virtual, None)
    before = {name: value.clone() for name, value in training.model.state_dict().items()}
    diary = Diary()
    training.fit(1, callbacks=[diary])
    floats = [name for name, value in before.items() if value.is_floating_point()]
    lengths = {
        update.name: math.sqrt(sum(float((update.state[n] - before[n]).double().square().sum()) for n in floats))
        for update in diary.updates
    }
    first, second, *_ = sorted(lengths.values(), reverse=True)
    longest = max(lengths, key=lambda name: lengths[name])
    record = make(virtual, SecureAggregation(max_norm=(first + second) / 2)).fit(1)[0]
    assert set(record.lost) == {longest} and f"has a length of {first:.4g}"[:20] in record.lost[longest]


class Reshaping(TrainingService):
    """Trains, and leaves a model of another shape."""

    def fit(self, dataset_key: str, device: str = "cpu") -> torch.Tensor:
        loss = super().fit(dataset_key, device)
        assert self.config is not None
        tensors = self.worker._store.get(self.config._model_id).state._tensors
        tensors[0] = torch.zeros(1)
        return loss


def test_a_client_with_a_model_of_another_shape_is_left_out(virtual: dict[str, Any]) -> None:
    virtual["bob"].__dict__["_services"] = {"training": Reshaping(virtual["bob"])}
    virtual["bob"].add_dataset(sy.BaseDataset(*data_of("bob")), key="points")
    record = concurrent(virtual, SecureAggregation()).fit(1)[0]
    assert set(record.lost) == {"bob"} and "client 'bob' keeps its update" in record.lost["bob"]


def test_a_client_with_numbers_too_large_for_the_ring_is_left_out(virtual: dict[str, Any]) -> None:
    spoil(virtual["kim"], "kim", data_of("kim")[0] * 1e6)  # running means of a million, eleven samples
    record = concurrent(virtual, SecureAggregation(bits=32)).fit(1)[0]
    assert set(record.lost) == {"kim"} and "does not go into sums of 4 numbers of 32 bits" in record.lost["kim"]


class Slow(TrainingService):
    """Takes a while for each batch."""

    pause = 0.0

    def _batches(self, *args: Any, **kwargs: Any) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        for batch in super()._batches(*args, **kwargs):
            time.sleep(self.pause)
            yield batch


def slowed(worker: Any, name: str, pause: float) -> Slow:
    service = Slow(worker)
    service.pause = pause
    worker.__dict__["_services"] = {"training": service}
    worker.add_dataset(sy.BaseDataset(*data_of(name)), key="points")
    return service


def test_a_worker_that_gets_on_slowly_is_waited_for(virtual: dict[str, Any]) -> None:
    slowed(virtual["bob"], "bob", 0.4)  # two batches
    assert not concurrent(virtual, SecureAggregation(), progress_timeout=0.7).fit(1)[0].lost


def test_a_worker_that_does_not_get_on_is_left_out(virtual: dict[str, Any]) -> None:
    slowed(virtual["bob"], "bob", 1.5)
    record = concurrent(virtual, SecureAggregation(), progress_timeout=0.5).fit(1)[0]
    assert set(record.lost) == {"bob"} and "no progress for 0.5 s" in record.lost["bob"]


def test_a_worker_that_is_late_gives_what_it_has(virtual: dict[str, Any]) -> None:
    service = slowed(virtual["alice"], "alice", 0.02)
    training = concurrent(virtual, SecureAggregation(), local_epochs=100, quorum=3, patience=0.2)
    record = training.fit(1)[0]
    assert not record.lost and 0 < service.progress.steps < 500
    others = sum(count for name, count in COUNTS.items() if name != "alice")
    assert record.together["samples"] == others + service.progress.samples


def test_some_clients_are_drawn_for_each_round(virtual: dict[str, Any]) -> None:
    training = in_turn(virtual, SecureAggregation(threshold=2), clients_per_round=3)
    (record,) = training.fit(1).rounds
    assert len(record.clients) == 3
    assert record.together["samples"] == sum(COUNTS[name] for name in record.clients)


def failing(monkeypatch: pytest.MonkeyPatch, whens: dict[str, str]) -> None:
    """Lose the connection to some workers when they are asked something."""
    ask = SecretParticipant.ask

    async def asked(self: SecretParticipant, method: str, *args: Any) -> Any:
        if whens.get(self.worker.id) == method:
            raise ConnectionLost(f"{self.worker.id} is gone")
        return await ask(self, method, *args)

    monkeypatch.setattr(SecretParticipant, "ask", asked)


@pytest.mark.parametrize("stage", STAGES)
def test_a_worker_that_is_lost_at_any_stage(four: dict[str, Any], monkeypatch: Any, stage: str) -> None:
    failing(monkeypatch, {"james": stage})
    there = four if stage == "unmask" else {name: worker for name, worker in four.items() if name != "james"}
    expected, training, diary = concurrent(there, None), concurrent(four, SecureAggregation()), Diary()
    expected.fit(1)
    record = training.fit(1, callbacks=[diary])[0]
    assert record.lost == ({} if stage == "unmask" else {"james": "james is gone"})
    assert set(record.clients) == set(there) and distance(expected.model, training.model) < 1e-5
    monkeypatch.undo()
    assert not training.fit(1, callbacks=[diary])[1].lost
    assert (("back", 2, "james") in diary.lines) == (stage != "unmask")


def test_too_few_workers_leave_the_model_as_it_is(four: dict[str, Any], monkeypatch: Any) -> None:
    training = concurrent(four, SecureAggregation(threshold=3))
    before = copy.deepcopy(training.model)
    failing(monkeypatch, {"james": "share_keys", "kim": "masked"})
    with pytest.raises(AggregationError, match="2 of 4 clients are left after stage 'masked', and the threshold is 3"):
        training.fit(1)
    assert distance(before, training.model) == 0 and len(training.history) == 0
    monkeypatch.undo()
    assert training.fit(1)[0].round == 1
    assert [len(worker._objects) for worker in four.values()] == [0] * 4


def test_a_quorum_counts_those_in_the_sum(virtual: dict[str, Any], monkeypatch: Any) -> None:
    failing(monkeypatch, {"james": "masked"})
    training = concurrent(virtual, SecureAggregation(threshold=3), quorum=4)
    with pytest.raises(FederatedError, match=r"3 of 4 workers finished round 1, and 4 are needed(.|\n)*james is gone"):
        training.fit(1)


def test_an_error_of_a_callback_is_raised(virtual: dict[str, Any]) -> None:
    class Broken(Callback):
        def on_client_end(self, round: int, update: ClientUpdate) -> None:
            raise ZeroDivisionError("mine")

    training = concurrent(virtual, SecureAggregation())
    with pytest.raises(ZeroDivisionError, match="mine"):
        training.fit(1, callbacks=[Broken()])
    assert len(training.fit(1)) == 1


# --- what is refused ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        ({"threshold": 1}, "threshold is 1"),
        ({"bits": 16}, "no ring of 16 bits"),
        ({"bits": 32, "fraction_bits": 31}, "no ring of 32 bits with 31"),
        ({"max_norm": 0}, "max_norm is 0"),
        ({"max_norm": math.nan}, "max_norm is nan"),
        ({"strategy": SecureAggregation()}, "given another one"),
    ],
)
def test_settings_that_make_no_sense(options: dict[str, Any], complaint: str) -> None:
    with pytest.raises(FederatedError, match=complaint):
        SecureAggregation(**options)


@TRAINERS
@pytest.mark.parametrize("threshold", [2, 5])
def test_a_threshold_that_does_not_fit_the_clients(virtual: dict[str, Any], make: Any, threshold: int) -> None:
    with pytest.raises(AggregationError, match="it must be from 3"):
        make(virtual, SecureAggregation(threshold=threshold))


@pytest.mark.parametrize(
    "options",
    [
        {"keep_optimizer_state": True},
        {"redistribute": False},
        {"evaluate_clients": True, "evaluate": lambda model: {}},
    ],
)
def test_what_needs_the_models_of_clients(virtual: dict[str, Any], options: dict[str, Any]) -> None:
    with pytest.raises(FederatedError, match="stay where they are"):
        in_turn(virtual, SecureAggregation(), **options)


def test_updates_in_the_open_are_not_aggregated() -> None:
    with pytest.raises(FederatedError, match="have arrived in the open"):
        SecureAggregation().aggregate({}, [ClientUpdate("a", {}, 1)])
