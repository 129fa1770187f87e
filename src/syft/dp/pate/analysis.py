"""What PATE with Laplace noise (LNMax) tells about the teachers' data, as 0.2.4's `pate` module computes it.

Papernot, Abadi, Erlingsson, Goodfellow, Talwar, "Semi-supervised Knowledge Transfer for Deep Learning from Private
Training Data" (arXiv 1610.05755). All queries are looked at together, in arrays.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np

from syft.exceptions import UsageError

Array = np.ndarray[Any, Any]
TOO_FEW_MOMENTS = "May not have used enough values of l. Increase 'moments' variable and run again."


def perform_analysis(
    teacher_preds: Array,
    indices: Array,
    noise_eps: float,
    delta: float = 1e-5,
    moments: int = 8,
    beta: float = 0.09,
) -> tuple[float, float]:
    """The epsilon of labels that were each voted for by teachers, with Laplace noise of scale 1/noise_eps.

    Every example counts once. 0.2.4 took ``indices`` for row numbers although they are documented as the aggregated
    labels, so that it counted the first few rows many times and reported several times too little.

    Args:
        teacher_preds: labels from 0 on, integers of shape (teachers, examples).
        indices: the aggregated labels, of shape (examples,); they have no influence on the cost.
        noise_eps: the inverse scale of the noise, above 0.
        delta: between 0 and 1.
        moments: how many moments of the privacy loss to look at, at least 1.
        beta: accepted for 0.2.4 code, no effect: it smoothed a sensitivity that was not returned.

    Returns:
        ``(data_dependent_eps, data_independent_eps)``. The first is a function of the votes and as private as they
        are: do not publish it.

    Raises:
        UsageError: shapes that do not fit, or numbers outside their range.

    Warns:
        UserWarning: the last moment was the best one; more might be better.

    Example:
        >>> votes = np.zeros((100, 20), int)
        >>> votes[0] = np.arange(20) % 3
        >>> dependent, independent = perform_analysis(votes, np.zeros(20, int), noise_eps=0.1, moments=40)
        >>> dependent < 1 < independent
        True
    """
    preds, labels = np.asarray(teacher_preds), np.asarray(indices)
    if preds.ndim != 2 or labels.shape != preds.shape[1:]:
        raise UsageError(
            f"predictions of shape {preds.shape} and labels of shape {labels.shape} do not fit; they are "
            "(teachers, examples) and (examples,)"
        )
    if not (noise_eps > 0 and 0 < delta < 1 and moments >= 1):
        raise UsageError(f"noise_eps={noise_eps}, delta={delta} and moments={moments} are above 0, and delta below 1")
    orders = 1.0 + np.arange(moments)
    counts = vote_counts(preds)
    spent = _log_moments(_miss_chances(counts, noise_eps), 2 * noise_eps, orders).sum(0)
    independent = len(counts) * _log_moments(np.ones(1), 2 * noise_eps, orders)[0]
    bounds = (spent - math.log(delta)) / orders
    if bounds.argmin() == moments - 1:
        warnings.warn(TOO_FEW_MOMENTS, stacklevel=2)
    return float(bounds.min()), float(((independent - math.log(delta)) / orders).min())


def vote_counts(teacher_preds: Array, num_classes: int | None = None) -> Array:
    """How many teachers vote for each label.

    Args:
        teacher_preds: labels from 0 on, integers of shape (teachers, examples).
        num_classes: how many labels there are; one more than the largest vote, and at least 2, when None.

    Returns:
        int64 of shape (examples, num_classes).

    Raises:
        UsageError: votes that are no labels.

    Example:
        >>> vote_counts(np.array([[0, 2], [0, 1], [1, 1]]))
        array([[2, 1, 0],
               [0, 2, 1]])
    """
    preds = np.asarray(teacher_preds)
    labels = preds.astype(np.int64)
    if preds.ndim != 2 or preds.size == 0 or labels.min() < 0 or (labels != preds).any():
        raise UsageError(f"votes of shape {preds.shape} are labels from 0 on, of shape (teachers, examples)")
    classes = max(2, int(labels.max()) + 1) if num_classes is None else num_classes
    if labels.max() >= classes:
        raise UsageError(f"a teacher votes for label {labels.max()}, and there are {classes} classes")
    examples = preds.shape[1]
    cells = labels + classes * np.arange(examples)
    return np.bincount(cells.reshape(-1), minlength=examples * classes).reshape(examples, classes)


def compute_q_noisy_max(counts: Array, noise_eps: float) -> float:
    """A bound of the chance that noise makes another label win: lemma 4 of the paper, summed over the others.

    Args:
        counts: votes for each label.
        noise_eps: the inverse scale of the noise.

    Example:
        >>> compute_q_noisy_max(np.array([100.0, 0.0, 0.0]), 0.1)
        0.0002723995785749091
    """
    return float(_miss_chances(np.asarray(counts, np.float64)[None], noise_eps)[0])


def compute_q_noisy_max_approx(counts: Array, noise_eps: float) -> float:
    """As `compute_q_noisy_max`, as if all other labels had as many votes as the second."""
    held = np.sort(np.asarray(counts, np.float64))[::-1]
    gap = noise_eps * float(held[0] - held[1])
    return float(min((len(held) - 1) * (gap + 2) / (4 * math.exp(gap)), 1 - 1 / len(held)))


def logmgf_exact(q: float, priv_eps: float, l: float) -> float:  # noqa: E741 - 0.2.4's name
    """A bound of the log moment of order ``l`` of the privacy loss: theorems 2 and 3 of the paper.

    Args:
        q: a bound of the chance of any other outcome than the likeliest.
        priv_eps: the pure epsilon of one query.
        l: the order.
    """
    return float(_log_moments(np.array([q], np.float64), priv_eps, np.array([l], np.float64))[0, 0])


def logmgf_from_counts(counts: Array, noise_eps: float, l: float) -> float:  # noqa: E741 - 0.2.4's name
    """`logmgf_exact` for these votes.

    Example:
        >>> round(logmgf_from_counts(np.array([5.0, 3.0, 2.0]), 0.1, 4), 12)
        0.4
    """
    return logmgf_exact(compute_q_noisy_max(counts, noise_eps), 2 * noise_eps, l)


def sens_at_k(counts: Array, noise_eps: float, l: float, k: float) -> float:  # noqa: E741 - 0.2.4's name
    """How much the log moment can change by one more vote once ``k`` votes have changed sides.

    Returns:
        The change; 0 where the first label no longer leads by then.

    Warns:
        UserWarning: the order is too large for a sensitivity, which is then 0.
    """
    held = np.sort(np.asarray(counts, np.float64))[::-1].copy()
    if 0.5 * noise_eps * l > 1:
        warnings.warn(f"l of {l} too large to compute sensitivity with noise epsilon {noise_eps}", stacklevel=2)
        return 0.0
    if held[0] < held[1] + k:
        return 0.0
    held[:2] += (-k, k)
    before = logmgf_from_counts(held, noise_eps, l)
    held[:2] += (-1, 1)
    return logmgf_from_counts(held, noise_eps, l) - before


def smoothed_sens(counts: Array, noise_eps: float, l: float, beta: float) -> float:  # noqa: E741 - 0.2.4's name
    """The smooth sensitivity of the log moment (Nissim, Raskhodnikova, Smith 2007).

    Args:
        counts: votes for each label.
        noise_eps: the inverse scale of the noise.
        l: the order.
        beta: how fast what is farther away counts less.
    """
    smooth = sens_at_k(counts, noise_eps, l, 0)
    for k in range(1, math.ceil(max(counts)) + 1):
        there = sens_at_k(counts, noise_eps, l, k)
        smooth = max(smooth, math.exp(-beta * k) * there)
        if there == 0:
            break
    return smooth


def _miss_chances(counts: Array, noise_eps: float) -> Array:
    gaps = noise_eps * (counts.max(1, keepdims=True) - counts)
    beaten = (2 + gaps) / (4 * np.exp(gaps))
    np.put_along_axis(beaten, counts.argmax(1)[:, None], 0.0, 1)
    return np.minimum(beaten.sum(1), 1 - 1 / counts.shape[1])


def _log_moments(q: Array, priv_eps: float, orders: Sequence[float] | Array) -> Array:
    """Of shape (queries, orders)."""
    orders, q = np.asarray(orders), np.asarray(q)[:, None]
    with np.errstate(divide="ignore", invalid="ignore"):
        stays = np.log1p(-q) + orders * (np.log1p(-q) - np.log1p(-math.exp(priv_eps) * q))
        bound = np.logaddexp(stays, np.log(q) + priv_eps * orders)
    # Theorem 3 holds for unlikely surprises only; 0.2.4 used it for all below one half.
    bound = np.where(q <= 1 / (math.exp(priv_eps) + 1), bound, np.inf)
    return np.minimum(np.minimum(0.5 * priv_eps**2 * orders * (orders + 1), bound), priv_eps * orders)
