"""What a holder does at each step, one kernel a step: pure functions of its shares, its strips and what was opened.

A share of a value is a tensor of int64; the shares of all holders add up to it in Z/2^64. Public values are added by
the first holder only.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from syft.core.messages import Shown
from syft.core.ops import kernel
from syft.encoded.bilinear import largest, product, product_shape
from syft.encoded.moves import move, moved_shape
from syft.exceptions import ProtocolStepError
from syft.mpc.material import Words, ring_elements
from syft.mpc.service import MpcService

Coefficients = tuple[torch.Tensor | None, ...]
_MOST_MASKS = 2  # those of a quotient


def as_tensor(words: Words, shape: Any) -> torch.Tensor:
    """Ring elements as a tensor of int64 that shares their memory."""
    return torch.from_numpy(words.view(np.int64)).reshape(shape)


def as_words(values: torch.Tensor) -> Words:
    """A tensor of int64 as ring elements: uint64 in one dimension, in the same memory where that has no gaps."""
    return values.reshape(-1).numpy().view(np.uint64)


@kernel("mpc.mask")
def mask(service: MpcService, group: str, number: int, share: torch.Tensor) -> Shown:
    """Show a share under this holder's share of a mask."""
    if share.dtype is not torch.int64:
        raise ProtocolStepError(f"shares are tensors of int64; {share.dtype} would show under a mask")
    (words,) = service.party(group).material(number, ring_elements(share.numel(), 1, correlated=False), None)
    masked = words.view(np.int64).reshape(share.shape)  # the strip's own memory: fresh memory costs as much as the sum
    masked += share.numpy()
    return Shown((torch.from_numpy(masked),))


@kernel("mpc.product")
def multiply(
    service: MpcService,
    group: str,
    number: int,
    kind: str,
    spec: tuple[Any, ...],
    x: tuple[torch.Tensor, torch.Tensor, Coefficients],
    y: tuple[torch.Tensor, torch.Tensor, Coefficients],
    correction: torch.Tensor | None,
) -> torch.Tensor:
    """A share of the product of two values that are known up to masks.

    With ``x = P + sum(C M)`` and ``y = Q + sum(D N)`` for public P, Q, C, D and shared masks M, N, whose products the
    provider has shared, ``x y = P y + (x - P) Q + sum(C D M N)`` (Beaver, CRYPTO 1991; with masked wires as in
    Ben-Efraim, Nielsen and Omri, "Turbospeedz", ACNS 2019).

    Args:
        service: of this worker.
        group: the holders and their provider.
        number: of the strip.
        kind: which product.
        spec: of the product.
        x: this holder's share, the public P, and the C; None stands for -1.
        y: likewise.
        correction: for the last holder.

    Returns:
        int64, a share of the product.
    """
    party = service.party(group)
    (x_share, x_public, x_coefficients), (y_share, y_public, y_coefficients) = x, y
    if max(len(x_coefficients), len(y_coefficients)) > _MOST_MASKS:
        raise ProtocolStepError(f"a value is hidden by {_MOST_MASKS} masks at most")
    _same_shape(x_share, x_public, *x_coefficients)
    _same_shape(y_share, y_public, *y_coefficients)
    pairs = [(c, d) for c in x_coefficients for d in y_coefficients]
    service.check(8 * largest(kind, spec, x_share.shape, y_share.shape))
    layout = ring_elements(product_shape(kind, spec, x_share.shape, y_share.shape).numel(), len(pairs))
    material = party.material(number, layout, correction)
    hidden = _difference(x_share, x_public) if party.first else x_share
    out = product(kind, spec, x_public, y_share)
    total = out.numpy()
    total += product(kind, spec, hidden, y_public).numpy()
    for (c, d), words in zip(pairs, material, strict=True):
        total += _scaled(_scaled(words.view(np.int64).reshape(total.shape), c), d)
    return out


def _same_shape(first: torch.Tensor, *others: torch.Tensor | None) -> None:
    # Sizes are looked at for the first; others would be broadcast beyond them.
    if any(other is not None and other.shape != first.shape for other in others):
        raise ProtocolStepError(f"all parts of a masked value have one shape, here {tuple(first.shape)}")


def _difference(x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    """x - y for tensors of int64 of one shape."""
    return torch.from_numpy(np.subtract(x.numpy(), y.numpy(), out=np.empty(x.shape, np.int64)))


def _scaled(term: Words, coefficient: torch.Tensor | None) -> Words:
    # In place: it is the memory of a strip that nothing else needs.
    return np.multiply(term, -1 if coefficient is None else coefficient.numpy(), out=term)


@kernel("mpc.linear")
def linear(service: MpcService, kind: str, spec: tuple[Any, ...], x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    """The product of a share and a public tensor, in either order."""
    service.check(8 * largest(kind, spec, x.shape, y.shape))
    return product(kind, spec, x, y)


@kernel("mpc.move")
def rearrange(service: MpcService, name: str, share: torch.Tensor, args: tuple[Any, ...]) -> torch.Tensor:
    """An op that moves elements of a share, or adds them up."""
    service.check(8 * moved_shape(name, share.shape, args).numel())
    return move(name, share, *args)


@kernel("mpc.zeros")
def zeros(service: MpcService, group: str, number: int, shape: Any, correction: torch.Tensor | None) -> torch.Tensor:
    """A fresh share of zeros."""
    size = torch.Size(shape)
    (words,) = service.party(group).material(number, ring_elements(size.numel(), 1), correction)
    return as_tensor(words, size)


@kernel("mpc.truncate")
def truncate(
    service: MpcService,
    group: str,
    number: int,
    public: torch.Tensor,
    signs: torch.Tensor,
    correction: torch.Tensor | None,
) -> torch.Tensor:
    """A share of a quotient ``public - A + signs * B``, A and B being what the provider made of the mask."""
    _same_shape(public, signs)
    party = service.party(group)
    a, b = party.material(number, ring_elements(public.numel(), 2), correction)
    out = b.view(np.int64).reshape(public.shape) * signs.numpy()
    out -= a.view(np.int64).reshape(public.shape)
    if party.first:
        out += public.numpy()
    return torch.from_numpy(np.asarray(out))
