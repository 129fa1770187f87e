"""Multi-pointers: one tensor with a copy on each of several workers."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch.nn import functional as F

import syft as sy
from syft.exceptions import SyftError, TensorsNotCollocatedException

Worker = sy.VirtualWorker


@pytest.fixture
def m(bob: Worker, alice: Worker) -> Any:
    """A multi-pointer over bob and alice."""
    return torch.tensor([[1.0, 5.0], [3.0, 2.0]]).send(bob, alice)


def lists(tensors: Any) -> list[Any]:
    return [t.tolist() for t in tensors]


def test_a_multi_pointer_prints_one_line_a_worker(bob: Worker, alice: Worker) -> None:
    x = torch.tensor([1, 2])
    m = x.send(bob, alice)
    lines = str(m).split("\n")
    p, q = m.child.child.values()
    assert lines == ["(Wrapper)>[MultiPointerTensor]", f"\t-> {p}", f"\t-> {q}"]
    assert str(p) == f"[PointerTensor | me:{p.id} -> bob:{x.id}]"
    assert str(q) == f"[PointerTensor | me:{q.id} -> alice:{x.id}]"


def test_all_copies_share_the_id(m: Any, bob: Worker, alice: Worker) -> None:
    assert list(bob._objects) == list(alice._objects)


def test_combine_puts_the_given_pointers_before(bob: Worker, alice: Worker) -> None:
    p, q = torch.tensor([1]).send(bob), torch.tensor([2]).send(alice)
    assert lists(p.combine(q).get()) == [[2], [1]]


def test_combine_pointers_keeps_the_order(bob: Worker, alice: Worker) -> None:
    p, q = torch.tensor([1]).send(bob), torch.tensor([2]).send(alice)
    m = sy.combine_pointers(p, q)
    assert type(m.child) is sy.MultiPointerTensor
    assert lists(m.get()) == [[1], [2]]


def test_combined_pointers_must_have_one_shape(bob: Worker, alice: Worker) -> None:
    p, q = torch.tensor([1]).send(bob), torch.tensor([1, 2]).send(alice)
    with pytest.raises(SyftError, match="shape"):
        sy.combine_pointers(p, q)
    assert q.get().tolist() == [1, 2]


def test_combined_pointers_must_be_at_different_workers(bob: Worker) -> None:
    p, q = torch.tensor([1]).send(bob), torch.tensor([2]).send(bob)
    with pytest.raises(ValueError, match="bob"):
        sy.combine_pointers(p, q)
    with pytest.raises(ValueError, match="bob"):
        torch.tensor([1]).send(bob, bob)


def test_the_children_are_in_order_of_sending(workers: list[Worker]) -> None:
    bob, alice, james = workers
    m = torch.tensor([1]).send(james, bob, alice)
    assert list(m.child.child) == ["james", "bob", "alice"]
    assert all(type(p) is sy.PointerTensor for p in m.child.child.values())


def test_the_shape_is_that_of_every_copy(m: Any) -> None:
    assert m.shape == (2, 2)
    assert (m.dim(), len(m), m.numel()) == (2, 2, 4)


OPS: dict[str, Any] = {
    "+": lambda t: t + t, "*": lambda t: t * 2, "sum": lambda t: t.sum(), "mm": lambda t: t.mm(t),
    "==": lambda t: t == t, "[0]": lambda t: t[0], "torch.add": lambda t: torch.add(t, t),
    "F.relu": lambda t: F.relu(t - 2),
    ">": lambda t: t > 2, "<": lambda t: t < 2, ">=": lambda t: t >= 2, "<=": lambda t: t <= 2, "!=": lambda t: t != 5,
    "gt": lambda t: t.gt(2), "2-": lambda t: 2 - t, "-": lambda t: -t, "abs": lambda t: abs(-t),
    "torch.cat": lambda t: torch.cat([t, t]), "scalar tensor": lambda t: t * torch.tensor(2.0),
}  # fmt: skip


@pytest.mark.parametrize("compute", OPS.values(), ids=OPS.keys())
def test_ops_run_on_every_worker(m: Any, compute: Any) -> None:
    result = compute(m)
    assert type(result.child) is sy.MultiPointerTensor
    expected = compute(torch.tensor([[1.0, 5.0], [3.0, 2.0]]))
    assert lists(result.get()) == [expected.tolist()] * 2


def test_in_place_ops_change_every_copy(m: Any, bob: Worker) -> None:
    same = m
    m += 1
    assert m is same
    assert m.add_(1) is m
    assert lists(m.get()) == [[[3.0, 7.0], [5.0, 4.0]]] * 2


def test_get_gives_a_list_and_removes_all(m: Any, bob: Worker, alice: Worker) -> None:
    assert len(m.get()) == 2
    assert bob._objects == alice._objects == {}


def test_get_can_sum(m: Any, bob: Worker, alice: Worker) -> None:
    assert (m + m).get(sum_results=True).tolist() == [[4.0, 20.0], [12.0, 8.0]]
    assert len(bob._objects) == len(alice._objects) == 1


def test_virtual_get_peeks(m: Any, bob: Worker, alice: Worker) -> None:
    assert len(m.child.virtual_get()) == 2
    assert m.child.virtual_get(sum_results=True).tolist() == [[2.0, 10.0], [6.0, 4.0]]
    assert len(bob._objects) == len(alice._objects) == 1


def test_backward_runs_on_every_worker(bob: Worker, alice: Worker) -> None:
    m = torch.tensor([3.0], requires_grad=True).send(bob, alice)
    assert m.grad is None
    (m * m).sum().backward()
    assert str(m.grad).count("::grad") == 2
    assert str(m.grad).startswith("(Wrapper)>[MultiPointerTensor]\n\t-> [PointerTensor |")
    assert [t.grad.tolist() for t in m.get()] == [[6.0], [6.0]]


def test_get_in_place_is_refused_or_works_with_a_clear_answer(m: Any) -> None:
    try:
        out = m.get_()
    except SyftError as error:
        assert "get" in str(error)  # noqa: PT017
        out = m.get()
    assert lists(out) == [[[1.0, 5.0], [3.0, 2.0]]] * 2


def test_multi_and_local_do_not_mix(m: Any, bob: Worker, alice: Worker) -> None:
    local = torch.ones(2, 2)
    for call in (lambda: m + local, lambda: local + m, lambda: torch.add(local, m), lambda: torch.cat([m, local])):
        with pytest.raises(TensorsNotCollocatedException):
            call()
    assert len(bob._objects) == len(alice._objects) == 1


def test_multi_and_single_pointers_do_not_mix(m: Any, bob: Worker) -> None:
    p = torch.ones(2, 2).send(bob)
    for call in (lambda: m + p, lambda: p + m, lambda: torch.add(p, m), lambda: torch.cat([p, m])):
        with pytest.raises(TensorsNotCollocatedException):
            call()
    assert p.get().tolist() == [[1.0, 1.0], [1.0, 1.0]]
    assert len(m.get()) == 2


def test_multi_pointers_over_other_workers_do_not_mix(m: Any, bob: Worker, james: Worker) -> None:
    other = torch.ones(2, 2).send(bob, james)
    for call in (lambda: m + other, lambda: other + m):
        with pytest.raises(TensorsNotCollocatedException):
            call()
    assert len(other.get()) == len(m.get()) == 2


def test_a_multi_pointer_over_more_workers_does_not_mix(m: Any, workers: list[Worker]) -> None:
    more = torch.ones(2, 2).send(*workers)
    for call in (lambda: m + more, lambda: more + m):
        with pytest.raises(TensorsNotCollocatedException):
            call()


def test_a_multi_pointer_has_no_single_location(m: Any, james: Worker) -> None:
    with pytest.raises(AttributeError):
        m.location  # noqa: B018
    with pytest.raises(AttributeError):
        m.move(james)


def test_several_results_are_multi_pointers(m: Any) -> None:
    values, indices = m.max(dim=0)
    assert lists(values.get()) == [[3.0, 5.0]] * 2
    assert lists(indices.get()) == [[1, 0]] * 2


def test_iterating_gives_multi_pointers(m: Any) -> None:
    assert [lists(row.get()) for row in m] == [[[1.0, 5.0]] * 2, [[3.0, 2.0]] * 2]


def test_deleting_deletes_every_copy(bob: Worker, alice: Worker) -> None:
    m = torch.tensor([1]).send(bob, alice)
    del m
    assert bob._objects == alice._objects == {}


def test_deleting_a_combination_keeps_what_its_pointers_hold(bob: Worker, alice: Worker) -> None:
    p, q = torch.tensor([1]).send(bob), torch.tensor([2]).send(alice)
    m = sy.combine_pointers(p, q)
    del m
    assert p.get().tolist() == [1]
    assert q.get().tolist() == [2]


def test_a_combination_keeps_the_copies_alive(bob: Worker, alice: Worker) -> None:
    p, q = torch.tensor([1]).send(bob), torch.tensor([2]).send(alice)
    m = sy.combine_pointers(p, q)
    del p, q
    assert lists(m.get()) == [[1], [2]]


def test_a_multi_pointer_survives_the_codec(m: Any, bob: Worker, alice: Worker) -> None:
    back = sy.serde.deserialize(sy.serde.serialize(m))
    assert list(back.child.child) == ["bob", "alice"]
    assert [p.gc for p in back.child.child.values()] == [False, False]
    del back
    assert len(m.get()) == 2


def test_the_example_of_the_manual(make_worker: Any) -> None:
    lab, clinic = make_worker("lab"), make_worker("clinic")
    both = torch.tensor([1, 2]).send(lab, clinic)
    assert (both + both).get(sum_results=True).tolist() == [4, 8]
