"""Every op of torch's test database gives on a worker what it gives here, gradients included."""

from __future__ import annotations

import re
import zlib
from functools import cache
from types import SimpleNamespace
from typing import Any
from unittest import mock

import pytest
import torch

import syft as sy
from tests.opdb.coverage import MODES, Mode, Report, database, run, worker_of
from tests.opdb.expected import EXPECTED, INTERNAL
from tests.opdb.trial import Wrong, check

SHARDS = 24
SHARE = 0.99
WAYS = [pytest.param(mode, marks=pytest.mark.slow) if mode == "network" else mode for mode in MODES]
KNOWN_TORCH = (2, 13)  # whose database the tables of known failures describe

pytestmark = pytest.mark.skipif(
    tuple(int(part) for part in torch.__version__.split(".")[:2]) != KNOWN_TORCH,
    reason=f"the known failures are those of torch {KNOWN_TORCH}",
)


@cache
def ops_of(shard: int) -> tuple[str, ...]:
    """The ops of one shard; collecting the tests does not import the database."""
    return tuple(name for name in database() if zlib.crc32(name.encode()) % SHARDS == shard)


@cache
def report(mode: Mode, shard: int) -> Report:
    """The outcome of one shard, worked out once."""
    return run(mode, ops_of(shard))


@pytest.mark.timeout(300)
@pytest.mark.parametrize("shard", range(SHARDS))
@pytest.mark.parametrize("mode", WAYS)
def test_ops_come_out_right_and_the_others_are_known(mode: Mode, shard: int) -> None:
    known = {name: why for name, why in (EXPECTED | INTERNAL).items() if name in ops_of(shard)}
    outcome = report(mode, shard)
    strange = [f for f in outcome.failures if f.op not in known or not f.reason.startswith(known[f.op].error.__name__)]
    assert not strange, "\n".join(map(str, strange))
    assert set(known) - outcome.failed_ops == set(), "these come out right now: take them off the list"


@pytest.mark.timeout(3600)
@pytest.mark.parametrize("mode", WAYS)
def test_nearly_all_samples_of_the_public_interface_come_out_right(mode: Mode) -> None:
    reports = [report(mode, shard) for shard in range(SHARDS)]
    wrong = sum(failure.op not in INTERNAL for outcome in reports for failure in outcome.failures)
    right = sum(outcome.right for outcome in reports)
    assert right > 20_000
    assert right / (right + wrong) >= SHARE


@pytest.mark.timeout(300)
@pytest.mark.network
def test_a_sample_of_each_op_comes_out_right_on_a_worker_in_another_process() -> None:
    outcome = run("network", most=1)
    known = EXPECTED | INTERNAL
    strange = [f for f in outcome.failures if f.op not in known or not f.reason.startswith(known[f.op].error.__name__)]
    assert not strange, "\n".join(map(str, strange))
    assert outcome.right > 1000


def test_control_a_worker_with_another_random_state_is_found() -> None:
    def drawn(x: Any) -> Any:
        return torch.rand_like(x)

    with worker_of("network") as worker:
        check(SimpleNamespace(name="drawn", op=drawn), sample(1.0, 2.0), worker)
    with worker_of("network") as worker, mock.patch.object(torch, "manual_seed", torch.random.manual_seed):
        with pytest.raises(Wrong, match="result 0"):
            check(SimpleNamespace(name="drawn", op=drawn), sample(1.0, 2.0), worker)


def test_the_lists_name_ops_of_the_database() -> None:
    assert set(EXPECTED | INTERNAL) <= set(database())
    assert not set(EXPECTED) & set(INTERNAL)


@pytest.mark.parametrize("name", INTERNAL)
def test_internal_ops_are_refused_by_a_name_that_is_not_public(name: str) -> None:
    reasons = {failure.reason for failure in run("reference", [name]).failures[:1]}
    assert all(re.search(r"'(aten\.|torch\._)", reason) for reason in reasons), reasons
    assert reasons


@pytest.fixture
def worker() -> sy.VirtualWorker:
    return sy.VirtualWorker(sy.TorchHook(torch), id="opdb-control")


def sample(*values: float) -> SimpleNamespace:
    operand = torch.tensor(values, requires_grad=True)
    return SimpleNamespace(input=operand, args=(), kwargs={}, output_process_fn_grad=lambda out: out)


def test_control_a_wrong_value_is_found(worker: sy.VirtualWorker) -> None:
    broken = SimpleNamespace(name="broken", op=lambda x: x + 1 if x.is_wrapper else x + 2)
    with pytest.raises(Wrong, match="result 0"):
        check(broken, sample(1.0, 2.0), worker)


def test_control_a_wrong_gradient_is_found(worker: sy.VirtualWorker) -> None:
    broken = SimpleNamespace(name="broken", op=lambda x: x * 2 - x.detach() if x.is_wrapper else x * 1)
    with pytest.raises(Wrong, match="gradient 0"):
        check(broken, sample(1.0, 2.0), worker)


def test_control_a_lost_gradient_is_found(worker: sy.VirtualWorker) -> None:
    broken = SimpleNamespace(name="broken", op=lambda x: x.detach() if x.is_wrapper else x * 1)
    with pytest.raises(Wrong):
        check(broken, sample(1.0, 2.0), worker)


def test_control_another_dtype_is_found(worker: sy.VirtualWorker) -> None:
    broken = SimpleNamespace(name="broken", op=lambda x: x.double() if x.is_wrapper else x * 1)
    with pytest.raises(Wrong, match="dtype"):
        check(broken, sample(1.0, 2.0), worker)


def test_control_a_right_op_passes(worker: sy.VirtualWorker) -> None:
    check(SimpleNamespace(name="right", op=lambda x: x * 2), sample(1.0, 2.0), worker)
    assert worker._objects == {}
