"""The benchmarks by name, in the order of the table."""

from __future__ import annotations

from typing import Protocol

import syft as sy
from benchmarks import (
    cnn_step,
    dp_step,
    encrypted,
    equality,
    four_points,
    he_ckks,
    he_paillier,
    import_time,
    leaks,
    network_adds,
    network_bytes,
    network_delay,
    network_idle,
    network_round_trip,
    network_training,
    op_coverage,
    pate,
    plain_torch,
    plans,
    remote_add,
)
from benchmarks.row import Row


class Benchmark(Protocol):
    """A measurement: with the hooked torch it returns its rows; `quick` takes fewer samples."""

    def __call__(self, hook: sy.TorchHook, *, quick: bool) -> list[Row]: ...


SUITE: dict[str, Benchmark] = {
    "cnn_step": cnn_step.run,
    "four_points": four_points.run,
    "remote_add": remote_add.run,
    "plain_torch": plain_torch.run,
    "import_time": import_time.run,
    "leaks": leaks.run,
    "op_coverage": op_coverage.run,
    "equality": equality.run,
    "plans": plans.run,
    "network_adds": network_adds.run,
    "network_round_trip": network_round_trip.run,
    "network_bytes": network_bytes.run,
    "network_training": network_training.run,
    "network_delay": network_delay.run,
    "network_idle": network_idle.run,
    "encrypted": encrypted.run,
    "dp_step": dp_step.run,
    "he_ckks": he_ckks.run,
    "he_paillier": he_paillier.run,
    "pate": pate.run,
}
