"""`RoleAssignments`: which workers play which role of a protocol."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from syft.core.session import SESSION
from syft.exceptions import UsageError


class RoleAssignments:
    """Workers by role. Making one does not make or register any worker.

    Args:
        role_ids: names of the roles.
        assignments: workers by role, instead of names only.

    Attributes:
        assignments: for each role a list of workers.

    Raises:
        ValueError: there are no roles, or a name is none.

    Example:
        >>> RoleAssignments(["alice", "bob"]).assignments
        {'alice': [], 'bob': []}
    """

    def __init__(self, role_ids: Iterable[str] = (), assignments: Mapping[str, Iterable[Any]] | None = None) -> None:
        names = list(role_ids) if not assignments else list(assignments)
        if isinstance(role_ids, str) or any(type(name) is not str or not name for name in names):
            raise UsageError(f"roles are a list of names, not {role_ids!r:.80}")
        if not names or len(set(names)) != len(names):
            raise UsageError(
                f'a protocol has one or more roles of different names, such as ["alice", "bob"], not {names}'
            )
        self.assignments: dict[str, list[Any]] = {role: list((assignments or {}).get(role, ())) for role in names}

    def check(self, role_id: Any) -> None:
        """Refuse a name that is not among the roles.

        Raises:
            ValueError: it is not.
        """
        if role_id not in self.assignments:
            raise UsageError(
                f"role_id {role_id} not present in RoleAssignments with roles {', '.join(self.assignments)}"
            )

    def assign(self, role_id: str, worker: Any) -> None:
        """Add a worker, or a list of workers, to those of a role.

        Args:
            role_id: the role.
            worker: a worker, an id of one, or a list of these.

        Raises:
            ValueError: there is no such role.
            WorkerNotFoundException: no worker of that id is known.
        """
        self.check(role_id)
        workers = worker if isinstance(worker, (list, tuple)) else [worker]
        self.assignments[role_id] += [SESSION.worker(one) for one in workers]

    def unassign(self, role_id: str, worker: Any = None) -> None:
        """Take a worker, or all, from a role.

        Args:
            role_id: the role.
            worker: a worker or an id of one; all of the role when None.

        Raises:
            ValueError: there is no such role, or it is not assigned to this worker.
        """
        self.check(role_id)
        if worker is None:
            self.assignments[role_id] = []
            return
        place = SESSION.worker(worker)
        if place not in self.assignments[role_id]:
            raise UsageError(f"role {role_id!r} is not assigned to {place.id!r}")
        self.assignments[role_id].remove(place)

    def reset(self) -> None:
        """Take all workers from all roles."""
        self.assignments = {role_id: [] for role_id in self.assignments}

    def players(self) -> dict[str, Any]:
        """The worker that plays each role: the first one assigned to it. Roles without workers are left out."""
        return {role: workers[0] for role, workers in self.assignments.items() if workers}

    def __repr__(self) -> str:
        listed = "; ".join(
            f"{role}: {', '.join(str(worker.id) for worker in workers) or 'nobody'}"
            for role, workers in self.assignments.items()
        )
        return f"<RoleAssignments {listed}>"
