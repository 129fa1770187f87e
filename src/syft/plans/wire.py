"""The wire form of plans: a version, then plain fields. What arrives is checked before it is ever run."""

from __future__ import annotations

import keyword
from collections.abc import Callable
from typing import Any

import torch

from syft.core.messages import Found, Ref
from syft.encoded.tensor import EncodedTensor
from syft.plans.dimensions import ARITHMETIC, COMPARISONS, Arithmetic, Condition, Size, refs_of
from syft.plans.optimizers import OPTIMIZERS, check_state, stock_optimizer
from syft.plans.plan import Plan
from syft.plans.pointer import PointerPlan
from syft.plans.program import EXPECTED
from syft.plans.recording import PLAIN, Expect, Input, Optimize, Parameter, Recording, Step, made_by, refs_in
from syft.serde.checks import dimension, each, flag, items, keywords, object_id, one_of, optional, text
from syft.serde.registry import register
from syft.workers.base import POINTERS

VERSION = 1
MAX_INSTRUCTIONS = 100_000
MAX_SLOTS = 1_000_000


def _sequence(value: Any) -> tuple[Any, ...]:
    if type(value) in (list, tuple):
        return tuple(value)
    raise ValueError(f"a list or tuple was expected, not {type(value).__name__}")


def _choice(known: Any) -> Callable[[Any], str]:
    def check(value: Any) -> str:
        if type(value) is str and value in known:
            return value
        raise ValueError(f"one of {', '.join(sorted(known))} was expected, not {str(value)[:40]!r}")

    return check


def _identifier(value: Any) -> str:
    name = text(value)
    if not name.isidentifier() or keyword.iskeyword(name):
        raise ValueError(f"{name[:40]!r} is no name of an argument")
    return name


def _slot(value: Any) -> int:
    number = dimension(value)
    if not 1 <= number < MAX_SLOTS:
        raise ValueError(f"a slot is a number from 1 to {MAX_SLOTS - 1}, not {number}")
    return number


def _pattern(value: Any) -> Any:
    if type(value) in (list, tuple):
        return tuple(_pattern(part) for part in value)
    return None if value is None else _slot(value)


def _operand(value: Any) -> Any:
    kind = type(value)
    if kind is Ref:
        _slot(value.id)
    elif kind in (list, tuple):
        return kind([_operand(part) for part in value])
    elif kind is dict:
        return {text(k): _operand(v) for k, v in value.items()}
    elif kind is slice:
        return slice(_operand(value.start), _operand(value.stop), _operand(value.step))
    elif kind not in (Size, Arithmetic, Input, torch.Size) and not isinstance(value, PLAIN):
        raise ValueError(f"a {kind.__name__} is no operand of a plan")
    return value


def _expression(value: Any) -> Any:
    if type(value) in (Size, Arithmetic, int, float):
        return value
    raise ValueError(f"a {type(value).__name__} is no size")


def _fields(cls: type, tag: str, send: Callable[[Any], Any], *checks: Callable[[Any], Any]) -> None:
    def build(data: Any, context: Any) -> Any:
        received = items(data)
        if len(received) != len(checks):
            raise ValueError(f"{len(checks)} fields were expected, not {len(received)}")
        return cls(*[check(value) for check, value in zip(checks, received, strict=True)])

    register(cls, tag, send, build)


_path = each(_choice(("grad", "data")))


def _ref(value: Any) -> Ref:
    ref: Ref = one_of(Ref)(value)
    _slot(ref.id)
    _path(list(ref.path))
    return ref


def _groups(value: Any) -> Any:
    groups = tuple(
        (tuple(_slot(slot) for slot in _sequence(slots)), {text(k): _option(v) for k, v in keywords(options).items()})
        for slots, options in _sequence(value)
    )
    every = [slot for slots, _ in groups for slot in slots]
    if not groups or not all(slots for slots, _ in groups) or len(set(every)) != len(every):
        raise ValueError("an optimizer has groups of parameters, and each parameter once")
    return groups


def _option(value: Any) -> Any:
    if type(value) in (list, tuple):
        return tuple(_option(part) for part in value)
    if value is None or type(value) in (bool, int, float):
        return value
    raise ValueError(f"an option of an optimizer is a number, not a {type(value).__name__}")


_fields(Size, "plan.size", lambda x: [x.ref, x.axis], _ref, dimension)
_fields(
    Arithmetic,
    "plan.arithmetic",
    lambda x: [x.operation, x.left, x.right],
    _choice(ARITHMETIC),
    _expression,
    _expression,
)
_fields(
    Condition,
    "plan.condition",
    lambda x: [x.comparison, x.left, x.right, x.outcome],
    _choice(COMPARISONS),
    _expression,
    _expression,
    flag,
)
_fields(Input, "plan.input", lambda x: [x.slot], _slot)
_fields(Parameter, "plan.parameter", lambda x: [x.name, x.value, x.optional, x.example], text, _operand, flag, text)
_fields(
    Step,
    "plan.step",
    lambda x: [x.op, x.args, x.kwargs, x.result, x.grad_enabled],
    text,
    lambda value: tuple(_operand(part) for part in _sequence(value)),
    lambda value: _operand({_identifier(name): operand for name, operand in keywords(value).items()}),
    _pattern,
    flag,
)
_fields(
    Expect,
    "plan.expect",
    lambda x: [x.slot, x.path, x.what, x.value],
    _slot,
    lambda value: tuple(_path(list(value))),
    _choice(EXPECTED),
    one_of(bool, int, torch.dtype, torch.layout),
)
_fields(Optimize, "plan.optimize", lambda x: [x.optimizer, x.kind, x.groups], dimension, _choice(OPTIMIZERS), _groups)


def _plan_to_wire(plan: Plan) -> Any:
    recording = plan.recording
    # What is remembered of tensors of callers is theirs, and does not travel.
    own = {number: held for number, held in plan._optimizers.items() if not isinstance(held, list)}
    moments = {number: optimizer.state_dict()["state"] for number, optimizer in own.items()}
    return [
        VERSION,
        plan.id,
        None if plan.tags is None else frozenset(plan.tags),
        plan.description,
        recording.name,
        list(recording.parameters),
        list(recording.state_names),
        dict(recording.constants),
        list(recording.instructions),
        recording.output,
        recording.slots,
        plan.state.tensors(),
        moments,
    ]


def _plan_from_wire(data: Any, context: Any) -> Plan:
    received = items(data)
    if not received or received[0] != VERSION:
        raise ValueError(
            f"this is version {VERSION} of plans; the plan that came is of version {str(received[:1])[:20]}"
        )
    if len(received) != 13:
        raise ValueError(f"a plan has 13 fields, not {len(received)}")
    id, tags, description, name, parameters, names, constants, instructions, output, slots, tensors, moments = received[
        1:
    ]
    if len(_sequence(instructions)) > MAX_INSTRUCTIONS:
        raise ValueError(f"a plan has at most {MAX_INSTRUCTIONS} instructions, not {len(instructions)}")
    tensors = [one_of(torch.Tensor, torch.nn.Parameter, EncodedTensor)(tensor) for tensor in _sequence(tensors)]
    recording = Recording(
        text(name),
        tuple(one_of(Parameter)(p) for p in _sequence(parameters)),
        len(tensors),
        tuple(each(text)(names)),
        {_slot(slot): one_of(torch.Tensor)(value) for slot, value in one_of(dict)(constants).items()},
        tuple(one_of(Step, Expect, Condition, Optimize)(i) for i in instructions),
        _operand(output),
        dimension(slots),
    )
    _check_slots(recording)
    about = {
        "id": object_id(id),
        "owner": context,
        "tags": optional(one_of(frozenset))(tags),
        "description": optional(text)(description),
    }
    plan = Plan.restored(recording, tensors, **about)
    _restore_optimizers(plan, keywords({str(k): v for k, v in one_of(dict)(moments).items()}))
    return plan


def _check_slots(recording: Recording) -> None:
    """Every slot is below the number of slots, and written before it is read."""
    if len(recording.state_names) != recording.state or not recording.state < recording.slots <= MAX_SLOTS:
        raise ValueError("the state of a plan does not fit its slots")
    known = set(range(1, recording.state + 1)) | set(recording.constants)
    for parameter in recording.parameters:
        inputs = _input_slots(parameter.value)
        if parameter.optional and inputs:
            raise ValueError(f"argument {parameter.name[:40]!r} of a plan has tensors and cannot be left out")
        known |= set(inputs)
    optimizers: dict[int, Optimize] = {}
    for instruction in recording.instructions:
        if type(instruction) is Optimize:
            if instruction != optimizers.setdefault(instruction.optimizer, instruction):
                raise ValueError(f"optimizer {instruction.optimizer} of a plan is two at once")
        _check_known([ref.id for ref in refs_in(instruction)], known)
        known |= set(made_by(instruction))
    _check_known([ref.id for ref in refs_of(recording.output)], known)
    if known and max(known) >= recording.slots:
        raise ValueError(f"a plan of {recording.slots} slots has no slot {max(known)}")


def _check_known(read: list[Any], known: set[int]) -> None:
    if missing := set(read) - known:
        raise ValueError(f"slot {min(missing)} of a plan is read before anything is in it")


def _input_slots(value: Any) -> list[int]:
    if type(value) is Input:
        return [value.slot]
    inner = value.values() if type(value) is dict else value if type(value) in (list, tuple) else ()
    return [slot for part in inner for slot in _input_slots(part)]


def _restore_optimizers(plan: Plan, moments: dict[str, Any]) -> None:
    steps = {str(i.optimizer): i for i in plan.recording.instructions if type(i) is Optimize}
    tensors = plan.state.tensors()
    for number, state in moments.items():
        if number not in steps:
            raise ValueError(f"a plan has the state of an optimizer {number[:20]} that it does not have")
        step = steps[number]
        if max(slot for slots, _ in step.groups for slot in slots) > len(tensors):
            raise ValueError("a plan has the state of an optimizer of tensors that are not its own")
        groups = [([tensors[slot - 1] for slot in slots], options) for slots, options in step.groups]
        check_state(step.kind, groups, state)
        optimizer = stock_optimizer(step.kind, groups)
        optimizer.load_state_dict({"state": state, "param_groups": optimizer.state_dict()["param_groups"]})
        plan._optimizers[int(number)] = optimizer


def _found(hit: Found, location: Any, owner: Any) -> PointerPlan:
    return PointerPlan(location, hit.id, owner, None, False, hit.tags or None, hit.description)


register(Plan, "syft.plan", _plan_to_wire, _plan_from_wire, subclasses=True)
POINTERS[Plan.remote_kind] = _found
