"""`Plan`: a function that was recorded once and runs anywhere, with the tensors that belong to it."""

from __future__ import annotations

import copy
import functools
import inspect
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import torch
from torch import nn

from syft.core.ids import new_id
from syft.core.messages import Put, Ref
from syft.core.session import SESSION
from syft.encoded.tensor import EncodedTensor
from syft.exceptions import PlanArgumentError, PlanBuildError, PlanNotBuiltError, UsageError
from syft.mpc.sharing import duplicated, is_shared
from syft.plans import code
from syft.plans.build import Owned, record
from syft.plans.encoded_state import EncodedState, own_shares
from syft.plans.epochs import run_epochs
from syft.plans.pointer import PointerPlan
from syft.plans.program import Program
from syft.plans.recorder import recorder_of
from syft.plans.recording import Instruction, Recording
from syft.plans.state import Attributes, State, owned_by, owned_by_state
from syft.plans.tree import bind, shapes_of
from syft.tensors.verbs import own

# Attributes of a plan itself, in which no state of its user is looked for.
_OWN = frozenset({"_recording", "_program", "_state", "_given_state", "_optimizers", "_pointers"})


class Plan(EncodedState):
    """A recorded function with its tensors. Subclass it and write ``forward``, or use `func2plan`.

    Tensors, modules and plans that are attributes are the state: it is sent with the plan, lives where the plan
    lives, and is trained there. It can be encoded and shared in place, see `EncodedState`: the plan then runs on
    arguments that are shared among the same holders.

    Args:
        name: what it is called; the name of the class when None.
        id: its id here and on every worker; drawn when None.
        owner: the worker it belongs to; the local one when None.
        tags: words to find it by.
        description: a text about it.
        forward: the function, if it is not a method.
        state: tensors or modules that the function uses.

    Example:
        >>> import syft as sy, torch
        >>> hook = sy.TorchHook(torch)
        >>> eve = sy.VirtualWorker(hook, id="eve")
        >>> class Double(sy.Plan):
        ...     def forward(self, x):
        ...         return x + x
        >>> plan = Double()
        >>> plan.build(torch.ones(1))
        >>> plan.send(eve)(torch.tensor([1.0, 2.0]).send(eve)).get()
        tensor([2., 4.])
    """

    remote_kind = "plan"
    remote_methods = frozenset({"__call__", "parameters", "run_epochs"})

    forward: Callable[..., Any] | None = None

    def __init__(
        self,
        name: str | None = None,
        *,
        id: Any = None,
        owner: Any = None,
        tags: Iterable[Any] | None = None,
        description: str | None = None,
        forward: Callable[..., Any] | None = None,
        state: Any = None,
    ) -> None:
        self.name = type(self).__name__ if name is None else name
        self.id = new_id() if id is None else id
        self.owner = SESSION.local_worker if owner is None else owner
        self.tags = None if tags is None else set(tags)
        self.description = description
        if forward is not None:
            self.forward = forward
        self._given_state = state
        self._recording: Recording | None = None
        self._program: Program | None = None
        self._state: State | None = None
        self._optimizers: dict[int, Any] = {}
        self._pointers: dict[Any, PointerPlan] = {}

    @classmethod
    def restored(cls, recording: Recording, tensors: Sequence[torch.Tensor], **about: Any) -> Plan:
        """A plan without a Python function, from its recording.

        Args:
            recording: what it does.
            tensors: its state, in order.
            **about: ``id``, ``owner``, ``tags`` and ``description``.

        Raises:
            PlanBuildError: there are more or fewer tensors than the recording has.
            UnsupportedOp: the recording has an op that is not in the op table.
        """
        if len(tensors) != recording.state:
            raise PlanBuildError(f"plan {recording.name!r} has {recording.state} tensors of state, not {len(tensors)}.")
        plan = Plan(recording.name, **about)
        plan._recording, plan._program = recording, Program(recording)
        plan._state = State(zip(recording.state_names, tensors, strict=True))
        return plan

    # --- state --------------------------------------------------------------------------------------

    def owned(self) -> list[Owned]:
        """Names and tensors of the state, as it is now."""
        if self.forward is None and self._state is not None:
            return self._state.owned()
        given = owned_by_state(self._given_state)
        return given + owned_by({name: value for name, value in vars(self).items() if name not in _OWN})

    @property
    def state(self) -> State:  # type: ignore[override]
        """The tensors of the plan; ``state.read()`` gives those that were passed as ``state=``."""
        return self._state if self._state is not None else State(self.owned())

    def parameters(self) -> list[torch.Tensor]:
        """The tensors of the state, for an optimizer."""
        return self.state.tensors()

    # --- recording ----------------------------------------------------------------------------------

    @property
    def is_built(self) -> bool:
        """Whether the function has been recorded."""
        return self._recording is not None

    @property
    def recording(self) -> Recording:
        """What was recorded.

        Raises:
            PlanNotBuiltError: nothing was.
        """
        if self._recording is None:
            raise PlanNotBuiltError(f"plan {self.name!r} is not built: call plan.build(example, ...) first.")
        return self._recording

    def build(self, *args: Any, trace_autograd: bool = True, **kwargs: Any) -> None:
        """Run the function once on examples and record it; an earlier recording is dropped.

        What the function computes from ``x.shape`` is recorded as a computation, so the plan runs on other sizes.
        Where Python decided by a size, the plan refuses sizes for which it would have decided otherwise.

        Args:
            *args: example arguments: tensors, plain values, and lists, tuples and dicts of these. Plain values become
                part of the recording.
            trace_autograd: accepted for 0.2.5 code; backward passes are always recorded.
            **kwargs: likewise.

        Raises:
            PlanBuildError: the function does something that cannot be recorded.
        """
        if self.forward is None:
            raise PlanBuildError(f"plan {self.name!r} has no Python function to record; it was recorded elsewhere.")
        last = self._passed_state()
        owned = self.owned()
        function = _with_torch(self.forward)
        attributes = Attributes(self)
        try:
            recording, tensors = record(self.name, function, args, kwargs, owned, last=last)
        finally:
            assigned = attributes.restore()
        if assigned:
            raise PlanBuildError(
                f"plan {self.name!r} cannot be recorded: the function assigns {', '.join(assigned)}, and a plan cannot "
                "assign attributes when it runs elsewhere. Change tensors in place, as in self.count.add_(1)."
            )
        self._recording, self._program = recording, Program(recording)
        self._state = State(zip(recording.state_names, tensors, strict=True), len(owned))
        self._optimizers, self._pointers = {}, {}

    def _passed_state(self) -> tuple[State, ...]:
        # Functions get the tensors of their state as a last argument; modules they know by themselves.
        parts = self._given_state if isinstance(self._given_state, (list, tuple)) else (self._given_state,)
        given = [part for part in parts if isinstance(part, torch.Tensor)]
        return (State(owned_by_state(given)),) if given else ()

    # --- running ------------------------------------------------------------------------------------

    def with_state(self, state: State) -> Plan:
        """The same recording over other tensors, which are used, not copied.

        Args:
            state: as many tensors as this plan's, in the same order.

        Raises:
            PlanBuildError: there are more or fewer.
        """
        return Plan.restored(self.recording, state.tensors(), owner=self.owner)

    def load_state(self, other: Plan) -> Plan:
        """Copy the values of another plan's state into this plan's tensors, for example after training elsewhere.

        Args:
            other: with the same state, such as ``pointer.get()`` returns.

        Returns:
            This plan.

        Raises:
            PlanArgumentError: the states differ in number, names or shapes.
        """
        mine, theirs = self.state, other.state
        shapes = [[tuple(tensor.shape) for tensor in state] for state in (mine, theirs)]
        if mine.names != theirs.names or shapes[0] != shapes[1]:
            raise PlanArgumentError(
                f"the state of plan {other.name!r} is {theirs}, that of {self.name!r} is {mine}; they must be alike."
            )
        with torch.no_grad():
            for tensor, value in zip(mine, theirs, strict=True):
                tensor.copy_(value)
        return self

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Run the plan here: its Python function if it has one, else the recording.

        Args:
            *args: as the function takes them.
            **kwargs: likewise.

        Returns:
            What the function returns.

        Raises:
            PlanArgumentError: the arguments are not those of the recording.
            PlanConditionError: the recording does not hold for these arguments.
        """
        recorder = recorder_of((args, kwargs))
        if recorder is not None:  # inside another plan
            for label, tensor in self.owned():
                recorder.adopt(tensor, f"{self.name}.{label}")
        if self.forward is not None:
            return _with_torch(self.forward)(*args, *self._passed_state(), **kwargs)
        if self._program is None:
            raise PlanNotBuiltError(f"plan {self.name!r} has neither a function nor a recording to run.")
        inputs = bind(self._program.recording, args, kwargs)
        optimizers = self._optimizers if recorder is None else functools.partial(recorder.replay, self.id)
        state = self.state.tensors()
        return own_shares(self._program.run(inputs, state, optimizers), [*inputs.values(), *state])

    def run_over(self, tensors: Sequence[torch.Tensor], *args: Any) -> Any:
        """Run the recording once with other tensors in the place of the state; nothing of the run stays with the plan.

        Args:
            tensors: as many as the state has, in its order; in-place ops change them.
            *args: as the function takes them.

        Raises:
            PlanNotBuiltError: nothing was recorded.
            PlanArgumentError: the arguments are not those of the recording.
            PlanConditionError: the recording does not hold for these arguments.
        """
        program = Program(self.recording) if self._program is None else self._program
        return program.run(bind(program.recording, args, {}), tensors, {})

    def run_epochs(self, *tensors: Any, **options: Any) -> torch.Tensor:
        """Run the plan on every batch of tensors, over and over; see `syft.plans.epochs.run_epochs`."""
        return run_epochs(self, *tensors, **options)

    # --- elsewhere ----------------------------------------------------------------------------------

    def send(self, *workers: Any, force: bool = False, refresh: bool = False) -> PointerPlan:
        """Store the plan with its state on workers.

        Args:
            *workers: workers or their ids.
            force: 0.2.4's way to send a plan that is not built; there is nothing to send then.
            refresh: send it again where it was sent before, with the state as it is now.

        Returns:
            A pointer to it, with one location for each worker. A second call gives the very same pointer.

        Raises:
            PlanNotBuiltError: it is not built.
        """
        if not workers:
            raise UsageError("send() needs a worker to send to, for example plan.send(bob)")
        if not self.is_built:
            hint = " There is nothing to force: an unrecorded function cannot be sent." if force else ""
            raise PlanNotBuiltError(f"A plan needs to be built before being sent to a worker.{hint}")
        places = [SESSION.worker(worker) for worker in workers]
        for place in places:
            if refresh or place.id not in self._pointers:
                leaving = self.leaving()
                place.request(Put(((self.id, leaving),), owning=leaving is not self))
                if leaving is not self:
                    own(leaving, False)
                self._pointers[place.id] = self._pointer([place])
        if len(places) == 1:
            return self._pointers[places[0].id]
        return self._pointer(places)

    def leaving(self) -> Plan:
        """What goes to another worker: this plan. Of a shared state it is one with shares of its own, made at their
        holders, which whoever gets it is to own: a plan there does not depend on the plan here."""
        if not self.is_shared:
            return self
        twin = self.copy()
        twin.id = self.id
        return twin

    def _pointer(self, places: list[Any]) -> PointerPlan:
        pointer = PointerPlan(places, self.id, self.owner, tags=self.tags)
        pointer.sent = self._pointers
        pointer.gives_tensor = self._program is not None and type(self._program.recording.output) is Ref
        return pointer

    def get_pointers(self) -> dict[Any, PointerPlan]:
        """Where the plan was sent: pointers by worker id."""
        return dict(self._pointers)

    @property
    def pointers(self) -> dict[Any, PointerPlan]:
        """Where the plan was sent: pointers by worker id."""
        return self.get_pointers()

    def copy(self) -> Plan:
        """A plan with a new id, the same recording and copies of the tensors, without the Python function."""
        tensors = [_copied(tensor) for tensor in self.state]
        return Plan.restored(self.recording, tensors, owner=self.owner, tags=self.tags, description=self.description)

    def lent(self, borrower: Any, like: Callable[[torch.Tensor], torch.Tensor]) -> Plan:
        """This plan for one client of a worker: nothing that the client does with it changes the original.

        Args:
            borrower: the worker that it belongs to then.
            like: makes the client's tensor of one of the state.
        """
        recording, tensors = self.recording, [like(tensor) for tensor in self.state]
        return Plan.restored(
            recording, tensors, id=self.id, owner=borrower, tags=self.tags, description=self.description
        )

    def tag(self, *tags: Any) -> Plan:
        """Add tags; returns the plan. They travel with the next ``send``."""
        self.tags = (self.tags or set()) | set(tags)
        return self

    def describe(self, description: str) -> Plan:
        """Set the description; returns the plan."""
        self.description = description
        return self

    # --- text ---------------------------------------------------------------------------------------

    @property
    def actions(self) -> list[Instruction]:
        """What was recorded, instruction by instruction; empty before ``build``."""
        return [] if self._recording is None else list(self._recording.instructions)

    @property
    def readable_plan(self) -> list[Instruction]:
        """0.2.4's other name for ``actions``."""
        return self.actions

    @property
    def code(self) -> str:
        """The recording as Python code, with ``arg_1``, ``state_1``, ``var_1`` and ``out_1`` for tensors."""
        return code.readable(self.recording)

    def get_args_shape(self) -> list[tuple[int, ...]]:
        """The shapes of the tensors that the plan was built with, in order.

        Raises:
            PlanNotBuiltError: it was not.
        """
        return shapes_of(self.recording)

    def create_dummy_args(self) -> list[torch.Tensor]:
        """Zeros of the shapes that the plan was built with.

        Raises:
            PlanNotBuiltError: it was not.
        """
        return [torch.zeros(shape) for shape in self.get_args_shape()]

    def __deepcopy__(self, memo: dict[int, Any]) -> Plan:
        twin = type(self).__new__(type(self))
        memo[id(self)] = twin
        memo[id(self.owner)] = self.owner
        shared: dict[str, Any] = {"_recording": self._recording, "_program": self._program}
        shared |= {"_pointers": {}, "id": new_id()}
        for name, value in vars(self).items():
            vars(twin)[name] = shared[name] if name in shared else copy.deepcopy(value, memo)
        return twin

    def __repr__(self) -> str:
        return f"{code.header(self)}\n{code.numbered(self.name, self._recording)}"

    def __str__(self) -> str:
        return self.__repr__()


def _with_torch(function: Callable[..., Any]) -> Callable[..., Any]:
    """0.2.5's form of a plan function: an argument called ``torch`` gets torch itself."""
    signature = inspect.signature(function)
    if "torch" not in signature.parameters:
        return function
    taken = signature.replace(parameters=[p for name, p in signature.parameters.items() if name != "torch"])

    @functools.wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        return function(**taken.bind(*args, **kwargs).arguments, torch=torch)

    call.__signature__ = taken  # type: ignore[attr-defined]
    return call


def _copied(tensor: torch.Tensor) -> torch.Tensor:
    shared = isinstance(tensor, EncodedTensor) and is_shared(tensor)
    out = (duplicated(tensor) if shared else tensor).detach().clone()
    if isinstance(tensor, nn.Parameter):
        return nn.Parameter(out, tensor.requires_grad)
    return out.requires_grad_(tensor.requires_grad)
