"""`BaseWorker`: who a worker knows, what it holds, and the calls users make on it."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import replace
from typing import Any

import torch

from syft.core import messages as m
from syft.core.ops import Returns, op_named
from syft.exceptions import (
    NotAMessageError,
    NotSupportedError,
    ObjectNotFoundError,
    SendNotPermittedError,
    UsageError,
    WorkerConflictError,
)
from syft.serde.codec import decode, encode
from syft.tensors.base import apply, unwrap
from syft.tensors.object_pointer import ObjectPointer
from syft.tensors.permission import may_see
from syft.tensors.pointer import PointerTensor
from syft.workers.executor import Executor
from syft.workers.failures import to_error, to_failure
from syft.workers.object_storage import ObjectStorage, terms_of
from syft.workers.policy import Policy
from syft.workers.registry import WorkerRegistry, logger
from syft.workers.remote_torch import RemoteTorch
from syft.workers.services import Services
from syft.workers.store import ObjectStore


def _setting(name: str, doc: str) -> Any:
    def read(self: BaseWorker) -> Any:
        return self.__dict__.get(name, False)

    def write(self: BaseWorker, value: Any) -> None:
        self.__dict__[name] = value
        for worker in (self, *self.__dict__.get("_known_workers", {}).values()):
            worker.watched = worker.is_watched()

    return property(read, write, doc=doc)


class BaseWorker(WorkerRegistry, ObjectStorage, Services):
    """A place where objects live and commands run.

    Args:
        hook: the `TorchHook`; None makes a worker that knows only itself.
        id: its name, unique among the workers it knows.
        data: tensors it holds from the start.
        is_client_worker: kept for 0.2.4 code; the worker that stands for this process says True.
        log_msgs: keep every received message, as bytes, in ``msg_history``.
        verbose: report every message sent or received, on standard output and in the log.
        auto_add: make it and the workers the local worker knows know each other.
        message_pending_time: seconds to wait before each message, to simulate a slow network.
        device: where its tensors live; None keeps each where it comes from.

    Raises:
        WorkerConflictError: a worker of that id and another type exists.
    """

    # Something wants to see each message: looked at for every one of them, so it is one plain attribute.
    watched = False
    # Whether messages to it are passed on as they are, so that what is in them need not be sent beforehand.
    in_process = False
    # Whether it is reached over a connection.
    is_far = False
    beginnings = 0
    """How often a client has begun anew at this worker: what it had there before is gone."""
    wire = _setting("_wire", "Whether every message goes through the wire codec.")
    log_msgs = _setting("_log_msgs", "Whether every received message is kept in ``msg_history``.")
    verbose = _setting("_verbose", "Whether every message sent and received is reported.")
    message_pending_time = _setting("_pending", "Seconds to wait before each message to this worker.")

    def __init__(
        self,
        hook: Any,
        id: m.ObjectId = 0,
        data: Iterable[Any] | None = None,
        is_client_worker: bool = False,
        log_msgs: bool = False,
        verbose: bool = False,
        auto_add: bool = True,
        message_pending_time: float = 0,
        device: torch.device | str | None = None,
    ) -> None:
        self.hook, self.id = hook, id
        self.is_client_worker = is_client_worker
        self.torch = getattr(hook, "torch", None)
        self.framework = getattr(hook, "framework", None)
        earlier = self._earlier(hook)
        if earlier is not None:
            # The same worker met again: everything it holds is shared, nothing is lost.
            self._share(earlier)
        else:
            self.msg_history: list[bytes] = []
            self._known_workers: dict[m.ObjectId, BaseWorker] = {id: self}
            self._store = ObjectStore(self)
            self.gradients: dict[tuple[m.ObjectId, tuple[str, ...]], Any] = {}
            policy = Policy(device=None if device is None else torch.device(device))
            self._executor = Executor(self._store, policy, self._peer, self)
        local = getattr(hook, "local_worker", None)
        if auto_add and local is not None:
            local._introduce(self)
        self.log_msgs, self.verbose, self.message_pending_time = log_msgs, verbose, message_pending_time
        if data is not None:
            self.load_data(data)

    def is_watched(self) -> bool:
        """Whether something wants to see each message to this worker."""
        client = self.client
        reported = self.verbose or (client is not None and client.verbose)
        return bool(self.wire or self.log_msgs or self.message_pending_time or reported)

    def _earlier(self, hook: Any) -> BaseWorker | None:
        local = getattr(hook, "local_worker", None)
        earlier = local._known_workers.get(self.id) if local is not None else None
        if earlier is not None and not isinstance(earlier, type(self)):
            raise WorkerConflictError(
                "Worker initialized with the same id and different types. "
                f"{self.id!r} is a {type(earlier).__name__} and cannot be a {type(self).__name__} too; "
                "choose another id."
            )
        return earlier

    def _share(self, earlier: BaseWorker) -> None:
        self.msg_history, self._known_workers = earlier.msg_history, earlier._known_workers
        self._store, self._executor = earlier._store, earlier._executor
        self.gradients = earlier.gradients

    # --- identity -----------------------------------------------------------------------------------

    @property
    def client(self) -> Any:
        """The local worker of this worker's hook, on whose behalf pointers are made."""
        return getattr(self.hook, "local_worker", None)

    @property
    def location(self) -> None:
        """A worker is not located on another one."""
        return None

    def __eq__(self, other: object) -> bool:
        return self is other or (isinstance(other, BaseWorker) and self.id == other.id)

    def __hash__(self) -> int:
        return hash(self.id)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} id:{self.id} #objects:{len(self._store)}>"

    def __getitem__(self, id: m.ObjectId) -> Any:
        return self._store.objects.get(id)

    # --- messages -----------------------------------------------------------------------------------

    def request(self, message: Any) -> Any:
        """Send this worker a message and wait for its answer."""
        raise NotImplementedError

    def post(self, message: Any) -> None:
        """Send this worker a message without waiting."""
        self.request(message)

    def begin(self, message: Any) -> Callable[[], Any]:
        """Send this worker a message, and wait for its answer later: with the function that this returns."""
        answer = self.request(message)
        return lambda: answer

    def forget(self, id: m.ObjectId) -> None:
        """Tell this worker that the last pointer to an object died. Never raises: a finalizer calls it."""
        with suppress(Exception):  # at interpreter exit anything may be gone already
            self.post(m.Forget((id,)))

    def send_msg(self, message: Any, location: BaseWorker) -> Any:
        """Send a message to another worker.

        Args:
            message: one of `syft.core.messages`.
            location: the worker that shall get it.

        Returns:
            Its answer.

        Raises:
            NotAMessageError: this is not a message.
        """
        if type(message).__module__ != m.__name__:
            raise NotAMessageError(f"{message!r} is not a message; use one of syft.core.messages")
        return location.request(message)

    def recv_msg(self, binary: bytes) -> bytes:
        """Take an encoded message and give the encoded answer; an error is an answer too.

        Args:
            binary: an encoded message.

        Returns:
            The encoded answer.
        """
        if self.log_msgs:
            self.msg_history.append(bytes(binary))
        try:
            message = decode(binary, self)
            if self.verbose:
                report(f"worker {self} received ({type(message).__name__})")
            if type(message) is m.Take and not message.keep:
                # What cannot be sent is not forgotten either: encode first, then let go.
                answer = encode(self._executor.handle(replace(message, keep=True)))
                self._executor.handle(message)
                return answer
            return encode(self._executor.handle(message))
        except Exception as error:
            return encode(to_failure(error, _name_of(binary)))

    def exchange(self, binary: bytes, client: Any) -> Any:
        """Have this worker answer encoded bytes, and decode the answer for ``client``.

        Raises:
            Exception: what the worker raised, as it was raised there.
        """
        reply = decode(self.recv_msg(binary), client)
        if type(reply) is m.Failure:
            raise to_error(reply, self)
        return reply

    def _get_msg(self, index: int) -> Any:
        """A message of the history, decoded without touching what it speaks of."""
        return decode(self.msg_history[index], None)

    # --- search -------------------------------------------------------------------------------------

    def request_search(self, query: Any, location: BaseWorker) -> list[Any]:
        """Pointers to the objects at another worker that match every term.

        Args:
            query: as for `search`.
            location: the worker to search.

        Returns:
            Wrapped pointers; they never delete what they point to.
        """
        found = self.send_msg(m.Search(tuple(terms_of(query))), location)
        return [self.pointer_to(hit, location) for hit in found]

    def pointer_to(self, hit: m.Found, location: BaseWorker) -> Any:
        """The pointer that stands for a search result."""
        maker = POINTERS.get(hit.kind, _object_pointer)
        return maker(hit, location, self)

    def find_or_request(self, tag: Any, location: BaseWorker) -> list[Any]:
        """Objects with the tag held here that live at ``location``, or else a search there."""
        here = [obj for obj in self.search([tag]) if getattr(obj, "location", None) == location]
        return here or self.request_search([tag], location)

    # --- worker-level operations --------------------------------------------------------------------

    def send(
        self,
        obj: Any,
        workers: Any,
        ptr_id: m.ObjectId | None = None,
        garbage_collect_data: bool | None = None,
        create_pointer: bool = True,
        user: Any = None,
        **kwargs: Any,
    ) -> Any:
        """Copy an object to a worker.

        Args:
            obj: a tensor or another sendable object.
            workers: one worker (or a list of one).
            ptr_id: the id of the pointer.
            garbage_collect_data: whether the pointer owns the remote object; the object's choice when None.
            create_pointer: return None instead of a pointer when False.
            user: credential, for private objects.
            **kwargs: passed to the object's own ``create_pointer``.

        Returns:
            An unwrapped pointer.
        """
        places = list(workers) if isinstance(workers, (list, tuple)) else [workers]
        if not places:
            raise UsageError("Please provide workers to receive the data")
        if len(places) > 1:
            raise NotSupportedError("an object can be sent to one worker at a time; call send once for each")
        destination = self.get_worker(places[0], fail_hard=True)
        self.send_obj(obj, destination, user)
        if not create_pointer:
            return None
        if garbage_collect_data is not None:
            kwargs["garbage_collect_data"] = garbage_collect_data
        maker = getattr(obj, "create_pointer", None)
        if maker is not None:
            return maker(location=destination, owner=self, ptr_id=ptr_id, id_at_location=obj.id, **kwargs)
        return PointerTensor(destination, obj.id, self, ptr_id, **kwargs)

    def send_command(
        self, recipient: BaseWorker, message: tuple[Any, ...], return_ids: tuple[m.ObjectId, ...] | None = None
    ) -> Any:
        """Run one op at a worker: 0.2.4's low-level call.

        Args:
            recipient: the worker.
            message: ``(name, target, args, kwargs)``; a method name with a target, or a dotted torch function
                with None.
            return_ids: the id of the result, if it must have a certain one.

        Returns:
            Unwrapped pointers, or a plain value.
        """
        name, target, args, kwargs = message
        op = op_named(name if target is None else f"Tensor.{name}")
        operands = tuple(unwrap(a) for a in ((*args,) if target is None else (target, *args)))
        out = apply(op, operands, unwrap(dict(kwargs or {})))
        if return_ids and isinstance(out, PointerTensor) and op.returns is not Returns.SELF:
            recipient._store.objects[return_ids[0]] = recipient._store.objects.pop(out.id_at_location)
            out.point(recipient, return_ids[0])
        return out

    def send_obj(self, obj: Any, location: BaseWorker, user: Any = None) -> None:
        """Store a copy of the object at a worker.

        Raises:
            SendNotPermittedError: the object is private and ``user`` may not send it.
        """
        if not may_see(obj, user):
            raise SendNotPermittedError(
                f"this object is private and user {user!r} may not send it; name an allowed user"
            )
        self.send_msg(m.Put(((obj.id, obj),), user), location)

    def request_obj(self, obj_id: m.ObjectId, location: BaseWorker, user: Any = None, reason: str = "") -> Any:
        """Fetch an object from a worker, which forgets it."""
        (obj,) = self.send_msg(m.Take((m.Ref(obj_id),), user, reason), location)
        return obj

    def fetch_plan(self, plan_id: m.ObjectId, location: Any, copy: bool = False) -> Any:
        """A plan that a worker holds; it stays there, too.

        Args:
            plan_id: its id.
            location: the worker or its id.
            copy: give the plan here an id of its own.

        Returns:
            The plan, without a Python function; None if the worker holds no plan of that id.
        """
        try:
            (plan,) = self.send_msg(m.Take((m.Ref(plan_id),), keep=True), self.get_worker(location, fail_hard=True))
        except ObjectNotFoundError:
            return None
        if getattr(type(plan), "remote_kind", None) != "plan":
            return None
        plan.owner = self
        return plan.copy() if copy else plan

    def request_is_remote_tensor_none(self, pointer: PointerTensor) -> bool:
        """Whether the object behind a pointer is None.

        Raises:
            ObjectNotFoundError: there is no such object.
        """
        if not pointer.path and pointer.is_none():
            raise ObjectNotFoundError(pointer.id_at_location, pointer.location)
        return pointer.is_none()

    def request_remote_tensor_shape(self, pointer: PointerTensor) -> torch.Size:
        """The shape of the tensor behind a pointer, asked anew."""
        return torch.Size(self.send_msg(m.Describe(pointer.ref), pointer.location).shape)

    @property
    def remote(self) -> RemoteTorch:
        """Makes tensors directly on this worker: ``bob.remote.torch.zeros(2)``."""
        return RemoteTorch(self)


def report(text: str) -> None:
    """Say what a verbose worker does; the kind of message and the workers, never a value."""
    logger.info(text)
    sys.stdout.write(f"{text}\n")


def _name_of(binary: bytes) -> str:
    try:
        message = decode(binary, None)
    except Exception:
        return "message"
    return str(getattr(message, "op", type(message).__name__))


def _tensor_pointer(hit: m.Found, location: Any, owner: Any) -> Any:
    pointer = PointerTensor(
        location, hit.id, owner, None, False, hit.shape, tags=hit.tags or None, description=hit.description
    )
    return pointer.wrap()


def _object_pointer(hit: m.Found, location: Any, owner: Any) -> Any:
    return ObjectPointer(location, hit.id, owner, None, False, hit.tags or None, hit.description)


POINTERS: dict[str, Any] = {"tensor": _tensor_pointer}
"""How a search result of each kind is pointed to; rooms above add their kinds."""

AbstractWorker = BaseWorker
"""0.2.4's name for what every kind of worker derives from."""
