"""Of all that reaches the server there is no update, and no difference of two; a spy that can find them says so."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any

import pytest
import torch

import syft as sy
from syft.federated import SecureAggregation
from syft.federated.secure.fixed_point import FixedPoint
from syft.federated.secure.update import weighted_change
from tests.federated.secure.test_trainers import COUNTS, Diary, concurrent, data_of, in_turn

RING = SecureAggregation().ring


class SpiedWorker(sy.VirtualWorker):
    """Keeps whatever it has answered."""

    def request(self, message: Any) -> Any:
        answer = super().request(message)
        self.__dict__.setdefault("answers", []).append(answer)
        return answer

    post = request


@pytest.fixture(params=[False, True], ids=["reference", "wire"])
def spied(hook: sy.TorchHook, request: pytest.FixtureRequest) -> dict[str, Any]:
    workers = {name: SpiedWorker(hook, id=name, auto_add=False, wire=request.param) for name in COUNTS}
    for name, worker in workers.items():
        worker.add_dataset(sy.BaseDataset(*data_of(name)), key="points")
    return workers


def parts(answer: Any) -> Iterator[Any]:
    """The tensors, numbers, bytes and texts in an answer."""
    if isinstance(answer, dict):
        answer = [*answer.keys(), *answer.values()]
    if isinstance(answer, (list, tuple)) and not isinstance(answer, torch.Size):
        for part in answer:
            yield from parts(part)
    elif isinstance(answer, sy.Plan):
        yield from answer.state.tensors()
    elif answer is not None:
        yield answer


def received(workers: dict[str, Any]) -> list[Any]:
    return [part for worker in workers.values() for part in parts(worker.__dict__.get("answers", []))]


def seen_values(workers: dict[str, Any]) -> dict[str, list[torch.Tensor]]:
    """Vectors of float64 that the server can read what it got as: as it is, and as numbers of the ring."""
    tensors = [part for part in received(workers) if isinstance(part, torch.Tensor) and part.numel() > 1]
    plain = [tensor.detach().double().reshape(-1) for tensor in tensors]
    return {"plain": plain, "ring": [RING.decode(t.reshape(-1)) for t in tensors if t.dtype is torch.int64]}


def secrets(make: Any, workers: dict[str, Any]) -> dict[str, dict[str, torch.Tensor]]:
    """What each client has: the weights of a layer when trained, and its weighted change. From a run in the open."""
    training, diary = make(workers, None), Diary()
    before = {name: value.detach().clone() for name, value in training.model.state_dict().items()}
    training.fit(1, callbacks=[diary])
    hidden: dict[str, dict[str, torch.Tensor]] = {}
    for update in diary.updates:
        weight, loss = update.samples, float(update.metrics["train_loss"])
        change = weighted_change(list(before.values()), list(update.state.values()), weight, loss)
        hidden[update.name] = {"trained": update.state["0.weight"].double().reshape(-1), "change": change[2:26]}
    for one, other in itertools.combinations(COUNTS, 2):
        hidden[f"{one} - {other}"] = {key: hidden[one][key] - hidden[other][key] for key in hidden[one]}
    return hidden


def found(values: dict[str, list[torch.Tensor]], hidden: dict[str, dict[str, torch.Tensor]]) -> set[str]:
    """Whose secrets are among some values, among the differences of two of them, or up to a scale."""
    names = set()
    for read in values.values():
        known = [*read, *[a - b for a, b in itertools.permutations(read, 2) if a.shape == b.shape]]
        for vector in known:
            for name, secret in hidden.items():
                for wanted in secret.values():
                    for at in {0, 2} if len(vector) > len(wanted) else {0}:
                        names |= {name} if _alike(vector[at : at + len(wanted)], wanted) else set()
    return names


def _alike(vector: torch.Tensor, wanted: torch.Tensor) -> bool:
    if len(vector) != len(wanted) or not float(vector.norm()) > 0:
        return False
    return abs(float(torch.nn.functional.cosine_similarity(vector, wanted, dim=0))) > 0.999


@pytest.mark.parametrize("make", [concurrent, in_turn])
def test_no_update_and_no_difference_of_two_reaches_the_server(spied: dict[str, Any], make: Any) -> None:
    hidden = secrets(make, spied)
    training = make(spied, SecureAggregation())
    for worker in spied.values():
        worker.answers.clear()
    training.fit(1)
    values = seen_values(spied)
    assert not [part for part in received(spied) if isinstance(part, torch.Tensor) and part.is_floating_point()]
    assert len(values["ring"]) == len(COUNTS), "a masked vector of each client has arrived, and nothing else of length"
    assert len(values["plain"]) == len(COUNTS)
    assert found(values, hidden) == set()


@pytest.mark.parametrize("make", [concurrent, in_turn])
def test_control_the_spy_finds_updates_in_the_open(spied: dict[str, Any], make: Any) -> None:
    hidden = secrets(make, spied)
    for worker in spied.values():
        worker.answers.clear()
    make(spied, None).fit(1)
    assert set(COUNTS) <= found(seen_values(spied), hidden)


def without_masks(key: bytes, size: int, bits: int) -> torch.Tensor:
    return torch.zeros(size, dtype=torch.int64)


def with_one_mask_for_all(key: bytes, size: int, bits: int) -> torch.Tensor:
    return torch.arange(size, dtype=torch.int64) << 40


@pytest.mark.parametrize("mask", [without_masks, with_one_mask_for_all])
def test_control_the_spy_finds_updates_under_masks_that_hide_nothing(
    spied: dict[str, Any], monkeypatch: pytest.MonkeyPatch, mask: Any
) -> None:
    hidden = secrets(concurrent, spied)
    for worker in spied.values():
        worker.answers.clear()
    monkeypatch.setattr("syft.federated.secure.client.mask_of", mask)
    monkeypatch.setattr("syft.federated.secure.server.mask_of", mask)
    concurrent(spied, SecureAggregation()).fit(1)
    names = found(seen_values(spied), hidden)
    assert names if mask is with_one_mask_for_all else set(hidden) <= names


def test_no_count_and_no_loss_of_a_worker_reaches_the_server(spied: dict[str, Any]) -> None:
    concurrent(spied, SecureAggregation()).fit(1)
    kinds = {type(part) for part in received(spied) if not isinstance(part, torch.Tensor)}
    numbers = {int, float, bool}
    assert not kinds & numbers
    for worker in spied.values():
        worker.answers.clear()
    concurrent(spied, None).fit(1)
    assert {type(part) for part in received(spied)} & numbers == {int, float}


def test_the_ring_of_this_page_is_that_of_the_strategy() -> None:
    assert FixedPoint(64, 24) == RING
