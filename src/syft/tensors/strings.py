"""`String`: text that can be sent to a worker, and `StringPointer`, which stands for it here."""

from __future__ import annotations

import string
from collections.abc import Callable
from functools import wraps
from typing import TYPE_CHECKING, Any, Self

from syft.core.ids import new_id
from syft.core.messages import Put, Stored
from syft.core.session import SESSION
from syft.exceptions import CommandNotPermittedError, TensorsNotCollocatedException
from syft.serde.checks import object_id, one_of, optional, text
from syft.serde.registry import serializable
from syft.tensors.object_pointer import ObjectPointer
from syft.tensors.wire import register_pointer

_TO_STRING = (
    "capitalize casefold center expandtabs format format_map join ljust lower lstrip removeprefix removesuffix "
    "replace rjust rstrip strip swapcase title translate upper zfill __add__ __mul__ __rmul__ __mod__ __getitem__"
).split()
_TO_VALUE = (
    "count encode endswith find index isalnum isalpha isascii isdecimal isdigit isidentifier islower isnumeric "
    "isprintable isspace istitle isupper partition rfind rindex rpartition rsplit split splitlines startswith "
    "__len__ __contains__"
).split()
_COMPARISONS = "__eq__ __ne__ __lt__ __le__ __gt__ __ge__".split()
# Formatting reads attributes of what it is given, so a client may not call these by their plain names.
_FORMATTING = {"format": "format_plain", "format_map": "format_map_plain", "__mod__": "modulo_plain"}


@serializable("syft.string")
class String(str):
    """Text with an id, tags and a description, that can be sent.

    It is a ``str``. Methods and operators that return text return a `String`; containers of text
    (``split``, ``partition`` …) hold plain ``str``.

    Args:
        object: what ``str`` takes.
        encoding: of ``object``, if that is bytes.
        errors: what to do with bytes that cannot be decoded, as for ``str``.
        id: its id; drawn on first use when None.
        owner: the worker it belongs to; the local worker when None.
        tags: words to find it by.
        description: a text about it.

    Example:
        >>> String("federated").upper()
        'FEDERATED'
        >>> (String("a") + "b").child, String("a b").split()
        ('ab', ['a', 'b'])
    """

    remote_kind = "string"
    remote_methods = frozenset(
        {*_TO_STRING, *_TO_VALUE, *_COMPARISONS, "__radd__", *_FORMATTING.values()} - _FORMATTING.keys()
    )

    tags: set[Any] | None
    description: str | None
    _id: Any
    _owner: Any

    def __new__(
        cls,
        object: Any = "",
        encoding: str | None = None,
        errors: str | None = None,
        id: Any = None,
        owner: Any = None,
        tags: Any = None,
        description: str | None = None,
    ) -> Self:
        if object is None:
            object = ""
        settings = {k: v for k, v in (("encoding", encoding), ("errors", errors)) if v is not None}
        self = super().__new__(cls, object, **settings)
        self._id, self._owner, self.description = id, owner, description
        self.tags = set(tags) if tags is not None else None
        return self

    @property
    def id(self) -> Any:
        """Its id, drawn on first use."""
        if self._id is None:
            self._id = new_id()
        return self._id

    @id.setter
    def id(self, value: Any) -> None:
        self._id = value

    @property
    def owner(self) -> Any:
        """The worker it belongs to."""
        return SESSION.local_worker if self._owner is None else self._owner

    @owner.setter
    def owner(self, value: Any) -> None:
        self._owner = value

    @property
    def child(self) -> str:
        """The text as a plain ``str``."""
        return str(self)

    def tag(self, *tags: Any) -> Self:
        """Add tags to find it by; returns it."""
        self.tags = (self.tags or set()) | set(tags)
        return self

    def describe(self, description: str) -> Self:
        """Describe it; returns it."""
        self.description = description
        return self

    def send(self, location: Any) -> StringPointer:
        """Send a copy to a worker.

        Args:
            location: a worker or its id.

        Returns:
            A pointer; dropping it leaves the text where it is.

        Raises:
            WorkerNotFoundException: no worker of that id is known.
        """
        worker = SESSION.worker(location)
        worker.request(Put(((self.id, self),)))
        return self.create_pointer(location=worker)

    def create_pointer(
        self,
        location: Any = None,
        id_at_location: Any = None,
        register: bool = False,
        owner: Any = None,
        ptr_id: Any = None,
        garbage_collect_data: bool = False,
    ) -> StringPointer:
        """A pointer to this text, without sending anything.

        Args:
            location: where it points; the owner when None.
            id_at_location: the id there; its own when None.
            register: accepted for 0.2.4 code, no effect.
            owner: whom the pointer belongs to; this text's owner when None.
            ptr_id: the pointer's own id.
            garbage_collect_data: delete the remote text when the pointer dies.
        """
        return StringPointer(
            self.owner if location is None else location,
            self.id if id_at_location is None else id_at_location,
            self.owner if owner is None else owner,
            ptr_id,
            garbage_collect_data,
            self.tags,
            self.description,
        )

    def __radd__(self, other: Any) -> Any:
        return String(str.__add__(other, self)) if isinstance(other, str) else NotImplemented

    def format_plain(self, *args: Any, **kwargs: Any) -> String:
        """`format` with text and numbers only, and without attribute access: what a client may ask for.

        Raises:
            CommandNotPermittedError: another value, or a field like ``{0.name}``.
        """
        return String(_PlainFormatter().vformat(str(self), _plain(args), _plain(kwargs)))

    def format_map_plain(self, mapping: dict[str, Any]) -> String:
        """`format_map` within the bounds of `format_plain`."""
        return String(_PlainFormatter().vformat(str(self), (), _plain(mapping)))

    def modulo_plain(self, values: Any) -> String:
        """``%`` with text and numbers only: what a client may ask for.

        Raises:
            CommandNotPermittedError: another value.
        """
        return String(str.__mod__(self, _plain(values)))

    def to_wire(self) -> Any:
        """What travels: the text, id, tags and description."""
        tags = None if self.tags is None else frozenset(self.tags)
        return str(self), self.id, tags, self.description

    @classmethod
    def from_wire(cls, data: Any, context: Any) -> String:
        """The string again, owned by who receives it."""
        characters, id, tags, description = data
        tags = optional(one_of(frozenset))(tags)
        return cls(text(characters), None, None, object_id(id), context, tags, optional(text)(description))


class _PlainFormatter(string.Formatter):
    def get_field(self, field_name: str, args: Any, kwargs: Any) -> Any:
        if "." in field_name:
            raise CommandNotPermittedError(
                f"the field {field_name!r} reads an attribute; a remote format may not do that"
            )
        return super().get_field(field_name, args, kwargs)


def _plain(value: Any) -> Any:
    if isinstance(value, str):
        return str(value)
    if value is None or type(value) in (bool, int, float, complex, bytes):
        return value
    if type(value) in (list, tuple):
        return type(value)([_plain(v) for v in value])
    if type(value) is dict:
        return {_plain(k): _plain(v) for k, v in value.items()}
    raise CommandNotPermittedError(
        f"a remote text is formatted with text and numbers, not with a {type(value).__name__}"
    )


def _text_method(plain: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(plain)
    def method(self: String, *args: Any, **kwargs: Any) -> Any:
        out = plain(self, *args, **kwargs)
        return String(out) if type(out) is str else out

    return method


for _name in _TO_STRING:
    setattr(String, _name, _text_method(vars(str)[_name]))


class StringPointer(ObjectPointer):
    """Stands for a `String` on a worker; the methods of `String` run there.

    Results that are text stay there, as pointers. Printing a pointer prints the pointer, not the text.
    """

    if TYPE_CHECKING:  # the methods of String are set below

        def __getattr__(self, name: str) -> Any: ...

    def call(self, method: str, *args: Any, **kwargs: Any) -> Any:
        """Call a method of the remote text; see `ObjectPointer.call`.

        Raises:
            TensorsNotCollocatedException: an argument is a pointer to somewhere else.
        """
        for value in (*args, *kwargs.values()):
            if isinstance(value, ObjectPointer) and value.location != self.location:
                self.check_alive()
                value.check_alive()
                raise TensorsNotCollocatedException(self, value, attr=f"String.{method}")
        return super().call(method, *args, **kwargs)

    def answer(self, reply: Any) -> Any:
        """Turn a reply into what the caller gets: text that stayed there becomes a pointer that owns it."""
        return StringPointer(self.location, reply.id, self.owner) if isinstance(reply, Stored) else reply


def _remote_method(name: str) -> Callable[..., Any]:
    spelled = _FORMATTING.get(name, name)

    def method(self: StringPointer, *args: Any, **kwargs: Any) -> Any:
        return self.call(spelled, *args, **kwargs)

    method.__name__, method.__doc__ = name, f"``{name}`` of the remote text."
    return method


def _remote_comparison(name: str) -> Callable[..., Any]:
    def compare(self: StringPointer, other: Any) -> Any:
        return self.call(name, other) if isinstance(other, (str, StringPointer)) else NotImplemented

    compare.__name__ = name
    return compare


for _name in (*_TO_STRING, *_TO_VALUE, "__radd__"):
    setattr(StringPointer, _name, _remote_method(_name))
for _name in _COMPARISONS:
    setattr(StringPointer, _name, _remote_comparison(_name))
StringPointer.__hash__ = object.__hash__  # type: ignore[method-assign]

register_pointer(StringPointer, "syft.string_pointer")
