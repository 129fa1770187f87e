"""Arithmetic on ciphertexts, modulo n²: products of them are sums of what they hide, powers are multiples."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from syft.core.optional import require
from syft.core.pacing import paced

_WINDOW = 4  # bits of an exponent that one product takes care of


def inverses(values: Sequence[Any], modulus: Any) -> list[Any]:
    """The inverses of all, with a single inversion (Montgomery 1987, section 10.3.1): they hide the negatives.

    Args:
        values: coprime to the modulus.
        modulus: n².
    """
    if not len(values):
        return []
    products = [values[0]]
    for value in paced(values[1:]):
        products.append(products[-1] * value % modulus)
    inverse = require("gmpy2", "he").invert(products[-1], modulus)
    out = []
    for value, before in zip(values[:0:-1], products[-2::-1], strict=True):
        out.append(inverse * before % modulus)
        inverse = inverse * value % modulus
    return [inverse, *reversed(out)]


def multiples(values: Sequence[Any], factors: Sequence[int], modulus: Any) -> list[Any]:
    """Each value to the power of its factor, which may be negative."""
    powmod = require("gmpy2", "he").powmod
    negative = [place for place, factor in enumerate(factors) if factor < 0]
    bases = list(values)
    for place, inverse in zip(negative, inverses([bases[place] for place in negative], modulus), strict=True):
        bases[place] = inverse
    return [powmod(base, abs(factor), modulus) for base, factor in paced(zip(bases, factors, strict=True))]


def combinations(values: Sequence[Any], columns: Sequence[Sequence[int]], modulus: Any) -> list[Any]:
    """For each column of factors, the product of all values to the powers of these: the sum of multiples.

    The squarings are done once for all values of a column, and small powers once for all columns (Straus 1964).

    Args:
        values: ciphertexts.
        columns: as many factors each; of any sign.
        modulus: n².
    """
    powmod = require("gmpy2", "he").powmod
    tables = [_small_powers(value, modulus) for value in paced(values)]
    out, divisors = [], []
    for column in paced(columns):
        length = max([abs(factor).bit_length() for factor in column], default=0)
        above = below = require("gmpy2", "he").mpz(1)
        for shift in range(-(-length // _WINDOW) * _WINDOW - _WINDOW, -1, -_WINDOW):
            above, below = powmod(above, 1 << _WINDOW, modulus), powmod(below, 1 << _WINDOW, modulus)
            for table, factor in zip(tables, column, strict=True):
                digit = (abs(factor) >> shift) & ((1 << _WINDOW) - 1)
                if digit and factor > 0:
                    above = above * table[digit] % modulus
                elif digit:
                    below = below * table[digit] % modulus
        out.append(above)
        divisors.append(below)
    return [above * inverse % modulus for above, inverse in zip(out, inverses(divisors, modulus), strict=True)]


def _small_powers(value: Any, modulus: Any) -> list[Any]:
    powers = [None, value]
    for _ in range((1 << _WINDOW) - 2):
        powers.append(powers[-1] * value % modulus)
    return powers


def products(rows: Any, modulus: Any) -> Any:
    """The product of each row: the sum of what is in it.

    Args:
        rows: an object array of shape ``(k, count)``; rows are along the first dimension of the result.
        modulus: n².

    Returns:
        An object array of shape ``(k,)``.
    """
    while rows.shape[1] > 1:
        half = rows.shape[1] // 2
        pairs = rows[:, :half] * rows[:, half : 2 * half] % modulus
        if rows.shape[1] % 2:
            pairs[:, 0] = pairs[:, 0] * rows[:, -1] % modulus
        rows = pairs
    return rows[:, 0]
