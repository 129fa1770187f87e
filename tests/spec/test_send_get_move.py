"""Sending, fetching and moving tensors."""

from __future__ import annotations

from typing import Any

import pytest
import torch

import syft as sy
from syft.exceptions import (
    CannotRequestObjectAttribute,
    GetNotPermittedError,
    InvalidTensorForRemoteGet,
    NotRemoteError,
    ObjectNotFoundError,
    SendNotPermittedError,
    SyftError,
)

Worker = sy.VirtualWorker
DTYPES = [
    torch.float16, torch.bfloat16, torch.float32, torch.float64, torch.complex64, torch.int8, torch.uint8,
    torch.int16, torch.int32, torch.int64, torch.bool,
]  # fmt: skip


# --- send -------------------------------------------------------------------------------------------


def test_send_gives_a_wrapped_pointer(bob: Worker) -> None:
    x = torch.tensor([1, 2])
    p = x.send(bob)
    assert isinstance(p, torch.Tensor)
    assert type(p.child) is sy.PointerTensor
    assert str(p) == f"(Wrapper)>[PointerTensor | me:{p.id} -> bob:{x.id}]"


def test_the_worker_gets_a_copy(bob: Worker) -> None:
    x = torch.tensor([1, 2])
    p = x.send(bob)
    x.add_(10)
    assert bob._objects[x.id].tolist() == [1, 2]
    p.mul_(3)
    assert x.tolist() == [11, 12]


def test_the_remote_id_is_the_local_one_and_the_pointer_s_is_new(bob: Worker) -> None:
    x = torch.tensor([1, 2])
    p = x.send(bob)
    assert p.id_at_location == x.id
    assert p.id != x.id


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_values_and_dtype_travel(bob: Worker, dtype: torch.dtype) -> None:
    x = torch.tensor([[0, 1, 1], [1, 0, 1]]).to(dtype)
    p = x.send(bob)
    assert bob._objects[x.id].dtype is dtype
    back = p.get()
    assert back.dtype is dtype
    assert torch.equal(back, x)


@pytest.mark.parametrize(
    "x",
    [torch.tensor(3.5), torch.zeros(0), torch.zeros(2, 0, 3), torch.arange(6).view(2, 3).t(), torch.arange(8)[::2]],
    ids=["scalar", "empty", "empty 3-d", "transposed", "strided"],
)
def test_odd_shapes_travel(bob: Worker, x: torch.Tensor) -> None:
    p = x.send(bob)
    assert p.shape == x.shape
    assert torch.equal(p.get(), x)


def test_special_floats_travel(bob: Worker) -> None:
    x = torch.tensor([float("nan"), float("inf"), -float("inf"), -0.0])
    back = x.send(bob).get()
    assert torch.equal(back.isnan(), x.isnan())
    assert back[1:].tolist() == x[1:].tolist()
    assert torch.signbit(back[3])


def test_requires_grad_and_the_gradient_travel(bob: Worker) -> None:
    x = torch.tensor([1.0, 2.0], requires_grad=True)
    x.grad = torch.tensor([5.0, 6.0])
    p = x.send(bob)
    stored = bob._objects[x.id]
    assert stored.requires_grad
    assert stored.grad.tolist() == [5.0, 6.0]
    stored.grad.add_(1)
    assert x.grad.tolist() == [5.0, 6.0]
    assert p.get().grad.tolist() == [6.0, 7.0]


def test_tags_and_description_travel(bob: Worker) -> None:
    p = torch.tensor([1]).tag("#a", "#b").describe("text").send(bob)
    (stored,) = bob.search(["#a", "#b"])
    assert stored.description == "text"
    assert p.tags == {"#a", "#b"}


def test_a_chain_travels(bob: Worker) -> None:
    p = sy.LoggingTensor().on(torch.tensor([1, 2])).send(bob)
    (stored,) = bob._objects.values()
    assert str(stored) == "(Wrapper)>LoggingTensor>tensor([1, 2])"
    assert p.shape == (2,)
    assert str(p.get()) == "(Wrapper)>LoggingTensor>tensor([1, 2])"


def test_the_history_stays_and_the_tensor_arrives_as_a_leaf(bob: Worker) -> None:
    x = torch.tensor([[1.0, 2.0], [3.0, 4.0]], requires_grad=True)
    p = (x * 2).send(bob)
    (stored,) = bob._objects.values()
    assert stored.is_leaf
    assert stored.requires_grad
    (p * 3).sum().backward()
    assert x.grad is None
    assert p.get().grad.tolist() == [[3.0, 3.0], [3.0, 3.0]]


def test_a_slice_that_requires_grad_arrives_as_a_leaf(bob: Worker) -> None:
    data = torch.tensor([[0.0, 0], [0, 1], [1, 0], [1, 1]], requires_grad=True)
    p = data[0:2].send(bob)
    (stored,) = bob._objects.values()
    assert stored.is_leaf
    assert stored.requires_grad
    assert stored.shape == p.shape == (2, 2)


def test_send_needs_a_location(hook: sy.TorchHook) -> None:
    with pytest.raises(ValueError, match="worker"):
        torch.tensor([1]).send()


def test_inplace_turns_the_tensor_itself_into_the_pointer(bob: Worker) -> None:
    x, y = torch.tensor([1, 2]), torch.tensor([3, 4])
    x_id = x.id
    assert x.send(bob, inplace=True) is x
    assert y.send_(bob) is y
    assert x.is_wrapper
    assert x.id_at_location == x_id
    assert (x + y).get().tolist() == [4, 6]


def test_several_workers_cannot_be_inplace(bob: Worker, alice: Worker) -> None:
    x = torch.tensor([1, 2])
    with pytest.raises(NotImplementedError):
        x.send_(bob, alice)
    assert x.tolist() == [1, 2]
    assert bob._objects == alice._objects == {}


def test_no_wrap_gives_a_bare_pointer(bob: Worker) -> None:
    p = torch.tensor([1, 2]).send(bob, no_wrap=True)
    assert type(p) is sy.PointerTensor
    q = p + p * 2
    assert type(q) is sy.PointerTensor
    assert q.get().tolist() == [3, 6]


def test_a_parameter_is_always_wrapped(bob: Worker) -> None:
    with pytest.raises(ValueError, match="no_wrap"):
        torch.nn.Parameter(torch.zeros(1)).send(bob, no_wrap=True)


def test_without_collection_the_remote_object_outlives_the_pointer(bob: Worker) -> None:
    p = torch.tensor([1, 2]).send(bob, garbage_collect_data=False)
    assert p.gc is False
    del p
    assert len(bob._objects) == 1


def test_only_allowed_users_send_a_private_tensor(bob: Worker) -> None:
    private = torch.tensor([1, 2]).private_tensor(allowed_users=["ann"])
    with pytest.raises(SendNotPermittedError):
        private.send(bob, user="mallory")
    with pytest.raises(SendNotPermittedError):
        private.send(bob)
    assert bob._objects == {}
    assert private.send(bob, user="ann").location is bob


def test_local_autograd_gives_fetchable_gradients(bob: Worker) -> None:
    x = torch.tensor([1.0, 2.0], requires_grad=True).send(bob, local_autograd=True)
    (x * 3).sum().backward()
    assert x.grad.get().tolist() == [3.0, 3.0]


def test_preinitialized_gradients_are_zeros(bob: Worker) -> None:
    x = torch.tensor([1.0, 2.0], requires_grad=True)
    p = x.send(bob, local_autograd=True, preinitialize_grad=True)
    assert p.grad.copy().get().tolist() == [0.0, 0.0]
    assert p.get().grad.tolist() == [0.0, 0.0]
    q = torch.tensor([1.0], requires_grad=True).send(bob, local_autograd=True)
    assert q.grad is None


def test_the_pointer_to_another_worker_s_tensor_is_that_worker_s(bob: Worker, alice: Worker) -> None:
    x = torch.tensor([1, 2])
    bob.load_data([x])
    p = x.send(alice)
    assert p.owner == bob
    assert f"bob:{p.id} -> alice:{x.id}" in str(p)


def test_unknown_keywords_are_type_errors(bob: Worker) -> None:
    with pytest.raises(TypeError):
        torch.tensor([1.0]).send(bob, requires_grad=True)


def test_sent_twice_there_is_one_object_and_the_newer_pointer_owns_it(bob: Worker) -> None:
    x = torch.tensor([1, 2])
    first, second = x.send(bob), x.send(bob)
    assert len(bob._objects) == 1
    assert first.gc is False
    assert second.gc is True
    del first
    assert len(bob._objects) == 1
    del second
    assert bob._objects == {}


def test_sent_to_two_workers_in_turn_both_pointers_own(bob: Worker, alice: Worker) -> None:
    x = torch.tensor([1, 2])
    p, q = x.send(bob), x.send(alice)
    del p
    assert bob._objects == {}
    assert q.get().tolist() == [1, 2]


def test_sending_a_pointer_turns_its_collection_off(bob: Worker, alice: Worker) -> None:
    p = torch.tensor([1, 2]).send(bob)
    pp = p.send(alice)
    assert p.gc is False
    assert pp.gc is True


# --- get --------------------------------------------------------------------------------------------


def test_get_fetches_and_removes(bob: Worker, me: Any) -> None:
    x = torch.tensor([1, 2]).tag("#a").describe("text")
    back = x.send(bob).get()
    assert bob._objects == {}
    assert back.tolist() == [1, 2]
    assert back is not x
    assert back.id == x.id
    assert back.owner is me
    assert back.tags == {"#a"}
    assert back.description == "text"
    assert type(back) is torch.Tensor


def test_get_gives_a_leaf_with_its_gradient(bob: Worker) -> None:
    p = torch.tensor([1.0, 2.0], requires_grad=True).send(bob)
    q = p * 2
    q.sum().backward()
    back, result = p.get(), q.get()
    assert (back.is_leaf, back.requires_grad, back.grad.tolist()) == (True, True, [2.0, 2.0])
    assert (result.is_leaf, result.requires_grad) == (True, True)


def test_what_is_fetched_shares_no_memory_with_the_worker(bob: Worker) -> None:
    p = torch.tensor([1, 2]).send(bob)
    view = p[:1]
    back = p.get()
    back.add_(10)
    assert view.get().tolist() == [1]


def test_get_inplace_writes_into_the_same_object(bob: Worker) -> None:
    p = torch.tensor([1, 2]).send(bob)
    assert p.get_() is p
    assert p.tolist() == [1, 2]
    assert p.is_wrapper is False
    q = torch.tensor([1.0], requires_grad=True).send(bob)
    assert q.get(inplace=True) is q
    assert (q.tolist(), q.requires_grad, q.is_leaf) == ([1.0], True, True)


def test_results_can_be_fetched_inplace_and_used(bob: Worker) -> None:
    p = torch.tensor([1.0, 2.0]).send(bob)
    q = p + p
    q.get_()
    assert (q * 2).tolist() == [4.0, 8.0]
    assert repr(q) == "tensor([2., 4.])"


@pytest.mark.parametrize(
    "use",
    [repr, str, lambda p: p + 1, lambda p: p.get(), lambda p: p.shape, lambda p: p.location, lambda p: p.grad],
    ids=["repr", "str", "op", "get", "shape", "location", "grad"],
)
def test_a_consumed_pointer_says_so(bob: Worker, use: Any) -> None:
    p = torch.tensor([1, 2]).send(bob)
    p.get()
    with pytest.raises(AttributeError, match="already fetched") as caught:
        use(p)
    assert isinstance(caught.value, ObjectNotFoundError)


def test_a_consumed_pointer_among_the_operands_says_so(bob: Worker) -> None:
    p, q = torch.tensor([1, 2]).send(bob), torch.tensor([1, 2]).send(bob)
    p.get()
    for call in (lambda: q + p, lambda: torch.cat([q, p]), lambda: torch.where(q > 1, q, p), lambda: q.add(other=p)):
        with pytest.raises(ObjectNotFoundError, match="already fetched"):
            call()
    assert q.get().tolist() == [1, 2]


def test_getting_what_is_gone_says_so(bob: Worker) -> None:
    p = torch.tensor([1, 2]).send(bob)
    bob.clear_objects()
    with pytest.raises(ObjectNotFoundError, match="not found on worker"):
        p.get()


def test_a_private_tensor_stays_when_refused(bob: Worker) -> None:
    p = torch.tensor([1, 2]).private_tensor(allowed_users=["ann"]).send(bob, user="ann")
    with pytest.raises(GetNotPermittedError):
        p.get()
    with pytest.raises(GetNotPermittedError):
        p.get(user="mallory")
    assert len(bob._objects) == 1
    assert p.get(user="ann").child.child.tolist() == [1, 2]


def test_a_local_tensor_cannot_be_fetched(hook: sy.TorchHook) -> None:
    with pytest.raises(AttributeError):
        torch.tensor([1]).get()


def test_a_local_chain_cannot_be_fetched(hook: sy.TorchHook) -> None:
    with pytest.raises(AttributeError):
        sy.LoggingTensor().on(torch.tensor([1])).get()


def test_a_chain_over_a_pointer_fetches_what_is_under_it(bob: Worker) -> None:
    logged = sy.LoggingTensor().on(torch.tensor([1, 2]).send(bob))
    assert str(logged.get()) == "(Wrapper)>LoggingTensor>tensor([1, 2])"
    assert bob._objects == {}


def test_a_reason_is_accepted(bob: Worker) -> None:
    assert torch.tensor([1]).send(bob).get(reason="audit 12").tolist() == [1]


def test_a_bare_pointer_accepts_deregister_ptr(bob: Worker) -> None:
    p = torch.tensor([1]).send(bob, no_wrap=True)
    assert p.get(deregister_ptr=False).tolist() == [1]


def test_a_child_attribute_cannot_be_fetched(bob: Worker) -> None:
    p = sy.LoggingTensor().on(torch.tensor([1, 2])).send(bob)
    with pytest.raises(CannotRequestObjectAttribute):
        p.attr("child").get()


# --- move -------------------------------------------------------------------------------------------


def test_move_goes_from_worker_to_worker(bob: Worker, alice: Worker, me: Any) -> None:
    p = torch.tensor([1, 2]).send(bob)
    ptr_id, remote_id = p.id, p.id_at_location
    assert p.move(alice) is p
    assert p.location is alice
    assert (p.id, p.id_at_location) == (ptr_id, remote_id)
    assert bob._objects == {}
    assert list(alice._objects) == [remote_id]
    assert p.get().tolist() == [1, 2]


def test_move_keeps_ownership(bob: Worker, alice: Worker) -> None:
    p = torch.tensor([1, 2]).send(bob).move(alice)
    assert p.gc is True
    del p
    assert alice._objects == {}


def test_the_gradient_moves_along(bob: Worker, alice: Worker) -> None:
    p = torch.tensor([1.0, 2.0], requires_grad=True).send(bob)
    (p * 3).sum().backward()
    before = p.grad
    p.move(alice)
    assert p.grad.copy().get().tolist() == [3.0, 3.0]
    assert before is not None
    assert p.get().grad.tolist() == [3.0, 3.0]


def test_tags_move_along(bob: Worker, alice: Worker) -> None:
    p = torch.tensor([1]).tag("#a").describe("text").send(bob)
    p.move(alice)
    (stored,) = alice.search("#a")
    assert stored.description == "text"
    assert bob.search("#a") == []


def test_moving_to_where_it_is_changes_nothing(bob: Worker) -> None:
    p = torch.tensor([1, 2]).send(bob)
    assert p.move(bob) is p
    assert len(bob._objects) == 1
    assert p.get().tolist() == [1, 2]


def test_moving_to_me_makes_a_local_pointer(bob: Worker, me: Any) -> None:
    p = torch.tensor([1, 2]).send(bob)
    p.move(me)
    assert str(p) == f"(Wrapper)>[PointerTensor | me:{p.id} -> me:{p.id_at_location}]"
    assert p.get().tolist() == [1, 2]
    assert bob._objects == {}


def test_moving_there_and_back(bob: Worker, alice: Worker) -> None:
    p = torch.tensor([1, 2]).send(bob)
    assert p.move(alice).move(bob).get().tolist() == [1, 2]


def test_moving_a_pointer_to_a_pointer_moves_the_middle_one(workers: list[Worker]) -> None:
    bob, alice, james = workers
    pp = torch.tensor([1, 2]).send(bob).send(alice)
    pp.move(james)
    assert pp.location is james
    assert alice._objects == {}
    (middle,) = james._objects.values()
    assert middle.location == bob
    assert len(bob._objects) == 1
    assert pp.get().get().tolist() == [1, 2]


def test_deleting_a_moved_pointer_to_a_pointer_deletes_all(workers: list[Worker]) -> None:
    bob, alice, james = workers
    pp = torch.tensor([1, 2]).send(bob).send(alice)
    pp.move(james)
    del pp
    assert james._objects == {}
    assert bob._objects == {}


def test_a_local_tensor_cannot_be_moved(bob: Worker) -> None:
    with pytest.raises(NotRemoteError, match="send"):
        torch.tensor([1]).move(bob)


def test_moving_what_is_gone_says_so(bob: Worker, alice: Worker) -> None:
    p = torch.tensor([1]).send(bob)
    bob.clear_objects()
    with pytest.raises(ObjectNotFoundError):
        p.move(alice)


def test_remote_send_makes_a_pointer_to_a_pointer(bob: Worker, alice: Worker) -> None:
    p = torch.tensor([1, 2]).send(bob)
    p.remote_send(alice)
    assert p.location is bob
    (middle,) = bob._objects.values()
    assert middle.location == alice
    (data,) = alice._objects.values()
    assert data.tolist() == [1, 2]
    assert (p + 1).get().get().tolist() == [2, 3]
    assert p.get().get().tolist() == [1, 2]
    assert alice._objects == bob._objects == {}


def test_move_and_remote_send_work_in_any_order(bob: Worker, alice: Worker) -> None:
    for _ in range(2):
        assert torch.tensor([1]).send(bob).move(alice).get().tolist() == [1]
        p = torch.tensor([2]).send(bob)
        p.remote_send(alice)
        assert p.get().get().tolist() == [2]


def test_remote_get_shortens_a_pointer_to_a_pointer(bob: Worker, alice: Worker) -> None:
    pp = torch.tensor([1, 2]).send(bob).send(alice)
    text = str(pp)
    assert pp.remote_get() is pp
    assert str(pp) == text
    assert bob._objects == {}
    (data,) = alice._objects.values()
    assert data.tolist() == [1, 2]
    assert pp.get().tolist() == [1, 2]


def test_remote_get_needs_a_second_pointer(bob: Worker) -> None:
    p = torch.tensor([1, 2]).send(bob)
    with pytest.raises(InvalidTensorForRemoteGet):
        p.remote_get()
    with pytest.raises(InvalidTensorForRemoteGet):
        torch.tensor([1]).remote_get()
    assert p.get().tolist() == [1, 2]


# --- create_pointer ---------------------------------------------------------------------------------


def test_create_pointer_sends_nothing(bob: Worker, me: Any) -> None:
    x = torch.tensor([1, 2])
    p = x.create_pointer(bob, garbage_collect_data=False)
    assert type(p) is sy.PointerTensor
    assert bob._objects == {}
    assert (p.location, p.owner, p.id_at_location, p.id) == (bob, me, x.id, x.id)


def test_create_pointer_takes_the_tensor_s_owner(bob: Worker) -> None:
    x = torch.tensor([1, 2])
    bob.load_data([x])
    p = x.create_pointer(garbage_collect_data=False)
    assert (p.location, p.owner, p.id_at_location) == (bob, bob, x.id)
    assert p.id != x.id
    assert p.shape == (2,)


def test_create_pointer_takes_every_choice(bob: Worker, me: Any) -> None:
    p = torch.tensor([1, 2]).create_pointer(
        location=bob, id_at_location=5, register=False, owner=me, ptr_id=6, garbage_collect_data=False, shape=(7,)
    )
    assert (p.id_at_location, p.id, p.gc, p.shape) == (5, 6, False, (7,))


def test_a_pointer_can_be_built_by_hand(bob: Worker, me: Any) -> None:
    x = torch.tensor([1, 2])
    bob.load_data([x])
    pointer = sy.PointerTensor(location=bob, id_at_location=x.id, owner=me, id=3)
    assert pointer.gc is True
    wrapped = pointer.wrap()
    assert pointer.parent() is wrapped
    assert (wrapped + 1).get().tolist() == [2, 3]
    assert wrapped.get().tolist() == [1, 2]


def test_several_workers_give_a_multi_pointer(bob: Worker, alice: Worker) -> None:
    m = torch.tensor([1, 2]).send(bob, alice)
    assert type(m.child) is sy.MultiPointerTensor
    assert len(bob._objects) == len(alice._objects) == 1


def test_errors_are_syft_errors(bob: Worker, alice: Worker) -> None:
    x = torch.tensor([1])
    for call in (lambda: x.send(), lambda: x.send_(bob, alice), lambda: x.get(), lambda: x.move(bob)):
        with pytest.raises(SyftError):
            call()
