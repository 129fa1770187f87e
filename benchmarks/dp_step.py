"""A step of DP-SGD on a CNN with 1.2 million parameters, batch 64, against a plain step and against Opacus.

All sides take the same batch and SGD, with noise multiplier 1.1 and clipping to 1. Ours draws its noise from AES-CTR
and rounds it to a grid; Opacus draws it from torch's generator, without its secure mode, which needs a package that no
torch of today can install. At a worker the step is one of ``fit`` on the worker's own private data set, with every
sample kept apart, on Poisson samples of 64 on average; the model stays there meanwhile.
"""

from __future__ import annotations

import tempfile
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn, optim
from torch.utils.data import DataLoader, TensorDataset

import syft as sy
from benchmarks.measure import alternate, spread
from benchmarks.row import Row
from benchmarks.served_worker import ServedWorker
from syft.dp.sampling import Drawn

BATCH, SAMPLES, CLASSES = 64, 1024, 10
NOISE, NORM, LR = 1.1, 1.0, 0.05
TERMS = {"noise_multiplier": NOISE, "max_grad_norm": NORM}
Step = Callable[[], object]


class Net(nn.Module):
    """Two convolutions and two linear layers: 1 199 882 parameters."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1, self.conv2 = nn.Conv2d(1, 32, 3), nn.Conv2d(32, 64, 3)
        self.fc1, self.fc2 = nn.Linear(9216, 128), nn.Linear(128, CLASSES)

    def forward(self, x: Any) -> Any:
        """Class scores for images of shape (N, 1, 28, 28)."""
        x = F.max_pool2d(F.relu(self.conv2(F.relu(self.conv1(x)))), 2)
        return self.fc2(F.relu(self.fc1(x.flatten(1))))


def images(count: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Random images and classes."""
    return torch.randn(count, 1, 28, 28), torch.randint(0, CLASSES, (count,))


def loader() -> DataLoader[Any]:
    """All images, in batches."""
    return DataLoader(TensorDataset(*images(SAMPLES)), batch_size=BATCH)


def sgd(model: nn.Module) -> optim.SGD:
    """The optimizer of all sides."""
    return optim.SGD(model.parameters(), lr=LR)


def _step(model: Any, optimizer: Any, criterion: Any, batch: tuple[torch.Tensor, torch.Tensor]) -> Step:
    x, y = batch

    def step() -> None:
        optimizer.zero_grad()
        criterion(model(x), y).backward()
        optimizer.step()

    return step


def plain(batch: tuple[torch.Tensor, torch.Tensor]) -> Step:
    """A step of plain torch."""
    model = Net()
    return _step(model, sgd(model), F.cross_entropy, batch)


def ours(batch: tuple[torch.Tensor, torch.Tensor]) -> Step:
    """A private step here."""
    model = Net()
    training = sy.dp.make_private(model, sgd(model), loader(), **TERMS)  # type: ignore[arg-type]
    step = _step(model, training.optimizer, F.cross_entropy, batch)

    def on_the_same_batch() -> None:
        training.loader.drawn = Drawn(1, BATCH)
        step()

    return on_the_same_batch


def opacus(mode: str) -> Callable[[tuple[torch.Tensor, torch.Tensor]], Step]:
    """A step of Opacus in one of its modes."""

    def make(batch: tuple[torch.Tensor, torch.Tensor]) -> Step:
        from opacus import PrivacyEngine

        model = Net()
        settings = {
            "module": model,
            "optimizer": sgd(model),
            "data_loader": loader(),
            "poisson_sampling": False,
            **TERMS,
        }
        criterion: Any = nn.CrossEntropyLoss()
        if mode == "ghost":
            made: Any = PrivacyEngine().make_private(**settings, criterion=criterion, grad_sample_mode=mode)
            private, optimizer, criterion, _ = made
        else:
            private, optimizer, _ = PrivacyEngine().make_private(**settings, grad_sample_mode=mode)
        return _step(private, optimizer, criterion, batch)

    return make


def at(worker: Any, steps: int) -> float:
    """Seconds a step of a private training on the worker's own data set."""
    config = sy.TrainConfig(
        Net(),
        lambda pred, target: F.cross_entropy(pred, target),
        batch_size=BATCH,
        optimizer_args={"lr": LR},
        max_nr_batches=steps,
        example=images(2),
        privacy=sy.dp.TrainingTerms(NOISE, NORM),
    ).send(worker)
    started = time.perf_counter()
    worker.fit("images")
    seconds = time.perf_counter() - started
    config.get_model()
    return seconds / steps


def at_a_virtual_worker(hook: sy.TorchHook, steps: int, repeats: int) -> list[float]:
    """Seconds a step, each time of so many steps, within this process."""
    worker = sy.VirtualWorker(hook, id="dp_benchmark", auto_add=False)
    worker.add_dataset(sy.BaseDataset(*images(SAMPLES)), key="images", private=True)
    worker.privacy.allow(None, sy.dp.Budget(1e6, 1e-5))
    at(worker, 1)
    return [at(worker, steps) for _ in range(repeats)]


def at_a_served_worker(hook: sy.TorchHook, steps: int, repeats: int) -> list[float]:
    """Seconds a step, each time of so many steps, in another process over a websocket."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "images.npz"
        data, targets = images(SAMPLES)
        np.savez(file, data=data.numpy(), targets=targets.numpy())
        options = ["--data", f"images={file}", "--privacy", "data=images,epsilon=1e6,delta=1e-5"]
        options += ["--take", "owner", "--ledger", str(Path(folder) / "ledger")]
        with ServedWorker(*options) as served:
            worker = sy.WebsocketClientWorker(hook, "127.0.0.1", served.port, auto_add=False)
            at(worker, 1)
            seconds = [at(worker, steps) for _ in range(repeats)]
            worker.close(end=True)
    return seconds


TARGETS = {
    "plain torch": (plain, 2.1),
    "Opacus ghost": (opacus("ghost"), 1.05),
    "Opacus hooks": (opacus("hooks"), 1.05),
}


def run(hook: sy.TorchHook, *, quick: bool) -> list[Row]:
    """Measure a step against each of the others, and at workers."""
    torch.manual_seed(0)
    batch = images(BATCH)
    rows, local = [], []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what Opacus says about its secure mode
        for name, (make, target) in TARGETS.items():
            result = alternate(ours(batch), make(batch), pairs=8 if quick else 40, warm_up=2)
            local += result.ours
            mine, other = spread(result.ours).median, spread(result.plain).median
            note = f"{1e3 * mine:.3g} ms ÷ {1e3 * other:.3g} ms"
            ratio = result.ratio()
            rows.append(Row(f"DP-SGD step ÷ {name}", ratio.median, "x", target, spread=str(ratio), note=note))
    here = spread(local).median
    for name, measure in {"virtual": at_a_virtual_worker, "served": at_a_served_worker}.items():
        seconds = spread([taken / here for taken in measure(hook, 5, 2 if quick else 5)])
        rows.append(
            Row(
                f"DP-SGD step at a {name} worker ÷ here",
                seconds.median,
                "x",
                spread=str(seconds),
                note="samples kept apart",
            )
        )
    return rows
