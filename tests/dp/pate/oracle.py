"""PATE's analysis written out by the book: one query, one moment, one label at a time."""

from __future__ import annotations

import math

import numpy as np


def log_moment(counts: list[float], noise_eps: float, order: float) -> float:
    """Theorems 2 and 3 and lemma 4 of arXiv 1610.05755."""
    winner = counts.index(max(counts))
    q = 0.0
    for label, votes in enumerate(counts):
        if label != winner:
            gap = noise_eps * (counts[winner] - votes)
            q += (2 + gap) / (4 * math.exp(gap))
    q = min(q, 1 - 1 / len(counts))
    epsilon = 2 * noise_eps
    bounds = [epsilon**2 * order * (order + 1) / 2, epsilon * order]
    if q < 1 / (math.exp(epsilon) + 1):
        stay = (1 - q) * ((1 - q) / (1 - math.exp(epsilon) * q)) ** order
        bounds.append(math.log(stay + q * math.exp(epsilon * order)))
    return min(bounds)


def epsilons(
    predictions: np.ndarray, rows: list[int], noise_eps: float, delta: float = 1e-5, moments: int = 8
) -> float:
    """The data-dependent epsilon of the examples of some numbers; 0.2.4 took labels for such numbers."""
    classes = int(predictions.max()) + 1
    bounds = []
    for order in range(1, moments + 1):
        total = 0.0
        for row in rows:
            votes = [float((predictions[:, row] == label).sum()) for label in range(classes)]
            total += log_moment(votes, noise_eps, order)
        bounds.append((total - math.log(delta)) / order)
    return min(bounds)


def gaussian_argmax(counts: np.ndarray, sigma: float) -> np.ndarray:
    """The chance of each label to win under Gaussian noise, by integration over the winner's noise."""
    x = np.linspace(-12, 12, 4001)
    density = np.exp(-x * x / 2) / math.sqrt(2 * math.pi)
    erf = np.vectorize(math.erf)
    chances = []
    for label, votes in enumerate(counts):
        others = [0.5 * (1 + erf((votes - other) / sigma / math.sqrt(2) + x / math.sqrt(2)))
                  for at, other in enumerate(counts) if at != label]  # fmt: skip
        chances.append(float(np.trapezoid(density * np.prod(others, axis=0), x)))
    return np.array(chances) / sum(chances)


def renyi(here: np.ndarray, there: np.ndarray, order: float) -> float:
    """The Renyi divergence of two distributions over labels."""
    return float(np.log((here * (here / there) ** (order - 1)).sum()) / (order - 1))
