"""Clients: what may be their batches, and how they come from federated data."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch
from torch.utils.data import DataLoader, TensorDataset

import syft as sy
from syft.exceptions import FederatedError
from syft.federated.client import Client, clients_from
from syft.federated.federate import FederatedDataset
from tests.federated.places import fresh_workers

DATA = TensorDataset(torch.arange(14.0).reshape(7, 2), torch.arange(7))


@pytest.fixture
def workers() -> Iterator[list[sy.VirtualWorker]]:
    with fresh_workers() as fresh:
        yield fresh


def rows(client: Client) -> list[list[int]]:
    return [target.copy().get().tolist() for _, target in client.batches]


def test_one_client_a_worker(workers: list[sy.VirtualWorker]) -> None:
    clients = clients_from(DATA.federate(workers[:2]), batch_size=3)
    assert list(clients) == ["bob", "alice"]
    assert [client.worker for client in clients.values()] == workers[:2]
    assert rows(clients["bob"]) == [[0, 1, 2], [3]]
    assert rows(clients["alice"]) == [[4, 5, 6]]
    assert rows(clients["alice"]) == [[4, 5, 6]]  # a second pass finds them again
    assert rows(clients_from(DATA.federate(workers[:2]), batch_size=3, drop_last=True)["bob"]) == [[0, 1, 2]]


def test_shuffling_draws_a_new_order_each_pass(workers: list[sy.VirtualWorker]) -> None:
    torch.manual_seed(0)
    client = clients_from(DATA.federate(workers[:1]), batch_size=7, shuffle=True)["bob"]
    passes = [tuple(rows(client)[0]) for _ in range(5)]
    assert len(set(passes)) > 1
    assert all(sorted(one) == list(range(7)) for one in passes)


def test_augmentation_goes_along(workers: list[sy.VirtualWorker]) -> None:
    spread = DATA.federate(workers[:1])
    augmented = FederatedDataset(list(spread), augment=lambda data: data + 100)
    ((data, _),) = clients_from(augmented, batch_size=7)["bob"].batches
    assert data.get().min() == 100


def test_from_tensors_and_from_a_data_set(workers: list[sy.VirtualWorker]) -> None:
    bob = workers[0]
    data, targets = DATA.tensors
    assert rows(Client.from_tensors(data.send(bob), targets.send(bob), batch_size=4)) == [[0, 1, 2, 3], [4, 5, 6]]
    pointer = sy.BaseDataset(data, targets).send(bob)
    assert rows(Client.from_dataset(pointer, batch_size=4, drop_last=True)) == [[0, 1, 2, 3]]
    with pytest.raises(FederatedError, match="not on a worker"):
        Client.from_tensors(data, targets, batch_size=4)


def test_what_can_be_gone_over_only_once_is_refused(workers: list[sy.VirtualWorker]) -> None:
    batches = [(x.send(workers[0]), y.send(workers[0])) for x, y in DataLoader(DATA, batch_size=4)]
    with pytest.raises(FederatedError, match="a generator can be gone over only once"):
        Client(workers[0], (batch for batch in batches))
    with pytest.raises(FederatedError, match="a list_iterator"):
        Client(workers[0], iter(batches))
    assert Client(workers[0], batches).samples is None


def test_samples_below_0_are_refused(workers: list[sy.VirtualWorker]) -> None:
    with pytest.raises(FederatedError, match="cannot have -1 samples"):
        Client(workers[0], [], samples=-1)
