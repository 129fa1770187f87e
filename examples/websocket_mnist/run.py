"""Federated training over three worker processes, one of which is killed and comes back.

    python examples/websocket_mnist/run.py --mnist DIR

Starts three ``syft worker`` processes on this machine. Alice holds the digits 0 to 3, bob 4 to 6 and charlie 7 to 9.
Each round every worker trains the model on its own images; the average of the three models is tested on all digits.
In the middle of round 5 charlie is killed; after round 6 it is started again. Watch what the average forgets meanwhile.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections.abc import Mapping
from pathlib import Path

import torch
import torch.nn.functional as F
from rich.console import Console
from rich.table import Table
from torch import nn

import syft as sy
from examples.websocket_mnist.data import DIGITS, Images, mnist, small_digits
from examples.websocket_mnist.workers import LocalWorker, Workers
from syft.federated.callbacks import Callback, WorkReport
from syft.federated.history import History, RoundRecord
from syft.federated.worker_bars import WorkerBars

KILLED, KILLED_IN, BACK_AFTER = "charlie", 5, 6


class Net(nn.Module):
    """Two convolutions and two dense layers; images of shape (N, size, size) to logarithms of probabilities (N, 10)."""

    def __init__(self, size: int, mean: float, deviation: float) -> None:
        super().__init__()
        self.mean, self.deviation = mean, deviation
        pooled = (size - 4) // 2
        self.first, self.second = nn.Conv2d(1, 32, 3), nn.Conv2d(32, 64, 3)
        self.dense, self.last = nn.Linear(64 * pooled * pooled, 128), nn.Linear(128, 10)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        x = (images.unsqueeze(1) - self.mean) / self.deviation
        x = F.max_pool2d(F.relu(self.second(F.relu(self.first(x)))), 2)
        return F.log_softmax(self.last(F.relu(self.dense(x.flatten(1)))), dim=1)


class Accuracy:
    """How many of the test images the averaged model gets right: of all, and of those of each worker's digits."""

    def __init__(self, images: torch.Tensor, labels: torch.Tensor) -> None:
        self.images, self.labels = images, labels

    def __call__(self, model: nn.Module) -> Mapping[str, float]:
        with torch.no_grad():
            found = torch.cat([model(part).argmax(1) for part in self.images.split(1000)])
        right = found == self.labels
        figures = {"accuracy": right.float().mean().item()}
        for which in DIGITS.values():
            first, last = map(int, which.split("-"))
            inside = (self.labels >= first) & (self.labels <= last)
            figures[f"digits {which}"] = right[inside].float().mean().item()
        return figures


class Accident(Callback):
    """Kills a worker while it trains, and starts it again two rounds later."""

    def __init__(self, worker: LocalWorker, console: Console) -> None:
        self.worker, self.console, self.done = worker, console, False

    def on_work(self, report: WorkReport) -> None:
        if report.client == KILLED and report.round == KILLED_IN and report.steps > 0 and not self.done:
            self.done = True
            self.worker.kill()
            self.console.print(f"[red]round {KILLED_IN:>3}  {KILLED} is killed while it trains[/]", highlight=False)

    def on_round_end(self, record: RoundRecord, model: nn.Module) -> None:
        if record.round == BACK_AFTER:
            self.worker.restart()
            self.console.print(f"[green]           {KILLED} is started again[/]", highlight=False)


def train(images: Images, rounds: int, max_batches: int, logs: Path, console: Console) -> History:
    """Start the workers, train, stop them."""
    hook = sy.TorchHook(torch)
    torch.manual_seed(1)
    with Workers(images.held, logs) as processes:
        workers = {
            name: sy.WebsocketClientWorker(hook, "localhost", process.port, id=name)
            for name, process in processes.items()
        }
        trainer = sy.ConcurrentTrainer(
            Net(images.size, *images.normal),
            workers,
            F.nll_loss,
            dataset="digits",
            example=(images.test[0][:2], images.test[1][:2]),
            optimizer_args={"lr": 0.05},
            batch_size=32,
            max_batches=max_batches,
            quorum=2,
            progress_timeout=30,
            evaluate=Accuracy(*images.test),
        )
        with WorkerBars(console) as bars:
            history = trainer.fit(rounds, callbacks=[bars, Accident(processes[KILLED], console)])
        for worker in workers.values():
            worker.close(end=True)
    return history


def table_of(history: History) -> Table:
    """The rounds: who took part, and what the average knows."""
    table = Table(
        title="Accuracy of the averaged model, over all digits and by those of each worker",
        box=None,
        pad_edge=False,
        header_style="bold",
        title_justify="left",
    )
    columns = list(history[0].metrics)
    for heading in ("round", "left out", "loss", *columns, "seconds"):
        table.add_column(heading.removeprefix("digits "), justify="right")
    for record in history.rounds:
        figures = [f"{record.metrics[name]:.1%}" for name in columns]
        lost = f"[red]{', '.join(record.lost) or '–'}[/]"
        table.add_row(str(record.round), lost, f"{record.train_loss:.4f}", *figures, f"{record.seconds:.1f}")
    return table


def main() -> None:
    """Read the command line, train, show the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--mnist", type=Path, metavar="DIR", help="the four MNIST files; small digits without")
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--max-batches", type=int, default=100, help="batches of 32 that a worker trains on in a round")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write every figure to FILE")
    options = parser.parse_args()
    console = Console()
    with tempfile.TemporaryDirectory() as folder:
        there = options.mnist is not None and options.mnist.is_dir()
        if options.mnist is not None and not there:
            console.print(f"{options.mnist} is not there; training on the small digits of scikit-learn instead")
        images = mnist(options.mnist) if there else small_digits(Path(folder))
        held = ", ".join(f"{name} holds {which}" for name, which in DIGITS.items())
        console.print(f"[bold]{images.name} over three processes:[/] {held}\n", highlight=False, soft_wrap=True)
        history = train(images, options.rounds, options.max_batches, Path(folder), console)
    console.print()
    console.print(table_of(history))
    if options.json is not None:
        options.json.write_text(json.dumps(history.to_dict(), indent=2) + "\n")


if __name__ == "__main__":
    main()
