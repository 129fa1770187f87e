"""Polynomials of numbers, alone and in pieces: how functions of one variable are approximated.

Pieces are chosen by comparing with all their ends at once. The bits are linear in the result, so the coefficients of
each number's own piece cost one opening. Source: Fan, Chen, Wang, Zhuang, Zhang and Xu, "NFGen: Automatic Non-linear
Function Evaluation Code Generator for General-purpose MPC Platforms" (CCS 2022, section 4). Chebyshev's nodes are
used for the fit, which is within a small factor of the best polynomial (Trefethen, "Approximation Theory and
Approximation Practice", theorem 16.1).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import torch
from numpy.polynomial import Chebyshev, Polynomial

from syft.encoded import number as n
from syft.encoded.normalising import below_zero, fine, rescaled, times
from syft.encoded.number import Number, settled
from syft.encoded.ring import ring_of

Function = Callable[[Any], Any]
"""Of arrays of float64."""
Line = tuple[float, float]
"""a and b of a + b x."""
_COEFFICIENTS = 1 << 24
_PIECES = 1 << 21


@lru_cache(maxsize=256)
def fitted(function: Function, low: float, high: float, degree: int) -> tuple[float, ...]:
    """The coefficients of a polynomial that is near a function between two numbers, from the constant on."""
    fit = Chebyshev.interpolate(function, degree, domain=[low, high])
    return tuple(float(c) for c in fit.convert(kind=Polynomial).coef) + (0.0,) * (degree - fit.degree())


def powers(t: Number, degree: int) -> list[Number]:
    """t, t², …, stacked along a new first dimension, in blocks of 1, 1, 2, 4, …; a round for each block.

    Args:
        t: between -1 and 1, with the scale that the powers get.
        degree: the highest power.
    """
    blocks = [t.moved("unsqueeze", 0)]
    have = 1
    while have < degree:
        top = blocks[-1].moved("select", 0, blocks[-1].shape[0] - 1)
        missing = degree - have
        raws = []
        for block in blocks:
            block = block if block.shape[0] <= missing else block.moved("slice", 0, 0, missing)
            missing -= block.shape[0]
            raws.append(times(block, top).raw)
            if missing == 0:
                break
        count = sum(raw.shape[0] for raw in raws)
        joined = raws[0] if len(raws) == 1 else ring_of(*raws).join(raws, 0)
        blocks.append(rescaled(t.with_raw(joined, t.scale * t.scale), t.scale))
        have += count
    return blocks


def polynomial(t: Number, coefficients: Sequence[float]) -> Number:
    """The value of a polynomial with public coefficients, with 2^24 times the scale of the variable.

    Args:
        t: between -1 and 1, with the scale to compute with.
        coefficients: from the constant on.
    """
    parts, at = [], 1
    for block in powers(t, len(coefficients) - 1):
        row = [round(c * _COEFFICIENTS) for c in coefficients[at : at + block.shape[0]]]
        column = torch.tensor(row).reshape(-1, *[1] * len(t.shape))
        parts.append(times(block, t.with_raw(column, _COEFFICIENTS)).moved("sum", [0], False))
        at += block.shape[0]
    total = _summed(parts)
    constant = round(coefficients[0] * total.scale)
    return total.with_raw(ring_of(total.raw).add(total.raw, constant))


def _summed(parts: Sequence[Number]) -> Number:
    total = parts[0]
    for part in parts[1:]:
        total = total.with_raw(ring_of(total.raw, part.raw).add(total.raw, part.raw))
    return total


@dataclass(frozen=True, slots=True)
class Pieces:
    """A function in pieces of equal width: polynomials of t = (x - middle) / half, and lines beyond the first and last.

    Attributes:
        ends: the last numbers of the pieces and of the line before them.
        half: of the width; a power of two.
        middles: of the pieces; 0 for the lines.
        coefficients: of the pieces, from the constant on.
    """

    ends: tuple[float, ...]
    half: float
    middles: tuple[float, ...]
    coefficients: tuple[tuple[float, ...], ...]


@lru_cache(maxsize=256)
def pieces_of(function: Function, low: float, high: float, half: float, degree: int, left: Line, right: Line) -> Pieces:
    """Fit a function in pieces.

    Args:
        function: of arrays.
        low: where the pieces begin.
        high: where they end.
        half: half of their width.
        degree: of their polynomials.
        left: the line below them.
        right: the line above them.
    """
    ends = tuple(np.arange(low, high + half / 2, 2 * half).tolist())
    middles = tuple(end + half for end in ends[:-1])
    fits = [fitted(_shifted(function, middle, half), -1.0, 1.0, degree) for middle in middles]
    lines = [(a, b * half) + (0.0,) * (degree - 1) for a, b in (left, right)]
    return Pieces(ends, half, (0.0, *middles, 0.0), (lines[0], *fits, lines[1]))


def _shifted(function: Function, middle: float, half: float) -> Function:
    return lambda t: function(middle + half * t)


def piecewise(x: Number, pieces: Pieces) -> Number:
    """The value of a function in pieces, in 12 rounds for polynomials of degree 5 to 8.

    Args:
        x: numbers below 2^31 in absolute value, as integers of the encoding.
        pieces: the function.

    Returns:
        Settled numbers.
    """
    scale = fine(x.unit)
    up, down = float(pieces.half).as_integer_ratio()
    u = rescaled(x.with_raw(x.raw if down == 1 else ring_of(x.raw).scale(x.raw, down), x.scale * up), scale)
    precise = min(_PIECES, (1 << 30) * x.unit // scale)
    rows = [[round(m / pieces.half * scale) for m in pieces.middles]]
    rows += [[round(c * precise) for c in column] for column in zip(*pieces.coefficients, strict=True)]
    chosen = _chosen(u, [end / pieces.half for end in pieces.ends], rows)
    middle, coefficients = chosen.moved("slice", 0, 0, 1), chosen.moved("slice", 0, 1, len(rows))
    t = n.sub(u.moved("unsqueeze", 0), middle.with_raw(middle.raw, scale)).raw
    both = u.with_raw(ring_of(t).join([t, coefficients.raw], 0))
    ring_of(both.raw).prepare(both.raw)  # one round for the variable and the coefficients
    parts, at = [], 2
    for block in powers(both.moved("select", 0, 0), len(rows) - 2):
        count = block.shape[0]
        factors = both.moved("slice", 0, at, at + count)
        parts.append(times(block, factors.with_raw(factors.raw, precise)).moved("sum", [0], False))
        at += count
    constant = both.moved("select", 0, 1)
    parts.append(constant.with_raw(ring_of(constant.raw).scale(constant.raw, scale), scale * precise))
    return settled(_summed(parts))


def picked(x: Number, ends: Sequence[float], rows: list[list[int]]) -> list[Number]:
    """Public integers for each number, by the piece it is in, in one comparison.

    Args:
        x: numbers.
        ends: the last numbers of all pieces but the last one, from the smallest on.
        rows: integers for the pieces, one more than ends.

    Returns:
        Integers of the shape of x for each row.
    """
    chosen = _chosen(x, ends, rows)
    return [chosen.moved("select", 0, i) for i in range(len(rows))]


def _chosen(x: Number, ends: Sequence[float], rows: list[list[int]]) -> Number:
    limits = torch.tensor([round(end * x.scale) + 1 for end in ends]).reshape(-1, *[1] * len(x.shape))
    below = below_zero(n.sub(x.moved("unsqueeze", 0), x.with_raw(limits)))
    table = torch.tensor(rows)
    flat = below.moved("view", [len(ends), -1])
    raw = ring_of(flat.raw).product("matmul", (), table[:, :-1] - table[:, 1:], flat.raw)
    raw = ring_of(raw).add(raw, table[:, -1:].expand(-1, flat.shape[1]))
    return below.with_raw(raw, 1).moved("view", [len(rows), *x.shape])
