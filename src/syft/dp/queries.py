"""Private questions about the rows of a tensor: each knows what it costs, how rows are clipped, and how it answers.

Neighbouring data sets differ by one row that is in one of them and not in the other (add or remove one): a row is the
unit of privacy. Whoever has several rows in the data is protected only as far as one of them is.

Sums are computed in whole numbers, so they neither overflow nor depend on the order of rows, and clipping to the
declared bounds is what makes one row change a result by no more than is accounted for, whatever is in the data. A row
that is not a number counts as the number within the bounds that is nearest to 0.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
import torch

from syft.dp.accounting import noise_multiplier_for
from syft.dp.events import PrivacyEvent, PureRelease
from syft.dp.mechanisms.choice import report_noisy_max
from syft.dp.mechanisms.gaussian import GaussianMechanism
from syft.dp.mechanisms.grid import to_steps
from syft.dp.mechanisms.laplace import LaplaceMechanism, exact_epsilon
from syft.exceptions import UsageError

MOST_VALUES = 10_000
"""How many numbers one answer has at most."""

_PRECISION = 40  # bits that a bound has when rows are rounded
_PART = 1 << 20  # values of one part: with so many bits, their sum stays within int64
_SMALLEST, _LARGEST = 1e-30, 1e30
_FINEST = 10_000  # denominator of a quantile

Mechanism = LaplaceMechanism | GaussianMechanism


@functools.lru_cache(maxsize=256)
def _noise_multiplier(epsilon: float, delta: float) -> float:
    return noise_multiplier_for(epsilon, delta, 1.0, 1)


@dataclass(frozen=True, slots=True)
class Noise:
    """How much noise: Laplace for a delta of 0, Gaussian otherwise.

    Args:
        epsilon: of the whole answer.
        delta: from 0 to below 1.

    Raises:
        UsageError: numbers outside their range.
    """

    epsilon: float
    delta: float = 0.0

    def __post_init__(self) -> None:
        exact_epsilon(self.epsilon)
        if not (isinstance(self.delta, int | float) and 0 <= self.delta < 1):
            raise UsageError(f"delta={self.delta} makes no sense; it is 0, or far below one over the number of people")

    def mechanism(self, sensitivity: float, values: int = 1, parts: int = 1) -> Mechanism:
        """The mechanism for one of several equal parts of an answer.

        Args:
            sensitivity: of each of its values.
            values: how many values one row changes.
            parts: how many such parts the answer has; they share what it costs.
        """
        if self.delta == 0:
            return LaplaceMechanism(sensitivity * values, self.epsilon / parts)
        # Calibrated by the accountant of the ledger, so that the answer costs there what was asked for.
        multiplier = _noise_multiplier(self.epsilon, self.delta) * math.sqrt(parts)
        return GaussianMechanism(sensitivity * math.sqrt(values) * (1 + 1e-12), multiplier)


@dataclass(frozen=True, slots=True)
class Bounds:
    """Between what rows are clipped.

    Raises:
        UsageError: they are not finite, not in order, or of a size beyond all reason.
    """

    lower: float
    upper: float

    def __post_init__(self) -> None:
        numbers = all(isinstance(bound, int | float) for bound in (self.lower, self.upper))
        if not (numbers and math.isfinite(self.lower) and math.isfinite(self.upper) and self.lower < self.upper):
            raise UsageError(
                f"lower={self.lower} and upper={self.upper} bound nothing; say between which two finite numbers, lower "
                "first, the values lie by what they mean, without looking at them"
            )
        if not _SMALLEST <= self.reach <= _LARGEST:
            raise UsageError(f"bounds of {self.reach} are out of proportion; measure in another unit")

    @property
    def reach(self) -> float:
        """The farther bound's distance from 0: what one row changes a sum by at most."""
        return max(abs(float(self.lower)), abs(float(self.upper)))

    @property
    def exponent(self) -> int:
        """Rows are rounded to multiples of two to this."""
        return math.frexp(self.reach)[1] - _PRECISION

    @property
    def steps(self) -> tuple[int, int]:
        """The bounds in such multiples."""
        low, high = to_steps(np.array([self.lower, self.upper], np.float64), self.exponent)
        return int(low), int(high)

    def clip(self, values: torch.Tensor) -> np.ndarray[Any, np.dtype[np.float64]]:
        """Values within the bounds, as float64."""
        default = min(max(0.0, float(self.lower)), float(self.upper))
        numbers = values.detach().to(torch.float64).nan_to_num(nan=default, posinf=math.inf, neginf=-math.inf)
        clipped: np.ndarray[Any, np.dtype[np.float64]] = numbers.clamp(float(self.lower), float(self.upper)).numpy()
        return clipped

    def parts(self, values: torch.Tensor) -> Iterator[np.ndarray[Any, np.dtype[np.float64]]]:
        """The rows clipped, some at a time, each as a line of an array of two dimensions."""
        width = math.prod(values.shape[1:])
        flat = values.reshape(len(values), width)
        rows = max(1, _PART // max(1, width))
        for at in range(0, len(flat), rows):
            yield self.clip(flat[at : at + rows])

    def total(self, values: torch.Tensor) -> tuple[list[int], int]:
        """The sum of the clipped rows in steps, exactly, and how many rows there are."""
        sums = [0] * math.prod(values.shape[1:])
        for part in self.parts(values):
            added = to_steps(part, self.exponent).sum(0)
            sums = [have + int(more) for have, more in zip(sums, added, strict=True)]
        return sums, len(values)


@dataclass(frozen=True, slots=True)
class Query:
    """A private question. Its subclasses say which.

    Args:
        noise: how much.
    """

    noise: Noise

    def events(self, shape: Sequence[int]) -> tuple[PrivacyEvent, ...]:
        """What the answer is for the accountant, by the shape of the data."""
        raise NotImplementedError

    def answer(self, values: torch.Tensor) -> Any:
        """The answer with noise.

        Args:
            values: rows of real numbers: of shape (N,), or (N, …) where the question allows that.

        Returns:
            Plain numbers, in lists where the answer has several.
        """
        raise NotImplementedError

    def check(self, shape: Sequence[int]) -> None:
        """Refuse data of a shape for which there is no answer.

        Raises:
            UsageError: with the reason.
        """
        if len(shape) != 1:
            raise UsageError(
                f"this question is about one number in a row, and a row has shape {tuple(shape[1:])}; choose a column"
            )


def check_rows(values: torch.Tensor) -> None:
    """Refuse what has no rows of real numbers.

    Raises:
        UsageError: with the reason.
    """
    if values.dim() == 0 or values.is_complex() or values.layout is not torch.strided or values.is_quantized:
        raise UsageError(
            f"a tensor of shape {tuple(values.shape)}, {values.dtype} and {values.layout} has no rows of real numbers; "
            "private questions are about dense tensors with a row for each person"
        )
    if math.prod(values.shape[1:]) > MOST_VALUES:
        raise UsageError(
            f"a row of shape {tuple(values.shape[1:])} is too long; ask about {MOST_VALUES} numbers at most"
        )


@dataclass(frozen=True, slots=True)
class Sum(Query):
    """The sum of all rows: a number, or one for each place in a row."""

    bounds: Bounds

    def check(self, shape: Sequence[int]) -> None:
        """Rows may have any shape."""

    def events(self, shape: Sequence[int]) -> tuple[PrivacyEvent, ...]:
        """One release."""
        return (self._mechanism(shape).event,)

    def answer(self, values: torch.Tensor) -> Any:
        """Float64 on the grid of the noise."""
        sums, _ = self.bounds.total(values)
        step = Fraction(2) ** self.bounds.exponent
        return _shaped(self._mechanism(values.shape).release_exactly([step * sum_ for sum_ in sums]), values.shape[1:])

    def _mechanism(self, shape: Sequence[int]) -> Mechanism:
        reach = max(map(abs, self.bounds.steps)) * 2.0**self.bounds.exponent
        return self.noise.mechanism(reach, max(1, math.prod(shape[1:])))


@dataclass(frozen=True, slots=True)
class Mean(Query):
    """The mean of all rows: a noisy sum of distances from the middle of the bounds, by a noisy count."""

    bounds: Bounds

    def check(self, shape: Sequence[int]) -> None:
        """Rows may have any shape."""

    def events(self, shape: Sequence[int]) -> tuple[PrivacyEvent, ...]:
        """Two releases, of half the cost each."""
        return tuple(mechanism.event for mechanism in self._mechanisms(shape))

    def answer(self, values: torch.Tensor) -> Any:
        """Float64 within the bounds, and but for these on a grid that is as fine as the rows' is."""
        sums, rows = self.bounds.total(values)
        for_sum, for_count = self._mechanisms(values.shape)
        step, middle = Fraction(2) ** self.bounds.exponent, self._middle()
        distances = for_sum.release_exactly([step * (sum_ - middle * rows) for sum_ in sums])
        count = max(1.0, float(for_count.release_exactly([Fraction(rows)])[0]))
        means = (middle + np.rint(np.ldexp(distances / count, -self.bounds.exponent))) * 2.0**self.bounds.exponent
        return _shaped(np.clip(means, self.bounds.lower, self.bounds.upper), values.shape[1:])

    def _middle(self) -> int:
        return sum(self.bounds.steps) // 2

    def _mechanisms(self, shape: Sequence[int]) -> tuple[Mechanism, Mechanism]:
        low, high = self.bounds.steps
        reach = max(high - self._middle(), self._middle() - low, 1) * 2.0**self.bounds.exponent
        values = max(1, math.prod(shape[1:]))
        return self.noise.mechanism(reach, values, parts=2), self.noise.mechanism(1.0, parts=2)


@dataclass(frozen=True, slots=True)
class Count(Query):
    """How many rows there are, or how many lie within bounds, both included."""

    bounds: Bounds | None = None

    def check(self, shape: Sequence[int]) -> None:
        """Rows may have any shape if all are counted."""
        if self.bounds is not None:
            Query.check(self, shape)

    def events(self, shape: Sequence[int]) -> tuple[PrivacyEvent, ...]:
        """One release."""
        return (self.noise.mechanism(1).event,)

    def answer(self, values: torch.Tensor) -> int:
        """An integer, which may come out below 0 or above the number of rows."""
        rows = len(values)
        if self.bounds is not None:
            numbers = values.detach().to(torch.float64)
            rows = int(((numbers >= self.bounds.lower) & (numbers <= self.bounds.upper)).sum())
        return int(_with_whole_noise(self.noise.mechanism(1), np.array([rows]))[0])


@dataclass(frozen=True, slots=True)
class Histogram(Query):
    """How many rows fall into each of some bins; what is outside the edges is counted in the first or last bin."""

    edges: tuple[float, ...]

    def __post_init__(self) -> None:
        rising = all(a < b for a, b in zip(self.edges, self.edges[1:], strict=False))
        if not (2 <= len(self.edges) <= MOST_VALUES + 1 and rising and all(map(math.isfinite, self.edges))):
            raise UsageError(f"{len(self.edges)} edges make no bins; say 2 to {MOST_VALUES + 1} finite, rising numbers")
        Bounds(self.edges[0], self.edges[-1])  # of reasonable size

    def events(self, shape: Sequence[int]) -> tuple[PrivacyEvent, ...]:
        """One release: a row is in one bin."""
        return (self.noise.mechanism(1).event,)

    def answer(self, values: torch.Tensor) -> list[int]:
        """An integer for each bin, which may come out below 0."""
        bins = len(self.edges) - 1
        counts = np.zeros(bins, np.int64)
        edges = np.array(self.edges)
        for part in Bounds(self.edges[0], self.edges[-1]).parts(values):
            at = np.searchsorted(edges, part.reshape(-1), side="right") - 1
            counts += np.bincount(np.minimum(at, bins - 1), minlength=bins)
        return [int(count) for count in _with_whole_noise(self.noise.mechanism(1), counts)]


@dataclass(frozen=True, slots=True)
class Quantile(Query):
    """A value that about so much of the rows lie below: of equally spaced candidates, one that splits them well.

    Args:
        noise: with a delta of 0.
        bounds: the first and the last candidate.
        q: 0 for the least, 0.5 for the median, 1 for the largest.
        resolution: into how many parts the candidates divide the bounds.
    """

    bounds: Bounds
    q: float = 0.5
    resolution: int = 1000

    def __post_init__(self) -> None:
        if self.noise.delta != 0:
            raise UsageError("a quantile is chosen by a pure mechanism; leave delta out")
        if not (isinstance(self.q, int | float) and 0 <= self.q <= 1):
            raise UsageError(f"q={self.q} is no quantile; it lies between 0 and 1")
        if not (type(self.resolution) is int and 1 <= self.resolution <= MOST_VALUES):
            raise UsageError(f"resolution={self.resolution} makes no sense; it is an integer from 1 to {MOST_VALUES}")

    def events(self, shape: Sequence[int]) -> tuple[PrivacyEvent, ...]:
        """One choice."""
        return (PureRelease(self.noise.epsilon),)

    def answer(self, values: torch.Tensor) -> float:
        """One of the candidates, by report-noisy-max over how far from the quantile each would be."""
        candidates = np.linspace(float(self.bounds.lower), float(self.bounds.upper), self.resolution + 1)
        rows = np.sort(self.bounds.clip(values.reshape(-1)))
        wanted = Fraction(self.q).limit_denominator(_FINEST)
        n, d = wanted.numerator, wanted.denominator
        below = d * np.searchsorted(rows, candidates, side="left")
        upto = d * np.searchsorted(rows, candidates, side="right")
        # One row more or less moves each of these by at most d - n, or n.
        missed = np.maximum(np.maximum(below - n * len(rows), n * len(rows) - upto), 0)
        return float(candidates[report_noisy_max(-missed, max(n, d - n), self.noise.epsilon)])


def _with_whole_noise(mechanism: Mechanism, counts: np.ndarray[Any, np.dtype[np.int64]]) -> Any:
    if isinstance(mechanism, LaplaceMechanism):
        return mechanism.release_integers(counts)
    return np.rint(mechanism.release(torch.from_numpy(counts)).numpy()).astype(np.int64)


def _shaped(values: np.ndarray[Any, np.dtype[np.float64]], shape: Sequence[int]) -> Any:
    return values.reshape(tuple(shape)).tolist()
