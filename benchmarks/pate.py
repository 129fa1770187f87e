"""PATE: the analysis of 1000 queries in arrays, against the loops of 0.2.4 over queries, moments and labels."""

from __future__ import annotations

import math
import time
import warnings

import numpy as np

import syft as sy
from benchmarks.row import Row
from syft.dp import pate

EXAMPLES, CLASSES, MOMENTS, NOISE, BETA = 1000, 10, 8, 0.1, 0.09


def _votes(teachers: int) -> tuple[np.ndarray, np.ndarray]:
    generator = np.random.default_rng(0)
    labels = generator.integers(0, CLASSES, EXAMPLES)
    agree = generator.random((teachers, EXAMPLES)) < 0.9
    return np.where(agree, labels, generator.integers(0, CLASSES, (teachers, EXAMPLES))), labels


def _log_moment(counts: np.ndarray, order: float) -> float:
    winner = np.argmax(counts)
    gaps = NOISE * (counts[winner] - counts)
    q = sum((gaps[j] + 2.0) / (4.0 * math.exp(gaps[j])) for j in range(len(counts)) if j != winner)
    q = min(q, 1.0 - 1.0 / len(counts))
    epsilon = 2 * NOISE
    if q >= 0.5:
        return min(0.5 * epsilon**2 * order * (order + 1), epsilon * order)
    stay = (1 - q) * math.pow((1 - q) / (1 - math.exp(epsilon) * q), order)
    bound = math.log(stay + q * math.exp(epsilon * order))
    return min(0.5 * epsilon**2 * order * (order + 1), bound, epsilon * order)


def _sensitivity(counts: np.ndarray, order: float, k: int) -> float:
    held = np.array(sorted(counts, reverse=True))
    if held[0] < held[1] + k:
        return 0.0
    held[0], held[1] = held[0] - k, held[1] + k
    before = _log_moment(held, order)
    held[0], held[1] = held[0] - 1, held[1] + 1
    return _log_moment(held, order) - before


def _smoothed(counts: np.ndarray, order: float) -> float:
    smooth = _sensitivity(counts, order, 0)
    for k in range(1, int(max(counts)) + 1):
        there = _sensitivity(counts, order, k)
        smooth = max(smooth, math.exp(-BETA * k) * there)
        if there == 0.0:
            break
    return smooth


def by_loops(votes: np.ndarray, delta: float = 1e-5) -> float:
    """The data-dependent epsilon as 0.2.4 goes about it, with the smooth sensitivities that it does not return."""
    total = np.zeros(MOMENTS)
    for example in range(votes.shape[1]):
        counts = np.bincount(votes[:, example], minlength=CLASSES).astype(float)
        total += np.array([_log_moment(counts, 1.0 + at) for at in range(MOMENTS)])
        for at in range(MOMENTS):
            _smoothed(counts, 1.0 + at)
    return float(min((total[at] - math.log(delta)) / (1.0 + at) for at in range(MOMENTS)))


def run(hook: sy.TorchHook, *, quick: bool) -> list[Row]:
    """Loops over arrays, for 10 and 100 teachers; and what the aggregator takes for the labels."""
    rows = []
    for teachers in (10,) if quick else (10, 100):
        votes, labels = _votes(teachers)
        started = time.perf_counter()
        by_the_book = by_loops(votes)
        loops = time.perf_counter() - started
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # that more moments may be tighter
            found = pate.perform_analysis(votes, labels, NOISE, moments=MOMENTS, beta=BETA)[0]
            arrays = _least(lambda: pate.perform_analysis(votes, labels, NOISE, moments=MOMENTS, beta=BETA))  # noqa: B023
        rows.append(
            Row(
                name=f"PATE analysis of {EXAMPLES} queries, {teachers} teachers: loops / arrays",
                value=loops / arrays,
                unit="x",
                target=200 if teachers == 10 else None,
                at_least=True,
                reference="595 ms" if teachers == 10 else "3157 ms",
                note=f"{arrays * 1e3:.2f} ms; loops {loops * 1e3:.0f} ms; largest difference "
                f"{abs(found - by_the_book):.0e}",
            )
        )
    counts = pate.vote_counts(_votes(100)[0])
    answering = _least(lambda: pate.Aggregator(20.0, 60.0, 30.0).answer(counts))
    rows.append(
        Row(
            name=f"Confident-GNMax labels for {EXAMPLES} queries of {CLASSES} classes, exact noise",
            value=answering * 1e3,
            unit="ms",
            note="noise from the exact discrete Gaussian sampler",
        )
    )
    return rows


def _least(run_once: object, times: int = 30) -> float:
    seconds = []
    for _ in range(times):
        started = time.perf_counter()
        run_once()  # type: ignore[operator]
        seconds.append(time.perf_counter() - started)
    return min(seconds)
