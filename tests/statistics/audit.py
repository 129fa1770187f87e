"""An audit of differential privacy in one run (Steinke, Nasr, Jagielski: arXiv 2305.08846, algorithm 1 and theorem 5.2).

Each of many canaries is in the data or not, by a coin of its own. Whoever sees what was released guesses for the
canaries about which it says most. A mechanism that is (epsilon, delta)-differentially private lets few guesses be
right; from how many are follows what epsilon is at least.
"""

from __future__ import annotations

import math

import numpy as np
from scipy.stats import binom


def chance_of_so_many(canaries: int, guesses: int, right: int, epsilon: float, delta: float) -> float:
    """How likely, at most, an (epsilon, delta)-private mechanism lets so many guesses be right."""
    each = 1 / (1 + math.exp(-epsilon))
    at_least = float(binom.sf(right - 1, guesses, each))
    fewer = np.cumsum(binom.pmf(np.arange(right - 1, -1, -1), guesses, each))
    worst = float((fewer / np.arange(1, right + 1)).max()) if right else 0.0
    return min(1.0, at_least + 2 * canaries * delta * worst)


def epsilon_at_least(
    scores: np.ndarray, present: np.ndarray, *, guesses: int, delta: float, confidence: float = 0.95
) -> float:
    """The largest epsilon that what was released refutes.

    Args:
        scores: of each canary; the higher, the likelier it was there.
        present: whether it was.
        guesses: how many canaries to guess about: half of them with the highest scores, half with the lowest.
        delta: of the claim.
        confidence: with which the mechanism is not private for this epsilon.

    Returns:
        The lower bound, 0.0 where nothing is refuted.
    """
    order = np.argsort(scores)
    half = guesses // 2
    right = int((~present[order[:half]]).sum() + present[order[-half:]].sum())
    low, high = 0.0, 30.0
    for _ in range(50):
        middle = (low + high) / 2
        if chance_of_so_many(len(scores), 2 * half, right, middle, delta) < 1 - confidence:
            low = middle
        else:
            high = middle
    return low
