"""No op reads or overwrites what lies beside its operands: there lie the objects of others."""

from __future__ import annotations

import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import torch

from tests.security.hostile_calls import cases, fused, outcome

ROOT = Path(__file__).resolve().parents[2]
START = f"import sys; sys.path[:0] = [{str(ROOT)!r}, {str(ROOT / 'src')!r}]\nfrom tests.security.hostile_calls import main\nmain()"


def test_operands_that_do_not_fit_are_refused_or_harmless() -> None:
    done = subprocess.run([sys.executable, "-c", START], capture_output=True, text=True, timeout=50, cwd=ROOT)
    lines = done.stdout.splitlines()
    harmful = [line for line in lines if not line.endswith(('"refused"', '"ran"'))]
    assert harmful == [], done.stderr
    assert done.returncode == 0, done.stderr
    assert len(lines) == len(list(cases()))
    assert Counter(line.rsplit(" ", 1)[1] for line in lines)['"refused"'] > 30


def test_control_torch_by_itself_reads_the_neighbours(bob: Any, monkeypatch: Any) -> None:
    op, args, kwargs = fused("sgd", g=1)

    class Unguarded:
        name, key, returns = "torch._fused_sgd_", "", None
        fn = staticmethod(torch._fused_sgd_)

    monkeypatch.setattr("syft.workers.executor.op_named", lambda name: Unguarded)
    assert outcome(bob, op, args, kwargs) == "read its neighbours"
    op, args, kwargs = fused("sgd", a=20)
    assert outcome(bob, op, args, kwargs) == "overwrote its neighbours"
    op, args, kwargs = fused("sgd")
    assert outcome(bob, op, args, kwargs) == "ran"
