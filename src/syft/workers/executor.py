"""What a worker does with a message: message in, answer out. No sockets, threads or clocks here."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import torch

from syft.core import messages as m
from syft.core.ids import new_id
from syft.core.naming import names_of, set_identity, set_names
from syft.core.ops import KERNEL, PROTOCOLS, Op, Returns, Step, op_named
from syft.exceptions import CommandNotPermittedError, GetNotPermittedError, SendNotPermittedError
from syft.tensors.base import SyftTensor, Wrapper, is_wrapper, link_of, unwrap
from syft.tensors.outputs import Outputs, names_of_results
from syft.tensors.permission import may_see
from syft.tensors.pointer import PointerTensor
from syft.tensors.private_ops import may_speak_of_values, without_values
from syft.tensors.verbs import description_of, own, pointers_in
from syft.workers.policy import GUARDED, Policy
from syft.workers.result_limits import check_result, check_stored, check_text
from syft.workers.services import PREFIX
from syft.workers.store import ObjectStore

_REF = m.Ref
_TENSOR = Returns.TENSOR
# The verbs of encoded tensors look at what they get themselves.
_TAKES_LINKS = frozenset({"mpc.fix_precision", "mpc.float_precision", "mpc.share"})
_NO_LINKS = frozenset({torch.Tensor, type(None), bool, int, float, str})
# What a worker may answer with as it is. Tensors, and whatever else an op may return, stay.
_ANSWERS = frozenset(
    {bool, int, float, complex, str, bytes, type(None), torch.Size, torch.dtype, torch.device, torch.layout}
)


class Executor:
    """Runs messages on a store.

    Args:
        store: the objects.
        policy: who may do what.
        peer: finds another worker by id, for messages that send objects on.
        worker: whom the stored objects belong to.
    """

    def __init__(self, store: ObjectStore, policy: Policy, peer: Callable[[m.ObjectId], Any], worker: Any) -> None:
        self.store, self.policy, self.peer, self.worker = store, policy, peer, worker
        self.handlers: dict[type, Callable[[Any], Any]] = {
            m.Command: self._command,
            m.Put: self._put,
            m.Take: self._take,
            m.Forget: self._forget,
            m.Describe: self._describe,
            m.IsNone: self._is_none,
            m.Search: self._search,
            m.Relay: self._relay,
            m.Fetch: self._fetch,
            m.Tag: self._tag,
            m.Call: self._call,
        }

    def handle(self, message: Any) -> Any:
        """Do what the message says.

        Args:
            message: one of `syft.core.messages`.

        Returns:
            The answer: None, a plain value, or a `Stored`, `Named`, `Description`, `Found` …

        Raises:
            CommandNotPermittedError: this is not a message a worker takes.
            Exception: whatever the op itself raises; it is the answer.
        """
        try:
            handler = self.handlers[type(message)]
        except KeyError:
            raise CommandNotPermittedError(f"a worker takes no {type(message).__name__} messages") from None
        return handler(message)

    # --- ops ----------------------------------------------------------------------------------------

    def _command(self, message: m.Command) -> Any:
        if message.forget:
            self.store.discard(message.forget)
        op = op_named(message.op)
        objects = self.store.objects
        args = []
        for a in message.args:
            if type(a) is _REF and not a.path and a.id in objects:
                args.append(objects[a.id])
            else:
                args.append(self._value(a))
        kwargs = {k: self._value(v) for k, v in message.kwargs.items()} if message.kwargs else {}
        limit = self.policy.result_bytes
        is_kernel = op.name.startswith(KERNEL)
        if is_kernel:
            if op.name not in _TAKES_LINKS and not (_plain(args) and _plain(kwargs.values())):
                raise GetNotPermittedError(f"{op.name!r} takes plain tensors only: what it computes is shown to others")
            args.insert(0, self.worker.service(PROTOCOLS))
        elif op.key in GUARDED:
            self.policy.check(op, args, kwargs)
        # A kernel looks at its sizes itself, and must not be tried out: what it draws is used up.
        known = limit is None or (not is_kernel and check_result(op, args, kwargs, limit))
        try:
            if torch.is_grad_enabled() is message.grad_enabled:
                out = op.fn(*args, **kwargs)
            else:
                with torch.set_grad_enabled(message.grad_enabled):
                    out = op.fn(*args, **kwargs)
        except Exception as error:
            if may_speak_of_values(error, args, kwargs):
                raise without_values(op, args, kwargs) from None
            raise
        if message.result is None:
            if not known:
                self._grown(message)
            return None
        if message.result in objects:
            raise CommandNotPermittedError(f"there is an object {message.result} already; results get ids of their own")
        if limit is not None and not known:
            check_stored(out, limit)
        if isinstance(out, torch.Tensor):
            objects[message.result] = out
            return None if op.returns is _TENSOR else m.Stored(message.result)
        return self._answered(op, self._keep(out, message.result), message)

    def _answered(self, op: Op, reply: Any, message: m.Command) -> Any:
        """What an op that gives other things than a tensor is answered with."""
        return reply

    def _grown(self, message: m.Command | m.Call) -> None:
        """Operands of the message may be larger than before."""

    def _keep(self, out: Any, result: m.ObjectId | None) -> Any:
        """Keep the tensors of a result and say where they are; plain values answer for themselves."""
        if type(out) is Step:
            self.store.put(new_id() if result is None else result, out.kept)
            out = out.shown
        if type(out) is m.Shown:
            if any(type(value) is not torch.Tensor for value in out.values):
                raise GetNotPermittedError("a step of a protocol shows plain tensors only, and no private ones")
            return out
        if isinstance(out, torch.Tensor) or hasattr(type(out), "remote_kind"):
            id = new_id() if result is None else result
            self.store.put(id, out)
            return m.Stored(id)
        if type(out) in (list, tuple):
            return type(out)([self._keep(o, None) for o in out])
        if isinstance(out, Outputs) or (isinstance(out, tuple) and not isinstance(out, torch.Size)):
            names = out.names if isinstance(out, Outputs) else names_of_results(out)
            return m.Named(names, tuple([self._keep(o, None) for o in out]))
        if type(out) is dict:
            return {self._keep(k, None): self._keep(v, None) for k, v in out.items()}
        if type(out) not in _ANSWERS:
            raise CommandNotPermittedError(f"the result is a {type(out).__name__}, which a worker does not give out")
        return out

    def _value(self, value: Any) -> Any:
        """The object that stands behind a `Ref`, in whatever container it came."""
        kind = type(value)
        if kind is _REF:
            obj = self.store.get(value.id)
            return self._attribute(obj, value.path) if value.path else obj
        if kind is list or kind is tuple:
            return kind([self._value(v) for v in value])
        if kind is dict:
            return {k: self._value(v) for k, v in value.items()}
        if kind is slice:
            return slice(self._value(value.start), self._value(value.stop), self._value(value.step))
        return value

    def _attribute(self, obj: Any, path: tuple[str, ...]) -> Any:
        for name in path:
            read = _ATTRIBUTES.get(name)
            if read is None:
                allowed = ", ".join(sorted(_ATTRIBUTES))
                raise CommandNotPermittedError(f"attribute {name!r} cannot be reached remotely; these can: {allowed}")
            obj = read(obj)
        return obj

    def _call(self, message: m.Call) -> Any:
        id = message.target.id
        if type(id) is str and id.startswith(PREFIX):  # asked first: no stored object can pass for a service
            target = self.worker.service(id.removeprefix(PREFIX))
        else:
            target = self.store.get(id)
        offered: frozenset[str] = getattr(type(target), "remote_methods", frozenset())
        if message.method not in offered:
            raise CommandNotPermittedError(
                f"{type(target).__name__} offers no remote method {message.method!r}; it offers {sorted(offered)}"
            )
        method = _bound_method(target, offered, message.method)
        args, kwargs = self._value(message.args), self._value(message.kwargs)
        if self.policy.result_bytes is not None and isinstance(target, str):
            check_text(message.method, target, args, kwargs, self.policy.result_bytes)
        if torch.is_grad_enabled() is message.grad_enabled:
            out = method(*args, **kwargs)
        else:
            with torch.set_grad_enabled(message.grad_enabled):
                out = method(*args, **kwargs)
        return self._keep(out, message.result)

    # --- objects ------------------------------------------------------------------------------------

    def _put(self, message: m.Put) -> None:
        for id, _ in message.objects:
            held = self.store.objects.get(id)
            if held is not None and is_wrapper(held) and not may_see(held, message.user):
                raise SendNotPermittedError(f"object {id} is private and user {message.user!r} may not replace it")
        if message.owning:
            self._come_home([unwrap(obj) for _, obj in message.objects])
        for id, obj in message.objects:
            self.store.put(id, self.policy.place(obj))
            if message.owning:
                _own(obj, True)

    def _come_home(self, arriving: list[Any]) -> None:
        # A pointer that was moved to where it points has become the object itself, under its new id.
        # (Decoding puts a new wrapper over a stored link, so links are compared.)
        home = {id(obj) for obj in arriving}
        self.store.discard([key for key, held in self.store.objects.items() if id(unwrap(held)) in home])

    def _take(self, message: m.Take) -> list[Any]:
        objects = [self._given(ref.id, message) for ref in message.refs]
        for obj in objects:
            if type(obj) is not torch.Tensor and not may_see(obj, message.user):
                raise GetNotPermittedError(
                    f"user {message.user!r} may not see this object of {self.worker.id!r}; it stays where it is. "
                    "Fetch it as an allowed user with .get(user=...)"
                )
        if not message.keep:
            for obj in objects:
                _own(obj, False)
            self.store.discard([ref.id for ref in message.refs])
        return objects if self.policy.device is None else [self.policy.give_out(obj) for obj in objects]

    def _given(self, id: m.ObjectId, message: m.Take) -> Any:
        """The object of that id as it leaves."""
        return self.store.get(id)

    def _forget(self, message: m.Forget) -> None:
        self.store.discard(message.ids)

    def _relay(self, message: m.Relay) -> None:
        objects = self._take(m.Take(tuple(m.Ref(i) for i in message.ids), message.user, keep=True))
        if message.destination == self.worker.id and not message.leave_pointer:
            return
        destination = self.peer(message.destination)
        # What owned goes on owning there; a pointer that owned nothing (to a search result) goes alone.
        placed = list(zip(message.as_ids, objects, strict=True))
        owners = [_owns(obj) for obj in objects]
        for obj in objects:
            _own(obj, False)
        for owning in sorted(set(owners)):
            part = tuple([pair for pair, owns in zip(placed, owners, strict=True) if owns is owning])
            destination.request(m.Put(part, message.user, owning=owning))
        self.store.discard(message.ids)
        if message.leave_pointer:
            for id, far, obj in zip(message.ids, message.as_ids, objects, strict=True):
                pointer = PointerTensor(destination, far, self.worker, shape=getattr(obj, "shape", None))
                self.store.put(id, pointer.wrap())

    def _fetch(self, message: m.Fetch) -> bool:
        obj = self.store.get(message.id)
        if not (is_wrapper(obj) and isinstance(link_of(obj), PointerTensor)):
            return False
        link = link_of(obj)
        owned = link.gc
        fetched = own(link.get(), owned)
        set_identity(fetched, message.id, self.worker)
        self.store.put(message.id, fetched)
        return True

    def _tag(self, message: m.Tag) -> None:
        set_names(self.store.get(message.id), message.tags, message.description)

    # --- questions ----------------------------------------------------------------------------------

    def _describe(self, message: m.Describe) -> m.Description | None:
        obj = self._value(message.ref)
        if obj is None:
            return None
        if isinstance(obj, Wrapper):
            link = link_of(obj)
            if isinstance(link, PointerTensor):
                return link.info
            shape = tuple(obj.shape)
            return m.Description(shape, torch.float32, torch.device("cpu"), torch.strided, None, False, True)
        if not isinstance(obj, torch.Tensor):
            raise CommandNotPermittedError(f"object {message.ref.id} is a {type(obj).__name__}, not a tensor")
        return description_of(obj)

    def _is_none(self, message: m.IsNone) -> bool:
        if message.ref.id not in self.store.objects:
            return True
        return self._value(message.ref) is None

    def _search(self, message: m.Search) -> list[m.Found]:
        found = []
        for id, obj in self.store.search(message.query):
            tags, description = names_of(obj)
            shape = _known_shape(obj)
            kind = "tensor" if isinstance(obj, torch.Tensor) else getattr(type(obj), "remote_kind", "object")
            found.append(m.Found(id, kind, tuple(tags), description, shape))
        return found


def _plain(values: Iterable[Any]) -> bool:
    # A private tensor among the operands would be added to plain ones in place.
    for value in values:
        kind = type(value)
        if kind is tuple or kind is list:
            if not _plain(value):
                return False
        elif kind not in _NO_LINKS and isinstance(value, (torch.Tensor, SyftTensor)):
            return False
    return True


def _bound_method(target: Any, offered: frozenset[str], name: str) -> Any:
    # Reached for names in `offered` only; the name that is looked up is the class's own, not the message's.
    return next(getattr(target, own) for own in offered if own == name)


def _owns(obj: Any) -> bool:
    # Data own themselves; a stored pointer says whether it owns.
    return all(pointer.gc for pointer in pointers_in(obj))


def _known_shape(obj: Any) -> tuple[int, ...] | None:
    # One object that cannot say its shape, such as a pointer to something lost, must not spoil the search; and
    # a search asks no other worker.
    if not isinstance(obj, torch.Tensor):
        return None
    if is_wrapper(obj) and isinstance(link := link_of(obj), PointerTensor):
        return None if link._shape is None else tuple(link._shape)
    try:
        return tuple(obj.shape)
    except Exception:
        return None


def _own(obj: Any, owns: bool) -> None:
    # An object that leaves this worker must not delete what it points to; whoever gets it does.
    for pointer in pointers_in(obj):
        pointer.gc = owns


def _child(obj: Any) -> Any:
    if not is_wrapper(obj):
        raise CommandNotPermittedError("only a wrapped tensor has a child")
    link = link_of(obj)
    if not getattr(type(link), "reveals_child", True):
        raise GetNotPermittedError(f"the inside of a {type(link).__name__} cannot be reached from outside")
    child = link.child
    return child.wrap() if hasattr(type(child), "wrap") else child


_ATTRIBUTES: dict[str, Callable[[Any], Any]] = {
    "grad": lambda obj: obj.grad,
    "data": lambda obj: obj.data,
    "child": _child,
}
