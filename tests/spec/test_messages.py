"""Messages between workers: which call sends what, and how they print and travel."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import nn

import syft as sy
from syft.core import messages as m
from syft.exceptions import SyftError

Worker = sy.VirtualWorker


def log_of(worker: Worker, program: Callable[[], Any]) -> list[str]:
    """The kinds of messages that a program sends to a worker."""
    worker.msg_history.clear()
    worker.log_msgs = True
    keep = program()
    names = [type(worker._get_msg(i)).__name__ for i in range(len(worker.msg_history))]
    worker.log_msgs = False
    del keep
    return names


def test_send_is_one_message(bob: Worker) -> None:
    assert log_of(bob, lambda: torch.tensor([1]).send(bob)) == ["Put"]


def test_an_op_is_one_message(bob: Worker) -> None:
    p = torch.tensor([1]).send(bob)
    assert log_of(bob, lambda: p + p) == ["Command"]
    assert log_of(bob, lambda: p.add_(1)) == ["Command"]


def test_several_results_are_one_message(bob: Worker) -> None:
    p = torch.tensor([[1, 2]]).send(bob)
    assert log_of(bob, lambda: p.max(dim=1)) == ["Command"]


def test_asking_for_a_shape_is_one_message(bob: Worker) -> None:
    q = torch.tensor([1]).send(bob) + 1
    assert log_of(bob, lambda: q.shape) == ["Describe"]
    assert log_of(bob, lambda: q.shape) == []


def test_is_none_is_one_message(bob: Worker) -> None:
    p = torch.tensor([1]).send(bob)
    assert log_of(bob, p.child.is_none) == ["IsNone"]


def test_a_search_is_one_message(bob: Worker, me: Any) -> None:
    assert log_of(bob, lambda: me.request_search("#a", bob)) == ["Search"]


def test_get_is_one_message(bob: Worker) -> None:
    p = torch.tensor([1]).send(bob)
    assert log_of(bob, p.get) == ["Take"]


def test_deleting_is_one_message(bob: Worker) -> None:
    held = [torch.tensor([1]).send(bob)]
    assert log_of(bob, held.clear) == ["Forget"]


def test_moving_is_one_message_to_each_side(bob: Worker, alice: Worker) -> None:
    p = torch.tensor([1]).send(bob)
    alice.log_msgs = True
    assert log_of(bob, lambda: p.move(alice)) == ["Relay"]
    assert [type(alice._get_msg(i)) for i in range(len(alice.msg_history))] == [m.Put]


def test_a_module_travels_in_one_message(bob: Worker, alice: Worker) -> None:
    net = nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3), nn.Linear(3, 1))
    assert log_of(bob, lambda: net.send(bob)) == ["Put"]
    assert log_of(bob, lambda: net.move(alice)) == ["Relay"]
    assert log_of(alice, net.get) == ["Take"]


def test_a_training_step_takes_few_messages(bob: Worker) -> None:
    net = nn.Sequential(nn.Linear(2, 3), nn.ReLU(), nn.Linear(3, 1))
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
    x, y = torch.ones(4, 2).send(bob), torch.ones(4, 1).send(bob)

    def step() -> Any:
        net.send(bob)
        optimizer.zero_grad()
        loss = nn.functional.mse_loss(net(x), y)
        loss.backward()
        optimizer.step()
        net.get()
        return loss

    assert len(log_of(bob, step)) < 61


MESSAGES: dict[str, Any] = {
    "Put": m.Put(((5, torch.tensor([1, 2])), ("name", torch.tensor(1.0))), "ann", True, lasting=True),
    "Command": m.Command("torch.add", (m.Ref(5), 2.5, [m.Ref("x", ("grad",)), None]), {"alpha": 2}, 6, False, (3, "y")),
    "Call": m.Call(m.Ref(5), (1, "a"), {"k": m.Ref(6)}, 7, "run"), "Take": m.Take((m.Ref(5),), "ann", "audit", True),
    "Relay": m.Relay((5, 6), "alice", (7, 8), True, "ann"), "Fetch": m.Fetch(5), "Forget": m.Forget((5, "x")),
    "Describe": m.Describe(m.Ref(5, ("data", "grad"))), "IsNone": m.IsNone(m.Ref("x")), "Search": m.Search(("#a", 5)),
    "Tag": m.Tag(5, frozenset({"#a"}), "text"), "Stored": m.Stored(9), "Shown": m.Shown((torch.tensor([1]),)),
    "Named": m.Named(("values",), (m.Stored(9),)),
    "Gradients": m.Gradients(((5, None), ("name", m.Description((2,), torch.float32, torch.device("cpu"), torch.strided, (1,), False, True)))),
    "Description": m.Description((2, 3), torch.float32, torch.device("cpu"), torch.strided, (3, 1), True, False),
    "Found": m.Found(5, "tensor", ("#a",), None, (2,)), "Failure": m.Failure("ValueError", "no", "add", "trace", (1,)),
}  # fmt: skip


def same(a: Any, b: Any) -> bool:
    if isinstance(a, torch.Tensor):
        return isinstance(b, torch.Tensor) and a.dtype == b.dtype and torch.equal(a, b)
    if isinstance(a, (list, tuple)):
        return type(a) is type(b) and len(a) == len(b) and all(map(same, a, b))
    if dataclasses.is_dataclass(a):
        return type(a) is type(b) and all(same(getattr(a, f.name), getattr(b, f.name)) for f in dataclasses.fields(a))
    return type(a) is type(b) and a == b


@pytest.mark.parametrize("message", MESSAGES.values(), ids=MESSAGES.keys())
def test_every_message_survives_the_codec(hook: sy.TorchHook, message: Any) -> None:
    assert same(message, sy.serde.deserialize(sy.serde.serialize(message)))


def test_there_is_a_round_trip_test_for_every_message() -> None:
    kinds = {name for name, cls in vars(m).items() if dataclasses.is_dataclass(cls)} - {"Ref"}
    assert kinds <= set(MESSAGES)


@pytest.mark.parametrize("message", MESSAGES.values(), ids=MESSAGES.keys())
def test_messages_print_their_name_and_payload(message: Any) -> None:
    assert repr(message).startswith(type(message).__name__ + "(")


@pytest.mark.parametrize("message", MESSAGES.values(), ids=MESSAGES.keys())
def test_messages_do_not_change(message: Any) -> None:
    for field in dataclasses.fields(message):
        with pytest.raises((AttributeError, TypeError)):
            setattr(message, field.name, None)


@pytest.mark.parametrize("thing", ["hello", 5, None, [1], {"a": 1}])
def test_what_is_no_message_is_refused(bob: Worker, me: Any, thing: Any) -> None:
    with pytest.raises(TypeError):
        me.send_msg(thing, bob)
    answer = sy.serde.deserialize(bob.recv_msg(sy.serde.serialize(thing)))
    assert isinstance(answer, m.Failure)


@pytest.mark.parametrize("answer", ["Stored", "Shown", "Named", "Description", "Gradients", "Found", "Failure"])
def test_answers_are_no_requests(bob: Worker, answer: str) -> None:
    with pytest.raises(SyftError):
        bob.request(MESSAGES[answer])
