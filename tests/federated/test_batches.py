"""Batches sorted by worker, and the toy data of examples."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import torch

import syft as sy
from syft.exceptions import FederatedError
from syft.federated.batches import extract_batches_per_worker
from syft.federated.dataset import BaseDataset
from syft.federated.federate import FederatedDataset, federate
from syft.federated.loader import FederatedDataLoader
from syft.federated.toy_data import create_gaussian_mixture_toy_data, iris_data_partial
from tests.federated.places import fresh_workers

Workers = list[sy.VirtualWorker]


@pytest.fixture(params=[False, True], ids=["by_reference", "wire"])
def workers(request: pytest.FixtureRequest) -> Iterator[Workers]:
    with fresh_workers(wire=request.param) as fresh:
        yield fresh


def spread(workers: Workers, count: int) -> FederatedDataset:
    return federate(BaseDataset(torch.arange(2.0 * count).view(count, 2), torch.arange(count)), workers)


@pytest.mark.parametrize("options", [{}, {"iter_per_worker": True}, {"order": "round_robin"}])
def test_batches_are_sorted_by_worker(workers: Workers, options: dict[str, Any]) -> None:
    bob, alice, james = workers[:3]
    loader = FederatedDataLoader(spread(workers[:3], 7), batch_size=2, **options)
    batches = extract_batches_per_worker(loader)
    assert list(batches) == [bob, alice, james]
    assert [len(batches[worker]) for worker in (bob, alice, james)] == [2, 2, 1]
    assert batches["james"] is batches[james]
    assert all(data.location == worker for worker, pairs in batches.items() for data, _ in pairs)
    got = {worker.id: [target.get().tolist() for _, target in pairs] for worker, pairs in batches.items()}
    assert got == {"bob": [[0, 1], [2]], "alice": [[3, 4], [5]], "james": [[6]]}


def test_with_several_iterators_each_worker_has_its_batches_that_often(workers: Workers) -> None:
    loader = FederatedDataLoader(spread(workers[:3], 6), batch_size=2, num_iterators=2)
    batches = extract_batches_per_worker(loader)
    assert {worker.id: len(pairs) for worker, pairs in batches.items()} == {"bob": 2, "alice": 2, "james": 2}


def test_a_list_of_batches_will_do_and_local_ones_will_not(workers: Workers) -> None:
    pair = (torch.zeros(1).send(workers[0]), torch.zeros(1).send(workers[0]))
    assert extract_batches_per_worker([pair, pair])["bob"] == [pair, pair]
    with pytest.raises(FederatedError, match="a batch is a Tensor that is not on one worker"):
        extract_batches_per_worker([(torch.zeros(1), torch.zeros(1))])


@pytest.mark.parametrize(("asked", "given"), [(2, 2), (7, 6), (1000, 1000)])
def test_the_two_clouds(asked: int, given: int) -> None:
    data, labels = create_gaussian_mixture_toy_data(asked, torch.Generator().manual_seed(0))
    assert (data.shape, data.dtype) == ((given, 2), torch.float32)
    assert labels.dtype == torch.int64
    assert labels.tolist() == [0] * (given // 2) + [1] * (given // 2)
    assert data.requires_grad
    assert not data.is_leaf
    if given == 1000:
        for label, centre in ((0, -5.0), (1, 5.0)):
            cloud = data[labels == label].detach()
            assert torch.allclose(cloud.mean(0), torch.tensor([centre, centre]), atol=0.2)
            assert torch.allclose(cloud.std(0), torch.ones(2), atol=0.15)


def test_the_clouds_are_random_unless_seeded() -> None:
    seeded = [create_gaussian_mixture_toy_data(4, torch.Generator().manual_seed(1))[0] for _ in range(2)]
    assert torch.equal(*seeded)
    assert not torch.equal(create_gaussian_mixture_toy_data(4)[0], create_gaussian_mixture_toy_data(4)[0])


@pytest.mark.parametrize("asked", [1, 0, -4])
def test_too_few_points_are_refused(asked: int) -> None:
    with pytest.raises(FederatedError, match=f"nr_samples={asked}"):
        create_gaussian_mixture_toy_data(asked)


def test_toy_data_is_spread_and_trained_on(workers: Workers) -> None:
    bob = workers[0]
    data, labels = create_gaussian_mixture_toy_data(8)
    federated = FederatedDataset([BaseDataset(data.send(bob), labels.send(bob))])
    batch, _ = next(iter(FederatedDataLoader(federated, batch_size=4)))
    assert torch.equal(batch.get().detach(), data[:4].detach())


def test_ten_flowers_of_each_kind() -> None:
    pytest.importorskip("sklearn")
    data, kinds = iris_data_partial()
    assert (data.shape, data.dtype) == ((30, 4), torch.float32)
    assert kinds.dtype == torch.int64
    assert kinds.tolist() == [0] * 10 + [1] * 10 + [2] * 10
    # What 0.2.4 gives for the first of each kind.
    first = torch.tensor([[5.1, 3.5, 1.4, 0.2], [7.0, 3.2, 4.7, 1.4], [6.3, 3.3, 6.0, 2.5]])
    assert torch.equal(data[[0, 10, 20]], first)
