"""What the demo shows in a terminal while it trains and when it is done."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from torch import nn

from syft.federated.callbacks import BatchReport, Callback
from syft.federated.history import History, RoundRecord
from syft.federated.worker_bars import progress_bars

_MOST_COLUMNS = 6


class LiveDisplay(Callback):
    """A table that grows by a row each round, over bars for rounds and batches; a context manager.

    Args:
        console: where to draw.
        workers: the names of the workers.
        rounds: how many rounds the run has.
        done: how many of them were done before.
        batches: how many batches a round has.
    """

    def __init__(self, console: Console, workers: Sequence[str], *, rounds: int, done: int, batches: int) -> None:
        self._workers = workers
        self._table = _rounds_table(workers)
        self._bars = progress_bars(console)
        self._rounds = self._bars.add_task("rounds", total=rounds, completed=done, note="")
        self._batches = self._bars.add_task("batches", total=batches, note="")
        self._loss = math.nan
        self._live = Live(Group(self._table, self._bars), console=console, refresh_per_second=8)

    def __enter__(self) -> LiveDisplay:
        self._live.start(refresh=True)
        return self

    def __exit__(self, *_error: object) -> None:
        # The bars have nothing more to say; the table stays.
        self._live.update(self._table if self._table.row_count else Group(), refresh=True)
        self._live.stop()

    def on_round_begin(self, round: int, clients: list[str]) -> None:
        """Start the batches' bar anew."""
        self._bars.reset(self._batches)

    def on_batch(self, report: BatchReport) -> None:
        """Move the batches' bar on."""
        if report.loss is not None:
            self._loss = report.loss
        self._bars.update(self._batches, advance=1, note=f"{report.client}  loss {self._loss:.3f}")

    def on_round_end(self, record: RoundRecord, model: nn.Module) -> None:
        """Add the round's row."""
        self._table.add_row(*_row(record, self._workers))
        self._bars.update(self._rounds, completed=record.round)


class PlainDisplay(Callback):
    """One line a round, for logs and pipes.

    Args:
        console: where to write.
    """

    def __init__(self, console: Console) -> None:
        self._console = console

    def on_round_end(self, record: RoundRecord, model: nn.Module) -> None:
        """Write the round's line."""
        accuracies = _accuracies(record)
        self._console.print(
            f"round {record.round:>3}  train loss {record.train_loss:.4f}  accuracy {record.metrics['accuracy']:.1%}  "
            f"(workers {min(accuracies):.1%} to {max(accuracies):.1%})  {record.seconds:.1f} s",
            highlight=False,
            soft_wrap=True,
        )


def show_start(console: Console, headline: str, details: Mapping[str, str]) -> None:
    """Say what is about to run.

    Args:
        console: where to write.
        headline: one line.
        details: settings by name.
    """
    console.print(f"[bold]{headline}[/]")
    for name, text in details.items():
        console.print(f"  [dim]{name:<10}[/] {text}", highlight=False, soft_wrap=True)
    console.print()


def show_result(console: Console, history: History, samples: Mapping[str, int], files: Iterable[Path]) -> None:
    """Say what came out: a table with a line for each worker and one for the global model, and the files.

    Args:
        console: where to write.
        history: what was measured, at least one round.
        samples: how many samples each worker holds.
        files: what was written.
    """
    last = history[-1]
    table = Table(title="After the last round", title_justify="left", title_style="bold", box=None, pad_edge=False)
    table.add_column("model")
    for heading in ("samples", "train loss", "test accuracy", "drift", "s a round"):
        table.add_column(heading, justify="right")
    for name, client in last.clients.items():
        seconds = [value for value in history.client_figure(name, "seconds") if math.isfinite(value)]
        table.add_row(
            name, f"{samples[name]:,}", f"{client.train_loss:.4f}", f"{client.metrics['accuracy']:.1%}",
            f"{client.drift:.1%}", f"{sum(seconds) / len(seconds):.2f}",
        )  # fmt: skip
    seconds = [record.seconds for record in history.rounds]
    table.add_row(
        "[bold]global[/]", f"{sum(samples.values()):,}", f"{last.train_loss:.4f}",
        f"[bold]{last.metrics['accuracy']:.1%}[/]", "", f"{sum(seconds) / len(seconds):.2f}",
    )  # fmt: skip
    console.print()
    console.print(table)
    console.print(f"\n{len(history)} rounds in {sum(seconds):.1f} s. Written:", highlight=False)
    for path in files:
        console.print(f"  {path}", highlight=False, soft_wrap=True)


def _rounds_table(workers: Sequence[str]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in ("round", "train loss", "test loss", "accuracy"):
        table.add_column(heading, justify="right")
    for heading in workers if len(workers) <= _MOST_COLUMNS else ("worst worker", "best worker"):
        table.add_column(heading, justify="right", style="cyan")
    table.add_column("seconds", justify="right", style="dim")
    return table


def _row(record: RoundRecord, workers: Sequence[str]) -> list[str]:
    row = [
        str(record.round),
        f"{record.train_loss:.4f}",
        f"{record.metrics['loss']:.4f}",
        f"{record.metrics['accuracy']:.1%}",
    ]
    if len(workers) <= _MOST_COLUMNS:
        row += [f"{record.clients[name].metrics['accuracy']:.1%}" for name in workers]
    else:
        accuracies = _accuracies(record)
        row += [f"{min(accuracies):.1%}", f"{max(accuracies):.1%}"]
    return [*row, f"{record.seconds:.2f}"]


def _accuracies(record: RoundRecord) -> list[float]:
    return [client.metrics["accuracy"] for client in record.clients.values()]
