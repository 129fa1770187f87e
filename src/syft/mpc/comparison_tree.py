"""The protocol ``"tree"``: comparisons by `syft.mpc.carry_tree`, among any number of holders.

Cheap to compute, with little to send, in five rounds for 32 bits and six for 64, besides the opening of the operand.
"""

from __future__ import annotations

import numpy as np
import torch

from syft.core.messages import Shown
from syft.core.ops import Step, kernel
from syft.core.random import SYSTEM_RANDOM
from syft.exceptions import ProtocolStepError
from syft.mpc.bit_planes import columns, dtype_of, joined, sliced
from syft.mpc.carry_tree import CarryTree, choose, layout_of, low_bits
from syft.mpc.comparison import ORDER, Outcome
from syft.mpc.group import shown_by
from syft.mpc.kernels import as_tensor, as_words
from syft.mpc.masks import Masks, tensors_of
from syft.mpc.material import Words
from syft.mpc.service import MpcService
from syft.mpc.shared import AdditiveSharingTensor

_SIGNED = {4: np.int32, 8: np.int64}


def compared(x: AdditiveSharingTensor, kind: str, *, gate: bool) -> Outcome:
    """Compare with zero.

    Args:
        x: shared.
        kind: `ORDER` or `EQUAL`.
        gate: whether x will be multiplied with the result.
    """
    group, width, count = x.group, x.width, x.shape.numel()
    wire = x.plain_wire(group)
    number, answer, masks = group.deal("mpc.deal_compare", wire.masks, kind, width, gate)
    planes = sliced(as_words(wire.public.tensor), width)
    np.bitwise_not(planes, out=planes)
    top = ~planes[-1]
    leaves = _shown(low_bits(planes, kind, 1))
    operands = [(group.name, number, kind, count, gate, leaves, c) for c in group.for_last(shown_by(answer))]
    answers, trees = group.start("mpc.compare", operands)
    for _ in range(width.bit_length() - 2):
        shown = group.opened(answers, additive=False)
        answers = group.ask("mpc.compare_next", [(tree.ref, shown) for tree in trees])
    blinded = _planes(group.opened(answers, additive=False))
    if kind == ORDER:
        blinded ^= top
    return Outcome(x, torch.from_numpy(joined(blinded, count)).reshape(x.shape), trees, masks)


@kernel("mpc.compare")
def compare(
    service: MpcService,
    group: str,
    number: int,
    kind: str,
    count: int,
    gate: bool,
    public: torch.Tensor,
    correction: torch.Tensor | None,
) -> Step:
    """Begin a comparison; what is kept goes on with `compare_next`.

    Args:
        service: of this worker.
        group: the holders and their provider.
        number: of the strip.
        kind: order or equality.
        count: elements.
        gate: whether the compared value will be multiplied with the result.
        public: planes of the complement of the masked value, int64 or int32 of shape ``(bits, columns)``.
        correction: for the last holder.

    Returns:
        What this holder shows at the first level.
    """
    party, planes = service.party(group), _planes(public)
    width = 8 * planes.itemsize
    if planes.shape != (width, columns(count, width)):
        raise ProtocolStepError(f"planes of {width} bits of {count} elements do not have the shape {planes.shape}")
    tree = CarryTree(party.first, planes, party.material(number, layout_of(count, width, kind, gate), correction), kind)
    return Step(Shown((_shown(tree.masked()),)), tree)


@kernel("mpc.compare_next")
def compare_next(service: MpcService, tree: CarryTree, shown: torch.Tensor) -> Shown:
    """Go up a level with what all holders have shown together."""
    tree.opened(_planes(shown))
    return Shown((_shown(tree.masked()),))


@kernel("mpc.deal_compare")
def deal_compare(service: MpcService, group: str, number: int, masks: Masks, kind: str, width: int, gate: bool) -> Step:
    """Share what a comparison needs of a mask; the blinding bits are kept as the masks of its result.

    Args:
        service: of this worker.
        group: the holders and their provider.
        number: of the strip.
        masks: the mask.
        kind: order or equality.
        width: 32 or 64 bits.
        gate: whether the compared value will be multiplied with the result.
    """
    (mask,) = tensors_of(masks, group)
    words, dtype = as_words(mask), dtype_of(width)
    blind = SYSTEM_RANDOM.bytes(width // 8 * columns(words.size, width)).view(dtype)
    bits = joined(blind, words.size).astype(np.uint64)
    ring = (bits, bits * words) if gate else (bits,)
    layout = layout_of(words.size, width, kind, gate)
    correction = service.dealer(group).deal(
        number, layout, lambda factors: choose(sliced(words, width), blind, ring, kind, factors)
    )
    return Step(Shown((torch.from_numpy(correction),)), Masks(group, (as_tensor(bits, mask.shape),)))


def _shown(planes: Words) -> torch.Tensor:
    return torch.from_numpy(planes.view(_SIGNED[planes.itemsize]))


def _planes(shown: torch.Tensor) -> Words:
    return shown.numpy().view(dtype_of(8 * shown.element_size()))
