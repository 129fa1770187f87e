"""`ChainTensor`: a link that passes every op on to what is under it and wraps the results like itself."""

from __future__ import annotations

from hashlib import blake2s
from typing import Any, Self

import torch

from syft.core.ops import Op, Returns, op_named
from syft.exceptions import NotRemoteError
from syft.serde.checks import keywords, object_id, optional, text
from syft.serde.registry import register
from syft.tensors.base import SyftTensor, apply, unwrap
from syft.tensors.outputs import Outputs, names_of_results


class ChainTensor(SyftTensor):
    """Base of the links that stand in front of another value.

    A subclass overrides ``settings`` if its results need more than the defaults, and ``default`` or single
    rules for what it does to ops.
    """

    precedence = 20

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        register(cls, wire_tag(cls), ChainTensor.to_wire, _from_wire_of(cls))

    def settings(self) -> dict[str, Any]:
        """The keyword arguments that make another link like this one.

        Returns:
            A dict for the constructor.
        """
        return {}

    def like(self, child: Any) -> Self:
        """A link with the same settings over another child."""
        out = type(self)(**self.settings())
        out.owner = self.owner
        out.child = child
        return out

    @classmethod
    def default(cls, op: Op, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Run the op on what is under the links and wrap the result like the first of them."""
        first = first_of(cls, args, kwargs)
        out = apply(op, strip(cls, args), strip(cls, kwargs))
        return first.rewrap(op, args, out)

    def rewrap(self, op: Op, args: tuple[Any, ...], out: Any) -> Any:
        """The result of an op as the caller gets it.

        Args:
            op: what was run.
            args: the operands as they were given.
            out: what the inner call gave.

        Returns:
            For in-place ops the first operand; links over tensors; plain values as they are.
        """
        if op.returns is Returns.SELF:
            return args[0]
        return self.cover(out)

    def cover(self, out: Any) -> Any:
        """Wrap every tensor of a result like this link."""
        if isinstance(out, (torch.Tensor, SyftTensor)):
            return self.like(unwrap(out))
        if type(out) in (list, tuple):
            return Outputs([self.cover(o) for o in out])
        if isinstance(out, Outputs):
            return Outputs([self.cover(o) for o in out], out.names)
        if isinstance(out, tuple) and not isinstance(out, torch.Size):
            return Outputs([self.cover(o) for o in out], names_of_results(out))
        return out

    @classmethod
    def handle_func_command(cls, command: tuple[Any, ...]) -> Any:
        """Run ``(dotted name, None, args, kwargs)`` on links of this type."""
        name, _, args, kwargs = command
        return apply(op_named(name), tuple(args), dict(kwargs or {}))

    @property
    def measured(self) -> Any:
        """What stands for this link where the sizes of results are worked out: what is under it."""
        return self.child

    @property
    def location(self) -> Any:
        """Where the data under this link is, or None if it is here."""
        return getattr(self.child, "location", None)

    def get(self, *args: Any, **kwargs: Any) -> Any:
        """Fetch what is under this link and put this link over it.

        Raises:
            NotRemoteError: there is nothing remote under it.
        """
        inner = self.child
        fetch = getattr(type(inner), "get", None) if isinstance(inner, SyftTensor) else None
        if fetch is None:
            raise NotRemoteError(f"{self} has no remote part to get()")
        return self.like(unwrap(fetch(inner, *args, **kwargs)))

    def to_wire(self) -> Any:
        """What travels: settings, child, id, tags and description."""
        return self.settings(), self.child, self._id, self.tags, self.description

    def __repr__(self) -> str:
        text = super().__repr__()
        if self.tags:
            text += "\n\tTags: " + "".join(f"{t} " for t in self.tags)
        if self.description:
            text += "\n\tDescription: " + str(self.description).split("\n")[0] + "..."
        return text


def wire_tag(cls: type) -> str:
    """The name of a chain type on the wire: readable, and one of its own for every module and class name."""
    path = f"{cls.__module__}.{cls.__qualname__}"
    return f"chain:{cls.__name__[:40]}:{blake2s(path.encode(), digest_size=6).hexdigest()}"


def _tags(value: Any) -> set[Any]:
    if type(value) is not set or any(isinstance(tag, (torch.Tensor, SyftTensor)) for tag in value):
        raise ValueError("tags are a set of words, not of tensors")
    return value


def _from_wire_of(cls: type[ChainTensor]) -> Any:
    def from_wire(data: Any, context: Any) -> ChainTensor:
        settings, child, id, tags, description = data
        out = cls(**keywords(settings))
        out.child, out._id = unwrap(child), optional(object_id)(id)
        out.tags, out.description = optional(_tags)(tags), optional(text)(description)
        out.owner = context
        return out

    return from_wire


def first_of(cls: type[ChainTensor], *values: Any) -> Any:
    """The first link of a class among (nested) operands."""
    for value in values:
        if isinstance(value, cls):
            return value
        inner = value.values() if isinstance(value, dict) else value if isinstance(value, (list, tuple)) else ()
        if (found := first_of(cls, *inner)) is not None:
            return found
    return None


def all_of(cls: type[SyftTensor], *values: Any) -> list[Any]:
    """All links of a class among (nested) operands."""
    found: list[Any] = []
    for value in values:
        if isinstance(value, cls):
            found.append(value)
        elif isinstance(value, dict):
            found += all_of(cls, *value.values())
        elif isinstance(value, (list, tuple)):
            found += all_of(cls, *value)
        elif isinstance(value, slice):
            found += all_of(cls, value.start, value.stop, value.step)
    return found


def strip(cls: type[ChainTensor], value: Any) -> Any:
    """The operands with every link of a class replaced by what is under it."""
    if isinstance(value, cls):
        return value.child
    kind = type(value)
    if kind in (list, tuple):
        return kind([strip(cls, v) for v in value])
    if kind is dict:
        return {k: strip(cls, v) for k, v in value.items()}
    if kind is slice:
        return slice(strip(cls, value.start), strip(cls, value.stop), strip(cls, value.step))
    return value
