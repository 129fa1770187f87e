"""Private training keeps nothing of a step that is over."""

from __future__ import annotations

import gc

import torch
from torch.utils.data import DataLoader, TensorDataset

import syft as sy


def _tensors() -> int:
    gc.collect()
    return sum(issubclass(type(thing), torch.Tensor) for thing in gc.get_objects())


def test_no_tensor_outlives_its_step() -> None:
    model = torch.nn.Sequential(torch.nn.Linear(4, 8), torch.nn.Tanh(), torch.nn.Linear(8, 2))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    data = TensorDataset(torch.randn(64, 4), torch.randint(0, 2, (64,)))
    model, optimizer, loader = sy.dp.make_private(
        model, optimizer, DataLoader(data, batch_size=16), max_grad_norm=1.0, noise_multiplier=1.0
    )
    held = []
    for _ in range(3):
        for inputs, targets in loader:
            optimizer.zero_grad()
            torch.nn.functional.cross_entropy(model(inputs), targets).backward()
            optimizer.step()
        del inputs, targets
        held.append(_tensors())
    assert held[2] <= held[1]
