"""The ring of shared integers: what fixed-precision numbers ask of them, done by the protocols."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

from syft.encoded.bilinear import Spec
from syft.encoded.shapes import broadcast
from syft.mpc import protocols
from syft.mpc.public import Public
from syft.mpc.shared import WIDTHS, AdditiveSharingTensor
from syft.mpc.steps import run_at
from syft.mpc.wire import Wire

Shared = AdditiveSharingTensor


class SharedRing:
    """See `syft.encoded.ring.Ring`. One operand at least is shared; tensors of int64 are public."""

    def add(self, a: Any, b: Any) -> Shared:
        """See `Ring`."""
        if not isinstance(a, Shared):
            a, b = b, a
        if isinstance(b, Shared):
            return _each(a, "torch.add", b)
        return _first(a, "torch.add", b)

    def sub(self, a: Any, b: Any) -> Shared:
        """See `Ring`."""
        if not isinstance(a, Shared):
            return _first(self.neg(b), "torch.add", a)
        return _each(a, "torch.sub", b) if isinstance(b, Shared) else _first(a, "torch.sub", b)

    def neg(self, a: Shared) -> Shared:
        """See `Ring`."""
        return a.each("torch.neg")

    def scale(self, a: Shared, factor: int) -> Shared:
        """See `Ring`."""
        return a.each("torch.mul", factor)

    def product(self, kind: str, spec: Spec, a: Any, b: Any) -> Shared:
        """See `Ring`."""
        if isinstance(a, Shared) and isinstance(b, Shared):
            return protocols.multiply(kind, spec, a, b)
        return protocols.linear(kind, spec, a, b)

    def divide(self, a: Shared, divisor: int) -> Shared:
        """See `Ring`."""
        return protocols.divide(a, divisor)

    def negative(self, a: Shared) -> Shared:
        """See `Ring`."""
        return protocols.is_negative(a)

    def negative_wide(self, a: Shared) -> Shared:
        """See `Ring`."""
        wide = a.like(a.shares, a.shape)
        wide.width = max(WIDTHS)
        bits = protocols.is_negative(wide)
        bits.width = a.width
        return bits

    def nonnegative(self, a: Shared) -> Shared:
        """See `Ring`."""
        return protocols.is_nonnegative(a)

    def rectified(self, a: Shared) -> Shared:
        """See `Ring`."""
        out, passes = protocols.rectified(a)
        out.passes = passes
        return out

    def zero(self, a: Shared) -> Shared:
        """See `Ring`."""
        return protocols.is_zero(a)

    def prepare(self, a: Shared) -> None:
        """See `Ring`."""
        a.plain_wire(a.group)

    def complement(self, bits: Shared) -> Shared:
        """See `Ring`."""
        return protocols.complement(bits)

    def move(self, name: str, a: Shared, *args: Any) -> Shared:
        """See `Ring`."""
        return a.moved(name, *args)

    def join(self, parts: Sequence[Any], dim: int) -> Shared:
        """See `Ring`."""
        model = next(part for part in parts if isinstance(part, Shared))
        shares = {}
        for index, (place, pointer) in enumerate(model.shares.items()):
            pieces = [
                part.share_at(place, model, "cat") if isinstance(part, Shared) else part * (index == 0)
                for part in parts
            ]
            shares[place] = run_at(pointer.location, "torch.cat", (pieces, dim))
        dim %= len(model.shape)
        shape = list(model.shape)
        shape[dim] = sum(part.shape[dim] for part in parts)
        out = model.like(shares, shape)
        out.width = max(part.width for part in parts if isinstance(part, Shared))
        return out


def _each(a: Shared, op: str, b: Shared) -> Shared:
    shape = broadcast(a.shape, b.shape)
    return a.each(op, b, shape=shape)


def _first(a: Shared, op: str, b: Any) -> Shared:
    if isinstance(b, torch.Tensor):
        shape = broadcast(a.shape, b.shape)
        if shape != a.shape:
            a = a.moved("expand", shape)
    out = a.first(op, b)
    if (wire := a.wire) is not None:  # the same masks hide it
        public = wire.public.tensor + b if op == "torch.add" else wire.public.tensor - b
        out.wire = Wire(wire.group, Public(public), wire.coefficients, wire.masks)
    return out


AdditiveSharingTensor.ring = SharedRing()  # type: ignore[attr-defined]
