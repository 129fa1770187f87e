"""``syft demo``: federated training that one can watch, from nothing to a chart."""

from __future__ import annotations

import warnings
from contextlib import ExitStack
from pathlib import Path
from typing import Annotated, Any

import torch
import typer
from rich.console import Console

from syft.cli.chart import draw
from syft.cli.display import LiveDisplay, PlainDisplay, show_result, show_start
from syft.cli.experiment import DataName, Experiment, PartitionName, Settings
from syft.core.optional import require
from syft.federated.callbacks import Callback
from syft.federated.history import History

_DATA, _TRAINING, _OUTPUT = "The data and who holds it", "The training", "The run"


DataOption = Annotated[
    DataName,
    typer.Option(
        help="digits comes with scikit-learn (1797 images of 8 x 8); mnist is read from --root.", rich_help_panel=_DATA
    ),
]
Root = Annotated[
    Path | None,
    typer.Option(metavar="DIR", help="Where the MNIST idx files are, gzipped or not.", rich_help_panel=_DATA),
]
Limit = Annotated[
    int | None,
    typer.Option(
        min=1,
        metavar="N",
        help="Use only so many images, which makes mnist quick.",
        show_default="all images",
        rich_help_panel=_DATA,
    ),
]
Workers = Annotated[
    int, typer.Option(min=1, max=1000, metavar="N", help="How many workers hold images.", rich_help_panel=_DATA)
]
Partition = Annotated[
    PartitionName,
    typer.Option(
        help="How images are spread: iid = all alike; dirichlet = some digits more here than there; shards = about "
        "two digits each; quantity = very different amounts.",
        rich_help_panel=_DATA,
    ),
]
Alpha = Annotated[
    float,
    typer.Option(
        metavar="X", help="How even dirichlet and quantity are: 0.1 is harsh, 100 nearly even.", rich_help_panel=_DATA
    ),
]
Rounds = Annotated[
    int,
    typer.Option(min=1, metavar="N", help="How often the average is made and sent back.", rich_help_panel=_TRAINING),
]
LocalEpochs = Annotated[
    int,
    typer.Option(min=1, metavar="N", help="Passes of a worker over its images in a round.", rich_help_panel=_TRAINING),
]
BatchSize = Annotated[int, typer.Option(min=1, metavar="N", help="Images in a step.", rich_help_panel=_TRAINING)]
LearningRate = Annotated[float, typer.Option(metavar="X", help="Learning rate of SGD.", rich_help_panel=_TRAINING)]
Redistribute = Annotated[
    bool,
    typer.Option(help="Send the average back each round; see what happens without.", rich_help_panel=_TRAINING),
]
Seed = Annotated[
    int, typer.Option(min=0, metavar="N", help="The same seed gives the same run.", rich_help_panel=_TRAINING)
]
Out = Annotated[
    Path,
    typer.Option(metavar="DIR", help="Where chart, figures and checkpoint go.", rich_help_panel=_OUTPUT),
]
Resume = Annotated[
    bool,
    typer.Option(
        "--resume", help="Go on with the run in --out that was stopped or needs more rounds.", rich_help_panel=_OUTPUT
    ),
]
ShowProgress = Annotated[
    bool,
    typer.Option("--progress/--no-progress", help="Live table, or one line a round.", rich_help_panel=_OUTPUT),
]
Threads = Annotated[
    int, typer.Option(min=1, metavar="N", help="Processor threads that torch may use.", rich_help_panel=_OUTPUT)
]


def demo(
    data: DataOption = DataName.DIGITS,
    root: Root = None,
    limit: Limit = None,
    workers: Workers = 4,
    partition: Partition = PartitionName.IID,
    alpha: Alpha = 0.5,
    rounds: Rounds = 10,
    local_epochs: LocalEpochs = 2,
    batch_size: BatchSize = 16,
    lr: LearningRate = 0.1,
    redistribute: Redistribute = True,
    seed: Seed = 0,
    out: Out = Path("syft-demo"),
    resume: Resume = False,
    progress: ShowProgress = True,
    threads: Threads = 1,
) -> None:
    """Train a network on images that are spread over several workers and never leave them.

    Every round each worker trains its own copy of the network on its own images; the average of the
    copies becomes the new network and goes back to all. At the end there is a table, a chart
    (training.png), every figure (figures.json) and the trained network (checkpoint.pt).
    """
    _check_positive("--lr", lr)
    _check_positive("--alpha", alpha)
    torch.set_num_threads(threads)
    require("matplotlib", "demo")  # asked for now and not after minutes of training
    settings = Settings(
        data=data, root=None if root is None else str(root), workers=workers, rounds=rounds, local_epochs=local_epochs,
        batch_size=batch_size, lr=lr, partition=partition, alpha=alpha, redistribute=redistribute, seed=seed,
        limit=limit,
    )  # fmt: skip
    console = Console()
    experiment = Experiment(settings, out, resume=resume)
    show_start(console, f"Federated training on {experiment.images.name}", _details(experiment))
    try:
        history = _train(experiment, console, live=progress and console.is_terminal)
    except KeyboardInterrupt:
        console.print("stopped; the rounds that are done are kept, --resume goes on from there.", soft_wrap=True)
        raise
    files = experiment.files
    draw(files.chart, history, experiment.class_counts, title=_title(experiment), subtitle=_subtitle(settings, history))
    show_result(console, history, experiment.samples, [files.chart, files.figures, files.checkpoint])


def _train(experiment: Experiment, console: Console, *, live: bool) -> History:
    with ExitStack() as stack:
        caught = stack.enter_context(warnings.catch_warnings(record=True))
        warnings.simplefilter("default")
        display: Callback = PlainDisplay(console)
        if live:
            display = stack.enter_context(
                LiveDisplay(
                    console,
                    list(experiment.samples),
                    rounds=experiment.settings.rounds,
                    done=experiment.done,
                    batches=experiment.batches_per_round,
                )
            )
        history = experiment.run([display])
    for warning in caught:
        console.print(f"[yellow]warning:[/] {warning.message}", highlight=False)
    return history


def _details(experiment: Experiment) -> dict[str, str]:
    settings, samples = experiment.settings, experiment.samples
    spread = f"{min(samples.values()):,} to {max(samples.values()):,} images each, spread {settings.partition}"
    size = experiment.images.size
    details = {
        "data": f"{len(experiment.images.train_y):,} images of {size} x {size} to train on, "
        f"{len(experiment.images.test_y):,} to test with",
        "workers": f"{settings.workers}, {spread}",
        "network": f"two convolutions, two dense layers, fitted to {size} x {size}; "
        f"{sum(p.numel() for p in experiment.trainer.model.parameters()):,} parameters",
    }
    if experiment.done:
        details["resumed"] = f"after round {experiment.done} of {settings.rounds}"
    return details


def _title(experiment: Experiment) -> str:
    return f"Federated training on {experiment.images.name}"


def _subtitle(settings: Settings, history: History) -> str:
    spread: dict[PartitionName, str] = {
        PartitionName.DIRICHLET: f"Dirichlet label skew, alpha {settings.alpha:g}",
        PartitionName.SHARDS: "two label shards each",
        PartitionName.QUANTITY: f"quantity skew, alpha {settings.alpha:g}",
        PartitionName.IID: "iid",
    }
    return " · ".join(
        (
            _counted(settings.workers, "worker"),
            spread[settings.partition],
            _counted(len(history), "round"),
            _counted(settings.local_epochs, "local epoch"),
            f"batch {settings.batch_size}",
            f"SGD {settings.lr:g}",
            "average sent back each round" if settings.redistribute else "average never sent back",
        )
    )


def _counted(count: int, what: str) -> str:
    return f"{count} {what}" if count == 1 else f"{count} {what}s"


def _check_positive(option: str, value: Any) -> None:
    if not 0 < value < float("inf"):
        raise typer.BadParameter(f"{value:g} is not a finite number above 0.", param_hint=f"'{option}'")
