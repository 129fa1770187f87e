"""Arguments and results with tensors in them: lists, tuples and dicts, however nested."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable
from typing import Any

import torch

from syft.encoded.fixed import FixedPrecisionTensor
from syft.encoded.tensor import EncodedTensor
from syft.exceptions import PlanArgumentError, PlanBuildError
from syft.he.levelled.slots import CiphertextLink
from syft.he.levelled.tensor import CiphertextTensor
from syft.mpc.shared import AdditiveSharingTensor
from syft.plans.dimensions import map_parts
from syft.plans.recording import Input, Parameter, Recording

_PLAIN = (bool, int, float, complex, str, bytes, type(None), torch.dtype, torch.device, torch.Size)


def parameters_of(
    function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]
) -> list[tuple[str, Any, bool]]:
    """Name, value and whether it may be left out, for each argument of a call.

    Args:
        function: what is called.
        args: positional arguments.
        kwargs: keyword arguments.

    Returns:
        In the order of the signature; what ``*args`` takes is called ``args[0]``, ``args[1]``, …

    Raises:
        TypeError: the arguments do not fit the signature.
    """
    signature = inspect.signature(function)
    bound = signature.bind(*args, **kwargs)
    given = set(bound.arguments)
    bound.apply_defaults()
    out = []
    for name, value in bound.arguments.items():
        kind = signature.parameters[name].kind
        if kind is inspect.Parameter.VAR_POSITIONAL:
            out += [(f"{name}[{i}]", item, False) for i, item in enumerate(value)]
        elif kind is inspect.Parameter.VAR_KEYWORD:
            out += [(key, item, False) for key, item in value.items()]
        else:
            out.append((name, value, name not in given))
    return out


def recorded(value: Any, stand_in: Callable[[torch.Tensor], Any], slot: Callable[[Any], Any], where: str) -> Any:
    """A pair: the value with stand-ins for its tensors, and the spec that later calls are held to.

    Raises:
        PlanBuildError: something is in it that no plan can take.
    """
    if isinstance(value, torch.Tensor):
        made = stand_in(value)
        return made, Input(slot(made))
    if type(value) in (list, tuple):
        pairs = [recorded(v, stand_in, slot, where) for v in value]
        return type(value)([p[0] for p in pairs]), type(value)([p[1] for p in pairs])
    if type(value) is dict and all(type(key) is str for key in value):
        named = {k: recorded(v, stand_in, slot, where) for k, v in value.items()}
        return {k: p[0] for k, p in named.items()}, {k: p[1] for k, p in named.items()}
    if type(value) in _PLAIN:
        return value, value
    raise PlanBuildError(
        f"{where} is a {type(value).__name__}. A plan takes tensors, numbers, text, and lists, tuples and dicts "
        "(with words as keys) of these."
    )


def example_of(value: Any) -> str:
    """What an argument was like, in words; empty if there is no tensor in it."""
    if isinstance(value, torch.Tensor):
        return f"a tensor of shape {tuple(value.shape)}"
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, (list, tuple)) else ()
    return ", ".join(text for part in inner if (text := example_of(part)))


def shapes_of(recording: Recording) -> list[tuple[int, ...]]:
    """The shapes of the example tensors of a recording, in order."""
    found = re.findall(r"shape \(([0-9, ]*)\)", " ".join(p.example for p in recording.parameters))
    return [tuple(int(size) for size in inside.split(",") if size.strip()) for inside in found]


def bind(recording: Recording, args: tuple[Any, ...], kwargs: dict[str, Any]) -> dict[int, Any]:
    """The tensors of a call by slot.

    Args:
        recording: what is called.
        args: positional arguments.
        kwargs: keyword arguments.

    Raises:
        PlanArgumentError: too many or too few arguments, or one of another kind than in the recording.
    """
    name, parameters = recording.name, recording.parameters
    if not kwargs and len(args) == len(parameters):  # the usual case, made short
        plain = {p.value.slot: a for p, a in zip(parameters, args, strict=True) if _fits(p.value, a)}
        if len(plain) == len(args):
            return plain
    received = len(args) + len(kwargs)
    required = sum(not p.optional for p in parameters)
    if len(args) > len(parameters) or received < required or received > len(parameters):
        many = str(required) if required == len(parameters) else f"{required} to {len(parameters)}"
        raise PlanArgumentError(f"Plan {name} requires {many} arguments, received {received}.")
    given = {parameter.name: value for parameter, value in zip(parameters, args, strict=False)}
    for key, value in kwargs.items():
        if key in given:
            raise PlanArgumentError(f"Plan {name} got two values for its argument {key!r}.")
        if all(key != parameter.name for parameter in parameters):
            known = ", ".join(repr(parameter.name) for parameter in parameters) or "none"
            raise PlanArgumentError(f"Plan {name} has no argument {key!r}; it has {known}.")
        given[key] = value
    inputs: dict[int, Any] = {}
    for parameter in parameters:
        if parameter.name in given:
            _take(parameter.value, given[parameter.name], inputs, f"argument {parameter.name!r} of plan {name}")
        elif not parameter.optional:
            raise PlanArgumentError(f"Plan {name} requires its argument {parameter.name!r}, which is missing.")
    return inputs


def wrapped(value: Any) -> Any:
    """A value in which encoded tensors have their wrappers, however nested: those of a message come without."""
    if isinstance(value, (FixedPrecisionTensor, AdditiveSharingTensor)):
        return EncodedTensor(value)
    if isinstance(value, CiphertextLink):
        return CiphertextTensor(value)
    return map_parts(value, wrapped)


def _fits(spec: Any, value: Any) -> bool:
    return type(spec) is Input and isinstance(value, torch.Tensor)


def _take(spec: Any, value: Any, inputs: dict[int, Any], where: str) -> None:
    if type(spec) is Input:
        value = wrapped(value)
        if not isinstance(value, torch.Tensor):
            if type(value) not in (bool, int, float, complex):
                raise PlanArgumentError(f"{where} must be a tensor, as it was built with, and is {_kind(value)}.")
            value = torch.tensor(value)
        inputs[spec.slot] = value
    elif type(spec) in (list, tuple):
        if type(value) not in (list, tuple) or len(value) != len(spec):
            many = f" of {len(value)}" if type(value) in (list, tuple) else ""
            raise PlanArgumentError(
                f"{where} must be a {type(spec).__name__} of {len(spec)}, as it was built with, and is "
                f"{_kind(value)}{many}."
            )
        for number, (inner, item) in enumerate(zip(spec, value, strict=True)):
            _take(inner, item, inputs, f"element {number} of {where}")
    elif type(spec) is dict:
        if type(value) is not dict or value.keys() != spec.keys():
            keys = f" with the keys {sorted(map(str, value))}" if type(value) is dict else ""
            raise PlanArgumentError(
                f"{where} must be a dict with the keys {sorted(spec)}, as it was built with, and is "
                f"{_kind(value)}{keys}."
            )
        for key, inner in spec.items():
            _take(inner, value[key], inputs, f"{key!r} of {where}")
    elif isinstance(value, torch.Tensor) or type(value) is not type(spec) or value != spec:
        shown = _kind(value) if isinstance(value, torch.Tensor) else repr(value)[:80]
        raise PlanArgumentError(
            f"{where} was {spec!r} when the plan was built and is part of the recording; it cannot be {shown} now. "
            "Build the plan with a tensor there if it shall vary."
        )


def _kind(value: Any) -> str:
    return "None" if value is None else f"a {type(value).__name__}"


def parameter(name: str, spec: Any, optional: bool, example: str) -> Parameter:
    """A `Parameter`; only one without tensors can be left out of a call."""
    return Parameter(name, spec, optional and not example, example)
