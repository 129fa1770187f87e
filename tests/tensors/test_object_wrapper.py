"""Callables that are sent: TorchScript only, only where the policy allows it, called by pointer."""

from __future__ import annotations

import warnings
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import nn

import syft as sy
from syft.core.messages import Call, Put, Ref
from syft.exceptions import (
    CommandNotPermittedError,
    DecodeError,
    NotLocalError,
    ObjectNotFoundError,
    TensorsNotCollocatedException,
    UnserializableError,
    UnsupportedOp,
)
from syft.serde.registry import REGISTRY
from syft.tensors.object_pointer import ObjectPointer
from syft.tensors.object_wrapper import CallablePointer, ObjectWrapper, create_callable_pointer
from syft.tensors.pointer import PointerTensor

Worker = sy.VirtualWorker


def script(function: Any) -> Any:
    """The function as TorchScript; torch calls its own compiler deprecated."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        return torch.jit.script(function)


def multiply(x: torch.Tensor, y: int) -> torch.Tensor:
    return x * y


def triple(x: torch.Tensor) -> torch.Tensor:
    return x * 3


def add(x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    return x + y


def count(x: torch.Tensor) -> int:
    return x.numel()


def fill(x: torch.Tensor) -> torch.Tensor:
    return x.fill_(7.0)


def both(x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    return x + 1, x + 2


def named(x: torch.Tensor) -> dict[str, torch.Tensor]:
    return {"one": x + 1}


def fail(x: torch.Tensor) -> torch.Tensor:
    return x.view(7)


def boxed(function: Any, id: int = 55, **names: Any) -> ObjectWrapper:
    return ObjectWrapper(script(function), id, **names)


def test_the_box_is_called_like_what_is_in_it() -> None:
    box = ObjectWrapper(len, id=55)
    assert (box([1, 2]), box.obj, box.id) == (2, len, 55)
    assert repr(box) == "<ObjectWrapper id:55 obj:<built-in function len>>"
    assert ObjectWrapper(len).id != ObjectWrapper(len).id


def test_send_gives_a_callable_pointer_that_owns_nothing(me: Any, bob: Worker) -> None:
    pointer = me.send(boxed(multiply, tags=["#f"], description="times three"), bob, ptr_id=9)
    assert type(pointer) is CallablePointer
    assert repr(pointer).startswith("[CallablePointer | me:9 -> bob:55]\n\tTags: #f ")
    assert (pointer.gc, pointer.owner) == (False, me)
    del pointer
    assert list(bob._objects) == [55]


def test_calls_take_local_and_remote_arguments_and_leave_the_result_there(me: Any, bob: Worker) -> None:
    pointer = me.send(boxed(multiply), bob)
    local = pointer(torch.tensor([1, 2]), 5)
    remote = pointer(torch.tensor([1, 2]).send(bob), y=4)
    bare = pointer(torch.tensor([1, 2]).send(bob).child, 3)
    assert [type(p) for p in (local, remote, bare)] == [PointerTensor] * 3
    assert [p.location for p in (local, remote, bare)] == [bob] * 3
    assert [p.get().tolist() for p in (local, remote, bare)] == [[5, 10], [4, 8], [3, 6]]
    assert list(bob._objects) == [55]


def test_results_may_change_their_kind_between_calls(me: Any, bob: Worker) -> None:
    x = torch.zeros(2, 3).send(bob)
    assert me.send(boxed(count), bob)(x) == 6
    one, two = me.send(boxed(both, 56), bob)(x)
    assert (one.get().sum().item(), two.get().sum().item()) == (6.0, 12.0)
    assert me.send(boxed(named, 57), bob)(x)["one"].get().sum().item() == 6.0
    assert me.send(boxed(count), bob)(torch.ones(4)) == 4


def test_a_result_dies_with_its_pointer(me: Any, bob: Worker) -> None:
    pointer = me.send(boxed(triple), bob)
    result = pointer(torch.ones(1))
    assert len(bob._objects) == 2
    del result
    assert list(bob._objects) == [55]


def test_a_local_argument_is_copied(me: Any, bob: Worker) -> None:
    x = torch.zeros(2)
    assert me.send(boxed(fill), bob)(x).get().tolist() == [7.0, 7.0]
    assert x.tolist() == [0.0, 0.0]


def test_a_module_travels_with_its_parameters(me: Any, bob: Worker) -> None:
    net = nn.Linear(2, 1)
    pointer = me.send(ObjectWrapper(script(net), id=4), bob)
    x = torch.ones(3, 2)
    assert torch.equal(pointer(x).get(), net(x).detach())


def test_get_brings_the_box_back(me: Any, bob: Worker) -> None:
    box = me.send(boxed(multiply, tags=["#f"], description="d"), bob).get()
    assert (type(box), box.id, box.tags, box.description) == (ObjectWrapper, 55, {"#f"}, "d")
    assert box(torch.tensor([2]), 4).tolist() == [8]
    assert bob._objects == {}


@pytest.mark.parametrize("obj", [lambda x: x, len, nn.Linear(1, 1), 5, "text", torch.ones(1), None], ids=repr)
def test_nothing_but_torchscript_is_sent(me: Any, bob: Worker, obj: Any) -> None:
    with pytest.raises(UnserializableError, match=f"can not serialize '{type(obj).__name__}' object"):
        me.send(ObjectWrapper(obj, id=3), bob)
    assert bob._objects == {}


def test_a_python_function_that_the_owner_offers_can_be_called(me: Any, bob: Worker) -> None:
    bob.set_obj(ObjectWrapper(lambda x: x.sum(), id=3, tags=["#sum"]))
    (pointer,) = me.request_search("#sum", bob)
    assert type(pointer) is CallablePointer
    assert pointer(torch.ones(4).send(bob)).get().item() == 4.0
    with pytest.raises(UnserializableError):
        pointer.get()


def test_what_such_a_function_returns_is_not_given_out_unless_plain(me: Any, bob: Worker) -> None:
    bob.set_obj(ObjectWrapper(lambda: object(), id=3, tags=["#o"]))
    (pointer,) = me.request_search("#o", bob)
    with pytest.raises(CommandNotPermittedError, match="object"):
        pointer()


def test_operands_must_be_in_one_place(me: Any, bob: Worker, alice: Worker) -> None:
    pointer = me.send(boxed(add), bob)
    x, y = torch.ones(1).send(alice), torch.ones(1).send(bob)
    for args in ((x, y), (y, x), ([x], y), (x.child, y)):
        with pytest.raises(TensorsNotCollocatedException, match="'bob'.*'alice'"):
            pointer(*args)
    assert (x.get().item(), y.get().item()) == (1.0, 1.0)


def test_an_error_of_the_callable_comes_back(me: Any, bob: Worker) -> None:
    with pytest.raises(Exception, match="shape '\\[7\\]' is invalid"):
        me.send(boxed(fail), bob)(torch.ones(2))
    bob.clear_objects()
    with pytest.raises(ObjectNotFoundError):
        me.send(boxed(multiply), bob).location.request(Call(Ref(1234), ()))


@pytest.mark.parametrize("method", ["obj", "create_pointer", "__init__", "to_wire", "__class__"])
def test_only_calling_is_offered(me: Any, bob: Worker, method: str) -> None:
    pointer = me.send(boxed(multiply), bob)
    with pytest.raises(CommandNotPermittedError, match=method):
        bob.request(Call(pointer.ref, (), {}, 5, method))


def test_a_tensor_is_not_callable(bob: Worker) -> None:
    x = torch.ones(1).send(bob)
    with pytest.raises(CommandNotPermittedError, match="offers no remote method"):
        bob.request(Call(x.child.ref, ()))


def refuse_torchscript(worker: Worker) -> None:
    worker._executor.policy = replace(worker._executor.policy, torchscript=False)


def test_a_worker_may_refuse_torchscript(me: Any, bob: Worker) -> None:
    refuse_torchscript(bob)
    with pytest.raises(DecodeError, match="'bob'"):
        me.send(boxed(multiply), bob)
    with pytest.raises(DecodeError):
        bob.request(Put(((5, script(multiply)),)))
    with pytest.raises(DecodeError):
        bob.request(Put(((5, [script(nn.Linear(1, 1))]),)))
    assert bob._objects == {}


def test_a_client_may_refuse_it_too(me: Any, bob: Worker, monkeypatch: pytest.MonkeyPatch) -> None:
    pointer = me.send(boxed(multiply), bob)
    monkeypatch.setattr(me._executor, "policy", replace(me._executor.policy, torchscript=False))
    with pytest.raises(DecodeError, match="'me'"):
        pointer.get()


def test_nobody_refuses_it() -> None:
    with pytest.raises(DecodeError, match="nobody"):
        sy.serde.decode(sy.serde.encode(boxed(multiply)), None)


@pytest.mark.parametrize("data", [b"", b"PK\x03\x04", b"no archive", 5, None])
def test_malformed_torchscript_is_refused(bob: Worker, data: Any) -> None:
    marker = REGISTRY.by_type[torch.jit.ScriptModule].marker
    with pytest.raises(DecodeError):
        sy.serde.decode(sy.serde.encode([marker, data]), bob)


def test_a_box_around_something_else_is_refused(bob: Worker) -> None:
    marker = REGISTRY.by_type[ObjectWrapper].marker
    with pytest.raises(DecodeError, match="TorchScript was expected"):
        sy.serde.decode(sy.serde.encode([marker, (5, 1, None, None)]), bob)


def test_no_warning_is_left_to_the_user(me: Any, bob: Worker) -> None:
    box = boxed(triple)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert me.send(box, bob)(torch.ones(1)).get().item() == 3.0
        sy.serde.decode(sy.serde.encode(box.obj), bob)


def test_a_pointer_made_by_hand(me: Any, bob: Worker) -> None:
    me.send(boxed(triple), bob)
    pointer = create_callable_pointer(
        location=bob, id=1, id_at_location=55, owner=me, tags={"#f"}, description="d", garbage_collect_data=False
    )
    assert (pointer.id, pointer.tags, pointer.description) == (1, {"#f"}, "d")
    assert pointer(torch.ones(1)).get().item() == 3.0
    owning = create_callable_pointer(bob, 2, 55, me, None, None)
    del owning
    assert bob._objects == {}


def test_remote_and_private_tensors_are_no_operands_of_torchscript(me: Any, bob: Worker, alice: Worker) -> None:
    pointer = me.send(boxed(triple), bob)
    private = torch.tensor([4.25]).private_tensor(allowed_users="ann").send(bob, user="ann")
    elsewhere = torch.ones(1).send(alice).send(bob)
    for operand in (private, elsewhere):
        with pytest.raises((UnsupportedOp, NotLocalError)) as raised:
            pointer(operand)
        assert "4.25" not in str(raised.value)
    assert len(bob._objects) == 3


def test_a_box_that_cannot_travel_is_not_forgotten(bob: Any, me: Any) -> None:
    bob._store.put(55, ObjectWrapper(lambda x: x, id=55))
    pointer = ObjectPointer(bob, 55, me, garbage_collect_data=False)
    with pytest.raises(UnserializableError):
        pointer.get()
    assert 55 in bob._objects
    assert pointer.location is bob
    bob._store.discard([55])
