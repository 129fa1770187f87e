"""Arguments and results: nothing of an earlier call is ever in a later one."""

from __future__ import annotations

import gc
import struct
from typing import Any

import pytest
import torch

import syft as sy
from syft.exceptions import PlanArgumentError, SendNotPermittedError, SyftError, TensorsNotCollocatedException
from tests.plans import plan_of, remote, same, there

Worker = sy.VirtualWorker


@pytest.fixture
def add(bob: Worker) -> Any:
    """A plan that adds two arguments, on bob, which was run before with 5 and 3."""
    plan = sy.func2plan(args_shape=[(1,), (1,)])(lambda a, b: a + b)
    pointer = plan.send(bob)
    assert remote(pointer, bob, torch.tensor([5.0]), torch.tensor([3.0])) == 8
    return pointer


ONE = torch.ones(1)


@pytest.mark.parametrize("count", [0, 1, 3, 4])
def test_stale_argument_leak_with_too_few_or_too_many_arguments(add: Any, bob: Worker, count: int) -> None:
    for place in (lambda t: t, lambda t: there(t, bob)):
        with pytest.raises(PlanArgumentError, match=f"requires 2 arguments, received {count}."):
            add(*[place(ONE) for _ in range(count)])


@pytest.mark.parametrize("names", ["x", "xy", "a", "b", "abc", "ac"])
def test_stale_argument_leak_with_keyword_arguments(add: Any, bob: Worker, names: str) -> None:
    with pytest.raises(PlanArgumentError):
        add(**{name: there(ONE, bob) for name in names})


def test_a_positional_argument_cannot_be_given_again_by_name(add: Any) -> None:
    with pytest.raises(PlanArgumentError, match="two values"):
        add(ONE, a=ONE)


def test_argument_errors_are_type_errors_as_in_python(add: Any) -> None:
    with pytest.raises(TypeError):
        add()


def test_keywords_are_bound_by_name(add: Any, bob: Worker) -> None:
    plan = plan_of(lambda a, b: a - b, ONE, ONE)
    pointer = plan.send(bob)
    assert remote(pointer, bob, b=torch.tensor([2.0]), a=torch.tensor([7.0])) == 5
    assert remote(pointer, bob, torch.tensor([7.0]), b=torch.tensor([1.0])) == 6
    assert add(7, 8).get() == 15


@pytest.mark.parametrize("wrong", [None, "text", [ONE], (ONE,), {"a": ONE}, torch.float32])
def test_what_was_a_tensor_must_be_a_tensor(add: Any, wrong: Any) -> None:
    with pytest.raises(PlanArgumentError, match="argument 'b' of plan"):
        add(ONE, wrong)


def test_the_worker_keeps_neither_inputs_nor_outputs(add: Any, bob: Worker) -> None:
    def tensors() -> int:
        gc.collect()
        return sum(isinstance(obj, torch.Tensor) for obj in bob._objects.values())

    assert tensors() == 0
    x = there(torch.full((1,), 8191.25), bob)
    result = add(x, ONE)
    assert tensors() == 2
    del x, result
    assert tensors() == 0
    plan = bob._objects[add.id_at_location]
    assert all(slot is None for slot in plan._program._template if isinstance(slot, torch.Tensor))
    assert not [t for t in gc.get_objects() if type(t) is torch.Tensor and t.shape == (1,) and t == 8191.25]


def test_constants_do_not_carry_one_caller_to_the_next(bob: Worker) -> None:
    def total(x: torch.Tensor) -> torch.Tensor:
        t = torch.tensor([0.0])
        t += x
        return t

    plan = plan_of(total, ONE)
    pointer = plan.send(bob)
    fetched = pointer.get()
    for value in (100.0, 1.0, 2.0):
        assert remote(pointer, bob, torch.tensor([value])) == value
        assert fetched(torch.tensor([value])) == value


def test_a_result_that_is_a_constant_is_the_callers_own(bob: Worker) -> None:
    pointer = plan_of(lambda x: (torch.tensor([1.0]), x), ONE).send(bob)
    pointer(ONE)[0].add_(5)
    assert pointer(ONE)[0].get() == 1


def test_a_local_tensor_travels_with_the_call(add: Any, bob: Worker) -> None:
    assert add(torch.tensor([4.0]), there(ONE, bob)).get() == 5


@pytest.mark.parametrize("wrap", [lambda t: t, lambda t: [t], lambda t: {"k": (t,)}])
def test_data_on_another_worker_is_a_clear_error(bob: Worker, alice: Worker, wrap: Any) -> None:
    def first(v: Any) -> torch.Tensor:
        while not isinstance(v, torch.Tensor):
            v = v["k"] if isinstance(v, dict) else v[0]
        return v * 2

    pointer = plan_of(first, wrap(ONE)).send(bob)
    with pytest.raises(TensorsNotCollocatedException, match="'alice'") as caught:
        pointer(wrap(there(ONE, alice)))
    assert "'bob'" in str(caught.value)
    assert same(remote(pointer, bob, wrap(ONE)), ONE * 2)


def test_arguments_on_two_workers_are_a_clear_error(add: Any, bob: Worker, alice: Worker) -> None:
    with pytest.raises(TensorsNotCollocatedException):
        add(there(ONE, bob), there(ONE, alice))


# --- containers, defaults, plain values -------------------------------------------------------------


def mixed(b: dict[str, Any], *rest: Any, scale: Any, **more: Any) -> Any:
    """Takes tensors in every way that Python has."""
    return {"sum": b["x"] * scale + b["l"][0] + sum(rest), "z": [more["z"], (b["x"], 3, None, "t", 2.5, True)]}


def mixed_arguments(size: int) -> tuple[tuple[Any, ...], dict[str, Any]]:
    x = torch.randn(6, size)
    return ({"x": x[0], "l": [x[1]]}, x[2], x[3]), {"scale": x[4], "z": x[5]}


def test_nested_arguments_and_results(bob: Worker) -> None:
    args, kwargs = mixed_arguments(2)
    plan = plan_of(mixed, *args, **kwargs)
    pointer = plan.send(bob)
    args, kwargs = mixed_arguments(5)
    assert same(remote(pointer, bob, *args, **kwargs), mixed(*args, **kwargs))
    back = pointer.get()
    result = back(*args, **kwargs)
    assert same(result, mixed(*args, **kwargs)) and type(result["z"][1]) is tuple
    assert back.forward is None


@pytest.mark.parametrize("bad", [{}, {"x": ONE}, {"x": ONE, "l": []}, {"x": ONE, "l": [ONE, ONE]}, {"x": ONE, "l": ONE},
                                 {"x": ONE, "l": [ONE], "m": ONE}, [ONE, ONE], ONE, None])  # fmt: skip
def test_containers_must_be_like_those_of_the_example(bob: Worker, bad: Any) -> None:
    args, kwargs = mixed_arguments(2)
    pointer = plan_of(mixed, *args, **kwargs).send(bob)
    with pytest.raises(PlanArgumentError):
        pointer(bad, *args[1:], **kwargs)


def test_defaults_are_part_of_the_recording(bob: Worker) -> None:
    def f(x: torch.Tensor, y: Any = None, k: float = 2.0) -> torch.Tensor:
        return x * k if y is None else y

    pointer = plan_of(f, ONE).send(bob)
    assert remote(pointer, bob, ONE) == 2
    assert remote(pointer, bob, ONE, None, 2.0) == 2
    assert remote(pointer, bob, ONE, k=2.0) == 2
    for args, kwargs in (((None, 3.0), {}), ((ONE,), {}), ((), {"k": 3.0}), ((), {"y": ONE})):
        with pytest.raises(PlanArgumentError, match="part of the recording"):
            pointer(ONE, *args, **kwargs)


def test_plain_arguments_without_default_must_be_repeated(bob: Worker) -> None:
    pointer = plan_of(lambda x, n: x * n, ONE, 3).send(bob)
    assert remote(pointer, bob, ONE, 3) == 3
    with pytest.raises(PlanArgumentError):
        pointer(ONE, 4)
    with pytest.raises(PlanArgumentError):
        pointer(ONE)


@pytest.mark.parametrize(
    ("function", "kinds"),
    [
        (lambda x: (x + 1, x * 2), [torch.Tensor] * 2),
        (lambda x: [x + 1, x * 2, x], [torch.Tensor] * 3),
        (lambda x: (x, x), [torch.Tensor] * 2),
        (lambda x: x.max(0), [torch.Tensor] * 2),
        (lambda x: x.split(1), [torch.Tensor] * 3),
        (lambda x: (x, 3, None, "text"), [torch.Tensor, int, type(None), str]),
    ],
)
def test_several_outputs_are_a_list_of_pointers(bob: Worker, function: Any, kinds: list[type]) -> None:
    x = torch.randn(3)
    results = plan_of(function, x).send(bob)(there(x, bob))
    assert type(results) is list and len(results) == len(kinds)
    assert all(isinstance(r, kind) for r, kind in zip(results, kinds, strict=True))
    results = [r.get() if isinstance(r, torch.Tensor) else r for r in results]
    assert same(results, list(function(x)))


@pytest.mark.parametrize("value", [3, None, "text", 2.5, True, (1, 2), [], {"a": 1}])
def test_outputs_that_are_no_tensors(bob: Worker, value: Any) -> None:
    result = plan_of(lambda x: value, ONE).send(bob)(ONE)
    assert result == (list(value) if type(value) is tuple else value)


def test_an_output_can_be_the_input_or_the_state(bob: Worker) -> None:
    plan = plan_of(lambda x, state: (x, state.read()[0]), ONE, state=(torch.tensor([9.0]),))
    x = there(torch.tensor([5.0]), bob)
    pointer = plan.send(bob)
    a, b = pointer(x)
    assert (a.get(), b.get(), x.get()) == (5, 9, 5)
    assert remote(pointer, bob, ONE)[1] == 9


def test_a_plan_without_arguments(bob: Worker) -> None:
    pointer = plan_of(lambda: torch.ones(2) + 1).send(bob)
    assert torch.equal(pointer().get(), torch.full((2,), 2.0))
    with pytest.raises(PlanArgumentError):
        pointer(ONE)


def test_in_place_ops_change_the_input_where_it_is(bob: Worker) -> None:
    pointer = plan_of(lambda x: x.add_(1), ONE).send(bob)
    x = there(torch.zeros(3), bob)
    result = pointer(x)
    assert torch.equal(result.get(), torch.ones(3)) and torch.equal(x.get(), torch.ones(3))


def test_in_place_ops_without_a_result_still_change_the_input(bob: Worker) -> None:
    def f(x: torch.Tensor) -> None:
        x[0] = 7.0
        x[1:] *= 2

    pointer = plan_of(f, torch.zeros(3)).send(bob)
    x = there(torch.ones(3), bob)
    assert pointer(x) is None and torch.equal(x.get(), torch.tensor([7.0, 2.0, 2.0]))


def test_private_values_do_not_get_out_through_a_plan(bob: Worker) -> None:
    def f(x: torch.Tensor, state: sy.State) -> Any:
        return x, x * 2, {"sum": [x.sum()]}, x.shape[0]

    secret = torch.tensor([1234.5, 6.0]).private_tensor(allowed_users=("carol",)).send(bob, user="carol")
    pointer = plan_of(f, torch.zeros(2), state=(torch.zeros(2),)).send(bob)
    a, b, inner, rows = pointer(secret)
    assert rows == 2
    for result in (a, b, inner["sum"][0]):
        with pytest.raises(SyftError) as caught:
            result.get()
        assert "1234" not in str(caught.value) and "2469" not in str(caught.value)
    assert torch.equal(b.get(user="carol").child.child, torch.tensor([2469.0, 12.0]))


@pytest.mark.parametrize(
    "function",
    [
        lambda x, state: state.read()[0].add_(x),
        lambda x, state: state.read()[0].copy_(x),
        lambda x, state: torch.zeros(2).add_(x),
        lambda x, state: torch.nonzero(x > 100).shape[0],
        lambda x, state: x[x > 100].shape,
        lambda x, state: torch.add(x, x, out=state.read()[0]),
    ],
)
def test_private_values_do_not_get_into_the_state_or_shapes(bob: Worker, function: Any) -> None:
    secret = torch.tensor([1234.5, 6.0]).private_tensor(allowed_users=("carol",)).send(bob, user="carol")
    pointer = plan_of(function, torch.ones(2) * 200, state=(torch.zeros(2),)).send(bob)
    with pytest.raises(SyftError) as caught:
        pointer(secret)
    assert "1234" not in str(caught.value) + "".join(getattr(caught.value, "__notes__", []))
    assert torch.equal(pointer.get().parameters()[0], torch.zeros(2))


def test_a_private_tensor_does_not_travel_with_a_call(make_worker: Any) -> None:
    carol = make_worker("carol", log_msgs=True)
    pointer = plan_of(lambda x: x + 1, ONE).send(carol)
    secret = torch.tensor([42.0]).private_tensor(allowed_users=("amy",))
    for call in (lambda: pointer(secret), lambda: pointer(x=secret), lambda: pointer.run_epochs(secret)):
        with pytest.raises(SendNotPermittedError, match="private"):
            call()
    carol.serve_model(plan_of(lambda x: x + 1, ONE), "m", allow_remote_inference=True)
    with pytest.raises(SendNotPermittedError, match="private"):
        carol.run_remote_inference("m", secret)
    assert not any(struct.pack("<f", 42.0) in message for message in carol.msg_history)
    assert pointer(torch.tensor([42.0])).get() == 43
    assert any(struct.pack("<f", 42.0) in message for message in carol.msg_history)  # a control
