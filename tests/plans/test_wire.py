"""The wire form: what a stranger sends instead of a plan is refused, and the worker stays usable."""

from __future__ import annotations

import ast
import gc
import struct
import weakref
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import msgpack
import pytest
import torch
import torch.nn.functional as F
from torch import nn

import syft as sy
from syft import exceptions
from syft.core.messages import Call, Failure, Forget, Put, Ref
from syft.exceptions import SyftError
from syft.plans.dimensions import Arithmetic, Condition, Size
from syft.plans.recording import Expect, Input, Optimize, Parameter, Step
from syft.serde import decode, encode
from tests.plans import OfModule, plan_of, remote, same
from tests.security.stranger import Stranger, hide, refused
from tests.serde.craft import body_of, buffers_of, frame

Worker = sy.VirtualWorker
X = torch.tensor([[1.0, -2.0], [3.0, 4.0]])
STATE, INPUT, VIEW, SUM = 1, 2, 3, 4


def shift(x: torch.Tensor, state: sy.State) -> torch.Tensor:
    """Slot 1 is the state, 2 the input, 3 the view and 4 the sum."""
    return x.view(x.shape[0], 2) + state.read()[0]


@pytest.fixture
def good(hook: sy.TorchHook) -> sy.Plan:
    """A plan to be changed."""
    plan = plan_of(shift, X, state=(torch.tensor([10.0, 20.0]),))
    assert [type(i) for i in plan.recording.instructions] == [Expect, Step, Step] and plan.recording.slots == 5
    return plan


@pytest.fixture
def stranger(bob: Worker) -> Iterator[Stranger]:
    """Somebody who sends bob bytes; afterwards bob must still work."""
    yield Stranger(bob)
    assert torch.equal((X.send(bob) + 1).get(), X + 1)
    plan = plan_of(lambda x: x * 2, X)
    assert same(remote(plan.send(bob), bob, X), X * 2)


def forged(plan: sy.Plan, **changes: Any) -> sy.Plan:
    """The plan with changed fields, which nothing checks before it is on the way."""
    copy = plan.copy()
    copy._recording = replace(plan.recording, **changes)
    return copy


def one_step(plan: sy.Plan, op: str, *args: Any, result: Any = 5, **kwargs: Any) -> sy.Plan:
    """A plan of one op on the state (slot 1) and the input (slot 2)."""
    return forged(plan, instructions=(Step(op, args, kwargs, result),), output=Ref(5), slots=10)


def put(stranger: Stranger, plan: Any) -> Any:
    return stranger.ask(Put((("h", plan),)))


def run(stranger: Stranger, *args: Any) -> Any:
    return stranger.ask(Call(Ref("h"), args, {}, "r"))


def is_ours(failure: Any) -> bool:
    """Whether a failure is a `SyftError`."""
    kind = getattr(exceptions, failure.kind, None) if isinstance(failure, Failure) else None
    return isinstance(kind, type) and issubclass(kind, SyftError)


def fields_of(plan: sy.Plan) -> tuple[Any, list[Any], bytes]:
    """A message that stores a plan, as msgpack sees it; the plan's fields in it; and the whole frame."""
    data = encode(Put((("h", plan),)))
    message = msgpack.unpackb(body_of(data), strict_map_key=False)
    fields: list[Any] = message[1][0][1][1]
    return message, fields, data


NAMES = "version id tags description name parameters names constants instructions output slots tensors moments".split()


def changed(plan: sy.Plan, change: Callable[[list[Any]], Any]) -> bytes:
    message, fields, data = fields_of(plan)
    change(fields)
    return frame(message, *buffers_of(data))


# --- the form itself --------------------------------------------------------------------------------


def test_a_plan_travels_with_everything(good: sy.Plan) -> None:
    good.tag("#a").describe("text")
    back = decode(encode(good), sy.local_worker)
    assert (back.id, back.name, back.tags, back.description) == (good.id, "plan", {"#a"}, "text")
    assert back.recording == good.recording and same(back(X), good(X))
    assert decode(encode(back), sy.local_worker).recording == good.recording


def test_the_fields_are_where_these_tests_think(good: sy.Plan, stranger: Stranger) -> None:
    _, fields, data = fields_of(good)
    assert len(fields) == len(NAMES) and fields[0] == 1 and fields[NAMES.index("slots")] == 5
    assert changed(good, lambda fields: None) == data
    assert stranger.send(data) is None


def setter(name: str, value: Any) -> Callable[[list[Any]], None]:
    def change(fields: list[Any]) -> None:
        fields[NAMES.index(name)] = value

    return change


WRONG_TYPES = (None, -1, 2**70, 1.5, "text", b"bytes", True, [], [None], [[1]], {}, {1: 2}, {"a": []})
RIGHT = {  # what of these is no plan at all stays refused; what is a sensible value may be taken
    "id": (-1, "text"), "tags": (None,), "description": (None, "text"), "name": ("text",), "constants": ({}, []), "moments": ({}, []),
    "version": (True,), "output": WRONG_TYPES,
}  # fmt: skip


@pytest.mark.parametrize("name", NAMES)
def test_fields_of_wrong_types_are_refused(good: sy.Plan, stranger: Stranger, name: str) -> None:
    for value in WRONG_TYPES:
        try:
            data = changed(good, setter(name, value))
        except OverflowError:
            continue
        reply = stranger.send(data)
        if any(type(value) is type(right) and value == right for right in RIGHT.get(name, ())):
            assert reply is None or is_ours(reply)
            stranger.forget("h", 0)
        else:
            assert refused(reply, "DecodeError"), (name, value, reply)
            assert "h" not in stranger.worker._objects


@pytest.mark.parametrize("version", [0, 2, 3, "1", None, 1.5])
def test_other_versions_are_refused_by_name(good: sy.Plan, stranger: Stranger, version: Any) -> None:
    reply = stranger.send(changed(good, setter("version", version)))
    assert refused(reply, "DecodeError") and "version" in reply.message


def test_fields_that_are_missing_or_too_many_are_refused(good: sy.Plan, stranger: Stranger) -> None:
    for change in (lambda f: f.clear(), lambda f: f.pop(), lambda f: f.append(1), lambda f: f.reverse()):
        assert refused(stranger.send(changed(good, change)), "DecodeError")


def test_any_part_replaced_by_anything_never_breaks_the_worker(good: sy.Plan, stranger: Stranger) -> None:
    """Every leaf of the wire form, replaced: an answer, or a refusal of ours, and never another exception at decode."""
    message, _, data = fields_of(good)

    def places(node: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
        if isinstance(node, list) or isinstance(node, dict):
            for key in range(len(node)) if isinstance(node, list) else list(node):
                yield (*path, key)
                yield from places(node[key], (*path, key))

    start = (1, 0, 1)  # the plan
    for path in [p for p in places(message) if p[:3] == start]:
        for value in (None, -1, 0, 99, "text", [], [0], {"a": 1}, True, msgpack.ExtType(1, b"ref")):
            fresh = msgpack.unpackb(body_of(data), strict_map_key=False)
            node = fresh
            for key in path[:-1]:
                node = node[key]
            node[path[-1]] = value
            reply = stranger.send(frame(fresh, *buffers_of(data)))
            assert reply is None or is_ours(reply), (path, value, reply)
            if reply is None and "h" in stranger.worker._objects:
                reply = run(stranger, X)
                assert not isinstance(reply, Failure) or reply.kind not in (
                    "AssertionError",
                    "RecursionError",
                    "SystemError",
                )
                stranger.worker._objects.clear()


# --- ops --------------------------------------------------------------------------------------------

NEVER = (
    "lambda *a: 1", "os.getcwd", "os.system", "__import__", "eval", "builtins.eval", "self.abs", "x.abs", "", "torch", "Tensor",
    "Tensor.item", "Tensor.tolist", "Tensor.numpy", "Tensor.apply_", "Tensor.map_", "Tensor.storage", "Tensor.untyped_storage",
    "Tensor.data_ptr", "Tensor.as_strided", "Tensor.resize_", "Tensor.register_hook", "Tensor.__reduce_ex__", "Tensor.share_memory_",
    "torch.save", "torch.load", "torch.hub.load", "torch.from_file", "torch.ops.aten.add", "torch.compile", "torch.manual_seed",
    "torch.as_strided", "Tensor.__class__", "Tensor.__dict__", "Tensor.grad_fn.__get__", "Tensor._base.__get__", "torch._C._nn",
)  # fmt: skip


@pytest.mark.parametrize("op", NEVER)
def test_remote_code_execution_through_op_names_is_impossible(good: sy.Plan, stranger: Stranger, op: str) -> None:
    reply = put(stranger, one_step(good, op, Ref(INPUT)))
    assert refused(reply, "UnsupportedOp", "DecodeError") and "h" not in stranger.worker._objects
    with pytest.raises(SyftError):
        decode(encode(one_step(good, op, Ref(INPUT))), sy.local_worker)


def test_an_op_that_is_no_text_is_refused(good: sy.Plan, stranger: Stranger) -> None:
    for op in (3, None, ["Tensor.add"], b"Tensor.add"):
        assert refused(put(stranger, one_step(good, op, Ref(INPUT))), "DecodeError")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("op", "args", "kwargs"),
    [
        ("Tensor.set_", (Ref(INPUT), Ref(STATE), 1000, (4,), (1,)), {}),
        ("Tensor.set_", (Ref(INPUT), Ref(STATE)), {"storage_offset": 100}),
        ("Tensor.set_", (Ref(INPUT), None), {}),
        ("Tensor.set_", (Ref(INPUT),), {}),
        ("Tensor.data.__set__", (Ref(INPUT), "text"), {}),
        ("Tensor.data.__set__", (Ref(INPUT), None), {}),
        ("Tensor.data.__set__", (Ref(INPUT),), {}),
        ("Tensor.data.__set__", (), {}),
        ("Tensor.grad.__set__", (Ref(INPUT), 3), {}),
        ("Tensor.real.__set__", (Ref(INPUT), "text"), {}),
    ],
)
def test_guarded_ops_with_bad_operands_are_refused(
    good: sy.Plan, stranger: Stranger, op: str, args: Any, kwargs: Any
) -> None:
    reply = put(stranger, one_step(good, op, *args, **kwargs))
    assert isinstance(reply if reply is not None else run(stranger, X), Failure)


def test_guarded_ops_without_operands_fail_like_any_call(good: sy.Plan, stranger: Stranger) -> None:
    assert put(stranger, one_step(good, "Tensor.data.__set__")) is None
    reply = run(stranger, X)
    assert isinstance(reply, Failure)


PRIVATE_OPS: dict[str, tuple[str, tuple[Any, ...], dict[str, Any]]] = {
    "data.__set__": ("Tensor.data.__set__", (Ref(STATE), Ref(INPUT)), {}),
    "grad.__set__": ("Tensor.grad.__set__", (Ref(STATE), Ref(INPUT)), {}),
    "set_": ("Tensor.set_", (Ref(STATE), Ref(INPUT)), {}),
    "copy_": ("Tensor.copy_", (Ref(STATE), Ref(INPUT)), {}),
    "out": ("torch.add", (Ref(INPUT), Ref(INPUT)), {"out": Ref(STATE)}),
    "__setitem__": ("Tensor.__setitem__", (Ref(STATE), 0, Ref(INPUT)), {}),
    "__setitem__ by it": ("Tensor.__setitem__", (Ref(STATE), Ref(INPUT), 1.0), {}),
    "__float__": ("Tensor.__float__", (Ref(INPUT),), {}),
    "__bool__": ("Tensor.__bool__", (Ref(INPUT),), {}),
    "is_nonzero": ("Tensor.is_nonzero", (Ref(INPUT),), {}),
    "equal": ("torch.equal", (Ref(INPUT), Ref(INPUT)), {}),
    "path": ("Tensor.add", (Ref(INPUT, ("data",)), 1), {}),
    "path child": ("Tensor.add", (Ref(INPUT, ("child",)), 1), {}),
    "path child child": ("Tensor.add", (Ref(INPUT, ("child", "child")), 1), {}),
    "as a size": ("torch.zeros", (Ref(INPUT),), {}),
    "as a fill": ("torch.full", ((2,), Ref(INPUT)), {}),
    "as an alpha": ("torch.add", (Ref(STATE), Ref(STATE)), {"alpha": Ref(INPUT)}),
    "as an index": ("Tensor.__getitem__", (Ref(STATE), Ref(INPUT)), {}),
    "itself": ("Tensor.add", (Ref(INPUT), 0), {}),
}


@pytest.mark.parametrize("name", PRIVATE_OPS)
@pytest.mark.parametrize("value", [7654321.0, [7654321.0, 1.0]])
def test_private_values_do_not_get_out_of_hostile_plans(
    good: sy.Plan, stranger: Stranger, name: str, value: Any
) -> None:
    op, args, kwargs = PRIVATE_OPS[name]
    hide(stranger.worker, "secret", value)
    for output in (Ref(5), [Ref(5), Ref(STATE), Ref(INPUT)], Ref(STATE), Size(Ref(5), 0)):
        step = Step(op, args, kwargs, 5)
        plan = forged(good, parameters=(Parameter("x", Input(INPUT)),), instructions=(step,), output=output, slots=10)
        if put(stranger, plan) is None:
            reply = run(stranger, Ref("secret"))
            for id in [i for i in stranger.worker._objects if i != "secret"]:
                stranger.take(id)
            assert reply is not None
        stranger.forget("r", "h")
    assert not stranger.knows_the_secret()


# --- slots ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("slot", [0, -1, 5, 6, 99, 2**40, "x", "__class__"])
def test_slots_out_of_range_or_read_before_written_are_refused(good: sy.Plan, stranger: Stranger, slot: Any) -> None:
    ref, steps = Ref(slot), good.recording.instructions
    hostile = [
        one_step(good, "Tensor.add", ref, 1),
        one_step(good, "torch.cat", [Ref(INPUT), (ref,)]),
        one_step(good, "Tensor.__getitem__", Ref(INPUT), slice(None, ref)),
        one_step(good, "torch.add", Ref(INPUT), Ref(INPUT), out=ref),
        one_step(good, "torch.zeros", Size(ref, 0)),
        one_step(good, "torch.zeros", Arithmetic("+", 1, Size(ref, 0))),
        forged(good, instructions=(Condition("==", Size(ref, 0), 1, True), *steps)),
        forged(good, instructions=(Expect(slot, (), 2, None), *steps)),
        forged(good, instructions=(Optimize(0, "SGD", (((slot,), {}),)), *steps)),
        forged(good, output=ref),
        forged(good, output={"a": [ref]}),
        forged(good, output=Size(ref, 0)),
    ]
    for plan in hostile:
        assert refused(put(stranger, plan), "DecodeError"), plan.recording
    assert "h" not in stranger.worker._objects


@pytest.mark.parametrize("count", [0, 1, 3, 4, 2_000_000, 10**9, 2**62])
def test_slot_counts_that_do_not_fit_are_refused(good: sy.Plan, stranger: Stranger, count: int) -> None:
    assert refused(put(stranger, forged(good, slots=count)), "DecodeError")


def test_results_and_inputs_beyond_the_slots_are_refused(good: sy.Plan, stranger: Stranger) -> None:
    def written_to(result: Any) -> sy.Plan:
        return forged(good, instructions=(Step("Tensor.add", (Ref(INPUT), 1), {}, result),), output=Ref(INPUT))

    for result in (0, -1, 5, 10**5, 10**7, (VIEW, 99), ((99,),), "x", 1.5):
        assert refused(put(stranger, written_to(result)), "DecodeError"), result
    for slot in (0, -1, 5, 10**7, "x"):
        assert refused(put(stranger, forged(good, parameters=(Parameter("x", Input(slot)),))), "DecodeError")
    for slot in (0, -1, 5, "x"):
        assert refused(put(stranger, forged(good, constants={slot: torch.ones(1)})), "DecodeError")


def test_an_op_with_another_number_of_results_is_refused_when_it_runs(good: sy.Plan, stranger: Stranger) -> None:
    assert put(stranger, one_step(good, "Tensor.add", Ref(INPUT), 1, result=(5, (6,)))) is None
    assert refused(run(stranger, X), "PlanConditionError")


def test_an_optional_input_does_not_make_a_slot_that_nothing_is_in(good: sy.Plan, stranger: Stranger) -> None:
    reply = put(
        stranger, forged(good, parameters=(Parameter("x", Input(INPUT), True),), instructions=(), output=Ref(INPUT))
    )
    if reply is None:
        reply = run(stranger)
    assert is_ours(reply)


@pytest.mark.parametrize("extra", [(Input(INPUT),), (Ref(INPUT), Input(STATE))])
def test_inputs_are_no_operands(good: sy.Plan, stranger: Stranger, extra: Any) -> None:
    reply = put(stranger, one_step(good, "Tensor.add", *extra))
    assert refused(reply if reply is not None else run(stranger, X), "DecodeError", "TypeError")


@pytest.mark.parametrize("name", ["a b", "x=1); import os; (y", "1", "", "class", "x\n"])
def test_keywords_that_are_no_names_are_refused(good: sy.Plan, stranger: Stranger, name: str) -> None:
    """They would stand in ``plan.code``, which people run."""
    hostile = one_step(good, "Tensor.add", Ref(INPUT), 1, **{name: 1})
    reply = put(stranger, hostile)
    if reply is not None:
        assert refused(reply, "DecodeError")
        return
    fetched = stranger.take("h")
    tree = ast.parse(fetched.code)
    assert len(tree.body) == 1 and not any(isinstance(node, ast.Import) for node in ast.walk(tree))


# --- sizes ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("operation", ["**", "<<", "@", "and", "__class__", "", None, 3])
def test_arithmetic_that_is_none_is_refused(good: sy.Plan, stranger: Stranger, operation: Any) -> None:
    assert refused(put(stranger, one_step(good, "torch.zeros", Arithmetic(operation, 9, 9))), "DecodeError")


@pytest.mark.parametrize("comparison", ["is", "in", "__eq__", "", None, 3])
def test_comparisons_that_are_none_are_refused(good: sy.Plan, stranger: Stranger, comparison: Any) -> None:
    condition = Condition(comparison, Size(Ref(INPUT), 0), 1, True)
    assert refused(put(stranger, forged(good, instructions=(condition,), output=Ref(INPUT))), "DecodeError")


@pytest.mark.parametrize("part", ["text", None, torch.ones(1), [1], Ref(INPUT), 1j])
def test_expressions_of_anything_but_sizes_are_refused(good: sy.Plan, stranger: Stranger, part: Any) -> None:
    sizes = [] if type(part) is Ref else [Size(part, 0)]
    for value in (Arithmetic("+", part, 1), Arithmetic("+", 1, part), *sizes):
        assert refused(put(stranger, one_step(good, "torch.zeros", value)), "DecodeError")
    for condition in (Condition("==", part, 1, True), Condition("==", 1, part, True)):
        assert refused(put(stranger, forged(good, instructions=(condition,), output=Ref(INPUT))), "DecodeError")


@pytest.mark.parametrize(
    "value", [Arithmetic("//", 1, 0), Arithmetic("%", 1, 0), Size(Ref(INPUT), 99), Size(Ref(INPUT, ("grad",)), 0), -1]
)
def test_sizes_that_cannot_be_computed_are_an_answer_not_a_crash(good: sy.Plan, stranger: Stranger, value: Any) -> None:
    reply = put(stranger, one_step(good, "torch.zeros", value))
    assert isinstance(reply if reply is not None else run(stranger, X), Failure)


def test_too_many_instructions_are_refused(good: sy.Plan, stranger: Stranger) -> None:
    steps = (Step("Tensor.add", (), {}, None),) * 100_001
    assert refused(put(stranger, forged(good, instructions=steps)), "DecodeError")


def test_deeply_nested_operands_are_refused(good: sy.Plan, stranger: Stranger) -> None:
    deep: Any = 1
    for _ in range(5000):
        deep = Arithmetic("+", deep, 1)
    try:
        reply = put(stranger, one_step(good, "torch.zeros", deep))
    except SyftError:  # already on the way out
        reply = None
    assert reply is None or is_ours(reply)
    run(stranger, X)
    nested: Any = [msgpack.ExtType(1, b"ref"), INPUT, []]
    for _ in range(5000):
        nested = [nested]
    try:
        data = changed(good, setter("output", nested))
    except (ValueError, RecursionError, SyftError):
        return
    assert refused(stranger.send(data), "DecodeError")


# --- optimizers -------------------------------------------------------------------------------------


class Trains(sy.Plan):
    """A step of Adam; slots 1 and 2 are weight and bias, 3 and 4 the inputs."""

    def __init__(self, **options: Any) -> None:
        super().__init__()
        self.fc = nn.Linear(3, 1)
        self.opt = torch.optim.Adam(self.fc.parameters(), **options)

    def forward(self, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        self.opt.zero_grad()
        loss = F.mse_loss(self.fc(x), y)
        loss.backward()
        self.opt.step()
        return loss.detach()


DATA = torch.ones(4, 3), torch.ones(4, 1)


@pytest.fixture
def trains(hook: sy.TorchHook) -> sy.Plan:
    plan = Trains()
    plan.build(*DATA)
    return plan


def optimizing(plan: sy.Plan, *steps: Optimize) -> sy.Plan:
    return forged(plan, instructions=steps, output=Ref(3))


@pytest.mark.parametrize(
    "kind", ["LBFGS", "Optimizer", "lr_scheduler", "__class__", "os.system", "swa_utils", "", None, 3]
)
def test_optimizers_that_are_not_in_torch_optim_are_refused(trains: sy.Plan, stranger: Stranger, kind: Any) -> None:
    assert refused(put(stranger, optimizing(trains, Optimize(0, kind, (((1,), {}),)))), "DecodeError")


@pytest.mark.parametrize(
    ("kind", "options"),
    [("SGD", {"zz": 1}), ("SGD", {"lr": "text"}), ("SGD", {"lr": torch.ones(1)}), ("SGD", {"params": (1,)}), ("Adam", {"lr": -1}),
     ("Adam", {"betas": (1,)}), ("Adam", {"betas": 3}), ("SGD", {"lr": {"a": 1}}), ("Adam", {"fused": "text"})],
)  # fmt: skip
def test_options_that_make_no_optimizer_are_refused(
    trains: sy.Plan, stranger: Stranger, kind: str, options: Any
) -> None:
    changed_steps = tuple(
        Optimize(0, kind, (((1, 2), options),)) if type(i) is Optimize else i for i in trains.recording.instructions
    )
    reply = put(stranger, forged(trains, instructions=changed_steps))
    if reply is None:
        reply = run(stranger, *DATA)
    assert isinstance(reply, Failure), reply


def test_no_optimizer_keeps_an_input(trains: sy.Plan, stranger: Stranger) -> None:
    put(stranger, optimizing(trains, Optimize(0, "SGD", (((3,), {"lr": 0.1}),))))
    given = torch.ones(4, 3)
    alive = weakref.ref(given)
    stranger.worker._objects["in"] = given
    stranger.ask(Call(Ref("h"), (Ref("in"), DATA[1]), {}, "r"))
    del given
    stranger.ask(Forget(("in", "r")))
    gc.collect()
    assert alive() is None


@pytest.mark.parametrize(
    "steps",
    [
        (Optimize(0, "SGD", ()),),
        (Optimize(0, "SGD", (((1, 1), {}),)),),
        (Optimize(0, "SGD", (((1,), {}),)), Optimize(0, "Adam", (((2,), {}),))),
        (Optimize(-1, "SGD", (((1,), {}),)),),
        (Optimize("x", "SGD", (((1,), {}),)),),  # type: ignore[arg-type]
    ],
    ids="nothing,one twice,two in one,negative,text".split(","),
)
def test_optimizers_that_contradict_themselves_are_refused(trains: sy.Plan, stranger: Stranger, steps: Any) -> None:
    reply = put(stranger, optimizing(trains, *steps))
    assert is_ours(reply if reply is not None else run(stranger, *DATA))


class Claimed:
    """The state of an optimizer, claimed."""

    def __init__(self, state: Any) -> None:
        self.state = state

    def state_dict(self) -> dict[str, Any]:
        return {"state": self.state}


def with_moments(plan: sy.Plan, state: Any, number: Any = 0) -> sy.Plan:
    copy = plan.copy()
    copy._optimizers = {number: Claimed(state)}  # type: ignore[dict-item]
    return copy


def moments(shape: Any = (1, 3), **more: Any) -> dict[str, Any]:
    return {"step": torch.tensor(1.0), "exp_avg": torch.zeros(shape), "exp_avg_sq": torch.zeros(shape), **more}


BAD_MOMENTS: dict[str, Any] = {
    "too small": {0: moments((1,)), 1: moments((1,))},
    "empty": {0: moments((0,)), 1: moments((1,))},
    "too large": {0: moments((100, 3)), 1: moments((1,))},
    "turned": {0: moments((3, 1)), 1: moments((1,))},
    "one is missing": {0: {"step": torch.tensor(1.0), "exp_avg": torch.zeros(1, 3)}, 1: moments((1,))},
    "text": {0: moments((1, 3), exp_avg="text")},
    "a number": {0: moments((1, 3), exp_avg=3)},
    "nothing": {0: moments((1, 3), exp_avg=None)},
    "a step that is a word": {0: moments((1, 3), step="a")},
    "steps": {0: moments((1, 3), step=torch.ones(5))},
    "no dict": {0: 7},
    "a list": [1],
    "none": None,
}


@pytest.mark.parametrize("fused", [False, True])
@pytest.mark.parametrize("name", BAD_MOMENTS)
def test_states_of_optimizers_that_do_not_fit_are_refused(
    hook: sy.TorchHook, stranger: Stranger, name: str, fused: bool
) -> None:
    """torch's fused kernels trust the shapes: a small moment is read and written beyond its end."""
    plan = Trains(fused=fused)
    plan.build(*DATA)
    assert refused(put(stranger, with_moments(plan, BAD_MOMENTS[name])), "DecodeError")
    assert "h" not in stranger.worker._objects  # so it is never run


def test_states_of_optimizers_that_are_not_there_are_refused(trains: sy.Plan, stranger: Stranger) -> None:
    for number in (1, -1, "1", 2**62):
        assert refused(put(stranger, with_moments(trains, {}, number)), "DecodeError")


@pytest.mark.parametrize("kind", ["SGD", "Adam", "AdamW", "Adagrad"])
def test_fused_optimizers_do_not_read_beyond_gradients(bob: Worker, kind: str) -> None:
    """A gradient that was expanded has one number in memory and many in its shape."""

    class Expands(sy.Plan):
        def __init__(self) -> None:
            super().__init__()
            self.w = nn.Parameter(torch.zeros(8))
            self.opt = getattr(torch.optim, kind)([self.w], lr=1.0, fused=True)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            self.w.grad = x.expand(8)
            self.opt.step()
            return self.w.detach() * 1

    plan = Expands()
    try:
        plan.build(torch.ones(1))
        result = remote(plan.send(bob), bob, torch.ones(1))
    except (SyftError, RuntimeError):
        return
    assert torch.equal(result, result[:1].expand(8)) and -1.01 < result[0] < -0.99


@pytest.mark.parametrize("kind", ["Adam", "AdamW", "Adagrad", "SGD"])
def test_fused_optimizers_do_not_read_beyond_states_of_smaller_parameters(bob: Worker, kind: str) -> None:
    """The first run makes state for one number; the second has six. (Six still fit where one was allocated.)"""
    more = {"momentum": 0.9} if kind == "SGD" else {}

    class Grows(sy.Plan):
        def __init__(self) -> None:
            super().__init__()
            self.w = nn.Parameter(torch.zeros(1))
            self.opt = getattr(torch.optim, kind)([self.w], lr=1.0, fused=True, **more)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            self.w.grad = None
            self.w.data = x * 0
            self.w.grad = x * 1
            self.opt.step()
            return self.w.detach() * 1

    plan = Grows()
    try:
        plan.build(torch.ones(1))
    except SyftError:
        return
    pointer = plan.send(bob)
    pointer(torch.ones(1))
    with pytest.raises((SyftError, RuntimeError)):
        pointer(torch.ones(6))


@pytest.mark.parametrize("swapped", [False, True])
def test_fused_commands_do_not_read_beyond_expanded_tensors(bob: Worker, swapped: bool) -> None:
    """The same hole, reached without a plan."""
    weight, gradient = torch.zeros(8).send(bob), torch.ones(1).send(bob).expand(8)
    options = {"weight_decay": 0.0, "momentum": 0.0, "lr": 1.0, "dampening": 0.0, "nesterov": False, "maximize": False}
    lists = ([gradient], [weight]) if swapped else ([weight], [gradient])
    try:
        torch._fused_sgd_(*lists, [], is_first_step=True, **options)
    except (SyftError, RuntimeError):
        return
    assert not swapped and torch.equal(weight.get(), torch.full((8,), -1.0))


# --- calls ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "method",
    ["build", "send", "copy", "owned", "forward", "restored", "__init__", "__reduce__", "_passed_state", "get", "x"],
)
def test_only_what_a_plan_offers_can_be_called(good: sy.Plan, stranger: Stranger, method: str) -> None:
    put(stranger, good)
    assert refused(stranger.ask(Call(Ref("h"), (), {}, "r", method)), "CommandNotPermittedError")


@pytest.mark.parametrize(
    "options",
    [{"batch_size": 0}, {"batch_size": "a"}, {"batch_size": None}, {"epochs": 0}, {"epochs": 1.5}, {"max_batches": -1}, {"zz": 1},
     {"batch_size": 100, "drop_last": True}],
)  # fmt: skip
def test_bad_numbers_of_epochs_are_an_answer(good: sy.Plan, stranger: Stranger, options: Any) -> None:
    put(stranger, good)
    assert isinstance(stranger.ask(Call(Ref("h"), (X,), options, "r", "run_epochs")), Failure)


def test_arguments_of_any_kind_are_an_answer(good: sy.Plan, stranger: Stranger) -> None:
    put(stranger, good)
    for args in (
        (),
        (1, 2),
        ("x",),
        (None,),
        ([X],),
        (Ref("none"),),
        (Ref("h"),),
        (torch.ones(3, 5),),
        (X.to_sparse(),),
    ):
        assert isinstance(stranger.ask(Call(Ref("h"), args, {}, "r")), Failure), args
    assert not isinstance(run(stranger, X), Failure)


def test_cut_and_flipped_bytes_are_refused_or_harmless(trains: sy.Plan, stranger: Stranger) -> None:
    data = encode(Put((("h", trains),)))
    (size,) = struct.unpack_from("<Q", data, 8)
    start = len(data) - len(body_of(data)) if size > len(data) else 24
    for at in range(start, min(start + size, len(data)), 7):
        flipped = bytearray(data)
        flipped[at] ^= 0x15
        for binary in (bytes(flipped), data[:at]):
            reply = stranger.send(binary)
            assert reply is None or is_ours(reply), (at, reply)
            stranger.worker._objects.clear()


def test_batch_norm_and_embedding_of_hostile_sizes(stranger: Stranger) -> None:
    """What commands check, plans check."""
    plan = OfModule(nn.BatchNorm1d(3))
    plan.build(torch.ones(4, 3))
    assert put(stranger, plan) is None
    assert isinstance(run(stranger, torch.ones(4, 5)), Failure)
    embedding = OfModule(nn.EmbeddingBag(4, 2))
    embedding.build(torch.tensor([[1, 2]]))
    assert put(stranger, embedding) is None
    assert isinstance(run(stranger, torch.tensor([[1, 99]])), Failure)
