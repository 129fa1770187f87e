"""The order of batches, their cost, and that no sample is lost."""

from __future__ import annotations

import collections
import gc
import logging
import math
from collections.abc import Iterator
from typing import Any

import pytest
import torch

import syft as sy
from syft.core import messages
from syft.exceptions import FederatedError
from syft.federated.collate import default_collate, select_rows
from syft.federated.dataset import BaseDataset
from syft.federated.federate import FederatedDataset, federate
from syft.federated.loader import FederatedDataLoader
from syft.federated.schedule import rotating, round_robin, sequential, together
from syft.federated.worker_keys import WorkerDict, WorkerNotFoundException
from tests.federated.places import fresh_workers

Workers = list[sy.VirtualWorker]


@pytest.fixture(params=[False, True], ids=["by_reference", "wire"])
def workers(request: pytest.FixtureRequest) -> Iterator[Workers]:
    with fresh_workers(wire=request.param) as fresh:
        yield fresh


@pytest.fixture
def quick() -> Iterator[Workers]:
    """Workers for tests of the order alone."""
    with fresh_workers() as fresh:
        yield fresh


def spread(workers: Workers, sizes: tuple[int, ...], **options: Any) -> FederatedDataset:
    """Samples numbered from 0, so many on each worker; the data of sample i is (i, -i)."""
    parts, start = [], 0
    for worker, size in zip(workers, sizes, strict=False):
        numbers = torch.arange(start, start + size)
        data = torch.stack([numbers, -numbers], dim=1).float()
        parts.append(BaseDataset(data.send(worker), numbers.send(worker)))
        start += size
    return FederatedDataset(parts, **options)


def shown(step: Any) -> Any:
    """What a step holds: ``(worker, numbers)`` or ``{worker: numbers}``, checked to be in its place."""
    if isinstance(step, dict):
        return {worker.id: shown(batch)[1] for worker, batch in step.items() if batch[0].location == worker}
    data, target = step
    assert data.location == target.location
    place, numbers = data.location.id, target.get().tolist()
    assert data.get().tolist() == [[n, -n] for n in map(float, numbers)]
    return place, numbers


def trace(loader: FederatedDataLoader) -> list[Any]:
    return [shown(step) for step in loader]


def count_samples(steps: list[Any]) -> collections.Counter[int]:
    batches = [batch for step in steps for batch in (step.values() if isinstance(step, dict) else [step[1]])]
    return collections.Counter(number for batch in batches for number in batch)


# --- the default order -----------------------------------------------------------------------------------


def test_batches_come_worker_by_worker(workers: Workers) -> None:
    loader = FederatedDataLoader(spread(workers, (3, 4, 1)), batch_size=2)
    once = [("bob", [0, 1]), ("bob", [2]), ("alice", [3, 4]), ("alice", [5, 6]), ("james", [7])]
    assert trace(loader) == once
    assert trace(loader) == once
    assert len(loader) == 5
    assert loader.workers == ["bob", "alice", "james"]


def test_a_batch_is_a_pair_of_torch_tensors(workers: Workers) -> None:
    data, target = next(iter(FederatedDataLoader(spread(workers, (3,)), batch_size=2)))
    assert type(data).__name__ == "Tensor"
    assert isinstance(data, torch.Tensor)
    assert data.location is target.location is workers[0]
    assert data.shape == (2, 2)


def test_the_batch_size_is_eight_by_default(quick: Workers) -> None:
    loader = FederatedDataLoader(spread(quick, (10,)))
    assert loader.batch_size == 8
    assert [len(numbers) for _, numbers in trace(loader)] == [8, 2]


def test_drop_last_leaves_out_what_does_not_fill_a_batch(quick: Workers) -> None:
    loader = FederatedDataLoader(spread(quick, (5, 2, 3, 1)), batch_size=2, drop_last=True)
    assert trace(loader) == [("bob", [0, 1]), ("bob", [2, 3]), ("alice", [5, 6]), ("james", [7, 8])]
    assert len(loader) == 4


@pytest.mark.parametrize(("sizes", "batch", "length"), [((4, 4, 2), 8, 3), ((350, 350), 64, 12), ((5, 2, 3, 1), 2, 7)])
def test_the_length_counts_the_short_batch_of_every_worker(
    quick: Workers, sizes: tuple[int, ...], batch: int, length: int
) -> None:
    loader = FederatedDataLoader(spread(quick, sizes), batch_size=batch)
    assert len(loader) == length == sum(1 for _ in loader)


@pytest.mark.parametrize("shuffle", [False, True])
def test_the_worker_holds_four_objects_while_a_batch_is_used(workers: Workers, shuffle: bool) -> None:
    loader = FederatedDataLoader(spread(workers[:2], (6, 6)), batch_size=2, shuffle=shuffle)
    printed = []
    for _, (data, _target) in enumerate(loader):
        printed.append(str(data.location))
    bob, alice = ([f"<VirtualWorker id:{name} #objects:4>"] * 3 for name in ("bob", "alice"))
    assert printed == bob + alice
    del data, _target
    gc.collect()
    assert [len(worker._objects) for worker in workers[:2]] == [2, 2]


@pytest.mark.parametrize("shuffle", [False, True])
def test_a_batch_costs_one_message_a_field(quick: Workers, shuffle: bool) -> None:
    bob = quick[0]
    loader = iter(FederatedDataLoader(spread(quick[:1], (64,)), batch_size=32, shuffle=shuffle))
    bob.log_msgs = True
    batch = next(loader)
    bob.log_msgs = False
    assert [type(bob._get_msg(i)) for i in range(len(bob.msg_history))] == [messages.Command, messages.Command]
    assert len(batch[0]) == 32


def test_a_batch_of_a_stored_data_set_costs_one_message(quick: Workers) -> None:
    bob = quick[0]
    stored = BaseDataset(torch.arange(8.0).view(4, 2), torch.arange(4)).send(bob)
    loader = iter(FederatedDataLoader(FederatedDataset([stored]), batch_size=3))
    first, _ = next(loader)  # an epoch begins with the question how long the data set is
    assert first.get().tolist() == [[0.0, 1.0], [2.0, 3.0], [4.0, 5.0]]
    bob.log_msgs = True
    data, target = next(loader)
    bob.log_msgs = False
    assert [type(bob._get_msg(i)) for i in range(len(bob.msg_history))] == [messages.Call]
    assert data.get().tolist() == [[6.0, 7.0]]
    assert target.get().tolist() == [3]


@pytest.mark.parametrize("shuffle", [False, True])
def test_changing_a_batch_does_not_change_the_data_set(workers: Workers, shuffle: bool) -> None:
    federated = spread(workers, (4,))
    for data, target in FederatedDataLoader(federated, batch_size=2, shuffle=shuffle):
        data.mul_(0)
        target.add_(100)
    assert federated["bob"].targets.clone().get().tolist() == [0, 1, 2, 3]
    assert federated["bob"].data.clone().get()[:, 0].tolist() == [0.0, 1.0, 2.0, 3.0]


def test_list_keeps_all_batches_alive(workers: Workers) -> None:
    federated = spread(workers, (4, 2))
    batches = list(FederatedDataLoader(federated, batch_size=2))
    assert [len(worker._objects) for worker in workers[:2]] == [2 + 4, 2 + 2]
    assert batches[1][1].get().tolist() == [2, 3]


# --- shuffling -------------------------------------------------------------------------------------------


def test_shuffling_stays_within_workers_and_is_new_every_epoch(workers: Workers) -> None:
    torch.manual_seed(0)
    loader = FederatedDataLoader(spread(workers, (20, 12)), batch_size=8, shuffle=True)
    epochs = [trace(loader) for _ in range(3)]
    for epoch in epochs:
        assert [worker for worker, _ in epoch] == ["bob", "bob", "bob", "alice", "alice"]
        assert sorted(n for worker, numbers in epoch for n in numbers if worker == "bob") == list(range(20))
        assert sorted(n for worker, numbers in epoch for n in numbers if worker == "alice") == list(range(20, 32))
    assert epochs[0] != epochs[1] != epochs[2]


def test_a_seeded_generator_repeats_the_shuffle(quick: Workers) -> None:
    federated = spread(quick, (10, 6))

    def epochs(seed: int) -> list[Any]:
        loader = FederatedDataLoader(
            federated, batch_size=4, shuffle=True, shuffle_workers=True, generator=torch.Generator().manual_seed(seed)
        )
        return [trace(loader) for _ in range(2)]

    assert epochs(3) == epochs(3)
    assert epochs(3) != epochs(4)


def test_workers_can_be_visited_in_random_order(quick: Workers) -> None:
    generator = torch.Generator().manual_seed(1)
    loader = FederatedDataLoader(spread(quick, (2, 2, 2, 2)), batch_size=2, shuffle_workers=True, generator=generator)
    orders = {tuple(worker for worker, _ in trace(loader)) for _ in range(12)}
    assert len(orders) > 3
    assert all(sorted(order) == ["alice", "bob", "james", "kim"] for order in orders)


# --- several workers at a time ---------------------------------------------------------------------------

TWO_AT_A_TIME = [
    {"bob": [0, 1], "alice": [2, 3]},
    {"james": [6, 7], "alice": [4, 5]},
    {"james": [8, 9], "bob": [0, 1]},
    {"alice": [2, 3], "james": [6, 7]},
    {"alice": [4, 5], "james": [8, 9]},
]


@pytest.mark.parametrize("mode", ["longest", "shortest"])
@pytest.mark.parametrize("wanted", [2, 5])
def test_num_iterators_keeps_the_order_of_0_2_4(workers: Workers, mode: Any, wanted: int) -> None:
    loader = FederatedDataLoader(spread(workers, (2, 4, 4)), batch_size=2, num_iterators=wanted, mode=mode)
    assert trace(loader) == TWO_AT_A_TIME
    assert (len(loader), loader.num_iterators) == (5, 2)


@pytest.mark.parametrize(
    ("sizes", "iterators", "steps"),
    [
        (
            (5, 2, 3, 1),
            3,
            [{"bob": [0, 1], "alice": [5, 6], "james": [7, 8]}, {"bob": [2, 3], "kim": [10], "james": [9]}],
        ),
        (
            (5, 2, 3, 1),
            2,
            [
                {"bob": [0, 1], "alice": [5, 6]},
                {"bob": [2, 3], "james": [7, 8]},
                {"bob": [4], "james": [9]},
                {"alice": [5, 6], "bob": [0, 1]},
                {"james": [7, 8], "bob": [2, 3]},
                {"james": [9], "bob": [4]},
            ],
        ),
        ((1, 6, 2), 2, [{"bob": [0], "alice": [1, 2]}, {"james": [7, 8], "alice": [3, 4]}]),
    ],
)
def test_shortest_ends_where_0_2_4_ended(
    quick: Workers, sizes: tuple[int, ...], iterators: int, steps: list[dict[str, list[int]]]
) -> None:
    options: dict[str, Any] = {"batch_size": 2, "num_iterators": iterators}
    shortest = FederatedDataLoader(spread(quick, sizes), mode="shortest", **options)
    assert trace(shortest) == steps
    assert len(shortest) == len(steps)
    longest = trace(FederatedDataLoader(spread(quick, sizes), **options))
    assert longest[: len(steps)] == steps
    assert count_samples(longest) == dict.fromkeys(range(sum(sizes)), iterators)


def test_iter_per_worker_goes_on_until_all_are_used_up(workers: Workers) -> None:
    federated = spread(workers, (2, 4, 5))
    first = {"bob": [0, 1], "alice": [2, 3], "james": [6, 7]}
    loader = FederatedDataLoader(federated, batch_size=2, iter_per_worker=True)
    assert trace(loader) == [first, {"alice": [4, 5], "james": [8, 9]}, {"james": [10]}]
    assert (len(loader), loader.num_iterators) == (3, 3)
    shortest = FederatedDataLoader(federated, batch_size=2, iter_per_worker=True, mode="shortest")
    assert trace(shortest) == [first]
    assert len(shortest) == 1


def test_dict_batches_answer_to_workers_and_ids(workers: Workers) -> None:
    bob, alice = workers[:2]
    first, second = list(FederatedDataLoader(spread(workers, (2, 4)), batch_size=2, iter_per_worker=True))
    assert list(first) == [bob, alice]
    assert first["alice"] is first[alice]
    assert "bob" in first
    assert bob in first
    assert "bob" not in second
    assert second.get("bob") is None
    with pytest.raises(KeyError):
        second[bob]
    with pytest.raises(WorkerNotFoundException, match="no entry for worker 'bob'; there are entries for: alice"):
        second["bob"]


def test_round_robin_takes_turns(workers: Workers) -> None:
    federated = spread(workers, (2, 5))
    loader = FederatedDataLoader(federated, batch_size=2, order="round_robin")
    assert trace(loader) == [("bob", [0, 1]), ("alice", [2, 3]), ("alice", [4, 5]), ("alice", [6])]
    assert len(loader) == 4
    shortest = FederatedDataLoader(federated, batch_size=2, order="round_robin", mode="shortest")
    assert trace(shortest) == [("bob", [0, 1]), ("alice", [2, 3])]
    assert len(shortest) == 2


@pytest.mark.parametrize(("sizes", "options"), [((4,), {"num_iterators": 2}), ((4, 4), {"num_iterators": 2})])
def test_too_few_workers_for_several_iterators_give_pairs(
    quick: Workers, sizes: tuple[int, ...], options: dict[str, Any]
) -> None:
    loader = FederatedDataLoader(spread(quick, sizes), batch_size=2, **options)
    expected = trace(FederatedDataLoader(spread(quick, sizes), batch_size=2))
    assert trace(loader) == expected
    assert len(loader) == len(expected)


def test_iter_per_worker_with_one_worker_gives_pairs(quick: Workers) -> None:
    loader = FederatedDataLoader(spread(quick, (3,)), batch_size=2, iter_per_worker=True)
    assert trace(loader) == [("bob", [0, 1]), ("bob", [2])]


SIZES = [(5, 2, 3, 1), (1, 6, 2), (3, 3, 3, 3), (1, 1, 9), (7,), (4, 4), (1, 2, 3, 40)]
MODES: list[tuple[dict[str, Any], int]] = [
    ({}, 1),
    ({"order": "round_robin"}, 1),
    ({"iter_per_worker": True}, 1),
    ({"num_iterators": 2}, 2),
    ({"num_iterators": 3}, 3),
]


@pytest.mark.parametrize("drop_last", [False, True])
@pytest.mark.parametrize("shuffle", [False, True])
@pytest.mark.parametrize(("options", "passes"), MODES)
@pytest.mark.parametrize("sizes", SIZES)
def test_every_sample_comes_as_often_as_promised(
    quick: Workers, sizes: tuple[int, ...], options: dict[str, Any], passes: int, shuffle: bool, drop_last: bool
) -> None:
    loader = FederatedDataLoader(spread(quick, sizes), batch_size=2, shuffle=shuffle, drop_last=drop_last, **options)
    steps = trace(loader)
    assert len(steps) == len(loader)
    seen = count_samples(steps)
    passes = max(1, min(passes, len(sizes) - 1))
    if not drop_last:
        assert seen == dict.fromkeys(range(sum(sizes)), passes)
    else:
        assert seen.total() == passes * sum(size - size % 2 for size in sizes)
    loader.mode = "shortest"
    assert len(trace(loader)) == len(loader)


def test_schedules_of_uneven_workers_end() -> None:
    """Every pass of every iterator is complete and in order, and no two are on one worker."""
    generator = torch.Generator().manual_seed(5)
    for _ in range(200):
        counts = torch.randint(0, 5, (int(torch.randint(1, 6, (), generator=generator)),), generator=generator).tolist()
        for k in range(1, len(counts) + 1):
            visits: dict[tuple[int, int], list[int]] = {}
            for step in rotating(counts, k):
                assert len({visit.worker for visit in step}) == len(step)
                for worker, turn, batch in step:
                    visits.setdefault((worker, turn), []).append(batch)
            complete = {(w, i): list(range(n)) for w, n in enumerate(counts) for i in range(k) if n}
            assert visits == complete


def test_schedules_of_nothing_are_empty() -> None:
    assert [list(schedule([])) for schedule in (sequential, together, round_robin)] == [[], [], []]
    assert list(together([0, 0])) == list(rotating([0, 0], 2)) == []


# --- epochs ----------------------------------------------------------------------------------------------


def test_nested_loops_are_independent(quick: Workers) -> None:
    loader = FederatedDataLoader(spread(quick, (2, 2)), batch_size=1)
    pairs = [(int(a.clone().get()), int(b.get())) for _, a in loader for _, b in loader]
    assert pairs == [(a, b) for a in range(4) for b in range(4)]


def test_iter_then_next_goes_through_one_epoch(quick: Workers) -> None:
    loader = FederatedDataLoader(spread(quick, (2, 1)), batch_size=2)
    iter(loader)
    assert shown(next(loader)) == ("bob", [0, 1])
    iter(loader)
    assert [shown(next(loader)), shown(next(loader))] == [("bob", [0, 1]), ("alice", [2])]
    for _ in range(2):
        with pytest.raises(StopIteration):
            next(loader)
    fresh = FederatedDataLoader(spread(quick, (2,)), batch_size=2)
    assert shown(next(fresh)) == ("bob", [0, 1])


def test_a_worker_taken_out_of_the_data_set_is_not_visited(quick: Workers) -> None:
    federated = spread(quick, (2, 2))
    loader = FederatedDataLoader(federated, batch_size=2)
    assert len(loader) == 2
    del federated.datasets["bob"]
    assert trace(loader) == [("alice", [2, 3])]
    assert (len(loader), loader.workers) == (1, ["alice"])


def test_batch_samplers_are_those_of_torch(quick: Workers) -> None:
    loader = FederatedDataLoader(spread(quick, (3, 2)), batch_size=2)
    samplers = loader.batch_samplers
    assert {worker: list(sampler) for worker, sampler in samplers.items()} == {"bob": [[0, 1], [2]], "alice": [[0, 1]]}
    assert isinstance(samplers["bob"], torch.utils.data.BatchSampler)
    assert loader.federated_dataset.datasets["bob"].location is quick[0]


def test_an_empty_data_set_gives_no_batches() -> None:
    for options in ({}, {"iter_per_worker": True}, {"num_iterators": 2}, {"shuffle": True}):
        loader = FederatedDataLoader(FederatedDataset([]), **options)
        assert list(loader) == []
        assert len(loader) == 0


def test_a_part_without_samples_is_skipped(quick: Workers) -> None:
    parts = [
        BaseDataset(torch.zeros(n, 1).send(w), torch.zeros(n).send(w)) for n, w in zip((0, 2), quick, strict=False)
    ]
    loader = FederatedDataLoader(FederatedDataset(parts), shuffle=True)
    assert [data.location.id for data, _ in loader] == ["alice"]


# --- collating -------------------------------------------------------------------------------------------


def test_a_collate_function_gets_pairs_of_pointers_and_computes_remotely(workers: Workers) -> None:
    seen: list[Any] = []

    def collate(samples: list[Any]) -> Any:
        seen.extend(type(sample) for sample in samples)
        data = torch.stack([data for data, _ in samples]) * 2
        return data, torch.stack([target for _, target in samples]) + 1, "extra"

    loader = FederatedDataLoader(spread(workers, (3,)), batch_size=2, collate_fn=collate)
    (data, target, extra), _ = list(loader)
    assert seen == [tuple] * 3
    assert data.location is workers[0]
    assert data.get().tolist() == [[0.0, 0.0], [2.0, -2.0]]
    assert target.get().tolist() == [1, 2]
    assert extra == "extra"


def test_one_operation_gives_what_stacking_samples_gives(workers: Workers) -> None:
    federated = spread(workers, (5,))
    fast = trace(FederatedDataLoader(federated, batch_size=2))
    slow = trace(FederatedDataLoader(federated, batch_size=2, collate_fn=lambda samples: default_collate(samples)))
    assert fast == slow


def test_any_data_set_that_says_where_it_is_can_be_a_part(workers: Workers) -> None:
    class Squares(torch.utils.data.Dataset[Any]):
        location = workers[0]

        def __len__(self) -> int:
            return 3

        def __getitem__(self, index: int) -> Any:
            return torch.tensor([float(index)]).send(self.location), torch.tensor(index**2).send(self.location)

    batches = list(FederatedDataLoader(FederatedDataset([Squares()]), batch_size=2))  # type: ignore[list-item]
    got = [(data.get().tolist(), target.get().tolist()) for data, target in batches]
    assert got == [([[0.0], [1.0]], [0, 1]), ([[2.0]], [4])]


def test_per_sample_transforms_are_applied_in_batches(workers: Workers) -> None:
    bob = workers[0]
    part = BaseDataset(
        torch.ones(3, 2).send(bob), torch.arange(3).send(bob), transform=lambda sample: sample / sample.sum()
    )
    batches = [data.get().tolist() for data, _ in FederatedDataLoader(FederatedDataset([part]), batch_size=2)]
    assert batches == [[[0.5, 0.5], [0.5, 0.5]], [[0.5, 0.5]]]


def test_augment_of_a_data_set_reaches_every_batch(workers: Workers) -> None:
    federated = spread(workers, (2, 2), augment=lambda data: data + 1000)
    got = [(data.get()[:, 0].tolist(), target.get().tolist()) for data, target in FederatedDataLoader(federated)]
    assert got == [([1000.0, 1001.0], [0, 1]), ([1002.0, 1003.0], [2, 3])]


@pytest.mark.parametrize("indices", [[0], [2, 3, 4], [4, 3], [1, 1], [3, 0, 2], [0, 1, 2, 3, 4], []])
def test_select_rows_is_indexing_with_a_copy(workers: Workers, indices: list[int]) -> None:
    local = torch.arange(10.0).view(5, 2)
    expected = local[indices]
    rows = select_rows(local, indices)
    assert torch.equal(rows, expected)
    assert rows.numel() == 0 or rows.data_ptr() != local.data_ptr()
    remote = local.send(workers[0])
    assert torch.equal(select_rows(remote, indices).get(), expected)
    assert torch.equal(remote.get(), local)


def test_gradients_reach_data_that_wants_them(workers: Workers) -> None:
    data = torch.ones(4, 2, requires_grad=True).send(workers[0])
    federated = FederatedDataset([BaseDataset(data, torch.arange(4).send(workers[0]))])
    for batch, _ in FederatedDataLoader(federated, batch_size=3):
        (batch * 2).sum().backward()
    assert torch.equal(data.get().grad, torch.full((4, 2), 2.0))


# --- options ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [0, -1, 1.5, None, True, "8"])
def test_bad_batch_sizes_are_refused(quick: Workers, size: Any) -> None:
    with pytest.raises(ValueError, match=f"batch_size should be a positive integer value, but got batch_size={size}"):
        FederatedDataLoader(spread(quick, (2,)), batch_size=size)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"num_iterators": 0}, "num_iterators should be a positive integer"),
        ({"mode": "all"}, "mode should be one of 'longest', 'shortest', but got mode='all'"),
        ({"order": "random"}, "order should be one of"),
        ({"order": "round_robin", "iter_per_worker": True}, "excludes iter_per_worker"),
        ({"order": "round_robin", "num_iterators": 2}, "num_iterators > 1"),
    ],
)
def test_options_out_of_range_are_named(quick: Workers, options: dict[str, Any], message: str) -> None:
    with pytest.raises(FederatedError, match=message):
        FederatedDataLoader(spread(quick, (2,)), **options)


def test_an_ordinary_data_set_is_sent_to_the_ordinary_loader() -> None:
    message = "Your dataset is not a FederatedDataset, please use torch.utils.data.DataLoader instead."
    with pytest.raises(FederatedError, match=message):
        FederatedDataLoader(torch.utils.data.TensorDataset(torch.zeros(2)))  # type: ignore[arg-type]


def test_other_options_of_torch_only_warn(quick: Workers, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        loader = FederatedDataLoader(spread(quick, (2,)), num_workers=1, pin_memory=True)
    assert [r.getMessage() for r in caplog.records if r.name.startswith("syft.federated")] == [
        "The following options are not supported: num_workers: 1, pin_memory: True"
    ]
    assert len(trace(loader)) == 1


def test_positional_arguments_are_in_the_order_of_0_2_4(quick: Workers) -> None:
    loader = FederatedDataLoader(spread(quick, (3, 3, 3)), 2, False, 2, True, default_collate, False)
    assert (loader.batch_size, loader.shuffle, loader.num_iterators, loader.drop_last) == (2, False, 2, True)
    assert {len(numbers) for step in trace(loader) for numbers in step.values()} == {2}


def test_a_federated_torch_data_set_trains(workers: Workers) -> None:
    """The whole way: spread, draw, train on each worker; the loss goes down."""
    generator = torch.Generator().manual_seed(0)
    points = torch.randn(40, 2, generator=generator)
    labels = (points @ torch.tensor([[1.0], [-2.0]])) + 0.5
    federated = federate(torch.utils.data.TensorDataset(points, labels), workers[:2])
    model = torch.nn.Linear(2, 1)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05)
    loader = FederatedDataLoader(federated, batch_size=8, shuffle=True, generator=generator)
    losses = []
    for _ in range(6):
        for data, target in loader:
            model.send(data.location)
            optimizer.zero_grad()
            loss = ((model(data) - target) ** 2).mean()
            loss.backward()
            optimizer.step()
            model.get()
            losses.append(loss.get().item())
    assert len(losses) == 6 * len(loader) == 6 * 2 * math.ceil(20 / 8)
    assert losses[-1] < 0.1 * losses[0]
    assert [len(worker._objects) for worker in workers[:2]] == [2, 2 + 2]  # the last batch is still held


def test_a_worker_dict_is_a_dict() -> None:
    batches = WorkerDict()
    assert dict(batches) == {}
    with pytest.raises(WorkerNotFoundException, match="entries for: none"):
        batches["bob"]
