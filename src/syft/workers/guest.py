"""`GuestSession`: a session as another worker sees it that its client has invited, to send objects there."""

from __future__ import annotations

from typing import Any, ClassVar

from syft.core.messages import ObjectId
from syft.exceptions import CommandNotPermittedError
from syft.workers.access import Identity
from syft.workers.session import Session

# What moving objects needs, questions about a training that is under way, and computing on shares.
OFFERED = {
    "session": frozenset({"invite", "meet", "give", "objects_count", "sync"}),
    "training": frozenset({"report", "stop"}),
    "mpc": frozenset({"lead", "join", "meet", "leave"}),  # all that this service offers
}


class GuestSession(Session):
    """The objects of a session, without its client's rights.

    An invited worker puts objects into the session and takes some out. It never is the owner of the worker, whoever
    has invited it, and it asks the services for no more than that needs.

    Args:
        host: the session that it is invited to.
    """

    def __init__(self, host: Session) -> None:
        super().__init__(host.home, Identity(host.identity.user, "user"), host.name)
        self.host = host
        store, shown = self._session_store, host._session_store
        store.objects, store.poisoned = shown.objects, shown.poisoned

    def service(self, name: str) -> Any:
        """A service of the session, with what a guest may ask of it.

        Raises:
            CommandNotPermittedError: nothing.
        """
        if name not in OFFERED:
            raise CommandNotPermittedError(
                f"a worker that was invited to a session may not use its service {name!r}; its client may"
            )
        return _VIEWS[name](self.host.service(name))

    def get_worker(self, id_or_worker: Any, fail_hard: bool = False) -> Any:
        """Like the client's, but for this worker itself, which is the guest's session."""
        return self if id_or_worker == self.id else self.host.get_worker(id_or_worker, fail_hard)

    def _peer(self, id: ObjectId) -> Any:
        return self if id == self.id else self.host._peer(id)

    def _peers(self) -> list[Any]:
        return self.host._peers()


class _SessionView:
    """What a guest may ask the service ``session``."""

    remote_methods: ClassVar[frozenset[str]] = OFFERED["session"]

    def __init__(self, service: Any) -> None:
        self.invite, self.meet, self.give = service.invite, service.meet, service.give
        self.objects_count, self.sync = service.objects_count, service.sync


class _TrainingView:
    """What a guest may ask the service ``training``."""

    remote_methods: ClassVar[frozenset[str]] = OFFERED["training"]

    def __init__(self, service: Any) -> None:
        self.report, self.stop = service.report, service.stop


_VIEWS: dict[str, Any] = {"session": _SessionView, "training": _TrainingView, "mpc": lambda service: service}
