"""`WebsocketClientWorker`: a worker in another process, for its clients here."""

from __future__ import annotations

import atexit
import contextlib
import os
import threading
import time
import weakref
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from syft.core import messages as m
from syft.exceptions import ConnectionLost, NotSupportedError, SyftError, UsageError, WorkerConflictError
from syft.serde.codec import decode, decode_parts, encode_in_parts
from syft.serde.compression import shrunk
from syft.serde.limits import Limits
from syft.serde.registry import REGISTRY
from syft.serde.zstd import zstandard
from syft.tensors import torchscript
from syft.transports.addresses import Address
from syft.transports.link import Link
from syft.transports.settings import Settings
from syft.transports.stream import Buffer
from syft.transports.tls import client_context
from syft.transports.tokens import Token
from syft.transports.traffic import TrafficMeter
from syft.workers.aside import AwaitableOverLink
from syft.workers.base import BaseWorker, report
from syft.workers.failures import to_error
from syft.workers.forgetting import Forgetting
from syft.workers.mentions import places
from syft.workers.remote_requests import RemoteRequests
from syft.workers.virtual import VirtualWorker

_MEETS = frozenset({m.Put, m.Call, m.Relay})
_MEETING_OPS = frozenset({"mpc.share"})
_BROKEN = frozenset({"ConnectionLost", "SessionLost"})
_BACKWARD_NAMES = frozenset({"Tensor.backward", "torch.autograd.backward"})


class WebsocketClientWorker(AwaitableOverLink, Forgetting, BaseWorker):
    """A worker in another process, reached over a websocket; it connects when it is made.

    Commands are sent without waiting. What a failed one should have made raises its error when it is asked for; the
    failure of a command that makes nothing is raised by the next request. ``sync()`` waits for all and raises what
    went wrong; with ``synchronous`` every command does.

    Args:
        hook: the `TorchHook`.
        host: name or address of the machine.
        port: the worker's port.
        secure: use TLS; the worker's certificate is verified.
        id: the worker's id; 0 takes the one that it says.
        is_client_worker: accepted for 0.2.4 code.
        log_msgs: have the worker keep the messages of this session.
        verbose: report every message that is sent.
        data: tensors that this object holds, here.
        timeout: seconds to wait for an answer; None waits as long as the worker gives signs of life.
        token: what the worker's owner gave you; the environment variable SYFT_TOKEN when None.
        ca: file with the authority that signed the worker's certificate; the system's when None.
        certificate: your certificate, for workers that want one.
        key: its key.
        insecure: talk to whoever answers, without verifying the certificate.
        reconnect: seconds during which a broken connection is made anew before `ConnectionLost` is raised.
        synchronous: wait for every command, so that errors are raised where they happen.
        auto_add: make it known to the local worker.
        invitation: lets into a session of someone else.
        torchscript: take TorchScript from the worker. It is code, and can read your files.
        compression: ``"zstd"`` compresses what is sent and fetched, where that pays: over slow lines. It needs the
            extra ``compression`` on both ends.
        principal: the worker that uses this one, and whose other workers it shares; the local worker when None.

    Raises:
        ConnectionLost: nobody answers.
        AuthenticationError: the worker does not let you in, or is not to be trusted.
        DependencyError: the package for the compression is missing, here or there.
        WorkerConflictError: another worker answers there, or a worker of that id and another type exists.
    """

    is_far = True

    def __init__(
        self,
        hook: Any,
        host: str,
        port: int,
        secure: bool = False,
        id: m.ObjectId = 0,
        is_client_worker: bool = False,
        log_msgs: bool = False,
        verbose: bool = False,
        data: Iterable[Any] | None = None,
        timeout: float | None = None,
        *,
        token: Token | str | None = None,
        ca: str | os.PathLike[str] | None = None,
        certificate: str | os.PathLike[str] | None = None,
        key: str | os.PathLike[str] | None = None,
        insecure: bool = False,
        reconnect: float = 0.5,
        synchronous: bool = False,
        torchscript: bool = False,
        auto_add: bool = True,
        invitation: bytes | None = None,
        compression: str | None = None,
        principal: BaseWorker | None = None,
    ) -> None:
        if compression not in (None, "zstd"):
            raise UsageError(f"compression={compression!r}: a connection is compressed with 'zstd', or not with None")
        secure = secure or insecure or ca is not None or certificate is not None
        tls = client_context(ca, certificate, key, insecure=insecure) if secure else None
        text = token or (None if invitation is not None else os.environ.get("SYFT_TOKEN")) or None
        credential = Token.parse(text) if isinstance(text, str) else text
        settings = Settings(Address(host, port, secure), tls, credential, invitation, reconnect=reconnect)
        self.timeout, self.synchronous, self.torchscript = timeout, synchronous, torchscript
        self.compression: str | None = None  # until the worker agrees
        self.traffic = TrafficMeter()
        self._forgotten, self._telling = deque(), threading.Lock()
        self._principal = principal
        self._met: set[m.ObjectId] = set()
        self._met_by: weakref.WeakSet[WebsocketClientWorker] = weakref.WeakSet()
        self._posts = self._dealt = 0  # how often something was posted, and of these, how often before an answer
        self._link = Link(settings, _idle(weakref.ref(self)))
        self._reply_limits = Limits(max_bytes=settings.max_parcel)
        self._link.connect()
        try:
            if id not in (0, self._link.worker):
                raise WorkerConflictError(
                    f"the worker at {settings.address.url} is {self._link.worker!r}, not {id!r}; use its own id"
                )
            super().__init__(hook, self._link.worker, data, is_client_worker, False, verbose, auto_add=auto_add)
        except BaseException:
            self._link.close(end=True)
            raise
        if principal is not None:
            self._known_workers = principal._known_workers
        if log_msgs:
            self._log_msgs_remote(True)
        if compression is not None:
            self._compress(compression)
        _OPEN.add(self)

    def _share(self, earlier: BaseWorker) -> None:
        super()._share(earlier)
        self._store.objects = earlier._store.objects

    @property
    def client(self) -> Any:
        """On whose behalf pointers are made."""
        return super().client if self._principal is None else self._principal

    # --- the connection -----------------------------------------------------------------------------

    @property
    def url(self) -> str:
        """Where the worker is, as ``ws://host:port`` or ``wss://host:port``."""
        return self._link.settings.address.url

    @property
    def reached_at(self) -> str:
        """Where other workers reach it: what its owner says, or where we do."""
        welcome = self._link.welcome
        return (welcome.reached_at if welcome is not None else "") or self.url

    @property
    def connected(self) -> bool:
        """Whether the connection stands, as far as is known."""
        return self._link.connected

    def connect(self) -> bool:
        """Open the connection again after `close` or `ConnectionLost`.

        Returns:
            Whether the worker still had our session, with its objects. If not, pointers made before point to nothing.

        Raises:
            ConnectionLost: nobody answers.
        """
        resumed = self._link.connect()
        if not resumed:
            self.beginnings += 1
            self.gradients.clear()
            self._met.clear()
            for other in self._met_by:  # they knew the session of before
                other._met.discard(self.id)
            self._met_by.clear()
            self._forgotten.clear()
            if self.compression is not None:
                self._compress(self.compression)
        return resumed

    def _compress(self, compression: str) -> None:
        zstandard()
        try:
            self.ask("session", "compress", compression)
        except BaseException:
            self.close(end=True)
            raise
        self.compression = compression

    def close(self, *, end: bool = False, timeout: float | None = None) -> None:
        """Close the connection. Objects stay on the worker for the time of its lease; `connect` takes them up again.

        Args:
            end: give them up at once.
            timeout: seconds for sending what was posted; None sends all of it, as long as the worker is alive.
        """
        if self._link.connected:
            try:
                self._send_forgotten(wait=False)
            except SyftError:
                pass
        self._link.close(end=end, timeout=timeout)

    def __enter__(self) -> WebsocketClientWorker:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close(end=True)

    # --- messages -----------------------------------------------------------------------------------

    def post(self, message: Any) -> None:
        """Send a message without waiting.

        Raises:
            ConnectionLost: the connection is broken.
        """
        kind = type(message)
        self._posts += 1
        if self.synchronous or (kind is m.Command and message.op in _BACKWARD_NAMES):
            self.request(message)
            return
        self._link.post(self._prepared(message), given=kind is m.Put and message.giving)

    def request(self, message: Any) -> Any:
        """Send a message and wait for its answer.

        Raises:
            ConnectionLost: the connection is broken.
            RequestTimeoutError: there was no answer in ``timeout`` seconds.
            Exception: what the worker raised.
        """
        if self._met_by:
            self._settle_others({self})
        if type(message) is m.Relay and (home := self._here(message.destination)) is not None:
            return self._bring(message, home)
        posts = self._posts
        data = self._link.request(self._prepared(message), self.timeout)
        self._dealt = posts
        return self._result(message, data)

    def begin(self, message: Any) -> Callable[[], Any]:
        """Send a message; the function that this returns waits for its answer, like `request`."""
        answer = self._link.asked(self._prepared(message), self.timeout)
        return lambda: self._result(message, answer())

    def _settle_others(self, seen: set[WebsocketClientWorker]) -> None:
        """Have everything dealt with that was posted to workers that know this one: they may have it do something."""
        for other in [w for w in self._met_by if w not in seen]:
            seen.add(other)
            other._settle_others(seen)
            with contextlib.suppress(ConnectionLost):  # said to whoever asks that worker; this one is another
                other._settle()

    def _settle(self) -> None:
        """Have everything dealt with that was posted."""
        if not self._link.connected:
            return
        if self._link._waiting:  # for an answer that may itself wait for whoever asks here: they know each other
            self._send_forgotten(wait=False)
        elif self._forgotten or self._posts != self._dealt:
            posts, question = self._posts, self.call_of("session", "objects_count")
            data = self._link.request(self._prepared(question), self.timeout)
            self._dealt = posts
            self._result(question, data)

    def _here(self, id: m.ObjectId) -> BaseWorker | None:
        """The worker of that id, if it lives in this process and nobody else reaches it."""
        other = self._peer(id)
        return None if isinstance(other, WebsocketClientWorker) else other

    def _bring(self, message: m.Relay, home: BaseWorker) -> None:
        """Do what `Relay` says by hand, for a receiver in this process."""
        if message.leave_pointer:
            raise NotSupportedError(
                f"worker {self.id!r} runs in another process and cannot keep a pointer to {home.id!r}, which lives in "
                "this one; use move() or get()"
            )
        objects = self.request(m.Take(tuple([m.Ref(id) for id in message.ids]), message.user, keep=True))
        home.request(m.Put(tuple(zip(message.as_ids, objects, strict=True)), message.user, owning=True))
        self.request(m.Take(tuple([m.Ref(id) for id in message.ids]), message.user))

    def _prepared(self, message: Any) -> Sequence[Buffer]:
        kind = type(message)
        if kind in _MEETS or (kind is m.Command and message.op in _MEETING_OPS):
            self._introduce_to(message)
        if self.watched:
            self._watch(message)
        if self._forgotten:
            if kind is m.Command and not message.forget:
                op, args, kwargs, result = message.op, message.args, message.kwargs, message.result
                message = m.Command(op, args, kwargs, result, message.grad_enabled, self._take_forgotten())
            else:
                self._send_forgotten()
        elif self._telling.locked():
            self._wait_until_told()
        parts: Sequence[Buffer] = encode_in_parts(message)
        if self.compression is not None:
            parts = shrunk(parts)
        self.traffic.sent(kind.__name__, sum([len(p) for p in parts]))
        return parts

    def _result(self, message: Any, parts: Sequence[Buffer]) -> Any:
        if self.torchscript:
            reply = decode_parts(parts, self.client or self, self._reply_limits)
        else:
            with torchscript.refused():
                reply = decode_parts(parts, self.client or self, self._reply_limits)
        kind = type(reply)
        self.traffic.received(kind.__name__, sum([len(p) for p in parts]))
        if kind is m.Failure:
            if reply.kind in _BROKEN:  # the connection to a worker that it had met: they are to meet again
                self._met.clear()
            raise to_error(reply, self)
        if kind is m.Gradients:
            for id, known in reply.of:
                self.gradients[id, ()] = known
            return None
        return reply

    def _watch(self, message: Any) -> None:
        if self.verbose or (self.client is not None and self.client.verbose):
            report(f"worker {self.client} sending ({type(message).__name__}) to {self.id}")
        if self.message_pending_time:
            time.sleep(self.message_pending_time)

    def sync(self) -> None:
        """Wait until the worker has dealt with all that was sent.

        Raises:
            Exception: the first failure that was not raised anywhere yet.
        """
        self.ask("session", "sync")

    # --- other workers ------------------------------------------------------------------------------

    def _introduce_to(self, message: Any) -> None:
        """Make the worker able to reach those that the message speaks of."""
        if type(message) is m.Relay:
            others: dict[Any, Any] = {message.destination: None}
        elif type(message) is m.Put:
            others = {place.id: place for _, obj in message.objects for place in places(obj)}
        else:
            others = {place.id: place for place in places((message.args, message.kwargs))}
        for id, place in others.items():
            if id != self.id and id not in self._met:
                self._introduce_worker(id, place)
            elif id != self.id and isinstance(place, WebsocketClientWorker):
                place._settle()  # what the message speaks of may have been posted there just now

    def _introduce_worker(self, id: m.ObjectId, place: Any) -> None:
        other = place if isinstance(place, BaseWorker) else self._peer(id)
        if not isinstance(other, WebsocketClientWorker):
            raise NotSupportedError(
                f"worker {self.id!r} runs in another process and cannot reach {id!r}, which lives in this one; "
                "fetch the object here and send it on"
            )
        self._met.add(id)
        try:
            invitation = other.ask("session", "invite")
            self.ask("session", "meet", id, other.reached_at, invitation)
            other._met_by.add(self)
        except BaseException:
            self._met.discard(id)
            raise

    # --- what is there ------------------------------------------------------------------------------

    def search(self, query: Any) -> list[Any]:
        """Pointers to the objects there that match every term: tags or ids; an empty list finds all that are tagged."""
        owner = self.client
        return [] if owner is None else owner.request_search(query, self)

    def list_objects_remote(self) -> str:
        """What this client sees there, one line each: ids, types, shapes and tags, never values."""
        return "\n".join(
            f"{r['id']}: {r['type']}"
            + (f" {tuple(r['shape'])} {r['dtype']}" if r["shape"] is not None else "")
            + (f" {' '.join(r['tags'])}" if r["tags"] else "")
            for r in self.ask("session", "list_objects")
        )

    def objects_count_remote(self) -> int:
        """How many objects of this client are there."""
        return int(self.ask("session", "objects_count"))

    def clear_objects_remote(self) -> None:
        """Make the worker forget all objects of this client."""
        self.gradients.clear()
        self.ask("session", "clear_objects")

    list_tensors_remote = list_objects_remote
    tensors_count_remote = objects_count_remote

    def _log_msgs_remote(self, value: bool = True) -> None:
        self.ask("session", "log_msgs", bool(value))

    def _get_msg_remote(self, index: int) -> Any:
        return decode(self.ask("session", "get_msg", index), None)

    @property
    def requests(self) -> RemoteRequests:
        """The requests for values that wait for the owner: ``worker.requests[0].accept()``, for owners."""
        return RemoteRequests(self)

    def __repr__(self) -> str:
        there: Any = "?"
        if self._link.connected:
            try:
                there = self.objects_count_remote()
            except (SyftError, OSError):
                pass
        return f"<{type(self).__name__} id:{self.id} #objects local:{len(self._store)} #objects remote: {there}>"


def _idle(worker: weakref.ref[WebsocketClientWorker]) -> Any:
    def idle() -> None:
        alive = worker()
        if alive is not None and alive._forgotten:
            try:
                alive._send_forgotten(wait=False)
            except ConnectionLost:
                pass

    return idle


REGISTRY.also(WebsocketClientWorker, REGISTRY.by_type[VirtualWorker])  # it travels by its name

_OPEN: weakref.WeakSet[WebsocketClientWorker] = weakref.WeakSet()


@atexit.register
def _say_good_bye() -> None:
    for worker in list(_OPEN):
        worker.close(end=True)
