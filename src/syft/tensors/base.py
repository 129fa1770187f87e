"""The chain: a `Wrapper` that users hold, and the `SyftTensor` links under its ``.child``.

``Wrapper`` sees every torch call before torch does anything (``__torch_function__``). It hands the call to
the rules of the link under it; a rule works on links and never sees wrappers.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterator
from typing import Any, ClassVar

import torch

from syft.core.ids import new_id
from syft.core.ops import BY_FUNC, BY_NAME, Op, op_of
from syft.exceptions import ConsumedPointerError, NotLocalError, UnsupportedOp
from syft.tensors.outputs import Outputs

_LINKS: set[type] = set()
"""Every kind of link: looking a type up here is faster than asking isinstance of each operand."""

Rule = Callable[[Op, tuple[Any, ...], dict[str, Any]], Any]


class SyftTensor:
    """A link of the chain. Subclasses add rules with ``@Type.implements("mul")``.

    Args:
        owner: the worker this link belongs to, or None.
        id: its id; drawn on first use when None.
        tags: words to find it by.
        description: a text about it.
    """

    rules: ClassVar[dict[str, Rule]] = {}
    # Of several kinds of links in one call the highest precedence decides: a link that wraps another
    # (logging, private) comes before one that points elsewhere.
    precedence: ClassVar[int] = 10

    child: Any = None
    owner: Any = None
    tags: set[Any] | None = None
    description: str | None = None
    parent: weakref.ref[Wrapper] | None = None
    grad_wrapper: Wrapper | None = None
    _id: Any = None

    def __init__(self, owner: Any = None, id: Any = None, tags: Any = None, description: str | None = None) -> None:
        self.owner, self._id, self.description = owner, id, description
        self.tags = set(tags) if tags is not None else None

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        cls.rules = dict(cls.rules)  # start from the parent's rules, never share the table
        _LINKS.add(cls)

    @classmethod
    def implements(cls, *keys: str) -> Callable[[Rule], Rule]:
        """Register a rule for op keys of the op table.

        Args:
            *keys: keys as in ``core/ops.txt``, such as ``"add"`` or ``"add_"``.

        Returns:
            A decorator for a function ``(op, args, kwargs) -> result`` that works on links.

        Raises:
            UnsupportedOp: this very class already has a rule for one of the keys.
        """

        def register(rule: Rule) -> Rule:
            own = cls.__dict__.get("_own_keys", frozenset())
            if twice := own.intersection(keys):
                raise UnsupportedOp(
                    f"{cls.__name__} already has a rule for {sorted(twice)}; one op has one rule a type"
                )
            cls._own_keys = own | set(keys)  # type: ignore[attr-defined]
            cls.rules.update(dict.fromkeys(keys, rule))
            return rule

        return register

    @classmethod
    def default(cls, op: Op, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """The rule for every op without one of its own; refuses unless a type says otherwise."""
        known = ", ".join(sorted(cls.rules)) or "none"
        raise UnsupportedOp(f"{cls.__name__} has no rule for {op.name!r}. It has rules for: {known}.")

    @classmethod
    def __torch_function__(
        cls, func: Callable[..., Any], types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        return apply(BY_FUNC.get(func) or op_of(func), args, kwargs or {})

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__") and name.endswith("__"):
            raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")
        if (op := BY_NAME.get(f"Tensor.{name}")) is not None:
            return lambda *args, **kwargs: apply(op, (self, *args), kwargs)
        if (op := BY_NAME.get(f"Tensor.{name}.__get__")) is not None:
            return apply(op, (self,), {})
        raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")

    def __iter__(self) -> Iterator[Any]:
        return iter(apply(BY_NAME["Tensor.unbind"], (self, 0), {}))

    @property
    def id(self) -> Any:
        """The id of this link, drawn on first use."""
        if self._id is None:
            self._id = new_id()
        return self._id

    @id.setter
    def id(self, value: Any) -> None:
        self._id = value

    def owned_pointers(self) -> list[Any]:
        """The pointers that belong to this link and go with it when it is sent."""
        return []

    def wrap(self, register: bool = True, type: Any = None) -> Wrapper:
        """Put a `Wrapper` on top, the tensor that users hold.

        Args:
            register: accepted for 0.2.4 code, no effect.
            type: None or ``torch.Tensor``.

        Raises:
            UnsupportedOp: another wrapper type was asked for.
        """
        if type not in (None, torch.Tensor):
            raise UnsupportedOp(f"only torch.Tensor can wrap a syft tensor, not {type!r}; leave `type` out")
        return wrap(self)

    def on(self, tensor: Any, wrap: bool = True) -> Any:
        """Put this link directly under the wrapper of ``tensor``.

        Args:
            tensor: a plain tensor, a wrapped chain or a bare link.
            wrap: return a wrapper (default) or this link itself.

        Returns:
            ``(Wrapper)>ThisType>what was there``.
        """
        self.child = unwrap(tensor)
        return self.wrap() if wrap else self

    def tag(self, *tags: Any) -> Any:
        """Add tags; returns the tensor."""
        self.tags = (self.tags or set()) | set(tags)
        return self

    def describe(self, description: str) -> Any:
        """Set the description; returns the tensor."""
        self.description = description
        return self

    def __repr__(self) -> str:
        return f"{type(self).__name__}>{link_text(self.child)}"

    def __str__(self) -> str:
        return self.__repr__()


def link_text(child: Any) -> str:
    """The text of what stands under a link."""
    return str(child)


def _operator(spelling: str) -> Callable[..., Any]:
    def operate(self: SyftTensor, *args: Any) -> Any:
        return apply(BY_NAME[f"Tensor.{spelling}"], (self, *args), {})

    operate.__name__ = operate.__qualname__ = spelling
    return operate


_LINKS.add(SyftTensor)
# Python looks operators up on the type, so links that are used bare need them there.
_OPERATORS = (
    "__add__ __radd__ __iadd__ __sub__ __rsub__ __isub__ __mul__ __rmul__ __imul__ __truediv__ __rtruediv__ "
    "__itruediv__ __floordiv__ __rfloordiv__ __mod__ __rmod__ __pow__ __rpow__ __matmul__ __rmatmul__ __neg__ "
    "__abs__ __eq__ __ne__ __lt__ __le__ __gt__ __ge__ __and__ __or__ __xor__ __invert__ __getitem__ __setitem__ "
    "__len__ __bool__ __float__ __int__"
).split()
for _name in _OPERATORS:
    if f"Tensor.{_name}" in BY_NAME:
        setattr(SyftTensor, _name, _operator(_name))
SyftTensor.__hash__ = object.__hash__  # type: ignore[method-assign]


_SET_GRAD = BY_NAME["Tensor.grad.__set__"]
_new_tensor = torch.Tensor.__new__


class Wrapper(torch.Tensor):
    """The ``torch.Tensor`` that users hold when the data is elsewhere or in another form."""

    child: SyftTensor

    @classmethod
    def __torch_function__(
        cls, func: Callable[..., Any], types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        op = BY_FUNC.get(func)
        if op is None:
            if func is torch._has_compatible_shallow_copy_type:
                return True  # Module.to() asks; a remote tensor takes new data of any kind
            op = op_of(func)
        links: list[Any] = []
        kind: type[SyftTensor] | None = None
        for a in args:
            form = type(a)
            if form in _WRAPPERS:
                a = a.__dict__.get("child")
                if a is None:
                    link_of(args[len(links)])  # raises: it was fetched
                form = type(a)
                if kind is None or (form is not kind and form.precedence > kind.precedence):
                    kind = form
            elif form in _NESTED:
                a = unwrap(a)
                kind = _kind((a,), kind)
            elif form in _LINKS and (kind is None or form.precedence > kind.precedence):
                kind = form
            links.append(a)
        named = {}
        if kwargs:
            named = {k: unwrap(v) for k, v in kwargs.items()}
            kind = _kind(named.values(), kind)
        if kind is None:
            raise UnsupportedOp(f"{op.name!r} got its tensors in a container that syft does not look into; use a list")
        rule = kind.rules.get(op.key)
        out = rule(op, tuple(links), named) if rule is not None else kind.default(op, tuple(links), named)
        # An in-place op answers with the very link (or list of them) it was given: give back the very wrapper.
        if links and out is links[0]:
            return args[0]
        if named and out is not None:
            for name, link in named.items():
                if out is link:
                    return kwargs[name]  # type: ignore[index]
        if isinstance(out, SyftTensor):
            return wrap(out)
        return _wrap_all(out) if type(out) in _NESTED else out

    @property
    def grad(self) -> Any:
        """The gradient where the tensor is, or None."""
        grad = link_of(self).grad
        return wrap(grad) if isinstance(grad, SyftTensor) else grad

    @grad.setter
    def grad(self, value: Any) -> None:
        link = link_of(self)
        kind = type(link)
        kind.rules.get("grad.set", kind.default)(_SET_GRAD, (link, unwrap(value)), {})

    def set_(self, *args: Any, **kwargs: Any) -> Any:
        """Take the values of another tensor; torch does not offer this call to ``__torch_function__``."""
        return type(self).__torch_function__(torch.Tensor.set_, (), (self, *args), kwargs)

    @classmethod
    def __torch_dispatch__(  # type: ignore[override]
        cls, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        # Only calls that pass by __torch_function__ come here, such as torch.tensor(pointer); computing on
        # the empty storage of the wrapper would give a wrong answer without an error.
        raise NotLocalError(
            f"{func} needs the values of a tensor that is not here. Fetch it with .get() first, or use a torch "
            "function that can run where the tensor is."
        )

    def __iter__(self) -> Iterator[Any]:
        return iter(self.unbind(0))

    def __repr__(self, *, tensor_contents: Any = None) -> str:  # type: ignore[override]
        return f"(Wrapper)>{link_text(link_of(self))}"

    def __str__(self) -> str:
        return self.__repr__()

    def __format__(self, spec: str) -> str:
        return object.__format__(self, spec)

    def __dir__(self) -> list[str]:
        return sorted({*dir(type(self)), *self.__dict__})

    def __deepcopy__(self, memo: dict[int, Any]) -> Any:
        raise NotLocalError(f"copy.deepcopy would copy only the wrapper of {self}. Use .copy() to copy it where it is.")

    def __reduce_ex__(self, protocol: Any) -> Any:
        raise NotLocalError(
            f"{self} is not here, so it cannot be pickled, saved or copied with the copy module. "
            "Fetch it with .get() first, or copy it where it is with .copy()."
        )

    def __array__(self, *args: Any, **kwargs: Any) -> Any:
        raise NotLocalError(f"{self} has no values here to make an array of. Fetch it with .get() first.")


class WrappedParameter(Wrapper, torch.nn.Parameter):
    """What a parameter becomes, in place, while its module is elsewhere."""

    def __repr__(self, *, tensor_contents: Any = None) -> str:  # type: ignore[override]
        return f"Parameter containing:\n{self}"

    def __str__(self) -> str:
        return f"(Wrapper)>{link_text(link_of(self))}"

    @property
    def grad(self) -> Any:
        """The gradient where the parameter is, or None; the same pointer each time."""
        link = link_of(self)
        grad = getattr(link, "kept_grad", None)
        if grad is None:
            return None if hasattr(type(link), "kept_grad") else super().grad
        if link.grad_wrapper is None or link.grad_wrapper.__dict__.get("child") is not grad:
            link.grad_wrapper = wrap(grad)
        return link.grad_wrapper

    @grad.setter
    def grad(self, value: Any) -> None:
        Wrapper.grad.__set__(self, value)  # type: ignore[attr-defined]

    def detach(self) -> Any:
        """What ``state_dict`` asks for: the remote data without the gradient, no copy and no message."""
        return self.data


# Seed programs print type(batch) and expect torch's own names; isinstance holds anyway.
for _cls, _like in ((Wrapper, torch.Tensor), (WrappedParameter, torch.nn.Parameter)):
    _cls.__name__, _cls.__qualname__, _cls.__module__ = _like.__name__, _like.__qualname__, _like.__module__

_WRAPPERS: set[type] = {Wrapper, WrappedParameter}


def register_wrapper(cls: type) -> None:
    """Have tensors of another class taken for what they have under their ``child``."""
    _WRAPPERS.add(cls)


_NESTED = frozenset({list, tuple, dict, slice, Outputs})


def wrap(link: SyftTensor) -> Wrapper:
    """A new wrapper over a link."""
    out = _new_tensor(Wrapper)
    out.child = link
    link.parent = weakref.ref(out)
    return out


def link_of(wrapper: Any) -> Any:
    """The link under a wrapper.

    Raises:
        ConsumedPointerError: the pointer was fetched or moved away.
    """
    link = wrapper.__dict__.get("child")
    if link is None:
        raise ConsumedPointerError(wrapper.__dict__.get("was", "it has no child"))
    return link


def consume(wrapper: Any, what: str) -> None:
    """Mark a wrapper as fetched: whatever is asked of it afterwards says so."""
    wrapper.__dict__.pop("child", None)
    wrapper.__dict__["was"] = what


def is_wrapper(value: Any) -> bool:
    """Whether the value is a wrapper (also a consumed one)."""
    return type(value) in _WRAPPERS


def unwrap(value: Any) -> Any:
    """The value with every wrapper in it, however deep, replaced by its link."""
    kind = type(value)
    if kind in _WRAPPERS:
        return link_of(value)
    if kind is list or kind is tuple:
        return kind([unwrap(v) for v in value])
    if kind is Outputs:
        return [unwrap(v) for v in value]
    if kind is dict:
        return {k: unwrap(v) for k, v in value.items()}
    if kind is slice:
        return slice(unwrap(value.start), unwrap(value.stop), unwrap(value.step))
    return value


def _wrap_all(value: Any) -> Any:
    if isinstance(value, SyftTensor):
        return wrap(value)
    if type(value) is list:
        return Outputs([_wrap_all(v) for v in value])
    if type(value) is Outputs:
        return Outputs([_wrap_all(v) for v in value], value.names)
    if type(value) is tuple:
        return tuple([_wrap_all(v) for v in value])
    if type(value) is dict:
        return {k: _wrap_all(v) for k, v in value.items()}
    return value


def _kind(args: Any, best: type[SyftTensor] | None) -> type[SyftTensor] | None:
    for a in args:
        kind = type(a)
        if kind in _LINKS:
            if best is None or (kind is not best and kind.precedence > best.precedence):
                best = kind
        elif kind in _NESTED:
            inner = (a.start, a.stop, a.step) if kind is slice else a.values() if kind is dict else a
            best = _kind(inner, best)
    return best


def apply(op: Op, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """Run ``op`` by the rule of the link that governs it; without links it is plain torch.

    Rules recurse with this function, never with ``op.fn``: what is under a link may be another link.

    Args:
        op: an entry of the op table.
        args: positional arguments, links and plain values.
        kwargs: keyword arguments, likewise.

    Returns:
        Links, containers of links, or plain values.
    """
    kind = _kind(args, None)
    if kwargs:
        kind = _kind(kwargs.values(), kind)
    if kind is None:
        return op.fn(*args, **kwargs)
    rule = kind.rules.get(op.key)
    return rule(op, args, kwargs) if rule is not None else kind.default(op, args, kwargs)
