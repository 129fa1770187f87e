"""Cutting a recorded protocol into plans: each is what one role can do without hearing from the others."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from syft.core.messages import ObjectId, Ref
from syft.exceptions import PlanBuildError
from syft.plans.build import is_pure, numbered
from syft.plans.plan import Plan
from syft.plans.recording import Input, Optimize, Parameter, Recording, Step, made_by, refs_in
from syft.plans.role_recorder import Timeline, Transfer

Name = tuple[str, ObjectId]
"""A tensor of a protocol: its role and what it is called there."""


@dataclass(frozen=True, slots=True)
class Segment:
    """A plan that one role runs.

    Attributes:
        role: who runs it.
        arrivals: what must have come before.
        reads: what the plan is called with.
        writes: what it returns.
        plan: without state; the tensors of the role are arguments.
    """

    role: str
    arrivals: tuple[Transfer, ...]
    reads: tuple[ObjectId, ...]
    writes: tuple[ObjectId, ...]
    plan: Plan


@dataclass(frozen=True, slots=True)
class Schedule:
    """A protocol ready to run: segments in an order in which each finds what it needs.

    Attributes:
        segments: in order.
        arrivals: what is still to come after the last of them.
        outputs: what the protocol returns.
    """

    segments: tuple[Segment, ...]
    arrivals: tuple[Transfer, ...]
    outputs: tuple[Name, ...]

    def readers(self, name: Name) -> int:
        """How many segments read a tensor."""
        return sum(segment.role == name[0] and name[1] in segment.reads for segment in self.segments)


@dataclass(slots=True)
class _Open:
    """A segment that is being put together."""

    role: str
    start: int
    arrivals: list[Transfer] = field(default_factory=list)
    reads: dict[ObjectId, None] = field(default_factory=dict)
    made: dict[ObjectId, None] = field(default_factory=dict)
    instructions: list[Any] = field(default_factory=list)


@dataclass(slots=True)
class _Lines:
    """What `syft.plans.build` makes a recording of."""

    name: str
    instructions: list[Any]
    inputs: list[ObjectId]
    constants: dict[ObjectId, Any]
    state: dict[ObjectId, str] = field(default_factory=dict)


def scheduled(timeline: Timeline, outputs: Iterable[Name]) -> Schedule:
    """Cut a recorded protocol into segments.

    Args:
        timeline: what was recorded.
        outputs: what the protocol returns.

    Returns:
        As few segments as possible: a role's plan ends only where it needs what has not come yet when it starts.

    Raises:
        PlanBuildError: a role computes with a size of a tensor that another role has.
    """
    outputs = tuple(outputs)
    events = _needed(timeline.events, set(outputs))
    opened, pending = _cut(timeline, events)
    wanted = set(outputs) | {(t.source, t.source_id) for _, t in events if isinstance(t, Transfer)}
    wanted |= {(part.role, id) for part in opened for id in part.reads}
    segments = [_closed(timeline, part, number, wanted) for number, part in enumerate(opened, 1)]
    left = [transfer for name, (_, transfer) in pending.items() if name in set(outputs)]
    return Schedule(tuple(segments), tuple(left), outputs)


def _needed(events: list[tuple[str, Any]], needed: set[Name]) -> list[tuple[str, Any]]:
    kept = []
    for role, event in reversed(events):
        if isinstance(event, Transfer):
            if (event.destination, event.id) not in needed:
                continue
            needed.add((event.source, event.source_id))
        else:
            made = {(role, id) for id in made_by(event)}
            if isinstance(event, Step) and is_pure(event) and not needed & made:
                continue
            needed |= made | {(role, ref.id) for ref in refs_in(event)}
        kept.append((role, event))
    return kept[::-1]


def _cut(timeline: Timeline, events: list[tuple[str, Any]]) -> tuple[list[_Open], dict[Name, tuple[int, Transfer]]]:
    opened: list[_Open] = []
    current: dict[str, _Open] = {}
    arrived: dict[Name, tuple[int, Transfer]] = {}
    pending: dict[Name, tuple[int, Transfer]] = {}
    known = {(role, id) for role, r in timeline.recorders.items() for id in (*r.state, *r.inputs)}
    for time, (role, event) in enumerate(events):
        if isinstance(event, Transfer):
            name = (event.destination, event.id)
            arrived[name] = pending[name] = time, event
            known.add(name)
            continue
        reads = dict.fromkeys(ref.id for ref in refs_in(event) if ref.id not in timeline.recorders[role].constants)
        _check_known(timeline, role, reads, known)
        part = current.get(role)
        if part is None or any((role, id) in arrived and arrived[role, id][0] > part.start for id in reads):
            part = current[role] = _Open(role, time)
            opened.append(part)
        for id in reads:
            if id not in part.made:
                part.reads[id] = None
            if (role, id) in pending:
                part.arrivals.append(pending.pop((role, id))[1])
        part.instructions.append(event)
        part.made |= dict.fromkeys(made_by(event))
        known |= {(role, id) for id in made_by(event)}
    _check_optimizers(timeline, opened)
    return opened, pending


def _check_known(timeline: Timeline, role: str, reads: Iterable[ObjectId], known: set[Name]) -> None:
    for id in reads:
        if (role, id) not in known:
            others = [name for name, known_id in known if known_id == id]
            whose = f"of {others[0]!r}" if others else "of another role"
            raise PlanBuildError(
                f"protocol {timeline.name!r} cannot be recorded: {role!r} computes with the size of a tensor {whose}, "
                "which it does not know when it runs. Send it the tensor, or write the size as a number."
            )


def _check_optimizers(timeline: Timeline, opened: list[_Open]) -> None:
    seen: dict[tuple[str, int], _Open] = {}
    for part in opened:
        for step in part.instructions:
            if isinstance(step, Optimize) and seen.setdefault((part.role, step.optimizer), part) is not part:
                raise PlanBuildError(
                    f"protocol {timeline.name!r} cannot be recorded: an optimizer of {part.role!r} steps before and "
                    "after the role hears from others. Use one optimizer for each of these steps."
                )


def _closed(timeline: Timeline, part: _Open, number: int, wanted: set[Name]) -> Segment:
    writes = tuple(id for id in part.made if (part.role, id) in wanted)
    lines = _Lines(
        f"{timeline.name}.{part.role}.{number}",
        part.instructions,
        list(part.reads),
        timeline.recorders[part.role].constants,
    )
    parameters = [Parameter(f"in_{position}", Input(id)) for position, id in enumerate(part.reads, 1)]  # type: ignore[arg-type]
    recording: Recording = numbered(lines, parameters, tuple(Ref(id) for id in writes))  # type: ignore[arg-type]
    return Segment(part.role, tuple(part.arrivals), tuple(part.reads), writes, Plan.restored(recording, []))
