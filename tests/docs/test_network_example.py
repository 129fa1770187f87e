"""``examples/websocket_mnist``: it runs as its page says, and loses and finds a worker on the way."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]


@pytest.mark.network
@pytest.mark.timeout(180)
def test_the_network_demo_loses_a_worker_and_finds_it_again(tmp_path: Path) -> None:
    pytest.importorskip("sklearn", reason="the small digits come with scikit-learn")
    figures = tmp_path / "figures.json"
    command = ["examples/websocket_mnist/run.py", "--rounds", "8", "--max-batches", "15", "--json", str(figures)]
    environment = {**os.environ, "PYTHONPATH": f"{REPOSITORY / 'src'}:{REPOSITORY}", "OMP_NUM_THREADS": "1"}
    finished = subprocess.run(
        [sys.executable, *command], cwd=REPOSITORY, env=environment, capture_output=True, text=True, timeout=170
    )
    assert finished.returncode == 0, finished.stderr
    rounds = json.loads(figures.read_text())["rounds"]
    assert [sorted(record["lost"]) for record in rounds] == [[]] * 4 + [["charlie"]] * 2 + [[]] * 2
    assert [len(record["clients"]) for record in rounds] == [3, 3, 3, 3, 2, 2, 3, 3]
    accuracy = [record["metrics"]["accuracy"] for record in rounds]
    assert accuracy[-1] > 0.5 and accuracy[-1] > accuracy[0]
    for said in ("charlie is killed while it trains", "charlie is started again", "charlie is back"):
        assert said in finished.stdout
