"""Federated training equals local training of one model with one optimizer state a worker: the difference is zero."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable

import pytest
import torch
import torch.nn.functional as F
from torch import nn, optim

import syft as sy

from .four_points import MakeOptimizer, fixed_model, train_locally, train_with_optims

Workers = tuple[sy.VirtualWorker, sy.VirtualWorker]

OPTIMIZERS: dict[str, MakeOptimizer] = {
    "sgd": lambda params: optim.SGD(params, lr=0.05),
    "sgd_momentum": lambda params: optim.SGD(params, lr=0.05, momentum=0.9),
    "sgd_nesterov_decay": lambda params: optim.SGD(params, lr=0.05, momentum=0.9, nesterov=True, weight_decay=0.01),
    "adam": lambda params: optim.Adam(params, lr=0.1),
    "adam_decay": lambda params: optim.Adam(params, lr=0.1, weight_decay=0.01),
    "adam_amsgrad": lambda params: optim.Adam(params, lr=0.1, amsgrad=True),
    "adamw": lambda params: optim.AdamW(params, lr=0.1),
    "adamax": lambda params: optim.Adamax(params, lr=0.1),
    "nadam": lambda params: optim.NAdam(params, lr=0.1),
    "radam": lambda params: optim.RAdam(params, lr=0.1),
    "adagrad": lambda params: optim.Adagrad(params, lr=0.1),
    "adadelta": lambda params: optim.Adadelta(params, lr=0.1),
    "rmsprop": lambda params: optim.RMSprop(params, lr=0.01),
    "rmsprop_centered_momentum": lambda params: optim.RMSprop(params, lr=0.01, centered=True, momentum=0.9),
    "rprop": lambda params: optim.Rprop(params, lr=0.1),
    "asgd": lambda params: optim.ASGD(params, lr=0.05),
}


@pytest.mark.parametrize("make", OPTIMIZERS.values(), ids=OPTIMIZERS.keys())
def test_every_optimizer_gives_the_local_numbers(bob_and_alice: Workers, make: MakeOptimizer) -> None:
    remote = train_with_optims(fixed_model(), bob_and_alice, make, passes=6)
    model = fixed_model()
    local = train_locally(model, [make(model.parameters()), make(model.parameters())], passes=6)
    assert remote.losses == local.losses
    assert remote.parameters() == local.parameters()
    assert local.losses[-1] != local.losses[1]


class Net(nn.Module):
    """The network of the seeds' MNIST program."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Sequential(nn.Conv2d(1, 32, 3, 1), nn.ReLU(), nn.Conv2d(32, 64, 3, 1), nn.ReLU())
        self.fc = nn.Sequential(nn.Linear(64 * 12 * 12, 128), nn.ReLU(), nn.Linear(128, 10))
        self.dropout = nn.Dropout2d(0.25)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Images (n, 1, 28, 28) to log-probabilities (n, 10)."""
        x = F.max_pool2d(self.conv(x), 2)
        return F.log_softmax(self.fc(x.view(-1, 64 * 12 * 12)), dim=1)


def train_cnn(
    model: nn.Module,
    batches: Iterable[tuple[torch.Tensor, torch.Tensor]],
    before: Callable[[torch.Tensor], object],
    after: Callable[[torch.Tensor], float],
) -> list[float]:
    """The seeds' training loop, with what happens around a step given by `before` and `after`."""
    optimizer = optim.SGD(model.parameters(), lr=0.01)
    losses = []
    for data, target in batches:
        before(data)
        data, target = data.to(torch.device("cpu")), target.to(torch.device("cpu"))
        optimizer.zero_grad()
        loss = F.nll_loss(model(data), target)
        loss.backward()
        optimizer.step()
        losses.append(after(loss))
    return losses


@pytest.mark.timeout(120)
def test_cnn_gives_the_local_parameters(bob_and_alice: Workers) -> None:
    generator = torch.Generator().manual_seed(0)
    images = torch.randn(4, 8, 1, 28, 28, generator=generator)
    labels = torch.randint(10, (4, 8), generator=generator)
    torch.manual_seed(0)
    local = Net()
    remote = copy.deepcopy(local)

    local_losses = train_cnn(local, zip(images, labels, strict=True), lambda _: None, lambda loss: loss.item())

    def fetch(loss: torch.Tensor) -> float:
        remote.get()
        return loss.get().item()

    where = [bob_and_alice[0], bob_and_alice[0], bob_and_alice[1], bob_and_alice[1]]
    sent = [
        (image.send(worker), label.send(worker)) for image, label, worker in zip(images, labels, where, strict=True)
    ]
    remote_losses = train_cnn(remote, sent, lambda data: remote.send(data.location), fetch)

    assert remote_losses == local_losses
    for name, value in local.state_dict().items():
        assert torch.equal(remote.state_dict()[name], value), name
    assert [len(worker._objects) for worker in bob_and_alice] == [4, 4]
