"""What a list of private releases costs together: epsilon for a delta, and the noise that a budget asks for.

Neighbouring data sets differ by one person who is in one of them and not in the other. The curves of the sampled
Gaussian and the conversion to epsilon are those of `opacus.accountants.analysis`; here stands how different kinds
of releases add up.
"""

from __future__ import annotations

import functools
import math
import warnings
from collections import Counter
from collections.abc import Iterable
from typing import Any, Literal, get_args

import numpy as np

from syft.core.optional import require
from syft.dp.events import ConcentratedRelease, GaussianRelease, PrivacyEvent, PureRelease, SampledGaussian
from syft.exceptions import NotSupportedError, UsageError

Accountant = Literal["rdp", "prv"]
Curve = np.ndarray[Any, np.dtype[np.float64]]

ORDERS: tuple[float, ...] = (
    *(1 + tenth / 10 for tenth in range(1, 100)),
    *range(12, 64),
    *(64, 80, 96, 128, 192, 256, 384, 512, 768, 1024),
)
"""The orders of Renyi divergence: those of Opacus, and higher ones for releases that cost little."""

_MOST_NOISE = 1e6
_MOST_POINTS = 1 << 22


def spent_epsilon(events: Iterable[PrivacyEvent], delta: float, accountant: Accountant = "rdp") -> float:
    """The epsilon for which all the releases together are (epsilon, delta)-differentially private.

    Args:
        events: what was released, in any order.
        delta: from 0 to 1, far below 1 by the number of people.
        accountant: ``"rdp"`` adds up Renyi divergences (arXiv 1702.07476, with theorem 21 of arXiv 1905.09982 for
            the conversion) and knows every event. ``"prv"`` adds up privacy loss variables (arXiv 2106.02848): some
            per cent tighter, slower, and for Gaussian events alone. Both are upper bounds.

    Returns:
        Epsilon, 0.0 for no event, `math.inf` where no epsilon holds (Gaussian noise and a delta of 0).

    Raises:
        UsageError: a delta outside its range, an unknown accountant, or events for which ``"prv"`` finds no bound.
        NotSupportedError: ``"prv"`` with events that are not Gaussian.
        DependencyError: Opacus is not installed.

    Example:
        >>> round(spent_epsilon([SampledGaussian(noise_multiplier=1.5, sample_rate=0.04, steps=2250)], 1e-5), 6)
        7.329111
        >>> spent_epsilon([PureRelease(0.25, count=2)], delta=0)
        0.5
    """
    if not 0 <= delta < 1:
        raise UsageError(f"delta={delta} makes no sense; it lies between 0 and 1, far below 1 by the number of people")
    if accountant not in get_args(Accountant):
        raise UsageError(f"there is no accountant {accountant!r}; there are {', '.join(get_args(Accountant))}")
    counted = _added_up(events)
    if accountant == "prv":
        return _by_privacy_loss(counted, delta)
    # The pure part by its sum is the better bound where there are few such releases.
    others: Counter[PrivacyEvent] = Counter()
    others.update({event: count for event, count in counted.items() if not isinstance(event, PureRelease)})
    return min(_pure_sum(counted) + _by_divergence(others, delta), _by_divergence(counted, delta))


def noise_multiplier_for(
    epsilon: float, delta: float, sample_rate: float, steps: int, accountant: Accountant = "rdp"
) -> float:
    """The least noise with which DP-SGD stays within a budget, to one in a thousand; never less than needed.

    Args:
        epsilon: of all steps together.
        delta: see `spent_epsilon`.
        sample_rate: the chance of each person to be in a step.
        steps: how many steps.
        accountant: see `spent_epsilon`.

    Returns:
        A noise multiplier for which ``spent_epsilon`` of the steps is at most ``epsilon``.

    Raises:
        UsageError: no noise is enough for the budget, or numbers outside their range.

    Example:
        >>> sigma = noise_multiplier_for(epsilon=3.0, delta=1e-5, sample_rate=0.01, steps=1500)
        >>> spent_epsilon([SampledGaussian(sigma, 0.01, 1500)], 1e-5) <= 3.0
        True
    """
    if not epsilon > 0 or not delta > 0:
        raise UsageError(f"epsilon={epsilon} and delta={delta}: training asks for both to be above 0")

    def cost(sigma: float) -> float:
        return spent_epsilon([SampledGaussian(sigma, sample_rate, steps)], delta, accountant)

    enough = 0.25
    while cost(enough) > epsilon:
        enough *= 2
        if enough > _MOST_NOISE:
            raise UsageError(
                f"no noise makes {steps} steps at sample rate {sample_rate} cost epsilon={epsilon} at delta={delta}. "
                "Take fewer steps, a larger epsilon or a larger delta."
            )
    too_little = enough / 2 if enough > 0.25 else 0.01
    while enough > 1.001 * too_little:
        middle = math.sqrt(enough * too_little)
        if cost(middle) <= epsilon:
            enough = middle
        else:
            too_little = middle
    return enough


def _added_up(events: Iterable[PrivacyEvent]) -> Counter[PrivacyEvent]:
    """Each kind of single release with how often it happened."""
    counted: Counter[PrivacyEvent] = Counter()
    for event in events:
        match event:
            case SampledGaussian(sigma, rate, steps):
                if rate > 0:
                    counted[SampledGaussian(sigma, rate, 1) if rate < 1 else GaussianRelease(sigma)] += steps
            case GaussianRelease(sigma, count):
                counted[GaussianRelease(sigma)] += count
            case PureRelease(epsilon, count):
                counted[PureRelease(epsilon)] += count
            case ConcentratedRelease(rho, count):
                counted[ConcentratedRelease(rho)] += count
            case _:
                raise UsageError(f"{event!r} is no private release; see syft.dp.events for what is")
    return +counted


def _pure_sum(counted: Counter[PrivacyEvent]) -> float:
    return math.fsum(event.epsilon * count for event, count in counted.items() if isinstance(event, PureRelease))


def _by_divergence(counted: Counter[PrivacyEvent], delta: float) -> float:
    if not counted:
        return 0.0
    if delta == 0:
        return _pure_sum(counted) if all(isinstance(event, PureRelease) for event in counted) else math.inf
    analysis = require("opacus.accountants.analysis.rdp", "dp")
    curve = sum((count * _curve(event) for event, count in counted.items()), np.zeros(len(ORDERS)))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that a wider range of orders would be tighter: the bound holds all the same
        epsilon, _ = analysis.get_privacy_spent(orders=ORDERS, rdp=curve, delta=delta)
    return max(0.0, float(epsilon))


@functools.lru_cache(maxsize=1024)
def _curve(event: PrivacyEvent) -> Curve:
    """The Renyi divergence of one release at each of `ORDERS`."""
    orders = np.array(ORDERS, np.float64)
    match event:
        case SampledGaussian(sigma, rate):
            return np.array([_sampled_divergence(rate, sigma, order) for order in ORDERS])
        case GaussianRelease(sigma):
            return orders / (2 * sigma**2)
        case ConcentratedRelease(rho):
            return orders * rho
        case PureRelease(epsilon):
            # Randomised response has the largest divergence of all pure mechanisms (arXiv 1311.0776, theorem 8).
            likely, unlikely = -np.logaddexp(0.0, -epsilon), -np.logaddexp(0.0, epsilon)
            sum_ = np.logaddexp(orders * likely + (1 - orders) * unlikely, orders * unlikely + (1 - orders) * likely)
            return np.clip(sum_ / (orders - 1), 0.0, epsilon)


def _sampled_divergence(rate: float, sigma: float, order: float) -> float:
    analysis = require("opacus.accountants.analysis.rdp", "dp")
    try:
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore")
            divergence = float(analysis.compute_rdp(q=rate, noise_multiplier=sigma, steps=1, orders=float(order)))
    except (ValueError, OverflowError):  # its series cancels: no bound at this order, others have one
        return math.inf
    return max(divergence, 0.0) if divergence == divergence else math.inf


def _by_privacy_loss(counted: Counter[PrivacyEvent], delta: float) -> float:
    history = [_noise_rate_steps(event, count) for event, count in counted.items()]
    looser = _by_divergence(counted, delta)
    if not 0 < looser < math.inf:
        return looser
    epsilon = _privacy_loss_bound(history, delta, looser / 500)
    if epsilon < looser / 3:  # the error allowed was small against the looser bound, and is not against this one
        epsilon = _privacy_loss_bound(history, delta, epsilon / 500)
    return min(epsilon, looser)


def _privacy_loss_bound(history: list[tuple[float, float, int]], delta: float, error: float) -> float:
    prv = require("opacus.accountants", "dp").PRVAccountant()
    prv.history = history
    try:
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore")
            # The error is part of the bound that is returned.
            epsilon = float(prv.get_epsilon(delta, eps_error=_affordable_error(history, delta, error)))
    except (ValueError, RuntimeError):
        epsilon = math.inf
    if not math.isfinite(epsilon):
        raise UsageError("the accountant 'prv' finds no bound for these releases. Use accountant='rdp'.")
    return max(epsilon, 0.0)


def _affordable_error(history: list[tuple[float, float, int]], delta: float, error: float) -> float:
    """The error asked for, or the least one for which the grid of privacy losses has not too many points."""
    analysis = require("opacus.accountants.analysis.prv", "dp")
    losses = [analysis.PoissonSubsampledGaussianPRV(rate, sigma) for sigma, rate, _ in history]
    steps = [count for _, _, count in history]
    delta_error = delta / 1000  # as `PRVAccountant` has it
    fineness = math.sqrt(sum(steps) * math.log(12 / delta_error) / 2)
    error = max(error, 1e-4)
    while True:
        reach = analysis.compute_safe_domain_size(
            prvs=losses, max_self_compositions=steps, eps_error=error, delta_error=delta_error
        )
        if 2 * reach * fineness / error <= _MOST_POINTS:
            return error
        error *= 1.5


def _noise_rate_steps(event: PrivacyEvent, count: int) -> tuple[float, float, int]:
    match event:
        case SampledGaussian(sigma, rate):
            return sigma, rate, count
        case GaussianRelease(sigma):
            return sigma, 1.0, count
    raise NotSupportedError(f"the accountant 'prv' knows Gaussian noise only, not {event!r}. Use accountant='rdp'.")
