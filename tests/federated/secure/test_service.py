"""The service ``aggregation`` of workers, called by message: virtual ones, through the codec, and over a network."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
import torch

import syft as sy
from syft.exceptions import AggregationError, GetNotPermittedError, ObjectNotFoundError
from syft.federated.secure.fixed_point import FixedPoint
from syft.federated.secure.server import AggregationServer, Summed
from syft.federated.secure.talk import sum_in_turn, talk

NAMES = ("ann", "ben", "cyd", "dan")
RING = FixedPoint(64, 24)
TERMS = {"threshold": 3, "bits": 64, "fraction_bits": 24, "max_norm": None}


@pytest.fixture
def four(make_worker: Callable[..., Any]) -> dict[str, Any]:
    return {name: make_worker(name) for name in NAMES}


def ask(worker: Any, method: str, *args: Any) -> Any:
    return worker.fetch_reply(worker.ask("aggregation", method, *args))


def offer(worker: Any, change: torch.Tensor, weight: float = 1) -> dict[str, Any]:
    """A model that has changed by this much, on the worker."""
    sent = [t.send(worker, garbage_collect_data=False) for t in (change, torch.zeros_like(change), torch.tensor(0.5))]
    trained, start, loss = [pointer.id_at_location for pointer in sent]
    return {"trained": [trained], "places": None, "start": [start], "config": None, "weight": weight, "loss": loss}


def aggregate(workers: dict[str, Any], models: dict[str, Any], size: int, session: bytes = b"one") -> Summed:
    server = AggregationServer(list(models), 3, RING, size, session)
    asks = {name: partial(ask, workers[name]) for name in models}
    return sum_in_turn(talk(server, TERMS, models), asks)


def test_workers_sum_what_they_hold_and_keep_nothing(four: dict[str, Any]) -> None:
    changes = {name: torch.randn(3, 2) for name in NAMES}
    models = {name: offer(four[name], changes[name], weight) for weight, name in enumerate(NAMES, start=1)}
    summed = aggregate(four, models, 2 + 6)
    total = RING.decode(summed.total)
    expected = sum(weight * changes[name].double() for weight, name in enumerate(NAMES, start=1))
    assert torch.allclose(total[2:].reshape(3, 2), expected, atol=4 * 2**-25)
    assert total[0] == 10 and total[1] == 5 and summed.clients == NAMES
    assert [len(worker._objects) for worker in four.values()] == [0] * 4


def test_one_worker_can_be_several_clients(four: dict[str, Any]) -> None:
    models = {name: offer(four["ann"], torch.ones(2)) for name in NAMES}
    summed = aggregate(dict.fromkeys(NAMES, four["ann"]), models, 4)
    assert RING.decode(summed.total).tolist() == [4, 2, 4, 4]


def test_a_model_is_remembered_where_it_is(four: dict[str, Any]) -> None:
    pointer = torch.ones(2).send(four["ann"])
    (copied,) = four["ann"].ask("aggregation", "remember", [pointer.id_at_location])
    pointer.add_(1)
    assert four["ann"].fetch_reply(copied).tolist() == [1, 1] and pointer.get().tolist() == [2, 2]


def test_an_update_is_summed_once(four: dict[str, Any]) -> None:
    models = {name: offer(four[name], torch.ones(2)) for name in NAMES}
    aggregate(four, models, 4)
    with pytest.raises(AggregationError, match="0 of 4 clients are left"):
        aggregate(four, models, 4, b"two")


def test_an_update_is_forgotten_once_it_is_masked(four: dict[str, Any]) -> None:
    held: dict[str, list[int]] = {}

    def noting(worker: Any, method: str, *args: Any) -> Any:
        held.setdefault(method, []).append(len(worker._objects))
        return ask(worker, method, *args)

    models = {name: offer(four[name], torch.ones(2)) for name in NAMES}
    asks = {name: partial(noting, four[name]) for name in NAMES}
    sum_in_turn(talk(AggregationServer(NAMES, 3, RING, 4, b"one"), TERMS, models), asks)
    assert held == {"advertise": [3] * 4, "share_keys": [1] * 4, "masked": [1] * 4, "unmask": [0] * 4}


def test_the_weight_of_another_training_is_not_taken(hook: sy.TorchHook) -> None:
    worker = sy.VirtualWorker(hook, id="trained", auto_add=False)
    progress = worker.service("training").progress
    progress.config = 7
    model = offer(worker, torch.ones(2)) | {"config": 7, "weight": None}
    with pytest.raises(AggregationError, match="has not trained with that config"):  # nothing at all
        ask(worker, "advertise", b"one", "ann", TERMS, model)
    progress.add(0.5, 8, first_pass=True)
    with pytest.raises(AggregationError, match="has not trained with that config"):
        ask(worker, "advertise", b"one", "ann", TERMS, offer(worker, torch.ones(2)) | {"config": 8, "weight": None})
    ask(worker, "advertise", b"one", "ann", TERMS, offer(worker, torch.ones(2)) | {"config": 7, "weight": None})


def test_an_update_that_was_offered_cannot_be_fetched(four: dict[str, Any]) -> None:
    model = offer(four["ann"], torch.ones(2))
    ask(four["ann"], "advertise", b"one", "ann", TERMS, model)
    for id in (*model["trained"], *model["start"], model["loss"]):
        with pytest.raises(ObjectNotFoundError):
            four["ann"].ask("aggregation", "remember", [id])


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_a_client_keeps_an_update_that_is_not_finite_to_itself(four: dict[str, Any], bad: float) -> None:
    changes = {name: torch.tensor([1.0, bad if name == "cyd" else 2.0]) for name in NAMES}
    summed = aggregate(four, {name: offer(four[name], change) for name, change in changes.items()}, 4)
    assert set(summed.lost) == {"cyd"} and RING.decode(summed.total).tolist() == [3, 1.5, 3, 6]
    assert "client 'cyd' keeps its update to itself" in summed.lost["cyd"] and "1 NaN or inf" in summed.lost["cyd"]
    assert [len(worker._objects) for worker in four.values()] == [0] * 4


def test_a_client_keeps_an_update_that_is_too_large_for_the_sum_to_itself(four: dict[str, Any]) -> None:
    changes = {name: torch.tensor([2.0**39 if name == "ben" else 2.0]) for name in NAMES}
    summed = aggregate(four, {name: offer(four[name], change) for name, change in changes.items()}, 3)
    assert set(summed.lost) == {"ben"} and "client 'ben' keeps its update to itself" in summed.lost["ben"]
    assert "does not go into sums of 4" in summed.lost["ben"] and RING.decode(summed.total).tolist() == [3, 1.5, 6]


def test_a_second_answer_to_the_last_question_is_refused(four: dict[str, Any]) -> None:
    models = {name: offer(four[name], torch.ones(2)) for name in NAMES}
    aggregate(four, models, 4)
    with pytest.raises(AggregationError, match="takes no part in this aggregation, or not any more"):
        ask(four["ann"], "unmask", b"one", "ann", list(NAMES[:3]))


def test_an_aggregation_that_was_broken_off_leaves_nothing_once_the_next_begins(four: dict[str, Any]) -> None:
    ask(four["ann"], "advertise", b"one", "ann", TERMS, offer(four["ann"], torch.ones(2)))
    aggregate(four, {name: offer(four[name], torch.ones(2)) for name in NAMES}, 4, b"two")
    assert len(four["ann"]._objects) == 0


def test_the_pulse_changes_with_each_batch_and_tells_nothing_else(hook: sy.TorchHook) -> None:
    one, other = (sy.VirtualWorker(hook, id=name, auto_add=False) for name in ("one", "other"))
    for worker in (one, other):
        worker.service("training").progress.config = 7
    before = one.ask("aggregation", "pulse", 7)
    assert before == one.ask("aggregation", "pulse", 7) != other.ask("aggregation", "pulse", 7)
    one.service("training").progress.add(0.5, 8, first_pass=True)
    after = one.ask("aggregation", "pulse", 7)
    assert after != before and len(after) == len(before) == 16
    assert one.ask("aggregation", "pulse", 8) not in (before, after)


def test_what_may_not_be_fetched_may_not_be_summed(hook: sy.TorchHook) -> None:
    worker = sy.VirtualWorker(hook, id="owner", auto_add=False)
    secret = torch.ones(2).private_tensor(allowed_users=["boss"]).send(worker, user="boss")
    model = offer(worker, torch.ones(2)) | {"trained": [secret.id_at_location]}
    with pytest.raises(GetNotPermittedError, match="may not see"):
        ask(worker, "advertise", b"one", "owner", TERMS, model)
    with pytest.raises(GetNotPermittedError, match="may not see"):
        ask(worker, "remember", [secret.id_at_location])


def test_what_is_no_tensor_is_not_summed(hook: sy.TorchHook) -> None:
    worker = sy.VirtualWorker(hook, id="plain", auto_add=False)
    sparse = torch.eye(2).to_sparse().send(worker)
    with pytest.raises(AggregationError, match="only plain dense tensors"):
        ask(worker, "remember", [sparse.id_at_location])
    with pytest.raises(AggregationError, match="no plan"):
        ask(worker, "remember", [torch.ones(2).send(worker, garbage_collect_data=False).id_at_location], [0])
