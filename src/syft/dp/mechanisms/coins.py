"""Exact coins: events whose chance is a fraction, or e to the minus of a fraction, without a floating point number.

Canonne, Kamath, Steinke, "The Discrete Gaussian for Differential Privacy" (arXiv 2004.00010), algorithm 1, for whole
arrays. Random bits come from `syft.core.random`. How long a call takes depends on what is drawn; timing is outside the
guarantee.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from syft.core.random import SYSTEM_RANDOM
from syft.exceptions import UsageError

Numbers = np.ndarray[Any, Any]
Coins = np.ndarray[Any, np.dtype[np.bool_]]

_WORD = 62  # bits that int64 holds with room for a sign and a sum


def uniform_below(bound: int, size: int) -> Numbers:
    """Integers that are uniform from 0 to below a bound.

    Args:
        bound: at least 1, as large as one likes.
        size: how many.

    Returns:
        An array of shape ``(size,)``: int64, or Python's integers for bounds above 2^62.

    Raises:
        UsageError: a bound below 1.

    Example:
        >>> uniform_below(1, 3)
        array([0, 0, 0])
    """
    if bound < 1:
        raise UsageError(f"there is no number from 0 to below {bound}")
    if bound == 1:
        return np.zeros(size, np.int64)
    bits = (bound - 1).bit_length()
    draw = _short_bits if bits <= _WORD else _long_bits
    out = draw(bits, size)
    wrong = np.flatnonzero(out >= bound)
    while wrong.size:  # each is wrong with a chance below one half
        out[wrong] = draw(bits, wrong.size)
        wrong = wrong[out[wrong] >= bound]
    return out


def bernoulli_exp(numerators: Numbers, denominator: int) -> Coins:
    """Coins that are True with a chance of exp(-n/d), exactly.

    Args:
        numerators: one n for each coin, at least 0: int64, or Python's integers in an array of objects.
        denominator: d, at least 1.

    Returns:
        An array of bools.
    """
    whole, part = numerators // denominator, numerators % denominator
    heads = _unit_coins(part, denominator)
    # exp(-n) is n coins of chance exp(-1) in a row.
    alive = np.flatnonzero(heads & (whole > 0))
    tossed = 0
    while alive.size:
        tossed += 1
        kept = _unit_coins(np.ones(alive.size, np.int64), 1)
        heads[alive[~kept]] = False
        alive = alive[kept]
        alive = alive[whole[alive] > tossed]
    return heads


def geometric(size: int) -> Numbers:
    """How often a coin of chance exp(-1) shows True before it shows False: int64 of shape ``(size,)``."""
    runs = np.zeros(size, np.int64)
    alive = np.arange(size)
    while alive.size:
        alive = alive[_unit_coins(np.ones(alive.size, np.int64), 1)]
        runs[alive] += 1
    return runs


def _unit_coins(numerators: Numbers, denominator: int) -> Coins:
    """Coins of chance exp(-g) for fractions g from 0 to 1.

    Toss coins of chance g/1, g/2, g/3 … until one shows False: its number is odd with a chance of exp(-g).
    """
    heads = np.empty(numerators.size, np.bool_)
    alive, number = np.arange(numerators.size), 1
    while alive.size:
        shown = (uniform_below(denominator * number, alive.size) < numerators[alive]).astype(np.bool_)
        heads[alive[~shown]] = number % 2 == 1
        alive, number = alive[shown], number + 1
    return heads


def _short_bits(bits: int, size: int) -> Numbers:
    if bits <= 32:
        return (SYSTEM_RANDOM.bytes(4 * size).view(np.uint32) >> np.uint32(32 - bits)).astype(np.int64)
    return (SYSTEM_RANDOM.bytes(8 * size).view(np.uint64) >> np.uint64(64 - bits)).astype(np.int64)


def _long_bits(bits: int, size: int) -> Numbers:
    nbytes = (bits + 7) // 8
    words = SYSTEM_RANDOM.bytes(size * nbytes).reshape(size, nbytes)
    return np.array([int.from_bytes(word.tobytes()) >> (8 * nbytes - bits) for word in words], dtype=object)
