"""`LargePrecisionTensor`: numbers in fixed precision that need more than 64 bits."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any

import numpy as np
import torch

from syft.core.ops import Op
from syft.encoded.digits import BITS, Large, count_of, large, read, written
from syft.exceptions import EncodingError, UnsupportedOp, UsageError
from syft.serde.checks import integer, keywords, object_id, optional, text
from syft.serde.registry import register
from syft.tensors.base import unwrap
from syft.tensors.chain import ChainTensor, wire_tag
from syft.tensors.private import METADATA

FIELD = 2**512
_LARGEST_FIELD = 2**4096


class LargePrecisionTensor(ChainTensor):
    """Numbers in fixed precision over Python integers, which are printed and shared as small digits.

    A number x is the integer part of ``x * base ** precision_fractional``. All arithmetic is exact but for products
    and quotients, which drop what is below the last digit. Where the digits are shared, `syft.mpc` can add and
    subtract them.

    Args:
        owner: the worker this belongs to.
        id: its own id.
        field: integers must be below half of it, and their digits are those of the integer modulo it.
        base: of the fractional digits.
        precision_fractional: how many fractional digits.
        internal_type: of the tensor of digits: 15 bits a digit with ``torch.int16``, 31 with ``torch.int32``.
        tags: words to find it by.
        description: a text about it.

    Raises:
        UsageError: a type without digits, a field beyond 2^4096, or a precision that does not fit in it.
    """

    trainable = False  # gradients are of 64 bits
    precedence = 22
    _integers: Large | None = None
    _shares: Any = None

    def __init__(
        self,
        owner: Any = None,
        id: Any = None,
        field: int = FIELD,
        base: int = 10,
        precision_fractional: int = 3,
        internal_type: torch.dtype = torch.int32,
        tags: Any = None,
        description: str | None = None,
    ) -> None:
        super().__init__(owner, id, tags, description)
        if internal_type not in BITS:
            raise UsageError(f"digits are of a type among {', '.join(map(str, BITS))}, not {internal_type}")
        if not 4 <= field <= _LARGEST_FIELD:
            raise UsageError(f"the field of a LargePrecisionTensor is from 4 to 2^4096, not {_short(field)}")
        if base < 2 or precision_fractional < 0 or precision_fractional * math.log2(base) >= field.bit_length():
            raise UsageError(
                f"{base} ** {precision_fractional} is no precision for a field of {field.bit_length()} bits; use a "
                "base of at least 2, and fewer fractional digits or a larger field"
            )
        self.field, self.base, self.precision_fractional = field, base, precision_fractional
        self.internal_type = internal_type

    # --- what is under it ---------------------------------------------------------------------------

    @property
    def scale(self) -> int:
        """What 1 is written as."""
        return int(self.base**self.precision_fractional)

    @property
    def integers(self) -> Large:
        """The numbers times the scale, an array of Python integers.

        Raises:
            UnsupportedOp: they are shared.
            UsageError: there are none.
        """
        if self._shares is not None:
            raise UnsupportedOp(
                "large numbers that are shared can be added and subtracted; fetch them with .get() for all else"
            )
        if self._integers is None:
            raise UsageError("this large-precision tensor has nothing under it")
        return self._integers

    @property
    def shares(self) -> Any:
        """The shared digits, or None if the integers are here."""
        return self._shares

    @property
    def child(self) -> Any:
        """The digits, in a last dimension of their own: a tensor of `internal_type`, or shared."""
        if self._integers is None:
            return self._shares
        return written(large(self._integers % self.field), self.internal_type)

    @child.setter
    def child(self, value: Any) -> None:
        self._integers = self._shares = None
        if hasattr(type(value), "ring"):
            self._shares = value
        elif value is not None:
            self._integers = self._read(value)

    def _read(self, digits: Any) -> Large:
        if type(digits) is not torch.Tensor or digits.dtype not in BITS or digits.dim() == 0:
            raise UsageError(
                "a large-precision tensor has digits under it: integers, the most significant one first in the last "
                "dimension. Make one with x.fix_precision(storage='large')"
            )
        half = self.field // 2
        return large((read(digits, BITS[self.internal_type]) + half) % self.field - half)

    def all_digits(self) -> torch.Tensor:
        """The digits as int64, as many as the field needs: how many there are says nothing about the numbers."""
        count = count_of(self.field - 1, BITS[self.internal_type])
        return written(large(self.integers % self.field), self.internal_type, count).to(torch.int64)

    @property
    def shape(self) -> torch.Size:
        """The shape of the values."""
        if self._shares is not None:
            return torch.Size(self._shares.shape[:-1])
        return torch.Size(self.integers.shape)

    @property
    def measured(self) -> Any:
        """The shared digits, or a tensor of the shape of the values: digits have a dimension more than these."""
        return self.child if self._integers is None else torch.empty(self.shape, dtype=torch.complex128)

    def settings(self) -> dict[str, Any]:
        """The field, the precision and the type of the digits."""
        return {
            "field": self.field, "base": self.base, "precision_fractional": self.precision_fractional,
            "internal_type": self.internal_type,
        }  # fmt: skip

    get_class_attributes = settings

    def over(self, integers: Any) -> LargePrecisionTensor:
        """A tensor of the same precision over other integers.

        Raises:
            EncodingError: one of them does not fit in the field.
        """
        out = self.like(None)
        out._integers = self.fitting(large(integers))
        return out

    def fitting(self, integers: Large) -> Large:
        """These integers, if they are below half the field.

        Raises:
            EncodingError: one of them is not.
        """
        half = self.field // 2
        worst = max(integers.flat, key=abs, default=0)
        if not -half <= worst < half:
            raise EncodingError(
                f"a number of {worst.bit_length() - self.scale.bit_length() + 1} bits before the point cannot be "
                f"correctly embedded: choose bigger field or a lower precision. {self.base} ** "
                f"{self.precision_fractional} leaves {half.bit_length() - self.scale.bit_length()} of them"
            )
        return integers

    # --- numbers ------------------------------------------------------------------------------------

    def encode(self, values: Any) -> Large:
        """Write numbers as integers, exactly but for what is below the last digit.

        Args:
            values: a Python number or a local tensor of any real dtype.

        Returns:
            Python integers, of the same shape.

        Raises:
            EncodingError: a value is NaN, infinite, complex or too large.
        """
        tensor = values.detach() if isinstance(values, torch.Tensor) else large(values)
        if isinstance(tensor, torch.Tensor):
            if tensor.dtype.is_complex:
                raise EncodingError("complex numbers cannot be written with fixed precision; encode .real and .imag")
            tensor = large(_plain(tensor).tolist(), tensor.shape)
        scale = self.scale
        try:
            integers = [int(Fraction(value) * scale) for value in tensor.flat]
        except (OverflowError, ValueError):
            raise EncodingError(
                "infinite values and NaN cannot be written with fixed precision; replace them first, for example with "
                "torch.nan_to_num"
            ) from None
        return self.fitting(large(integers, tensor.shape))

    def decoded(self) -> torch.Tensor:
        """The numbers as float32: the nearest ones there are."""
        scale = self.scale
        values = np.array([_quotient(n, scale) for n in self.integers.flat], dtype=np.float64)
        return torch.from_numpy(values.reshape(self.integers.shape)).to(torch.float32)

    # --- sending and sharing ------------------------------------------------------------------------

    def owned_pointers(self) -> list[Any]:
        """Those to the shares of the digits, if these are shared."""
        return [] if self._shares is None else list(self._shares.owned_pointers())

    def mentioned_workers(self) -> list[Any]:
        """The holders of the digits, if these are shared."""
        return [] if self._shares is None else list(self._shares.mentioned_workers())

    def to_wire(self) -> Any:
        """What travels: settings, digits, id, tags and description."""
        settings, *rest = super().to_wire()
        return {**settings, "field": hex(self.field)}, *rest  # the codec's integers have 64 bits

    @classmethod
    def default(cls, op: Op, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Answer what can be said without the values; refuse all else."""
        if op.key in METADATA and isinstance(args[0], cls):
            return op.fn(torch.empty(args[0].shape), *args[1:], **kwargs)
        raise UnsupportedOp(
            f"{op.name!r} has no rule for large-precision tensors; decode them with .float_precision(). There are "
            f"rules for: {', '.join(sorted(cls.rules))}"
        )

    def __repr__(self) -> str:
        return f"{type(self).__name__}>{self.child}"


def _plain(tensor: torch.Tensor) -> torch.Tensor:
    return (tensor.to(torch.float64) if tensor.dtype.is_floating_point else tensor).cpu()


def _quotient(integer: int, scale: int) -> float:
    try:
        return integer / scale
    except OverflowError:
        return math.inf if integer > 0 else -math.inf


def _short(field: Any) -> str:
    return f"a number of {field.bit_length()} bits" if abs(field) > 2**64 else str(field)


def _from_wire(data: Any, context: Any) -> LargePrecisionTensor:
    settings, child, id, tags, description = data
    settings = keywords(settings)
    for name in ("base", "precision_fractional"):
        integer(settings[name])
    if len(field := text(settings.pop("field"))) > _LARGEST_FIELD.bit_length():
        raise ValueError("the field of a large-precision tensor is too large")
    out = LargePrecisionTensor(field=int(field, 16), **settings)
    out.child, out._id = unwrap(child), optional(object_id)(id)
    out.tags, out.description = optional(_tags)(tags), optional(text)(description)
    out.owner = context
    return out


def _tags(value: Any) -> set[Any]:
    if type(value) is not set:
        raise ValueError("tags are a set of words")
    return value


register(LargePrecisionTensor, wire_tag(LargePrecisionTensor), LargePrecisionTensor.to_wire, _from_wire)
