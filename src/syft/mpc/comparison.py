"""What all protocols that compare have in common: the question, and the form of the answer.

Each ends with an opening of ``d = b ^ m``: the bit b that was asked for under a bit m that the provider chose, and of
which the holders have shares in the ring. As ``b = d + (1 - 2 d) m``, shares of b cost nothing then, and b is known up
to a mask: products with it open nothing of it. The product with the very value ``x = y - r`` that was compared costs
nothing either, if the provider has shared ``m r``, too: it is ``m x = m y - m r`` where d is 0, else ``x - m x``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Self

import numpy as np
import torch

from syft.core.ops import kernel
from syft.exceptions import ProtocolStepError
from syft.mpc.kernels import as_tensor
from syft.mpc.material import Words
from syft.mpc.public import Public
from syft.mpc.service import MpcService
from syft.mpc.shared import AdditiveSharingTensor
from syft.mpc.wire import Wire
from syft.tensors.object_pointer import ObjectPointer

ORDER, EQUAL = "order", "equal"
"""What is asked of a value: whether it is below zero, and whether it is zero."""


class Blinding:
    """A holder's shares of the bits that blind the results of a comparison.

    Args:
        first: whether this is the holder that adds what is public.
        bits: ring elements, one for each result.
        products: of the bits and the masks of what was compared, if that will be multiplied with the result.
    """

    remote_kind: ClassVar[str] = "mpc_step"

    def __init__(self, first: bool, bits: Words, products: Words | None = None) -> None:
        self.first, self.bits, self.products = first, bits, products

    @property
    def blinding(self) -> Self:
        """This, which may be all that a comparison keeps."""
        return self

    def shares(self, result: torch.Tensor) -> torch.Tensor:
        """Ring shares of the results, from the opened blinded ones."""
        flips = _flips(result)
        out = self.bits.view(np.int64) ^ flips  # -1 - m where the result is 1, else m
        out -= 2 * flips if self.first else flips
        return as_tensor(out, result.shape)

    def gated(self, share: torch.Tensor, public: torch.Tensor, result: torch.Tensor) -> torch.Tensor:
        """Ring shares of what was compared where the result is 1, else of 0; once.

        Args:
            share: of what was compared.
            public: the same under its mask.
            result: the opened blinded results.
        """
        if self.products is None:
            raise ProtocolStepError("this comparison has no material left for a product with what it compared")
        flips = _flips(result)
        out = _flat(public) * self.bits.view(np.int64)
        out -= self.products.view(np.int64)
        out ^= flips
        out -= flips
        flips &= _flat(share)
        out += flips
        self.products = None
        return as_tensor(out, result.shape)

    def release(self) -> None:
        """Let go of the strip that the bits are a part of."""
        self.bits = self.bits.copy()


# Below in numpy, which adds integers twice as fast as torch, and without branches: the results are random bits.


def _flips(result: torch.Tensor) -> Words:
    """-1 where the result is 1, else 0: ``(v ^ flip) - flip`` is the negative where it is 1."""
    flips = _flat(result).astype(np.int64)
    return np.negative(flips, out=flips)


def _flat(values: torch.Tensor) -> Words:
    return values.reshape(-1).numpy()


def _blinding_of(step: Any, result: torch.Tensor) -> Blinding:
    found = getattr(step, "blinding", None)
    if not isinstance(found, Blinding):
        raise ProtocolStepError(f"results come from a comparison, not from a {type(step).__name__}")
    if result.dtype is not torch.bool or result.numel() != found.bits.size:
        raise ProtocolStepError(f"this comparison has {found.bits.size} results, and a boolean for each")
    return found


@kernel("mpc.bits")
def bits(service: MpcService, step: Any, result: torch.Tensor) -> torch.Tensor:
    """A share of the results of a comparison, from the opened blinded ones.

    Args:
        service: of this worker.
        step: what the comparison has kept.
        result: bool, in the shape of what was compared.
    """
    return _blinding_of(step, result).shares(result)


@kernel("mpc.gate")
def gate(
    service: MpcService, step: Any, share: torch.Tensor, public: torch.Tensor, result: torch.Tensor, keep: bool
) -> torch.Tensor:
    """A share of what was compared, where the result of the comparison is 1, else of 0.

    Args:
        service: of this worker.
        step: what the comparison has kept.
        share: int64, of what was compared.
        public: int64, the same under its mask.
        result: bool, the opened blinded results in the same shape.
        keep: whether the bits are asked for later.
    """
    if not share.shape == public.shape == result.shape:
        raise ProtocolStepError(f"the parts of a gate have one shape, here {tuple(share.shape)}")
    out = _blinding_of(step, result).gated(share, public, result)
    if keep:
        step.release()
    return out


@dataclass(frozen=True, slots=True)
class Outcome:
    """The end of a comparison, as the client sees it.

    Attributes:
        x: what was compared.
        result: bool, the opened blinded results in the shape of x.
        steps: what the holders have kept.
        masks: the blinding bits at the provider.
    """

    x: AdditiveSharingTensor
    result: torch.Tensor
    steps: Sequence[ObjectPointer]
    masks: ObjectPointer

    def negated(self) -> Outcome:
        """The opposite answer, which costs nothing."""
        return replace(self, result=~self.result)

    def bits(self) -> AdditiveSharingTensor:
        """Shares of the results, which have a masked form."""
        x, group = self.x, self.x.group
        out = x.like(group.post("mpc.bits", [(step.ref, self.result) for step in self.steps]), x.shape)
        values = self.result.to(torch.int64)
        out.wire = Wire(group, Public(values), (Public(1 - 2 * values),), self.masks)
        return out

    def gated(self, *, keep: bool) -> AdditiveSharingTensor:
        """What was compared where the result is 1, else 0. The comparison was made for it.

        Args:
            keep: whether `bits` are asked for later.
        """
        x, group = self.x, self.x.group
        public = x.plain_wire(group).public
        operands = [
            (step.ref, x.shares[holder.id].ref, public.at(holder), self.result, keep)
            for holder, step in zip(group.holders, self.steps, strict=True)
        ]
        return x.like(group.post("mpc.gate", operands), x.shape)
