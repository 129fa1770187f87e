"""Running a protocol of roles: here, one segment after the other, or each role on the worker it is assigned to."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import torch

from syft.core.ids import new_id
from syft.core.messages import Call, Forget, ObjectId, Put, Ref, Relay, Take
from syft.core.session import SESSION
from syft.exceptions import PlanArgumentError, ProtocolError
from syft.plans.plan import Plan
from syft.plans.role_recorder import Transfer
from syft.plans.role_segments import Name, Schedule, Segment
from syft.tensors.base import is_wrapper, link_of, wrap
from syft.tensors.pointer import PointerTensor, pointer_to
from syft.workers.crossing import copy_of

Results = dict[str, tuple[Any, ...]]


def run_here(schedule: Schedule, tensors: Mapping[Name, torch.Tensor], roles: Iterable[str]) -> Results:
    """Run all roles in this process.

    Args:
        schedule: what to run.
        tensors: arguments and state.
        roles: all of them.

    Returns:
        For each role the tensors of it that the protocol returns.

    Raises:
        PlanArgumentError: an argument is on a worker.
    """
    known = dict(tensors)
    for (role, _), tensor in tensors.items():
        if is_wrapper(tensor):
            raise PlanArgumentError(
                f"an argument of role {role!r} is {link_of(tensor)}, and no role is assigned to a worker, so the "
                "protocol runs here; assign the roles to the workers where their data are."
            )

    def deliver(arrivals: Iterable[Transfer]) -> None:
        for t in arrivals:
            known[t.destination, t.id] = copy_of(known[t.source, t.source_id])

    for segment in schedule.segments:
        deliver(segment.arrivals)
        made = segment.plan(*[known[segment.role, id] for id in segment.reads])
        known.update({(segment.role, id): tensor for id, tensor in zip(segment.writes, made, strict=True)})
    deliver(schedule.arrivals)
    return by_role(roles, [(role, known[role, id]) for role, id in schedule.outputs])


def by_role(roles: Iterable[str], results: Iterable[tuple[str, Any]]) -> Results:
    """Results as a dict with all roles, those without results included."""
    collected: dict[str, list[Any]] = {role: [] for role in roles}
    for role, result in results:
        collected[role].append(result)
    return {role: tuple(values) for role, values in collected.items()}


class Deployment:
    """What a worker holds for a role between runs: its plans and the tensors of its state.

    Args:
        role: the role.
        worker: who plays it.
        schedule: of the protocol.
        state: tensors of the role by name.
    """

    def __init__(self, role: str, worker: Any, schedule: Schedule, state: Mapping[Name, torch.Tensor]) -> None:
        self.worker = worker
        self._state = [(name, tensor, new_id()) for name, tensor in state.items() if name[0] == role]
        # Plans of their own: what an optimizer remembers of runs elsewhere is about other tensors.
        self._plans = [(s, Plan.restored(s.plan.recording, [])) for s in schedule.segments if s.role == role]
        objects = [(plan.id, plan) for _, plan in self._plans] + [(id, tensor) for _, tensor, id in self._state]
        if objects:
            worker.request(Put(tuple(objects)))

    def plan_id(self, segment: Segment) -> ObjectId:
        """Where the plan of a segment is."""
        return next(plan.id for other, plan in self._plans if other is segment)

    def state(self) -> dict[Name, Ref]:
        """Where the state is."""
        return {name: Ref(id) for name, _, id in self._state}

    def withdraw(self) -> None:
        """Bring the state back, into the tensors that it was sent from; the worker forgets all of it."""
        ids = [plan.id for _, plan in self._plans]
        if self._state:
            fetched = self.worker.request(Take(tuple(Ref(id) for _, _, id in self._state)))
            with torch.no_grad():
                for (_, tensor, _), value in zip(self._state, fetched, strict=True):
                    tensor.copy_(value)
        if ids:
            self.worker.request(Forget(tuple(ids)))
        self._state, self._plans = [], []


class RemoteRun:
    """One run on the workers.

    Args:
        schedule: what to run.
        deployments: by role.
    """

    def __init__(self, schedule: Schedule, deployments: Mapping[str, Deployment]) -> None:
        self._schedule = schedule
        self._deployments = deployments
        self._known: dict[Name, Any] = {name: ref for d in deployments.values() for name, ref in d.state().items()}
        self._left: dict[Any, set[ObjectId]] = {d.worker.id: set() for d in deployments.values()}

    def run(self, arguments: Mapping[Name, Any]) -> Results:
        """Run every segment on its worker; workers send each other their tensors directly.

        Args:
            arguments: pointers into the workers of their roles, and local tensors, which are sent there.

        Returns:
            For each role pointers to the tensors of it that the protocol returns.

        Raises:
            ProtocolError: an argument is on another worker than its role.
        """
        try:
            for name, value in arguments.items():
                self._known[name] = self._argument(name, value)
            for segment in self._schedule.segments:
                self._deliver(segment.arrivals)
                self._call(segment)
            self._deliver(self._schedule.arrivals)
            return by_role(self._deployments, [(name[0], self._result(name)) for name in self._schedule.outputs])
        finally:
            self._clear()

    def _worker(self, role: str) -> Any:
        return self._deployments[role].worker

    def _argument(self, name: Name, value: Any) -> Any:
        worker = self._worker(name[0])
        link = link_of(value) if is_wrapper(value) else None
        if link is not None:
            if isinstance(link, PointerTensor) and link.location == worker:
                return link.ref
            raise ProtocolError(
                f"role {name[0]!r} is assigned to {worker.id!r}, and an argument of it is {link}; "
                "send or move it there."
            )
        if self._schedule.readers(name) < 2:
            return value  # travels with the call of its only reader
        id = new_id()
        worker.request(Put(((id, value),)))
        self._left[worker.id].add(id)
        return Ref(id)

    def _deliver(self, arrivals: Iterable[Transfer]) -> None:
        batches: dict[tuple[str, str], list[Transfer]] = {}
        for transfer in arrivals:
            batches.setdefault((transfer.source, transfer.destination), []).append(transfer)
        for (source, destination), batch in batches.items():
            giver, taker = self._worker(source), self._worker(destination)
            refs = [self._known[source, t.source_id] for t in batch]
            if giver != taker:
                old, new = tuple(ref.id for ref in refs), tuple(new_id() for _ in batch)
                giver.request(Relay(old, taker.id, new))
                self._left[giver.id].difference_update(old)
                self._left[taker.id].update(new)
                refs = [Ref(id) for id in new]
            self._known.update({(destination, t.id): ref for t, ref in zip(batch, refs, strict=True)})

    def _call(self, segment: Segment) -> None:
        worker = self._worker(segment.role)
        args = tuple(self._known[segment.role, id] for id in segment.reads)
        plan = self._deployments[segment.role].plan_id(segment)
        made = worker.request(Call(Ref(plan), args, {}, new_id(), grad_enabled=torch.is_grad_enabled()))
        worker.gradients.clear()
        for id, stored in zip(segment.writes, made, strict=True):
            self._known[segment.role, id] = Ref(stored.id)
            self._left[worker.id].add(stored.id)

    def _result(self, name: Name) -> Any:
        worker, ref = self._worker(name[0]), self._known[name]
        self._left[worker.id].discard(ref.id)
        return wrap(pointer_to(worker, ref.id, SESSION.local_worker))

    def _clear(self) -> None:
        workers = {d.worker.id: d.worker for d in self._deployments.values()}
        for id, left in self._left.items():
            if left:
                workers[id].request(Forget(tuple(left)))
