"""Parallel training: the average goes back out, and then it keeps improving."""

from __future__ import annotations

import pytest
import torch
from torch import optim

import syft as sy
from syft.frameworks.torch.fl import utils

from .four_points import HALVES, LABELS, POINTS, fixed_model, squared_error

# Losses of the averaged model on all four points, printed by 0.2.4: ten rounds of two local SGD(0.1) steps a worker.
REDISTRIBUTED = [0.5825, 0.4426, 0.3534, 0.2849, 0.2303, 0.1864, 0.151, 0.1225, 0.0994, 0.0807]
FINAL_PARAMETERS = [0.7248, -0.0682, 0.1803]


def test_the_average_that_is_sent_back_improves_each_round(
    bob_and_alice: tuple[sy.VirtualWorker, sy.VirtualWorker],
) -> None:
    datasets = [
        (points.send(worker), labels.send(worker))
        for (points, labels), worker in zip(HALVES, bob_and_alice, strict=True)
    ]
    model = fixed_model()
    losses = []
    for _ in range(10):
        trained = {}
        for points, labels in datasets:
            local = model.copy().send(points.location)
            optimizer = optim.SGD(local.parameters(), lr=0.1)
            for _ in range(2):
                optimizer.zero_grad()
                squared_error(local, points, labels).backward()
                optimizer.step()
            trained[points.location.id] = local.get()
        model = utils.federated_avg(trained)
        with torch.no_grad():
            losses.append(squared_error(model, POINTS, LABELS).item())
    assert losses == pytest.approx(REDISTRIBUTED, abs=6e-5)
    assert [*model.weight.flatten().tolist(), model.bias.item()] == pytest.approx(FINAL_PARAMETERS, abs=6e-5)
    assert [len(worker._objects) for worker in bob_and_alice] == [2, 2]
