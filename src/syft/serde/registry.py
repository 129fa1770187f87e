"""Which types have a wire form: tags on the wire, classes here, and no way from one to the other but this table.

A tag that arrives is looked up and never imported. A class brings its own wire form::

    @serializable("acme.money")
    class Money:
        def to_wire(self): return [self.amount, self.currency]
        @classmethod
        def from_wire(cls, data, context): ...

Everything that `to_wire` returns must be serializable itself. `from_wire` gets what a stranger sent: it
checks types and ranges before it uses them (see `syft.serde.checks`) and raises ValueError or TypeError,
of which the codec makes a `DecodeError`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

from msgpack import ExtType

from syft.serde.limits import Limits
from syft.serde.scan import TAG_CODE

T = TypeVar("T")

_TAG = re.compile(r"[A-Za-z0-9_.:/-]{1,64}")


class Sink(Protocol):
    """Where an object being encoded puts raw memory."""

    def add_buffer(self, memory: memoryview) -> int:
        """Send this memory beside the structure; the answer is what to write into the structure."""


class Source(Protocol):
    """Where an object being decoded finds raw memory, limits and its receiver."""

    context: Any
    limits: Limits

    def take_buffer(self, index: Any) -> memoryview:
        """The memory that was sent under this index. Each can be taken once."""


Fields = Callable[[Any, Sink], Iterable[Any]]
Build = Callable[[list[Any], Source], Any]


@dataclass(frozen=True, slots=True, eq=False)
class Entry:
    """The wire form of a type: a tag followed by fields.

    Attributes:
        cls: the type that decoding makes.
        tag: its name on the wire.
        marker: the tag as msgpack writes it.
        fields: an object's fields, each of them serializable.
        full_fields: the same, for objects that usually send only their name.
        build: makes the object of its fields. They are not to be trusted.
        subclasses: whether objects of subclasses without an entry of their own are sent in this form.
    """

    cls: type
    tag: str
    marker: ExtType
    fields: Fields
    full_fields: Fields
    build: Build
    subclasses: bool

    @property
    def owner(self) -> str:
        """What may register this tag again: the class of that very name."""
        return f"{self.cls.__module__}.{self.cls.__qualname__}"


class Registry:
    """Tags and types, each at most once."""

    def __init__(self) -> None:
        self.by_type: dict[type, Entry] = {}
        self.by_tag: dict[bytes, Entry] = {}

    def add(
        self,
        cls: type,
        tag: str,
        fields: Fields,
        build: Build,
        *,
        full_fields: Fields | None = None,
        subclasses: bool = False,
    ) -> Entry:
        """Give a type a wire form of several fields, with access to buffers.

        Raises:
            ValueError: the tag or the class is taken, or the tag is malformed.
        """
        if type(tag) is not str or not _TAG.fullmatch(tag):
            raise ValueError(f"a tag has 1 to 64 of the characters A-Z a-z 0-9 _ . : / -, and {tag!r} has not")
        marker = ExtType(TAG_CODE, tag.encode())
        entry = Entry(cls, tag, marker, fields, full_fields or fields, build, subclasses)
        held = self.by_tag.get(marker.data)
        if held is not None and held.owner != entry.owner:
            raise ValueError(f"the tag {tag!r} belongs to {held.owner}; choose another for {entry.owner}")
        other = self.by_type.get(cls)
        if other is not None and other.tag != tag:
            raise ValueError(f"{entry.owner} is registered already, as {other.tag!r}")
        self.by_type[cls] = self.by_tag[marker.data] = entry
        return entry

    def also(self, cls: type, entry: Entry) -> None:
        """Send objects of this type, too, in an existing wire form.

        Raises:
            ValueError: the class is registered already.
        """
        if self.by_type.setdefault(cls, entry) is not entry:
            raise ValueError(f"{cls.__qualname__} is registered already, as {self.by_type[cls].tag!r}")

    def find(self, cls: type) -> Entry | None:
        """The entry of a type or, if that was asked for, of the nearest base that has one."""
        entry = self.by_type.get(cls)
        if entry is not None:
            return entry
        bases = (self.by_type.get(base) for base in cls.__mro__[1:])
        return next((entry for entry in bases if entry is not None and entry.subclasses), None)

    def register(
        self,
        cls: type[T],
        tag: str,
        to_wire: Callable[[T], Any],
        from_wire: Callable[[Any, Any], T],
        *,
        subclasses: bool = False,
        to_full_wire: Callable[[T], Any] | None = None,
    ) -> None:
        """Give a type of somebody else a wire form.

        Args:
            cls: the type.
            tag: its name on the wire; choose one with a prefix of your own.
            to_wire: ``to_wire(obj)`` returns something serializable.
            from_wire: ``from_wire(data, context)`` makes the object again. ``data`` may come from
                anyone; ``context`` is the worker that receives it, or None.
            subclasses: send objects of unregistered subclasses in this form, too.
            to_full_wire: what to send instead of ``to_wire(obj)`` when the caller asks for the object
                with all it holds (``serialize(..., force_full_simplification=True)``).

        Raises:
            ValueError: the tag or the class is taken (the same class from a notebook cell that is run
                again is fine), or the tag is malformed.

        Example:
            >>> from fractions import Fraction
            >>> registry = Registry()
            >>> registry.register(Fraction, "example.fraction", str, lambda data, context: Fraction(data))
            >>> registry.find(Fraction).tag
            'example.fraction'
        """

        def fields(obj: T, sink: Sink) -> tuple[Any]:
            return (to_wire(obj),)

        full_fields: Fields | None = None
        if to_full_wire is not None:

            def full_fields(obj: T, sink: Sink) -> tuple[Any]:
                return (to_full_wire(obj),)

        def build(fields: list[Any], source: Source) -> T:
            (data,) = fields
            return from_wire(data, source.context)

        self.add(cls, tag, fields, build, full_fields=full_fields, subclasses=subclasses)

    def serializable(self, tag: str, *, subclasses: bool = False) -> Callable[[type[T]], type[T]]:
        """Give a class of your own a wire form: a decorator.

        The class has ``to_wire(self)``, which returns something serializable, and a class method
        ``from_wire(cls, data, context)``. It may have ``to_full_wire(self)``, see `register`.

        Args:
            tag: the name on the wire; choose one with a prefix of your own.
            subclasses: send objects of unregistered subclasses in this form, too.

        Returns:
            The decorator; it returns the class unchanged.

        Raises:
            ValueError: the tag or the class is taken, or the tag is malformed.
        """

        def decorate(cls: type[Any]) -> type[Any]:
            to_full_wire = _to_full_wire if hasattr(cls, "to_full_wire") else None
            self.register(cls, tag, _to_wire, cls.from_wire, subclasses=subclasses, to_full_wire=to_full_wire)
            return cls

        return decorate


def _to_wire(obj: Any) -> Any:
    return obj.to_wire()


def _to_full_wire(obj: Any) -> Any:
    return obj.to_full_wire()


REGISTRY = Registry()
"""The types that this process can send and receive."""

register = REGISTRY.register
serializable = REGISTRY.serializable
