"""A pointer to any object on a worker; `PointerTensor` is the one that computes."""

from __future__ import annotations

from typing import Any, Self

from syft.core.ids import new_id
from syft.core.messages import Call, IsNone, Ref, Stored, Tag, Take
from syft.core.session import SESSION
from syft.exceptions import (
    CannotRequestObjectAttribute,
    ConsumedPointerError,
    ObjectNotFoundError,
    SendNotPermittedError,
)
from syft.tensors.base import SyftTensor, unwrap
from syft.tensors.permission import may_see


class ObjectPointer:
    """Stands for one object on one worker.

    Args:
        location: the worker that holds the object.
        id_at_location: the object's id there.
        owner: the worker this pointer belongs to; the local worker when None.
        id: the pointer's own id; drawn on first use when None.
        garbage_collect_data: delete the remote object when this pointer dies.
        tags: words the object was tagged with.
        description: its description.
        point_to_attr: attribute path below the object, such as ``"grad"``.
    """

    # Defaults on the class: the pointers of remote results are made without __init__, which would cost
    # as much as the rest of a remote operation.
    child: Any = None
    parent: Any = None
    location: Any = None
    id_at_location: Any = None
    owner: Any = None
    tags: set[Any] | None = None
    description: str | None = None
    path: tuple[str, ...] = ()
    gc: bool = False
    heir: Any = None  # a weak reference to the earlier pointer that owns the object again when this one dies
    _id: Any = None
    _ref: Ref | None = None
    _base: Any = None  # an attribute pointer keeps the pointer it came from, and so its object, alive

    def __init__(
        self,
        location: Any = None,
        id_at_location: Any = None,
        owner: Any = None,
        id: Any = None,
        garbage_collect_data: bool = True,
        tags: Any = None,
        description: str | None = None,
        point_to_attr: str | tuple[str, ...] | None = None,
    ) -> None:
        self.location = location
        self.id_at_location = id_at_location
        self.owner = owner if owner is not None else client_of(location)
        self._id = id
        self.tags = set(tags) if tags is not None else None
        self.description = description
        self.path = _path(point_to_attr)
        self.gc = garbage_collect_data and not self.path

    @property
    def id(self) -> Any:
        """The pointer's own id, drawn on first use."""
        if self._base is not None:  # an attribute pointer is printed with the ids of its tensor
            return self._base.id
        if self._id is None:
            self._id = new_id()
        return self._id

    @id.setter
    def id(self, value: Any) -> None:
        self._id = value

    @property
    def ref(self) -> Ref:
        """What stands for this object in a message to its worker."""
        ref = self._ref
        if ref is None:
            ref = self._ref = Ref(self.id_at_location, self.path)
        return ref

    @property
    def garbage_collection(self) -> bool:
        """Whether the remote object dies with this pointer (0.2.4's longer name for ``gc``)."""
        return self.gc

    @garbage_collection.setter
    def garbage_collection(self, value: bool) -> None:
        self.gc = value

    @property
    def garbage_collect_data(self) -> bool:
        """Whether the remote object dies with this pointer."""
        return self.gc

    @garbage_collect_data.setter
    def garbage_collect_data(self, value: bool) -> None:
        self.gc = value

    @property
    def disable_gc(self) -> Self:
        """Leave the remote object alone when this pointer dies; returns the pointer."""
        self.gc = False
        return self

    @property
    def point_to_attr(self) -> str | None:
        """The attribute path as text, or None."""
        return ".".join(self.path) or None

    def point(self, location: Any, id_at_location: Any) -> None:
        """Point somewhere else from now on."""
        self.location, self.id_at_location, self._ref = location, id_at_location, None

    def get(self, user: Any = None, reason: str = "", deregister_ptr: bool = True) -> Any:
        """Fetch the object; the worker forgets it.

        Args:
            user: credential, for private objects.
            reason: transported for the worker's log.
            deregister_ptr: accepted for 0.2.4 code, no effect.

        Raises:
            ObjectNotFoundError: the worker does not hold it.
            GetNotPermittedError: the worker does not reveal it to this user.
            ConsumedPointerError: it was fetched before.
        """
        if self.path:
            raise CannotRequestObjectAttribute(
                f"{self} points to an attribute, which cannot be fetched by itself; fetch the object it belongs to"
            )
        self.check_alive()
        (obj,) = self.location.request(Take((self.ref,), user, reason))
        self.gc = False
        self.location = None
        return obj

    def check_alive(self) -> None:
        """Raise if the object was fetched before.

        Raises:
            ConsumedPointerError: it was.
        """
        if self.location is None:
            raise ConsumedPointerError(f"object {self.id_at_location}")

    def call(self, method: str, *args: Any, **kwargs: Any) -> Any:
        """Call a method of the remote object that its class offers remotely.

        Args:
            method: a name in the class's ``remote_methods``.
            *args: plain values or tensors at the same location.
            **kwargs: likewise.

        Returns:
            Wrapped pointers for tensors, plain values otherwise.
        """
        self.check_alive()
        call = Call(
            self.ref,
            tuple(reference(a, self.location) for a in args),
            {k: reference(v, self.location) for k, v in kwargs.items()},
            new_id(),
            method,
        )
        return self.answer(self.location.request(call))

    def answer(self, reply: Any) -> Any:
        """Turn a reply into pointers; subclasses say what a stored result becomes."""
        if isinstance(reply, Stored):
            return ObjectPointer(self.location, reply.id, self.owner)
        return reply

    def is_none(self) -> bool:
        """Whether the remote object (or attribute) is missing or None."""
        return bool(self.location.request(IsNone(self.ref)))

    def tag(self, *tags: Any) -> Self:
        """Add tags here and on the worker; returns the pointer."""
        self.tags = (self.tags or set()) | set(tags)
        publish_tags(self)
        return self

    def describe(self, description: str) -> Self:
        """Set the description here and on the worker; returns the pointer."""
        self.description = description
        publish_tags(self)
        return self

    def __del__(self) -> None:
        if self.gc and self.location is not None:
            heir = None if self.heir is None else self.heir()
            if heir is not None and heir.location == self.location and heir.id_at_location == self.id_at_location:
                heir.gc = True
            else:
                self.location.forget(self.id_at_location)

    def __repr__(self) -> str:
        return pointer_text(self, type(self).__name__)

    def __str__(self) -> str:
        return self.__repr__()


def _path(point_to_attr: str | tuple[str, ...] | None) -> tuple[str, ...]:
    if point_to_attr is None:
        return ()
    return tuple(point_to_attr.split(".")) if isinstance(point_to_attr, str) else tuple(point_to_attr)


def client_of(location: Any) -> Any:
    """On whose behalf pointers into ``location`` are made: the local worker its hook made."""
    client = getattr(location, "client", None)
    return client if client is not None else SESSION.local_worker


def publish_tags(pointer: Any) -> None:
    """Tell the worker what the object is called, so that a search finds it."""
    if pointer.location is not None and not pointer.path:
        try:
            pointer.location.request(tag_message(pointer))
        except ObjectNotFoundError:
            # 0.2.4 let one tag a pointer whose object is not there (yet); the local name is kept.
            return


def tag_message(pointer: Any) -> Any:
    """The message that publishes a pointer's tags and description."""
    from_tags = None if pointer.tags is None else frozenset(pointer.tags)
    return Tag(pointer.id_at_location, from_tags, pointer.description)


def reference(value: Any, location: Any) -> Any:
    """What stands for a value in a message to ``location``: a pointer into it becomes a `Ref`."""
    value = unwrap(value)
    if hasattr(value, "ref") and getattr(value, "location", None) is not None and value.location == location:
        return value.ref
    if isinstance(value, SyftTensor) and not may_see(value, None):
        raise SendNotPermittedError(
            "a private tensor would travel with a call; send it yourself as an allowed user, with "
            "x.send(worker, user=...), and pass the pointer"
        )
    if isinstance(value, (list, tuple)):
        return type(value)([reference(v, location) for v in value])
    if isinstance(value, dict):
        return {k: reference(v, location) for k, v in value.items()}
    return value


def pointer_text(pointer: Any, name: str, inner: str = "") -> str:
    """The printed form: ``[Name | owner:id -> location:id]::attr`` and what it is called."""
    location = "gone" if pointer.location is None else getattr(pointer.location, "id", "?")
    owner = getattr(pointer.owner, "id", pointer.owner)
    attr = "".join(f"::{a}" for a in pointer.path)
    text = f"[{name} | {owner}:{pointer.id} -> {location}:{pointer.id_at_location}]{attr}"
    if pointer.tags:
        text += "\n\tTags: " + "".join(f"{t} " for t in pointer.tags) + inner
    if pointer.description:
        text += "\n\tDescription: " + str(pointer.description).split("\n")[0] + "..."
    return text
