"""What the crypto provider does at each step. It sees shapes, never a value, a share or an opening."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from syft.core.messages import Shown
from syft.core.ops import Step, kernel
from syft.core.random import SYSTEM_RANDOM
from syft.mpc.carry_tree import U64, as_words, choose, layout_of, padded
from syft.mpc.kernels import as_tensor
from syft.mpc.material import Words, ring_elements
from syft.mpc.service import MpcService
from syft.tensors.bilinear import product, product_shape
from syft.tensors.moves import move

TOP = U64(1 << 63)


@kernel("mpc.deal_mask")
def deal_mask(service: MpcService, group: str, number: int, shape: torch.Size) -> Step:
    """Keep the mask that the holders' strips of this number add up to."""
    total = service.dealer(group).mask(number, torch.Size(shape).numel())
    return Step(Shown(()), (as_tensor(total, shape),))


@kernel("mpc.deal_product")
def deal_product(
    service: MpcService,
    group: str,
    number: int,
    kind: str,
    spec: tuple[Any, ...],
    x: tuple[torch.Tensor, ...],
    y: tuple[torch.Tensor, ...],
) -> Shown:
    """Share the products of the masks of two values.

    Args:
        service: of this worker.
        group: the holders and their provider.
        number: of the strip.
        kind: which product.
        spec: of the product.
        x: the masks of the first value.
        y: the masks of the second one.

    Returns:
        The correction for the last holder.
    """
    layout = ring_elements(product_shape(kind, spec, x[0].shape, y[0].shape).numel(), len(x) * len(y))
    service.check(layout.nbytes)
    products = [product(kind, spec, m, n) for m in x for n in y]
    words = [p.reshape(-1).numpy().view(U64) for p in products]
    return _shown(service.dealer(group).deal(number, layout, lambda _: words))


@kernel("mpc.deal_truncate")
def deal_truncate(service: MpcService, group: str, number: int, masks: tuple[torch.Tensor], divisor: int) -> Step:
    """Share what a quotient needs of a mask r: the quotient of its low 63 bits, and its top bit as often as 2^63 holds
    the divisor. They are kept as the masks of the quotient."""
    (mask,) = masks
    r = mask.reshape(-1).numpy().view(U64)
    low, top = r & ~TOP, r >> U64(63)
    quotient = divided(low, divisor)
    wrap = top * U64((1 << 63) // divisor)
    layout = ring_elements(r.size, 2)
    correction = service.dealer(group).deal(number, layout, lambda _: (quotient, wrap))
    return Step(Shown((torch.from_numpy(correction),)), (as_tensor(quotient, mask.shape), as_tensor(wrap, mask.shape)))


@kernel("mpc.deal_compare")
def deal_compare(
    service: MpcService, group: str, number: int, masks: tuple[torch.Tensor], kind: str, width: int
) -> Step:
    """Share what a comparison needs of a mask; the blinding bits are kept as the masks of its result."""
    (mask,) = masks
    count = padded(mask.numel())
    blind = SYSTEM_RANDOM.bytes(count) & np.uint8(1)
    words = as_words(mask, width)
    layout = layout_of(count, width, kind)
    correction = service.dealer(group).deal(number, layout, lambda factors: choose(words, blind, width, kind, factors))
    kept = torch.from_numpy(blind[: mask.numel()].astype(np.int64)).reshape(mask.shape)
    return Step(Shown((torch.from_numpy(correction),)), (kept,))


@kernel("mpc.deal_arranged")
def deal_arranged(service: MpcService, group: str, masks: tuple[torch.Tensor, ...], name: str, args: Any) -> Step:
    """Keep masks whose elements are moved as those of the value are."""
    return Step(Shown(()), tuple([move(name, mask, *args) for mask in masks]))


@kernel("mpc.deal_zeros")
def deal_zeros(service: MpcService, group: str, number: int, shape: Any) -> Shown:
    """Share zeros."""
    count = torch.Size(shape).numel()
    words = np.zeros(count, U64)
    return _shown(service.dealer(group).deal(number, ring_elements(count, 1), lambda _: (words,)))


def divided(words: Words, divisor: int) -> Words:
    """Quotients of unsigned words, rounded down."""
    if divisor & (divisor - 1) == 0:
        return words >> U64(divisor.bit_length() - 1)
    return words // U64(divisor)


def _shown(correction: Words) -> Shown:
    return Shown((torch.from_numpy(correction),))
