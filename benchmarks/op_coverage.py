"""The share of torch's operator test database that comes out right through pointers."""

from __future__ import annotations

from collections import Counter

import syft as sy
from benchmarks.row import Row
from tests.opdb.coverage import MODES, database
from tests.opdb.coverage import run as run_database
from tests.opdb.expected import INTERNAL

QUICK_STRIDE = 12


def run(hook: sy.TorchHook, *, quick: bool) -> list[Row]:
    """Run the database in both modes; ops that torch keeps to itself do not count."""
    ops = [name for name in database() if name not in INTERNAL]
    if quick:
        ops = ops[::QUICK_STRIDE]
    rows = []
    for mode in MODES:
        report = run_database(mode, ops)
        reasons = Counter(failure.reason.partition(":")[0] for failure in report.failures)
        rows.append(
            Row(
                name=f"torch's operator database through pointers, {mode}",
                value=100 * report.share,
                unit="%",
                target=99.0,
                at_least=True,
                note=f"{report.right} of {report.samples} samples of {len(ops)} ops; "
                f"{len(report.failed_ops)} ops fail" + (f": {dict(reasons)}" if reasons else ""),
                samples={"failed_ops": sorted(report.failed_ops), "skipped": report.skipped},
            )
        )
    return rows
