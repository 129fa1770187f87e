"""The protocol ``"tree"``: comparisons by `syft.mpc.carry_tree`, among any number of holders.

Cheap to compute, with little to send, in five rounds for 32 bits and six for 64, besides the opening of the operand.
"""

from __future__ import annotations

import numpy as np
import torch

from syft.core.messages import Shown
from syft.core.ops import Step, kernel
from syft.core.random import SYSTEM_RANDOM
from syft.mpc.carry_tree import U64, CarryTree, arranged, as_words, choose, layout_of, low_bits, padded, unpacked
from syft.mpc.comparison import ORDER, shared_bits
from syft.mpc.group import shown_by
from syft.mpc.masks import Masks, tensors_of
from syft.mpc.service import MpcService
from syft.mpc.shared import AdditiveSharingTensor


def compared(x: AdditiveSharingTensor, kind: str) -> AdditiveSharingTensor:
    """Shares of 1 where the answer is yes, else of 0.

    Args:
        x: shared.
        kind: `ORDER` or `EQUAL`.
    """
    group, width = x.group, x.width
    wire = x.plain_wire(group)
    number, answer, masks = group.deal("mpc.deal_compare", wire.masks, kind, width)
    masked = as_words(wire.public.tensor.contiguous(), width)
    leaves = torch.from_numpy(
        arranged(~low_bits(masked, width, kind), width).view(np.int64 if width == 64 else np.int32)
    )
    operands = [(group.name, number, kind, width, leaves, c) for c in group.for_last(shown_by(answer))]
    answers, trees = group.start("mpc.compare", operands)
    for _ in range(width.bit_length() - 2):
        shown = group.opened(answers, additive=False)
        answers = group.ask("mpc.compare_next", [(tree.ref, shown) for tree in trees])
    blinded = unpacked(group.opened(answers, additive=False).numpy())
    if kind == ORDER:
        blinded ^= (masked >> masked.dtype.type(width - 1)).astype(np.uint8)
    return shared_bits(x, blinded[: x.shape.numel()], trees, masks)


@kernel("mpc.compare")
def compare(
    service: MpcService,
    group: str,
    number: int,
    kind: str,
    width: int,
    public: torch.Tensor,
    correction: torch.Tensor | None,
) -> Step:
    """Begin a comparison; what is kept goes on with `compare_next`.

    Args:
        service: of this worker.
        group: the holders and their provider.
        number: of the strip.
        kind: order or equality.
        width: 32 or 64 bits.
        public: the arranged complement of the masked value, int64 or int32.
        correction: for the last holder.

    Returns:
        What this holder shows at the first level.
    """
    party = service.party(group)
    words = public.numpy().view(U64 if width == 64 else np.uint32)
    tree = CarryTree(
        party.first, words, party.material(number, layout_of(words.size, width, kind), correction), width, kind
    )
    return Step(Shown((torch.from_numpy(tree.masked()),)), tree)


@kernel("mpc.compare_next")
def compare_next(service: MpcService, tree: CarryTree, shown: torch.Tensor) -> Shown:
    """Go up a level with what all holders have shown together."""
    tree.opened(shown.numpy())
    return Shown((torch.from_numpy(tree.masked()),))


@kernel("mpc.deal_compare")
def deal_compare(service: MpcService, group: str, number: int, masks: Masks, kind: str, width: int) -> Step:
    """Share what a comparison needs of a mask; the blinding bits are kept as the masks of its result."""
    (mask,) = tensors_of(masks, group)
    count = padded(mask.numel())
    blind = SYSTEM_RANDOM.bytes(count) & np.uint8(1)
    words = as_words(mask, width)
    layout = layout_of(count, width, kind)
    correction = service.dealer(group).deal(number, layout, lambda factors: choose(words, blind, width, kind, factors))
    kept = torch.from_numpy(blind[: mask.numel()].astype(np.int64)).reshape(mask.shape)
    return Step(Shown((torch.from_numpy(correction),)), Masks(group, (kept,)))
