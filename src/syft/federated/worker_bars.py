"""`WorkerBars`: a progress bar for each worker of concurrent rounds, in a terminal or a notebook."""

from __future__ import annotations

import math
from typing import Any

from rich.console import Console
from rich.live import Live
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn
from torch import nn

from syft.federated.callbacks import Callback, WorkReport
from syft.federated.history import RoundRecord
from syft.federated.strategies import ClientUpdate

_STAGES = {"connect": "connecting", "send": "receiving the model", "train": "training", "fetch": "sending its model"}


def progress_bars(console: Console) -> Progress:
    """Bars with counts, times and a ``note`` each.

    Args:
        console: where to draw.
    """
    return Progress(
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(bar_width=28),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("[dim]{task.fields[note]}"),
        console=console,
    )


class WorkerBars(Callback):
    """Shows how far each worker is; a line stays for each round that is done. Use it as a context manager.

    Args:
        console: where to draw; the terminal when None.

    Example:
        >>> bars = WorkerBars(Console(quiet=True))
        >>> with bars:
        ...     bars.on_round_begin(1, ["alice"])
        ...     bars.on_work(WorkReport(1, "alice", "train", steps=3, total=10, loss=0.5))
        ...     bars.text_of("alice")
        'training  loss 0.500'
    """

    def __init__(self, console: Console | None = None) -> None:
        self.console = console or Console()
        self._bars = progress_bars(self.console)
        self._tasks: dict[str, TaskID] = {}
        self._live = Live(self._bars, console=self.console, refresh_per_second=8, transient=True)

    def __enter__(self) -> WorkerBars:
        self._live.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._live.stop()

    def text_of(self, client: str) -> str:
        """What is said of a worker at the moment."""
        return str(self._task(client).fields["note"])

    def on_round_begin(self, round: int, clients: list[str]) -> None:
        """Start all bars anew."""
        for name in clients:
            if name not in self._tasks:
                self._tasks[name] = self._bars.add_task(name, total=None, note="")
            self._bars.reset(self._tasks[name], total=None, note="")

    def on_work(self, report: WorkReport) -> None:
        """Move a worker's bar on."""
        moved: dict[str, Any] = {"note": f"{_STAGES.get(report.stage, report.stage)}{_loss(report.loss)}"}
        if report.total:
            moved |= {"completed": report.steps, "total": report.total}
        self._bars.update(self._tasks[report.client], **moved)

    def on_client_end(self, round: int, update: ClientUpdate) -> None:
        """Say that a worker is done."""
        self._bars.update(self._tasks[update.name], note=f"done{_loss(update.metrics['train_loss'])}")

    def on_client_lost(self, round: int, client: str, error: Exception) -> None:
        """Say that a worker is left out, and leave a line."""
        self._bars.update(self._tasks[client], note="left out")
        self._write(f"round {round:>3}  {client} is left out: {error}")

    def on_client_back(self, round: int, client: str) -> None:
        """Leave a line."""
        self._write(f"round {round:>3}  {client} is back")

    def on_round_end(self, record: RoundRecord, model: nn.Module) -> None:
        """Leave a line for the round."""
        figures = "".join([f"  {name} {value:.4f}" for name, value in record.metrics.items()])
        workers = f"{len(record.clients)} of {len(record.clients) + len(record.lost)} workers"
        loss = f"train loss {record.train_loss:.4f}"
        self._write(f"round {record.round:>3}  {loss}{figures}  {workers}  {record.seconds:.1f} s")

    def _write(self, line: str) -> None:
        self.console.print(line, highlight=False, markup=False, soft_wrap=True)

    def _task(self, client: str) -> Any:
        return next(task for task in self._bars.tasks if task.id == self._tasks[client])


def _loss(loss: float) -> str:
    return f"  loss {loss:.3f}" if math.isfinite(loss) else ""  # unknown before the first batch, or kept secret
