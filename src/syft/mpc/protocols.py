"""The protocols, as the client drives them: products, quotients, comparisons with zero.

Sources: products with masked wires, see `syft.mpc.kernels.multiply`; quotients without gross errors, Escudero, Ghosh,
Keller, Rachuri and Scholl, "Improved Primitives for MPC over Mixed Arithmetic-Binary Circuits" (CRYPTO 2020, section 5)
and Dalskov, Escudero and Keller, "Fantastic Four" (USENIX Security 2021, section 5); comparisons, see
`syft.mpc.comparisons`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch

from syft.encoded.bilinear import Spec, product_shape
from syft.mpc.comparison import EQUAL, ORDER, Outcome
from syft.mpc.comparisons import comparison_named
from syft.mpc.dealing import TOP, U64, divided
from syft.mpc.group import Group, shown_by
from syft.mpc.kernels import as_words
from syft.mpc.public import Public
from syft.mpc.shared import AdditiveSharingTensor, open_all
from syft.mpc.steps import run_at
from syft.mpc.wire import Wire
from syft.tensors.pointer import PointerTensor

_HALF_RANGE = 1 << 62
_ELEMENTWISE = "mul"


def multiply(kind: str, spec: Spec, x: AdditiveSharingTensor, y: AdditiveSharingTensor) -> AdditiveSharingTensor:
    """The product of two shared values, exact in the ring.

    Args:
        kind: of `syft.encoded.bilinear.PRODUCTS`.
        spec: what that needs.
        x: shared.
        y: shared among the same holders.
    """
    group = x.group if x.provider is not None else y.group
    shares = [(x.share_at(h.id, y, kind), y.share_at(h.id, x, kind)) for h in group.holders]
    left, right = _operands(kind, x, y, group)
    number, answer, _ = group.deal("mpc.deal_product", kind, spec, left.masks, right.masks)
    corrections = group.for_last(shown_by(answer))
    operands = [
        (group.name, number, kind, spec, left.at(h, mine), right.at(h, other), c)
        for h, (mine, other), c in zip(group.holders, shares, corrections, strict=True)
    ]
    shape = product_shape(kind, spec, x.shape, y.shape)
    out = _like(x, group, group.post("mpc.product", operands), shape)
    out.width = max(x.width, y.width)
    return out


def _operands(kind: str, x: AdditiveSharingTensor, y: AdditiveSharingTensor, group: Group) -> list[Wire]:
    tensors = [x] if x is y else [x, y]
    known = [t.known_wire(group) for t in tensors]
    # Whatever has to be opened is opened in one round.
    open_all([t for t, wire in zip(tensors, known, strict=True) if wire is None and t._origin is None], group)
    for tensor in tensors:
        wire = tensor.known_wire(group)
        if wire is None or not (wire.is_plain or kind == _ELEMENTWISE):
            tensor.plain_wire(group)
    return [t.plain_wire(group) if t.wire is None else t.wire for t in (x, y)]


def linear(kind: str, spec: Spec, x: Any, y: Any) -> AdditiveSharingTensor:
    """The product of a shared value and a public one, in either order."""
    shared = x if isinstance(x, AdditiveSharingTensor) else y
    shape = product_shape(kind, spec, x.shape, y.shape)
    public = Public(y if shared is x else x)
    out = {}
    for place, pointer in shared.shares.items():
        at = public.at(pointer.location)
        operands = (kind, spec, pointer.ref, at) if shared is x else (kind, spec, at, pointer.ref)
        out[place] = run_at(pointer.location, "mpc.linear", operands)
    return shared.like(out, shape)


def divide(x: AdditiveSharingTensor, divisor: int) -> AdditiveSharingTensor:
    """The quotient by a public number, for \\|x\\| <= 2^62 - divisor, rounded at random with a mean that is right.

    For a power of two the result is the floor or 1 more; for other divisors it is off by less than 1.5. There are no
    other errors, whatever the number of holders.

    Args:
        x: shared.
        divisor: from 2 to 2^31.
    """
    group = x.group
    wire = x.plain_wire(group)
    number, answer, masks = group.deal("mpc.deal_truncate", wire.masks, divisor)
    offset = _HALF_RANGE // divisor  # a multiple of the divisor makes the value positive
    opened = as_words(wire.public.tensor) + U64(offset * divisor)
    top = (opened >> U64(63)).view(np.int64)
    # Where the sum passes 2^63, which half of all masks lead to, the rest of 2^63 is lost: half of it is put in here.
    rest = (1 << 63) % divisor
    quotient = divided((opened & ~TOP) + U64(rest // 2), divisor).view(np.int64)
    quotient += top * ((1 << 63) // divisor) - offset
    public, signs = (Public(torch.from_numpy(words).reshape(x.shape)) for words in (quotient, 1 - 2 * top))
    operands = [
        (group.name, number, public.at(h), signs.at(h), c)
        for h, c in zip(group.holders, group.for_last(shown_by(answer)), strict=True)
    ]
    out = _like(x, group, group.post("mpc.truncate", operands), x.shape)
    out.wire = Wire(group, public, (None, signs), masks)
    return out


def is_negative(x: AdditiveSharingTensor) -> AdditiveSharingTensor:
    """1 where a shared value is below zero, else 0."""
    return _compared(x, ORDER).bits()


def is_nonnegative(x: AdditiveSharingTensor) -> AdditiveSharingTensor:
    """1 where a shared value is zero or more, else 0."""
    return _compared(x, ORDER).negated().bits()


def is_zero(x: AdditiveSharingTensor) -> AdditiveSharingTensor:
    """1 where a shared value is zero, else 0."""
    return _compared(x, EQUAL).bits()


def rectified(x: AdditiveSharingTensor) -> tuple[AdditiveSharingTensor, Callable[[], AdditiveSharingTensor] | None]:
    """A shared value where it is not below zero, else 0, and the bits that say where that is.

    The bits are made when they are asked for: only gradients need them. Without gradients there are none.
    """
    outcome = _compared(x, ORDER, gate=True).negated()
    wanted = torch.is_grad_enabled()
    return outcome.gated(keep=wanted), outcome.bits if wanted else None


def _compared(x: AdditiveSharingTensor, kind: str, *, gate: bool = False) -> Outcome:
    return comparison_named(x.protocol, x.shares).compared(x, kind, gate=gate)


def complement(bits: AdditiveSharingTensor) -> AdditiveSharingTensor:
    """1 - bits, which keeps the masked form of a comparison's result."""
    out = bits.each("torch.neg").first("torch.add", 1)
    if (wire := bits.wire) is not None:
        coefficients = [
            Public(torch.ones_like(wire.public.tensor)) if c is None else Public(-c.tensor) for c in wire.coefficients
        ]
        out.wire = Wire(wire.group, Public(1 - wire.public.tensor), tuple(coefficients), wire.masks)
    return out


def refreshed(x: AdditiveSharingTensor) -> AdditiveSharingTensor:
    """The same values in fresh shares."""
    group = x.group
    number, answer, _ = group.deal("mpc.deal_zeros", x.shape)
    operands = [(group.name, number, x.shape, c) for c in group.for_last(shown_by(answer))]
    return x.each("torch.add", _like(x, group, group.post("mpc.zeros", operands), x.shape))


def _like(
    x: AdditiveSharingTensor, group: Group, shares: dict[Any, PointerTensor], shape: Sequence[int]
) -> AdditiveSharingTensor:
    out = x.like(shares, shape)
    out.provider, out._group = group.provider, group
    return out
