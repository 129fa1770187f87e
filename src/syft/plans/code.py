"""A recording as text: Python that a person reads, and that torch could run."""

from __future__ import annotations

import cmath
import keyword
import math
from collections.abc import Callable, Iterator
from typing import Any

import torch

from syft.core.messages import Ref
from syft.plans.dimensions import Arithmetic, Condition, Size, refs_of
from syft.plans.recording import Expect, Input, Optimize, Recording, Step

Names = Callable[[int], str]


def header(plan: Any) -> str:
    """One line about a plan: ``<Plan double id:5 owner:me Tags: a built>``."""
    tags = "".join(f" {tag}" for tag in sorted(map(str, plan.tags))) if plan.tags else ""
    owner = getattr(plan.owner, "id", plan.owner)
    text = f"<{type(plan).__name__} {plan.name} id:{plan.id} owner:{owner}"
    return text + (f" Tags:{tags}" if tags else "") + (" built>" if plan.is_built else ">")


def numbered(name: str, recording: Recording | None) -> str:
    """0.2.4's form: every tensor is called by its number."""
    if recording is None:
        return f"def {name}():\n    return "
    args = ", ".join(f"arg_{slot}" for slot in _inputs(recording))
    return "\n".join([f"def {_identifier(name)}({args}):", *_body(recording, lambda slot: f"_{slot}")])


def readable(recording: Recording) -> str:
    """Python code with telling names: ``arg_1``, ``state_1``, ``const_1``, ``var_1`` and ``out_1``."""
    names = _names(recording)
    arguments = [names[slot] for slot in _inputs(recording)] + [names[slot] for slot in range(1, recording.state + 1)]
    return "\n".join(
        [f"def {_identifier(recording.name)}({', '.join(arguments)}):", *_body(recording, lambda slot: names[slot])]
    )


def _names(recording: Recording) -> dict[int, str]:
    names = {slot: f"state_{slot}" for slot in range(1, recording.state + 1)}
    names |= {slot: f"arg_{number}" for number, slot in enumerate(_inputs(recording), 1)}
    names |= {slot: f"const_{number}" for number, slot in enumerate(recording.constants, 1)}
    given = list(dict.fromkeys(ref.id for ref in refs_of(recording.output) if ref.id not in names))
    names |= {slot: f"out_{number}" for number, slot in enumerate(given, 1)}  # type: ignore[misc]
    rest = [slot for slot in range(1, recording.slots) if slot not in names]
    return names | {slot: f"var_{number}" for number, slot in enumerate(rest, 1)}


def _inputs(recording: Recording) -> list[int]:
    def slots(value: Any) -> Iterator[int]:
        if type(value) is Input:
            yield value.slot
        elif type(value) in (list, tuple):
            for part in value:
                yield from slots(part)
        elif type(value) is dict:
            for part in value.values():
                yield from slots(part)

    return [slot for parameter in recording.parameters for slot in slots(parameter.value)]


def _body(recording: Recording, names: Names) -> Iterator[str]:
    for slot, value in recording.constants.items():
        yield f"    {names(slot)} = torch.tensor({_value(value.tolist(), names)}, dtype={value.dtype})"
    for instruction in recording.instructions:
        line = _line(instruction, names)
        if isinstance(instruction, Step) and not instruction.grad_enabled:
            yield "    with torch.no_grad():"
            yield f"        {line}"
        else:
            yield f"    {line}"
    yield f"    return {_returned(recording.output, names)}"


def _returned(output: Any, names: Names) -> str:
    if type(output) is tuple and len(output) > 1:
        return ", ".join(_value(part, names) for part in output)
    return _value(output, names)


def _line(instruction: Any, names: Names) -> str:
    if type(instruction) is Expect:
        where = _value(Ref(instruction.slot, instruction.path), names)
        what = "dim()" if instruction.what == "rank" else instruction.what
        return f"assert {where}.{what} == {_value(instruction.value, names)}"
    if type(instruction) is Condition:
        left, right = _value(instruction.left, names), _value(instruction.right, names)
        comparison = f"{left} {instruction.comparison} {right}"
        return f"assert {comparison}" if instruction.outcome else f"assert not {comparison}"
    if type(instruction) is Optimize:
        options = ", ".join(f"{key}={value!r}" for key, value in instruction.groups[0][1].items() if value)
        return f"optimizer_{instruction.optimizer + 1}.step()  # torch.optim.{instruction.kind}({options})"
    return _step(instruction, names)


def _step(step: Step, names: Names) -> str:
    args = [_value(arg, names) for arg in step.args]
    named = [f"{key}={_value(value, names)}" for key, value in step.kwargs.items()]
    path = step.op.split(".")
    if path[-1] == "__set__":
        return f"{args[0]}.{path[-2]} = {args[1]}"
    if path[-1] == "__delete__":
        return f"del {args[0]}.{path[-2]}"
    if path[-1] == "__get__":
        call = f"{args[0]}.{path[-2]}"
    elif path[0] == "Tensor" and args:
        call = f"{args[0]}.{'.'.join(path[1:])}({', '.join(args[1:] + named)})"
    else:
        prefix = "" if path[0] == "torch" else "torch."
        call = f"{prefix}{step.op}({', '.join(args + named)})"
    target = _pattern(step.result, names)
    return call if target is None else f"{target} = {call}"


def _pattern(pattern: Any, names: Names) -> str | None:
    if pattern is None:
        return None
    if type(pattern) is int:
        return names(pattern)
    parts = [_pattern(part, names) or "_" for part in pattern]
    return ", ".join(f"({part})" if "," in part else part for part in parts) + ("," if len(parts) == 1 else "")


def _value(value: Any, names: Names) -> str:
    kind = type(value)
    if kind is Ref:
        return ".".join((names(value.id), *value.path))
    if kind is Size:
        return f"{_value(value.ref, names)}.shape[{value.axis}]"
    if kind is Arithmetic:
        return f"({_value(value.left, names)} {value.operation} {_value(value.right, names)})"
    if kind is list:
        return f"[{', '.join(_value(v, names) for v in value)}]"
    if kind is tuple or kind is torch.Size:
        inner = ", ".join(_value(v, names) for v in value)
        return f"({inner},)" if len(value) == 1 else f"({inner})"
    if kind is dict:
        return "{" + ", ".join(f"{k!r}: {_value(v, names)}" for k, v in value.items()) + "}"
    if kind is slice:
        return f"slice({', '.join(_value(v, names) for v in (value.start, value.stop, value.step))})"
    if kind is float and not math.isfinite(value):
        return f"float('{value}')"
    if kind is complex and not cmath.isfinite(value):
        return f"complex({_value(value.real, names)}, {_value(value.imag, names)})"
    return f"torch.{value!r}" if kind is torch.device else repr(value)


def _identifier(name: str) -> str:
    usable = name.isidentifier() and not keyword.iskeyword(name) and name != "torch"
    return name if usable else "plan"
