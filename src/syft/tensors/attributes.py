"""The attributes of a tensor: id, owner, location, tags … `TorchHook` puts them on ``torch.Tensor``."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch

from syft.core.metadata import existing_metadata, metadata_of
from syft.core.session import SESSION
from syft.exceptions import NotRemoteError
from syft.tensors.base import Wrapper, is_wrapper, link_of


def _get_id(self: torch.Tensor) -> Any:
    """The id of this tensor (of its pointer, when it is remote), drawn on first use."""
    return link_of(self).id if is_wrapper(self) else metadata_of(self).id


def _set_id(self: torch.Tensor, value: Any) -> None:
    bearer = link_of(self) if is_wrapper(self) else metadata_of(self)
    bearer.id = value


def _get_owner(self: torch.Tensor) -> Any:
    """The worker this tensor belongs to: the local one unless set."""
    bearer = link_of(self) if is_wrapper(self) else existing_metadata(self)
    owner = getattr(bearer, "owner", None)
    return owner if owner is not None else SESSION.local_worker


def _set_owner(self: torch.Tensor, value: Any) -> None:
    bearer = link_of(self) if is_wrapper(self) else metadata_of(self)
    bearer.owner = value


def _named(name: str) -> property:
    def read(self: torch.Tensor) -> Any:
        return getattr(link_of(self) if is_wrapper(self) else existing_metadata(self), name, None)

    def write(self: torch.Tensor, value: Any) -> None:
        setattr(link_of(self) if is_wrapper(self) else metadata_of(self), name, value)

    return property(read, write, doc=f"The {name} of this tensor, or None.")


def _is_wrapper(self: torch.Tensor) -> bool:
    """Whether this tensor stands for something under its ``.child``."""
    return is_wrapper(self)


def _has_child(self: torch.Tensor) -> bool:
    """Whether there is a link under this tensor."""
    return is_wrapper(self) and "child" in self.__dict__


def _location(self: torch.Tensor) -> Any:
    """The worker that holds this tensor, or None for a local one."""
    return link_of(self).location if is_wrapper(self) else None


def _ptr(self: torch.Tensor) -> Any:
    """A weak reference to the last pointer that `send` made of this tensor, or None."""
    entry = existing_metadata(self)
    return None if entry is None else entry.pointer


id_ = property(_get_id, _set_id)
owner = property(_get_owner, _set_owner)
tags = _named("tags")
description = _named("description")
is_wrapped = property(_is_wrapper)
location = property(_location)
ptr = property(_ptr)
has_child = _has_child


def torch_type(self: torch.Tensor) -> str:
    """The torch type name of this tensor, such as ``'torch.FloatTensor'``."""
    return str(self.type())


def text_with_names(plain: Callable[..., str]) -> Callable[..., str]:
    """The text of a tensor, followed by its tags and description if it has any.

    Args:
        plain: torch's own ``Tensor.__repr__``.

    Returns:
        The function that takes its place.
    """

    def __repr__(self: torch.Tensor, *, tensor_contents: Any = None) -> str:
        text = plain(self, tensor_contents=tensor_contents)
        entry = existing_metadata(self)
        if entry is None or not (entry.tags or entry.description):
            return text
        if entry.tags:
            text += "\n\tTags: " + "".join(f"{tag} " for tag in entry.tags)
        if entry.description:
            text += "\n\tDescription: " + str(entry.description).split("\n")[0] + "..."
        return text + f"\n\tShape: {self.shape}"

    return __repr__


def _of_pointer(name: str, doc: str) -> property:
    def read(self: Wrapper) -> Any:
        link = link_of(self)
        if not hasattr(type(link), name) and name not in link.__dict__:
            raise NotRemoteError(f"{link} is not a pointer and has no {name}")
        return getattr(link, name)

    def write(self: Wrapper, value: Any) -> None:
        setattr(link_of(self), name, value)

    return property(read, write, doc=doc)


def _disable_gc(self: Wrapper) -> Wrapper:
    """Leave the remote object alone when this pointer dies; returns the tensor."""
    link_of(self).gc = False
    return self


def _attr(self: Wrapper, name: str) -> Any:
    """A pointer to an attribute of the remote tensor: ``grad``, ``data`` or ``child``."""
    return link_of(self).attr(name).wrap()


def _no_graph(self: Wrapper) -> None:
    """There is no local autograd graph: gradients are computed where the data is."""
    return


# What only wrappers have stands on their own class, not on torch.Tensor.
Wrapper.id_at_location = _of_pointer("id_at_location", "The id of the remote object.")  # type: ignore[attr-defined]
Wrapper.gc = _of_pointer("gc", "Whether the remote object dies with this pointer.")  # type: ignore[attr-defined]
Wrapper.garbage_collection = Wrapper.gc  # type: ignore[attr-defined]
Wrapper.disable_gc = property(_disable_gc)  # type: ignore[attr-defined]
Wrapper.attr = _attr  # type: ignore[attr-defined]
Wrapper.grad_fn = property(_no_graph)  # type: ignore[assignment]
