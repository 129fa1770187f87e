"""Choosing one of several candidates privately: the exponential mechanism and report-noisy-max."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from syft.dp.mechanisms.coins import Coins, Numbers, bernoulli_exp, uniform_below
from syft.dp.mechanisms.laplace import exact_epsilon
from syft.exceptions import UsageError


def exponential_mechanism(scores: Sequence[int] | Numbers, sensitivity: int, epsilon: float) -> int:
    """A candidate with a chance in proportion to exp(epsilon * score / (2 * sensitivity)).

    McSherry and Talwar 2007, exactly: a candidate is proposed at random and kept with a chance of exp of what its score
    lacks to the best one. Formal guarantee: epsilon-differentially private if one person changes each score by at most
    ``sensitivity``. The accountant's event is ``PureRelease(epsilon)``.

    Args:
        scores: integers, one for each candidate; multiply fractions by their denominator, and the sensitivity too.
        sensitivity: an integer, at least 1.
        epsilon: of the choice.

    Returns:
        The number of a candidate.

    Raises:
        UsageError: numbers outside their range, or no candidate.

    Example:
        >>> exponential_mechanism([0, 1000, 0], sensitivity=1, epsilon=1.0)
        1
    """
    lacking, denominator = _lacking(scores, sensitivity, epsilon)
    while True:
        proposed = uniform_below(len(lacking), 4 * len(lacking))
        kept = np.flatnonzero(bernoulli_exp(lacking[proposed], denominator))
        if kept.size:
            return int(proposed[kept[0]])


def report_noisy_max(scores: Sequence[int] | Numbers, sensitivity: int, epsilon: float) -> int:
    """The candidate whose score is largest after each got noise of its own from the exponential distribution.

    Drawn by permute-and-flip (McKenna and Sheldon, arXiv 2010.12603), which has the same law (Ding et al.,
    arXiv 2105.07260), needs no noise in floating point, and is never worse than the exponential mechanism: candidates
    come in random order, and each is taken with a chance of exp(-epsilon * (best - score) / (2 * sensitivity)).

    Args:
        scores: see `exponential_mechanism`.
        sensitivity: likewise.
        epsilon: likewise.

    Returns:
        The number of a candidate.

    Raises:
        UsageError: numbers outside their range, or no candidate.

    Example:
        >>> report_noisy_max([0, 1000, 0], sensitivity=1, epsilon=1.0)
        1
    """
    lacking, denominator = _lacking(scores, sensitivity, epsilon)
    taken: Coins = bernoulli_exp(lacking, denominator)
    heads = np.flatnonzero(taken)
    # The first of them in a random order is one of them at random.
    return int(heads[uniform_below(len(heads), 1)[0]])


def _lacking(scores: Sequence[int] | Numbers, sensitivity: int, epsilon: float) -> tuple[Numbers, int]:
    """What each score lacks to the best, in units of which so many make one e-fold of the chance."""
    if len(scores) == 0 or type(sensitivity) is not int or sensitivity < 1:
        raise UsageError(
            f"{len(scores)} candidates and sensitivity={sensitivity}: a choice needs a candidate and an integer "
            "sensitivity of at least 1"
        )
    exact = exact_epsilon(epsilon)
    held = np.array([int(score) for score in scores], dtype=object)
    lacking = (held.max() - held) * exact.numerator
    denominator = 2 * sensitivity * exact.denominator
    largest = max(int(lacking.max()), denominator)
    return (lacking.astype(np.int64) if largest < 1 << 50 else lacking), denominator
