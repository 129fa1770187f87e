"""Recording a function that several parties run: a recorder for each role, and what goes from one to another."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from types import ModuleType
from typing import Any

import torch

from syft.core import messages as m
from syft.core.ids import new_id
from syft.core.ops import BY_NAME
from syft.exceptions import PlanBuildError
from syft.plans.dimensions import refs_of
from syft.plans.recorder import Recorder, RecordFactories
from syft.plans.recording import Pattern
from syft.tensors.base import Wrapper, is_wrapper, link_of, unwrap, wrap
from syft.tensors.pointer import PointerTensor
from syft.workers.crossing import copy_of


@dataclass(frozen=True, slots=True)
class Transfer:
    """A tensor goes from one role to another.

    Attributes:
        name: the verb: ``"send"``, ``"get"`` or ``"move"``.
        source: the role that gives it.
        source_id: what it is called there; nothing else uses this tensor.
        destination: the role that takes it.
        id: what it is called from then on.
    """

    name: str
    source: str
    source_id: m.ObjectId
    destination: str
    id: m.ObjectId


@dataclass(slots=True)
class Timeline:
    """What all roles do, in the order in which the function did it.

    Attributes:
        name: of the protocol, for errors.
        events: pairs of a role and an instruction; for a `Transfer` the role is that of its source.
        recorders: by role.
    """

    name: str
    events: list[tuple[str, Any]] = field(default_factory=list)
    recorders: dict[str, RoleRecorder] = field(default_factory=dict)


class _Lane(list[Any]):
    """The instructions of one role; each is noted on the common timeline, too."""

    def __init__(self, role: str, timeline: Timeline) -> None:
        super().__init__()
        self._role, self._timeline = role, timeline

    def append(self, item: Any) -> None:
        super().append(item)
        self._timeline.events.append((self._role, item))


class RoleRecorder(Recorder):
    """Where the tensors of one role are while a protocol is recorded. It is what ``role.worker`` is then.

    Args:
        role: whose.
        timeline: that of the protocol; the recorder enters itself there.
    """

    def __init__(self, role: str, timeline: Timeline) -> None:
        super().__init__(f"{timeline.name} ({role})")
        self.id = f"role {role}"
        self.role = role
        self.timeline = timeline
        self.instructions = _Lane(role, timeline)
        self._senders: dict[m.ObjectId, RoleRecorder] = {}
        timeline.recorders[role] = self

    def request(self, message: Any) -> Any:
        """Run a message on the examples, write it down and answer; verbs between roles become transfers.

        Raises:
            PlanBuildError: it cannot be part of a protocol.
        """
        kind = type(message)
        if kind is m.Put:
            return self._receive(message)
        if kind is m.Take:
            return [self._give_back(ref) for ref in message.refs]
        if kind is m.Relay:
            return self._pass_on(message)
        return super().request(message)

    post = request

    def constant(self, value: torch.Tensor) -> Wrapper:
        """The stand-in for a tensor that was made of plain values: a new one in every run, which may be changed."""
        made = super().constant(value).clone()
        return made  # type: ignore[return-value]

    def _command(self, message: m.Command) -> Any:
        before = len(self.instructions)
        reply = super()._command(message)
        # What is computed from a tensor that a role has sent can be fetched by that role, too.
        operands = refs_of(message.args) + refs_of(message.kwargs)
        senders = {sender.role: sender for ref in operands if (sender := self._senders.get(ref.id)) is not None}
        if len(senders) == 1 and len(self.instructions) > before:
            (sender,) = senders.values()
            self._senders.update(dict.fromkeys(_ids_in(self.instructions[-1].result), sender))
        return reply

    def _receive(self, message: m.Put) -> None:
        for id, obj in message.objects:
            link = unwrap(obj)
            source = getattr(link, "location", None) if isinstance(link, PointerTensor) else None
            if not isinstance(source, RoleRecorder) or source.timeline is not self.timeline:
                raise PlanBuildError(
                    f"protocol {self.timeline.name!r} cannot be recorded: the function sends {self.role!r} a tensor "
                    f"that no role has. Make it with {self.role}.torch, or give it to a role as an argument or state."
                )
            if id in self._store.objects:
                # The same tensor is sent twice. Its second copy gets a name of its own, which the new pointer will
                # take from the link, so that the first one keeps its value.
                id = link.id = new_id()
            self._arrive("send", link, id)
            self._senders[id] = source

    def _give_back(self, ref: m.Ref) -> Wrapper:
        home = self._senders.pop(ref.id, None)
        if home is None:
            raise PlanBuildError(
                f"protocol {self.timeline.name!r} cannot be recorded: .get() brings a tensor back to the one role that "
                f"sent it, or what it was made of, to {self.role!r}, and there is none. Send it where it shall be: "
                "x.send(role.worker)."
            )
        link, id = self._pointer(ref.id), new_id()
        link.gc = False
        home._arrive("get", link, id)
        return wrap(home._pointer(id))

    def _pass_on(self, message: m.Relay) -> None:
        destination = next((r for r in self.timeline.recorders.values() if r.id == message.destination), None)
        if destination is None or message.leave_pointer:
            what = f"moves a tensor to {message.destination!r}" if destination is None else "uses remote_send"
            raise PlanBuildError(
                f"protocol {self.timeline.name!r} cannot be recorded: the function {what}. Tensors go from role to "
                "role, with x.send(role.worker) or x.move(role.worker)."
            )
        for old, new in zip(message.ids, message.as_ids, strict=True):
            link = self._pointer(old)
            link.gc = False
            destination._arrive("move", link, new)
            self._senders.pop(old, None)

    def _arrive(self, verb: str, link: PointerTensor, id: m.ObjectId) -> None:
        source: RoleRecorder = link.location
        # What travels is a copy made right now: in-place ops of the sender afterwards must not reach it, whenever
        # the transfer is carried out.
        sent = PointerTensor.default(BY_NAME["Tensor.clone"], (link,), {})
        self._store.put(id, copy_of(source._store.get(sent.id_at_location)))
        transfer = Transfer(verb, source.role, sent.id_at_location, self.role, id)
        source.instructions.append(transfer)
        if source is not self:
            list.append(self.instructions, transfer)  # it is on the common timeline already


class RoleTorch:
    """torch for one role: what makes tensors out of nothing makes them there.

    Args:
        recorder: of the role.
        module: torch, or a module of it.
    """

    def __init__(self, recorder: RoleRecorder, module: ModuleType = torch) -> None:
        self._recorder, self._module = recorder, module

    def __getattr__(self, name: str) -> Any:
        names = vars(self._module)
        if name not in names:
            raise AttributeError(f"{self._module.__name__} has no {name!r}")
        found = names[name]
        if isinstance(found, ModuleType):
            return RoleTorch(self._recorder, found)
        if isinstance(found, type) or not callable(found):
            return found
        return self._bound(found)

    def _bound(self, function: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **kwargs: Any) -> Any:
            with RecordFactories(self._recorder):
                return function(*args, **kwargs)

        return call

    def __dir__(self) -> list[str]:
        return dir(self._module)


def _ids_in(pattern: Pattern) -> list[m.ObjectId]:
    if isinstance(pattern, tuple):
        return [id for part in pattern for id in _ids_in(part)]
    return [] if pattern is None else [pattern]


def outputs_of(returned: Any, timeline: Timeline) -> list[tuple[str, m.ObjectId]]:
    """What the function of a protocol returns: roles, and names there that nothing else has.

    Args:
        returned: a tensor of a role, None, or a list or tuple of these, however nested.
        timeline: of the protocol.

    Raises:
        PlanBuildError: there is something else in it.
    """
    names: list[tuple[str, m.ObjectId]] = []
    for tensor in _flat(returned):
        link: Any = link_of(tensor) if is_wrapper(tensor) else None
        recorder = getattr(link, "location", None) if isinstance(link, PointerTensor) else None
        if not isinstance(recorder, RoleRecorder) or recorder.timeline is not timeline:
            raise PlanBuildError(
                f"protocol {timeline.name!r} returns a {type(tensor).__name__} that no role has; it can return tensors "
                "of its roles, and lists and tuples of these."
            )
        name = recorder.role, link.id_at_location
        if link.path or name in names or link.id_at_location in {*recorder.state, *recorder.inputs}:
            # Whoever gets it may keep it, change it or let it die: it must not be the role's own.
            copy = PointerTensor.default(BY_NAME["Tensor.clone"], (link,), {})
            name = recorder.role, copy.id_at_location
        names.append(name)
    return names


def _flat(returned: Any) -> list[Any]:
    if isinstance(returned, (list, tuple)):
        return [tensor for part in returned for tensor in _flat(part)]
    return [] if returned is None else [returned]
