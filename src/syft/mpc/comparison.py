"""What all protocols that compare have in common: the question, and the form of the answer.

Each ends with an opening of ``d = b ^ m``: the bit b that was asked for under a bit m that the provider chose, and of
which the holders have shares in the ring. As ``b = d + (1 - 2 d) m``, shares of b cost nothing then, and b is known up
to a mask: products with it open nothing of it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np
import torch

from syft.core.ops import kernel
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
        words: ring elements, at least one for each result.
    """

    remote_kind: ClassVar[str] = "mpc_step"

    def __init__(self, first: bool, words: Words) -> None:
        self.first, self.words = first, words

    def shares(self, result: Words) -> Words:
        """Ring shares of the results, from the opened blinded ones, a uint8 of 0 or 1 for each element."""
        out = self.words[: result.size].view(np.int64) * (1 - 2 * result.astype(np.int64))
        return out + result if self.first else out


@kernel("mpc.bits")
def bits(service: MpcService, step: Any, result: torch.Tensor) -> torch.Tensor:
    """A share of the results of a comparison, from the opened blinded ones.

    Args:
        service: of this worker.
        step: what the comparison has kept; its ``shares`` are those of `Blinding`.
        result: uint8 of 0 or 1, in the shape of what was compared.
    """
    return torch.from_numpy(step.shares(result.reshape(-1).numpy())).reshape(result.shape)


def shared_bits(
    x: AdditiveSharingTensor, blinded: Words, steps: Sequence[ObjectPointer], masks: ObjectPointer
) -> AdditiveSharingTensor:
    """The end of a comparison: shares of the results, which have a masked form.

    Args:
        x: what was compared.
        blinded: the opened results, a uint8 of 0 or 1 for each element of x.
        steps: what the holders have kept.
        masks: the blinding bits at the provider.
    """
    group = x.group
    result = torch.from_numpy(blinded).reshape(x.shape)
    out = x.like(group.post("mpc.bits", [(step.ref, result) for step in steps]), x.shape)
    values = result.to(torch.int64)
    out.wire = Wire(group, Public(values), (Public(1 - 2 * values),), masks)
    return out
