"""``nn.Module`` on a worker: parameters and buffers are switched in place, in one message.

The module, its parameters and everything that refers to them keep their identity, so optimizers, RNN
weight lists and schedulers made before ``send`` go on working.
"""

from __future__ import annotations

import copy as _copy
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import nn

from syft.core.messages import Put, Relay, Take
from syft.core.metadata import metadata_of
from syft.core.ops import BY_NAME
from syft.core.session import SESSION
from syft.exceptions import NotSupportedError, UsageError, WorkerConflictError
from syft.tensors.base import is_wrapper, link_of, wrap
from syft.tensors.in_place import become_local, become_wrapper
from syft.tensors.pointer import PointerTensor, pointer_to
from syft.tensors.verbs import gradient_info, own, take_over


def send(self: nn.Module, *dest: Any, force_send: bool = False, user: Any = None, **kwargs: Any) -> nn.Module:
    """Send all parameters and buffers to a worker, in place.

    Gradients travel with their parameters; a gradient that is None stays None.

    Args:
        *dest: one worker or its id.
        force_send: accepted for 0.2.4 code, no effect.
        user: credential of the sender.
        **kwargs: ``garbage_collect_data``.

    Returns:
        This module. Where it already is, nothing happens; from another worker it moves there.

    Raises:
        NotSupportedError: not exactly one worker was given.
    """
    if len(dest) != 1:
        raise NotSupportedError(
            "Inplace send to several workers is currently not supported: a module can be in one place. "
            f"Got {len(dest)} workers; send a copy to each with model.copy().send(worker)."
        )
    worker = SESSION.worker(dest[0])
    tensors = list(_tensors(self))
    if any(map(is_wrapper, tensors)):
        return move(self, worker, user)
    if any(isinstance(t, (nn.UninitializedParameter, nn.UninitializedBuffer)) for t in tensors):
        raise UsageError("a lazy module has no parameters yet; run one local batch through it first, then send it")
    entries = [metadata_of(t) for t in tensors]
    gradients = [gradient_info(t) for t in tensors]
    gc = kwargs.get("garbage_collect_data", True)
    objects = tuple([(e.id, t) for e, t in zip(entries, tensors, strict=True)])
    worker.post(Put(objects, user, giving=True, lasting=not gc))
    me = SESSION.local_worker
    for entry, tensor, gradient in zip(entries, tensors, gradients, strict=True):
        worker.gradients[entry.id, ()] = gradient
        owner = entry.owner if entry.owner is not None else me
        pointer = pointer_to(worker, entry.id, owner)
        pointer.gc, pointer._shape = gc, tensor.shape
        pointer.tags, pointer.description = entry.tags, entry.description
        take_over(entry, pointer)
        become_wrapper(tensor, pointer)
    return self


def get(self: nn.Module, user: Any = None, reason: str = "", **kwargs: Any) -> nn.Module:
    """Fetch all parameters and buffers, in place; the worker forgets them.

    Args:
        user: credential, for private parameters.
        reason: transported for the worker's log.
        **kwargs: accepted for 0.2.4 code.

    Returns:
        This module. A local module is left as it is.
    """
    by_worker: dict[Any, list[tuple[torch.Tensor, PointerTensor]]] = {}
    for tensor in _tensors(self):
        if not is_wrapper(tensor):
            continue
        link = link_of(tensor)
        if isinstance(link, PointerTensor):
            by_worker.setdefault(link.location.id, []).append((tensor, link))
        else:
            become_local(tensor, own(link.get(user=user)))
    for held in by_worker.values():
        values = held[0][1].location.request(Take(tuple([link.ref for _, link in held]), user, reason))
        for (tensor, link), value in zip(held, values, strict=True):
            link.gc = False
            become_local(tensor, own(value))
    return self


def move(self: nn.Module, location: Any, user: Any = None) -> nn.Module:
    """Move all parameters and buffers from one worker directly to another, in place.

    Args:
        location: a worker or its id.
        user: credential, for private parameters.

    Returns:
        This module. A local module is sent.
    """
    worker = SESSION.worker(location)
    links = [link_of(t) for t in _tensors(self) if is_wrapper(t)]
    if not links:
        return send(self, worker, user=user)
    source = links[0].location
    if any(link.location != source for link in links):
        raise WorkerConflictError("the parameters of this module are on several workers; fetch it with .get() first")
    if source == worker:
        return self
    ids = tuple([link.id_at_location for link in links])
    source.request(Relay(ids, worker.id, ids, False, user))
    for link in links:
        link.point(worker, link.id_at_location)
    return self


def copy(self: nn.Module) -> nn.Module:
    """A deep copy with parameters of its own and without gradients, in the same place.

    Returns:
        A new module; of a remote module the copy is on the same worker.
    """
    memo: dict[int, Any] = {}
    clone = BY_NAME["Tensor.clone"]
    for tensor in _tensors(self):
        if is_wrapper(tensor):
            pointer = PointerTensor.default(clone, (link_of(tensor).data,), {})
            if isinstance(tensor, nn.Parameter):
                PointerTensor.default(BY_NAME["Tensor.requires_grad_"], (pointer, tensor.requires_grad), {})
                memo[id(tensor)] = as_parameter(pointer, tensor.requires_grad)
            else:
                memo[id(tensor)] = wrap(pointer)
        else:
            memo[id(tensor)] = _copied(tensor)
    return _copy.deepcopy(self, memo)


def _copied(tensor: torch.Tensor) -> torch.Tensor:
    out = tensor.detach().clone()
    return nn.Parameter(out, tensor.requires_grad) if isinstance(tensor, nn.Parameter) else out


def as_parameter(pointer: PointerTensor, requires_grad: bool) -> nn.Parameter:
    """A new parameter that stands for a remote tensor.

    Args:
        pointer: what it points to.
        requires_grad: whether the remote tensor is trained.

    Returns:
        A wrapped parameter; ``get_`` makes it an ordinary one.
    """
    return become_wrapper(nn.Parameter(torch.empty(0), requires_grad), pointer)


def location(self: nn.Module) -> Any:
    """Where the module's parameters are: a worker, or None for a local module."""
    for tensor in _tensors(self):
        if is_wrapper(tensor):
            return getattr(link_of(tensor), "location", None)
    return None


def owner(self: nn.Module) -> Any:
    """The owner of the first parameter, or None for a module without parameters."""
    first = next(_tensors(self), None)
    if first is None:
        return None
    if is_wrapper(first):
        return link_of(first).owner
    return metadata_of(first).owner or SESSION.local_worker


def _tensors(module: nn.Module) -> Iterator[torch.Tensor]:
    """Every parameter and buffer once, in one walk over the submodules."""
    seen: set[int] = set()
    for part in module.modules():
        for named in (part._parameters, part._buffers):
            for tensor in named.values():
                if tensor is not None and id(tensor) not in seen:
                    seen.add(id(tensor))
                    yield tensor


class ModuleAttribute:
    """An attribute of every module that gives way to a submodule, parameter or buffer of the same name.

    Args:
        name: the attribute's name.
        read: computes it for a module that has nothing of that name.
    """

    def __init__(self, name: str, read: Callable[[nn.Module], Any]) -> None:
        self.name, self.read, self.__doc__ = name, read, read.__doc__

    def __get__(self, module: nn.Module | None, owner: type | None = None) -> Any:
        if module is None:
            return self
        for named in (module._modules, module._parameters, module._buffers):
            if self.name in named:
                return named[self.name]
        return self.read(module)
