"""`Session`: what one client of a served worker has there: objects, peers, services and errors of its own."""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import torch

from syft.core import messages as m
from syft.core.ops import op_named
from syft.exceptions import (
    CommandNotPermittedError,
    DecodeError,
    GetNotPermittedError,
    LimitExceededError,
    PermissionDenied,
    UnsupportedOp,
)
from syft.serde.codec import decode_parts, encode, encode_in_parts
from syft.serde.compression import shrunk
from syft.serde.limits import Limits
from syft.tensors.base import is_wrapper
from syft.tensors.verbs import description_of
from syft.transports.stream import REQUEST, Buffer, Parcel
from syft.workers.access import Identity, permits
from syft.workers.base import BaseWorker
from syft.workers.failures import cut, to_failure
from syft.workers.kept_messages import KeptMessages
from syft.workers.services import PREFIX
from syft.workers.session_executor import SessionExecutor
from syft.workers.session_store import Poisoned, SessionStore
from syft.workers.tensor_sizes import PLAIN
from syft.workers.unshared import unshared

logger = logging.getLogger("syft.workers")

BACKWARD = frozenset({"backward", "autograd.backward"})
"""Keys of the ops after which leaves may have gradients."""

_REFUSALS = (PermissionDenied, UnsupportedOp, DecodeError)
_LONGEST_NAME, _LONGEST_REASON = 200, 1000
_SHORT_QUESTION = 256  # bytes
_WORTH_KEEPING_APART = 1 << 16  # bytes of an answer that is not copied to be in one piece
_PARTING_SECONDS = 1.0
_MOST_PEERS = 64
_KEPT = 64 << 20  # bytes of messages that a session keeps if its client asks it to


class Session(BaseWorker):
    """The worker, as one client sees it.

    Args:
        home: the served worker.
        identity: who the client is.
        name: what the session is called in logs; says nothing about its secret.
    """

    def __init__(self, home: Any, identity: Identity, name: str) -> None:
        super().__init__(home.hook, home.id, auto_add=False)
        self.home, self.identity, self.name = home, identity, name
        self.since = time.time()
        limits = home.limits
        self._session_store = SessionStore(self, home._store, home.access, identity, limits.stored_bytes)
        self._store = self._session_store
        policy = replace(home._executor.policy, result_bytes=limits.result_bytes)
        self._executor = SessionExecutor(self._session_store, policy, self._peer, self)
        self._limits = Limits(max_bytes=limits.message_bytes)
        self.ops = 0
        self.compressing = False  # whether the client wants answers compressed
        self._unreported: deque[tuple[m.Failure, bool]] = deque(maxlen=100)
        self.msg_history: Any = KeptMessages(min(_KEPT, limits.stored_bytes))

    def _earlier(self, hook: Any) -> BaseWorker | None:
        return None  # of the same name as the served worker, and many at a time

    @property
    def client(self) -> Any:
        """Nobody: what a session knows, it was told by its own client."""
        return self

    @property
    def nbytes(self) -> int:
        """Bytes that the client's tensors take."""
        return self._session_store.nbytes

    @property
    def publisher(self) -> str:
        """As whom this client publishes: its user, or this very session."""
        return f"user {self.identity.user}" if self.identity.user is not None else f"session {self.name}"

    def meet(self, id: m.ObjectId, url: str, invitation: bytes) -> None:
        """Connect to another worker, into a session that this session's client has there.

        Raises:
            CommandNotPermittedError: the owner lets this worker not connect there.
            LimitExceededError: it knows as many as it may.
        """
        if id == self.id:
            return
        if id in self._known_workers:
            self._part_from(self._known_workers.pop(id))
        elif len(self._known_workers) > _MOST_PEERS:
            raise LimitExceededError(
                f"your session on worker {self.id!r} knows {_MOST_PEERS} other workers, as many as it may; move "
                "objects through your own process"
            )
        self._known_workers[id] = self.home.dial(id, url, invitation, self)

    def leave_peers(self) -> None:
        """Close the connections to other workers, in a thread of its own: these need not take what is sent to them."""
        peers = self._peers()
        self._known_workers = {self.id: self}
        if peers:
            name = f"syft-parting-{self.name}"
            threading.Thread(target=self._part_from, args=peers, name=name, daemon=True).start()

    def _peers(self) -> list[Any]:
        known = self._known_workers
        return [] if len(known) == 1 else [w for w in known.values() if w is not self]

    def _part_from(self, *peers: Any) -> None:
        for peer in peers:
            peer.close(end=True, timeout=_PARTING_SECONDS)

    def request(self, message: Any) -> Any:
        """Deal with a message of the worker's own making: pointers that came home."""
        return self._executor.handle(message)

    # --- parcels ------------------------------------------------------------------------------------

    def handle(self, parcel: Parcel) -> Sequence[Buffer] | None:
        """Deal with what a client sent.

        Args:
            parcel: an encoded message.

        Returns:
            What to answer; None for something posted that went well.
        """
        reply = self._handled(parcel)
        for peer in self._peers():
            try:
                peer._settle()  # what this message made other workers forget is forgotten before its answer goes out
            except Exception as error:  # whatever another worker does, this session goes on; logs keep texts, no frames
                logger.warning("worker %r cannot tell %r what to forget: %s", self.id, peer.id, str(error))
        return reply

    def at_once(self, parcel: Parcel) -> Sequence[Buffer] | None:
        """Answer a question about a plain tensor of the client's own: that takes no longer than handing it over.

        Returns:
            The answer; None for everything else, which is for `handle`.
        """
        if parcel.size > _SHORT_QUESTION or not parcel.flags & REQUEST or self._peers():
            return None
        try:
            message = decode_parts(parcel.parts, self, self._limits)
        except Exception:
            return None  # it is said what is wrong with it where all others are dealt with
        if type(message) is not m.Describe or type(self._store.objects.get(message.ref.id)) not in PLAIN:
            return None
        return self._handled(parcel, message)

    def _handled(self, parcel: Parcel, message: Any = None) -> Sequence[Buffer] | None:
        asked = bool(parcel.flags & REQUEST)
        try:
            if message is None:
                message = decode_parts(parcel.parts, self, self._limits)
            self.home.traffic.received(type(message).__name__, parcel.size)
            if self.log_msgs:
                self.msg_history.append(b"".join(parcel.parts))
            overdue = self._overdue() if asked else None
            if overdue is None:
                if type(message) is m.Put:
                    return self._stored(message, asked, parcel.size)
                return self._answer(message, asked)
            self._store.discard(getattr(message, "forget", ()))
            return self._failure(overdue)
        except Exception as error:
            return self._failed(message, error, asked)
        except BaseException as error:  # an op may raise anything; a session survives it
            return self._failed(message, RuntimeError(f"{type(error).__name__}: {error}"), asked)

    def _overdue(self, *, all: bool = False) -> m.Failure | None:
        """A failure of something posted that the client must hear of before its next request is dealt with.

        What a failed command should have made says so itself when it is asked for; the others cannot.
        """
        if not self._unreported:
            return None
        found = next((f for f, has_result in self._unreported if all or not has_result), None)
        if found is not None:
            self._unreported.clear()
        return found

    def settle(self) -> None:
        """Raise the first failure of something posted that nobody has asked about.

        Raises:
            Poisoned: with that failure.
        """
        failure = self._overdue(all=True)
        if failure is not None:
            raise Poisoned(failure)

    def _answer(self, message: Any, asked: bool) -> Sequence[Buffer] | None:
        kind = type(message)
        if kind is m.Command:
            self.ops += 1
            result = self._executor.handle(message)
            if not asked:
                return None
            return self._reply(self._gradients() if op_named(message.op).key in BACKWARD else result)
        if kind is m.Take:
            return self._give(message)
        if kind is m.Put and message.lasting:
            message = self._published(message)
        if getattr(message, "user", None) is not None and self.identity.user is not None:
            message = self._as_identified(message)
        if kind is m.IsNone and message.ref.id in self._session_store.poisoned:
            self._session_store.get(message.ref.id)
        result = self._executor.handle(message)
        return self._reply(result) if asked else None

    def _stored(self, message: m.Put, asked: bool, size: int) -> Sequence[Buffer] | None:
        self._session_store.count_at_least(size)
        try:
            return self._answer(message, asked)
        finally:
            self._session_store.count_at_least(0)

    def _give(self, message: m.Take) -> Sequence[Buffer]:
        message = self._as_identified(message)
        peek = message if message.keep else replace(message, keep=True)
        objects = self._executor.handle(peek)
        self._check_sizes(objects)
        # What cannot be sent is not forgotten either: encode first, then let go.
        alone = not message.keep and unshared(objects, holders=1)  # the store
        parts: Sequence[Buffer] = encode_in_parts(objects)
        if self.compressing:
            parts = shrunk(parts)
        size = sum(map(len, parts))
        if not message.keep:
            self._executor.handle(message)
        if not alone or size < _WORTH_KEEPING_APART:
            # The client's next commands may change the tensors before they are sent.
            parts = (b"".join(parts),)
        self.home.audit(
            "revealed",
            self.identity.user,
            self.name,
            objects=[ref.id for ref in message.refs],
            reason=message.reason[:_LONGEST_REASON] if type(message.reason) is str and message.reason else None,
            bytes=size,
        )
        self.home.traffic.sent("list", size)
        return parts

    def _check_sizes(self, objects: list[Any]) -> None:
        limit = self.home.limits.message_bytes
        size = sum(o.numel() * o.element_size() for o in objects if isinstance(o, torch.Tensor) and not is_wrapper(o))
        if size > limit:
            raise GetNotPermittedError(
                f"these objects have {size} bytes and this worker sends at most {limit} at a time; fetch parts of them"
            )

    def _as_identified(self, message: Any) -> Any:
        user = self.identity.user
        if user is None:
            return message
        if message.user is not None and message.user != user:
            raise PermissionDenied(f"you are {user!r} on this worker and cannot speak for user {message.user!r}")
        return replace(message, user=user)

    def _published(self, message: m.Put) -> m.Put:
        if not permits(self.home.access.publish, self.identity):
            raise CommandNotPermittedError(
                "you may not leave objects on this worker for others; send them without garbage_collect_data=False"
            )
        self._executor.handle(message)
        for id, _ in message.objects:
            obj = self._session_store.objects.pop(id)
            if self.home.published.get(id) == self.publisher:
                self.home.unpublish(id)  # sent again: the newer one counts
            self.home.publish(id, obj, self.publisher)
        return m.Put(())

    def charge(self, key: Any, obj: Any) -> None:
        """Count something that this client leaves on the worker for others.

        Raises:
            LimitExceededError: it is more than there may be.
        """
        self.home.published_bytes.charge(self.publisher, key, obj)

    def release(self, key: Any) -> None:
        """What was counted under this key is gone."""
        self.home.published_bytes.release(key)

    def _gradients(self) -> m.Gradients:
        known = []
        for id, obj in list(self._session_store.objects.items()):
            if isinstance(obj, torch.Tensor) and not is_wrapper(obj) and obj.requires_grad and obj.is_leaf:
                known.append((id, None if obj.grad is None else description_of(obj.grad)))
        return m.Gradients(tuple(known))

    def _reply(self, result: Any) -> Sequence[Buffer]:
        parts: Sequence[Buffer] = encode_in_parts(result)
        if self.compressing:
            parts = shrunk(parts)
        size = sum(map(len, parts))
        self.home.traffic.sent(type(result).__name__, size)
        return (b"".join(parts),)

    def _failed(self, message: Any, error: Exception, asked: bool) -> Sequence[Buffer] | None:
        if isinstance(error, Poisoned):
            failure = error.failure
        else:
            failure = to_failure(error, _name_of(message))
        if isinstance(error, _REFUSALS):
            self.home.audit("refused", self.identity.user, self.name, what=failure.op, why=failure.kind)
        made = getattr(message, "result", None)
        if made is not None:
            self._session_store.poison(made, failure)
        for id, _ in message.objects if type(message) is m.Put else ():
            self._session_store.poison(id, failure)
        if not asked:
            self._unreported.append((failure, made is not None or type(message) is m.Put))
            return None
        told = [unheard for unheard in self._unreported if unheard[0] is failure]
        for unheard in told:
            self._unreported.remove(unheard)
        return self._failure(failure)

    def _failure(self, failure: m.Failure) -> Sequence[Buffer]:
        data = encode(failure)
        self.home.traffic.sent("Failure", len(data))
        return (data,)


def _name_of(message: Any) -> str:
    if type(message) is m.Call:
        target = str(message.target.id)
        name = f"{target.removeprefix(PREFIX)}.{message.method}" if target.startswith(PREFIX) else message.method
    else:
        name = getattr(message, "op", type(message).__name__ if message is not None else "message")
    return cut(str(name), _LONGEST_NAME)
