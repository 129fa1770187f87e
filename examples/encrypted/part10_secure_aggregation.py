"""PySyft's tutorial, part 10: the average of models that nobody sees one by one.

    python examples/encrypted/part10_secure_aggregation.py

Bob and alice each train a model on data of their own. Whoever fetches one of these models learns something about the
data it was trained with. Here, bob and alice share their parameters first; the shares are added up where they are, and
only the sums are fetched.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import nn, optim

import syft as sy

Data = list[tuple[torch.Tensor, torch.Tensor]]


class Net(nn.Module):
    """Predicts how a disease goes on from ten measurements; (N, 10) to (N, 1)."""

    def __init__(self) -> None:
        super().__init__()
        self.fc1, self.fc2, self.fc3 = nn.Linear(10, 32), nn.Linear(32, 24), nn.Linear(24, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.fc3(F.relu(self.fc2(F.relu(self.fc1(x)))))


def load() -> tuple[torch.Tensor, torch.Tensor]:
    """scikit-learn's 442 patients with diabetes: measurements and outcome, with mean 0 and deviation 1."""
    from sklearn.datasets import load_diabetes

    loaded = load_diabetes()
    x, y = torch.from_numpy(loaded.data).float(), torch.from_numpy(loaded.target).float()
    order = torch.randperm(len(y), generator=torch.Generator().manual_seed(0))
    return ((x - x.mean(0)) / x.std(0))[order], ((y - y.mean()) / y.std())[order]


def batches(x: torch.Tensor, y: torch.Tensor, worker: sy.VirtualWorker, size: int = 16) -> Data:
    """The data in batches, at a worker."""
    return [(a.send(worker), b.send(worker)) for a, b in zip(x.split(size), y.split(size), strict=True)]


def update(model: nn.Module, optimizer: optim.Optimizer, data: torch.Tensor, target: torch.Tensor) -> None:
    """One step of training, where the data is."""
    model.send(data.location)
    optimizer.zero_grad()
    F.mse_loss(model(data).view(-1), target).backward()
    optimizer.step()


def averaged(
    params: Sequence[list[nn.Parameter]], workers: Sequence[sy.VirtualWorker], james: sy.VirtualWorker
) -> list[torch.Tensor]:
    """The mean of each parameter over the models.

    Args:
        params: the parameters of each model, each model at its worker.
        workers: who holds the shares.
        james: makes the randomness; holds nothing.
    """
    means = []
    for same in zip(*params, strict=True):
        # Each worker shares its own parameter; get() fetches who holds the shares, and not one value.
        shared = [p.copy().fix_precision().share(*workers, crypto_provider=james).get() for p in same]
        means.append(sum(shared[1:], shared[0]).get().float_precision() / len(shared))
    return means


def train(
    models: Sequence[nn.Module],
    workers: Sequence[sy.VirtualWorker],
    james: sy.VirtualWorker,
    data: Sequence[Data],
    optimizers: Sequence[optim.Optimizer],
) -> None:
    """Train each model on its worker's data for an epoch, and give all of them the average."""
    for model, optimizer, part in zip(models, optimizers, data, strict=True):
        for x, y in part:
            update(model, optimizer, x, y)
    params = [list(model.parameters()) for model in models]
    means = averaged(params, workers, james)
    with torch.no_grad():
        for model in models:
            model.get()
        for same, mean in zip(zip(*params, strict=True), means, strict=True):
            for param in same:
                param.set_(mean.clone())


def main() -> None:
    """Read the command line and train."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--epochs", type=int, default=10)
    options = parser.parse_args()
    hook = sy.TorchHook(torch)
    bob, alice, james = (sy.VirtualWorker(hook, id=name) for name in ("bob", "alice", "james"))
    torch.manual_seed(1)
    x, y = load()
    test_x, test_y = x[:42], y[:42]
    data = [batches(x[42:242], y[42:242], bob), batches(x[242:], y[242:], alice)]
    models = [Net(), Net()]
    models[1].load_state_dict(models[0].state_dict())
    optimizers = [optim.SGD(model.parameters(), lr=0.05) for model in models]
    for epoch in range(options.epochs):
        train(models, [bob, alice], james, data, optimizers)
        with torch.no_grad():
            error = F.mse_loss(models[0](test_x).view(-1), test_y)
        print(f"epoch {epoch + 1:>2}  mean squared error on patients that nobody trained with {error.item():.4f}")


if __name__ == "__main__":
    main()
