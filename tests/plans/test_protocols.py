"""Protocols: plans in a row, each on a worker of its own."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

import pytest
import torch

import syft as sy
from syft.core import messages as m
from syft.exceptions import (
    DecodeError,
    PlanError,
    PlanNotBuiltError,
    ProtocolError,
    SendNotPermittedError,
    SyftError,
    UsageError,
    WorkerNotFoundException,
)
from syft.plans.plan import Plan
from syft.plans.pointer import PointerPlan
from syft.plans.protocol import Protocol
from syft.plans.protocol_pointer import PointerProtocol
from syft.plans.protocol_wire import VERSION, _from_wire, _to_wire
from syft.serde.codec import decode, encode

Worker = sy.VirtualWorker
NOT_DEPLOYED = "Plans have not been allocated to existing workers. Call deploy(*workers) to do so."


def plan(function: Callable[..., Any], *examples: torch.Tensor, **about: Any) -> Plan:
    made = Plan(getattr(function, "__name__", "plan"), forward=function, **about)
    made.build(*(examples or (torch.ones(1),)))
    return made


def increment() -> Plan:
    return plan(lambda x: x + 1)


def three(*names: Any) -> Protocol:
    """Three plans that add 1, 10 and 100, so that the order shows."""
    steps = [plan(lambda x: x + 1), plan(lambda x: x * 10), plan(lambda x: x + 100)]
    return Protocol(list(zip(names, steps, strict=True)))


def places(protocol: Protocol) -> list[Any]:
    return [worker.id for worker, _ in protocol.plans]


@pytest.fixture
def charlie(make_worker: Any) -> Worker:
    return make_worker("charlie")


# --- construction --------------------------------------------------------------------------------------


def test_names_are_unresolved_and_workers_resolved(alice: Worker, bob: Worker) -> None:
    assert not three("a", "b", "c").workers_resolved
    assert three(alice, bob, alice).workers_resolved
    assert not three(alice, "b", bob).workers_resolved


def test_an_empty_protocol_is_unresolved_and_cannot_run(me: Any) -> None:
    empty = Protocol()
    assert not empty.workers_resolved and not empty.deploy().workers_resolved
    with pytest.raises(RuntimeError) as error:
        empty.run(torch.ones(1))
    assert str(error.value) == NOT_DEPLOYED
    assert repr(Protocol(id="p")) == "<Protocol id:p owner:me>"


def test_it_keeps_what_it_is_told_about_itself(me: Any) -> None:
    protocol = Protocol([("a", increment())], id="p", tags=["one"], description="adds")
    assert (protocol.id, protocol.owner, protocol.tags, protocol.description) == ("p", me, {"one"}, "adds")
    assert protocol.tag("two").describe("adds one") is protocol
    assert (protocol.tags, protocol.description) == ({"one", "two"}, "adds one")


@pytest.mark.parametrize(
    ("entries", "sentence"),
    [
        ([("w", 3)], "entry 0 of a protocol holds a int, not a plan"),
        ([("w", lambda x: x)], "entry 0 of a protocol holds a function, not a plan"),
        (["ab"], "entry 0 of a protocol is 'ab'; an entry is a pair"),
        ([("w",)], "an entry is a pair"),
        ([7], "an entry is a pair"),
    ],
)
def test_wrong_entries_are_refused_at_once(hook: Any, entries: Any, sentence: str) -> None:
    with pytest.raises(UsageError, match=sentence):
        Protocol(entries)


@pytest.mark.parametrize("worker", [None, 1.5, True, object()])
def test_what_is_no_worker_is_refused_at_once(hook: Any, worker: Any) -> None:
    with pytest.raises(UsageError, match="entry 1 of a protocol names .* neither a worker nor a name"):
        Protocol([("a", increment()), (worker, increment())])


def test_a_plan_that_is_elsewhere_is_refused_at_once(alice: Worker, bob: Worker) -> None:
    there = increment().send(alice)
    assert Protocol([(alice, there)]).is_deployed
    for worker in (bob, "alice"):
        with pytest.raises(UsageError, match="a plan that is elsewhere"):
            Protocol([(worker, there)])


def test_a_plan_on_several_workers_serves_each_of_them(alice: Worker, bob: Worker) -> None:
    both = increment().send(alice, bob)
    protocol = Protocol([(alice, both), (bob, both), (alice, both)])
    out = protocol(torch.tensor([1.0]))
    assert out.location is alice and out.get().item() == 4.0


# --- deploying -----------------------------------------------------------------------------------------


def test_workers_of_the_names_are_matched_by_id(alice: Worker, bob: Worker, charlie: Worker) -> None:
    protocol = three("alice", "bob", "charlie")
    assert protocol.deploy(charlie, alice, bob) is protocol
    assert places(protocol) == ["alice", "bob", "charlie"] and protocol.workers_resolved
    assert all(isinstance(sent, PointerPlan) for _, sent in protocol.plans)
    assert [len(worker._objects) for worker in (alice, bob, charlie)] == [1, 1, 1]
    assert places(three("alice", "bob", "alice").deploy(bob, alice)) == ["alice", "bob", "alice"]


def test_as_many_workers_as_plans_are_taken_by_position(alice: Worker, bob: Worker, charlie: Worker) -> None:
    assert places(three("a", "b", "c").deploy(charlie, alice, bob)) == ["charlie", "alice", "bob"]
    assert places(three("a", "b", "c").deploy("charlie", "alice", "bob")) == ["charlie", "alice", "bob"]


def test_distinct_names_get_workers_in_the_order_of_their_first_appearance(alice: Worker, bob: Worker) -> None:
    for names in (("x", "y", "x"), ("b", "a", "b"), ("10", "9", "10")):
        for _ in range(3):
            assert places(three(*names).deploy(alice, bob)) == ["alice", "bob", "alice"]


def test_a_repeated_name_that_stands_for_several_workers_is_told(
    alice: Worker, bob: Worker, charlie: Worker, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING, "syft.plans.protocol"):
        three("a", "b", "a").deploy(alice, bob, alice)
        assert not caplog.messages
        assert places(three("a", "b", "a").deploy(alice, bob, charlie)) == ["alice", "bob", "charlie"]
    assert caplog.messages == ["a name of the protocol stands for several workers: there is one worker for each plan"]


@pytest.mark.parametrize(
    ("names", "given", "wanted"), [("abc", 2, 3), ("abc", 0, 3), ("abc", 1, 3), ("aba", 1, 2), ("aba", 4, 2)]
)
def test_a_wrong_number_of_workers_is_refused(make_worker: Any, names: str, given: int, wanted: int) -> None:
    protocol = three(*names)
    workers = [make_worker(f"w{number}") for number in range(given)]
    with pytest.raises(RuntimeError) as error:
        protocol.deploy(*workers)
    assert str(error.value) == f"This protocol is designed for {wanted} workers, but {given} were provided."
    assert isinstance(error.value, PlanError) and isinstance(error.value, SyftError)
    assert not protocol.workers_resolved and not any(worker._objects for worker in workers)


def test_deploying_again_is_refused(alice: Worker, bob: Worker, charlie: Worker) -> None:
    protocol = three("x", "y", "z").deploy(alice, bob, charlie)
    for workers in ((alice, bob, charlie), ()):
        with pytest.raises(RuntimeError) as error:
            protocol.deploy(*workers)
        assert str(error.value) == "This protocol is already deployed to alice, bob, charlie."
    with pytest.raises(ProtocolError, match=r"already deployed to alice, bob\.$"):
        three(alice, bob, alice).deploy(charlie)


def test_workers_of_which_some_have_the_names_are_warned_of(alice: Worker, bob: Worker, charlie: Worker) -> None:
    sentence = (
        "You are deploying a protocol with workers for which only a subpart"
        "have ids that match an id chosen for the protocol."
    )
    with pytest.warns(UserWarning, match="only a subpart") as caught:
        protocol = three("alice", "x", "y").deploy(bob, alice, charlie)
    assert [str(warning.message) for warning in caught] == [sentence]
    assert places(protocol) == ["bob", "alice", "charlie"]


def test_names_and_workers_can_be_mixed(alice: Worker, bob: Worker, charlie: Worker) -> None:
    protocol = three("x", bob, "x").deploy(alice)
    assert places(protocol) == ["alice", "bob", "alice"]
    assert protocol(torch.tensor([1.0])).get().item() == 120.0
    with pytest.raises(ProtocolError, match="designed for 1 workers, but 3 were provided"):
        three("x", bob, "x").deploy(alice, bob, charlie)


def test_an_unbuilt_plan_keeps_all_from_being_sent(alice: Worker, bob: Worker) -> None:
    protocol = Protocol([("a", increment()), ("b", Plan("later", forward=lambda x: x))])
    for attempt in (lambda: protocol.deploy(alice, bob), lambda: protocol.send(alice)):
        with pytest.raises(PlanNotBuiltError, match="A plan needs to be built before being sent to a worker.*'later'"):
            attempt()
    assert not alice._objects and not bob._objects and protocol.location is None


# --- running -------------------------------------------------------------------------------------------


def test_it_runs_from_worker_to_worker(alice: Worker, bob: Worker, charlie: Worker) -> None:
    protocol = three("alice", "bob", "charlie").deploy(alice, bob, charlie)
    for run in (protocol, protocol.run):
        out = run(torch.tensor([1.0]))
        assert out.location is charlie and torch.equal(out.get(), torch.tensor([120.0]))
    assert [len(worker._objects) for worker in (alice, bob, charlie)] == [1, 1, 1]


def test_what_it_does_is_logged(
    alice: Worker, bob: Worker, charlie: Worker, caplog: pytest.LogCaptureFixture, capsys: Any
) -> None:
    protocol = three("alice", "bob", "charlie").deploy(alice, bob, charlie)
    with caplog.at_level(logging.INFO, "syft.plans.protocol"):
        protocol(torch.tensor([1.0]))
    assert caplog.messages == ["send alice", "move alice  ->  bob", "move bob  ->  charlie"]
    assert {record.levelno for record in caplog.records} == {logging.INFO}
    assert capsys.readouterr().out == ""


def test_a_run_takes_two_messages_a_plan(alice: Worker, bob: Worker, charlie: Worker, traffic: list[str]) -> None:
    protocol = three("alice", "bob", "charlie").deploy(alice, bob, charlie)
    traffic.clear()
    out = protocol(torch.tensor([1.0]))
    # The Puts go from worker to worker; what dies in between is forgotten (watched workers are told by a message).
    told = [line for line in traffic if not line.endswith("Forget")]
    assert told == ["alice Call", "alice Relay", "bob Put", "bob Call", "bob Relay", "charlie Put", "charlie Call"]
    assert len(traffic) - len(told) <= 2
    del out


def test_the_same_worker_may_run_several_plans(alice: Worker, traffic: list[str]) -> None:
    protocol = three("a", "a", "a").deploy(alice)
    traffic.clear()
    assert protocol(torch.tensor([1.0])).get().item() == 120.0
    assert [line for line in traffic if "Forget" not in line] == ["alice Call"] * 3 + ["alice Take"]


def test_running_before_deploying_is_refused(alice: Worker) -> None:
    for protocol in (three("a", "b", "c"), three(alice, "b", "c")):
        with pytest.raises(RuntimeError) as error:
            protocol(torch.ones(1))
        assert str(error.value) == NOT_DEPLOYED and isinstance(error.value, ProtocolError)


def test_real_workers_get_their_plans_on_the_first_run(alice: Worker, bob: Worker) -> None:
    ran: list[str] = []

    def noted(x: torch.Tensor) -> torch.Tensor:
        ran.append("here")
        return x + 1

    protocol = Protocol([(alice, plan(noted)), (bob, increment())])
    ran.clear()
    out = protocol(torch.tensor([1.0]))
    assert protocol.is_deployed and not ran and len(alice._objects) == 1
    assert out.location is bob and out.get().item() == 3.0


def test_real_workers_can_be_given_their_plans_beforehand(alice: Worker, bob: Worker) -> None:
    protocol = Protocol([(alice, increment()), (bob, increment())]).deploy()
    assert protocol.is_deployed and len(alice._objects) == len(bob._objects) == 1
    with pytest.raises(ProtocolError, match="already deployed to alice, bob"):
        protocol.deploy()


def test_several_outputs_go_on_as_several_arguments(alice: Worker, bob: Worker, traffic: list[str]) -> None:
    one = torch.ones(1)
    protocol = Protocol(
        [
            ("a", plan(lambda x: (x + 1, x * 10, x - 5))),
            ("b", plan(lambda x, y, z: (x + y, z * 2), one, one, one)),
            ("a", plan(lambda u, v: u - v, one, one)),
        ]
    ).deploy(alice, bob)
    traffic.clear()
    out = protocol(torch.tensor([3.0]))
    assert traffic.count("alice Relay") == traffic.count("bob Relay") == 1
    assert out.location is alice and out.get().item() == (4 + 30) - (-2 * 2)
    assert len(alice._objects) == 2 and len(bob._objects) == 1


def test_several_results_come_as_a_list(alice: Worker, bob: Worker) -> None:
    protocol = Protocol([("a", increment()), ("b", plan(lambda x: (x, x + 1)))]).deploy(alice, bob)
    first, second = protocol(torch.tensor([1.0]))
    assert first.location is second.location is bob
    assert (first.get().item(), second.get().item()) == (2.0, 3.0)


def test_outputs_in_containers_go_on_as_they_are(alice: Worker, bob: Worker) -> None:
    example = {"a": torch.ones(1), "b": [torch.ones(1), torch.ones(1)]}
    protocol = Protocol(
        [
            ("a", plan(lambda x: {"a": x, "b": [x + 1, x + 2]})),
            ("b", plan(lambda d: d["a"] + d["b"][0] * d["b"][1], example)),
        ]
    ).deploy(alice, bob)
    assert protocol(torch.tensor([3.0])).get().item() == 3 + 4 * 5


def test_a_wrong_number_of_outputs_is_told_by_the_next_plan(alice: Worker, bob: Worker) -> None:
    protocol = Protocol([("a", plan(lambda x: (x, x))), ("b", increment())]).deploy(alice, bob)
    with pytest.raises(TypeError, match="requires 1 arguments, received 2"):
        protocol(torch.ones(1))
    with pytest.raises(TypeError, match="requires 1 arguments, received 2"):
        protocol(torch.ones(1), torch.ones(1))
    assert len(alice._objects) == len(bob._objects) == 1


def test_pointers_are_used_where_they_are_and_stay_the_users(alice: Worker, bob: Worker, charlie: Worker) -> None:
    protocol = three("a", "b", "c").deploy(alice, bob, charlie)
    x, y = torch.tensor([1.0]).send(alice), torch.tensor([2.0]).send(charlie)
    assert protocol(x).get().item() == 120.0
    assert protocol(y).get().item() == 130.0
    assert (x.location, y.location) == (alice, charlie)
    assert (x.get().item(), y.get().item()) == (1.0, 2.0)


def test_data_go_from_worker_to_worker_and_not_through_here(alice: Worker, bob: Worker, traffic: list[str]) -> None:
    x = torch.tensor([1.0]).send(bob)
    protocol = Protocol([("a", increment())]).deploy(alice)
    traffic.clear()
    out = protocol(x)
    assert not any("Take" in line or line.startswith("me ") for line in traffic)
    assert out.get().item() == 2.0


def test_keywords_reach_the_first_plan(alice: Worker, bob: Worker) -> None:
    first = plan(lambda x, scale: x * scale, torch.ones(1), torch.ones(1))
    protocol = Protocol([("a", first), ("b", increment())]).deploy(alice, bob)
    assert protocol(torch.tensor([2.0]), scale=torch.tensor([5.0]).send(bob)).get().item() == 11.0


def test_multi_pointers_are_refused(alice: Worker, bob: Worker) -> None:
    protocol = Protocol([("a", increment())]).deploy(alice)
    with pytest.raises(ProtocolError, match="an argument is on alice, bob at once"):
        protocol(torch.ones(1).send(alice, bob))


def test_private_tensors_do_not_leave_with_a_run(alice: Worker, bob: Worker) -> None:
    protocol = Protocol([("a", increment())]).deploy(alice)
    before = set(alice._objects)
    with pytest.raises(SendNotPermittedError, match="an argument of the protocol is private"):
        protocol(torch.tensor([42.0]).private_tensor(allowed_users=("amy",)))
    secret = torch.tensor([42.0]).private_tensor(allowed_users=("amy",)).send(bob, user="amy")
    with pytest.raises(PermissionError):
        protocol(secret)
    assert set(alice._objects) == before


def test_state_stays_on_its_worker_from_run_to_run(alice: Worker, bob: Worker) -> None:
    total = torch.zeros(1)
    counting = Plan("counting", forward=lambda x, state: state.read()[0].add_(x) * 1, state=total)
    counting.build(torch.ones(1))
    protocol = Protocol([("a", counting), ("b", increment())]).deploy(alice, bob)
    assert [protocol(torch.tensor([2.0])).get().item() for _ in range(3)] == [3.0, 5.0, 7.0]


def test_it_may_run_partly_here(me: Any, alice: Worker) -> None:
    protocol = Protocol([(alice, increment()), (me, increment())])
    out = protocol(torch.tensor([1.0]))
    assert out.location is me and out.get().item() == 3.0
    me.clear_objects()


# --- sent to a worker ----------------------------------------------------------------------------------


def test_a_sent_protocol_runs_there(
    alice: Worker, bob: Worker, charlie: Worker, james: Worker, me: Any, caplog: pytest.LogCaptureFixture
) -> None:
    protocol = three("alice", "bob", "charlie").deploy(alice, bob, charlie)
    assert protocol.send(james) is None and protocol.location is james
    x = torch.tensor([1.0]).send(james)
    with caplog.at_level(logging.INFO, "syft.plans.protocol"):
        out = protocol(x)
    assert caplog.messages == [
        "send remote run request to james", "send alice", "move alice  ->  bob", "move bob  ->  charlie"
    ]  # fmt: skip
    assert out.location is james
    inner = out.get()
    assert inner.location is charlie and inner.owner is me
    assert torch.equal(inner.get(), torch.tensor([120.0]))
    assert x.get().item() == 1.0
    assert [len(worker._objects) for worker in (alice, bob, charlie, james)] == [1, 1, 1, 1]


def test_a_dropped_result_leaves_nothing_behind(alice: Worker, james: Worker) -> None:
    protocol = Protocol([("a", increment())]).deploy(alice)
    protocol.send(james)
    x = torch.ones(1).send(james)
    out = protocol(x)
    assert len(alice._objects) == 2 and len(james._objects) == 3
    del out
    assert len(alice._objects) == 1 and len(james._objects) == 2


def test_the_client_sends_one_message_to_run_it(alice: Worker, bob: Worker, james: Worker, traffic: list[str]) -> None:
    protocol = Protocol([("a", increment()), ("b", increment())]).deploy(alice, bob)
    protocol.send(james)
    x = torch.ones(1).send(james)
    traffic.clear()
    protocol(x)
    assert (
        traffic[0] == "james Call" and sum(line.startswith("james") and "Forget" not in line for line in traffic) == 1
    )


def test_arguments_that_are_not_there_are_refused(alice: Worker, bob: Worker, james: Worker) -> None:
    protocol = Protocol([("a", increment())]).deploy(alice)
    protocol.send(james)
    sentence = "This protocol has been sent to james, but you provided local arguments or pointers to {}."
    there = torch.ones(1).send(james)
    for args, kwargs, where in [
        ((torch.ones(1),), {}, "me"),
        ((torch.ones(1).send(alice),), {}, "alice"),
        ((there, [torch.ones(1)]), {}, "me"),
        ((), {"x": torch.ones(1).send(bob)}, "bob"),
        ((torch.ones(1).send(alice, bob),), {}, "alice, bob"),
    ]:
        with pytest.raises(RuntimeError) as error:
            protocol(*args, **kwargs)
        assert str(error.value) == sentence.format(where) and isinstance(error.value, ProtocolError)


def test_an_undeployed_protocol_takes_its_plans_along_and_does_not_run(james: Worker) -> None:
    protocol = three("a", "b", "a")
    protocol.send(james)
    with pytest.raises(RuntimeError) as error:
        protocol(torch.ones(1).send(james))
    assert str(error.value) == NOT_DEPLOYED and isinstance(error.value, ProtocolError)


def test_workers_with_local_plans_are_deployed_by_the_worker_that_runs_it(
    alice: Worker, bob: Worker, james: Worker, me: Any
) -> None:
    protocol = Protocol([(alice, increment()), (bob, increment())], tags=["t"])
    protocol.send(james)
    assert not alice._objects
    for _ in range(2):
        assert protocol(torch.tensor([1.0]).send(james)).get().get().item() == 3.0
    assert len(alice._objects) == len(bob._objects) == 1
    (found,) = me.request_search("t", location=james)
    assert found.get().is_deployed
    assert protocol.get().is_deployed and not me._objects.get(protocol.id) and protocol.location is None
    assert protocol(torch.tensor([1.0])).get().item() == 3.0


def test_several_results_of_a_sent_protocol_come_as_a_list(alice: Worker, james: Worker) -> None:
    protocol = Protocol([("a", plan(lambda x: (x, x + 1)))]).deploy(alice)
    protocol.send(james)
    outs = protocol(torch.tensor([1.0]).send(james))
    assert [out.get().get().item() for out in outs] == [1.0, 2.0]
    named = Protocol([(alice, plan(lambda x: {"a": x, "b": x + 1}))])
    named.send(james)
    out = named(torch.tensor([1.0]).send(james))
    assert {key: value.get().get().item() for key, value in out.items()} == {"a": 1.0, "b": 2.0}


def test_the_worker_it_was_sent_to_may_run_a_plan_itself(alice: Worker, james: Worker) -> None:
    protocol = Protocol([(james, increment()), (alice, increment()), (james, increment())])
    protocol.send(james)
    assert protocol(torch.tensor([1.0]).send(james)).get().get().item() == 4.0


def test_private_tensors_of_the_running_worker_stay_there(alice: Worker, james: Worker) -> None:
    protocol = Protocol([("a", increment())]).deploy(alice)
    protocol.send(james)
    secret = torch.tensor([42.0]).private_tensor(allowed_users=("amy",)).send(james, user="amy")
    before = set(alice._objects)
    with pytest.raises(SendNotPermittedError, match="an argument of the protocol is private"):
        protocol(secret)
    assert set(alice._objects) == before


def test_a_worker_that_does_not_know_the_others_refuses_it(hook: Any, alice: Worker, mode: str) -> None:
    lonely = Worker(hook, id="lonely", auto_add=False, wire=mode == "wire")
    with pytest.raises(WorkerNotFoundException, match="'lonely' knows no worker 'alice'"):
        Protocol([("a", increment())]).deploy(alice).send(lonely)
    assert not lonely._objects


def test_only_running_is_offered_remotely(alice: Worker, james: Worker) -> None:
    protocol = Protocol([("a", increment())]).deploy(alice)
    protocol.send(james)
    for method in ("deploy", "send", "get", "tag", "_check_built"):
        with pytest.raises(PermissionError, match="offers no remote method"):
            james.request(m.Call(m.Ref(protocol.id), (), method=method))


# --- found by search -----------------------------------------------------------------------------------


def test_a_search_finds_a_pointer(james: Worker, me: Any) -> None:
    protocol = three("a", "b", "a").tag("my_protocol").describe("three steps")
    protocol.send(james)
    (found,) = me.request_search(["my_protocol"], location=james)
    assert type(found) is PointerProtocol and found.description == "three steps"
    assert repr(found) == str(found) == f"[PointerProtocol | me:{found.id} -> james:{protocol.id}]"
    assert not me.request_search(["other"], location=james)


def test_a_fetched_protocol_keeps_its_names(alice: Worker, bob: Worker, james: Worker, me: Any) -> None:
    protocol = three("x", "y", "x").tag("t").describe("three steps")
    protocol.send(james)
    (found,) = me.request_search("t", location=james)
    fetched = found.get()
    assert type(fetched) is Protocol and fetched.owner is me and fetched.location is None
    assert [name for name, _ in fetched.plans] == ["x", "y", "x"] and not fetched.workers_resolved
    assert (fetched.id, fetched.tags, fetched.description) == (protocol.id, {"t"}, "three steps")
    assert all(step.forward is None and step.is_built and step.owner is me for _, step in fetched.plans)
    assert places(fetched.deploy(alice, bob)) == ["alice", "bob", "alice"]
    assert fetched(torch.tensor([1.0])).get().item() == 120.0
    assert me.request_search("t", location=james)  # it stays there, too


def test_one_plan_under_two_names_stays_one_plan(james: Worker, me: Any) -> None:
    step = increment()
    Protocol([("a", step), ("b", step), ("c", increment())], tags=["t"]).send(james)
    fetched = me.request_search("t", location=james)[0].get()
    (_, first), (_, second), (_, third) = fetched.plans
    assert first is second and first is not third


def test_a_found_protocol_runs(alice: Worker, bob: Worker, james: Worker, me: Any) -> None:
    deployed = three("a", "b", "a").deploy(alice, bob).tag("t")
    deployed.send(james)
    (found,) = me.request_search("t", location=james)
    x = torch.tensor([1.0]).send(james)
    for run in (found, found.run):
        assert run(x).get().get().item() == 120.0
    with pytest.raises(ProtocolError, match="sent to james, but you provided local arguments or pointers to me"):
        found(torch.ones(1))
    fetched = found.get()
    assert fetched.is_deployed and places(fetched) == ["alice", "bob", "alice"]
    assert fetched(torch.tensor([1.0])).get().item() == 120.0


def test_a_pointer_owns_nothing_and_can_delete(james: Worker, me: Any) -> None:
    three("a", "b", "a").tag("t").send(james)
    (found,) = me.request_search("t", location=james)
    del found
    (found,) = me.request_search("t", location=james)
    found.delete()
    assert not james._objects and not me.request_search("t", location=james)


def test_get_takes_a_protocol_back(alice: Worker, james: Worker) -> None:
    protocol = Protocol([("a", increment())]).deploy(alice)
    assert protocol.get() is protocol
    protocol.send(james)
    assert protocol.get() is protocol and protocol.location is None and not james._objects
    assert protocol(torch.tensor([1.0])).get().item() == 2.0


# --- text ----------------------------------------------------------------------------------------------


def test_how_it_prints(alice: Worker, bob: Worker) -> None:
    protocol = Protocol([("a", increment()), ("b", increment())], id="p")
    (_, first), (_, second) = protocol.plans
    assert repr(protocol) == f"<Protocol id:p owner:me>\n - a: {first!r}\n - b: {second!r}"
    protocol.deploy(alice, bob)
    (_, there), (_, other) = protocol.plans
    assert str(protocol) == (
        "<Protocol id:p owner:me resolved>\n"
        f" - alice: [PointerPlan | me:{there.id} -> alice:{first.id}]\n"
        f" - bob: [PointerPlan | me:{other.id} -> bob:{second.id}]"
    )


# --- the wire ------------------------------------------------------------------------------------------


def test_a_protocol_survives_the_wire(alice: Worker, bob: Worker, me: Any) -> None:
    names = three("x", "y", "x").tag("t")
    again = decode(encode(names), me)
    assert type(again) is Protocol and again.id == names.id and again.tags == {"t"}
    assert [name for name, _ in again.plans] == ["x", "y", "x"]
    deployed = names.deploy(alice, bob)
    again = decode(encode(deployed), me)
    assert places(again) == ["alice", "bob", "alice"] and again.is_deployed
    assert again(torch.tensor([1.0])).get().item() == 120.0
    assert repr(decode(encode(deployed), None)).count("PointerPlan") == 3  # nobody is asked


def wire_form(me: Any) -> Any:
    return _to_wire(Protocol([("a", increment()), ("b", increment())], id="p"))


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda f: f.__setitem__(0, VERSION + 1), "version"),
        (lambda f: f.__setitem__(0, True), "version"),
        (lambda f: f.__setitem__(0, "1"), "version"),
        (lambda f: f.clear(), "version"),
        (lambda f: f.pop(), "6 fields, not 5"),
        (lambda f: f.append(None), "6 fields, not 7"),
        (lambda f: f.__setitem__(1, None), "an id is"),
        (lambda f: f.__setitem__(1, [1]), "an id is"),
        (lambda f: f.__setitem__(2, "tags"), "frozenset"),
        (lambda f: f.__setitem__(3, 5), "str"),
        (lambda f: f.__setitem__(4, None), "a list"),
        (lambda f: f[4].__setitem__(0, torch.ones(1)), "Plan was expected"),
        (lambda f: f[4].__setitem__(0, m.Ref(1)), "Plan was expected"),
        (lambda f: f.__setitem__(5, {}), "a list"),
        (lambda f: f[5].__setitem__(0, "abc"), "a list"),
        (lambda f: f[5][0].pop(), "unpack"),
        (lambda f: f[5][0].__setitem__(0, None), "an id is"),
        (lambda f: f[5][0].__setitem__(0, True), "an id is"),
        (lambda f: f[5][0].__setitem__(1, 1), "a bool"),
        (lambda f: f[5][0].__setitem__(2, 2), "2 plans of its own has no plan 2"),
        (lambda f: f[5][0].__setitem__(2, -1), "a size is"),
        (lambda f: f[5][0].__setitem__(2, True), "a size is"),
        (lambda f: f[5][0].__setitem__(2, None), "a size is"),
        (lambda f: f[5][0].__setitem__(2, "0"), "a size is"),
        (lambda f: f[5][0].__setitem__(2, m.Ref(5)), "named by that worker"),
        (lambda f: f[5].__setitem__(0, ["me", True, m.Ref(5, ("grad",))]), "named by that worker"),
        (lambda f: f.__setitem__(5, f[5] * 5001), "at most 10000 plans, not 10002"),
    ],
)
def test_hostile_forms_are_refused(me: Any, change: Callable[[Any], Any], sentence: str) -> None:
    form = wire_form(me)
    assert len(_from_wire(form, me).plans) == 2  # before the change it is one
    change(form)
    with pytest.raises(ValueError, match=sentence):
        _from_wire(form, me)


def test_hostile_bytes_are_no_protocol(james: Worker, me: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    protocol = Protocol([("a", increment())])
    good = encode(m.Put(((5, protocol),)))
    protocol.plans = [("a", increment()), ("b", increment())]
    monkeypatch.setattr(protocol, "id", None)
    bad = encode(m.Put(((5, protocol),)))
    assert decode(james.recv_msg(bad), me).kind == DecodeError.__name__ and 5 not in james._objects
    assert decode(james.recv_msg(good), me) is None and 5 in james._objects


def test_a_protocol_from_a_stranger_reaches_only_known_workers(james: Worker) -> None:
    with pytest.raises(WorkerNotFoundException, match="'james' knows no worker 'nobody'"):
        _from_wire([VERSION, 1, None, None, [], [["nobody", True, m.Ref(5)]]], james)
    with pytest.raises(WorkerNotFoundException):
        _from_wire([VERSION, 1, None, None, [increment()], [["nobody", True, 0]]], james)
    assert _from_wire([VERSION, 1, None, None, [increment()], [["nobody", False, 0]]], james).plans[0][0] == "nobody"


def test_a_protocol_that_names_no_plan_fails_when_it_runs(alice: Worker, james: Worker) -> None:
    made = _from_wire([VERSION, 1, None, None, [], [["alice", True, m.Ref(12345)]]], james)
    with pytest.raises(LookupError, match="12345"):
        made(torch.ones(1))
    there = torch.ones(1).send(alice)
    made = _from_wire([VERSION, 1, None, None, [], [["alice", True, m.Ref(there.id_at_location)]]], james)
    with pytest.raises(PermissionError, match="offers no remote method"):
        made(torch.ones(1))
