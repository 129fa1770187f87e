"""`Number`: integers together with what 1 is written as. Products are rescaled as late as possible.

A product of two numbers with 16 fractional digits has 32. Dividing costs a round of messages when the integers are
shared, so it is put off: sums of products, means and the next activation work on what is there.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import torch

from syft.encoded.bilinear import Spec
from syft.encoded.encoding import Encoding
from syft.encoded.ring import Integers, ring_of
from syft.exceptions import UsageError

_SPARE = 128
"""How many times the square of an encoding's scale products may be scaled with."""
_FINE = 1 << 16
"""A scale that needs no guard digits."""
_LARGEST_DIVISOR = 1 << 16


@dataclass(frozen=True, slots=True)
class Number:
    """``raw / scale``.

    Attributes:
        raw: integers modulo 2^64, here or shared.
        scale: what 1 is written as.
        encoding: that of the tensor it came from; None for integers.
    """

    raw: Integers
    scale: int
    encoding: Encoding | None

    @property
    def unit(self) -> int:
        """What 1 is written as in a tensor."""
        return 1 if self.encoding is None else self.encoding.scale

    @property
    def shape(self) -> torch.Size:
        """The shape of the values."""
        return torch.Size(self.raw.shape)

    def with_raw(self, raw: Integers, scale: int | None = None) -> Number:
        """Other integers of the same kind."""
        return Number(raw, self.scale if scale is None else scale, self.encoding)

    def moved(self, name: str, *args: Any) -> Number:
        """One of `syft.encoded.moves`."""
        return self.with_raw(ring_of(self.raw).move(name, self.raw, *args))


def settled(number: Number) -> Number:
    """The same number, with the scale of its encoding."""
    unit, raw, scale = number.unit, number.raw, number.scale
    if scale == unit:
        return number
    ring = ring_of(raw)
    if scale < unit and unit % scale == 0:
        return number.with_raw(ring.scale(raw, unit // scale), unit)
    if scale % unit:
        raw, scale = ring.scale(raw, unit), scale * unit
    return number.with_raw(ring.divide(raw, scale // unit), unit)


def guarded(number: Number) -> Number:
    """The same number with a scale that can be computed with: where its encoding has few digits, with some more.

    For what is in between: the roundings of one layer after the other, and of one step of training after the other,
    add up. `settled` is for what is shown and compared.
    """
    unit, scale = number.unit, number.scale
    if scale < unit or scale % unit:
        return number if scale < unit else settled(number)
    guard = 1 if number.encoding is None else _guard(number.encoding.base, unit)
    if scale <= unit * guard:
        return number
    if scale % (unit * guard):
        return settled(number)
    return number.with_raw(ring_of(number.raw).divide(number.raw, scale // (unit * guard)), unit * guard)


@lru_cache
def _guard(base: int, unit: int) -> int:
    """What guard digits multiply a scale with: products of two such numbers must be left some room."""
    guard = 1
    while (guard * base) ** 2 <= _SPARE and unit * guard * base <= _FINE:
        guard *= base
    return guard


def constant(value: Any, like: Number) -> Number:
    """A public operand.

    Args:
        value: a Python number or a local tensor.
        like: what it is computed with.

    Raises:
        EncodingError: it cannot be encoded.
        UsageError: a fraction, where ``like`` is an integer.
    """
    tensor = torch.as_tensor(value, dtype=torch.float64) if isinstance(value, float) else torch.as_tensor(value)
    if not tensor.dtype.is_floating_point:
        return Number(tensor.to(torch.int64), 1, like.encoding)
    if like.encoding is None:
        if bool((tensor == tensor.trunc()).all()):
            return Number(tensor.to(torch.int64), 1, None)
        raise UsageError("integers are computed with integers; use fix_precision() for numbers with fractional digits")
    if tensor.dim() == 0:
        return _scalar(float(tensor), like.encoding)
    return Number(like.encoding.encode(tensor), like.encoding.scale, like.encoding)


def _scalar(value: float, encoding: Encoding) -> Number:
    if math.isfinite(value) and value == int(value) and abs(value) < 2**52:
        return Number(torch.tensor(int(value)), 1, encoding)
    inverse = 1 / value if math.isfinite(value) else 0.0
    if 1 <= abs(inverse) <= _LARGEST_DIVISOR and abs(inverse - round(inverse)) < 1e-9 * abs(inverse):
        # 0.1 is a tenth of 1, and not 6553 / 65536.
        return Number(torch.tensor(1 if inverse > 0 else -1), abs(round(inverse)), encoding)
    return Number(encoding.encode(torch.tensor(value, dtype=torch.float64)), encoding.scale, encoding)


def add(a: Number, b: Number) -> Number:
    """The sum, broadcast."""
    if _factor(b) == 0:
        return a
    a, b = aligned(*_alike(a, b))
    return a.with_raw(ring_of(a.raw, b.raw).add(a.raw, b.raw))


def sub(a: Number, b: Number) -> Number:
    """The difference, broadcast."""
    if _factor(b) == 0:
        return a
    a, b = aligned(*_alike(a, b))
    return a.with_raw(ring_of(a.raw, b.raw).sub(a.raw, b.raw))


def join(parts: Sequence[Number], dim: int) -> Number:
    """One after the other along a dimension; with integers and numbers with an encoding, all get that encoding."""
    like = next((one for one in parts if one.encoding is not None), parts[0])
    scale = parts[0].scale
    if any(one.scale != scale for one in parts):
        parts = [settled(one if one.encoding else like.with_raw(one.raw, one.scale)) for one in parts]
        scale = math.lcm(*[one.scale for one in parts])
    raws = [raised(one, scale).raw for one in parts]
    return like.with_raw(ring_of(*raws).join(raws, dim), scale)


def replaced(a: Number, places: torch.Tensor, values: Number) -> Number:
    """Other values at some places; where one is named several times, the last value counts.

    Args:
        a: of any shape.
        places: int64, counted through all elements of it.
        values: as many.
    """
    count = a.shape.numel()
    source = torch.arange(count)
    source[places.reshape(-1)] = torch.arange(count, count + places.numel())
    flat = [a.moved("view", [count]), values.moved("view", [places.numel()])]
    return join(flat, 0).moved("index_select", 0, source).moved("view", list(a.shape))


def neg(a: Number) -> Number:
    """The negative."""
    return a.with_raw(ring_of(a.raw).neg(a.raw))


def multiply(a: Number, b: Number, kind: str = "mul", spec: Spec = ()) -> Number:
    """A product; the scales multiply, and what is too much is divided away first."""
    a, b = _alike(a, b)
    limit = _largest_scale(a, b)
    if a.raw is b.raw and a.scale * b.scale > limit:
        a = b = settled(a)
    if a.scale * b.scale > limit:
        a, b = (guarded(a), b) if a.scale >= b.scale else (a, guarded(b))
    if a.scale * b.scale > limit:
        a, b = guarded(a), guarded(b)
    scalar = _factor(b) if kind == "mul" else None
    if scalar is not None:
        return a.with_raw(ring_of(a.raw).scale(a.raw, scalar) if scalar != 1 else a.raw, a.scale * b.scale)
    return a.with_raw(ring_of(a.raw, b.raw).product(kind, spec, a.raw, b.raw), a.scale * b.scale)


def square(a: Number) -> Number:
    """The product with itself."""
    if a.scale**2 > _largest_scale(a, a):
        a = guarded(a)
    return multiply(a, a)


def _factor(b: Number) -> int | None:
    if isinstance(b.raw, torch.Tensor) and b.raw.dim() == 0:
        return int(b.raw)
    return None


def _alike(a: Number, b: Number) -> tuple[Number, Number]:
    """What integers and numbers with an encoding make together has that encoding."""
    if a.encoding is None and b.encoding is not None:
        return Number(a.raw, a.scale, b.encoding), b
    return a, b


def _largest_scale(a: Number, b: Number) -> int:
    return max(a.unit, b.unit) ** 2 * _SPARE


def aligned(a: Number, b: Number) -> tuple[Number, Number]:
    """The same numbers with one scale for both."""
    if a.scale == b.scale:
        return a, b
    if _factor(b) is not None:
        a = _with_digits_for(b, a)
        return a, b.with_raw(torch.tensor(_rescaled(b, a.scale)), a.scale)
    if _factor(a) is not None:
        b = _with_digits_for(a, b)
        return a.with_raw(torch.tensor(_rescaled(a, b.scale)), b.scale), b
    largest = max(a.scale, b.scale)
    if largest % min(a.scale, b.scale) or largest > _largest_scale(a, b):
        a, b = settled(a), settled(b)
    scale = math.lcm(a.scale, b.scale)  # those of two encodings, of which none need be a multiple of the other
    return raised(a, scale), raised(b, scale)


def raised(a: Number, scale: int) -> Number:
    """The same number with a scale that is a multiple of its own."""
    return a if a.scale == scale else a.with_raw(ring_of(a.raw).scale(a.raw, scale // a.scale), scale)


def _with_digits_for(factor: Number, a: Number) -> Number:
    """The same number as a; bits, which have no fractional digits, get them if a public factor has some."""
    if a.scale >= a.unit or int(factor.raw) * a.scale % factor.scale == 0:
        return a
    return raised(a, math.lcm(a.scale, a.unit))


def _rescaled(b: Number, scale: int) -> int:
    value = int(b.raw) * scale
    return value // b.scale if value >= 0 else -(-value // b.scale)


def compared(a: Number) -> Number:
    """The same number as comparisons take it: whatever its scale, but those of 32 bits have no room for more digits."""
    return settled(a) if getattr(a.raw, "width", 64) < 64 else a


def negative(a: Number) -> Number:
    """1 where the number is below zero."""
    a = compared(a)
    return a.with_raw(ring_of(a.raw).negative(a.raw), 1)


def zero(a: Number) -> Number:
    """1 where the number is zero."""
    return a.with_raw(ring_of(a.raw).zero(a.raw), 1)


def complement(bits: Number) -> Number:
    """1 - bits, for bits with scale 1."""
    return bits.with_raw(ring_of(bits.raw).complement(bits.raw))


def less(a: Number, b: Number) -> Number:
    """1 where a < b, as the tensors show them."""
    return negative(sub(settled(a), settled(b)))


def equal(a: Number, b: Number) -> Number:
    """1 where a == b, as the tensors show them."""
    return zero(sub(settled(a), settled(b)))
