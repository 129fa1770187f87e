"""Federated losses and weights against central training: the largest difference."""

from __future__ import annotations

import copy

import torch
from torch import nn, optim

import syft as sy
from benchmarks import cnn_step
from benchmarks.models import LABELS, POINTS, Net, mnist_batches
from benchmarks.row import Row
from syft.federated.floptimizer import Optims


def largest_difference(ours: nn.Module, theirs: nn.Module) -> float:
    """Largest absolute difference between the parameters of two modules."""
    pairs = zip(ours.parameters(), theirs.parameters(), strict=True)
    return max((one - other).abs().max().item() for one, other in pairs)


def four_point_difference(workers: list[sy.VirtualWorker]) -> float:
    """Twenty passes of the seeds' `Optims` with Adam, against two Adam states over one local model."""
    halves = [(POINTS[:2], LABELS[:2]), (POINTS[2:], LABELS[2:])]
    torch.manual_seed(0)
    central = nn.Linear(2, 1)
    federated = copy.deepcopy(central)
    adams = [optim.Adam(central.parameters(), lr=0.1) for _ in workers]
    optims = Optims([worker.id for worker in workers], optim=optim.Adam(params=federated.parameters(), lr=0.1))
    sent = [(x.send(worker), y.send(worker)) for (x, y), worker in zip(halves, workers, strict=True)]
    difference = 0.0
    for _ in range(20):
        for (x, y), (remote_x, remote_y), adam in zip(halves, sent, adams, strict=True):
            adam.zero_grad()
            local_loss = ((central(x) - y) ** 2).sum()
            local_loss.backward()
            adam.step()
            federated.send(remote_x.location)
            optimizer = optims.get_optim(remote_x.location.id)
            optimizer.zero_grad()
            remote_loss = ((federated(remote_x) - remote_y) ** 2).sum()
            remote_loss.backward()
            optimizer.step()
            federated.get()
            difference = max(difference, abs(remote_loss.get().item() - local_loss.item()))
    return max(difference, largest_difference(federated, central))


def cnn_difference(workers: list[sy.VirtualWorker], batches: int) -> float:
    """The seeds' CNN over batches that lie on the workers in turn, against the same batches at home."""
    torch.manual_seed(0)
    central = Net()
    federated = copy.deepcopy(central)
    central_sgd, federated_sgd = (optim.SGD(model.parameters(), lr=0.01) for model in (central, federated))
    difference = 0.0
    for index, (data, target) in enumerate(mnist_batches(batches, 64)[0]):
        worker = workers[index % len(workers)]
        local_loss = cnn_step.train_step(central, central_sgd, data, target)
        federated.send(worker)
        remote_loss = cnn_step.train_step(federated, federated_sgd, data.send(worker), target.send(worker))
        federated.get()
        difference = max(difference, abs(remote_loss.get().item() - local_loss.item()))
    return max(difference, largest_difference(federated, central))


def run(hook: sy.TorchHook, *, quick: bool) -> list[Row]:
    """Compare the four points with Adam and the CNN with SGD, by reference and over serialised messages."""
    found = {}
    for mode in ("by reference", "wire"):
        workers = [
            sy.VirtualWorker(hook, id=f"benchmark_{name}_{mode.replace(' ', '_')}", wire=mode == "wire")
            for name in ("bob", "alice")
        ]
        found[f"four points, {mode}"] = four_point_difference(workers)
        found[f"CNN, {mode}"] = cnn_difference(workers, batches=2 if quick else 10)
    return [
        Row(
            name="federated losses and weights – central ones, largest difference",
            value=max(found.values()),
            unit="",
            target=1e-6,
            reference="0",
            note="; ".join(f"{name}: {value:.1e}" for name, value in found.items()),
            samples=dict(found),
        )
    ]
