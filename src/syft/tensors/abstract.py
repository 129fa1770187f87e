"""`AbstractTensor` and ``overloaded``: writing a tensor type the way 0.2.4 taught it."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

from syft.core.ops import Op
from syft.serde.registry import register
from syft.tensors.chain import ChainTensor, first_of, strip, wire_tag


class _Method:
    """A method that gets its operands without the link and whose result is wrapped in it again."""

    def __init__(self, function: Callable[..., Any]) -> None:
        self.function = function
        self.__doc__ = function.__doc__

    def __get__(self, instance: Any, owner: type | None = None) -> Any:
        if instance is None:
            return self
        return lambda *args, **kwargs: self.run(instance, args, kwargs)

    def run(self, instance: AbstractTensor, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Call the function with the operands' children and wrap the result like ``instance``."""
        kind = type(instance)
        return instance.cover(self.function(instance, instance.child, *strip(kind, args), **strip(kind, kwargs)))


class _Function:
    """A function that gets its operands without the link and whose result is wrapped in it again."""

    def __init__(self, function: Callable[..., Any]) -> None:
        self.function = function


class overloaded:
    """The decorators of a tensor type's own methods and functions."""

    @staticmethod
    def method(function: Callable[..., Any]) -> Any:
        """``(self, _self, *args)``: ``self`` is the link, ``_self`` and the operands are what is under it."""
        return _Method(function)

    @staticmethod
    def function(function: Callable[..., Any]) -> Any:
        """A torch function that gets operands without their links."""
        return _Function(function)

    @staticmethod
    def module(build: Callable[[Any], None]) -> Any:
        """A torch module (``torch``, ``nn`` …): the function sets its functions as attributes."""
        namespace = SimpleNamespace()
        build(namespace)
        return namespace


class AbstractTensor(ChainTensor):
    """Base of tensor types that users write.

    What a subclass does not override runs on what is under it, and the result is wrapped in the subclass
    again with ``get_class_attributes()`` as settings. Subclasses can be sent to workers as they are.

    Args:
        owner: the worker this belongs to.
        id: its own id.
        tags: words to find it by.
        description: a text about it.
        child: what is under it.
    """

    precedence = 25

    def __init__(
        self, owner: Any = None, id: Any = None, tags: Any = None, description: str | None = None, child: Any = None
    ) -> None:
        super().__init__(owner, id, tags, description)
        self.child = child

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        simplify, detail = cls.__dict__.get("simplify"), cls.__dict__.get("detail")
        if isinstance(simplify, staticmethod) and isinstance(detail, staticmethod):
            # 0.2.4's form: static simplify(worker, obj) -> tuple and detail(worker, tuple) -> obj.
            register(
                cls,
                wire_tag(cls),
                lambda obj: simplify(None, obj),
                lambda data, context: detail(context, tuple(data)),
            )

    def get_class_attributes(self) -> dict[str, Any]:
        """The settings of this type: what its constructor needs to make another one like it."""
        return {}

    def settings(self) -> dict[str, Any]:
        """See `get_class_attributes`."""
        return self.get_class_attributes()

    @classmethod
    def on_function_call(cls, command: tuple[Any, ...]) -> None:
        """Called with ``(dotted name, None, args, kwargs)`` for every torch function not overridden."""

    @classmethod
    def default(cls, op: Op, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Run the type's own method or function, or else the op on what is under the link."""
        first = first_of(cls, args, kwargs)
        spelled = op.name.removeprefix("Tensor.")
        if op.name.startswith("Tensor."):
            own = _own_method(cls, spelled) or _own_method(cls, op.key)
            if own is not None and isinstance(args[0], cls):
                return own.run(args[0], args[1:], kwargs)
        else:
            own = _own_function(cls, op.name)
            if isinstance(own, _Function):
                given = _given(own.function, op, kwargs)
                return first.cover(own.function(*strip(cls, args), **strip(cls, given)))
            if own is not None:
                return own(*args, **_given(own, op, kwargs))
            cls.on_function_call((op.name, None, args, kwargs))
        return super().default(op, args, kwargs)


def _given(own: Callable[..., Any], op: Op, kwargs: dict[str, Any]) -> dict[str, Any]:
    # torch.nn.functional spells out every default: relu(x) arrives as relu(x, inplace=False).
    wanted = inspect.signature(own).parameters
    if any(p.kind is p.VAR_KEYWORD for p in wanted.values()):
        return kwargs
    defaults = inspect.signature(op.fn).parameters if inspect.isfunction(op.fn) else {}
    return {k: v for k, v in kwargs.items() if k in wanted or k not in defaults or v is not defaults[k].default}


def _own_method(cls: type, name: str) -> _Method | None:
    for base in cls.__mro__:
        if isinstance(found := base.__dict__.get(name), _Method):
            return found
    return None


def _own_function(cls: type, dotted: str) -> Any:
    found: Any = vars(cls).get("torch") or _inherited_torch(cls)
    found = found.__func__ if isinstance(found, staticmethod) else found
    for part in dotted.split(".")[1:]:
        found = vars(found).get(part) if isinstance(found, SimpleNamespace) else None
    return found


def _inherited_torch(cls: type) -> Any:
    return next((base.__dict__["torch"] for base in cls.__mro__[1:] if "torch" in base.__dict__), None)
