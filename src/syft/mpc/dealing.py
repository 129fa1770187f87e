"""What the crypto provider does at each step. It sees shapes, never a value, a share or an opening."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from syft.core.messages import Shown
from syft.core.ops import Step, kernel
from syft.encoded.bilinear import largest, product, product_shape
from syft.encoded.moves import move, moved_shape
from syft.mpc.kernels import as_tensor, as_words
from syft.mpc.masks import Masks, tensors_of
from syft.mpc.material import Words, ring_elements
from syft.mpc.service import MpcService

U64 = np.uint64
TOP = U64(1 << 63)


@kernel("mpc.deal_mask")
def deal_mask(service: MpcService, group: str, number: int, shape: torch.Size) -> Step:
    """Keep the mask that the holders' strips of this number add up to."""
    total = service.dealer(group).mask(number, torch.Size(shape).numel())
    return Step(Shown(()), Masks(group, (as_tensor(total, shape),)))


@kernel("mpc.deal_product")
def deal_product(
    service: MpcService,
    group: str,
    number: int,
    kind: str,
    spec: tuple[Any, ...],
    x: Masks,
    y: Masks,
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
    left, right = tensors_of(x, group), tensors_of(y, group)
    layout = ring_elements(product_shape(kind, spec, left[0].shape, right[0].shape).numel(), len(left) * len(right))
    service.check(8 * largest(kind, spec, left[0].shape, right[0].shape))
    products = [product(kind, spec, m, n) for m in left for n in right]
    words = [as_words(p) for p in products]
    return _shown(service.dealer(group).deal(number, layout, lambda _: words))


@kernel("mpc.deal_truncate")
def deal_truncate(service: MpcService, group: str, number: int, masks: Masks, divisor: int) -> Step:
    """Share what a quotient needs of a mask r: the quotient of its low 63 bits, and its top bit as often as 2^63 holds
    the divisor. They are kept as the masks of the quotient."""
    (mask,) = tensors_of(masks, group)
    r = as_words(mask)
    low, top = r & ~TOP, r >> U64(63)
    quotient = divided(low, divisor)
    wrap = top * U64((1 << 63) // divisor)
    layout = ring_elements(r.size, 2)
    correction = service.dealer(group).deal(number, layout, lambda _: (quotient, wrap))
    kept = Masks(group, (as_tensor(quotient, mask.shape), as_tensor(wrap, mask.shape)))
    return Step(Shown((torch.from_numpy(correction),)), kept)


@kernel("mpc.deal_arranged")
def deal_arranged(service: MpcService, group: str, masks: Masks, name: str, args: Any) -> Step:
    """Keep masks whose elements are moved as those of the value are."""
    tensors = tensors_of(masks, group)
    service.check(8 * moved_shape(name, tensors[0].shape, args).numel())
    return Step(Shown(()), Masks(group, tuple([move(name, mask, *args) for mask in tensors])))


@kernel("mpc.deal_zeros")
def deal_zeros(service: MpcService, group: str, number: int, shape: Any) -> Shown:
    """Share zeros."""
    count = torch.Size(shape).numel()
    return _shown(service.dealer(group).deal(number, ring_elements(count, 1), lambda _: (np.zeros(count, U64),)))


def divided(words: Words, divisor: int) -> Words:
    """Quotients of unsigned words, rounded down."""
    if divisor & (divisor - 1) == 0:
        return words >> U64(divisor.bit_length() - 1)
    return words // U64(divisor)


def _shown(correction: Words) -> Shown:
    return Shown((torch.from_numpy(correction),))
