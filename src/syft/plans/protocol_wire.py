"""The wire form of protocols: a version, the plans that go along, then who has which plan."""

from __future__ import annotations

from typing import Any

from syft.core.messages import Found, Ref
from syft.plans.plan import Plan
from syft.plans.pointer import PointerPlan
from syft.plans.protocol import Protocol
from syft.plans.protocol_pointer import PointerProtocol
from syft.serde.checks import dimension, flag, items, object_id, one_of, optional, sequence, text
from syft.serde.registry import register
from syft.tensors.wire import UnknownLocation
from syft.workers.base import POINTERS

VERSION = 1
MAX_ENTRIES = 10_000


def _to_wire(protocol: Protocol) -> Any:
    # A plan that stands in several entries travels once and stays one plan.
    plans: list[Plan] = []
    numbers: dict[int, int] = {}
    entries = []
    for worker, plan in protocol.plans:
        what: int | Ref
        if isinstance(plan, PointerPlan):
            what = Ref(plan.id_at_location)
        else:
            what = numbers.setdefault(id(plan), len(plans))
            if what == len(plans):
                plans.append(plan)
        resolved = not isinstance(worker, (str, int))
        entries.append([worker.id if resolved else worker, resolved, what])
    tags = None if protocol.tags is None else frozenset(protocol.tags)
    return [VERSION, protocol.id, tags, protocol.description, plans, entries]


def _from_wire(data: Any, context: Any) -> Protocol:
    received = items(data)
    if not received or type(received[0]) is not int or received[0] != VERSION:
        raise ValueError(
            f"this is version {VERSION} of protocols; the one that came is of version {str(received[:1])[:20]}"
        )
    if len(received) != 6:
        raise ValueError(f"a protocol has 6 fields, not {len(received)}")
    id, tags, description, plans, entries = received[1:]
    plans = [one_of(Plan)(plan) for plan in sequence(plans)]
    entries = sequence(entries)
    if len(entries) > MAX_ENTRIES:
        raise ValueError(f"a protocol has at most {MAX_ENTRIES} plans, not {len(entries)}")
    return Protocol(
        [_entry(entry, plans, context) for entry in entries],
        object_id(id),
        context,
        optional(one_of(frozenset))(tags),
        optional(text)(description),
    )


def _entry(data: Any, plans: list[Plan], context: Any) -> tuple[Any, Plan | PointerPlan]:
    name, resolved, what = items(data)
    name, resolved = object_id(name), flag(resolved)
    if type(what) is Ref:
        if not resolved or what.path:
            raise ValueError("a plan that is on a worker is named by that worker and its id there")
        place = _place(name, context)
        return place, PointerPlan(place, object_id(what.id), context)
    number = dimension(what)
    if number >= len(plans):
        raise ValueError(f"a protocol with {len(plans)} plans of its own has no plan {number}")
    return _place(name, context) if resolved else name, plans[number]


def _place(id: Any, context: Any) -> Any:
    return UnknownLocation(id) if context is None else context.get_worker(id, fail_hard=True)


def _found(hit: Found, location: Any, owner: Any) -> PointerProtocol:
    return PointerProtocol(location, hit.id, owner, None, False, hit.tags or None, hit.description)


register(Protocol, "syft.protocol", _to_wire, _from_wire, subclasses=True)
POINTERS[Protocol.remote_kind] = _found
