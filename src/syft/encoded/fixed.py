"""`FixedPrecisionTensor`: numbers written as integers with a fixed number of fractional digits."""

from __future__ import annotations

from typing import Any, ClassVar

import torch

from syft.core.ops import Op, Returns
from syft.encoded.encoding import FIELD, Encoding
from syft.encoded.number import Number, settled
from syft.exceptions import UsageError
from syft.tensors.base import SyftTensor, link_of, unwrap, wrap
from syft.tensors.chain import ChainTensor


class FixedPrecisionTensor(ChainTensor):
    """Numbers in fixed precision, over integers that are here, at a worker or shared.

    Args:
        owner: the worker this belongs to.
        id: its own id.
        field: see `Encoding`.
        base: see `Encoding`.
        precision_fractional: see `Encoding`.
        kappa: see `Encoding`.
        dtype: see `Encoding`.
        tags: words to find it by.
        description: a text about it.
    """

    precedence = 22
    tensor_over: ClassVar[Any] = None  # what users hold of such a link; it stands above this module

    def __init__(
        self,
        owner: Any = None,
        id: Any = None,
        field: int = FIELD,
        base: int = 10,
        precision_fractional: int = 3,
        kappa: int = 1,
        dtype: str = "long",
        tags: Any = None,
        description: str | None = None,
    ) -> None:
        super().__init__(owner, id, tags, description)
        self.encoding = Encoding(base, precision_fractional, field, kappa, dtype)
        self._number: Number | None = None

    @classmethod
    def of(cls, number: Number) -> FixedPrecisionTensor:
        """The tensor that shows a number."""
        out = cls.__new__(cls)
        SyftTensor.__init__(out)
        if number.encoding is None:
            raise UsageError("integers without an encoding are no fixed-precision numbers")
        out.encoding, out._number = number.encoding, number
        return out

    @classmethod
    def default(cls, op: Op, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Compute with the tensors that stand over these links: they know that a product has another scale."""
        over = _standing_over(args)
        out = op.fn(*over, **_standing_over(kwargs))
        if op.returns is not Returns.SELF:
            return unwrap(out)
        args[0]._number = link_of(over[0])._number  # computed in place there
        return args[0]

    @property
    def number(self) -> Number:
        """What this tensor stands for, not rescaled yet."""
        if self._number is None:
            raise UsageError("this fixed-precision tensor has nothing under it")
        return self._number

    @property
    def child(self) -> Any:
        """The integers, with the scale of the encoding."""
        if self._number is None:
            return None
        if self._number.scale != self.encoding.scale:
            self._number = settled(self._number)
        return self._number.raw

    @child.setter
    def child(self, value: Any) -> None:
        self._number = None if value is None else Number(value, self.encoding.scale, self.encoding)

    @property
    def location(self) -> Any:
        """The worker that holds the integers, or None: they are here, or shared among several."""
        return None if self._number is None else getattr(self._number.raw, "location", None)  # child would rescale

    @property
    def shape(self) -> torch.Size:
        """The shape of the values."""
        return self.number.shape

    @property
    def field(self) -> int:
        """See `Encoding`."""
        return self.encoding.field

    @property
    def base(self) -> int:
        """See `Encoding`."""
        return self.encoding.base

    @property
    def precision_fractional(self) -> int:
        """See `Encoding`."""
        return self.encoding.precision_fractional

    @property
    def kappa(self) -> int:
        """See `Encoding`."""
        return self.encoding.kappa

    def settings(self) -> dict[str, Any]:
        """The encoding."""
        e = self.encoding
        return {
            "field": e.field, "base": e.base, "precision_fractional": e.precision_fractional, "kappa": e.kappa,
            "dtype": e.dtype,
        }  # fmt: skip

    get_class_attributes = settings

    def check(self) -> None:
        """Refuse what cannot stand under such a tensor.

        Raises:
            UsageError: it has no integers under it.
        """
        child = self._number.raw if self._number is not None else None
        if not (hasattr(type(child), "ring") or (type(child) is torch.Tensor and child.dtype == torch.int64)):
            raise UsageError(f"a fixed-precision tensor has integers under it, not {type(child).__name__}")

    def owned_pointers(self) -> list[Any]:
        """Those to the shares of the integers, if these are shared."""
        child = self.child
        return child.owned_pointers() if isinstance(child, SyftTensor) else []

    def mentioned_workers(self) -> list[Any]:
        """The holders of the integers, if these are shared."""
        child = self.child
        mentioned = getattr(type(child), "mentioned_workers", None)
        return [] if mentioned is None else mentioned(child)

    def decoded(self) -> torch.Tensor:
        """The numbers as float32, if the integers are here."""
        return self.encoding.decode(self.child)

    def __repr__(self) -> str:
        child = self.child
        shown = child % self.field if isinstance(child, torch.Tensor) else child
        return f"{type(self).__name__}>{shown}"


def _standing_over(value: Any) -> Any:
    """Operands with the tensors that stand over links in the place of these, however deep."""
    if isinstance(value, SyftTensor):
        return FixedPrecisionTensor.tensor_over(value) if isinstance(value, FixedPrecisionTensor) else wrap(value)
    if type(value) in (list, tuple):
        return type(value)([_standing_over(part) for part in value])
    return {name: _standing_over(part) for name, part in value.items()} if type(value) is dict else value
