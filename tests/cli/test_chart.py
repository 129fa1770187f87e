"""The chart: drawn for every shape of run, also the odd ones."""

from __future__ import annotations

import math
import struct
from pathlib import Path

import pytest

from syft.cli.chart import draw
from syft.exceptions import FederatedError
from syft.federated.history import ClientRecord, History, RoundRecord

pytest.importorskip("matplotlib", reason="the chart needs it")


def history(workers: int, rounds: int, *, decay: float = 1.0, last: float | None = None) -> History:
    made = History()
    for number in range(1, rounds + 1):
        loss = last if last is not None and number == rounds else math.exp(-decay * number)
        clients = {
            f"worker {n}": ClientRecord(10, 1, loss, 0.1, 0.1, {"accuracy": 1 - min(loss, 1.0), "loss": loss * (1 + n)})
            for n in range(workers)
            if (n + number) % 3 or number == 1  # not everyone takes part in every round
        }
        made.append(RoundRecord(number, 1.0, clients, {"accuracy": 0.5, "loss": loss}))
    return made


def size(path: Path) -> tuple[int, int]:
    header = path.read_bytes()[:24]
    assert header[:8] == b"\x89PNG\r\n\x1a\n"
    width, height = struct.unpack(">II", header[16:24])
    return width, height


def counts(workers: int) -> dict[str, list[int]]:
    return {f"worker {n}": [n + label for label in range(10)] for n in range(workers)}


@pytest.mark.parametrize(
    ("workers", "made"),
    [
        (1, history(1, 1)),
        (3, history(3, 2)),
        (8, history(8, 13, decay=0.5)),
        (30, history(30, 40, decay=0.01)),
        (2, history(2, 3, last=math.nan)),
        (2, history(2, 3, last=math.inf)),
        (2, history(2, 3, last=0.0)),
    ],
)
def test_every_run_can_be_drawn(tmp_path: Path, workers: int, made: History) -> None:
    path = tmp_path / "chart.png"
    draw(path, made, counts(workers), title="A title", subtitle="and more")
    width, height = size(path)
    assert width == 1650
    assert height == pytest.approx((6.25 + 0.34 * min(workers, 8)) * 150, abs=1)


def test_where_it_cannot_be_written(tmp_path: Path) -> None:
    with pytest.raises(FederatedError, match="cannot be written"):
        draw(tmp_path / "no" / "folder.png", history(1, 1), counts(1), title="", subtitle="")
