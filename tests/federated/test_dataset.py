"""Data sets on workers: one whole, one as pointers, and one spread over several."""

from __future__ import annotations

import gc
import logging
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import torch
from torch.utils.data import Dataset, IterableDataset, Subset, TensorDataset

import syft as sy
from syft.exceptions import CommandNotPermittedError, FederatedError, NotRemoteError, ObjectNotFoundError, UsageError
from syft.federated.dataset import BaseDataset, PointerDataset
from syft.federated.federate import FederatedDataset, distribute, federate
from syft.federated.loader import FederatedDataLoader
from syft.federated.worker_keys import WorkerNotFoundException
from tests.federated.places import fresh_workers

Workers = list[sy.VirtualWorker]


@pytest.fixture(params=[False, True], ids=["by_reference", "wire"])
def workers(request: pytest.FixtureRequest) -> Iterator[Workers]:
    with fresh_workers(wire=request.param) as fresh:
        yield fresh


class Numbered(Dataset[Any]):
    """Samples that say which one they are, and a count of how often they were read."""

    def __init__(self, count: int) -> None:
        self.count, self.reads = count, 0

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, index: int) -> Any:
        self.reads += 1
        return torch.full((2,), float(index)), index


class Samples(Dataset[Any]):
    """Exactly these samples."""

    def __init__(self, *samples: Any) -> None:
        self.samples = samples

    def __len__(self) -> int:
        return len(self.samples)

    def __getitem__(self, index: int) -> Any:
        return self.samples[index]


class Stream(IterableDataset[Any]):
    """Samples that only come in order."""

    def __init__(self, count: int, claimed: int | None = None) -> None:
        self.count, self.claimed = count, count if claimed is None else claimed

    def __len__(self) -> int:
        return self.claimed

    def __iter__(self) -> Iterator[Any]:
        return iter([(torch.tensor([float(i)]), i) for i in range(self.count)])


def numbered(count: int) -> BaseDataset:
    return BaseDataset(torch.arange(2.0 * count).view(count, 2), torch.arange(count))


def held(spread: FederatedDataset) -> dict[Any, list[int]]:
    """The targets on each worker; they stay there."""
    return {worker: spread[worker].targets.clone().get().tolist() for worker in spread.workers}


# --- BaseDataset -----------------------------------------------------------------------------------------


def test_a_local_data_set_gives_samples_and_slices() -> None:
    dataset = numbered(4)
    assert len(dataset) == 4
    data, target = dataset[1]
    assert data.tolist() == [2.0, 3.0]
    assert target.item() == 1
    data, target = dataset[1:3]
    assert data.tolist() == [[2.0, 3.0], [4.0, 5.0]]
    assert target.tolist() == [1, 2]
    assert dataset.location is None


def test_a_data_set_of_lists_gives_the_very_items() -> None:
    dataset = BaseDataset(["a", "b"], [0, 1])
    assert dataset[1] == ("b", 1)


def test_the_transform_sees_numpy_and_gives_a_tensor() -> None:
    seen: list[type] = []

    def double(sample: np.ndarray) -> np.ndarray:
        seen.append(type(sample))
        return sample * 2

    dataset = BaseDataset(torch.tensor([[1.0, 2.0], [3.0, 4.0]]), torch.tensor([0, 1]), transform=double)
    assert torch.equal(dataset[1][0], torch.tensor([6.0, 8.0]))
    assert torch.equal(dataset[0:2][0], torch.tensor([[2.0, 4.0], [6.0, 8.0]]))
    assert seen == [np.ndarray, np.ndarray]


def test_transform_replaces_the_data_once(workers: Workers) -> None:
    bob = workers[0]
    dataset = numbered(2)
    assert dataset.transform(lambda data: data + 1) is None
    assert dataset.data.tolist() == [[1.0, 2.0], [3.0, 4.0]]
    remote = BaseDataset(dataset.data.send(bob), dataset.targets.send(bob))
    remote.transform(lambda data: data * 10)
    assert remote.location is bob
    assert remote.get().data.tolist() == [[10.0, 20.0], [30.0, 40.0]]


def test_transform_needs_a_tensor_and_keeps_the_length() -> None:
    with pytest.raises(FederatedError, match="Transforms can be applied only on torch tensors.*list"):
        BaseDataset([1], [1]).transform(lambda data: data)
    dataset = numbered(3)
    with pytest.raises(FederatedError, match="2 samples and 3 targets"):
        dataset.transform(lambda data: data[:2])
    assert len(dataset) == 3


def test_samples_and_targets_must_fit(workers: Workers) -> None:
    bob, alice = workers[:2]
    with pytest.raises(FederatedError, match="3 samples and 2 targets"):
        BaseDataset(torch.zeros(3), torch.zeros(2))
    with pytest.raises(FederatedError, match="samples are on worker 'bob', the targets here"):
        BaseDataset(torch.zeros(2).send(bob), torch.zeros(2))
    with pytest.raises(FederatedError, match="samples are on worker 'bob', the targets on worker 'alice'"):
        BaseDataset(torch.zeros(2).send(bob), torch.zeros(2).send(alice))


def test_the_printed_form_is_that_of_0_2_4() -> None:
    dataset = BaseDataset(torch.tensor([1.0, 2, 3, 4]), torch.tensor([1, 2, 3, 4]))
    plain = "BaseDataset\n\tData: tensor([1., 2., 3., 4.])\n\ttargets: tensor([1, 2, 3, 4])"
    assert repr(dataset) == plain
    assert dataset.tag("#b", "#a").describe("My set\nline two") is dataset
    assert str(dataset) == plain + "\n\tTags: #a #b \n\tDescription: My set..."


def test_fields_on_a_worker_are_met_as_pointers_and_fetched(workers: Workers) -> None:
    bob = workers[0]
    local = numbered(3)
    dataset = BaseDataset(local.data.send(bob), local.targets.send(bob))
    assert dataset.location is bob
    assert len(dataset) == 3
    data, target = dataset[1]
    assert data.location is bob
    assert data.get().tolist() == [2.0, 3.0]
    assert target.get().item() == 1
    assert dataset.get() is dataset
    assert torch.equal(dataset.data, local.data)
    assert len(bob._objects) == 0
    with pytest.raises(NotRemoteError, match="here already"):
        dataset.get()


def test_a_transform_of_remote_fields_runs_on_the_worker(workers: Workers) -> None:
    bob = workers[0]
    dataset = BaseDataset(torch.ones(2, 2).send(bob), torch.arange(2).send(bob), transform=lambda sample: sample * 3)
    data, _ = dataset[0]
    assert data.location is bob
    assert data.get().tolist() == [3.0, 3.0]
    data, targets = dataset.batch([1, 0])
    assert data.get().tolist() == [[3.0, 3.0], [3.0, 3.0]]
    assert targets.get().tolist() == [1, 0]


# --- PointerDataset --------------------------------------------------------------------------------------


def test_fields_are_encoded_shared_and_fetched_in_place(workers: Workers) -> None:
    bob, alice, james = workers[:3]
    dataset = BaseDataset(torch.tensor([[1.5], [-2.0]]), torch.tensor([7, 8]))
    assert dataset.fix_precision() is dataset and isinstance(dataset.targets.child, sy.FixedPrecisionTensor)
    assert dataset.share(bob, alice, crypto_provider=james) is dataset
    assert isinstance(dataset.data.child.child, sy.AdditiveSharingTensor)
    sample, target = dataset[1]
    assert abs((sample * target).get().float_precision() + 16) <= 0.001001
    assert dataset.get().float_prec() is dataset
    assert dataset.data.tolist() == [[1.5], [-2.0]] and dataset.targets.tolist() == [7.0, 8.0]
    again = dataset.fix_prec(base=2, precision_fractional=4).data.child
    assert (again.base, again.precision_fractional) == (2, 4)


def test_a_transform_sees_encoded_samples_as_they_are() -> None:
    dataset = BaseDataset(torch.tensor([1.5, 2.0]), torch.tensor([7, 8]), transform=lambda x: x * 2)
    sample, target = dataset.fix_precision()[0]
    assert sample.float_precision() == 3.0 and target.float_precision() == 7.0


def test_a_field_that_cannot_be_shared_leaves_both_as_they_were(workers: Workers) -> None:
    dataset = BaseDataset(torch.tensor([1, 2]), torch.tensor([0.5, 1.5]))
    with pytest.raises(UsageError, match="fix_precision"):
        dataset.share(*workers[:2])
    assert dataset.data.tolist() == [1, 2] and dataset.targets.tolist() == [0.5, 1.5]
    with pytest.raises(FederatedError, match="numbers"):
        BaseDataset(["a", "b"], [1, 2]).fix_precision()


def test_a_sent_data_set_is_read_through_its_pointer(workers: Workers) -> None:
    bob = workers[0]
    local = numbered(4)
    pointer = local.send(bob)
    assert isinstance(pointer, PointerDataset)
    assert pointer.location is bob
    assert len(pointer) == 4
    data, target = pointer[3]
    assert data.location is bob
    assert data.get().tolist() == [6.0, 7.0]
    assert target.get().item() == 3
    data, target = pointer[1:3]
    assert data.get().tolist() == [[2.0, 3.0], [4.0, 5.0]]
    assert target.get().tolist() == [1, 2]
    assert pointer.data.get().tolist() == local.data.tolist()
    assert pointer.get_targets().get().tolist() == [0, 1, 2, 3]
    assert pointer.get_data().get().shape == (4, 2)
    assert len(bob._objects) == 1


def test_the_local_data_set_stays_usable_and_apart(workers: Workers) -> None:
    bob = workers[0]
    local = numbered(2)
    pointer = local.send(bob)
    local.data.add_(100)
    assert pointer.data.get().tolist() == [[0.0, 1.0], [2.0, 3.0]]
    assert local[0][0].tolist() == [100.0, 101.0]


def test_getting_a_data_set_back_removes_it(workers: Workers) -> None:
    bob = workers[0]
    pointer = numbered(2).tag("#toy").describe("two points").send(bob)
    fetched = pointer.get()
    assert isinstance(fetched, BaseDataset)
    assert fetched.targets.tolist() == [0, 1]
    assert fetched.tags == {"#toy"}
    assert fetched.description == "two points"
    assert len(bob._objects) == 0
    with pytest.raises(ObjectNotFoundError):
        pointer.get()


def test_the_transform_stays_here(workers: Workers) -> None:
    dataset = BaseDataset(torch.ones(2), torch.zeros(2), transform=lambda sample: sample * 5)
    assert dataset.send(workers[0])[0][0].get().item() == 1.0


def test_a_pointer_leaves_the_data_set_alone_unless_told_to_collect(workers: Workers) -> None:
    bob = workers[0]
    numbered(2).send(bob)
    gc.collect()
    assert len(bob._objects) == 1
    kept = numbered(2).send(bob, garbage_collect_data=True)
    assert len(bob._objects) == 2
    del kept
    gc.collect()
    assert len(bob._objects) == 1


def test_the_pointer_prints_where_it_points(workers: Workers) -> None:
    dataset = numbered(2)
    pointer = dataset.tag("#a").describe("My set\nmore").send(workers[0])
    head = f"[PointerDataset | me:{pointer.id} -> bob:{dataset.id}]"
    assert repr(pointer) == str(pointer) == head + "\n\tTags: #a \n\tDescription: My set..."


def test_a_search_finds_a_stored_data_set_by_its_tags(workers: Workers) -> None:
    bob, alice = workers[:2]
    numbered(2).tag("#toy", "#test").send(bob)
    numbered(3).tag("#toy").send(alice)
    me = sy.local_worker
    found = [pointer for place in (bob, alice) for pointer in me.request_search(["#toy"], location=place)]
    assert [type(pointer) for pointer in found] == [PointerDataset, PointerDataset]
    assert [len(pointer) for pointer in found] == [2, 3]
    assert found[0].tags == {"#toy", "#test"}
    spread = FederatedDataset(found)
    assert spread.workers == ["bob", "alice"]
    seen = [(target.location.id, target.get().tolist()) for _, target in FederatedDataLoader(spread, batch_size=2)]
    assert seen == [("bob", [0, 1]), ("alice", [0, 1]), ("alice", [2])]
    del spread, found
    gc.collect()
    assert len(bob._objects) == len(alice._objects) == 1


def test_data_loaded_on_the_worker_itself_is_found_too(workers: Workers) -> None:
    bob = workers[0]
    bob.register_obj(BaseDataset(torch.ones(3, 1), torch.zeros(3)).tag("#home"))
    (pointer,) = sy.local_worker.request_search("#home", location=bob)
    assert len(pointer) == 3
    assert pointer.batch([2, 0])[0].get().tolist() == [[1.0], [1.0]]


@pytest.mark.parametrize("method", ["send", "transform", "to_wire", "get", "__init__", "__class__", "nothing"])
def test_only_the_methods_a_data_set_offers_can_be_called(workers: Workers, method: str) -> None:
    pointer = numbered(2).send(workers[0])
    with pytest.raises(CommandNotPermittedError, match=method):
        pointer.call(method)


def test_plain_values_do_not_come_back_from_a_worker(workers: Workers) -> None:
    pointer = BaseDataset([10, 20, 30], [0.5, 1.5, 2.5]).send(workers[0])
    data, target = pointer[1]
    assert data.location is workers[0]
    assert (data.get().item(), target.get().item()) == (20, 1.5)
    assert pointer.data.get().tolist() == [10, 20, 30]
    assert pointer.batch([2, 1])[1].get().tolist() == [2.5, 1.5]
    words = BaseDataset(["a", "b"], [0, 1]).send(workers[0])
    for ask in (lambda: words[0], lambda: words.batch([0]), lambda: words.data):
        with pytest.raises(FederatedError, match="something other than numbers"):
            ask()


def test_a_data_set_of_pointers_is_not_sent(workers: Workers) -> None:
    bob, alice = workers[:2]
    dataset = BaseDataset(torch.zeros(2).send(bob), torch.zeros(2).send(bob))
    with pytest.raises(FederatedError, match="on worker 'bob' already.*'alice'"):
        dataset.send(alice)


@pytest.mark.parametrize(
    "parts",
    [
        [],
        {"id": 1},
        {"id": 1.5, "data": torch.zeros(1), "targets": torch.zeros(1), "tags": [], "description": None},
        {"id": 1, "data": torch.zeros(1), "targets": torch.zeros(1), "tags": [], "description": 7},
        {"id": 1, "data": "text", "targets": torch.zeros(4), "tags": [], "description": None},
        {"id": 1, "data": torch.zeros(2), "targets": torch.zeros(1), "tags": [], "description": None},
    ],
)
def test_what_is_no_data_set_is_not_received(parts: Any) -> None:
    with pytest.raises(FederatedError):
        BaseDataset.from_wire(parts, None)


def test_pointers_are_not_received_as_fields(workers: Workers) -> None:
    away = torch.zeros(1).send(workers[0])
    parts = {"id": 1, "data": away, "targets": away, "tags": [], "description": None}
    with pytest.raises(FederatedError, match="values, not pointers"):
        BaseDataset.from_wire(parts, None)


# --- FederatedDataset ------------------------------------------------------------------------------------


def test_a_federated_data_set_is_looked_up_by_worker(workers: Workers) -> None:
    bob, alice = workers[:2]
    parts = [
        BaseDataset(torch.zeros(n, 1).send(place), torch.zeros(n).send(place)) for n, place in ((4, bob), (2, alice))
    ]
    spread = FederatedDataset(parts)
    assert spread.workers == ["bob", "alice"]
    assert len(spread) == 6
    assert spread["bob"] is spread[bob] is parts[0]
    assert list(spread) == parts
    text = "FederatedDataset\n    Distributed accross: bob, alice\n    Number of datapoints: 6\n"
    assert repr(spread) == str(spread) == text
    with pytest.raises(KeyError):
        spread["nobody"]
    with pytest.raises(WorkerNotFoundException, match="'nobody'; it is on: bob, alice"):
        spread["nobody"]
    del spread.datasets["alice"]
    assert spread.workers == ["bob"]


def test_ids_that_are_numbers_are_found_by_their_text_too() -> None:
    with fresh_workers(names=(7,)) as (seven,):
        spread = FederatedDataset([BaseDataset(torch.zeros(1).send(seven), torch.zeros(1).send(seven))])
        assert spread.workers == [7]
        assert spread["7"] is spread[7] is spread[seven]


def test_a_local_part_is_refused(workers: Workers) -> None:
    remote = BaseDataset(torch.zeros(1).send(workers[0]), torch.zeros(1).send(workers[0]))
    with pytest.raises(FederatedError, match="BaseDataset number 1 is not on a worker"):
        FederatedDataset([remote, numbered(2)])


def test_data_sets_on_one_worker_are_joined(workers: Workers) -> None:
    bob, alice = workers[:2]
    places = (bob, alice, bob)
    parts = [
        BaseDataset(torch.full((2, 1), float(k)).send(place), torch.tensor([k, k]).send(place))
        for k, place in enumerate(places)
    ]
    spread = FederatedDataset(parts)
    assert held(spread) == {"bob": [0, 0, 2, 2], "alice": [1, 1]}
    assert spread["bob"].data.clone().get().flatten().tolist() == [0.0, 0.0, 2.0, 2.0]


def test_stored_data_sets_on_one_worker_are_joined(workers: Workers) -> None:
    bob = workers[0]
    spread = FederatedDataset([numbered(2).send(bob), numbered(3).send(bob)])
    assert held(spread) == {"bob": [0, 1, 0, 1, 2]}


def test_parts_with_different_transforms_are_not_joined(workers: Workers) -> None:
    bob = workers[0]

    def part(transform: Any) -> BaseDataset:
        return BaseDataset(torch.ones(1).send(bob), torch.ones(1).send(bob), transform=transform)

    with pytest.raises(FederatedError, match="different transforms"):
        FederatedDataset([part(None), part(torch.abs)])
    assert len(FederatedDataset([part(torch.abs), part(torch.abs)])) == 2


def test_get_dataset_takes_a_part_home(workers: Workers) -> None:
    bob, alice = workers[:2]
    spread = federate(numbered(4), (bob, alice))
    part = spread.get_dataset("alice")
    assert part.targets.tolist() == [2, 3]
    assert part.location is None
    assert spread.workers == ["bob"]
    assert len(alice._objects) == 0
    with pytest.raises(WorkerNotFoundException):
        spread.get_dataset(alice)


# --- federate --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("total", "parts", "sizes"),
    [
        (6, 2, [3, 3]),
        (7, 3, [3, 3, 1]),
        (5, 3, [2, 2, 1]),
        (2, 3, [1, 1]),
        (7, 4, [2, 2, 2, 1]),
        (3, 1, [3]),
        # 0.2.4 cut these into 2, 2 and 3, 3, 3 and left the last worker empty.
        (4, 3, [2, 1, 1]),
        (9, 4, [3, 2, 2, 2]),
    ],
)
@pytest.mark.parametrize("kind", [Numbered, numbered, Stream])
def test_the_split_is_in_order_with_the_short_part_last(
    workers: Workers, kind: Any, total: int, parts: int, sizes: list[int]
) -> None:
    spread = kind(total).federate(workers[:parts])
    assert [len(part) for part in spread] == sizes
    got = held(spread)
    assert [i for worker in workers[:parts] for i in got.get(worker.id, [])] == list(range(total))


def test_every_way_to_read_a_data_set_gives_the_same_parts(workers: Workers) -> None:
    bob, alice = workers[:2]
    base = numbered(5)
    sets: list[Dataset[Any]] = [
        base,
        TensorDataset(base.data, base.targets),
        Subset(TensorDataset(base.data, base.targets), range(5)),
        Samples(*[base[i] for i in range(5)]),
        Samples(*[[base.data[i].numpy(), int(base.targets[i])] for i in range(5)]),
    ]
    for dataset in sets:
        spread = dataset.federate((bob, alice))
        assert held(spread) == {"bob": [0, 1, 2], "alice": [3, 4]}
        data = torch.cat([part.data.clone().get() for part in spread])
        assert torch.equal(data, base.data), type(dataset)


def test_more_samples_than_a_block_are_stacked_in_order(workers: Workers) -> None:
    dataset = Numbered(2500)
    spread = dataset.federate((workers[0],))
    assert dataset.reads == 2500
    part = spread["bob"].get()
    assert part.data.shape == (2500, 2)
    assert torch.equal(part.data[:, 0], torch.arange(2500.0))
    assert torch.equal(part.targets, torch.arange(2500))


def test_a_worker_named_twice_keeps_both_parts(workers: Workers) -> None:
    bob, alice = workers[:2]
    assert held(federate(numbered(6), (bob, bob))) == {"bob": [0, 1, 2, 3, 4, 5]}
    assert held(federate(numbered(6), (bob, alice, bob))) == {"bob": [0, 1, 4, 5], "alice": [2, 3]}


def test_workers_may_be_ids_or_a_single_one(workers: Workers) -> None:
    bob = workers[0]
    assert held(federate(numbered(4), ["bob", "alice"])) == {"bob": [0, 1], "alice": [2, 3]}
    assert held(federate(numbered(2), bob)) == {"bob": [0, 1]}
    assert held(federate(numbered(2), "bob")) == {"bob": [0, 1]}
    assert held(federate(numbered(4), (worker for worker in workers[:2]))) == {"bob": [0, 1], "alice": [2, 3]}


def test_too_few_samples_leave_workers_out_with_a_warning(workers: Workers, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, logger="syft.federated"):
        spread = federate(numbered(2), workers[:3])
    assert spread.workers == ["bob", "alice"]
    assert "2 samples are too few for 3 workers: james get none" in caplog.text
    assert "Scanning and sending data to bob, alice..." in caplog.text


def test_samples_are_read_once_and_frozen(workers: Workers) -> None:
    dataset = Numbered(4)
    spread = dataset.federate(workers[:2])
    loader = FederatedDataLoader(spread, batch_size=2)
    for _ in range(2):
        assert [target.get().tolist() for _, target in loader] == [[0, 1], [2, 3]]
    assert dataset.reads == 4


def test_dropping_a_federated_data_set_deletes_its_parts(workers: Workers) -> None:
    spread = federate(numbered(4), workers[:2])
    assert [len(worker._objects) for worker in workers[:2]] == [2, 2]
    del spread
    gc.collect()
    assert [len(worker._objects) for worker in workers[:2]] == [0, 0]


def test_the_transform_of_a_base_data_set_is_applied_when_it_is_spread(workers: Workers) -> None:
    dataset = BaseDataset(torch.ones(2, 1), torch.zeros(2), transform=lambda sample: sample + 1)
    assert federate(dataset, workers[:1])["bob"].get().data.tolist() == [[2.0], [2.0]]


@pytest.mark.parametrize(
    ("dataset", "message"),
    [
        (Samples((torch.zeros(1), 0, 0), (torch.zeros(1), 0, 0)), "has a tuple of 3"),
        (TensorDataset(torch.zeros(2, 2)), "has a tuple of 1"),
        (Samples(torch.zeros(2), torch.zeros(2)), "has a Tensor"),
        (Samples({"x": 1, "y": 2}), "has a dict of 2"),
        (Samples(("word", 1), ("words", 0)), "the data of these samples do not stack.*str"),
        (Samples((torch.zeros(1), "cat")), "the targets of these samples do not stack.*str"),
        (
            Samples((torch.zeros(1), 0), (torch.zeros(2), 0), (torch.zeros(1), 0)),
            "the data of these samples do not stack",
        ),
        (Samples(({"a": torch.zeros(1)}, 0)), "the data of these samples do not stack.*dict"),
        (Samples((object(), 0)), "the data of these samples do not stack.*object"),
        (Samples(), "0 samples over 2 workers"),
        (Stream(3, claimed=5), "should have given 2 samples and gave 0"),
        (BaseDataset(["a", "b"], [0, 1]), "the data of these samples do not stack"),
    ],
)
def test_samples_that_do_not_fit_are_named(workers: Workers, dataset: Dataset[Any], message: str) -> None:
    with pytest.raises(FederatedError, match=message):
        dataset.federate(workers[:2])
    gc.collect()
    assert [len(worker._objects) for worker in workers] == [0, 0, 0, 0]


def test_later_samples_of_another_shape_are_named(workers: Workers) -> None:
    samples = [(torch.zeros(1), 0)] * 1024 + [(torch.zeros(2), 0)]
    with pytest.raises(FederatedError, match=r"some are \(1,\) of torch.float32, some \(2,\)"):
        Samples(*samples).federate(workers[:1])


def test_no_workers_no_length_and_data_that_is_away_are_refused(workers: Workers) -> None:
    with pytest.raises(FederatedError, match="2 samples over 0 workers"):
        federate(numbered(2), [])
    with pytest.raises(FederatedError, match="without a length"):
        federate(iter([]), workers)  # type: ignore[arg-type]
    away = BaseDataset(torch.zeros(2).send(workers[0]), torch.zeros(2).send(workers[0]))
    with pytest.raises(FederatedError, match="on worker 'bob' already"):
        away.federate(workers[:2])


def test_distribute_sends_chosen_samples(workers: Workers) -> None:
    bob, alice = workers[:2]
    spread = distribute(numbered(6), [(bob, torch.tensor([5, 0])), ("alice", [3]), (bob, range(1, 3)), ("james", [])])
    assert held(spread) == {"bob": [5, 0, 1, 2], "alice": [3]}
    with pytest.raises(FederatedError, match="only read in order"):
        distribute(Stream(4), [(bob, [2, 3])])


def test_augmentation_runs_anew_for_every_batch(workers: Workers) -> None:
    bob = workers[0]
    spread = federate(BaseDataset(torch.zeros(4, 8), torch.arange(4)), [bob], augment=lambda x: x + torch.rand_like(x))
    loader = FederatedDataLoader(spread, batch_size=4)
    epochs = []
    for _ in range(2):
        for data, target in loader:
            assert data.location is bob
            epochs.append(data.get())
            assert target.get().tolist() == [0, 1, 2, 3]
    assert not torch.equal(epochs[0], epochs[1])
    assert spread["bob"].get().data.abs().sum() == 0


def test_torchvision_data_sets_are_spread_with_their_transforms(workers: Workers) -> None:
    vision = pytest.importorskip("torchvision.datasets")
    picture = vision.FakeData(6, (1, 4, 4), 3, transform=lambda image: torch.tensor(image.getextrema()).float())
    spread = picture.federate(workers[:2])
    expected = torch.stack([picture[i][0] for i in range(6)])
    assert torch.equal(torch.cat([part.data.clone().get() for part in spread]), expected)
    assert sum(held(spread).values(), []) == [int(picture[i][1]) for i in range(6)]
