"""The trainer held to laws: the numbers of the spec, equality with central training, exact resumption."""

from __future__ import annotations

import copy
import gc
import random
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn
from torch.nn import functional

import syft as sy
from syft.exceptions import CheckpointError, FederatedError
from syft.federated.averaging import accuracy
from syft.federated.callbacks import BatchReport, Callback
from syft.federated.client import Client, clients_from
from syft.federated.evaluation import Evaluation
from syft.federated.history import RoundRecord
from syft.federated.idx import load_mnist
from syft.federated.strategies import ClientUpdate, FedAvg, FedOpt
from syft.federated.trainer import FederatedTrainer
from tests.federated.places import fresh_workers

MNIST = Path(__file__).parents[2].parent / "shared" / "data" / "MNIST"
DATA = torch.tensor([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]])
TARGET = torch.tensor([[0.0], [0.0], [1.0], [1.0]])

Workers = list[sy.VirtualWorker]
Optimizer = Callable[[Any], torch.optim.Optimizer]


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """Steps this small only lose time, and on a busy machine much of it, to several threads."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(params=[False, True], ids=["virtual", "wire"])
def workers(request: pytest.FixtureRequest) -> Iterator[Workers]:
    with fresh_workers(wire=request.param) as fresh:
        yield fresh


@pytest.fixture
def virtual() -> Iterator[Workers]:
    with fresh_workers() as fresh:
        yield fresh


def squares(output: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
    return ((output - target) ** 2).sum()


def four_points() -> nn.Linear:
    model = nn.Linear(2, 1)
    with torch.no_grad():
        model.weight.copy_(torch.tensor([[0.1, -0.2]]))
        model.bias.fill_(0.3)
    return model


def halves(workers: Workers) -> dict[str, Client]:
    bob, alice = workers[:2]
    return {
        "bob": Client(bob, [(DATA[:2].send(bob), TARGET[:2].send(bob))]),
        "alice": Client(alice, [(DATA[2:].send(alice), TARGET[2:].send(alice))]),
    }


def four_point_trainer(workers: Workers, **options: Any) -> FederatedTrainer:
    return FederatedTrainer(
        four_points(),
        halves(workers),
        squares,
        local_epochs=2,
        evaluate=lambda model: {"squares": float(squares(model(DATA), TARGET))},
        **options,
    )


def state_of(model: nn.Module) -> dict[str, torch.Tensor]:
    return {name: tensor.detach().clone() for name, tensor in model.state_dict().items()}


def assert_same_bits(left: nn.Module, right: nn.Module) -> None:
    for (name, one), other in zip(left.state_dict().items(), right.state_dict().values(), strict=True):
        assert torch.equal(one, other), name


# --- the numbers of the spec ---------------------------------------------------------------------------


def test_golden_losses_with_the_average_sent_back(workers: Workers) -> None:
    trainer = four_point_trainer(workers)
    losses = trainer.fit(10).metric("squares")
    assert [round(loss, 4) for loss in losses] == [
        0.5825, 0.4426, 0.3534, 0.2849, 0.2303, 0.1864, 0.151, 0.1225, 0.0994, 0.0807,
    ]  # fmt: skip
    assert torch.allclose(trainer.model.weight, torch.tensor([[0.7248, -0.0682]]), atol=5e-5)
    assert trainer.model.bias.item() == pytest.approx(0.1803, abs=5e-5)


def test_golden_losses_without_redistribution(workers: Workers) -> None:
    trainer = four_point_trainer(workers, redistribute=False)
    with pytest.warns(UserWarning, match=r"client 'bob' is 64.3% away from the average in round 2: redistribute=False"):
        losses = trainer.fit(10).metric("squares")
    assert [round(loss, 4) for loss in losses] == [
        0.5825, 0.5846, 0.5846, 0.5839, 0.5834, 0.583, 0.5829, 0.5829, 0.583, 0.5832,
    ]  # fmt: skip
    assert torch.allclose(trainer.model.weight, torch.tensor([[0.2506, -0.0306]]), atol=5e-5)
    assert trainer.model.bias.item() == pytest.approx(0.3182, abs=5e-5)


def test_no_warning_where_clients_do_not_drift(virtual: Workers) -> None:
    bob, alice = virtual[:2]
    same = {worker.id: Client(worker, [(DATA.send(worker), TARGET.send(worker))]) for worker in (bob, alice)}
    FederatedTrainer(four_points(), same, squares, redistribute=False).fit(4)  # warnings are errors here


@pytest.mark.slow
@pytest.mark.skipif(not MNIST.is_dir(), reason=f"the MNIST files are not in {MNIST}")
def test_redistribution_is_what_makes_clients_of_different_digits_learn(virtual: Workers) -> None:
    images, labels = load_mnist(MNIST, limit=6000)
    test_images, test_labels = load_mnist(MNIST, train=False, limit=2000)
    flat = images.float().div(255).sub(0.1307).div(0.3081).flatten(1)
    test = test_images.float().div(255).sub(0.1307).div(0.3081).flatten(1)

    def accuracies(*, redistribute: bool) -> list[float]:
        torch.manual_seed(0)
        model = nn.Sequential(nn.Linear(784, 64), nn.ReLU(), nn.Linear(64, 10))
        clients = {}
        for worker, mine in zip(virtual[:2], (labels < 5, labels >= 5), strict=True):
            x, y = flat[mine][:1280], labels[mine][:1280]
            clients[worker.id] = Client.from_tensors(x.send(worker), y.send(worker), batch_size=32)
        trainer = FederatedTrainer(
            model,
            clients,
            functional.cross_entropy,
            optimizer=partial(torch.optim.SGD, lr=0.05),
            redistribute=redistribute,
            evaluate=Evaluation([(test, test_labels)]),
        )
        return trainer.fit(5).metric("accuracy")

    with_it = accuracies(redistribute=True)
    with pytest.warns(UserWarning, match="redistribute=False never sends the average back"):
        without = accuracies(redistribute=False)
    assert with_it[0] == without[0]  # the first round is the same
    assert with_it[-1] > without[-1] + 0.05
    assert with_it[-1] > 0.77


# --- equality with central training --------------------------------------------------------------------


class Net(nn.Module):
    """Convolution, BatchNorm and Dropout: everything that could make remote training differ."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(1, 3, 3)
        self.norm = nn.BatchNorm2d(3)
        self.drop = nn.Dropout(0.3)
        self.out = nn.Linear(12, 4)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Class scores of images of 4 x 4."""
        x = functional.relu(self.norm(self.conv(x)))
        return functional.log_softmax(self.out(self.drop(x.flatten(1))), dim=1)


def images(count: int = 24, seed: int = 5) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(count, 1, 4, 4, generator=generator), torch.randint(0, 4, (count,), generator=generator)


def net() -> Net:
    torch.manual_seed(11)
    return Net()


OPTIMIZERS: dict[str, tuple[Optimizer, bool]] = {
    "sgd": (partial(torch.optim.SGD, lr=0.1), False),
    "momentum, fresh each round": (partial(torch.optim.SGD, lr=0.1, momentum=0.9), False),
    "momentum, kept": (partial(torch.optim.SGD, lr=0.1, momentum=0.9, nesterov=True), True),
    "adam, fresh each round": (partial(torch.optim.Adam, lr=0.01), False),
    "adam, kept": (partial(torch.optim.Adam, lr=0.01, amsgrad=True), True),
    "adamw, kept": (partial(torch.optim.AdamW, lr=0.01, weight_decay=0.1), True),
    "rmsprop, kept": (partial(torch.optim.RMSprop, lr=0.01, centered=True, momentum=0.5), True),
    "adagrad, kept": (partial(torch.optim.Adagrad, lr=0.05), True),
}


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_one_client_is_plain_torch_bit_for_bit(workers: Workers, name: str) -> None:
    make, keep = OPTIMIZERS[name]
    x, y = images()
    rounds, epochs = 3, 2

    plain = net()
    torch.manual_seed(3)
    optimizer = make(plain.parameters())
    for _ in range(rounds):
        if not keep:
            optimizer = make(plain.parameters())
        for _ in range(epochs):
            for data, target in zip(x.split(7), y.split(7), strict=True):
                optimizer.zero_grad()
                functional.nll_loss(plain(data), target).backward()
                optimizer.step()

    bob = workers[0]
    batches = [(data.send(bob), target.send(bob)) for data, target in zip(x.split(7), y.split(7), strict=True)]
    trainer = FederatedTrainer(
        net(),
        {"bob": Client(bob, batches)},
        functional.nll_loss,
        optimizer=make,
        local_epochs=epochs,
        keep_optimizer_state=keep,
        evaluate=Evaluation([(x, y)]),  # measuring must not disturb the dropout's random numbers
        evaluate_clients=True,
    )
    torch.manual_seed(3)
    trainer.fit(rounds)
    assert_same_bits(trainer.model, plain)


def test_one_step_of_weighted_averaging_is_a_central_step_on_all_data(workers: Workers) -> None:
    x, y = images(24)
    sizes = [3, 14, 7]
    start = nn.Sequential(nn.Flatten(), nn.Linear(16, 4)).double()
    x = x.double()

    central = copy.deepcopy(start)
    optimizer = torch.optim.SGD(central.parameters(), lr=0.5)
    for _ in range(4):
        optimizer.zero_grad()
        functional.cross_entropy(central(x), y).backward()
        optimizer.step()

    clients = {
        worker.id: Client(worker, [(data.send(worker), target.send(worker))])
        for worker, data, target in zip(workers, x.split(sizes), y.split(sizes), strict=False)
    }
    trainer = FederatedTrainer(start, clients, functional.cross_entropy, optimizer=partial(torch.optim.SGD, lr=0.5))
    trainer.fit(4)
    for one, other in zip(start.parameters(), central.parameters(), strict=True):
        assert (one - other).abs().max() < 1e-6
    unweighted = FederatedTrainer(
        copy.deepcopy(start), clients, functional.cross_entropy, strategy=FedAvg(weighted=False)
    )
    unweighted.fit(1)
    trainer.fit(1)
    assert (unweighted.model[1].weight - trainer.model[1].weight).abs().max() > 1e-6


def test_given_sample_counts_are_the_weights(virtual: Workers) -> None:
    bob, alice = virtual[:2]
    equal, lopsided = four_points(), four_points()
    FederatedTrainer(equal, halves(virtual), squares).fit(1)
    clients = halves(virtual)
    clients["alice"] = Client(alice, clients["alice"].batches, samples=0)
    trainer = FederatedTrainer(lopsided, clients, squares)
    trainer.fit(1)
    only_bob = four_points()
    FederatedTrainer(only_bob, {"bob": Client(bob, halves(virtual)["bob"].batches)}, squares).fit(1)
    assert_same_bits(lopsided, only_bob)
    assert not torch.equal(lopsided.weight, equal.weight)
    assert trainer.history[0].clients["alice"].samples == 0


# --- resumption ----------------------------------------------------------------------------------------


def resumable(workers: Workers, **options: Any) -> FederatedTrainer:
    x, y = images()
    dataset = torch.utils.data.TensorDataset(x, y).federate(workers[:3])
    options.setdefault("evaluate", Evaluation([(x, y)], {"loss": functional.nll_loss}))
    return FederatedTrainer(net(), clients_from(dataset, batch_size=3, shuffle=True), functional.nll_loss, **options)


RESUMED: dict[str, Callable[[], dict[str, Any]]] = {
    "plain": dict,
    "kept adam": lambda: {"optimizer": partial(torch.optim.Adam, lr=0.01), "keep_optimizer_state": True},
    "kept momentum": lambda: {
        "optimizer": partial(torch.optim.SGD, lr=0.05, momentum=0.9),
        "keep_optimizer_state": True,
    },
    "sampled clients, kept": lambda: {
        "clients_per_round": 2,
        "optimizer": partial(torch.optim.Adam, lr=0.01),
        "keep_optimizer_state": True,
    },
    "never redistributed": lambda: {"redistribute": False},
    "server adam": lambda: {"strategy": FedOpt(partial(torch.optim.Adam, lr=0.01))},
}


@pytest.mark.filterwarnings("ignore:the model of client:UserWarning")
@pytest.mark.parametrize("name", RESUMED)
def test_interrupted_and_resumed_is_uninterrupted(workers: Workers, tmp_path: Path, name: str) -> None:
    torch.manual_seed(7)
    whole = resumable(workers, **RESUMED[name]())
    torch.manual_seed(8)
    whole.fit(5)

    path = tmp_path / "c.pt"
    torch.manual_seed(7)
    first = resumable(workers, **RESUMED[name]())
    torch.manual_seed(8)
    first.fit(2, checkpoint=path)
    del first
    gc.collect()
    torch.manual_seed(12345)
    random.seed(9)
    second = resumable(workers, **RESUMED[name]())
    assert second.resume(path) == 2
    torch.rand(100)  # what happens between resuming and training does not matter
    history = second.fit(3, checkpoint=path)

    assert_same_bits(second.model, whole.model)
    assert len(history) == 5
    assert history.metric("loss") == whole.history.metric("loss")
    assert history.metric("train_loss") == whole.history.metric("train_loss")
    assert [list(record.clients) for record in history.rounds] == [
        list(record.clients) for record in whole.history.rounds
    ]


def test_a_checkpoint_may_be_resumed_twice_in_a_row_before_training(virtual: Workers, tmp_path: Path) -> None:
    kept = {"optimizer": partial(torch.optim.Adam, lr=0.01), "keep_optimizer_state": True}
    trainer = resumable(virtual, **kept)
    trainer.fit(1)
    trainer.save(tmp_path / "a.pt")
    again = resumable(virtual, **kept)
    again.resume(tmp_path / "a.pt")
    again.save(tmp_path / "b.pt")  # has not trained: what it was given must go on to the next file
    third = resumable(virtual, **kept)
    third.resume(tmp_path / "b.pt")
    trainer.resume(tmp_path / "a.pt")
    trainer.fit(1)
    third._pending_rng = torch.load(tmp_path / "a.pt")["rng"]
    third.fit(1)
    assert_same_bits(third.model, trainer.model)


def test_fit_in_two_calls_is_fit_in_one(virtual: Workers) -> None:
    both, one = resumable(virtual), resumable(virtual)
    torch.manual_seed(1)
    both.fit(1)
    both.fit(2)
    torch.manual_seed(1)
    one.fit(3)
    assert_same_bits(both.model, one.model)


def test_checkpoint_every_so_many_rounds_and_at_the_end(virtual: Workers, tmp_path: Path) -> None:
    path = tmp_path / "c.pt"
    seen = []

    class Watch(Callback):
        def on_round_begin(self, round: int, clients: list[str]) -> None:
            seen.append(torch.load(path)["round"] if path.exists() else 0)

    four_point_trainer(virtual).fit(5, checkpoint=path, checkpoint_every=2, callbacks=[Watch()])
    assert seen == [0, 0, 2, 2, 4]
    assert torch.load(path)["round"] == 5


def test_a_checkpoint_of_another_model_is_refused(virtual: Workers, tmp_path: Path) -> None:
    four_point_trainer(virtual).save(tmp_path / "c.pt")
    trainer = resumable(virtual)
    before = state_of(trainer.model)
    with pytest.raises(CheckpointError, match="was made with another model"):
        trainer.resume(tmp_path / "c.pt")
    assert all(torch.equal(before[name], tensor) for name, tensor in trainer.model.state_dict().items())


# --- what can go wrong ---------------------------------------------------------------------------------


@pytest.mark.parametrize("poison", [float("nan"), float("inf"), float("-inf")])
def test_a_bad_update_is_refused_by_name_and_leaves_no_trace(workers: Workers, poison: float) -> None:
    trainer = four_point_trainer(workers)
    trainer.fit(1)
    good = state_of(trainer.model)
    alice = workers[1]
    trainer.clients["alice"] = Client(alice, [(torch.full((1, 2), poison).send(alice), torch.ones(1, 1).send(alice))])
    with pytest.raises(
        FederatedError, match=r"client 'alice' sent back 2 NaN or infinite values in 'weight' in round 2"
    ):
        trainer.fit(1)
    assert all(torch.equal(good[name], tensor) for name, tensor in trainer.model.state_dict().items())
    assert len(trainer.history) == 1
    trainer.clients["alice"] = halves(workers)["alice"]
    assert len(trainer.fit(1)) == 2


def test_infinite_buffers_are_no_bad_update(virtual: Workers) -> None:
    model = four_points()
    model.register_buffer("mask", torch.tensor([0.0, float("-inf")]))
    FederatedTrainer(model, halves(virtual), squares).fit(2)
    assert model.mask.tolist() == [0.0, float("-inf")]


def test_an_error_on_a_worker_says_whose_and_frees_the_copy(workers: Workers) -> None:
    trainer = four_point_trainer(workers)
    bob = workers[0]
    good, before = state_of(trainer.model), trainer.clients["bob"]
    trainer.clients["bob"] = Client(bob, [(torch.ones(2, 5).send(bob), torch.ones(2, 1).send(bob))])
    with pytest.raises(RuntimeError, match="shapes cannot be multiplied") as caught:
        trainer.fit(1)
    assert "while training client 'bob' in round 1" in caught.value.__notes__
    assert all(torch.equal(good[name], tensor) for name, tensor in trainer.model.state_dict().items())
    trainer.clients["bob"] = before
    del caught
    gc.collect()
    assert len(bob._objects) == 2
    trainer.fit(1)


def one_batch(worker: sy.VirtualWorker) -> list[tuple[Any, Any]]:
    return [(DATA.send(worker), TARGET.send(worker))]


@pytest.mark.parametrize(
    ("batches", "words"),
    [
        (lambda bob, alice: one_batch(alice), "trains on worker 'bob', but a batch of it is on worker 'alice'"),
        (lambda bob, alice: [(DATA, TARGET)], "trains on worker 'bob', but a batch of it is here"),
        (lambda bob, alice: [(DATA.send(bob), TARGET)], "but a batch of it is here"),
        (lambda bob, alice: [DATA.send(bob)], "a batch of client 'c' is a Tensor"),
        (lambda bob, alice: [(DATA.send(bob),)], "it must be a pair"),
        (lambda bob, alice: [], "client 'c' has no batches"),
    ],
)
def test_batches_that_cannot_be_trained_on(virtual: Workers, batches: Any, words: str) -> None:
    bob, alice = virtual[:2]
    trainer = FederatedTrainer(four_points(), {"c": Client(bob, batches(bob, alice))}, squares)
    with pytest.raises(FederatedError) as caught:
        trainer.fit(1)
    assert words in str(caught.value)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"local_epochs": 0}, "local_epochs is 0"),
        ({"clients_per_round": 0}, "clients_per_round is 0; it must be from 1 to 2"),
        ({"clients_per_round": 3}, "clients_per_round is 3"),
        ({"loss_interval": -1}, "loss_interval is -1"),
        ({"evaluate_clients": True}, "evaluate_clients needs to know how"),
        ({"clients": {}}, "there are no clients"),
    ],
)
def test_settings_out_of_range(virtual: Workers, options: dict[str, Any], words: str) -> None:
    clients = options.pop("clients", halves(virtual))
    with pytest.raises(FederatedError) as caught:
        FederatedTrainer(four_points(), clients, squares, **options)
    assert words in str(caught.value)


def test_a_remote_global_model_and_bad_numbers_of_rounds(virtual: Workers) -> None:
    with pytest.raises(FederatedError, match="the global model is on a worker"):
        FederatedTrainer(four_points().send(virtual[0]), halves(virtual), squares)
    for arguments in ({"rounds": -1}, {"rounds": 1, "checkpoint_every": 0}):
        with pytest.raises(FederatedError, match="use positive numbers"):
            four_point_trainer(virtual).fit(**arguments)
    assert len(four_point_trainer(virtual).fit(0)) == 0


# --- progress, figures, memory -------------------------------------------------------------------------


class Recorder(Callback):
    """Keeps what it is told."""

    def __init__(self) -> None:
        self.told: list[Any] = []
        self.batches: list[BatchReport] = []

    def on_round_begin(self, round: int, clients: list[str]) -> None:
        self.told.append(("begin", round, tuple(clients)))

    def on_batch(self, report: BatchReport) -> None:
        self.told.append(("batch", report.round, report.client))
        self.batches.append(report)

    def on_client_end(self, round: int, update: ClientUpdate) -> None:
        self.told.append(("client", round, update.name, update.samples))

    def on_round_end(self, record: RoundRecord, model: nn.Module) -> None:
        self.told.append(("end", record.round, round(record.metrics["squares"], 4)))


def test_callbacks_are_told_in_order(workers: Workers) -> None:
    recorder = Recorder()
    four_point_trainer(workers).fit(2, callbacks=[recorder, Callback()])
    assert recorder.told[:8] == [
        ("begin", 1, ("bob", "alice")),
        ("batch", 1, "bob"),
        ("batch", 1, "bob"),
        ("client", 1, "bob", 2),
        ("batch", 1, "alice"),
        ("batch", 1, "alice"),
        ("client", 1, "alice", 2),
        ("end", 1, 0.5825),
    ]
    assert recorder.told[-1] == ("end", 2, 0.4426)
    assert [(b.epoch, b.batch, b.samples) for b in recorder.batches[:2]] == [(1, 1, 2), (2, 1, 2)]
    assert recorder.batches[0].loss == pytest.approx(0.1)


@pytest.mark.parametrize(("interval", "fetched"), [(0, []), (1, [1, 2, 3, 4, 5]), (2, [1, 3, 5]), (10, [1])])
def test_losses_are_fetched_at_the_interval(virtual: Workers, interval: int, fetched: list[int]) -> None:
    bob = virtual[0]
    client = Client.from_tensors(torch.randn(10, 2).send(bob), torch.randn(10, 1).send(bob), batch_size=2)
    trainer = FederatedTrainer(
        four_points(), {"bob": client}, functional.mse_loss, loss_interval=interval, evaluate=lambda _: {"squares": 0}
    )
    recorder = Recorder()
    trainer.fit(1, callbacks=[recorder])
    assert [report.batch for report in recorder.batches if report.loss is not None] == fetched


def test_figures_of_a_client(workers: Workers) -> None:
    bob = workers[0]
    x, y = torch.randn(5, 2), torch.randn(5, 1)
    plain = four_points()
    optimizer = torch.optim.SGD(plain.parameters(), lr=0.1)
    total = 0.0
    for data, target in zip(x.split(2), y.split(2), strict=True):
        optimizer.zero_grad()
        loss = functional.mse_loss(plain(data), target)
        loss.backward()
        optimizer.step()
        total += loss.item() * len(data)
    client = Client.from_tensors(x.send(bob), y.send(bob), batch_size=2)
    trainer = FederatedTrainer(
        four_points(), {"bob": client}, functional.mse_loss, evaluate=lambda m: {"w": m.weight[0, 0].item()},
        evaluate_clients=True,
    )  # fmt: skip
    record = trainer.fit(1)[0].clients["bob"]
    assert (record.samples, record.batches) == (5, 3)
    assert record.train_loss == pytest.approx(total / 5)
    assert record.drift == 0.0  # the only client is the average
    assert record.metrics == {"w": plain.weight[0, 0].item()}
    assert 0 < record.seconds <= trainer.history[0].seconds


def test_drift_is_the_relative_distance_from_the_average(virtual: Workers) -> None:
    trainer = four_point_trainer(virtual)
    updates = {}

    class Keep(Callback):
        def on_client_end(self, round: int, update: ClientUpdate) -> None:
            updates[update.name] = torch.cat([tensor.flatten().clone() for tensor in update.state.values()])

    record = trainer.fit(1, callbacks=[Keep()])[0]
    average = (updates["bob"] + updates["alice"]) / 2
    for name, vector in updates.items():
        assert record.clients[name].drift == pytest.approx(
            ((vector - average).norm() / average.norm()).item(), rel=1e-5
        )


def test_sampling_clients(virtual: Workers) -> None:
    clients = {worker.id: Client(worker, one_batch(worker)) for worker in virtual}
    trainer = FederatedTrainer(
        four_points(), clients, squares, optimizer=partial(torch.optim.SGD, lr=0.01), clients_per_round=2
    )
    torch.manual_seed(0)
    taken = [tuple(record.clients) for record in trainer.fit(12).rounds]
    names = list(clients)
    assert all(len(pair) == 2 and names.index(pair[0]) < names.index(pair[1]) for pair in taken)
    assert {name for pair in taken for name in pair} == set(names)
    assert len(set(taken)) > 2


def test_training_leaves_nothing_behind_on_the_workers(workers: Workers) -> None:
    trainer = four_point_trainer(workers)
    trainer.fit(1)
    before = [len(worker._objects) for worker in workers]
    trainer.fit(5)
    gc.collect()
    assert [len(worker._objects) for worker in workers] == before == [2, 2, 0, 0]


def test_kept_optimizers_do_not_pile_up(workers: Workers) -> None:
    trainer = four_point_trainer(workers, optimizer=partial(torch.optim.Adam, lr=0.1), keep_optimizer_state=True)
    counts = []
    for _ in range(4):
        trainer.fit(1)
        gc.collect()
        counts.append([len(worker._objects) for worker in workers[:2]])
    assert counts == [[6, 6]] * 4  # 2 of data, 2 moments of 2 parameters
    del trainer
    gc.collect()
    assert [len(worker._objects) for worker in workers] == [0] * 4


def test_gradients_stay_on_the_worker(virtual: Workers) -> None:
    trainer = four_point_trainer(virtual, keep_optimizer_state=True)
    trainer.fit(1)
    assert all(p.grad is None for local in trainer._kept.values() for p in local.module.parameters())
    assert all(p.grad is None for p in trainer.model.parameters())


# --- data that was always on the worker ----------------------------------------------------------------


def test_data_loaded_on_the_worker_is_met_as_pointers_only(workers: Workers) -> None:
    bob, alice = workers[:2]
    # What the hospitals do: load their data and give it a name.
    for worker, rows in ((bob, slice(0, 2)), (alice, slice(2, 4))):
        worker.load_data(
            [DATA[rows].clone().tag("#patients", "#data"), TARGET[rows].clone().tag("#patients", "#target")]
        )
    # What the scientist does: find it and train.
    me = sy.local_worker
    clients = {}
    for worker in (bob, alice):
        (data,) = me.request_search(["#patients", "#data"], location=worker)
        (target,) = me.request_search(["#patients", "#target"], location=worker)
        clients[worker.id] = Client.from_tensors(data, target, batch_size=2)
    trainer = FederatedTrainer(
        four_points(), clients, squares, local_epochs=2,
        evaluate=lambda model: {"squares": float(squares(model(DATA), TARGET))},
    )  # fmt: skip
    assert [round(loss, 4) for loss in trainer.fit(3).metric("squares")] == [0.5825, 0.4426, 0.3534]
    del trainer, clients, data, target
    gc.collect()
    assert [len(bob._objects), len(alice._objects)] == [2, 2]  # the data is theirs and stays


def test_a_whole_data_set_on_a_worker(workers: Workers) -> None:
    clients = {}
    for worker, rows in zip(workers[:2], (slice(0, 2), slice(2, 4)), strict=True):
        pointer = sy.BaseDataset(DATA[rows], TARGET[rows]).send(worker)
        clients[worker.id] = Client.from_dataset(pointer, batch_size=2)
    trainer = FederatedTrainer(
        four_points(), clients, squares, local_epochs=2,
        evaluate=lambda model: {"squares": float(squares(model(DATA), TARGET))},
    )  # fmt: skip
    assert [round(loss, 4) for loss in trainer.fit(3).metric("squares")] == [0.5825, 0.4426, 0.3534]


def test_the_sample_of_the_readme_learns(virtual: Workers) -> None:
    x, y = images(200, seed=1)
    y = (x.flatten(1).sum(1) > 0).long()
    federated = torch.utils.data.TensorDataset(x, y).federate(virtual[:3])
    torch.manual_seed(0)
    trainer = FederatedTrainer(
        nn.Sequential(nn.Flatten(), nn.Linear(16, 2)),
        clients_from(federated, batch_size=10, shuffle=True),
        functional.cross_entropy,
        evaluate=Evaluation([(x, y)], {"accuracy": accuracy}),
    )
    assert trainer.fit(8).metric("accuracy")[-1] > 0.95
