"""The protocol ``"fss"``: comparisons by function secret sharing, between two holders.

A secret x is opened as ``y = x + r``. The sign of x is ``y's top bit ^ r's top bit ^ [y's low bits < r's low bits]``,
and ``x == 0`` is ``y == r``. The provider knows r and makes a key for the comparison with it, see `syft.mpc.fss`; the
holders evaluate it at y by themselves and open a bit of each element: one round besides the opening of y, against five
or six of the tree. It is dear in all else: for an element of 64 bits, the provider computes 226 blocks of AES and each
holder 57, and 912 bytes of correction words reach each holder. It pays where rounds are slow and elements are few.

This is the sign of Boyle et al., "Function Secret Sharing for Mixed-Mode and Fixed-Point Secure Computation"
(EUROCRYPT 2021, section 4), with a masked bit as its output.

The roots of the keys come from the holders' strips. The correction words travel through the client as they are. A
holder's key is its root and these words, and one key says nothing about r; so they say nothing to the client, nor to
the client and one holder together. Only both roots would, and these never travel.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import NamedTuple

import numpy as np
import torch

from syft.core.messages import Shown
from syft.core.ops import Step, kernel
from syft.core.random import SYSTEM_RANDOM
from syft.exceptions import ProtocolStepError
from syft.mpc import fss
from syft.mpc.comparison import EQUAL, ORDER, Blinding, Outcome
from syft.mpc.kernels import as_tensor, as_words
from syft.mpc.masks import Masks, tensors_of
from syft.mpc.material import Layout, Segment, Words
from syft.mpc.service import MpcService
from syft.mpc.shared import WIDTHS, AdditiveSharingTensor

U8, U64 = np.uint8, np.uint64


class _Function(NamedTuple):
    keys: Callable[[fss.Words, int, tuple[fss.Words, fss.Words]], fss.CorrectionWords]
    evaluate: Callable[[int, fss.Words, fss.CorrectionWords, fss.Words, int], fss.Bits]


_FUNCTIONS = {
    ORDER: _Function(fss.comparison_keys, fss.evaluate_comparison),
    EQUAL: _Function(fss.equality_keys, fss.evaluate_equality),
}


def compared(x: AdditiveSharingTensor, kind: str, *, gate: bool) -> Outcome:
    """Compare with zero.

    Args:
        x: shared between two holders.
        kind: `ORDER` or `EQUAL`.
        gate: whether x will be multiplied with the result.
    """
    group, width = x.group, x.width
    wire = x.plain_wire(group)
    number, answer, masks = group.deal("mpc.deal_compare_fss", wire.masks, kind, width, gate)
    correction, *words = answer().values
    operands = [
        (group.name, number, kind, width, gate, wire.public.at(h), tuple(words), c)
        for h, c in zip(group.holders, group.for_last(correction), strict=True)
    ]
    answers, steps = group.start("mpc.compare_fss", operands)
    blinded = np.unpackbits(group.opened(answers, additive=False).numpy(), count=x.shape.numel())
    if kind == ORDER:
        blinded ^= _top(as_words(wire.public.tensor), width)
    return Outcome(x, torch.from_numpy(blinded.view(np.bool_)).reshape(x.shape), steps, masks)


@kernel("mpc.compare_fss")
def compare(
    service: MpcService,
    group: str,
    number: int,
    kind: str,
    width: int,
    gate: bool,
    public: torch.Tensor,
    words: tuple[torch.Tensor, torch.Tensor],
    correction: torch.Tensor | None,
) -> Step:
    """Evaluate keys at a masked value; the shares of the blinding bits are kept.

    Args:
        service: of this worker.
        group: the holders and their provider.
        number: of the strip.
        kind: order or equality.
        width: 32 or 64 bits.
        gate: whether the compared value will be multiplied with the result.
        public: the masked value, int64.
        words: the correction words of the levels and of the leaves, int64.
        correction: for the last holder.

    Returns:
        This holder's share of the blinded results, a bit for each element.
    """
    party = service.party(group)
    y = as_words(public)
    root, *ring, rest = party.material(number, layout_of(y.size, gate), correction)
    levels, leaf = [part.numpy().view(U64) for part in words]
    key = fss.CorrectionWords(levels, leaf)
    share = _FUNCTIONS[kind].evaluate(
        0 if party.first else 1, root.reshape(-1, 2), key, _low(y, width, kind), _bits(width, kind)
    )
    return Step(Shown((torch.from_numpy(np.packbits(share) ^ rest),)), Blinding(party.first, *ring))


@kernel("mpc.deal_compare_fss")
def deal_compare(service: MpcService, group: str, number: int, masks: Masks, kind: str, width: int, gate: bool) -> Step:
    """Make keys for the comparison with a mask; the blinding bits are kept as the masks of its result.

    Args:
        service: of this worker.
        group: the holders and their provider.
        number: of the strip.
        masks: the mask.
        kind: order or equality.
        width: 32 or 64 bits.
        gate: whether the compared value will be multiplied with the result.

    Returns:
        The correction for the last holder, and for both the correction words of the levels and of the leaves.
    """
    (mask,) = tensors_of(masks, group)
    r, bits = as_words(mask), _bits(width, kind)
    service.check(fss.words_bytes(r.size, bits))
    dealer, layout = service.dealer(group), layout_of(r.size, gate)
    blind = SYSTEM_RANDOM.bytes(r.size) & U8(1)
    rest = blind if kind == EQUAL else blind ^ _top(r, width)
    blinding = blind.astype(U64)
    ring = (blinding, blinding * r) if gate else (blinding,)
    correction = dealer.deal(number, layout, lambda _: (*ring, np.packbits(rest)))
    # The roots are the first segment of each strip.
    first, second = [tape.strip(number, fss.ROOT_BYTES * r.size).view(U64).reshape(-1, 2) for tape in dealer.tapes]
    key = _FUNCTIONS[kind].keys(_low(r, width, kind), bits, (first, second))
    shown = (correction, key.levels.view(np.int64), key.leaf.view(np.int64))
    kept = as_tensor(blinding, mask.shape)
    return Step(Shown(tuple([torch.from_numpy(part) for part in shown])), Masks(group, (kept,)))


@lru_cache(maxsize=1024)
def layout_of(count: int, gate: bool = False) -> Layout:
    """The strip of one comparison.

    Args:
        count: elements.
        gate: whether the compared value will be multiplied with the result.
    """
    return Layout(
        [Segment(U64, 2 * count)],  # the roots
        [
            # The bit that blinds the result, as a ring element, and its product with the mask.
            *[Segment(U64, count, additive=True)] * (2 if gate else 1),
            Segment(U8, -(-count // 8)),  # the same bit, with the top bit of the mask
        ],
    )


def _top(words: Words, width: int) -> Words:
    return (words >> U64(width - 1)).astype(U8) & U8(1)


def _bits(width: int, kind: str) -> int:
    if width not in WIDTHS:
        raise ProtocolStepError(f"comparisons look at {' or '.join(map(str, WIDTHS))} bits, not at {width!r}")
    return width if kind == EQUAL else width - 1


def _low(words: Words, width: int, kind: str) -> Words:
    return words & U64((1 << _bits(width, kind)) - 1)
