"""`PointerTensor`: a tensor that lives elsewhere; every op on it becomes a `Command` to its location."""

from __future__ import annotations

from typing import Any, Self

import torch

from syft.core.ids import new_id
from syft.core.messages import Command, Describe, Description, Fetch, Named, Ref, Relay, Stored
from syft.core.ops import BY_NAME, Op, Returns
from syft.core.session import SESSION
from syft.exceptions import (
    CannotRequestObjectAttribute,
    InvalidTensorForRemoteGet,
    TensorsNotCollocatedException,
    UnserializableError,
)
from syft.serde.torch_types import LossOptions
from syft.tensors.base import SyftTensor, apply
from syft.tensors.object_pointer import ObjectPointer, pointer_text
from syft.tensors.outputs import Outputs

_is_grad_enabled = torch.is_grad_enabled
_TENSOR, _SELF, _NOTHING = Returns.TENSOR, Returns.SELF, Returns.NOTHING

# What may stand in a command as it is. Everything else would only work while the worker is in this process.
_PLAIN = frozenset(
    {
        int, float, bool, str, complex, bytes, type(None), type(Ellipsis), range,
        torch.dtype, torch.device, torch.layout, torch.memory_format, torch.Size, LossOptions,
    }
)  # fmt: skip


# torch's recurrent modules make their first hidden state of zeros, here. It travels with the call.
# So do the lengths of a packed batch, which torch wants on the CPU of the program.
_SHIP_STATES = frozenset(
    "torch.lstm torch.gru torch.rnn_tanh torch.rnn_relu torch.lstm_cell torch.gru_cell torch.rnn_tanh_cell "
    "torch.rnn_relu_cell torch._pack_padded_sequence".split()
)


class PointerTensor(ObjectPointer, SyftTensor):
    """Stands for one tensor on one worker.

    Args:
        location: the worker that holds the tensor.
        id_at_location: the tensor's id there.
        owner: the worker this pointer belongs to; the local worker when None.
        id: the pointer's own id; drawn on first use when None.
        garbage_collect_data: delete the remote tensor when this pointer dies.
        shape: the remote shape, if known.
        point_to_attr: attribute path below the tensor, such as ``"grad"``.
        tags: words the tensor was tagged with.
        description: its description.
    """

    precedence = 1
    _info: Description | None = None
    # Of a pointer to a pointer: whether that one owns what it points to (search results do not).
    target_owns: bool = True
    _shape: torch.Size | None = None
    _grad_pointer: PointerTensor | None = None

    def __init__(
        self,
        location: Any = None,
        id_at_location: Any = None,
        owner: Any = None,
        id: Any = None,
        garbage_collect_data: bool = True,
        shape: Any = None,
        point_to_attr: str | tuple[str, ...] | None = None,
        tags: Any = None,
        description: str | None = None,
    ) -> None:
        ObjectPointer.__init__(
            self, location, id_at_location, owner, id, garbage_collect_data, tags, description, point_to_attr
        )
        if shape is not None:
            self._shape = torch.Size(shape)

    @classmethod
    def default(cls, op: Op, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Send the op to where the operands are.

        Args:
            op: what to run.
            args: links and plain values; at least one is a pointer.
            kwargs: likewise.

        Returns:
            A pointer to the result; `Outputs` of pointers for several results; plain values as they are.

        Raises:
            TensorsNotCollocatedException: an operand lives elsewhere; nothing is sent and nothing is lost.
        """
        pointer: Any = None
        refs: Any = []
        out = kwargs.get("out") if kwargs else None
        given_out = out is not None
        # In-place functions may name their tensor (torch.nn.init does).
        target = args[0] if args else next(iter(kwargs.values()), None)
        for a in args:
            kind = type(a)
            if kind is PointerTensor:
                if pointer is None:
                    pointer = a
                elif a.location is not pointer.location:
                    break  # the same worker met twice, or an error: worked out below
                refs.append(a._ref or a.ref)
            elif kind in _PLAIN:
                refs.append(a)
            else:
                break
        plain = len(refs) == len(args) and pointer is not None and pointer.location is not None
        if not plain or (kwargs and not _PLAIN.issuperset(map(type, kwargs.values()))):
            refs, kwargs, pointer = _operands(op, args, kwargs)
        refs = tuple(refs)
        location = pointer.location
        returns = op.returns
        if kwargs and kwargs.get("inplace") is True:
            returns = _SELF
        if returns is _TENSOR and not given_out:
            result = new_id()
            location.post(Command(op.name, refs, kwargs, result, _is_grad_enabled()))
            return pointer_to(location, result, pointer.owner)
        if returns is _SELF:
            targets = target if type(target) is list or type(target) is tuple else (target,)
            if any(type(t) is not PointerTensor for t in targets):
                raise TensorsNotCollocatedException(target, pointer, attr=op.name)
            location.post(Command(op.name, refs, kwargs, None, _is_grad_enabled()))
            for changed in targets:
                changed.forget_info()
            return target
        if returns is _NOTHING or given_out:
            location.post(Command(op.name, refs, kwargs, None, _is_grad_enabled()))
            return _out(out)
        reply = location.request(Command(op.name, refs, kwargs, new_id(), _is_grad_enabled()))
        return pointer.answer(reply)

    def answer(self, reply: Any) -> Any:
        """A reply with pointers at this pointer's location in the place of `Stored` marks."""
        if type(reply) is Stored:
            return pointer_to(self.location, reply.id, self.owner)
        if type(reply) is Named:
            return Outputs([self.answer(r) for r in reply.results], reply.names)
        if type(reply) in (list, tuple):
            return Outputs([self.answer(r) for r in reply])
        return reply

    # --- metadata -----------------------------------------------------------------------------------

    def run(self, op: str, *operands: Any) -> PointerTensor:
        """Have the worker run a kernel on the tensor; a pointer to the result."""
        self.check_alive()
        result = new_id()
        self.location.post(Command(op, (self.ref, *operands), None, result, _is_grad_enabled()))
        return pointer_to(self.location, result, self.owner)

    def owned_pointers(self) -> list[Any]:
        """This pointer."""
        return [self]

    @property
    def info(self) -> Description:
        """Shape, dtype and device of the remote tensor, asked for once and kept until it changes."""
        info = self._info
        if info is None:
            self.check_alive()
            info = self._info = self.location.request(Describe(self.ref))
        return info

    def point(self, location: Any, id_at_location: Any) -> None:
        """Point somewhere else from now on."""
        super().point(location, id_at_location)
        location.gradients.pop((id_at_location, self.path), None)
        self._grad_pointer = None

    def forget_info(self) -> None:
        """The remote tensor changed: ask again when its metadata is next needed."""
        self._info = self._shape = None
        if self.path and self.path[-1] == "grad" and self.location is not None:
            self.location.gradients.pop((self.id_at_location, self.path[:-1]), None)
        if self._base is not None:
            self._base.forget_info()

    @property
    def shape(self) -> torch.Size:
        """The shape of the remote tensor; assigning overrides what is remembered."""
        if self._shape is None:
            self._shape = torch.Size(self.info.shape)
        return self._shape

    @shape.setter
    def shape(self, value: Any) -> None:
        self._shape = torch.Size(value)

    def gradient_info(self) -> Description | None:
        """What the remote gradient is like, or None if there is none; asked for once until it may have changed."""
        location = self.location
        if location is None:
            self.check_alive()
        known = location.gradients
        key = (self.id_at_location, self.path)
        if key not in known:
            # An optimizer reads .grad four times a step; the worker is asked once.
            known[key] = location.request(Describe(Ref(self.id_at_location, (*self.path, "grad"))))
        info: Description | None = known[key]
        return info

    @property
    def grad(self) -> PointerTensor | None:
        """A pointer to the remote gradient, or None if the tensor has none. It keeps the tensor alive."""
        info = self.gradient_info()
        if info is None:
            return None
        pointer = self.attr("grad")
        pointer._info = info
        return pointer

    @property
    def kept_grad(self) -> PointerTensor | None:
        """Like ``grad``, but the same pointer each time, and it does not keep the tensor alive.

        For parameters: an optimizer reads their gradients several times a step, and their module keeps
        them alive. A pointer that did so too would be a circle, and deletion would have to wait for the
        garbage collector.
        """
        info = self.gradient_info()
        if info is None:
            return None
        out = self._grad_pointer
        if out is None:
            out = self._grad_pointer = _new_pointer(PointerTensor)
            out.location, out.id_at_location, out.owner = self.location, self.id_at_location, self.owner
            out.path, out._id = (*self.path, "grad"), self.id
        out._info = info
        return out

    @property
    def data(self) -> PointerTensor:
        """A pointer to the remote values without their history."""
        return self.attr("data")

    def attr(self, name: str) -> PointerTensor:
        """A pointer to an attribute (``"grad"``, ``"data"`` or ``"child"``) with this pointer's ids; owns nothing."""
        self.check_alive()
        out: PointerTensor = PointerTensor.__new__(PointerTensor)
        out.location, out.id_at_location, out.owner = self.location, self.id_at_location, self.owner
        out.path = (*self.path, name)
        out._base = self
        return out

    def setattr(self, name: str, value: Any) -> None:
        """Set ``"grad"``, ``"data"`` or ``"requires_grad"`` to a pointer at the same location or a plain value."""
        op = BY_NAME.get(f"Tensor.{name}.__set__")
        if op is None:
            raise CannotRequestObjectAttribute(
                f"attribute {name!r} of a remote tensor cannot be set; grad, data and requires_grad can"
            )
        apply(op, (self, value), {})

    # --- life cycle ---------------------------------------------------------------------------------

    def get(self, user: Any = None, reason: str = "", deregister_ptr: bool = True) -> Any:
        """Fetch the tensor; the worker forgets it. On an attribute pointer: fetch a copy of the attribute.

        Args:
            user: credential, for private tensors.
            reason: transported for the worker's log.
            deregister_ptr: accepted for 0.2.4 code, no effect.

        Returns:
            The tensor (a leaf, with its gradient), or the pointer it was.
        """
        if self.path:
            if "child" in self.path:
                raise CannotRequestObjectAttribute(f"{self} points into a chain; fetch the whole tensor instead")
            if user is not None:
                raise CannotRequestObjectAttribute(f"{self} belongs to a tensor; fetch that with user={user!r}")
            return PointerTensor.default(BY_NAME["Tensor.clone"], (self,), {}).get()
        return ObjectPointer.get(self, user, reason)

    def move(self, destination: Any, user: Any = None) -> Self:
        """Send the tensor to another worker directly; this pointer follows it.

        Args:
            destination: a worker or its id. Where the tensor already is, nothing happens.
            user: credential, for private tensors.

        Returns:
            This pointer.
        """
        self.check_alive()
        destination = SESSION.worker(destination)
        if destination == self.location:
            return self
        if self.path:
            return PointerTensor.default(BY_NAME["Tensor.clone"], (self,), {}).move(destination, user)
        self.location.request(Relay((self.id_at_location,), destination.id, (self.id_at_location,), False, user))
        self.point(destination, self.id_at_location)
        return self

    def remote_send(self, destination: Any, user: Any = None) -> Self:
        """Ask the holder to send its tensor on and to keep a pointer to it.

        Returns:
            This pointer, which is now a pointer to a pointer.
        """
        self.check_alive()
        destination = SESSION.worker(destination)
        self.location.request(Relay((self.id_at_location,), destination.id, (new_id(),), True, user))
        return self

    def remote_get(self) -> Self:
        """Ask the holder, which has a pointer, to fetch what that points to.

        Returns:
            This pointer, one hop shorter.

        Raises:
            InvalidTensorForRemoteGet: the holder has a tensor, not a pointer.
        """
        self.check_alive()
        if not self.location.request(Fetch(self.id_at_location)):
            raise InvalidTensorForRemoteGet(self)
        self.forget_info()
        return self

    def __repr__(self) -> str:
        shape = self._shape if self._shape is not None else (torch.Size(self._info.shape) if self._info else None)
        return pointer_text(self, type(self).__name__, "" if shape is None else f"\n\tShape: {shape}")


_new_pointer = PointerTensor.__new__


def pointer_to(location: Any, id_at_location: Any, owner: Any) -> PointerTensor:
    """The owning pointer of a fresh remote result, made the cheap way."""
    out: PointerTensor = _new_pointer(PointerTensor)
    out.location = location
    out.id_at_location = id_at_location
    out.owner = owner
    out.gc = True
    return out


def _out(out: Any) -> Any:
    if isinstance(out, PointerTensor):
        out.forget_info()
    return Outputs(list(out)) if isinstance(out, (list, tuple)) else out


def _operands(op: Op, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[Any, dict[str, Any], Any]:
    call = _Operands(op)
    refs = []
    for position, a in enumerate(args):
        call.ships = position == 1 and op.name in _SHIP_STATES
        refs.append(call.value(a))
    call.ships = False
    named = {k: call.value(v) for k, v in kwargs.items()}
    if call.local is not None or call.pointer is None:
        raise TensorsNotCollocatedException(*call.clash(args), attr=op.name)
    return refs, named, call.pointer


class _Operands:
    """Turns the operands of one call into what stands in the message, and checks where they are."""

    __slots__ = ("local", "op", "pointer", "ships")

    def __init__(self, op: Op) -> None:
        self.op = op
        self.pointer: PointerTensor | None = None
        self.local: Any = None
        self.ships = False  # whether local tensors travel with the call

    def here(self, pointer: PointerTensor) -> None:
        """Note the pointer, which must live where the others do."""
        first = self.pointer
        if first is None:
            if pointer.location is None:
                pointer.check_alive()
            self.pointer = pointer
        elif pointer.location is not first.location and pointer.location != first.location:
            pointer.check_alive()
            raise TensorsNotCollocatedException(first, pointer, attr=self.op.name)

    def value(self, value: Any) -> Any:
        """What stands for a value in the command."""
        kind = type(value)
        if kind in _PLAIN or isinstance(value, torch.SymInt):  # a size of a plan that is being recorded
            return value
        if kind is PointerTensor:
            self.here(value)
            return value.ref
        if kind is list or kind is tuple:
            return kind([self.value(v) for v in value])
        if kind is slice:
            return slice(self.value(value.start), self.value(value.stop), self.value(value.step))
        if kind is dict:
            return {k: self.value(v) for k, v in value.items()}
        if isinstance(value, torch.Tensor):
            if value.dim() == 0 or (self.ships and not value.requires_grad and self._made_by_torch(value)):
                return value.detach().clone()  # a number in all but name
            self.local = value
            return None
        if isinstance(value, ObjectPointer) and value.location == getattr(self.pointer, "location", None):
            return value.ref
        if isinstance(value, SyftTensor):
            self.local = value
            return None
        return _scalar(value, self.op)

    def _made_by_torch(self, value: torch.Tensor) -> bool:
        # A first state is zeros and lengths are what the program knows; any other tensor was not sent on purpose.
        return self.op.key == "_pack_padded_sequence" or not value.count_nonzero()

    def clash(self, args: tuple[Any, ...]) -> tuple[Any, Any]:
        """The two operands of the error, in the order of the call."""
        first = args[0] if args else None
        local = self.local
        if first is local:
            return local, self.pointer
        return self.pointer, local


def _scalar(value: Any, op: Op) -> Any:
    item = getattr(value, "item", None)
    if callable(item) and getattr(value, "ndim", None) == 0:  # a numpy scalar
        return item()
    if isinstance(value, (list, tuple)):  # named tuples and the like
        return tuple(_scalar(v, op) if type(v) not in _PLAIN else v for v in value)
    for plain in (bool, int, float, str):
        if isinstance(value, plain):
            return plain(value)
    raise UnserializableError(
        f"{op.name!r} was called on a remote tensor with a {type(value).__name__}, which cannot be sent to a worker. "
        "Pass numbers, text, dtypes, or tensors that are already there."
    )


def dangling(pointer: PointerTensor) -> PointerTensor:
    """A pointer to nothing, for calls that 0.2 programs print the result of."""
    out = pointer_to(pointer.location, new_id(), pointer.owner)
    out.gc = False
    return out
