"""Pointers to pointers: ops run two hops away."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch.nn import functional as F

import syft as sy

Worker = sy.VirtualWorker


@pytest.fixture
def pp(bob: Worker, alice: Worker) -> Any:
    """A pointer to alice's pointer to bob's tensor."""
    return torch.tensor([[1.0, 5.0], [3.0, 2.0]]).send(bob).send(alice)


def empty(*workers: Worker) -> bool:
    return all(not w._objects for w in workers)


def test_the_middle_worker_holds_a_wrapped_pointer(bob: Worker, alice: Worker) -> None:
    x = torch.tensor([1, 2])
    p = x.send(bob)
    pp = p.send(alice)
    (middle,) = alice._objects.values()
    assert str(middle) == f"(Wrapper)>[PointerTensor | alice:{p.id} -> bob:{x.id}]"
    assert str(pp) == f"(Wrapper)>[PointerTensor | me:{pp.id} -> alice:{p.id}]"


def test_sending_turns_the_first_pointer_s_collection_off(bob: Worker, alice: Worker) -> None:
    p = torch.tensor([1, 2]).send(bob)
    pp = p.send(alice)
    assert p.gc is False
    del p
    assert len(bob._objects) == 1
    assert pp.get().get().tolist() == [1, 2]


def test_send_can_be_chained(pp: Any, bob: Worker, alice: Worker) -> None:
    assert pp.location is alice
    assert len(bob._objects) == len(alice._objects) == 1


def test_ops_run_at_the_far_end(pp: Any, bob: Worker, alice: Worker) -> None:
    q = pp + pp
    assert q.location is alice
    assert len(bob._objects) == len(alice._objects) == 2
    assert q.get().get().tolist() == [[2.0, 10.0], [6.0, 4.0]]


def test_the_shape_answers_through_both_hops(pp: Any) -> None:
    assert pp.shape == (2, 2)
    assert (pp.sum(dim=0).shape, pp.dim(), len(pp), pp.numel()) == ((2,), 2, 2, 4)


def test_get_gives_the_inner_pointer_which_now_is_mine(pp: Any, bob: Worker, alice: Worker, me: Any) -> None:
    p = pp.get()
    assert p.is_wrapper
    assert (p.owner, p.location) == (me, bob)
    assert empty(alice)
    assert p.get().tolist() == [[1.0, 5.0], [3.0, 2.0]]
    assert empty(bob)


def test_the_inner_pointer_collects_again(pp: Any, bob: Worker, alice: Worker) -> None:
    p = pp.get()
    assert p.gc is True
    del p
    assert empty(bob, alice)


def test_deleting_the_outer_pointer_deletes_all(bob: Worker, alice: Worker) -> None:
    pp = torch.tensor([1, 2]).send(bob).send(alice)
    del pp
    assert empty(bob, alice)


def test_results_die_at_both_ends(pp: Any, bob: Worker, alice: Worker) -> None:
    q = (pp + pp) * 2
    assert len(bob._objects) == len(alice._objects) == 2
    del q
    assert len(bob._objects) == len(alice._objects) == 1


def test_remote_get_shortens_the_chain(pp: Any, bob: Worker, alice: Worker) -> None:
    pp.remote_get()
    assert empty(bob)
    (data,) = alice._objects.values()
    assert data.tolist() == [[1.0, 5.0], [3.0, 2.0]]
    assert (pp + 1).get().tolist() == [[2.0, 6.0], [4.0, 3.0]]


def test_backward_reaches_through_two_hops(bob: Worker, alice: Worker) -> None:
    ww = torch.tensor([3.0, 1.0], requires_grad=True).send(bob).send(alice)
    (ww * ww).sum().backward()
    assert ww.get().get().grad.tolist() == [6.0, 2.0]


def test_grad_is_seen_through_two_hops(bob: Worker, alice: Worker) -> None:
    ww = torch.tensor([3.0, 1.0], requires_grad=True).send(bob).send(alice)
    assert ww.grad is None
    (ww * ww).sum().backward()
    assert ww.grad is not None


def test_functions_run_at_the_far_end(pp: Any) -> None:
    assert F.relu(pp - 2).get().get().tolist() == [[0.0, 3.0], [1.0, 0.0]]
    assert torch.add(pp, pp).get().get().tolist() == [[2.0, 10.0], [6.0, 4.0]]
    first, second = torch.split(pp, 1)
    assert first.get().get().tolist() == [[1.0, 5.0]]
    assert second.get().get().tolist() == [[3.0, 2.0]]


def test_several_results_come_from_the_far_end(pp: Any) -> None:
    for out in (pp.max(dim=0), torch.max(pp, 0)):
        values, indices = out
        assert values.get().get().tolist() == [3.0, 5.0]
        assert indices.get().get().tolist() == [1, 0]


def test_in_place_ops_change_the_far_end(pp: Any, bob: Worker) -> None:
    assert pp.add_(1) is pp
    (far,) = bob._objects.values()
    assert far.tolist() == [[2.0, 6.0], [4.0, 3.0]]


def test_indexing_reaches_the_far_end(pp: Any) -> None:
    assert pp[0].get().get().tolist() == [1.0, 5.0]
    assert pp[pp > 2].get().get().tolist() == [5.0, 3.0]
    pp[0] = 0.0
    assert pp.get().get().tolist() == [[0.0, 0.0], [3.0, 2.0]]


def test_iterating_reaches_the_far_end(pp: Any) -> None:
    assert [row.get().get().tolist() for row in pp] == [[1.0, 5.0], [3.0, 2.0]]


def test_copying_copies_the_data(pp: Any, bob: Worker) -> None:
    c = pp.copy()
    c.zero_()
    assert pp.get().get().tolist() == [[1.0, 5.0], [3.0, 2.0]]


def test_plain_answers_come_through(pp: Any) -> None:
    assert torch.equal(pp, pp) is True
    assert pp.dtype is torch.float32
    assert pp.requires_grad is False


def test_remote_errors_come_through(pp: Any, bob: Worker, alice: Worker) -> None:
    with pytest.raises(RuntimeError, match="shape"):
        pp.view(7)
    assert len(bob._objects) == len(alice._objects) == 1


def test_three_hops(workers: list[Worker]) -> None:
    bob, alice, james = workers
    ppp = torch.tensor([1, 2]).send(bob).send(alice).send(james)
    q = ppp + ppp
    assert q.shape == (2,)
    assert q.get().get().get().tolist() == [2, 4]
    del q, ppp
    assert empty(bob, alice, james)


def test_sending_a_pointer_home_makes_it_the_tensor(bob: Worker) -> None:
    x = torch.tensor([1, 2])
    p = x.send(bob)
    pp = p.send(bob)
    assert (pp + 1).get().tolist() == [2, 3]
    assert pp.get().tolist() == [1, 2]


def test_a_pointer_to_a_pointer_moved_home_leaves_nothing_behind(bob: Worker, alice: Worker) -> None:
    ppp = torch.tensor([1, 2]).send(bob).send(alice).send(bob)
    ppp.move(alice)
    assert (len(bob._objects), len(alice._objects)) == (1, 1)
    del ppp
    assert empty(bob, alice)


def test_a_pointer_moved_home_leaves_nothing_behind(bob: Worker, alice: Worker) -> None:
    pp = torch.tensor([1, 2]).send(bob).send(alice)
    pp.move(bob)
    assert len(bob._objects) == 1
    assert pp.get().tolist() == [1, 2]
    assert empty(bob, alice)
