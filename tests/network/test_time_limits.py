"""A worker computes for one message, and for one training, only so long; whoever takes longer hears why."""

from __future__ import annotations

import json
import logging
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest
import torch

import syft as sy
from syft.exceptions import ConnectionLost, LimitExceededError, UsageError
from syft.federated.dataset import BaseDataset
from syft.federated.train_config import TrainConfig
from syft.status.worker_view import ServedWorkerView
from syft.tensors.object_wrapper import ObjectWrapper
from syft.workers.limits import WorkerLimits
from syft.workers.time_limits import TIME_LIMIT, TimeLimit
from tests.network.conftest import Connect, Serve

SHORT = 0.1


def long_plan() -> sy.Plan:
    """A plan of many steps, none of which takes long; all together are 12 billion multiplications."""

    @sy.func2plan(args_shape=[(500, 500)])
    def many(x: Any) -> Any:
        x = x.double()
        for _ in range(100):
            x = x @ x
        return x

    return many


def squared(pred: Any, target: Any) -> Any:
    """A loss as a TrainConfig calls it."""
    return ((pred - target) ** 2).mean()


def trained(bob: Any, epochs: int, batch_size: int = 2) -> None:
    """Configure a worker to train a small model."""
    data, target = torch.zeros(2, 3), torch.zeros(2, 1)
    model = torch.nn.Linear(3, 1)
    TrainConfig(model, squared, None, batch_size, epochs, example=(data, target)).send(bob)


@pytest.fixture
def gate() -> Iterator[threading.Event]:
    """Lets a blocked function of the owner's go on, at the latest when the test ends."""
    event = threading.Event()
    yield event
    event.set()


def blocking(gate: threading.Event) -> ObjectWrapper:
    """A function of the owner's that cannot be interrupted, as a kernel cannot."""
    return ObjectWrapper(lambda: gate.wait(60), id=77, tags=["#block"])


def test_a_computation_on_ciphertexts_is_stopped_between_them(served: Serve, connect: Connect) -> None:
    pytest.importorskip("gmpy2", reason="Paillier's cryptosystem needs gmpy2")
    public, private = sy.keygen(n_length=2048)
    bob = connect(served(limits=WorkerLimits(command_seconds=1)))
    x: Any = torch.ones(20).encrypt(private)  # type: ignore[attr-defined]
    there, weights = x.send(bob), torch.rand(20, 20_000).send(bob)
    started = time.monotonic()
    with pytest.raises(LimitExceededError, match="longer than the 1 s"):
        (there @ weights).get()
    assert time.monotonic() - started < 6, "on its own it takes half a minute"
    assert (there + 1).get().decrypt(private).tolist() == [2] * 20


def test_a_plan_is_stopped_between_its_steps(served: Serve, connect: Connect) -> None:
    bob = connect(served(limits=WorkerLimits(command_seconds=SHORT)))
    there, x = long_plan().send(bob), torch.eye(500).send(bob)
    with pytest.raises(LimitExceededError, match=r"longer than the 0\.1 s.*--max-seconds") as caught:
        there(x).get()
    assert "of plan 'many'" in "".join(caught.value.__notes__)
    assert (x + x).get().sum() == 1000, "the session goes on"


@pytest.mark.parametrize("seconds", [0, 600])
def test_control_with_enough_time_the_plan_comes_out(seconds: float, served: Serve, connect: Connect) -> None:
    bob = connect(served(limits=WorkerLimits(command_seconds=seconds)))
    plan, x = long_plan(), torch.eye(500)
    assert torch.equal(plan.send(bob)(x.send(bob)).get(), plan(x))


def test_a_training_is_stopped_between_its_batches(served: Serve, connect: Connect) -> None:
    worker = served(limits=WorkerLimits(training_seconds=SHORT))
    worker.service("training").add_dataset(BaseDataset(torch.zeros(8, 3), torch.zeros(8, 1)), "data")
    bob = connect(worker)
    trained(bob, epochs=10**6)
    with pytest.raises(LimitExceededError, match="one training.*--max-training-seconds"):
        bob.fit("data")
    assert bob.ask("training", "report")["steps"] > 1
    trained(bob, epochs=2)
    assert bob.fit("data").item() >= 0, "a shorter one is trained"


def test_a_training_may_take_longer_than_a_command(served: Serve, connect: Connect) -> None:
    worker = served(limits=WorkerLimits(command_seconds=2.0))
    worker.service("training").add_dataset(BaseDataset(torch.zeros(8, 3), torch.zeros(8, 1)), "data")
    bob = connect(worker)
    trained(bob, epochs=10**6)
    found: list[Exception] = []

    def fit() -> None:
        try:
            bob.fit("data")
        except Exception as error:
            found.append(error)

    thread = threading.Thread(target=fit)
    aside = bob.aside()
    thread.start()
    began = time.monotonic()
    while time.monotonic() - began < 4.5:
        time.sleep(0.05)
        assert aside.ask("training", "report")["total"] > 0 or not found
    aside.ask("training", "stop", aside.ask("training", "report")["config"])
    thread.join(30)
    aside.close()
    assert not thread.is_alive() and not found, "it was stopped, and keeps what it has done"


def test_epochs_with_one_message_are_a_training(served: Serve, connect: Connect) -> None:
    bob = connect(served(limits=WorkerLimits(training_seconds=SHORT)))

    @sy.func2plan(args_shape=[(2, 3)])
    def mean(x: Any) -> Any:
        return x.mean()

    there, x = mean.send(bob), torch.ones(64, 3).send(bob)
    with pytest.raises(LimitExceededError, match="one training"):
        there.run_epochs(x, batch_size=2, epochs=10**6)
    assert there.run_epochs(x, batch_size=2, epochs=1).get().tolist() == [1.0] * 32


def test_an_op_that_cannot_be_stopped_costs_its_client_the_session_and_nobody_else(
    served: Serve, connect: Connect, gate: threading.Event, caplog: pytest.LogCaptureFixture
) -> None:
    worker = served(limits=WorkerLimits(command_seconds=SHORT, threads=2))
    worker.set_obj(blocking(gate))
    mine, theirs = connect(worker), connect(worker)
    kept, x = torch.ones(2).send(mine), torch.ones(2).send(theirs)
    (block,) = mine.search("#block")
    with caplog.at_level(logging.INFO), pytest.raises(ConnectionLost, match=r"a command ran on for .* gives it 0\.1 s"):
        block()
    audited = [json.loads(r.getMessage()) for r in caplog.records if r.name == "syft.audit"]
    (entry,) = [line for line in audited if line["event"] == "timed out"]
    assert entry["seconds"] > SHORT and entry["session"]
    assert "cannot be interrupted" in caplog.text
    assert (x + x).get().tolist() == [2, 2], "others go on"
    assert mine.connect() is False, "the client may start anew"
    assert torch.ones(3).send(mine).get().tolist() == [1, 1, 1]
    del kept


def test_control_what_has_no_limit_is_waited_for(served: Serve, connect: Connect, gate: threading.Event) -> None:
    worker = served(limits=WorkerLimits(command_seconds=0))
    worker.set_obj(blocking(gate))
    bob = connect(worker)
    (block,) = bob.search("#block")
    threading.Timer(2.5, gate.set).start()  # two looks of the worker at its sessions
    assert block() is True


def test_predictions_over_http_have_the_limits_of_a_client(served: Serve, connect: Connect) -> None:
    worker = served(limits=WorkerLimits(command_seconds=SHORT, result_bytes=4 << 20))
    bob = connect(worker)

    @sy.func2plan(args_shape=[(2,)])
    def large(x: Any) -> Any:
        return x.repeat(1 << 22)

    bob.serve_model(long_plan(), "long", allow_remote_inference=True)
    bob.serve_model(large, "large", allow_remote_inference=True)
    view = ServedWorkerView(worker)
    with pytest.raises(LimitExceededError, match=r"longer than the 0\.1 s"):
        view.predict("long", torch.eye(500), None)
    with pytest.raises(LimitExceededError, match="bytes"):
        view.predict("large", torch.ones(2), None)
    assert TIME_LIMIT.get() is None


def test_nothing_is_overdue_before_and_after_a_message() -> None:
    limit = TimeLimit(1e-9, 0)
    assert limit.overdue() == 0.0
    limit.begin()
    time.sleep(0.01)
    assert limit.overdue() == 0.0, "it may still look at the time by itself"
    time.sleep(1.0)
    assert limit.overdue() > 1.0
    with pytest.raises(LimitExceededError):
        limit.check()
    limit.end()
    assert limit.overdue() == 0.0
    limit.check()


def test_limits_are_0_or_more() -> None:
    with pytest.raises(UsageError, match="command_seconds"):
        WorkerLimits(command_seconds=-1)
    with pytest.raises(UsageError, match="threads"):
        WorkerLimits(threads=0)


def test_a_training_ends_when_its_client_says_good_bye(served: Serve, connect: Connect) -> None:
    worker = served()
    worker.service("training").add_dataset(BaseDataset(torch.zeros(8, 3), torch.zeros(8, 1)), "data")
    bob = connect(worker)
    trained(bob, epochs=10**6)
    (session, channel) = worker.sessions.rows()[0]
    left: list[type[Exception]] = []

    def fit() -> None:
        try:
            bob.fit("data")
        except ConnectionLost as error:
            left.append(type(error))

    thread = threading.Thread(target=fit)
    thread.start()
    while session.service("training").progress.steps == 0:
        time.sleep(0.01)
    bob.close(end=True)
    thread.join(30)
    until = time.monotonic() + 30
    while channel.busy and time.monotonic() < until:
        time.sleep(0.01)
    assert left == [ConnectionLost] and not channel.busy
    assert session.service("training").progress.steps < 10**6
