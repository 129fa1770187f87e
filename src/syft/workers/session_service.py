"""What a client may ask of its session besides running messages: lists and counts, and to meet other workers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

from syft.core.naming import names_of
from syft.exceptions import CommandNotPermittedError, ObjectNotFoundError, UsageError
from syft.serde.zstd import zstandard
from syft.tensors.base import is_wrapper
from syft.workers.services import SERVICES
from syft.workers.session import Session
from syft.workers.tensor_sizes import PLAIN


class SessionService:
    """The service ``session`` of a served worker.

    Args:
        worker: the session it speaks of.
    """

    remote_methods = frozenset(
        "list_objects objects_count clear_objects log_msgs get_msg "
        "invite meet give traffic requests decide sync compress".split()
    )

    def __init__(self, worker: Any) -> None:
        if not isinstance(worker, Session):
            raise ObjectNotFoundError("service:session", worker)
        self.session: Session = worker

    def list_objects(self) -> list[dict[str, Any]]:
        """What the client sees there: ids, types, shapes, tags; never a value."""
        store = self.session._session_store
        visible = {**dict(store.shared.search(())), **store.objects} if store._sees() else dict(store.objects)
        return [_described(id, obj) for id, obj in visible.items()]

    def objects_count(self) -> int:
        """How many objects the client has there."""
        return len(self.session._store.objects)

    def clear_objects(self) -> None:
        """Forget all objects of the client."""
        self.session._store.objects.clear()
        home = self.session.home
        for id in [id for id, publisher in home.published.items() if publisher == self.session.publisher]:
            home.unpublish(id)

    def log_msgs(self, value: bool) -> None:
        """Keep the messages of this session from now on, or not."""
        self.session.log_msgs = value

    def get_msg(self, index: int) -> bytes:
        """A message that was kept, as it arrived."""
        try:
            message: bytes = self.session.msg_history[index]
        except IndexError:
            raise UsageError(
                f"{len(self.session.msg_history)} messages were kept; there is no number {index}"
            ) from None
        return message

    def sync(self) -> None:
        """Answer when all that came before was dealt with; with the first failure that nobody has heard of."""
        self.session.settle()

    def compress(self, how: str) -> None:
        """Compress answers to this client from now on, where that pays.

        Raises:
            UsageError: not like this.
            DependencyError: a package is missing here.
        """
        if how != "zstd":
            raise UsageError(f"this worker compresses with 'zstd', not with {how!r:.40}")
        zstandard()
        self.session.compressing = True

    def invite(self) -> bytes:
        """What lets another worker into this session."""
        invitation: bytes = self.session.home.sessions.invite(self.session)
        return invitation

    def meet(self, id: Any, url: str, invitation: bytes) -> None:
        """Connect to another worker, into the client's session there."""
        self.session.meet(id, url, invitation)

    def give(self, ids: Sequence[Any], invitation: bytes) -> None:
        """Hand tensors of this session over to another session on this worker. They do not leave it.

        Args:
            ids: of plain tensors that the client has there; they keep these.
            invitation: leads into the other session.

        Raises:
            AuthenticationError: the invitation is good for nothing.
            ObjectNotFoundError: the client has no such tensor.
            CommandNotPermittedError: an object is no plain tensor, or the other session has one of that id.
            LimitExceededError: the other session may have no more.
        """
        target = self.session.home.sessions.invited_to(invitation)
        own, other = self.session._session_store, target._session_store
        for id in ids:
            obj = own.objects.get(id)
            if obj is None:
                raise ObjectNotFoundError(id, self.session)
            if type(obj) not in PLAIN or id in other.objects:
                raise CommandNotPermittedError(
                    f"object {id} cannot be handed over to another session: only plain tensors can, and only under an "
                    "id that is free there"
                )
            other.put(id, obj)
            own.discard((id,))

    def traffic(self) -> dict[str, list[int]]:
        """Messages and bytes in and out, by kind, of the whole worker, for the owner."""
        self._check_owner()
        return {
            kind: [t.messages_in, t.messages_out, t.bytes_in, t.bytes_out]
            for kind, t in self.session.home.traffic.by_kind().items()
        }

    def requests(self) -> list[list[Any]]:
        """The requests for values, for the owner."""
        self._check_owner()
        return [[r.number, r.object, r.user, r.reason, r.state, r.source] for r in self.session.home.requests]

    def decide(self, number: int, accept: bool) -> None:
        """Accept or reject a request, as the owner."""
        self._check_owner()
        request = self.session.home.requests[number]
        if accept:
            request.accept()
        else:
            request.reject()
        self.session.home.audit(
            "decided", self.session.identity.user, self.session.name, request=number, state=request.state
        )

    def _check_owner(self) -> None:
        if self.session.identity.role != "owner":
            raise CommandNotPermittedError("only the owner of this worker sees its traffic and decides about requests")


def _described(id: Any, obj: Any) -> dict[str, Any]:
    tags, description = names_of(obj)
    plain = isinstance(obj, torch.Tensor) and not is_wrapper(obj)
    return {
        "id": id,
        "type": type(obj).__name__,
        "shape": list(obj.shape) if plain else None,
        "dtype": str(obj.dtype).removeprefix("torch.") if plain else None,
        "tags": sorted(map(str, tags)),
        "description": description,
    }


SERVICES["session"] = SessionService
