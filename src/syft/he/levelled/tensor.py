"""`CiphertextTensor`: what users hold of encrypted numbers. torch computes on it through ``__torch_dispatch__``.

What arrives there are elementary ops, each with a rule in the modules `rules` and `rules_layers`; an op without a rule
is refused by its name, and where there is something to use in its place, that is said.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NoReturn

import torch

from syft.exceptions import NotLocalError, UnserializableError, UnsupportedOp
from syft.he.levelled.polynomials import polyval
from syft.he.levelled.slots import CiphertextLink
from syft.tensors.base import link_text, register_wrapper

Rule = Callable[..., Any]

RULES: dict[Any, Rule] = {}
"""By aten op; a rule gets links in the place of encrypted tensors and returns links."""
COMPOSED: dict[Any, Rule] = {}
"""Functions that are made of others, by the torch function: these get and return tensors."""
REMEDIES: dict[str, str] = {}
"""What to use in the place of ops that cannot be computed on ciphertexts, by their names."""


class CiphertextTensor(torch.Tensor):
    """The tensor over a `CKKSTensor` or a `BFVTensor`. Its gradient is not computed."""

    child: CiphertextLink

    @staticmethod
    def __new__(cls: type[CiphertextTensor], link: CiphertextLink) -> CiphertextTensor:
        out = torch.Tensor._make_wrapper_subclass(cls, link.shape, dtype=link.dtype, requires_grad=False)
        out.child = link
        return out

    @classmethod
    def __torch_function__(
        cls, func: Callable[..., Any], types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        composed = COMPOSED.get(func)
        if composed is not None:
            return composed(*args, **(kwargs or {}))
        with torch.no_grad(), torch._C.DisableTorchFunctionSubclass():
            return func(*args, **(kwargs or {}))

    @classmethod
    def __torch_dispatch__(  # type: ignore[override]
        cls, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        rule = RULES.get(func.overloadpacket)
        if rule is None:
            refuse(func.overloadpacket._qualified_op_name.removeprefix("aten::"))
        out = rule(*[_link(a) for a in args], **{k: _link(v) for k, v in (kwargs or {}).items()})
        return CiphertextTensor(out) if isinstance(out, CiphertextLink) else _tensors(out)

    def polyval(self, coefficients: Sequence[float]) -> Any:
        """A polynomial of each number; see `syft.he.levelled.polynomials.polyval`.

        Args:
            coefficients: of x^0, x^1 and so on.
        """
        return polyval(self, coefficients)

    @property
    def context(self) -> Any:
        """Under which this is encrypted."""
        return self.child.context

    @property
    def levels(self) -> int:
        """How many products may follow."""
        return self.child.level

    def __repr__(self, *, tensor_contents: Any = None) -> str:  # type: ignore[override]
        return f"(Wrapper)>{link_text(self.child)}"

    __str__ = __repr__

    def __format__(self, spec: str) -> str:
        return object.__format__(self, spec)

    def __bool__(self) -> bool:
        _encrypted("truth value")

    def item(self) -> NoReturn:
        """Refuse: the number is encrypted."""
        _encrypted("number")

    def tolist(self) -> NoReturn:
        """Refuse: the numbers are encrypted."""
        _encrypted("numbers")

    def numpy(self, *args: Any, **kwargs: Any) -> NoReturn:
        """Refuse: the numbers are encrypted."""
        _encrypted("numbers")

    def __reduce_ex__(self, protocol: Any) -> NoReturn:
        raise UnserializableError(
            "encrypted tensors are not pickled, nor saved with torch.save; syft.serde.serialize(x) writes them"
        )

    def __deepcopy__(self, memo: dict[int, Any]) -> CiphertextTensor:
        return CiphertextTensor(self.child)  # nothing changes a ciphertext in place


register_wrapper(CiphertextTensor)


def rule(*packets: Any) -> Callable[[Rule], Rule]:
    """Register the rule of aten ops, once each.

    Raises:
        UnsupportedOp: one of them has a rule already.
    """

    def register(function: Rule) -> Rule:
        for packet in packets:
            if packet in RULES:
                raise UnsupportedOp(f"{packet} has a rule already; one op has one rule")
            RULES[packet] = function
        return function

    return register


def composed(*functions: Any) -> Callable[[Rule], Rule]:
    """Register how torch functions are made of others."""

    def register(function: Rule) -> Rule:
        COMPOSED.update(dict.fromkeys(functions, function))
        return function

    return register


def refuse(name: str) -> NoReturn:
    """Say that an op has no rule, and what to use instead."""
    if name.endswith("_") and not name.startswith("_"):
        raise UnsupportedOp(f"{name!r} would change an encrypted tensor in place; use {name.rstrip('_')!r}")
    remedy = REMEDIES.get(
        name, "Decrypt first, or build it from sums, products and polynomials: docs/homomorphic.md lists what there is"
    )
    raise UnsupportedOp(f"{name!r} cannot be computed on ciphertexts. {remedy}")


def _encrypted(what: str) -> NoReturn:
    raise NotLocalError(f"the {what} of an encrypted tensor can be read by the holder of its secret key: x.decrypt()")


def _link(value: Any) -> Any:
    if isinstance(value, CiphertextTensor):
        return value.child
    return type(value)([_link(v) for v in value]) if type(value) in (list, tuple) else value


def _tensors(out: Any) -> Any:
    return type(out)([CiphertextTensor(o) for o in out]) if type(out) in (list, tuple) else out
