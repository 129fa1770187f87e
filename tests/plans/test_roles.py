"""Protocols written as one function of several roles."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import syft as sy
from syft.exceptions import PlanArgumentError, PlanBuildError, PlanNotBuiltError, ProtocolError, SyftError, UsageError
from syft.plans.recording import Step
from syft.plans.role_assignments import RoleAssignments
from syft.plans.role_recorder import Transfer
from syft.plans.roles import RoleProtocol, func2protocol

Worker = sy.VirtualWorker
ROLES = ["alice", "bob"]
Results = dict[str, tuple[torch.Tensor, ...]]


@pytest.fixture(autouse=True)
def _hooked(hook: sy.TorchHook) -> None:
    """Roles are recorded with torch hooked."""


def fetched(results: Results) -> dict[str, list[Any]]:
    return {role: [tensor.get().tolist() for tensor in tensors] for role, tensors in results.items()}


def listed(results: Results) -> dict[str, list[Any]]:
    return {role: [tensor.tolist() for tensor in tensors] for role, tensors in results.items()}


def there_and_back() -> RoleProtocol:
    """Three transfers, four plans: a run that has all there is."""

    @func2protocol(roles=ROLES, args_shape={"alice": ((-1, 2),), "bob": ((1,),)}, states={"bob": (torch.ones(2),)})
    def protocol(alice: Any, bob: Any) -> Any:
        (x,) = alice.args
        (bias,) = bob.args
        (weight,) = bob.load_state()
        product = x.send(bob.worker) * weight + bias
        weight += 1
        back = product.get()
        return (back + x).send(bob.worker).sum(0), back

    return protocol


X, BIAS = torch.tensor([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]]), torch.tensor([10.0])


def expected(run: int) -> Results:
    back = X * (1 + run) + BIAS
    return {"alice": (back,), "bob": ((back + X).sum(0),)}


# --- recording and running here ------------------------------------------------------------------------


def test_it_is_recorded_at_once_and_runs_here() -> None:
    @func2protocol(roles=ROLES)
    def protocol(alice: Any, bob: Any) -> Any:
        return alice.torch.tensor([1]) + 1, bob.torch.tensor([2]) + 1

    assert protocol.is_built and protocol.name == "protocol"
    assert listed(protocol()) == listed(protocol.run()) == {"alice": [[2]], "bob": [[3]]}


def test_results_come_by_role_in_the_order_of_the_function() -> None:
    @func2protocol(roles=["a", "b", "c"])
    def protocol(a: Any, b: Any, c: Any) -> Any:
        x, y = a.torch.zeros(1), b.torch.ones(1)
        return [x + 1, (y, x + 2)], x

    assert listed(protocol()) == {"a": [[1.0], [2.0], [0.0]], "b": [[1.0]], "c": []}


def test_nothing_returned_is_nothing_for_every_role() -> None:
    @func2protocol(roles=ROLES)
    def protocol(alice: Any, bob: Any) -> None:
        alice.torch.tensor([1])

    assert protocol() == {"alice": (), "bob": ()}


def test_actions_tell_what_each_role_does() -> None:
    @func2protocol(roles=["a", "b", "c"])
    def protocol(a: Any, b: Any, c: Any) -> Any:
        x = a.torch.tensor([1.0]).send(b.worker) * 2
        y = x.get()
        return y.send(c.worker).move(a.worker)

    def story(role: str) -> list[str]:
        return [
            f"{action.name} {action.source}->{action.destination}" if isinstance(action, Transfer) else action.op
            for action in protocol.roles[role].actions
        ]

    # What travels is a copy.
    assert story("a") == ["Tensor.clone"] * 2 + ["send a->b", "get b->a", "Tensor.clone", "send a->c", "move c->a"]
    assert story("b") == ["send a->b", "Tensor.mul", "Tensor.clone", "get b->a"]
    assert story("c") == ["send a->c", "Tensor.clone", "move c->a"]
    assert listed(protocol()) == {"a": [[2.0]], "b": [], "c": []}


def test_an_unused_transfer_is_an_action_but_not_carried_out(alice: Worker, bob: Worker, traffic: list[str]) -> None:
    @func2protocol(roles=ROLES)
    def protocol(alice: Any, bob: Any) -> Any:
        tensor = alice.torch.tensor([1])
        tensor.send(bob.worker)
        return tensor

    assert "send" in [action.name for action in protocol.roles["alice"].actions if isinstance(action, Transfer)]
    assert all(type(action) in (Step, Transfer) for action in protocol.roles["alice"].actions)
    protocol.assign_roles({"alice": alice, "bob": bob})
    assert fetched(protocol()) == {"alice": [[1]], "bob": []}
    assert not any("bob" in line or "Relay" in line for line in traffic)


def test_arguments_are_given_by_role() -> None:
    protocol = there_and_back()
    for run in range(3):
        assert listed(protocol(alice=(X,), bob=(BIAS,))) == listed(expected(run))
    assert protocol.roles["bob"].state.read()[0].tolist() == [4.0, 4.0]


def test_one_argument_needs_no_tuple_and_may_be_a_number() -> None:
    @func2protocol(roles=ROLES, args_shape={"alice": ((1,),), "bob": ((),)})
    def protocol(alice: Any, bob: Any) -> Any:
        return alice.args[0].send(bob.worker) * bob.args[0]

    assert listed(protocol(alice=torch.tensor([3.0]), bob=5.0)) == {"alice": [], "bob": [[15.0]]}


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ({}, "Role alice of protocol protocol requires 1 arguments, received 0"),
        ({"alice": (X, X), "bob": BIAS}, "requires 1 arguments, received 2"),
        ({"alice": X}, "Role bob of protocol protocol requires 1 arguments, received 0"),
        ({"alice": ("x",), "bob": BIAS}, "tensors and numbers, not a str"),
        ({"alice": ([X],), "bob": BIAS}, "tensors and numbers, not a list"),
    ],
)
def test_other_arguments_are_refused(arguments: Any, sentence: str) -> None:
    with pytest.raises(TypeError, match=sentence) as error:
        there_and_back()(**arguments)
    assert isinstance(error.value, PlanArgumentError)


def test_arguments_by_position_are_refused() -> None:
    with pytest.raises(TypeError):
        there_and_back()(X, BIAS)  # type: ignore[call-arg]


def test_free_sizes_are_free_and_decisions_by_size_are_kept() -> None:
    @func2protocol(roles=ROLES, args_shape={"alice": ((-1, 2),)})
    def protocol(alice: Any, bob: Any) -> Any:
        (x,) = alice.args
        y = x.view(x.shape[0], -1).send(bob.worker)
        if y.shape[1] == 2:
            y = y * 2
        return y.reshape(y.shape[0] * 2)

    assert listed(protocol(alice=torch.ones(3, 2))) == {"alice": [], "bob": [[2.0] * 6]}
    with pytest.raises(ValueError, match="decided by a size"):
        protocol(alice=torch.ones(3, 4))


def test_dtypes_of_arguments_can_be_given() -> None:
    @func2protocol(roles=["a"], args_shape={"a": ((-1,), (-1,))}, args_dtypes={"a": ("int64", torch.bool)})
    def protocol(a: Any) -> Any:
        x, keep = a.args
        return torch.where(keep, x, -x)

    x, keep = torch.tensor([1, 2, 3]), torch.tensor([True, False, True])
    assert listed(protocol(a=(x, keep))) == {"a": [[1, -2, 3]]}


def test_it_can_be_built_again_from_examples() -> None:
    protocol = there_and_back()
    protocol.build(alice=torch.zeros(1, 2), bob=(torch.zeros(1),))
    assert protocol.is_built and listed(protocol(alice=X, bob=BIAS)) == listed(expected(0))
    with pytest.raises(ValueError, match="role_id carol not present"):
        protocol.build(carol=X)


def test_each_run_makes_its_own_tensors(alice: Worker) -> None:
    @func2protocol(roles=["a"], args_shape={"a": ((1,),)})
    def protocol(a: Any) -> Any:
        total, other = a.torch.tensor([0.0]), a.torch.as_tensor([1.0])
        return total.add_(a.args[0]), other.mul_(2)

    for _ in range(3):
        assert listed(protocol(a=5.0)) == {"a": [[5.0], [2.0]]}
    protocol.assign("a", alice)
    for _ in range(3):
        assert fetched(protocol(a=5.0)) == {"a": [[5.0], [2.0]]}


def test_random_numbers_are_drawn_in_every_run(alice: Worker) -> None:
    @func2protocol(roles=["a"])
    def protocol(a: Any) -> Any:
        return a.torch.rand(20)

    assert listed(protocol()) != listed(protocol())
    protocol.assign("a", alice)
    assert fetched(protocol()) != fetched(protocol())


def test_recording_leaves_random_numbers_here_alone() -> None:
    before = torch.get_rng_state()
    func2protocol(roles=["a"])(lambda a: a.torch.rand(3))
    assert torch.equal(torch.get_rng_state(), before)
    with pytest.raises(PlanBuildError, match="seeds torch's random numbers"):
        func2protocol(roles=["a"])(lambda a: torch.manual_seed(0) and None)


def test_options_of_an_optimizer_do_not_change_while_it_is_recorded() -> None:
    weight = torch.nn.Parameter(torch.ones(1))
    optimizer = torch.optim.SGD([weight], lr=0.1)

    def function(a: Any) -> None:
        (weight * 2).sum().backward()
        optimizer.step()
        optimizer.param_groups[0]["lr"] = 5.0

    with pytest.raises(PlanBuildError, match="changes lr of its optimizer"):
        func2protocol(roles=["a"], states={"a": (weight,)})(function)
    assert optimizer.param_groups[0]["lr"] == 0.1


def test_torch_of_a_role_is_torch() -> None:
    @func2protocol(roles=["a"])
    def protocol(a: Any) -> Any:
        x = a.torch.arange(-2, 3, dtype=a.torch.float32)
        return a.torch.nn.functional.relu(x), a.torch.linalg.vector_norm(x), torch.relu(x), a.torch.zeros_like(x)

    assert listed(protocol()) == {"a": [[0, 0, 0, 1, 2], pytest.approx(10**0.5), [0, 0, 0, 1, 2], [0] * 5]}


def test_what_torch_has_not_a_role_has_not() -> None:
    with pytest.raises(AttributeError, match="torch has no 'nonsense'"):
        func2protocol(roles=["a"])(lambda a: a.torch.nonsense(1))
    with pytest.raises(AttributeError, match="torch.nn.functional has no 'nonsense'"):
        func2protocol(roles=["a"])(lambda a: a.torch.nn.functional.nonsense(1))


# --- transfers -----------------------------------------------------------------------------------------


def test_what_was_sent_keeps_its_value(alice: Worker, bob: Worker) -> None:
    @func2protocol(roles=ROLES)
    def protocol(alice: Any, bob: Any) -> Any:
        x = alice.torch.tensor([1.0])
        first = x.send(bob.worker)
        x.add_(1)
        second = x.send(bob.worker)
        second.mul_(10)
        return first + 0, second + 0, x

    wanted = {"alice": [[2.0]], "bob": [[1.0], [20.0]]}
    assert listed(protocol()) == wanted
    protocol.assign_roles({"alice": alice, "bob": bob})
    assert fetched(protocol()) == wanted


def test_a_tensor_can_move_away_and_back(alice: Worker, bob: Worker) -> None:
    @func2protocol(roles=ROLES, args_shape={"alice": ((1,),)})
    def protocol(alice: Any, bob: Any) -> Any:
        x = alice.args[0] + 1
        y = x * 2
        x.move(bob.worker)
        x.add_(100)
        x.move(alice.worker)
        return x + y, x

    assert listed(protocol(alice=torch.ones(1))) == {"alice": [[106.0], [102.0]], "bob": []}
    protocol.assign_roles({"alice": alice, "bob": bob})
    assert fetched(protocol(alice=torch.ones(1))) == {"alice": [[106.0], [102.0]], "bob": []}


def test_two_roles_with_one_worker_need_no_transfer(alice: Worker, traffic: list[str]) -> None:
    protocol = there_and_back()
    protocol.assign_roles({"alice": alice, "bob": alice})
    for run in range(2):
        assert fetched(protocol(alice=X.send(alice), bob=BIAS)) == listed(expected(run))
    assert not any("Relay" in line for line in traffic)


def test_a_gradient_can_be_sent(alice: Worker, bob: Worker) -> None:
    weight = torch.tensor([2.0], requires_grad=True)

    @func2protocol(roles=ROLES, args_shape={"alice": ((1,),)}, states={"alice": (weight,)})
    def protocol(alice: Any, bob: Any) -> Any:
        (w,) = alice.load_state()
        w.grad = None
        ((w * alice.args[0]) ** 2).sum().backward()
        return w.grad.send(bob.worker) * 1, w.grad

    wanted = {"alice": [[36.0]], "bob": [[36.0]]}  # d/dw (3 w)^2 = 18 w
    assert listed(protocol(alice=3.0)) == wanted
    protocol.assign_roles({"alice": alice, "bob": bob})
    for _ in range(2):
        assert fetched(protocol(alice=3.0)) == wanted


def test_gradients_end_at_a_transfer_and_are_handed_over(alice: Worker, bob: Worker) -> None:
    """Split learning: alice has the first half of the model, bob the second half and the labels."""
    torch.manual_seed(0)
    x, y = torch.rand(5, 3), torch.rand(5, 1)
    first, second = torch.nn.Linear(3, 4), torch.nn.Linear(4, 1)
    ((second(first(x).relu()) - y) ** 2).mean().backward()
    wanted = [first.weight.grad, second.weight.grad]
    first.zero_grad(), second.zero_grad()

    @func2protocol(
        roles=ROLES, args_shape={"alice": ((-1, 3),), "bob": ((-1, 1),)}, states={"alice": first, "bob": second}
    )
    def protocol(alice: Any, bob: Any) -> Any:
        first.zero_grad(), second.zero_grad()
        hidden = first(alice.args[0]).relu()
        cut = hidden.send(bob.worker)
        loss = ((second(cut) - bob.args[0]) ** 2).mean()
        loss.backward()
        hidden.backward(cut.grad.send(alice.worker))
        return first.weight.grad, second.weight.grad

    here = protocol(alice=x, bob=y)
    protocol.assign_roles({"alice": alice, "bob": bob})
    for _ in range(2):
        there = {role: (tensor.get(),) for role, (tensor,) in protocol(alice=x, bob=y).items()}
        for got in (here, there):
            for role, gradient in zip(ROLES, wanted, strict=True):
                torch.testing.assert_close(got[role][0], gradient)


def test_no_gradient_flows_back_by_itself(alice: Worker, bob: Worker) -> None:
    weight = torch.tensor([2.0], requires_grad=True)

    @func2protocol(roles=ROLES, states={"alice": (weight,)})
    def protocol(alice: Any, bob: Any) -> Any:
        (w,) = alice.load_state()
        w.grad = alice.torch.zeros(1)
        there = (w * 3).send(bob.worker)
        (there * there).sum().backward()
        return w.grad, there.grad

    wanted = {"alice": [[0.0]], "bob": [[12.0]]}
    assert listed(protocol()) == wanted
    protocol.assign_roles({"alice": alice, "bob": bob})
    assert fetched(protocol()) == wanted


@pytest.mark.parametrize(
    ("verb", "sentence"),
    [
        (lambda x, a, b: x.get(), "brings a tensor back to the one role that"),
        (lambda x, a, b: x.remote_send(b.worker), "the function uses remote_send"),
        (lambda x, a, b: x.send(b.worker).remote_get(), "fetches a tensor to where a pointer is"),
        (lambda x, a, b: x + b.torch.ones(1), "'role alice', the other on 'role bob'"),
        (lambda x, a, b: x + torch.ones(1), "and the other is local"),
        (lambda x, a, b: torch.ones(1).send(b.worker), "sends 'bob' a tensor that no role has"),
        (lambda x, a, b: b.torch.zeros(x.shape[0]), "'bob' computes with the size of a tensor of 'alice'"),
        (lambda x, a, b: x if x > 0 else x, "asks for a value of a tensor"),
        (lambda x, a, b: torch.ones(1), "returns a Tensor that no role has"),
        (lambda x, a, b: {"a": x}, "returns a dict that no role has"),
        (lambda x, a, b: 5, "returns a int that no role has"),
        (
            lambda x, a, b: (x.send(b.worker) + b.torch.ones(1).send(a.worker).send(b.worker)).get().get(),
            "there is none",
        ),
    ],
)
def test_what_cannot_be_recorded_is_told(verb: Any, sentence: str) -> None:
    with pytest.raises(PlanBuildError, match=sentence):

        @func2protocol(roles=ROLES, args_shape={"alice": ((1,),)})
        def protocol(alice: Any, bob: Any) -> Any:
            return verb(alice.args[0], alice, bob)


def test_real_workers_are_no_roles(bob: Worker) -> None:
    for verb in ("send", "move"):
        with pytest.raises(PlanBuildError, match="cannot be recorded"):

            @func2protocol(roles=ROLES)
            def protocol(alice: Any, bob: Any, verb: str = verb, real: Any = bob) -> Any:
                return getattr(alice.torch.ones(1), verb)(real)

    assert not bob._objects


def test_tensors_of_another_protocol_are_refused() -> None:
    leaked = []

    @func2protocol(roles=["a"])
    def first(a: Any) -> Any:
        leaked.append(a)
        leaked.append(a.torch.ones(1))
        return leaked[1]

    with pytest.raises(PlanBuildError, match="returns a Tensor that no role has"):
        func2protocol(roles=["a"])(lambda a: leaked[1])
    with pytest.raises(PlanBuildError, match="sends 'a' a tensor that no role has"):
        func2protocol(roles=["a"])(lambda a: leaked[1].send(a.worker))
    for what in ("torch", "worker", "args"):
        with pytest.raises(ProtocolError, match=f"role 'a' has {what} only while the function"):
            getattr(leaked[0], what)


def test_errors_of_the_function_come_through_and_state_is_given_back() -> None:
    weight = torch.ones(1)

    def fails(alice: Any, bob: Any) -> None:
        weight.add_(1)
        raise ZeroDivisionError("mine")

    with pytest.raises(ZeroDivisionError, match="mine"):
        func2protocol(roles=ROLES, states={"bob": (weight,)})(fails)
    assert type(weight) is torch.Tensor and weight.tolist() == [1.0]


def test_a_failed_build_leaves_nothing_to_run() -> None:
    protocol = there_and_back()
    with pytest.raises(RuntimeError):
        protocol.build(alice=torch.zeros(3, 5))  # times the weight of 2
    assert not protocol.is_built
    with pytest.raises(PlanNotBuiltError, match="protocol 'protocol' is not built"):
        protocol(alice=X, bob=BIAS)


# --- segments ------------------------------------------------------------------------------------------


def segments(protocol: RoleProtocol) -> list[str]:
    assert protocol._schedule is not None
    return [segment.role for segment in protocol._schedule.segments]


def test_a_role_runs_on_until_it_needs_to_hear_from_another() -> None:
    @func2protocol(roles=["a", "b"], args_shape={"a": ((1,),), "b": ((1,),)})
    def protocol(a: Any, b: Any) -> Any:
        x, y = a.args[0] + 1, b.args[0] + 2
        x_there = x.send(b.worker)
        x = x * 2  # still the first plan of a
        y_there = y.send(a.worker)
        x = x * 3  # still
        y = y * x_there  # b has to wait
        return x * y_there, y

    assert segments(protocol) == ["a", "b", "b", "a"]
    # a: x=2 -> 12 * y(6) = 72; b: 6 * x(2) = 12
    assert listed(protocol(a=1.0, b=4.0)) == {"a": [72.0], "b": [12.0]}


def test_what_arrived_before_a_plan_starts_needs_no_further_plan() -> None:
    @func2protocol(roles=["a", "b"], args_shape={"a": ((1,), (1,))})
    def protocol(a: Any, b: Any) -> Any:
        x, y = (t.send(b.worker) for t in a.args)
        z = x + 1
        return z * y

    assert segments(protocol) == ["a", "b"]


def test_what_nobody_needs_is_not_run() -> None:
    @func2protocol(roles=["a", "b"], args_shape={"a": ((1,),)})
    def protocol(a: Any, b: Any) -> Any:
        (x,) = a.args
        (x.send(b.worker) * 5).get()
        return x + 1

    assert segments(protocol) == ["a"]


# --- state ---------------------------------------------------------------------------------------------


def test_modules_can_be_state(alice: Worker, bob: Worker) -> None:
    model = torch.nn.Linear(2, 1)
    x = torch.ones(3, 2)
    wanted = model(x).detach()

    @func2protocol(roles=ROLES, args_shape={"alice": ((-1, 2),)}, states={"bob": model})
    def protocol(alice: Any, bob: Any) -> Any:
        return model(alice.args[0].send(bob.worker))

    torch.testing.assert_close(protocol(alice=x)["bob"][0].detach(), wanted)
    protocol.assign_roles({"alice": alice, "bob": bob})
    torch.testing.assert_close(protocol(alice=x)["bob"][0].get().detach(), wanted)


def test_state_lives_on_the_worker_and_comes_back(alice: Worker, bob: Worker, james: Worker) -> None:
    protocol = there_and_back()
    (weight,) = protocol.roles["bob"].state.read()
    protocol.assign_roles({"alice": alice, "bob": bob})
    for run in range(2):
        assert fetched(protocol(alice=X, bob=BIAS)) == listed(expected(run))
    assert weight.tolist() == [1.0, 1.0]  # bob has it
    assert protocol.get() is protocol and weight.tolist() == [3.0, 3.0]
    assert not alice._objects and not bob._objects
    assert fetched(protocol(alice=X, bob=BIAS)) == listed(expected(2))
    protocol.unassign("bob")
    protocol.assign("bob", james)
    assert fetched(protocol(alice=X, bob=BIAS)) == listed(expected(3))
    assert not bob._objects and james._objects
    protocol.reset()
    assert listed(protocol(alice=X, bob=BIAS)) == listed(expected(4))
    assert not any(worker._objects for worker in (alice, bob, james))


def test_state_comes_back_before_the_function_is_recorded_again(bob: Worker) -> None:
    protocol = there_and_back()
    protocol.assign_roles({"alice": bob, "bob": bob})
    protocol(alice=X, bob=BIAS)
    protocol.build()
    assert not bob._objects and protocol.roles["bob"].state.read()[0].tolist() == [2.0, 2.0]


def test_a_tensor_from_outside_can_be_loaded(bob: Worker) -> None:
    outside = torch.tensor([5.0])

    @func2protocol(roles=["a"])
    def protocol(a: Any) -> Any:
        return a.load(outside).add_(a.load(outside))

    assert len(protocol.roles["a"].state) == 1
    assert listed(protocol()) == {"a": [[10.0]]} and outside.item() == 10.0
    protocol.assign("a", bob)
    assert fetched(protocol()) == {"a": [[20.0]]}
    protocol.get()
    assert outside.item() == 20.0


def test_each_role_has_state_of_its_own() -> None:
    weight = torch.ones(1)
    with pytest.raises(UsageError, match=r"state\[0\] of role 'bob' is state of 'alice', too"):
        func2protocol(roles=ROLES, states={"alice": (weight,), "bob": [weight]})(lambda a, b: None)


def test_results_are_nobody_elses(alice: Worker) -> None:
    weight = torch.ones(1)

    @func2protocol(roles=["a"], states={"a": (weight,)})
    def protocol(a: Any) -> Any:
        (w,) = a.load_state()
        return w, w

    first, second = protocol()["a"]
    first.add_(1)
    assert (first.item(), second.item(), weight.item()) == (2.0, 1.0, 1.0)
    protocol.assign("a", alice)
    first, second = protocol()["a"]
    assert (first.add_(1).get().item(), second.get().item()) == (2.0, 1.0)
    assert fetched(protocol()) == {"a": [[1.0], [1.0]]}


def test_an_optimizer_trains_a_model_of_a_role(alice: Worker, bob: Worker) -> None:
    torch.manual_seed(0)
    x, y = torch.rand(8, 2), torch.rand(8, 1)

    def trained(places: dict[str, Worker]) -> list[float]:
        torch.manual_seed(1)
        model = torch.nn.Linear(2, 1)
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)

        @func2protocol(roles=ROLES, args_shape={"alice": ((-1, 2), (-1, 1))}, states={"bob": model})
        def step(alice: Any, bob: Any) -> Any:
            data, target = (t.send(bob.worker) for t in alice.args)
            loss = ((model(data) - target) ** 2).mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            return loss

        step.assign_roles(places)
        losses = [step(alice=(x, y))["bob"][0] for _ in range(4)]
        return [float((loss.get() if places else loss).detach()) for loss in losses]

    here = trained({})
    assert here[-1] < here[0]
    assert trained({"alice": alice, "bob": bob}) == here


def test_an_optimizer_does_not_step_on_both_sides_of_a_wait() -> None:
    weight = torch.nn.Parameter(torch.ones(1))
    optimizer = torch.optim.SGD([weight], lr=0.1)
    with pytest.raises(PlanBuildError, match="an optimizer of 'alice' steps before and after"):

        @func2protocol(roles=ROLES, states={"alice": (weight,)})
        def protocol(alice: Any, bob: Any) -> None:
            for factor in (alice.torch.ones(1), alice.torch.ones(1).send(bob.worker).get()):
                optimizer.zero_grad()
                (weight * factor).sum().backward()
                optimizer.step()

    assert weight.item() == 1.0


def test_a_plan_runs_inside_a_role(alice: Worker, bob: Worker) -> None:
    @sy.func2plan(args_shape=[(1,)], state=(torch.tensor([7.0]),))
    def scale(x: Any, state: Any) -> Any:
        (factor,) = state.read()
        return x * factor

    @func2protocol(roles=ROLES, args_shape={"alice": ((1,),)})
    def protocol(alice: Any, bob: Any) -> Any:
        return scale(alice.args[0].send(bob.worker))

    assert listed(protocol(alice=2.0)) == {"alice": [], "bob": [[14.0]]}
    protocol.assign_roles({"alice": alice, "bob": bob})
    assert fetched(protocol(alice=2.0)) == {"alice": [], "bob": [[14.0]]}


# --- on workers ----------------------------------------------------------------------------------------


def test_each_role_runs_on_its_worker(alice: Worker, bob: Worker) -> None:
    protocol = there_and_back()
    # Roles are called alice and bob, and are played by the others.
    protocol.assign_roles({"alice": bob, "bob": alice})
    results = protocol(alice=X, bob=BIAS)
    assert [tensor.location for tensor in (*results["alice"], *results["bob"])] == [bob, alice]
    assert fetched(results) == listed(expected(0))


def test_a_run_takes_few_messages(alice: Worker, bob: Worker, traffic: list[str]) -> None:
    protocol = there_and_back()
    protocol.assign_roles({"alice": alice, "bob": bob})
    protocol(alice=X, bob=BIAS)
    x, bias = X.send(alice), BIAS.send(bob)
    traffic.clear()
    results = protocol(alice=x, bob=bias)
    assert traffic == [
        "alice Call", "alice Relay", "bob Put", "bob Call", "bob Relay", "alice Put", "alice Call", "alice Relay",
        "bob Put", "bob Call", "bob Forget",
    ]  # fmt: skip
    del results


def test_the_first_run_puts_all_of_a_role_with_one_message(alice: Worker, bob: Worker, traffic: list[str]) -> None:
    protocol = there_and_back()
    protocol.assign_roles({"alice": alice, "bob": bob})
    x, bias = X.send(alice), BIAS.send(bob)
    traffic.clear()
    protocol(alice=x, bob=bias)
    assert traffic[:3] == ["alice Put", "bob Put", "alice Call"]


def test_tensors_go_together_and_not_through_here(alice: Worker, bob: Worker, traffic: list[str]) -> None:
    @func2protocol(roles=ROLES, args_shape={"alice": ((1,),) * 3})
    def protocol(alice: Any, bob: Any) -> Any:
        x, y, z = (tensor.send(bob.worker) for tensor in alice.args)
        return x + y + z

    protocol.assign_roles({"alice": alice, "bob": bob})
    results = protocol(alice=(1.0, 2.0, 3.0))
    assert traffic.count("alice Relay") == 1 and not any("Take" in line or "me " in line for line in traffic)
    assert fetched(results) == {"alice": [], "bob": [6.0]}


def test_a_result_may_be_what_just_arrived(alice: Worker, bob: Worker) -> None:
    @func2protocol(roles=ROLES, args_shape={"alice": ((1,),)})
    def protocol(alice: Any, bob: Any) -> Any:
        there = alice.args[0].send(bob.worker)
        return there, there

    assert listed(protocol(alice=2.0)) == {"alice": [], "bob": [2.0, 2.0]}
    protocol.assign_roles({"alice": alice, "bob": bob})
    assert fetched(protocol(alice=2.0)) == {"alice": [], "bob": [2.0, 2.0]}


def test_only_results_stay_and_die_with_their_pointers(alice: Worker, bob: Worker) -> None:
    protocol = there_and_back()
    protocol.assign_roles({"alice": alice, "bob": bob})
    protocol(alice=X, bob=BIAS)
    plans = len(alice._objects), len(bob._objects)
    results = protocol(alice=X, bob=BIAS)
    assert (len(alice._objects), len(bob._objects)) == (plans[0] + 1, plans[1] + 1)
    del results
    assert (len(alice._objects), len(bob._objects)) == plans


def test_a_failed_run_leaves_nothing_behind(alice: Worker, bob: Worker) -> None:
    @func2protocol(roles=ROLES, args_shape={"alice": ((-1,),), "bob": ((-1,),)})
    def protocol(alice: Any, bob: Any) -> Any:
        (x,) = alice.args
        there = (x + 1).send(bob.worker)
        return x + 2, there + bob.args[0]

    protocol.assign_roles({"alice": alice, "bob": bob})
    protocol(alice=torch.ones(2), bob=torch.ones(2))
    before = set(alice._objects), set(bob._objects)
    with pytest.raises(RuntimeError, match="size"):
        protocol(alice=torch.ones(3), bob=torch.ones(2))
    assert (set(alice._objects), set(bob._objects)) == before
    assert fetched(protocol(alice=torch.ones(2), bob=torch.ones(2))) == {"alice": [[3.0] * 2], "bob": [[3.0] * 2]}


def test_pointers_must_be_where_their_role_is(alice: Worker, bob: Worker) -> None:
    protocol = there_and_back()
    protocol.assign_roles({"alice": alice, "bob": bob})
    x = X.send(bob)
    with pytest.raises(ProtocolError, match="role 'alice' is assigned to 'alice', and an argument of it is .* -> bob:"):
        protocol(alice=x, bob=BIAS)
    with pytest.raises(ProtocolError, match="role 'bob' is assigned to 'bob', and an argument of it is PrivateTensor"):
        protocol(alice=X, bob=BIAS.private_tensor(allowed_users=("amy",)))
    assert fetched(protocol(alice=x.move(alice), bob=BIAS)) == listed(expected(0))
    protocol.reset()
    with pytest.raises(PlanArgumentError, match="an argument of role 'alice' is .* assign the roles to the workers"):
        protocol(alice=X.send(alice), bob=BIAS)


def test_private_data_of_a_role_do_not_leave_its_worker(alice: Worker, bob: Worker) -> None:
    @func2protocol(roles=ROLES, args_shape={"alice": ((1,),)})
    def protocol(alice: Any, bob: Any) -> Any:
        return alice.args[0].send(bob.worker) + 1

    protocol.assign_roles({"alice": alice, "bob": bob})
    secret = torch.tensor([42.0]).private_tensor(allowed_users=("amy",)).send(alice, user="amy")
    before = set(bob._objects)
    with pytest.raises(PermissionError):
        protocol(alice=secret)
    assert not {id for id in set(bob._objects) - before if isinstance(bob._objects[id], torch.Tensor)}


def test_all_roles_or_none_are_assigned(alice: Worker) -> None:
    protocol = there_and_back()
    protocol.assign("alice", alice)
    with pytest.raises(RuntimeError, match="protocol 'protocol' has no worker for bob") as error:
        protocol(alice=X, bob=BIAS)
    assert isinstance(error.value, ProtocolError) and not alice._objects


# --- assignments ---------------------------------------------------------------------------------------


def test_workers_are_assigned_and_unassigned(alice: Worker, bob: Worker, james: Worker) -> None:
    protocol = there_and_back()
    table = protocol.role_assignments
    assert table.assignments == {"alice": [], "bob": []}
    protocol.assign("alice", bob)
    protocol.assign("bob", [alice, "james"])
    assert table.assignments == {"alice": [bob], "bob": [alice, james]}
    assert repr(table) == "<RoleAssignments alice: bob; bob: alice, james>"
    protocol.unassign("bob", alice)
    protocol.unassign("alice", "bob")
    assert table.assignments == {"alice": [], "bob": [james]}
    protocol.assign_roles({"alice": alice, "bob": [bob]})
    assert table.assignments == {"alice": [alice], "bob": [james, bob]}
    protocol.reset()
    assert table.assignments == {"alice": [], "bob": []} and "alice: nobody" in repr(table)


def test_the_first_worker_of_a_role_plays_it(alice: Worker, bob: Worker, james: Worker) -> None:
    protocol = there_and_back()
    protocol.assign_roles({"alice": [alice, james], "bob": [bob, james]})
    protocol(alice=X, bob=BIAS)
    assert alice._objects and bob._objects and not james._objects


def test_an_unknown_role_is_refused_everywhere(alice: Worker) -> None:
    protocol = there_and_back()
    sentence = "role_id carol not present in RoleAssignments with roles alice, bob"
    for attempt in (
        lambda: protocol.assign("carol", alice),
        lambda: protocol.assign_roles({"alice": alice, "carol": alice}),
        lambda: protocol.unassign("carol"),
        lambda: protocol(carol=X),
        lambda: protocol.role_assignments.assign("carol", alice),
        lambda: func2protocol(roles=ROLES, args_shape={"carol": ((1,),)})(lambda a, b: None),
        lambda: func2protocol(roles=ROLES, states={"carol": (X,)})(lambda a, b: None),
    ):
        with pytest.raises(ValueError, match="not present") as error:
            attempt()
        assert str(error.value) == sentence and isinstance(error.value, SyftError)
    assert protocol.role_assignments.assignments == {"alice": [], "bob": []}


def test_wrong_assignments_are_refused(alice: Worker, bob: Worker) -> None:
    protocol = there_and_back()
    with pytest.raises(ValueError, match="role 'alice' is not assigned to 'bob'"):
        protocol.unassign("alice", bob)
    with pytest.raises(KeyError, match="nobody"):
        protocol.assign("alice", "nobody")
    assert RoleAssignments(assignments={"a": [alice]}).assignments == {"a": [alice]}


@pytest.mark.parametrize("roles", [(), [], "ab", [1], ["a", "a"], [""], [None]])
def test_roles_are_different_names(roles: Any) -> None:
    with pytest.raises(UsageError, match="roles"):
        func2protocol(roles=roles)(lambda *parties: None)


def test_options_by_role_are_dicts() -> None:
    with pytest.raises(UsageError, match="args_shape of a protocol is a dict by role"):
        func2protocol(roles=ROLES, args_shape=[(1,)])  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="states of a protocol is a dict by role"):
        func2protocol(roles=ROLES, states=(X,))  # type: ignore[arg-type]


def test_making_a_protocol_registers_no_workers(me: Any, hook: Any) -> None:
    before = dict(me._known_workers), dict(me._objects)
    there_and_back()(alice=X, bob=BIAS)
    assert (dict(me._known_workers), dict(me._objects)) == before


def test_how_it_prints(alice: Worker) -> None:
    protocol = there_and_back()
    assert repr(protocol) == (f"<RoleProtocol protocol id:{protocol.id} owner:me built>\n - alice: here\n - bob: here")
    protocol.assign("bob", alice)
    assert repr(protocol).endswith(" - alice: here\n - bob: alice")
    assert repr(protocol.roles["bob"]).startswith("<Role bob #actions:")


# --- any protocol ----------------------------------------------------------------------------------------

PARTIES = ("a", "b", "c")
STEPS = st.lists(
    st.tuples(
        st.sampled_from(["add", "mul", "in_place", "view", "send", "move", "get", "new"]),
        st.integers(0, 50),
        st.integers(0, 50),
    ),
    max_size=14,
)


def story(steps: list[tuple[str, int, int]]) -> Any:
    """A function of three roles, or of three plain places: the very same Python for both."""

    def run(places: Any) -> list[Any]:
        held: list[tuple[int, Any]] = []
        sender: dict[int, int] = {}  # which tensors were sent, and by whom: those can be fetched
        for place, party in enumerate(places):
            held += [(place, tensor) for tensor in party.given()]
        for verb, first, second in steps:
            number = first % len(held)
            place, tensor = held[number]
            other = second % len(places)
            if verb in ("add", "mul"):
                mates = [t for p, t in held if p == place]
                mate = mates[second % len(mates)]
                held.append((place, tensor + mate if verb == "add" else tensor * mate * 0.5))
            elif verb == "in_place":
                tensor.add_(second)
            elif verb == "view":
                held.append((place, tensor.view(-1)))
            elif verb == "new":
                held.append((other, places[other].make(float(first))))
            elif verb == "send":
                sender[len(held)] = place
                held.append((other, places[other].send(tensor)))
            elif verb == "move" and other != place:
                sender.pop(number, None)
                held[number] = (other, places[other].move(tensor))
            elif verb == "get" and number in sender:
                home = sender.pop(number)
                held[number] = (home, places[home].fetch(tensor))
        return [tensor + 0 for _, tensor in held]

    return run


class Plain:
    """A place for plain tensors; what crosses is copied."""

    def __init__(self, tensors: list[torch.Tensor]) -> None:
        self.tensors = tensors

    def given(self) -> list[torch.Tensor]:
        return self.tensors

    def make(self, value: float) -> torch.Tensor:
        return torch.tensor([value])

    def send(self, tensor: torch.Tensor) -> torch.Tensor:
        return tensor.clone()

    move = fetch = send


class Party:
    """The same for a role that is being recorded."""

    def __init__(self, role: Any) -> None:
        self.role = role

    def given(self) -> list[Any]:
        return [*self.role.args, *self.role.load_state()]

    def make(self, value: float) -> Any:
        return self.role.torch.tensor([value])

    def send(self, tensor: Any) -> Any:
        return tensor.send(self.role.worker)

    def move(self, tensor: Any) -> Any:
        return tensor.move(self.role.worker)

    def fetch(self, tensor: Any) -> Any:
        return tensor.get()


@pytest.fixture(scope="module")
def players(hook: sy.TorchHook) -> Iterator[list[Worker]]:
    """Workers that live through all examples of a property."""
    yield [Worker(hook, id=f"player {party}", wire=number == 1) for number, party in enumerate(PARTIES)]
    for party in PARTIES:
        hook.local_worker.remove_worker_from_registry(f"player {party}")


@settings(max_examples=60, deadline=None, derandomize=True)
@given(steps=STEPS, same=st.booleans())
def test_any_protocol_does_what_its_function_does(players: list[Worker], steps: Any, same: bool) -> None:
    run = story(steps)

    def tensors() -> dict[str, list[torch.Tensor]]:
        return {party: [torch.tensor([1.0 + n]), torch.tensor([0.5 * n])] for n, party in enumerate(PARTIES)}

    @func2protocol(
        roles=PARTIES,
        args_shape=dict.fromkeys(PARTIES, ((1,),)),
        states={party: (state,) for party, (_, state) in tensors().items()},
    )
    def protocol(a: Any, b: Any, c: Any) -> Any:
        return run([Party(role) for role in (a, b, c)])

    plain = tensors()

    def wanted() -> list[float]:
        for party, values in tensors().items():
            plain[party][0] = values[0]  # new arguments, the state of the run before
        return sorted(tensor.item() for tensor in run([Plain(plain[party]) for party in PARTIES]))

    def arguments() -> dict[str, Any]:
        return {party: values[0] for party, values in tensors().items()}

    def values(results: Results, get: bool) -> list[float]:
        return sorted((t.get() if get else t).item() for part in results.values() for t in part)

    assert values(protocol(**arguments()), get=False) == wanted()
    protocol.assign_roles({party: players[0 if same else n] for n, party in enumerate(PARTIES)})
    for _ in range(2):
        assert values(protocol(**arguments()), get=True) == wanted()
    protocol.get()
    assert [protocol.roles[party].state.read()[0].item() for party in PARTIES] == [plain[p][1].item() for p in PARTIES]
    assert not any(player._objects for player in players)
