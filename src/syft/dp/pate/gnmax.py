"""PATE with Gaussian noise: the GNMax and the Confident-GNMax aggregator, and what their answers cost.

Papernot, Song, Mironov, Raghunathan, Talwar, Erlingsson, "Scalable Private Learning with PATE" (arXiv 1802.08908).
Neighbouring data sets differ in the data of one teacher, whose votes may all be others.

The data-dependent cost is smaller the more the teachers agree. It is computed from their votes and tells about them:
it is for the owners of the data to look at. Whoever publishes a cost publishes the data-independent one.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from syft.dp.accounting import ORDERS
from syft.dp.mechanisms.discrete import discrete_gaussian
from syft.dp.mechanisms.grid import checked
from syft.exceptions import UsageError

Array = np.ndarray[Any, np.dtype[np.float64]]

_FINE = 1 << 20  # steps of the noise in one standard deviation
UNANSWERED = -1
"""The label of a question on which the teachers do not agree enough."""


@dataclass(frozen=True, slots=True)
class PateCost:
    """What a list of answers costs.

    Attributes:
        data_dependent: epsilon by the votes that were cast.
        data_independent: epsilon whatever the votes.
        answered: how many questions were answered.
    """

    data_dependent: float
    data_independent: float
    answered: int


@dataclass(frozen=True, slots=True)
class Aggregator:
    """Answers questions with the label that most teachers vote for, after noise.

    Args:
        sigma: standard deviation of the noise on each label's votes (GNMax).
        threshold: answer only if the most votes, with noise of their own, are at least so many (Confident-GNMax); None
            answers all.
        sigma_threshold: standard deviation of that noise.

    Raises:
        UsageError: numbers outside their range.

    Example:
        >>> aggregator = Aggregator(sigma=2.0, threshold=60, sigma_threshold=2.0)
        >>> votes = np.array([[100, 0, 0], [34, 33, 33]])
        >>> labels = aggregator.answer(votes)
        >>> labels
        array([ 0, -1])
        >>> cost = aggregator.cost(votes, labels, delta=1e-5)
        >>> cost.data_dependent < cost.data_independent
        True
    """

    sigma: float
    threshold: float | None = None
    sigma_threshold: float | None = None

    def __post_init__(self) -> None:
        checked(sigma=self.sigma)
        if (self.threshold is None) is not (self.sigma_threshold is None):
            raise UsageError("a threshold needs noise of its own; give both, threshold and sigma_threshold, or neither")
        if self.sigma_threshold is not None:
            checked(sigma_threshold=self.sigma_threshold)

    def answer(self, counts: np.ndarray[Any, Any]) -> np.ndarray[Any, np.dtype[np.int64]]:
        """Labels for questions.

        Args:
            counts: votes, of shape (questions, classes); see `vote_counts`.

        Returns:
            int64 of shape (questions,), with `UNANSWERED` where the teachers do not agree enough.
        """
        votes = _votes(counts)
        labels = (votes + _noise(votes.shape, self.sigma)).argmax(1).astype(np.int64)
        if self.threshold is not None and self.sigma_threshold is not None:
            most = votes.max(1) + _noise(votes.shape[:1], self.sigma_threshold)
            labels[most < self.threshold] = UNANSWERED
        return labels

    def curve(self, counts: np.ndarray[Any, Any], labels: np.ndarray[Any, Any], orders: Sequence[float]) -> Array:
        """The Renyi divergence that answers have cost, by the votes.

        Every question costs the look at the threshold, an answered one its answer, too.

        Args:
            counts: the votes.
            labels: what `answer` gave for them.
            orders: of the divergence, above 1.

        Returns:
            float64 of shape (orders,).
        """
        votes, at = _votes(counts), np.asarray(orders, np.float64)
        answered = np.asarray(labels) != UNANSWERED
        total: Array = gnmax_divergence(gnmax_log_miss(votes[answered], self.sigma), self.sigma, at).sum(0)
        if self.threshold is not None and self.sigma_threshold is not None:
            log_chance = _log_tail((self.threshold - votes.max(1)) / self.sigma_threshold)
            surprise = np.minimum(log_chance, _log1mexp(log_chance))
            # One vote moves the largest count by 1, and two counts by 1 each: noise that counts as root 2 as much.
            total = total + gnmax_divergence(surprise, math.sqrt(2) * self.sigma_threshold, at).sum(0)
        return total

    def cost(self, counts: np.ndarray[Any, Any], labels: np.ndarray[Any, Any], delta: float) -> PateCost:
        """What answers cost.

        Args:
            counts: the votes.
            labels: what `answer` gave for them.
            delta: between 0 and 1.
        """
        if not 0 < delta < 1:
            raise UsageError(f"delta={delta} makes no sense; it lies between 0 and 1, far below 1")
        answered, orders = int((np.asarray(labels) != UNANSWERED).sum()), np.array(ORDERS)
        independent = answered * orders / self.sigma**2
        if self.sigma_threshold is not None:
            independent = independent + len(counts) * orders / (2 * self.sigma_threshold**2)
        dependent = self.curve(counts, labels, ORDERS)
        return PateCost(divergence_to_epsilon(dependent, delta), divergence_to_epsilon(independent, delta), answered)


def gnmax_log_miss(counts: np.ndarray[Any, Any], sigma: float) -> Array:
    """The log of a bound of the chance that noise makes another label win: proposition 7 of the paper.

    Args:
        counts: votes, of shape (questions, classes).
        sigma: of the noise.

    Returns:
        float64 of shape (questions,).
    """
    votes = _votes(counts)
    beats = _log_tail((votes.max(1, keepdims=True) - votes) / (math.sqrt(2) * sigma))
    np.put_along_axis(beats, votes.argmax(1)[:, None], -np.inf, 1)
    return np.minimum(np.logaddexp.reduce(beats, 1), math.log1p(-1 / votes.shape[1]))


def gnmax_divergence(log_miss: Array, sigma: float, orders: Array) -> Array:
    """A bound of the Renyi divergence of answers of which others are unlikely: theorem 6 and proposition 10.

    Args:
        log_miss: log of the chance of any other answer, at most 0, of shape (questions,).
        sigma: of the noise.
        orders: above 1.

    Returns:
        float64 of shape (questions, orders).
    """
    log_q, at = np.asarray(log_miss, np.float64)[:, None], np.asarray(orders, np.float64)
    independent = np.broadcast_to(at / sigma**2, (len(log_q), len(at)))
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        second = sigma * np.sqrt(-log_q)
        first = second + 1
        at_first, at_second = first / sigma**2, second / sigma**2
        most_surprise = (second - 1) * at_second - second * (np.log1p(1 / (first - 1)) + np.log1p(1 / (second - 1)))
        log_stay = _log1mexp(log_q)
        grows = log_stay - _log1mexp(np.minimum((log_q + at_second) * (1 - 1 / second), 0.0))
        jumps = at_first - log_q / (first - 1)
        bound = np.logaddexp(log_stay + (at - 1) * grows, log_q + (at - 1) * jumps) / (at - 1)
    holds = (first > at) & (second > 1) & (log_q <= most_surprise) & (-log_q > at_second) & ~np.isnan(bound)
    best = np.where(holds, np.minimum(bound, independent), independent)
    out: Array = np.where(np.isneginf(log_q), 0.0, np.maximum(best, 0.0))
    return out


def divergence_to_epsilon(curve: Array, delta: float, orders: Sequence[float] = ORDERS) -> float:
    """The least epsilon that divergences allow for a delta: theorem 21 of arXiv 1905.09982.

    Args:
        curve: Renyi divergences, of shape (orders,).
        delta: between 0 and 1.
        orders: theirs.
    """
    at = np.array(orders)
    bounds = curve - (math.log(delta) + np.log(at)) / (at - 1) + np.log1p(-1 / at)
    return float(max(0.0, bounds.min()))


def _votes(counts: np.ndarray[Any, Any]) -> Array:
    votes = np.asarray(counts, np.float64)
    if votes.ndim != 2 or votes.shape[1] < 2 or not np.isfinite(votes).all():
        raise UsageError(
            f"votes of shape {votes.shape} are counts of shape (questions, classes), of at least 2 classes"
        )
    return votes


def _noise(shape: tuple[int, ...], sigma: float) -> Any:
    return discrete_gaussian(_FINE, math.prod(shape)).reshape(shape) * (sigma / _FINE)


def _log_tail(x: Array) -> Array:
    """Log of the chance that a standard Gaussian is above x."""
    tail: Array = torch.special.log_ndtr(-torch.from_numpy(np.ascontiguousarray(x))).numpy()
    return tail


def _log1mexp(x: Array) -> Array:
    """log(1 - exp(x)) for x at most 0, without cancellation."""
    with np.errstate(divide="ignore"):
        out: Array = np.where(x < -1, np.log1p(-np.exp(x)), np.log(-np.expm1(x)))
    return out
