"""Recording a function: run once on stand-ins that live in a `Recorder`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from threading import RLock
from typing import Any

import torch

from syft.core.messages import Ref
from syft.core.ops import Returns, op_named
from syft.exceptions import (
    NotLocalError,
    PlanBuildError,
    PlanError,
    TensorsNotCollocatedException,
    UnsupportedOp,
    WorkerNotFoundException,
)
from syft.plans.dimensions import Arithmetic, Condition, Dimension, Size, map_parts, refs_of
from syft.plans.recorder import Recorder, RecordFactories
from syft.plans.recording import Expect, Input, Optimize, Parameter, Recording, Step, made_by, refs_in
from syft.plans.tree import example_of, parameter, parameters_of, recorded
from syft.tensors.base import is_wrapper, link_of

_PLAIN = (bool, int, float, complex, str, bytes, type(None), torch.dtype, torch.device)
# Ops that return something new and still change an operand, or the stream of random numbers.
_SIDE_EFFECTS = frozenset({"batch_norm", "native_batch_norm", "instance_norm", "embedding_bag", "embedding"})

_RANDOM = frozenset(
    "rand rand_like randn randn_like randint randint_like randperm normal bernoulli binomial multinomial poisson "
    "dropout alpha_dropout feature_dropout feature_alpha_dropout dropout1d dropout2d dropout3d native_dropout rrelu "
    "gumbel_softmax".split()
)

# One at a time: while a function is recorded its modules hold stand-ins. Plans may be built inside plans.
_RECORDING = RLock()

Owned = tuple[str, torch.Tensor]


def record(
    name: str,
    function: Callable[..., Any],
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
    state: Iterable[Owned],
    *,
    last: tuple[Any, ...] = (),
) -> tuple[Recording, list[torch.Tensor]]:
    """Run a function once on stand-ins and write down what it does.

    Args:
        name: of the plan.
        function: what to record.
        args: examples.
        kwargs: likewise.
        state: names and tensors that belong to the plan.
        last: passed after the arguments; not an argument of the plan.

    Returns:
        The recording, and the tensors of the state in order; those of nested plans come after those of ``state``.

    Raises:
        PlanBuildError: the function does something that cannot be recorded.
        Exception: what the function itself raises.
    """
    recorder = Recorder(name)
    _RECORDING.acquire()
    try:
        for label, tensor in state:
            recorder.adopt(tensor, label)
        call = _call(name, function, args, kwargs, recorder, last)
        with undisturbed_randomness(name), RecordFactories(recorder):
            out = call.run()
        recorder.check_options()
        output = _output(recorder, out)
        return numbered(recorder, call.parameters, output), recorder.adopted
    except TensorsNotCollocatedException as error:
        raise _unknown_tensor(name, error) from error
    except WorkerNotFoundException as error:
        raise PlanBuildError(
            f"plan {name!r} cannot be recorded: the function sends a tensor (.send()), and a plan runs on one worker. "
            "A protocol moves tensors between workers."
        ) from error
    except (UnsupportedOp, NotLocalError) as error:
        if isinstance(error, PlanError):
            raise
        raise PlanBuildError(
            f"plan {name!r} cannot be recorded: {error} While a function is recorded no tensor has values, and "
            "all that it does must be ops of torch."
        ) from error
    finally:
        recorder.release()
        _RECORDING.release()


@contextmanager
def undisturbed_randomness(name: str) -> Iterator[None]:
    """Leave torch's random numbers as they were, and refuse a function that seeds them."""
    before = torch.get_rng_state()
    seed = torch.seed()  # another one, so that seeding is noticed whatever the function seeds with
    try:
        yield
        if torch.initial_seed() != seed:
            raise PlanBuildError(
                f"plan {name!r} cannot be recorded: the function seeds torch's random numbers (torch.manual_seed), "
                "which on a worker are those of everybody. Leave that out, or pass random tensors in as arguments."
            )
    finally:
        torch.set_rng_state(before)


class _Call:
    def __init__(self, function: Callable[..., Any], args: Any, kwargs: Any, parameters: list[Parameter]) -> None:
        self._function, self._args, self._kwargs, self.parameters = function, args, kwargs, parameters

    def run(self) -> Any:
        return self._function(*self._args, **self._kwargs)


def _call(name: str, function: Any, args: Any, kwargs: Any, recorder: Recorder, last: tuple[Any, ...]) -> _Call:
    def slot(stand_in: Any) -> Any:
        return link_of(stand_in).id_at_location

    def convert(value: Any, label: str) -> Any:
        return recorded(value, recorder.input, slot, f"argument {label!r} of plan {name!r}")

    named = parameters_of(function, (*args, *last), kwargs)
    by_label: dict[str, Any] = {}
    parameters = []
    extra = {id(value) for value in last}
    for label, value, optional in named:
        if id(value) in extra:
            by_label[label] = value
            continue
        stand_in, spec = convert(value, label)
        by_label[label] = stand_in
        parameters.append(parameter(label, spec, optional, example_of(value)))
    positional = [by_label[label] for label, _, _ in named[: len(args) + len(last)]]
    return _Call(function, positional, {key: by_label[key] for key in kwargs}, parameters)


def _unknown_tensor(name: str, error: TensorsNotCollocatedException) -> PlanBuildError:
    local = next(
        (t for t in (error.tensor_b, error.tensor_a) if isinstance(t, torch.Tensor) and not is_wrapper(t)), None
    )
    what = str(error) if local is None else f"a {tuple(local.shape)} tensor of {local.dtype}"
    return PlanBuildError(
        f"The following tensor was used but is not known in this plan: {what}.\nPossible reasons for this can be:\n"
        f"- it is a tensor or a model from outside of {name!r}: give it to the plan as state (@sy.func2plan(state=...) "
        "or an attribute of a sy.Plan subclass), or pass it in as an argument;\n"
        "- it was made inside with torch.Tensor(...): make it with torch.tensor(...) instead."
    )


def _output(recorder: Recorder, value: Any) -> Any:
    if is_wrapper(value):
        link = link_of(value)
        if getattr(link, "location", None) is recorder:
            return Ref(link.id_at_location, link.path)
        raise PlanBuildError(
            f"plan {recorder.name!r} returns {link}, which is on a worker; a plan returns what it made."
        )
    if isinstance(value, Dimension):
        return value.expression
    if isinstance(value, torch.Tensor):
        raise PlanBuildError(
            f"plan {recorder.name!r} returns a tensor that is not its own; give it to the plan as state."
        )
    if isinstance(value, (list, tuple)):
        return (tuple if isinstance(value, tuple) else list)([_output(recorder, v) for v in value])
    if type(value) is dict:
        return {k: _output(recorder, v) for k, v in value.items()}
    if type(value) in _PLAIN:
        return value
    raise PlanBuildError(
        f"plan {recorder.name!r} returns a {type(value).__name__}; it can return tensors, numbers, text, and lists, "
        "tuples and dicts of these."
    )


def numbered(recorder: Recorder, parameters: list[Parameter], output: Any) -> Recording:
    """Give the tensors their slots and leave out what no result needs."""
    instructions = _needed(recorder.instructions, output)
    numbers: dict[Any, int] = {}
    for id in (*recorder.state, *recorder.inputs):
        numbers[id] = len(numbers) + 1
    used = {ref.id for i in instructions for ref in refs_in(i)} | {ref.id for ref in refs_of(output)}
    for instruction in instructions:
        for id in (*[ref.id for ref in refs_in(instruction)], *made_by(instruction)):
            numbers.setdefault(id, len(numbers) + 1)
    for ref in refs_of(output):
        numbers.setdefault(ref.id, len(numbers) + 1)
    return Recording(
        name=recorder.name,
        parameters=tuple(Parameter(p.name, _renumber(p.value, numbers), p.optional, p.example) for p in parameters),
        state=len(recorder.state),
        state_names=tuple(recorder.state.values()),
        constants={numbers[id]: value for id, value in recorder.constants.items() if id in used},
        instructions=tuple(_renumber(i, numbers) for i in instructions),
        output=_renumber(output, numbers),
        slots=len(numbers) + 1,
    )


def _needed(instructions: list[Any], output: Any) -> list[Any]:
    needed = {ref.id for ref in refs_of(output)}
    kept = []
    for instruction in reversed(instructions):
        if type(instruction) is Step and is_pure(instruction) and not needed.intersection(made_by(instruction)):
            continue
        if type(instruction) is Expect and instruction.slot not in needed:
            continue
        kept.append(instruction)
        needed.update(ref.id for ref in refs_in(instruction))
        needed.update(made_by(instruction))
    return kept[::-1]


def is_pure(step: Step) -> bool:
    """Whether a step does nothing but make its results."""
    op = op_named(step.op)
    if op.key in _RANDOM:  # the stream of random numbers moves on
        return False
    if op.returns in (Returns.SELF, Returns.NOTHING) or op.key in _SIDE_EFFECTS:
        return False
    return not (step.kwargs.get("inplace") or "out" in step.kwargs or op.name.startswith("torch._fused"))


def _renumber(value: Any, numbers: dict[Any, int]) -> Any:
    def again(inner: Any) -> Any:
        return _renumber(inner, numbers)

    kind = type(value)
    if kind is Ref:
        return Ref(numbers[value.id], value.path)
    if kind is Size:
        return Size(again(value.ref), value.axis)
    if kind is Arithmetic:
        return Arithmetic(value.operation, again(value.left), again(value.right))
    if kind is Condition:
        return Condition(value.comparison, again(value.left), again(value.right), value.outcome)
    if kind is Input:
        return Input(numbers[value.slot])
    if kind is Expect:
        return Expect(numbers[value.slot], value.path, value.what, value.value)
    if kind is Optimize:
        groups = tuple((tuple(numbers[slot] for slot in slots), options) for slots, options in value.groups)
        return Optimize(value.optimizer, value.kind, groups)
    if kind is Step:
        return Step(value.op, again(value.args), again(value.kwargs), _slots(value.result, numbers), value.grad_enabled)
    return map_parts(value, again)


def _slots(pattern: Any, numbers: dict[Any, int]) -> Any:
    if type(pattern) is tuple:
        return tuple(_slots(part, numbers) for part in pattern)
    return None if pattern is None else numbers[pattern]
