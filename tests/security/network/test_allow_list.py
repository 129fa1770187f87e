"""Over a connection, too, a command runs a name of the op table or nothing, and a call reaches what is offered."""

from __future__ import annotations

import builtins
import operator
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pytest
import torch
import torch.nn.functional as F

import syft as sy
from syft.core import ops
from syft.core.messages import Call, Command, Put, Ref
from syft.core.ops import BY_NAME, Op, Returns
from syft.workers.services import SERVICES
from tests.security.network.far import Far, kinds

LISTED = {line.split(" ")[0] for line in Path(ops.__file__).with_name("ops.txt").read_text("utf-8").splitlines()}
PREFIXES = ("", "torch.", "Tensor.", "torch.nn.functional.", "self.")

# Written down by hand: a service that offers more has to be looked at, and then to be entered here.
OFFERED = {
    "session": "list_objects objects_count clear_objects log_msgs get_msg invite meet give traffic requests decide sync compress",
    "training": "configure fit evaluate report stop",
    "aggregation": "remember pulse advertise share_keys masked unmask encrypted",
    "paillier": "make_key open",
    "models": "serve describe delete run download",
}
PLAN_METHODS = {"__call__", "parameters", "run_epochs"}
REFUSED = {"CommandNotPermittedError", "ObjectNotFoundError"}


@pytest.fixture
def ran(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the ops that ran: each op of the table only notes that it was asked for."""
    called: list[str] = []

    def spy(op: Op) -> Op:
        def note(*args: Any, **kwargs: Any) -> None:
            called.append(op.name)

        return replace(op, fn=note, returns=Returns.NOTHING, key="")

    monkeypatch.setattr(ops, "BY_NAME", MappingProxyType({name: spy(op) for name, op in BY_NAME.items()}))
    return called


@pytest.fixture
def bob(served: Callable[..., sy.WebsocketServerWorker]) -> sy.WebsocketServerWorker:
    return served()


def places(worker: Any) -> tuple[Any, ...]:
    return (
        torch, torch.Tensor, F, worker, worker._store, worker._executor, worker.sessions, torch._C, torch.linalg,
        object, type, str, dict, builtins, operator,
    )  # fmt: skip


def names(worker: Any) -> list[str]:
    """The last parts of names that somebody may try."""
    dunders = {
        f"__{name}__" for name in ("globals__", "code", "closure", "subclasses", "mro", "bases", "import", "builtins")
    }
    return sorted({name for place in places(worker) for name in dir(place)} | dunders)


def spellings(worker: Any) -> list[str]:
    """Those names with everything in front of them, and the listed ones."""
    return sorted({prefix + name for prefix in PREFIXES for name in names(worker)} | LISTED)


def try_commands(bob: sy.WebsocketServerWorker, client: Far, ran: list[str], spelled: list[str]) -> None:
    replies = kinds(client.ask_many(Command(name, (Ref("x"),)) for name in spelled))
    wrong = [name for name, reply in zip(spelled, replies, strict=True) if (reply == "NoneType") != (name in BY_NAME)]
    assert wrong == []
    assert {reply for name, reply in zip(spelled, replies, strict=True) if name not in BY_NAME} == {"UnsupportedOp"}
    assert sorted(ran) == sorted(BY_NAME), "each of the table once, and nothing else"


def test_every_name_sent_as_a_command(
    bob: sy.WebsocketServerWorker, far: Callable[..., Far], ran: list[str], record_property: Callable[..., None]
) -> None:
    client = far(bob.port)
    client.ask(Put((("x", torch.zeros(2)),)))
    spelled = spellings(bob)
    try_commands(bob, client, ran, spelled)
    assert len(names(bob)) > 3000 and len(spelled) > 15_000
    record_property("names", len(names(bob)))
    record_property("spellings", len(spelled))
    record_property("ran", len(set(ran)))
    assert client.take("x").tolist() == [0, 0] and bob.serving


def test_control_a_table_with_one_name_more_is_noticed(
    bob: sy.WebsocketServerWorker, far: Callable[..., Far], ran: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    hatch = Op("Tensor.tolist", "", lambda x: x.tolist(), Returns.ANY)
    monkeypatch.setattr(ops, "BY_NAME", MappingProxyType({**ops.BY_NAME, "Tensor.tolist": hatch}))
    client = far(bob.port)
    client.ask(Put((("x", torch.zeros(2)),)))
    assert client.run("Tensor.tolist", Ref("x")) is None
    with pytest.raises(AssertionError):
        try_commands(bob, client, ran, ["Tensor.tolist", *BY_NAME])


# --- calls -------------------------------------------------------------------------------------------


def test_the_services_are_the_known_ones_and_offer_the_known_methods() -> None:
    known = {name: SERVICES[name].remote_methods for name in OFFERED}  # type: ignore[attr-defined]
    assert known == {name: frozenset(methods.split()) for name, methods in OFFERED.items()}


NO_SERVICES = ("worker", "home", "_executor", "sessions", "", "service:session", "Session", "__class__")


def calls(worker: Any) -> Iterator[tuple[str, str]]:
    """Every method that somebody may try and that a service does not offer, and services that there are not."""
    every = {method for methods in OFFERED.values() for method in methods.split()}
    for service, methods in OFFERED.items():
        known = {*names(worker), *dir(SERVICES[service]), *every}
        yield from ((service, method) for method in sorted(known - set(methods.split())))
    yield from ((service, method) for service in NO_SERVICES for method in sorted(every))


def try_calls(client: Far, tried: list[tuple[str, str]]) -> None:
    replies = kinds(client.ask_many(Call(Ref(f"service:{name}"), (), {}, None, method) for name, method in tried))
    went = [call for call, reply in zip(tried, replies, strict=True) if reply not in REFUSED]
    assert went == []


def test_every_method_sent_to_every_service(
    bob: sy.WebsocketServerWorker, far: Callable[..., Far], record_property: Callable[..., None]
) -> None:
    client = far(bob.port)
    client.ask(Put((("x", torch.zeros(2)),)))
    tried = list(calls(bob))
    try_calls(client, tried)
    assert len(tried) > 9_000
    record_property("calls", len(tried))
    assert client.take("x").tolist() == [0, 0] and bob.serving


@pytest.mark.parametrize("id", ["x", "text", "list", "plan"])
def test_every_method_sent_to_a_stored_object(bob: sy.WebsocketServerWorker, far: Callable[..., Far], id: str) -> None:
    client = far(bob.port)
    plan = sy.func2plan(args_shape=[(1,)])(lambda x: x + 1)
    objects = {"x": torch.zeros(2), "text": "text", "list": [1], "plan": plan}
    client.ask(Put(tuple(objects.items())))
    offered = PLAN_METHODS if id == "plan" else set()
    known = sorted((set(names(bob)) | set(dir(type(objects[id])))) - offered)
    replies = kinds(client.ask_many(Call(Ref(id), (), {}, None, method) for method in known))
    assert set(replies) == {"CommandNotPermittedError"}


def test_control_a_service_that_offers_more_is_noticed(
    bob: sy.WebsocketServerWorker, far: Callable[..., Far], monkeypatch: pytest.MonkeyPatch
) -> None:
    service: Any = SERVICES["session"]
    monkeypatch.setattr(service, "remote_methods", service.remote_methods | {"__repr__"})
    client = far(bob.port)
    assert "SessionService" in client.call("session", "__repr__")
    with pytest.raises(AssertionError):
        test_the_services_are_the_known_ones_and_offer_the_known_methods()
    with pytest.raises(AssertionError, match="__repr__"):
        try_calls(client, [("session", "__repr__"), ("session", "__str__")])
