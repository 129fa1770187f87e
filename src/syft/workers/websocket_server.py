"""`WebsocketServerWorker`: a worker of this process that serves clients of other processes."""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from syft.core import messages as m
from syft.core.naming import names_of, set_identity
from syft.exceptions import CommandNotPermittedError, UsageError
from syft.transports.addresses import Address, is_loopback
from syft.transports.listener import Listener
from syft.transports.tls import server_context
from syft.transports.tokens import TokenFile
from syft.transports.traffic import TrafficMeter
from syft.workers.access import ASK, Access
from syft.workers.accounting import PublishedBytes
from syft.workers.approvals import ValueRequests
from syft.workers.audit import Audit
from syft.workers.limits import WorkerLimits
from syft.workers.registry import logger
from syft.workers.result_limits import prepare
from syft.workers.sessions import Sessions
from syft.workers.virtual import VirtualWorker
from syft.workers.websocket_client import WebsocketClientWorker

Path = str | os.PathLike[str]


class WebsocketServerWorker(VirtualWorker):
    """A worker that clients of other processes reach over a websocket.

    What its owner registers here (``data``, `load_data`, `add_dataset`) is offered to all clients as ``access`` says.
    Each client has a session of its own: objects, errors and training of one are invisible to the others.

    Bound to a loopback address it may run without certificate and tokens, and says so in its log. Bound to any other
    address it needs both, or ``insecure=True``.

    Args:
        hook: the `TorchHook`.
        host: address to bind.
        port: port to bind; 0 takes a free one, and ``port`` says which.
        id: its name.
        log_msgs: keep the messages of all sessions.
        verbose: report every message.
        data: tensors to offer.
        loop: accepted for 0.2.4 code; the network has a thread and a loop of its own.
        cert_path: its certificate, PEM.
        key_path: the key of the certificate, PEM.
        client_ca: file with the authority whose certificates clients must show; their names are their users.
        tokens: file of the tokens that let clients in.
        insecure: do without certificate or tokens at any address.
        access: who may search, run, take and publish.
        limits: what one client may use.
        advertise: the URL under which other workers reach this one.
        dial: where clients may have this worker connect to: ``"loopback"``, ``"any"``, ``"none"`` or host names. When
            None, ``"loopback"`` if the worker itself is at such an address, else ``"none"``.
        dial_ca: file with the authority of the workers that it connects to.
        torchscript: take TorchScript from clients, as programs of 0.2 send it. It is code, and can read files.

    Raises:
        UsageError: the address needs a certificate and tokens, or half of a pair is missing.
        CredentialsError: a file cannot be used.
    """

    def __init__(
        self,
        hook: Any,
        host: str = "localhost",
        port: int = 8777,
        id: m.ObjectId = 0,
        log_msgs: bool = False,
        verbose: bool = False,
        data: Iterable[Any] | None = None,
        loop: Any = None,
        cert_path: Path | None = None,
        key_path: Path | None = None,
        *,
        client_ca: Path | None = None,
        tokens: Path | TokenFile | None = None,
        insecure: bool = False,
        access: Access | None = None,
        limits: WorkerLimits | None = None,
        advertise: str | None = None,
        dial: str | Iterable[str] | None = None,
        dial_ca: Path | None = None,
        torchscript: bool = False,
        auto_add: bool = True,
    ) -> None:
        self.host, self.port = host, port
        if (cert_path is None) is not (key_path is None):
            raise UsageError(
                f"cert_path={cert_path!r} and key_path={key_path!r}: encryption needs both, the certificate and its key"
            )
        if client_ca is not None and cert_path is None:
            raise UsageError("client certificates (client_ca) need TLS; give cert_path and key_path, too")
        token_file = TokenFile.load(tokens) if isinstance(tokens, (str, os.PathLike)) else tokens
        authenticated = token_file is not None or client_ca is not None
        self._check_exposed(host, cert_path is not None, authenticated, insecure)
        self._tls = None if cert_path is None or key_path is None else server_context(cert_path, key_path, client_ca)
        self.limits = limits or WorkerLimits()
        self.access = access or Access()
        if not authenticated and self.access.take == ASK:
            logger.warning("take='ask' without tokens: anybody may say the name of somebody whose request was accepted")
        self.advertise = advertise
        if dial is None:  # the ports of this machine are nobody's business who comes from another one
            dial = "loopback" if is_loopback(host) else "none"
        self._dial: frozenset[str] = frozenset([dial] if isinstance(dial, str) else dial)
        self._dial_ca = dial_ca
        self.traffic = TrafficMeter()
        self.requests = ValueRequests()
        self.audit = Audit(id)
        self.persistence: Any = None
        self.published: dict[m.ObjectId, str] = {}  # who published what clients left here
        self.published_bytes = PublishedBytes(self.limits.stored_bytes, self.limits.published_bytes)
        self.started = time.time()
        super().__init__(hook, id, data, log_msgs=log_msgs, verbose=verbose, auto_add=auto_add)
        self._executor.policy = replace(self._executor.policy, torchscript=torchscript)
        self.sessions = Sessions(self, token_file, client_ca is not None)
        self._listener: Listener | None = None
        self._stopped = threading.Event()

    def _check_exposed(self, host: str, encrypted: bool, authenticated: bool, insecure: bool) -> None:
        missing = [name for name, there in (("TLS", encrypted), ("tokens", authenticated)) if not there]
        if not missing:
            return
        if is_loopback(host):
            logger.warning("the worker at %s runs without %s: anybody on this machine may use it", host, _and(missing))
        elif insecure:
            logger.warning("the worker at %s runs without %s, as it was told to", host, _and(missing))
        else:
            raise UsageError(
                f"a worker at {host!r} can be reached from other machines and has no {_and(missing)}. Make what is "
                "missing with 'syft worker cert' and 'syft worker token', bind it to localhost, or say insecure=True "
                "(--insecure)"
            )

    # --- serving ------------------------------------------------------------------------------------

    def start(self, block: bool = True) -> WebsocketServerWorker:
        """Serve.

        Args:
            block: return only when interrupted or stopped; otherwise at once, with the network in its own thread.

        Returns:
            This worker.

        Raises:
            UsageError: the address cannot be bound.
        """
        prepare()  # what the first unusual op would otherwise wait for
        listener = Listener(self.sessions, self.host, self.port, self._tls, self.limits.keepalive)
        listener.start()
        self._listener, self.port = listener, listener.port
        self.started = time.time()
        logger.info("worker %r serves at %s", self.id, self.url)
        if block:
            sys.stdout.write("Serving. Press CTRL-C to stop.\n")
            sys.stdout.flush()
            try:
                self._stopped.wait()
            except KeyboardInterrupt:
                pass
            self.stop()
        return self

    def stop(self) -> bool:
        """Close the port and all sessions; plans and trainings end at their next step or batch.

        Returns:
            Whether all that was being dealt with has ended. A kernel cannot be interrupted: its thread goes on, and
            keeps the process alive until it returns.
        """
        ended = True
        self._stopped.set()
        listener, self._listener = self._listener, None
        if listener is not None:
            listener.stop()
            ended = self.sessions.close()
        if self.persistence is not None:
            self.persistence.close()
            self.persistence = None
        return ended

    @property
    def serving(self) -> bool:
        """Whether clients can connect."""
        return self._listener is not None

    @property
    def url(self) -> str:
        """Where it is, as ``ws://host:port`` or ``wss://host:port``."""
        return Address(self.host, self.port, self._tls is not None).url

    def __enter__(self) -> WebsocketServerWorker:
        return self.start(block=False)

    def __exit__(self, *exc: object) -> None:
        self.stop()

    # --- what it offers -----------------------------------------------------------------------------

    def load_data(self, data: Iterable[Any]) -> None:
        """Offer these tensors as this worker's own."""
        for tensor in data:
            self.publish(tensor.id, tensor)

    def publish(self, id: m.ObjectId, obj: Any, by: str = "") -> None:
        """Offer an object to all clients; with a store it is kept over a restart if it is tagged.

        Args:
            id: its id.
            obj: the object.
            by: the user or session that may take it away again, besides the owner.

        Raises:
            CommandNotPermittedError: there is another object of that id.
            LimitExceededError: a client leaves more than it may.
        """
        if id in self._store.objects:
            raise CommandNotPermittedError(f"there is an object {id} already; what is published gets an id of its own")
        if by:
            self.published_bytes.charge(by, ("object", id), obj)
        set_identity(obj, id, self)
        if self.persistence is not None and names_of(obj)[0]:
            self.persistence.save(id, obj)
        self._store.put(id, obj)
        if by:
            self.published[id] = by

    def unpublish(self, id: m.ObjectId) -> None:
        """Offer an object no longer."""
        if self.persistence is not None:
            self.persistence.delete([id])
        self._store.discard((id,))
        self.published.pop(id, None)
        self.published_bytes.release(("object", id))

    def persist(self, store: Any) -> None:
        """Keep what is published from now on in a store, and offer what it holds.

        Args:
            store: a `PersistentStore`.
        """
        for id, obj in store.load(self):
            set_identity(obj, id, self)
            self._store.put(id, obj)
        self.persistence = store

    def list_objects(self) -> str:
        """What it offers, one line each: ids, types, shapes and tags, never values."""
        return "\n".join(f"{id}: {type(obj).__name__}" for id, obj in self._store.objects.items())

    def objects_count(self) -> int:
        """How many objects it offers."""
        return len(self._store)

    list_tensors = list_objects
    tensors_count = objects_count

    # --- other workers ------------------------------------------------------------------------------

    def dial(self, id: m.ObjectId, url: str, invitation: bytes, principal: Any) -> WebsocketClientWorker:
        """Connect to another worker on behalf of a client.

        Raises:
            CommandNotPermittedError: the owner lets this worker not connect there.
        """
        address = Address.parse(url)
        allowed = "any" in self._dial or address.host in self._dial
        if not allowed and not ("loopback" in self._dial and is_loopback(address.host)):
            raise CommandNotPermittedError(
                f"worker {self.id!r} does not connect to {address.host!r}: its owner allows {sorted(self._dial)}. "
                "Ask the owner for --dial, or move objects through your own process"
            )
        return WebsocketClientWorker(
            self.hook,
            address.host,
            address.port,
            address.secure,
            id,
            ca=self._dial_ca,
            auto_add=False,
            invitation=invitation,
            synchronous=True,
            principal=principal,
        )

    def __repr__(self) -> str:
        return f"<{type(self).__name__} id:{self.id} #objects:{len(self._store)}>"


def _and(words: list[str]) -> str:
    return " and ".join(words)
