"""State: what a plan carries, where it lives, plans inside plans, copies, sending again, several workers."""

from __future__ import annotations

import copy
import gc
from typing import Any

import pytest
import torch
from torch import nn

import syft as sy
from syft.exceptions import ObjectNotFoundError, SyftError
from tests.plans import OfModule, plan_of, remote, same, there

Worker = sy.VirtualWorker


@pytest.fixture
def plan(hook: sy.TorchHook) -> Any:
    """A linear layer as a built plan."""
    plan = OfModule(nn.Linear(2, 1))
    plan.build(torch.ones(1, 2))
    return plan


X = torch.tensor([[1.0, -2.0], [3.0, 4.0], [0.5, 0.25]])

# --- state ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("wrap", [tuple, list])
def test_the_state_is_passed_last_and_read(bob: Worker, wrap: Any) -> None:
    @sy.func2plan(args_shape=[(-1,)], state=wrap([torch.tensor([10.0])]))
    def shift(x: torch.Tensor, state: sy.State) -> torch.Tensor:
        (offset,) = state.read()
        return x.abs() + offset

    x = torch.tensor([-1.0, 2.0])
    assert same(shift(x), torch.tensor([11.0, 12.0])) and same(remote(shift.send(bob), bob, x), shift(x))
    assert same(list(shift.state.read()), [torch.tensor([10.0])])


def test_parameters_of_a_plan_with_exactly_one_state_tensor(bob: Worker) -> None:
    pointer = plan_of(lambda x, s: x + s.read()[0], torch.ones(1), state=(torch.tensor([1.0]),)).send(bob)
    (parameter,) = pointer.parameters()
    assert parameter.location is bob and parameter.get() == 1


def test_parameters_are_a_list_for_optimizers(bob: Worker, plan: Any) -> None:
    assert type(plan.parameters()) is list and plan.parameters()[0] is plan.module.weight
    optimizer = torch.optim.SGD(plan.parameters(), lr=0.1)
    plan(X).sum().backward()
    optimizer.step()
    plan.build(X)
    assert same(remote(plan.send(bob), bob, X), plan(X))


def test_parameters_at_the_worker_can_be_trained(bob: Worker, plan: Any) -> None:
    eager = copy.deepcopy(plan.module)
    pointer = plan.send(bob)
    far, near = torch.optim.SGD(pointer.parameters(), lr=0.1), torch.optim.SGD(eager.parameters(), lr=0.1)
    x = X.send(bob)
    for _ in range(3):
        far.zero_grad()
        near.zero_grad()
        pointer(x).sum().backward()
        eager(X).sum().backward()
        far.step()
        near.step()
    assert same(remote(pointer, bob, X), eager(X))
    assert same(pointer.get().parameters(), list(eager.parameters()))


def test_state_written_to_stays_on_the_worker(bob: Worker) -> None:
    def count(x: torch.Tensor, state: sy.State) -> torch.Tensor:
        (total,) = state.read()
        total.add_(x)
        return total * 1

    plan = plan_of(count, torch.zeros(2), state=(torch.ones(2),))
    assert same(plan.parameters()[0], torch.ones(2))
    pointer = plan.send(bob)
    assert [float(remote(pointer, bob, torch.ones(2))[0]) for _ in range(3)] == [2.0, 3.0, 4.0]
    assert same(pointer.get().parameters()[0], torch.full((2,), 4.0))
    assert same(plan.parameters()[0], torch.ones(2))


def test_a_module_as_state_is_called_by_the_function(bob: Worker) -> None:
    module, scale = nn.Linear(2, 1), torch.tensor([3.0])
    alone = plan_of(lambda x: module(x), X, state=module)
    assert same(remote(alone.send(bob), bob, X), module(X))
    both = plan_of(lambda x, state: module(x) * scale, X, state=(module, scale))
    assert same(remote(both.send(bob), bob, X), module(X) * 3)


@pytest.mark.parametrize("state", [3, "text", (torch.ones(1), 3), [[torch.ones(1)]]])
def test_state_that_is_none_is_refused(hook: sy.TorchHook, state: Any) -> None:
    with pytest.raises(SyftError):
        plan_of(lambda x, *s: x, torch.ones(1), state=state)


# --- plans inside plans -----------------------------------------------------------------------------


def inner_plan(when: str, worker: Any, me: Any) -> Any:
    inner = sy.Plan("inner", forward=lambda x, state: x * state.read()[0], state=(torch.tensor([3.0]),))
    if when in ("before", "fetched", "copied"):
        inner.build(torch.ones(1))
    if when == "fetched":
        inner.send(worker)
        return me.fetch_plan(inner.id, worker)
    return inner.copy() if when == "copied" else inner


@pytest.mark.parametrize("when", ["before", "after", "never", "fetched", "copied"])
def test_nested_plans_with_state(bob: Worker, me: Any, when: str) -> None:
    inner = inner_plan(when, bob, me)

    def f(x: torch.Tensor, state: sy.State) -> torch.Tensor:
        return inner(x + state.read()[0])

    outer = plan_of(f, torch.ones(1), state=(torch.tensor([1.0]),))
    if when == "after":
        inner.build(torch.ones(1))
    x = torch.randn(4)
    pointer = outer.send(bob)
    for _ in range(2):
        assert same(outer(x), (x + 1) * 3) and same(remote(pointer, bob, x), (x + 1) * 3)
        assert same(pointer.get()(x), (x + 1) * 3)
    assert len(outer.parameters()) == 2
    assert len(outer.state.read()) == 1 and outer.state.read()[0] == 1
    assert any("inner" in name for name in outer.state.names)
    if when != "never":
        assert same(remote(inner.send(bob), bob, x), x * 3)


@pytest.mark.parametrize("kind", ["built", "unbuilt", "fetched", "copied"])
def test_a_plan_as_attribute_of_a_plan(bob: Worker, me: Any, kind: str) -> None:
    class Outer(sy.Plan):
        def __init__(self, inner: Any) -> None:
            super().__init__()
            self.inner, self.scale = inner, nn.Parameter(torch.tensor([2.0]))

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.inner(self.inner(x)) * self.scale

    inner: Any = OfModule(nn.Linear(2, 2))
    module = inner.module
    if kind != "unbuilt":
        inner.build(X)
    if kind == "fetched":
        inner.send(bob)
        inner = me.fetch_plan(inner.id, bob)
    elif kind == "copied":
        inner = inner.copy()
    outer = Outer(inner)
    outer.build(X)
    assert len(outer.parameters()) == 3
    assert same(outer(X), module(module(X)) * 2)
    assert same(remote(outer.send(bob), bob, X), module(module(X)) * 2)
    assert same(inner(X), module(X))


class Steps(sy.Plan):
    """A step of an optimizer."""

    def __init__(self) -> None:
        super().__init__()
        self.w = nn.Parameter(torch.ones(2))
        self.opt = torch.optim.Adam([self.w])

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        self.opt.zero_grad()
        (self.w * x).sum().backward()
        self.opt.step()
        return self.w.detach() * 1


@pytest.mark.parametrize("fetched", [False, True])
def test_a_nested_plan_with_an_optimizer(bob: Worker, me: Any, fetched: bool) -> None:
    inner: Any = Steps()
    eager, x = Steps(), torch.tensor([1.0, -2.0])
    if fetched:
        inner.build(x)
        inner.send(bob)
        inner = me.fetch_plan(inner.id, bob)
    pointer = plan_of(lambda x: inner(inner(x)), x).send(bob)
    for _ in range(3):
        assert same(remote(pointer, bob, x), eager.forward(eager.forward(x)))


def test_three_plans_deep_and_twice(bob: Worker) -> None:
    first = OfModule(nn.Linear(2, 2))
    second = OfModule(nn.Linear(2, 2))

    def f(x: torch.Tensor) -> torch.Tensor:
        return first(x) + second(first(x))

    middle = sy.Plan("middle", forward=f, state=(first, second))
    outer = plan_of(lambda x: middle(x) * 2, X)
    assert len(outer.parameters()) == 4
    assert same(remote(outer.send(bob), bob, X), f(X) * 2)
    again = plan_of(lambda x: middle(x) * 2, X)
    assert same(remote(again.send(bob), bob, X), f(X) * 2)


def test_a_nested_plan_is_held_to_its_arguments(hook: sy.TorchHook, bob: Worker, me: Any) -> None:
    inner = inner_plan("fetched", bob, me)
    with pytest.raises(TypeError):
        plan_of(lambda x: inner(x, x), torch.ones(1))
    with pytest.raises(TypeError):
        plan_of(lambda x: inner(), torch.ones(1))


# --- sending, fetching, copying ---------------------------------------------------------------------


def test_sending_twice_is_free(make_worker: Any, plan: Any) -> None:
    bob = make_worker("bob", log_msgs=True)
    pointer = plan.send(bob)
    sent = len(bob.msg_history)
    assert plan.send(bob) is pointer and plan.send("bob") is pointer and len(bob.msg_history) == sent


def test_refresh_sends_the_state_as_it_is_now(bob: Worker, plan: Any) -> None:
    pointer = plan.send(bob)
    before = plan(X)
    with torch.no_grad():
        plan.module.weight.add_(1)
    assert plan.send(bob) is pointer and same(remote(pointer, bob, X), before)
    fresh = plan.send(bob, refresh=True)
    assert not same(plan(X), before)
    assert same(remote(fresh, bob, X), plan(X)) and same(remote(pointer, bob, X), plan(X))


def test_sending_copies_the_state(bob: Worker, plan: Any) -> None:
    pointer, before = plan.send(bob), plan(X)
    with torch.no_grad():
        plan.module.weight.zero_()
    assert same(remote(pointer, bob, X), before)
    back = pointer.get()
    with torch.no_grad():
        back.parameters()[0].zero_()
    assert same(remote(pointer, bob, X), before)


def test_get_fetches_a_plan_and_leaves_it_there(bob: Worker, plan: Any, me: Any) -> None:
    pointer = plan.send(bob)
    back = pointer.get()
    assert (back.id, back.name, back.forward, back.is_built, back.owner) == (plan.id, plan.name, None, True, me)
    assert same(back(X), plan(X)) and same(remote(pointer, bob, X), plan(X))
    other = pointer.get(deregister_ptr=False)
    assert other.id != plan.id and same(other(X), plan(X))
    assert plan.get() is plan and plan.get_() is plan


def test_fetch_plan(bob: Worker, plan: Any, me: Any) -> None:
    plan.send(bob)
    for place in (bob, "bob"):
        fetched = me.fetch_plan(plan.id, place)
        assert (fetched.id, fetched.forward, fetched.is_built, fetched.owner) == (plan.id, None, True, me)
        assert type(fetched) is sy.Plan and same(fetched(X), plan(X))
    assert me.fetch_plan(plan.id, bob, copy=True).id not in (plan.id, fetched.id)
    assert me.fetch_plan("no such plan", bob) is None
    assert plan.id in bob._objects


def test_fetch_plan_fetches_plans_only(bob: Worker, me: Any) -> None:
    pointer = torch.tensor([1.0, 2.0]).send(bob)
    try:
        fetched = me.fetch_plan(pointer.id_at_location, bob)
    except SyftError:
        return
    assert fetched is None


def test_a_fetched_plan_can_be_sent_on(bob: Worker, alice: Worker, plan: Any, me: Any) -> None:
    plan.send(bob)
    pointer = me.fetch_plan(plan.id, bob).send(alice)
    assert same(remote(pointer, alice, X), plan(X))


def test_copies_share_nothing_that_changes(bob: Worker, plan: Any) -> None:
    twin = plan.copy()
    assert type(twin) is sy.Plan and twin.forward is None and twin.id != plan.id and twin.actions == plan.actions
    want = plan(X)
    with torch.no_grad():
        plan.module.weight.add_(1)
    assert same(twin(X), want) and same(remote(twin.send(bob), bob, X), want)
    assert [type(p) for p in twin.parameters()] == [nn.Parameter, nn.Parameter]


def test_a_plan_has_no_location(plan: Any) -> None:
    with pytest.raises(AttributeError, match="has no attribute '?location"):
        _ = plan.location


# --- several workers, deletion ----------------------------------------------------------------------


def test_several_locations_in_one_pointer(bob: Worker, alice: Worker, plan: Any) -> None:
    both = plan.send(bob, alice)
    assert isinstance(both, sy.PointerPlan)
    assert both.location == [bob, alice] and both.id_at_location == [plan.id, plan.id]
    assert set(plan.get_pointers()) == set(plan.pointers) == {"bob", "alice"}
    for worker in (bob, alice):
        far = X.send(worker)
        result = both(far)
        assert result.location is worker and same(result.get(), plan(X))
    with pytest.raises(SyftError, match="more than one location"):
        both.parameters()
    with pytest.raises(SyftError):
        both(X)


def test_multi_pointers_run_on_each_of_their_workers(bob: Worker, alice: Worker, plan: Any) -> None:
    both = plan.send(bob, alice)
    results = both(X.send(bob, alice))
    assert [same(part, plan(X)) for part in results.get()] == [True, True]


def test_data_where_none_of_the_locations_is(bob: Worker, alice: Worker, james: Worker, plan: Any) -> None:
    with pytest.raises(SyftError, match="james"):
        plan.send(bob, alice)(X.send(james))


def test_pointers_that_die_delete_nothing(bob: Worker, alice: Worker, plan: Any) -> None:
    """0.2.4's multi-location pointer took the plan away from all workers when it was collected."""
    single = plan.send(bob)
    both = plan.send(bob, alice)
    fetched = both.get()
    del both
    gc.collect()
    assert plan.id in bob._objects and plan.id in alice._objects
    assert same(remote(single, bob, X), plan(X)) and same(remote(plan.send(alice), alice, X), plan(X))
    del fetched, single
    gc.collect()
    assert plan.id in bob._objects


def test_delete_takes_the_plan_away_and_it_can_be_sent_again(bob: Worker, alice: Worker, plan: Any) -> None:
    pointer = plan.send(bob, alice)
    pointer.delete()
    assert plan.id not in bob._objects and plan.id not in alice._objects
    with pytest.raises(ObjectNotFoundError):
        pointer(X.send(bob))
    assert same(remote(plan.send(bob), bob, X), plan(X))


# --- names ------------------------------------------------------------------------------------------


def test_plans_are_found_by_the_tags_they_were_sent_with(bob: Worker, me: Any, plan: Any) -> None:
    assert plan.tag("#model", "#linear").describe("a layer") is plan
    plan.send(bob)
    plan.tag("#later")
    (found,) = me.request_search(["#model"], bob)
    assert isinstance(found, sy.PointerPlan) and found.description == "a layer"
    assert same(remote(found, bob, X), plan(X)) and found.get().tags == {"#model", "#linear"}
    assert me.request_search(["#later"], bob) == []


def test_a_plan_of_the_same_id_replaces_the_one_that_is_there(bob: Worker) -> None:
    class Named(sy.Plan):
        def __init__(self, factor: float) -> None:
            super().__init__(id="named")
            self.factor = factor

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x * self.factor

    for factor in (2.0, 3.0):
        plan = Named(factor)
        plan.build(X)
        assert same(remote(plan.send(bob), bob, X), X * factor)


def test_plans_at_the_local_worker_do_not_leak(bob: Worker, me: Any, plan: Any) -> None:
    held = set(me._objects)
    pointer = plan.send(bob)
    there(X, bob)
    pointer.get()(X)
    assert set(me._objects) == held
