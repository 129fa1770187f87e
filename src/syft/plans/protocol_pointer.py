"""`PointerProtocol`: a protocol on a worker, and how a protocol that was sent to one is run there."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from typing import Any

import torch

from syft.core.ids import new_id
from syft.core.messages import Call, Forget, Named, Ref, Stored, Take
from syft.exceptions import ProtocolError
from syft.tensors.base import SyftTensor, unwrap, wrap
from syft.tensors.multi_pointer import MultiPointerTensor
from syft.tensors.object_pointer import ObjectPointer, reference
from syft.tensors.pointer import PointerTensor, pointer_to
from syft.tensors.wire import register_pointer

logger = logging.getLogger("syft.plans.protocol")


class PointerProtocol(ObjectPointer):
    """Stands for a protocol on a worker, for example one that a search found. It owns nothing.

    Example:
        >>> import syft as sy, torch
        >>> from syft.plans import protocol_wire
        >>> from syft.plans.protocol import Protocol
        >>> hook = sy.TorchHook(torch)
        >>> gina, hugo = sy.VirtualWorker(hook, id="gina"), sy.VirtualWorker(hook, id="hugo")
        >>> @sy.func2plan(args_shape=[(1,)])
        ... def double(x):
        ...     return x + x
        >>> Protocol([(gina, double)], tags=["doubling"]).send(hugo)
        >>> (found,) = hook.local_worker.request_search("doubling", location=hugo)
        >>> found.run(torch.tensor([4.0]).send(hugo)).get().get()
        tensor([8.])
    """

    def run(self, *args: Any, **kwargs: Any) -> Any:
        """Have the worker run the protocol.

        Args:
            *args: pointers to where the protocol is, and plain values.
            **kwargs: likewise.

        Returns:
            A pointer into that worker, to the pointer that stands for the result; a list of them for several results.

        Raises:
            ProtocolError: a tensor is not where the protocol is, or no plan of it has been given a worker.
        """
        return run_at(self.location, self.id_at_location, self.owner, args, kwargs)

    __call__ = run

    def get(self, user: Any = None, reason: str = "", deregister_ptr: bool = True) -> Any:
        """Fetch the protocol; it stays there, too.

        Args:
            user: credential, for private objects.
            reason: transported for the worker's log.
            deregister_ptr: accepted for 0.2.4 code, no effect.

        Returns:
            A `Protocol` with the names it was made with, or with pointers to its plans if they are on workers.
        """
        (protocol,) = self.location.request(Take((self.ref,), user, reason, keep=True))
        protocol.owner = self.owner
        return protocol

    def delete(self) -> None:
        """Take the protocol away from its worker; plans that are on workers stay there."""
        self.location.request(Forget((self.id_at_location,)))

    def __repr__(self) -> str:
        owner = getattr(self.owner, "id", self.owner)
        return f"[{type(self).__name__} | {owner}:{self.id} -> {self.location.id}:{self.id_at_location}]"


def run_at(location: Any, protocol: Any, owner: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """Have a worker run a protocol that it holds.

    Args:
        location: the worker.
        protocol: the protocol's id there.
        owner: whom the pointers to the results belong to.
        args: pointers into that worker, and plain values.
        kwargs: likewise.

    Returns:
        A pointer into that worker; a list of them for several results.

    Raises:
        ProtocolError: a tensor is not at that worker.
    """
    args, kwargs = unwrap(args), unwrap(kwargs)
    pointers = []
    for tensor in tensors_in((args, kwargs)):
        place = getattr(tensor, "location", None)
        if place is None or place != location:
            where = getattr(owner if place is None else place, "id", None)
            if isinstance(tensor, MultiPointerTensor):
                where = ", ".join(map(str, tensor.child))
            raise ProtocolError(
                f"This protocol has been sent to {location.id}, "
                f"but you provided local arguments or pointers to {where}."
            )
        pointers.append(tensor)
    logger.info("send remote run request to %s", location.id)
    call = Call(
        Ref(protocol),
        tuple(reference(a, location) for a in args),
        {k: reference(v, location) for k, v in kwargs.items()},
        new_id(),
        grad_enabled=torch.is_grad_enabled(),
    )
    reply = location.request(call)
    # Its plans may have computed gradients there and changed what they were given.
    location.gradients.clear()
    for pointer in pointers:
        if isinstance(pointer, PointerTensor):
            pointer.forget_info()
    return _pointed(reply, location, owner)


def tensors_in(value: Any) -> Iterator[Any]:
    """The tensors, links and pointers in arguments, however nested."""
    if isinstance(value, (torch.Tensor, SyftTensor, ObjectPointer)):
        yield value
    elif isinstance(value, (list, tuple, dict)):
        for part in value.values() if isinstance(value, dict) else value:
            yield from tensors_in(part)


def _pointed(reply: Any, place: Any, owner: Any) -> Any:
    if type(reply) is Stored:
        return wrap(pointer_to(place, reply.id, owner))
    if type(reply) is Named:
        reply = reply.results
    if type(reply) in (list, tuple):
        return [_pointed(part, place, owner) for part in reply]
    if type(reply) is dict:
        return {key: _pointed(part, place, owner) for key, part in reply.items()}
    return reply


register_pointer(PointerProtocol, "syft.pointer_protocol")
