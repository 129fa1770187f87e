"""`func2protocol`: a protocol written as one function of all parties; each party then runs its own part."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import torch

from syft.core.ids import new_id
from syft.core.session import SESSION
from syft.exceptions import (
    NotLocalError,
    PlanArgumentError,
    PlanBuildError,
    PlanNotBuiltError,
    ProtocolError,
    TensorsNotCollocatedException,
    UnsupportedOp,
    UsageError,
    WorkerNotFoundException,
)
from syft.plans.build import undisturbed_randomness
from syft.plans.decorators import dummy_args
from syft.plans.role import Role
from syft.plans.role_assignments import RoleAssignments
from syft.plans.role_recorder import Timeline, outputs_of
from syft.plans.role_run import Deployment, RemoteRun, Results, run_here
from syft.plans.role_segments import Name, Schedule, scheduled

Shape = Sequence[int]
_UNRECORDABLE = (TensorsNotCollocatedException, NotLocalError, UnsupportedOp, WorkerNotFoundException)


class RoleProtocol:
    """A protocol made of one function; see `func2protocol`.

    Args:
        function: takes one `Role` for each name.
        roles: their names.
        args_shape: shapes of the arguments of each role.
        states: tensors or modules of each role.
        args_dtypes: dtypes of the arguments of each role; float32 when None.

    Attributes:
        roles: by name.
        role_assignments: which worker plays which role.
    """

    def __init__(
        self,
        function: Callable[..., Any],
        roles: Sequence[str],
        args_shape: Mapping[str, Iterable[Shape]] | None = None,
        states: Mapping[str, Any] | None = None,
        args_dtypes: Mapping[str, Sequence[Any]] | None = None,
    ) -> None:
        self.name = function.__name__
        self.id = new_id()
        self.owner = SESSION.local_worker
        self._function = function
        self.role_assignments = RoleAssignments(roles)
        names = list(self.role_assignments.assignments)
        for given in (args_shape, states, args_dtypes):
            for role in given or ():
                self.role_assignments.check(role)
        self.roles = {role: Role(role, (states or {}).get(role)) for role in names}
        _check_apart(self.roles.values())
        self._shapes = {role: list((args_shape or {}).get(role, ())) for role in names}
        self._dtypes = {role: (args_dtypes or {}).get(role) for role in names}
        self._schedule: Schedule | None = None
        self._deployments: dict[str, Deployment] = {}

    # --- recording ----------------------------------------------------------------------------------

    @property
    def is_built(self) -> bool:
        """Whether the function has been recorded."""
        return self._schedule is not None

    def build(self, **examples: Any) -> None:
        """Record the function; an earlier recording is dropped.

        Args:
            **examples: by role, a tuple of tensors; zeros of ``args_shape`` for a role that is left out.

        Raises:
            PlanBuildError: the function does something that cannot be recorded.
        """
        for name in examples:
            self.role_assignments.check(name)
        self.get()
        self._schedule = None
        timeline = Timeline(self.name)
        started: list[Role] = []
        try:
            for role in self.roles.values():
                started.append(role)
                given = examples.get(role.name)
                shapes, dtypes = self._shapes[role.name], self._dtypes[role.name]
                role.start(timeline, dummy_args(shapes, dtypes) if given is None else _many(given))
            with undisturbed_randomness(self.name):
                returned = self._function(*self.roles.values())
            for recorder in timeline.recorders.values():
                recorder.check_options()
            self._schedule = scheduled(timeline, outputs_of(returned, timeline))
        except _UNRECORDABLE as error:
            raise PlanBuildError(
                f"protocol {self.name!r} cannot be recorded: {error} Make tensors with role.torch, pass others in as "
                "state or arguments of a role, and send them between roles with x.send(role.worker)."
            ) from error
        finally:
            for role in started:
                if role.is_recording:
                    role.finish()

    # --- assignments --------------------------------------------------------------------------------

    def assign(self, role: str, worker: Any) -> None:
        """Let a worker play a role.

        Args:
            role: its name.
            worker: a worker, an id, or a list of these; of several, the first one plays the role.

        Raises:
            ValueError: there is no such role.
        """
        self.role_assignments.assign(role, worker)

    def assign_roles(self, assignments: Mapping[str, Any]) -> None:
        """Let workers play roles: `assign` for each item."""
        for role in assignments:
            self.role_assignments.check(role)
        for role, worker in assignments.items():
            self.assign(role, worker)

    def unassign(self, role: str, worker: Any = None) -> None:
        """Let a worker, or all workers of a role, no longer play it.

        Raises:
            ValueError: there is no such role, or the worker does not play it.
        """
        self.role_assignments.unassign(role, worker)

    def reset(self) -> None:
        """Let nobody play any role: the protocol runs here again."""
        self.role_assignments.reset()

    # --- running ------------------------------------------------------------------------------------

    def __call__(self, **arguments: Any) -> Results:
        """Run the protocol: each role on its worker, or all of it here if no role is assigned.

        Args:
            **arguments: for each role that takes some, a tuple: ``protocol(alice=(x, y), bob=(z,))``. Pointers into
                the worker of the role, or local tensors.

        Returns:
            For each role a tuple of what the function returns of it: pointers, or tensors if it ran here.

        Raises:
            PlanArgumentError: a role gets other arguments than it was recorded with.
            ProtocolError: some roles are assigned and others are not.
        """
        if self._schedule is None:
            raise PlanNotBuiltError(f"protocol {self.name!r} is not built: call protocol.build().")
        given = self._bound(arguments)
        workers = self.role_assignments.players()
        if not workers:
            self.get()
            state = {name: tensor for role in self.roles.values() for name, tensor in role.tensors.items()}
            return run_here(self._schedule, {**state, **given}, self.roles)
        missing = [role for role in self.roles if role not in workers]
        if missing:
            raise ProtocolError(
                f"protocol {self.name!r} has no worker for {', '.join(missing)}: call protocol.assign(role, worker) "
                "for every role, or for none to run it here."
            )
        for role, worker in workers.items():
            self._deploy(role, worker, self._schedule)
        return RemoteRun(self._schedule, {role: self._deployments[role] for role in self.roles}).run(given)

    run = __call__

    def _deploy(self, role: str, worker: Any, schedule: Schedule) -> None:
        held = self._deployments.get(role)
        if held is not None and held.worker == worker:
            return
        if held is not None:
            self._deployments.pop(role).withdraw()
        self._deployments[role] = Deployment(role, worker, schedule, self.roles[role].tensors)

    def get(self) -> RoleProtocol:
        """Bring the state of all roles back from their workers, which forget their parts; returns the protocol."""
        while self._deployments:
            _, deployment = self._deployments.popitem()
            deployment.withdraw()
        return self

    def _bound(self, arguments: dict[str, Any]) -> dict[Name, Any]:
        bound: dict[Name, Any] = {}
        for name in arguments:
            self.role_assignments.check(name)
        for role in self.roles.values():
            values = _many(arguments.get(role.name, ()))
            if len(values) != len(role.inputs):
                raise PlanArgumentError(
                    f"Role {role.name} of protocol {self.name} requires {len(role.inputs)} arguments, received "
                    f"{len(values)}. Arguments are given by role: protocol({role.name}=(x, ...))."
                )
            bound.update(zip(role.inputs, values, strict=True))
        return bound

    def __repr__(self) -> str:
        owner = getattr(self.owner, "id", self.owner)
        built = " built" if self.is_built else ""
        players = self.role_assignments.players()
        lines = "".join(f"\n - {role}: {players[role].id if role in players else 'here'}" for role in self.roles)
        return f"<{type(self).__name__} {self.name} id:{self.id} owner:{owner}{built}>{lines}"


def _many(values: Any) -> list[Any]:
    tensors = list(values) if isinstance(values, (list, tuple)) else [values]
    for position, value in enumerate(tensors):
        if type(value) in (bool, int, float):
            tensors[position] = torch.tensor(value)
        elif not isinstance(value, torch.Tensor):
            raise PlanArgumentError(f"the arguments of a role are tensors and numbers, not a {type(value).__name__}.")
    return tensors


def _check_apart(roles: Iterable[Role]) -> None:
    whose: dict[int, str] = {}
    for role in roles:
        for label, tensor in role.given:
            if whose.setdefault(id(tensor), role.name) != role.name:
                raise UsageError(
                    f"{label} of role {role.name!r} is state of {whose[id(tensor)]!r}, too; each role has tensors of "
                    "its own, so give one of them a clone()"
                )


class func2protocol:
    """Decorator: make a protocol of a function of several roles. It is recorded at once.

    Args:
        roles: their names; the function takes one `Role` for each, in this order.
        args_shape: for roles that take arguments, the shapes of these; -1 is any size. The function finds the
            arguments as ``role.args``.
        states: for roles that have tensors or modules of their own, these. The function finds the tensors with
            ``role.load_state()``, and calls the modules.
        args_dtypes: for roles that take arguments, their dtypes; float32 when None.

    Raises:
        ValueError: a role is not among ``roles``, a shape is not one, or the function cannot be recorded.

    Example:
        >>> import syft as sy, torch
        >>> hook = sy.TorchHook(torch)
        >>> @func2protocol(roles=["giver", "taker"], args_shape={"giver": ((1,),)})
        ... def double_there(giver, taker):
        ...     (x,) = giver.args
        ...     return x.send(taker.worker) * 2
        >>> double_there(giver=(torch.tensor([3.0]),))
        {'giver': (), 'taker': (tensor([6.]),)}
        >>> kim, lou = sy.VirtualWorker(hook, id="kim"), sy.VirtualWorker(hook, id="lou")
        >>> double_there.assign_roles({"giver": kim, "taker": lou})
        >>> (result,) = double_there(giver=(torch.tensor([4.0]).send(kim),))["taker"]
        >>> result.location.id, result.get()
        ('lou', tensor([8.]))
    """

    def __init__(
        self,
        roles: Sequence[str] = (),
        args_shape: Mapping[str, Iterable[Shape]] | None = None,
        states: Mapping[str, Any] | None = None,
        args_dtypes: Mapping[str, Sequence[Any]] | None = None,
    ) -> None:
        for given, what in ((args_shape, "args_shape"), (states, "states"), (args_dtypes, "args_dtypes")):
            if given is not None and not isinstance(given, Mapping):
                raise UsageError(f'{what} of a protocol is a dict by role, for example {what}={{"alice": ...}}')
        self.roles = roles
        self.args_shape, self.states, self.args_dtypes = args_shape, states, args_dtypes

    def __call__(self, function: Callable[..., Any]) -> RoleProtocol:
        """The protocol of a function."""
        protocol = RoleProtocol(function, self.roles, self.args_shape, self.states, self.args_dtypes)
        protocol.build()
        return protocol
