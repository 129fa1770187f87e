"""The encrypted benchmark times what it says: its numbers are torch's, and a wrong result or a missing peer is said."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy
import pytest

from benchmarks import shared_workloads
from benchmarks.encrypted import ENTRIES, Entry, row
from benchmarks.peer_environments import CRYPTEN, SPU
from benchmarks.peer_process import check_error
from benchmarks.peers.workloads import make_workload
from benchmarks.shared_workloads import Parties, prepare

ENTRY = Entry("mul 1e5", target=2, calls=1)


class InTheClear(Parties):
    """Shares nothing, so that the same calls are plain torch."""

    def share(self, secret: Any, **options: object) -> Any:
        return secret


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Results of our side in the clear."""

    def results(name: str) -> tuple[numpy.ndarray, ...]:
        workload, parties = make_workload(name), InTheClear((), None)  # type: ignore[arg-type]
        if workload.kind != "train":
            result: Any = prepare(workload, parties)()()
            return (result.detach().numpy(),)
        ready, model = shared_workloads._training(workload, parties)
        ready()()
        return tuple(parameter.detach().numpy() for parameter in model.parameters())

    return results


@pytest.mark.parametrize("name", sorted({entry.workload for entry in ENTRIES}))
def test_every_workload_is_what_torch_computes(name: str, opened: Any) -> None:
    workload = make_workload(name)
    assert workload.error(opened(name)) < min(1e-4, workload.tolerance)


@pytest.mark.parametrize("name", sorted({entry.workload for entry in ENTRIES}))
def test_control_untrained_or_unrelated_results_are_not_within_the_tolerance(name: str) -> None:
    workload = make_workload(name)
    wrong = workload.parameters if workload.kind == "train" else tuple(numpy.zeros_like(e) for e in workload.expected)
    assert workload.error(wrong) > workload.tolerance
    with pytest.raises(RuntimeError, match="computes .* wrong"):
        check_error("someone", name, workload.error(wrong))


def test_control_results_that_are_not_numbers_are_wrong() -> None:
    with pytest.raises(RuntimeError, match="wrong"):
        check_error("someone", "mul 1e5", float("nan"))


def test_results_of_another_shape_are_refused() -> None:
    workload = make_workload("MLP 784-128-10, batch 1")
    with pytest.raises(ValueError, match="shapes"):
        workload.error((workload.expected[0][0],))


def test_the_ratio_is_that_of_the_faster_peer() -> None:
    theirs = {CRYPTEN.title: [3.0, 9.0, 3.0], SPU.title: [4.0, 4.0, 4.0]}
    measured = row(ENTRY, [1.0, 1.0, 2.0], theirs)
    assert (measured.value, measured.unit, measured.met) == (3.0, "x", True)
    assert row(replace(ENTRY, target=4), [1.0, 1.0, 2.0], theirs).met is False


def test_a_missing_peer_leaves_the_target_open_and_is_named() -> None:
    measured = row(ENTRY, [1.0], {CRYPTEN.title: [3.0]})
    assert (measured.value, measured.met) == (3.0, None)
    assert f"not installed: {SPU.title}" in measured.note
    assert CRYPTEN.title not in measured.note.partition("not installed")[2]


def test_without_peers_our_own_time_is_shown() -> None:
    measured = row(ENTRY, [0.004], {})
    assert (measured.value, measured.unit, measured.met) == (4.0, "ms", None)
