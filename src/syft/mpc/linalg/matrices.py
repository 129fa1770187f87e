"""Inverses and orthogonal factors of matrices that are here, at a worker or shared: the same lines for all of them."""

from __future__ import annotations

import math
from typing import Any

import torch

from syft.encoded.normalising import rescaled, times
from syft.encoded.number import Number, settled
from syft.encoded.ring import ring_of
from syft.encoded.tensor import EncodedTensor, number_of, tensor_of
from syft.exceptions import UsageError
from syft.mpc.linalg.normal_equations import ROOT_OF, roots
from syft.mpc.sharing import is_shared
from syft.tensors.base import is_wrapper

MODES = ("reduced", "complete", "r")
_HEADROOM = 16  # norms are below 4 times what is said of them
_LARGEST_DIVISOR = 1 << 31


def inv_sym(t: torch.Tensor) -> torch.Tensor:
    """The inverse of a symmetric matrix, without square roots.

    Gauss and Jordan's elimination in place, one pivot after the other, which keeps the matrix symmetric (the sweep
    operator: Goodnight, "A tutorial on the SWEEP operator", The American Statistician 1979). It is what LDL^T does,
    with one reciprocal and one round of products a pivot. Pivots are taken in order, so no leading block may be
    singular: positive matrices have none.

    Args:
        t: of shape (n, n): a tensor, a wrapped pointer, or numbers in fixed precision, shared or not. Of these, pivots
            and their reciprocals must be in the range of `syft.encoded.functions.reciprocal`.

    Returns:
        Of the same kind and shape.

    Raises:
        UsageError: no square matrix.

    Example:
        >>> inv_sym(torch.tensor([[2.0, 1.0], [1.0, 1.0]]))
        tensor([[ 1., -1.],
                [-1.,  2.]])
    """
    if not isinstance(t, torch.Tensor) or t.dim() != 2 or t.shape[0] != t.shape[1]:
        raise UsageError(f"only square matrices have inverses, not {_described(t)}")
    swept = t
    for i in range(t.shape[0]):
        row = swept[i : i + 1]
        inverse = 1 / swept[i : i + 1, i : i + 1]
        scaled = row * inverse
        rest = swept - scaled.t() @ row
        turned = torch.cat([scaled[:, :i], -inverse, scaled[:, i + 1 :]], 1)
        above = torch.cat([rest[:i, :i], scaled[:, :i].t(), rest[:i, i + 1 :]], 1)
        below = torch.cat([rest[i + 1 :, :i], scaled[:, i + 1 :].t(), rest[i + 1 :, i + 1 :]], 1)
        swept = torch.cat([above, turned, below], 0)
    if not isinstance(t, EncodedTensor):
        return -swept
    # One step of Newton's iteration takes back most of what reciprocals with a few digits have cost.
    return (swept @ (t @ swept)) * -1 - swept * 2


def inv_upper(R: torch.Tensor) -> torch.Tensor:
    """The inverse of an upper triangular matrix, by back substitution.

    Args:
        R: of shape (n, n): a tensor, a wrapped pointer, or numbers in fixed precision, shared or not.

    Returns:
        Of the same kind and shape.

    Raises:
        UsageError: no square matrix.

    Example:
        >>> inv_upper(torch.tensor([[1.0, 2.0], [0.0, 4.0]]))
        tensor([[ 1.0000, -0.5000],
                [ 0.0000,  0.2500]])
    """
    if not isinstance(R, torch.Tensor) or R.dim() != 2 or R.shape[0] != R.shape[1]:
        raise UsageError(f"only square matrices have inverses, not {_described(R)}")
    size = R.shape[0]
    units, reciprocals = _unit_like(R, size), 1 / torch.diagonal(R)
    rows = units[size - 1 :] * reciprocals[size - 1 :]
    for i in reversed(range(size - 1)):
        row = (units[i : i + 1] - R[i : i + 1, i + 1 :] @ rows) * reciprocals[i : i + 1]
        rows = torch.cat([row, rows], 0)
    return rows


def qr(t: torch.Tensor, mode: str = "reduced", norm_factor: float | None = None) -> Any:
    """A matrix as the product of an orthogonal and an upper triangular one, by Householder's reflections.

    Args:
        t: of shape (n, m): a tensor, a wrapped pointer, or shared numbers in fixed precision.
        mode: as of ``numpy.linalg.qr``: ``"reduced"``, ``"complete"`` or ``"r"``.
        norm_factor: for shared numbers, about how large the norm of a column is; no column may have more than 4 times
            that.

    Returns:
        ``(Q, R)``, or R, of the same kind.

    Raises:
        UsageError: no matrix, an unknown mode, or shared numbers without ``norm_factor``.

    Example:
        >>> qr(torch.tensor([[3.0], [4.0]]), mode="r").round()
        tensor([[-5.]])
    """
    if mode not in MODES:
        raise UsageError(f"mode should have one of the values in the list:{list(MODES)}")
    if not isinstance(t, torch.Tensor) or t.dim() != 2:
        raise UsageError(f"only matrices have QR factors, not {_described(t)}")
    if isinstance(t, EncodedTensor) and is_shared(t) and norm_factor is None:
        raise UsageError(
            "the norms of shared columns are computed by way of their squares, which must fit into the ring: pass "
            "norm_factor, about how large they are, such as the square root of the number of rows of standardised data"
        )
    rows, least = t.shape[0], min(t.shape)
    R, Q = t, None if mode == "r" else _unit_like(t, t.shape[0])
    for i in range(min(rows - 1, t.shape[1])):
        v = _reflector(R[i:, i], norm_factor)
        v = torch.cat([R[:i, i] * 0, v]).unsqueeze(1)
        scaled = v * (2 / (v * v).sum())
        R = R - v @ (scaled.t() @ R)
        Q = None if Q is None else Q - (Q @ v) @ scaled.t()
    R = torch.triu(R if mode == "complete" else R[:least])
    if Q is None:
        return R
    return (Q if mode == "complete" else Q[:, :least]), R


def _reflector(x: torch.Tensor, norm_factor: float | None) -> torch.Tensor:
    """What to reflect at, so that a vector becomes a multiple of the first unit vector."""
    if isinstance(x, EncodedTensor):
        inverse = _roots_of_square(x, norm_factor or 1.0)[1]
    else:
        norm = (x * x).sum().sqrt()
        inverse = 1 / (norm + (norm == 0))
    first = x[:1]
    sign = 1 - 2 * (first < 0)
    return torch.cat([first * inverse + sign, x[1:] * inverse])


def _norm_mpc(t: torch.Tensor, norm_factor: float) -> torch.Tensor:
    """The norm of a vector of shared numbers; nothing is opened.

    Args:
        t: of shape (n,), in fixed precision.
        norm_factor: about how large the norm is: it is less than 4 times that, and more than a 2000th.

    Returns:
        A tensor without dimensions, shared in the same way.
    """
    return _roots_of_square(t, norm_factor)[0]


def _roots_of_square(t: torch.Tensor, norm_factor: float) -> tuple[torch.Tensor, torch.Tensor]:
    """The norm of a vector and its reciprocal."""
    number = settled(number_of(t))
    if number.encoding is None:
        raise UsageError(
            "integers have no norm in integers; encode numbers with fix_precision() before they are shared"
        )
    square = times(number, number).moved("sum", [0], True)
    # Exactly what is meant by 1 below, as only integers can be divided by.
    part, whole = _of_whole(square, _HEADROOM * norm_factor**2)
    root, inverse = roots(Number(part, ROOT_OF, None))
    found = (
        _encoded(rescaled(root, inverse.scale), math.sqrt(whole), 30, number),
        _encoded(inverse, 1 / math.sqrt(whole), 44, number),
    )
    norm, reciprocal = (tensor_of(one.moved("select", 0, 0)) for one in found)
    return norm, reciprocal


def _of_whole(square: Number, whole: float) -> tuple[Any, float]:
    """Integers that are a number's part of a whole, with scale `ROOT_OF`, and the whole that this is exact for."""
    ratio, ring = ROOT_OF / (square.scale * whole), ring_of(square.raw)
    if ratio >= 1:
        factor = math.floor(ratio)
        return ring.scale(square.raw, factor), ROOT_OF / (square.scale * factor)
    divisor = math.ceil(1 / ratio)
    return ring.divide(square.raw, divisor), ROOT_OF * divisor / square.scale


def _encoded(x: Number, factor: float, bits: int, like: Number) -> Number:
    """A multiple of a number whose integers have so many bits, in the encoding of another one."""
    divisor = x.scale / (like.unit * factor)
    shift = min(61 - bits, math.floor(math.log2(_LARGEST_DIVISOR / divisor)))
    ring = ring_of(x.raw)
    return like.with_raw(ring.divide(ring.scale(x.raw, 1 << shift), round(divisor * 2.0**shift)))


def _unit_like(t: torch.Tensor, size: int) -> torch.Tensor:
    """A unit matrix where a tensor is; public, where that is shared."""
    if isinstance(t, EncodedTensor):
        return torch.eye(size)
    unit = torch.eye(size, dtype=t.dtype)
    return unit.send(t.location) if is_wrapper(t) else unit  # type: ignore[attr-defined]


def _described(t: Any) -> str:
    return f"a tensor of shape {tuple(t.shape)}" if isinstance(t, torch.Tensor) else type(t).__name__
