"""The demo itself: spread images over virtual workers, train a network there, keep what was measured."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch.nn import functional

from syft.cli.data import Images, digits, mnist
from syft.cli.model import CLASSES, Net
from syft.exceptions import CheckpointError, FederatedError
from syft.federated.averaging import accuracy
from syft.federated.callbacks import Callback
from syft.federated.client import clients_from
from syft.federated.dataset import BaseDataset
from syft.federated.evaluation import Evaluation
from syft.federated.federate import FederatedDataset
from syft.federated.history import History
from syft.federated.partition import Dirichlet, Iid, Partitioner, QuantitySkew, Shards
from syft.federated.trainer import FederatedTrainer
from syft.torch_hook import TorchHook
from syft.workers.virtual import VirtualWorker

_NAMES = ("alice", "bob", "charlie", "dan", "erin", "frank", "grace", "heidi")
_TEST_BATCH = 512


class DataName(StrEnum):
    """The data sets that the demo knows."""

    DIGITS = "digits"
    MNIST = "mnist"


class PartitionName(StrEnum):
    """The ways to spread samples over workers."""

    IID = "iid"
    DIRICHLET = "dirichlet"
    SHARDS = "shards"
    QUANTITY = "quantity"


@dataclass(frozen=True, slots=True)
class Settings:
    """All that decides what a run computes, and where it is written."""

    data: DataName
    root: str | None
    workers: int
    rounds: int
    local_epochs: int
    batch_size: int
    lr: float
    partition: PartitionName
    alpha: float
    redistribute: bool
    seed: int
    limit: int | None

    def partitioner(self) -> Partitioner:
        """How samples are spread, with randomness of its own."""
        generator = torch.Generator().manual_seed(self.seed)
        match self.partition:
            case PartitionName.IID:
                return Iid(self.workers, generator)
            case PartitionName.DIRICHLET:
                return Dirichlet(self.workers, self.alpha, generator=generator)
            case PartitionName.SHARDS:
                return Shards(self.workers, generator=generator)
            case PartitionName.QUANTITY:
                return QuantitySkew(self.workers, self.alpha, generator=generator)


@dataclass(frozen=True, slots=True)
class Files:
    """What a run leaves in its folder."""

    folder: Path

    @property
    def settings(self) -> Path:
        """The settings, written first, so that a run that is gone on with can be compared."""
        return self.folder / "settings.json"

    @property
    def checkpoint(self) -> Path:
        """The model and all that is needed to go on."""
        return self.folder / "checkpoint.pt"

    @property
    def figures(self) -> Path:
        """Every number that was measured."""
        return self.folder / "figures.json"

    @property
    def chart(self) -> Path:
        """The curves."""
        return self.folder / "training.png"


class Experiment:
    """One run of the demo, made ready: data loaded and spread, network and trainer built.

    Args:
        settings: what to run.
        folder: where files go; made if it is missing.
        resume: go on from the checkpoint in that folder.

    Raises:
        FederatedError: data is missing or does not suffice for the workers.
        CheckpointError: there is nothing to go on from, or it was made with other settings.
        DependencyError: scikit-learn is needed and missing.
    """

    def __init__(self, settings: Settings, folder: Path, *, resume: bool = False) -> None:
        self.settings, self.files = settings, Files(folder)
        if resume:
            self._check_same_settings()
        self.images = _load(settings)
        names = worker_names(settings.workers)
        parts = settings.partitioner()(self.images.train_y)
        self.class_counts = {
            name: torch.bincount(self.images.train_y[part], minlength=CLASSES).tolist()
            for name, part in zip(names, parts, strict=True)
        }
        torch.manual_seed(settings.seed)
        self.trainer = self._trainer(names, parts)
        self.done = self.trainer.resume(self.files.checkpoint) if resume else 0

    def _trainer(self, names: Sequence[str], parts: Sequence[torch.Tensor]) -> FederatedTrainer:
        hook = TorchHook(torch)
        held = []
        for name, part in zip(names, parts, strict=True):
            worker = VirtualWorker(hook, id=name, auto_add=False)  # nobody needs to find it by its name
            x: Any = self.images.train_x[part]
            y: Any = self.images.train_y[part]
            held.append(BaseDataset(x.send(worker), y.send(worker)))
        tests = list(zip(self.images.test_x.split(_TEST_BATCH), self.images.test_y.split(_TEST_BATCH), strict=True))
        return FederatedTrainer(
            Net(self.images.size),
            clients_from(FederatedDataset(held), batch_size=self.settings.batch_size, shuffle=True),
            functional.nll_loss,
            optimizer=partial(torch.optim.SGD, lr=self.settings.lr),
            local_epochs=self.settings.local_epochs,
            redistribute=self.settings.redistribute,
            evaluate=Evaluation(tests, {"accuracy": accuracy, "loss": functional.nll_loss}),
            evaluate_clients=True,
        )

    @property
    def samples(self) -> dict[str, int]:
        """How many samples each worker holds."""
        return {name: sum(counts) for name, counts in self.class_counts.items()}

    @property
    def batches_per_round(self) -> int:
        """How many batches all workers train on in a round."""
        size = self.settings.batch_size
        return self.settings.local_epochs * sum(-(-count // size) for count in self.samples.values())

    def run(self, callbacks: Sequence[Callback]) -> History:
        """Train the rounds that are left, writing a checkpoint after each, and the figures at the end.

        Args:
            callbacks: told of progress.

        Returns:
            The records of all rounds.
        """
        self._write(self.files.settings, asdict(self.settings))
        left = max(0, self.settings.rounds - self.done)
        history = self.trainer.fit(left, callbacks=callbacks, checkpoint=self.files.checkpoint)
        figures = {"settings": asdict(self.settings), "class_counts": self.class_counts, **history.to_dict()}
        self._write(self.files.figures, figures)
        return history

    def _write(self, path: Path, content: Any) -> None:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
        except OSError as error:
            raise FederatedError(f"{path} cannot be written: {error.strerror}; choose another folder.") from error

    def _check_same_settings(self) -> None:
        path = self.files.settings
        try:
            before = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise CheckpointError(
                f"there is no run to go on with in {self.files.folder}; start one without --resume."
            ) from error
        now = json.loads(json.dumps(asdict(self.settings)))
        changed = [name for name in now if name != "rounds" and before.get(name) != now[name]]
        if changed:
            was = ", ".join(f"--{name.replace('_', '-')} {before.get(name)}" for name in changed)
            raise CheckpointError(
                f"the run in {self.files.folder} was started with {was}; go on with the same settings."
            )


def worker_names(count: int) -> list[str]:
    """Names for the workers of the demo.

    Args:
        count: how many.

    Returns:
        As many different names.

    Example:
        >>> worker_names(2)
        ['alice', 'bob']
    """
    return [*_NAMES[:count], *(f"worker-{number}" for number in range(len(_NAMES) + 1, count + 1))]


def _load(settings: Settings) -> Images:
    if settings.data is DataName.DIGITS:
        return digits(settings.seed, settings.limit)
    if settings.root is None:
        raise FederatedError("--data mnist needs --root DIR, the folder with the four MNIST idx files.")
    return mnist(settings.root, settings.limit)
