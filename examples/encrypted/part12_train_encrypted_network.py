"""PySyft's tutorial, part 12: a network is trained although data, labels, model and gradients are all encrypted.

python examples/encrypted/part12_train_encrypted_network.py
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import nn, optim

import syft as sy

DATA = torch.tensor([[0, 0], [0, 1], [1, 0], [1, 1.0]])
TARGET = torch.tensor([[0], [0], [1], [1.0]])


class Net(nn.Module):
    """Two inputs, two hidden units, one output."""

    def __init__(self) -> None:
        super().__init__()
        self.fc1, self.fc2 = nn.Linear(2, 2), nn.Linear(2, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.fc2(F.relu(self.fc1(x)))


def train(model: nn.Module, optimizer: optim.Optimizer, data: torch.Tensor, target: torch.Tensor) -> list[torch.Tensor]:
    """Twenty steps, written as for any other tensors.

    Returns:
        The loss of each; shared if the model is.
    """
    losses = []
    for _ in range(20):
        optimizer.zero_grad()
        pred = model(data)
        loss = ((pred - target) ** 2).sum()
        loss.backward()
        optimizer.step()
        losses.append(loss.detach())
    return losses


def plain() -> list[float]:
    """The losses of ordinary training."""
    torch.manual_seed(1)
    model = Net()
    return [loss.item() for loss in train(model, optim.SGD(model.parameters(), lr=0.1), DATA, TARGET)]


def encrypted(bob: sy.VirtualWorker, alice: sy.VirtualWorker, james: sy.VirtualWorker) -> list[float]:
    """The losses of the same training on shares, fetched at the end."""
    torch.manual_seed(1)
    model = Net()
    holders = {"crypto_provider": james, "requires_grad": True}
    data = DATA.fix_precision().share(bob, alice, **holders)
    target = TARGET.fix_precision().share(bob, alice, **holders)
    model = model.fix_precision().share(bob, alice, **holders)
    optimizer = optim.SGD(model.parameters(), lr=0.1).fix_precision()
    return [loss.get().float_precision().item() for loss in train(model, optimizer, data, target)]


def main() -> None:
    """Train both ways."""
    hook = sy.TorchHook(torch)
    bob, alice, james = (sy.VirtualWorker(hook, id=name) for name in ("bob", "alice", "james"))
    print("step   plain  encrypted")
    for step, (here, there) in enumerate(zip(plain(), encrypted(bob, alice, james), strict=True), 1):
        print(f"{step:>4}  {here:.4f}     {there:.3f}")


if __name__ == "__main__":
    main()
