"""`Program`: a recording made ready to run. It holds functions and positions; each run has its own tensors."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from operator import itemgetter
from typing import Any

import torch

from syft.core.messages import Ref
from syft.core.ops import Op, op_named
from syft.exceptions import CommandNotPermittedError, PlanConditionError
from syft.plans.dimensions import COMPARISONS, Arithmetic, Condition, Size, evaluate, map_parts, refs_of
from syft.plans.optimizers import stock_optimizer
from syft.plans.recording import Expect, Optimize, Recording, Step, made_by, refs_in
from syft.tensors.private_ops import may_speak_of_values, without_values
from syft.workers.policy import GUARDED, RUN_LIMITS, Policy
from syft.workers.result_limits import check_kept, nbytes_held, nbytes_of, run_within
from syft.workers.time_limits import TIME_LIMIT

Environment = list[Any]
Optimizers = dict[int, Any] | Callable[[Any, Any], None]
"""By number: an optimizer over the plan's own state, or a list of what is remembered of each tensor of the caller.
Or what writes steps down, for a run that is being recorded."""
_SCRATCH = 0  # the slot of results that nobody needs
_POLICY = Policy()


class Program:
    """Runs a recording.

    Args:
        recording: what to run.

    Raises:
        UnsupportedOp: an op of it is not in the op table.
        CommandNotPermittedError: it refers to slots that are not there.
    """

    def __init__(self, recording: Recording) -> None:
        self.recording = recording
        self._template: Environment = [None] * recording.slots
        self._constants = tuple(recording.constants)
        self._graded = _read_gradients(recording)
        for slot, value in recording.constants.items():
            self._template[slot] = value
        dying = _last_uses(recording)
        plain = True
        self._ops: list[Any] = [op_named(i.op) if type(i) is Step else None for i in recording.instructions]
        self._code: list[tuple[Any, Any, Any, Any, tuple[int, ...]]] = []
        for number, instruction in enumerate(recording.instructions):
            dead = dying.get(number, ())
            self._code.append((*self._compiled(instruction, number), dead))
            plain = plain and (type(instruction) is not Step or instruction.grad_enabled)
        # Without a change of mode inside, the mode of the caller holds for all of it.
        self._modes = None if plain else [getattr(i, "grad_enabled", True) for i in recording.instructions]

    def run(self, inputs: dict[int, Any], state: Sequence[Any], optimizers: Optimizers | None = None) -> Any:
        """Run the recording once.

        Args:
            inputs: tensors by slot.
            state: the tensors of the state; in-place ops change them.
            optimizers: those of the plan, by number; made here on first use.

        Returns:
            What the function returned, with the tensors of this run.

        Raises:
            PlanConditionError: the recording does not hold for these inputs.
            Exception: what an op raises; a note says which one.
        """
        env = self._template.copy()
        for slot in self._constants:  # an op, or whoever gets a result, may write into them
            env[slot] = env[slot].clone()
        env[1 : 1 + len(state)] = state
        for slot, value in inputs.items():
            env[slot] = value
        for slot in self._graded:
            if env[slot].grad is None:
                env[slot].grad = torch.zeros_like(env[slot])
        limits = RUN_LIMITS.get()
        if limits is not None and limits.result_bytes is not None:
            return self._run_within(limits.result_bytes, limits.total_bytes, env, optimizers)
        number = 0
        try:
            if self._modes is None:
                for number, (fn, pick, kwargs, out, dead) in enumerate(self._code):  # noqa: B007
                    if fn is None:
                        pick(env, optimizers)
                    elif kwargs is None:
                        env[out] = fn(*pick(env))
                    else:
                        env[out] = fn(*pick(env), **kwargs)
                    for slot in dead:
                        env[slot] = None
            else:
                outer = torch.is_grad_enabled()
                for number, (fn, pick, kwargs, out, dead) in enumerate(self._code):
                    with torch.set_grad_enabled(outer and self._modes[number]):
                        if fn is None:
                            pick(env, optimizers)
                        else:
                            env[out] = fn(*pick(env), **(kwargs or {}))
                    for slot in dead:
                        env[slot] = None
            return _resolve(self.recording.output, env)
        except Exception as error:
            raise self._explained(error, number, env) from None

    def _run_within(self, result_bytes: int, total_bytes: int, env: Environment, optimizers: Optimizers | None) -> Any:
        """Run it for somebody who may not use all memory: what each step makes is worked out before it runs."""
        outer, made, number = torch.is_grad_enabled(), 0, 0
        before, time_limit = nbytes_held(env), TIME_LIMIT.get()
        try:
            for number, (fn, pick, kwargs, out, dead) in enumerate(self._code):
                if time_limit is not None:
                    time_limit.check()
                with torch.set_grad_enabled(outer and (self._modes is None or self._modes[number])):
                    if fn is None:
                        pick(env, optimizers)
                        made += sum(nbytes_of(env[slot]) for slot in made_by(self.recording.instructions[number]))
                    else:
                        env[out] = run_within(self._ops[number], pick(env), kwargs or {}, result_bytes)
                        made += nbytes_of(env[out])
                for slot in dead:
                    env[slot] = None
                if made > total_bytes:  # if all of it was still there, it would be too much
                    made = nbytes_held(env) - before
                    check_kept(made, total_bytes)
            return _resolve(self.recording.output, env)
        except Exception as error:
            raise self._explained(error, number, env) from None

    def _explained(self, error: Exception, number: int, env: Environment) -> Exception:
        instruction = self.recording.instructions[number] if self.recording.instructions else None
        if isinstance(instruction, Step):
            args, kwargs = _resolve(instruction.args, env), _resolve(instruction.kwargs, env)
            if may_speak_of_values(error, args, kwargs):
                return without_values(op_named(instruction.op), args, kwargs)
            examples = ", ".join(f"{p.name}: {p.example}" for p in self.recording.parameters if p.example)
            error.add_note(
                f"in step {number + 1} ({instruction.op}) of plan {self.recording.name!r}, "
                f"which was recorded with {examples or 'no tensors'}"
            )
        return error

    def _compiled(self, instruction: Any, number: int) -> tuple[Any, Any, Any, Any]:
        if type(instruction) is Step:
            return self._step(instruction)
        if type(instruction) is Expect:
            return None, _expect(instruction, self.recording), None, None
        if type(instruction) is Condition:
            return None, _condition(instruction, self.recording), None, None
        return None, _optimize(instruction, self.recording), None, None

    def _step(self, step: Step) -> tuple[Any, Any, Any, Any]:
        op = op_named(step.op)
        simple = all(not _needs_work(a) for a in step.args) and not _needs_work(step.kwargs)
        out = step.result
        if simple and type(out) in (int, type(None)) and op.key not in GUARDED:
            # Every operand is in a slot, plain ones in slots of their own: one itemgetter fetches them all.
            slots = [self._slot_of(a) for a in step.args]
            return op.fn, _picker(slots), dict(step.kwargs) or None, _SCRATCH if out is None else out
        return None, _careful(op, step), None, None

    def _slot_of(self, value: Any) -> int:
        if type(value) is Ref:
            return int(value.id)
        self._template.append(value)
        return len(self._template) - 1


def _picker(slots: list[int]) -> Callable[[Environment], Any]:
    if len(slots) > 1:
        return itemgetter(*slots)
    return itemgetter(slice(slots[0], slots[0] + 1) if slots else slice(0, 0))


def _needs_work(value: Any) -> bool:
    """Whether something must be looked up besides a slot."""
    kind = type(value)
    if kind is Ref:
        return bool(value.path)
    if kind is dict:
        return any(type(v) is Ref or _needs_work(v) for v in value.values())
    return bool(refs_of(value)) or kind in (Size, Arithmetic)


def _careful(op: Op, step: Step) -> Callable[[Environment, Any], None]:
    guarded = op.key in GUARDED

    def run(env: Environment, optimizers: Any) -> None:
        args, kwargs = _resolve(step.args, env), _resolve(step.kwargs, env)
        if guarded:
            _POLICY.check(op, list(args), kwargs)
        limits = RUN_LIMITS.get()
        if limits is None or limits.result_bytes is None:
            out = op.fn(*args, **kwargs)
        else:
            out = run_within(op, args, kwargs, limits.result_bytes)
        _assign(step.result, out, env)

    return run


def _assign(pattern: Any, value: Any, env: Environment) -> None:
    if type(pattern) is int:
        env[pattern] = value
    elif type(pattern) is tuple:
        if not isinstance(value, (list, tuple)) or len(value) != len(pattern):
            many = len(value) if isinstance(value, (list, tuple)) else 1
            raise PlanConditionError(
                f"an op gave {len(pattern)} results while the plan was recorded and gives {many} now; "
                "record it with tensors of these sizes."
            )
        for part, item in zip(pattern, value, strict=True):
            _assign(part, item, env)


def _resolve(value: Any, env: Environment) -> Any:
    kind = type(value)
    if kind is Ref:
        return _tensor(value, env)
    if kind is Size or kind is Arithmetic:
        return evaluate(value, lambda ref: _tensor(ref, env))
    return map_parts(value, lambda part: _resolve(part, env))


def _tensor(ref: Ref, env: Environment) -> Any:
    obj = env[ref.id]  # type: ignore[index]
    for name in ref.path:
        obj = obj.grad if name == "grad" else obj.data
    return obj


def _expect(expect: Expect, recording: Recording) -> Callable[[Environment, Any], None]:
    ref = Ref(expect.slot, expect.path)

    def check(env: Environment, optimizers: Any) -> None:
        tensor = _tensor(ref, env)
        found = None if tensor is None else EXPECTED[expect.what](tensor)
        if found != expect.value:
            raise PlanConditionError(
                f"plan {recording.name!r} asked for the {expect.what} of a tensor while it was recorded, which was "
                f"{expect.value}, and now {_shape_of(tensor)} with {expect.what} {found} stands there. "
                f"{_remedy(recording)}"
            )

    return check


def _condition(condition: Condition, recording: Recording) -> Callable[[Environment, Any], None]:
    compare = COMPARISONS[condition.comparison]

    def check(env: Environment, optimizers: Any) -> None:
        left, right = _resolve(condition.left, env), _resolve(condition.right, env)
        if bool(compare(left, right)) != condition.outcome:
            held = "held" if condition.outcome else "did not hold"
            raise PlanConditionError(
                f"plan {recording.name!r} decided by a size while it was recorded: 'size {condition.comparison} "
                f"{right}' {held} then, and now the size is {left}. {_remedy(recording)}"
            )

    return check


EXPECTED: dict[str, Callable[[torch.Tensor], Any]] = {
    "rank": lambda tensor: tensor.dim(),
    "dtype": lambda tensor: tensor.dtype,
    "layout": lambda tensor: tensor.layout,
    "requires_grad": lambda tensor: tensor.requires_grad,
}
"""What an `Expect` may speak of."""


def _shape_of(tensor: Any) -> str:
    return "nothing" if tensor is None else f"one of shape {tuple(tensor.shape)}"


def _remedy(recording: Recording) -> str:
    examples = ", ".join(f"{p.name}: {p.example}" for p in recording.parameters if p.example) or "no tensors"
    return f"It was recorded with {examples}; build it again with tensors like those of this call."


def _optimize(step: Optimize, recording: Recording) -> Callable[[Environment, Any], None]:
    owned = all(slot <= recording.state for slots, _ in step.groups for slot in slots)

    def run(env: Environment, optimizers: Optimizers | None) -> None:
        if optimizers is None:
            raise CommandNotPermittedError("a plan with an optimizer inside needs a place for what that remembers")
        if callable(optimizers):  # this run is being recorded
            optimizers(step, env)
            return
        kept = optimizers.get(step.optimizer)
        if owned and kept is not None:
            kept.step()
            return
        optimizer = stock_optimizer(step.kind, [([env[s] for s in slots], options) for slots, options in step.groups])
        if owned:
            optimizers[step.optimizer] = optimizer
            optimizer.step()
            return
        # The parameters belong to the caller: what is remembered of them stays, they do not.
        parameters = [p for group in optimizer.param_groups for p in group["params"]]
        _recall(optimizer, parameters, kept, recording)
        optimizer.step()
        optimizers[step.optimizer] = [optimizer.state.get(p, {}) for p in parameters]

    return run


def _recall(optimizer: torch.optim.Optimizer, parameters: list[Any], kept: Any, recording: Recording) -> None:
    for parameter, state in zip(parameters, kept or (), strict=False):
        for value in state.values():
            # torch's fused kernels trust the shapes of what is remembered.
            if isinstance(value, torch.Tensor) and value.dim() > 0 and value.shape != parameter.shape:
                raise PlanConditionError(
                    f"the optimizer of plan {recording.name!r} remembers a tensor of shape {tuple(value.shape)} and "
                    f"is to train one of shape {tuple(parameter.shape)}; send the plan again to start anew."
                )
        if state:
            optimizer.state[parameter] = state


def _read_gradients(recording: Recording) -> tuple[int, ...]:
    """State whose gradient is read before anything sets it: the first run must find one, as the recording did."""
    found: list[int] = []
    known: set[Any] = set()
    for step in recording.instructions:
        if type(step) is not Step:
            continue
        if op_named(step.op).key in ("backward", "autograd.backward"):
            break
        read = [ref.id for ref in refs_of(step.args) + refs_of(step.kwargs) if ref.path[:1] == ("grad",)]
        found += [slot for slot in read if slot not in known and int(slot) <= recording.state]  # type: ignore[misc]
        known.update(read)
        if step.op.endswith("grad.__set__"):
            known.update(ref.id for ref in refs_of(step.args[:1]))
    return tuple(dict.fromkeys(found))


def _last_uses(recording: Recording) -> dict[int, tuple[int, ...]]:
    """Which slots nobody needs after an instruction, so that memory is given back while the plan runs."""
    kept = {ref.id for ref in refs_of(recording.output)}
    last: dict[Any, int] = {}
    for number, instruction in enumerate(recording.instructions):
        for slot in (*[ref.id for ref in refs_in(instruction)], *made_by(instruction)):
            last[slot] = number
    dying: dict[int, tuple[int, ...]] = {}
    for slot, number in last.items():
        if slot not in kept and slot not in recording.constants and slot != _SCRATCH:
            dying[number] = (*dying.get(number, ()), slot)
    return dying
