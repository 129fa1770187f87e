"""Counting against guessing: are values uniform, and does what somebody sees depend on a secret?

Each test gives a p-value, and each ``assert_...`` raises `Implausible` below a false-alarm rate, by default one in a
million, shared out among its tests (Bonferroni). Only counts are looked at: passing says that a mistake that shows in
them is absent, not that the values are secret.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import torch

ALPHA = 1e-6
"""How often an assertion may fail on values that are as they should be."""

PER_CELL = 100
"""Least number of values for each cell of a chi-square test. With 20, a rate of 1e-6 would in truth be 4.5e-6."""

WORDS = 2 * 256 * PER_CELL
"""Least number of words for `assert_uniform`."""


class Implausible(AssertionError):
    """Values were seen that good ones would show less often than the false-alarm rate allows."""


def assert_plausible(p_values: Mapping[str, float], alpha: float = ALPHA) -> None:
    """Fail when one of several tests is too unlikely to be chance.

    Args:
        p_values: of each test, by its name.
        alpha: how often all of them together may fail by chance.

    Raises:
        Implausible: a p-value is below ``alpha`` divided by the number of tests, or not a number.
    """
    bar = alpha / len(p_values)
    # Written so that a p-value that is not a number fails.
    failed = {name: p for name, p in p_values.items() if not p >= bar}
    if failed:
        listed = ", ".join(f"{name} (p = {p:.1e})" for name, p in failed.items())
        raise Implausible(
            f"chance explains these less often than {bar:.1e}: {listed}; rerun once, then look for a bias"
        )


def assert_uniform(words: torch.Tensor, alpha: float = ALPHA) -> None:
    """Fail when words are not uniform over all of int64, or not independent of the word before them.

    Args:
        words: at least `WORDS` values of torch.int64, in any shape.
        alpha: false-alarm rate.

    Raises:
        Implausible: they are not.
    """
    words = words.flatten()
    p_values = {
        "bits": bits_p_value(words),
        "bottom byte": residues_p_value(bottom_bits(words, 8), 256),
        "top byte": residues_p_value(top_bits(words, 8), 256),
        "neighbours": neighbours_p_value(words),
        "repeated words": duplicates_p_value(words),
    }
    assert_plausible(p_values, alpha)


def assert_uniform_residues(values: torch.Tensor, ring: int, alpha: float = ALPHA) -> None:
    """Fail when values are not uniform over all residues of a small ring.

    Args:
        values: at least `PER_CELL` for each residue, integers of any representative, in any shape.
        ring: its size.
        alpha: false-alarm rate.

    Raises:
        Implausible: they are not.
    """
    p_values = {"residues": residues_p_value(values, ring), "missing residues": holes_p_value(values, ring)}
    assert_plausible(p_values, alpha)


def assert_same_distribution(first: torch.Tensor, second: torch.Tensor, ring: int, alpha: float = ALPHA) -> None:
    """Fail when what was seen for one secret is distributed differently from what was seen for another.

    Args:
        first: what a coalition saw, a row each time, shape ``(times, values)``.
        second: the same for another secret.
        ring: size of the small ring that the values are in; see `top_bits` for words.
        alpha: false-alarm rate.

    Raises:
        Implausible: it is.
    """
    assert_plausible({"joint distributions": two_sample_p_value(first, second, ring)}, alpha)


def chi_square_tail(statistic: float, freedom: int) -> float:
    """The probability that a chi-square variable is at least so large."""
    if freedom == 0:
        return 1.0
    half = torch.tensor([freedom / 2, statistic / 2], dtype=torch.float64)
    return float(torch.special.gammaincc(half[0], half[1]))


def residues_p_value(values: torch.Tensor, ring: int) -> float:
    """Pearson's chi-square test that all residues are equally frequent."""
    counts = _counts(values, ring)
    expected = _per_cell(values.numel(), ring)
    return chi_square_tail(float(((counts - expected) ** 2).sum()) / expected, ring - 1)


def holes_p_value(values: torch.Tensor, ring: int) -> float:
    """A bound on how often any residue is missing, if one is; finds an off-by-one in rings too large for chi-square."""
    if int(_counts(values, ring).min()) > 0:
        return 1.0
    return min(1.0, ring * math.exp(values.numel() * math.log1p(-1 / ring)))


def bit_scores(words: torch.Tensor) -> torch.Tensor:
    """How many standard deviations each bit's number of ones is away from one half, from the lowest bit up."""
    ones = torch.stack([((words >> bit) & 1).sum() for bit in range(64)]).double()
    return (2 * ones - words.numel()) / math.sqrt(words.numel())


def bits_p_value(words: torch.Tensor) -> float:
    """Of the most biased bit, corrected for looking at 64."""
    return min(1.0, 64 * math.erfc(float(bit_scores(words).abs().max()) / math.sqrt(2)))


def neighbours_p_value(words: torch.Tensor) -> float:
    """Chi-square test that the top and the bottom four bits of a word do not depend on the word before it."""
    pairs = words[: words.numel() // 2 * 2].reshape(-1, 2)
    each = [residues_p_value(_joined(part(pairs, 4), 16), 256) for part in (top_bits, bottom_bits)]
    return min(1.0, 2 * min(each))


def duplicates(words: torch.Tensor) -> int:
    """How many values occurred before."""
    return words.numel() - words.unique().numel()


def duplicates_p_value(words: torch.Tensor) -> float:
    """A bound on how often uniform words have so many duplicates: birthdays, ``(n (n-1) / 2 / 2^64)^d / d!``."""
    count, repeated = words.numel(), duplicates(words)
    if repeated == 0:
        return 1.0
    return math.exp(min(0.0, repeated * math.log(count * (count - 1) / 2**65) - math.lgamma(repeated + 1)))


def two_sample_p_value(first: torch.Tensor, second: torch.Tensor, ring: int) -> float:
    """Chi-square test that two samples of rows have one joint distribution, whatever it is.

    Args:
        first: shape ``(times, values)``, at least `PER_CELL` rows for each of the ``ring ** values`` cells.
        second: the same shape.
        ring: size of the small ring that the values are in.
    """
    if first.shape != second.shape:
        raise ValueError(
            f"the samples have shapes {tuple(first.shape)} and {tuple(second.shape)}; draw as many of both"
        )
    cells = ring ** first[0].numel()
    _per_cell(len(first), cells)
    one, other = (_counts(_joined(rows, ring), cells) for rows in (first, second))
    both = one + other
    # Under the hypothesis each difference is a sum of `both` signs, so even small cells raise no false alarms.
    statistic = ((one - other) ** 2 / both)[both > 0].sum()
    return chi_square_tail(float(statistic), int((both > 0).sum()) - 1)


def top_bits(words: torch.Tensor, bits: int) -> torch.Tensor:
    """The upper bits of int64 words, below ``2 ** bits``: words as values of a small ring."""
    return bottom_bits(words >> (64 - bits), bits)


def bottom_bits(words: torch.Tensor, bits: int) -> torch.Tensor:
    """The lower bits of int64 words, below ``2 ** bits``."""
    return words & ((1 << bits) - 1)


def _counts(values: torch.Tensor, ring: int) -> torch.Tensor:
    return torch.bincount(values.flatten() % ring, minlength=ring).double()


def _joined(rows: torch.Tensor, ring: int) -> torch.Tensor:
    # One number for each row, its values being the digits.
    columns = (rows.reshape(len(rows), -1) % ring).unbind(1)
    number = torch.zeros_like(columns[0])
    for column in columns:
        number = number * ring + column
    return number


def _per_cell(count: int, cells: int) -> float:
    if count < PER_CELL * cells:
        raise ValueError(f"{count} values are too few for {cells} cells; draw at least {PER_CELL * cells}")
    return count / cells
