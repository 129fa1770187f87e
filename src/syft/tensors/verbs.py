"""The verbs of a tensor: send, get, move and what names it. `TorchHook` puts them on ``torch.Tensor``."""

from __future__ import annotations

import weakref
from typing import Any

import torch

from syft.core.messages import Description, Put
from syft.core.metadata import Metadata, metadata_of
from syft.core.session import SESSION
from syft.exceptions import (
    InvalidTensorForRemoteGet,
    NotRemoteError,
    NotSupportedError,
    SendNotPermittedError,
    UsageError,
)
from syft.serde.codec import encode
from syft.tensors.base import SyftTensor, Wrapper, consume, is_wrapper, link_of, unwrap, wrap
from syft.tensors.in_place import become_local, become_wrapper
from syft.tensors.multi_pointer import MultiPointerTensor
from syft.tensors.object_pointer import ObjectPointer
from syft.tensors.permission import may_see
from syft.tensors.pointer import PointerTensor


def send(
    self: torch.Tensor,
    *location: Any,
    inplace: bool = False,
    user: Any = None,
    local_autograd: bool = False,
    preinitialize_grad: bool = False,
    no_wrap: bool = False,
    garbage_collect_data: bool = True,
) -> Any:
    """Send a copy of this tensor to one or several workers.

    Values, dtype, ``requires_grad``, the current gradient, tags and description travel; the autograd
    history does not: the tensor arrives as a leaf. Sending a pointer gives a pointer to a pointer.

    Args:
        *location: workers or their ids.
        inplace: turn this very tensor into the pointer.
        user: credential, for private tensors.
        local_autograd: accepted for 0.2.4 code; gradients are computed where the data is either way.
        preinitialize_grad: give the remote tensor a gradient of zeros.
        no_wrap: return the bare `PointerTensor`.
        garbage_collect_data: delete the remote tensor when the pointer dies.

    Returns:
        A wrapped pointer; to several workers a wrapped `MultiPointerTensor`.

    Raises:
        WorkerNotFoundException: no worker of that id is known.
        SendNotPermittedError: this tensor is private and ``user`` may not send it.
    """
    if not location:
        raise UsageError("send() needs a worker to send to, for example x.send(bob)")
    workers = [SESSION.worker(w) for w in location]
    if len(workers) > 1:
        if inplace:
            raise NotSupportedError(
                "a tensor can be sent in place to one worker only; leave inplace out, or name one worker"
            )
        pointers = [_send_to(self, w, user, garbage_collect_data) for w in workers]
        multi = MultiPointerTensor(children=pointers)
        return multi if no_wrap else multi.wrap()
    if no_wrap and isinstance(self, torch.nn.Parameter):
        raise UsageError("a parameter cannot be sent with no_wrap=True; it would stop being a parameter")
    pointer = _send_to(self, workers[0], user, garbage_collect_data)
    if preinitialize_grad:
        pointer.setattr("grad", link_of(torch.zeros_like(wrap(pointer))))
    if inplace:
        return become_wrapper(self, pointer)
    return pointer if no_wrap else _wrap_like(self, pointer)


def send_(self: torch.Tensor, *location: Any, **kwargs: Any) -> Any:
    """`send` that turns this very tensor into the pointer and returns it."""
    return send(self, *location, inplace=True, **kwargs)


def _wrap_like(tensor: torch.Tensor, pointer: PointerTensor) -> Wrapper:
    if isinstance(tensor, torch.nn.Parameter) and not is_wrapper(tensor):
        return become_wrapper(torch.nn.Parameter(torch.empty(0), tensor.requires_grad), pointer)
    return wrap(pointer)


def _send_to(tensor: torch.Tensor, worker: Any, user: Any, gc: bool) -> PointerTensor:
    if is_wrapper(tensor):
        return _send_link(tensor, worker, user, gc)
    entry = metadata_of(tensor)
    worker.post(Put(((entry.id, tensor),), user, lasting=not gc))
    owner = entry.owner if entry.owner is not None else SESSION.local_worker
    pointer = PointerTensor(worker, entry.id, owner, None, gc, None, None, entry.tags, entry.description)
    pointer._shape = tensor.shape
    worker.gradients[entry.id, ()] = gradient_info(tensor)
    take_over(entry, pointer)
    return pointer


def gradient_info(tensor: torch.Tensor) -> Description | None:
    """What is known of the gradient of a tensor that is about to be, or has just been, sent."""
    grad = tensor.grad if tensor.is_leaf else None
    return None if grad is None else description_of(grad)


def _send_link(tensor: torch.Tensor, worker: Any, user: Any, gc: bool) -> PointerTensor:
    link = link_of(tensor)
    if not may_see(link, user):
        raise SendNotPermittedError(
            f"this tensor is private and user {user!r} may not send it; "
            "name an allowed user with send(worker, user=...)"
        )
    pointers = link.owned_pointers()
    owning = bool(pointers) and all(p.gc for p in pointers)  # what owns nothing, such as a search result, gives nothing
    worker.post(Put(((link.id, tensor),), user, owning=owning, lasting=not gc))
    for pointer in pointers:
        pointer.gc = False
    owner = link.owner if link.owner is not None else SESSION.local_worker
    out = PointerTensor(worker, link.id, owner, None, gc, None, None, link.tags, link.description)
    out.target_owns = owning or not pointers
    return out


def take_over(entry: Metadata, pointer: Any) -> None:
    """The newest pointer to an object owns it; it gives it back to the one before when it dies."""
    place = pointer.location.id
    held = entry.owners.get(place)
    earlier = None if held is None else held()
    if earlier is not None and earlier.gc and earlier.location == pointer.location:
        earlier.gc = False
        pointer.heir = held
    entry.pointer = entry.owners[place] = weakref.ref(pointer)


def description_of(tensor: torch.Tensor) -> Description:
    """The metadata of a local tensor, as a worker would describe it."""
    strided = tensor.layout is torch.strided
    stride = tuple(tensor.stride()) if strided else None
    return Description(
        tuple(tensor.shape), tensor.dtype, tensor.device, tensor.layout, stride, tensor.requires_grad, tensor.is_leaf
    )


def get(
    self: torch.Tensor, *args: Any, inplace: bool = False, user: Any = None, reason: str = "", **kwargs: Any
) -> Any:
    """Fetch what this pointer stands for; the worker forgets it and the pointer is used up.

    Args:
        *args: passed to the link under the wrapper.
        inplace: write into this very tensor and return it.
        user: credential, for private tensors.
        reason: transported for the worker's log.
        **kwargs: passed to the link, for example ``sum_results=True`` for multi-pointers.

    Returns:
        The tensor, a leaf with its gradient, tags and description; a list of them for several workers.

    Raises:
        ObjectNotFoundError: the worker does not hold it.
        GetNotPermittedError: the worker does not reveal it to this user.
        NotRemoteError: this tensor is not remote.
    """
    if not is_wrapper(self):
        raise NotRemoteError(
            "this tensor is here already, there is nothing to get(); only pointers, made by .send(worker), have it"
        )
    link = link_of(self)
    fetch = getattr(type(link), "get", None)
    if fetch is None:
        raise NotRemoteError(f"{link} has no remote part to fetch")
    if user is not None:
        kwargs["user"] = user
    if reason:
        kwargs["reason"] = reason
    out = own(fetch(link, *args, **kwargs), getattr(link, "target_owns", True))
    if isinstance(link, PointerTensor) and link.path:
        return out
    if inplace and not isinstance(out, list):
        return become_local(self, out)
    consume(self, f"object {getattr(link, 'id_at_location', link)}")
    if type(out) is torch.Tensor and isinstance(self, torch.nn.Parameter):
        out = torch.nn.Parameter(out, out.requires_grad)
    if isinstance(link, PointerTensor) and isinstance(out, torch.Tensor) and not is_wrapper(out):
        metadata_of(out).id = link.id_at_location
    return out


def get_(self: torch.Tensor, *args: Any, **kwargs: Any) -> Any:
    """`get` that writes into this very tensor and returns it."""
    return get(self, *args, inplace=True, **kwargs)


def pointers_in(obj: Any) -> list[Any]:
    """The pointers that go along with an object that is given away: those of a wrapper, or of what has some inside."""
    if is_wrapper(obj):
        link = link_of(obj)
        return [link] if isinstance(link, ObjectPointer) else link.owned_pointers()
    inside = None if isinstance(obj, SyftTensor) else getattr(type(obj), "owned_pointers", None)
    return [] if inside is None else inside(obj)


def own(fetched: Any, owns: bool = True) -> Any:
    """A fetched pointer that owned its object belongs to whoever fetched it; a bare link gets its wrapper."""
    for pointer in pointers_in(fetched):
        pointer.gc = owns
    return wrap(fetched) if isinstance(fetched, SyftTensor) else fetched


def _pointer_of(tensor: torch.Tensor, verb: str) -> PointerTensor:
    link = link_of(tensor) if is_wrapper(tensor) else None
    if not isinstance(link, PointerTensor):
        raise NotRemoteError(f"only a pointer can {verb}, and this tensor is not one; send it first with .send(worker)")
    return link


def move(self: torch.Tensor, location: Any, user: Any = None) -> Any:
    """Send the remote tensor directly to another worker; this pointer follows it and is returned."""
    pointer = _pointer_of(self, "move")
    moved = pointer.move(location, user)
    return self if moved is pointer else wrap(moved)


def remote_send(self: torch.Tensor, *location: Any, user: Any = None) -> Any:
    """Ask the holder to send its tensor on and keep a pointer; returns this (now pointer to pointer)."""
    if len(location) != 1:
        raise UsageError(f"remote_send() needs exactly one worker, got {len(location)}")
    _pointer_of(self, "remote_send").remote_send(location[0], user)
    return self


def remote_get(self: torch.Tensor) -> Any:
    """Ask the holder, which has a pointer, to fetch what that points to; returns this tensor."""
    if not is_wrapper(self) or not isinstance(link_of(self), PointerTensor):
        raise InvalidTensorForRemoteGet(self)
    link_of(self).remote_get()
    return self


def copy(self: torch.Tensor) -> Any:
    """A copy with a new id, where the tensor is; differentiable, without tags."""
    return self.clone()


def create_pointer(
    self: torch.Tensor,
    location: Any = None,
    id_at_location: Any = None,
    register: bool = False,
    owner: Any = None,
    ptr_id: Any = None,
    garbage_collect_data: bool = True,
    shape: Any = None,
    **kwargs: Any,
) -> PointerTensor:
    """A bare pointer to this tensor, without sending anything.

    Args:
        location: where it points; the tensor's owner when None.
        id_at_location: the id there; the tensor's own when None.
        register: accepted for 0.2.4 code, no effect.
        owner: whom the pointer belongs to; the tensor's owner when None.
        ptr_id: the pointer's own id.
        garbage_collect_data: delete the remote tensor when the pointer dies.
        shape: the remote shape; the tensor's own when None.
        **kwargs: ``tags`` and ``description``.
    """
    entry = metadata_of(self)
    owner = owner or entry.owner or SESSION.me()
    location = owner if location is None else SESSION.worker(location)
    if ptr_id is None and location != owner:
        ptr_id = entry.id
    return PointerTensor(
        location,
        entry.id if id_at_location is None else id_at_location,
        owner,
        ptr_id,
        garbage_collect_data,
        tuple(self.shape) if shape is None else shape,
        tags=kwargs.get("tags", entry.tags),
        description=kwargs.get("description", entry.description),
    )


def combine(self: torch.Tensor, *pointers: torch.Tensor) -> Any:
    """One multi-pointer over these pointers and this one (which comes last, as in 0.2.4)."""
    return MultiPointerTensor(children=[unwrap(p) for p in (*pointers, self)]).wrap()


def tag(self: torch.Tensor, *tags: Any) -> Any:
    """Add tags to find this tensor by; returns it. On a pointer the worker is told."""
    if is_wrapper(self):
        link_of(self).tag(*tags)
        return self
    entry = metadata_of(self)
    entry.tags = (entry.tags or set()) | set(tags)
    return self


def describe(self: torch.Tensor, description: str) -> Any:
    """Describe this tensor; returns it. On a pointer the worker is told."""
    if is_wrapper(self):
        link_of(self).describe(description)
        return self
    metadata_of(self).description = description
    return self


def allow(self: torch.Tensor, user: Any = None) -> bool:
    """Whether ``user`` may send or fetch this tensor; public tensors say True to everybody."""
    return may_see(self, user)


def on(self: torch.Tensor, tensor: Any, wrap: bool = True) -> Any:
    """Put the link of this wrapper under the wrapper of another tensor; see `SyftTensor.on`."""
    if not is_wrapper(self):
        raise NotRemoteError("only syft tensors can be put on another one, for example sy.LoggingTensor().on(x)")
    return link_of(self).on(tensor, wrap=wrap)


def wrap_over(self: torch.Tensor, register: bool = True, type: Any = None, **kwargs: Any) -> Wrapper:
    """A wrapper over this tensor, which stays as it is underneath."""
    inner = SyftTensor()
    inner.child = unwrap(self)
    return link_of(self).wrap(register, type) if is_wrapper(self) else inner.wrap(register, type)


def serialize(self: torch.Tensor, *args: Any, **kwargs: Any) -> bytes:
    """This tensor as bytes, with its id, tags, description and gradient; see `syft.serde.serialize`."""
    return encode(self)
