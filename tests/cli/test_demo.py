"""``syft demo``, really run with few images: what it writes, how it goes on, how it complains."""

from __future__ import annotations

import gzip
import json
import math
import struct
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from syft.cli import display, experiment
from syft.cli.data import digits
from syft.cli.experiment import worker_names
from syft.cli.main import main
from syft.cli.model import Net
from syft.exceptions import FederatedError
from syft.federated.history import History
from syft.version import __version__

pytest.importorskip("sklearn", reason="the demo's digits come with scikit-learn")
pytest.importorskip("matplotlib", reason="the demo draws a chart")

SMALL = ["--limit", "160", "--rounds", "2", "--workers", "2", "--local-epochs", "1"]

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Iterator[Run]:
    """Runs the command in this process; gives exit code, output and errors."""
    threads = torch.get_num_threads()

    def command(*arguments: Any) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as ended:
            main([str(argument) for argument in arguments])
        printed = capsys.readouterr()
        return int(ended.value.code or 0), printed.out, printed.err

    yield command
    torch.set_num_threads(threads)


def weights(folder: Path) -> dict[str, torch.Tensor]:
    return torch.load(folder / "checkpoint.pt")["state_dict"]


def same_weights(one: Path, other: Path) -> bool:
    left, right = weights(one), weights(other)
    return left.keys() == right.keys() and all(torch.equal(left[name], right[name]) for name in left)


def test_a_run_leaves_a_chart_figures_and_a_checkpoint(run: Run, tmp_path: Path) -> None:
    out = tmp_path / "new" / "folder"
    code, printed, errors = run("demo", *SMALL, "--out", out)
    assert (code, errors) == (0, "")
    assert "160 images of 8 x 8 to train on, 160 to test with" in printed
    assert printed.count("train loss ") == 2 + 1  # a line a round and the heading of the table
    assert sorted(path.name for path in out.iterdir()) == [
        "checkpoint.pt", "figures.json", "settings.json", "training.png",
    ]  # fmt: skip

    header = (out / "training.png").read_bytes()[:24]
    assert header[:8] == b"\x89PNG\r\n\x1a\n"
    width, height = struct.unpack(">II", header[16:24])
    assert (width, height > 900) == (1650, True)

    figures = json.loads((out / "figures.json").read_text())
    assert figures["settings"]["workers"] == 2
    assert sum(map(sum, figures["class_counts"].values())) == 160
    history = History.from_dict(figures)
    assert len(history) == 2
    assert history.clients == ["alice", "bob"]
    assert all(0 <= accuracy <= 1 for accuracy in history.client_figure("bob", "accuracy"))
    assert f"{history.metric('accuracy')[-1]:.1%}" in printed

    model = Net(size=8)
    model.load_state_dict(weights(out))
    test = digits(seed=0, limit=160)
    model.eval()
    hits = (model(test.test_x).argmax(1) == test.test_y).float().mean().item()
    assert hits == pytest.approx(history.metric("accuracy")[-1])


@pytest.mark.slow
def test_the_default_run_reaches_95_percent(run: Run, tmp_path: Path) -> None:
    code, printed, _ = run("demo", "--out", tmp_path)
    assert code == 0
    assert History.from_dict(json.loads((tmp_path / "figures.json").read_text())).metric("accuracy")[-1] > 0.95
    assert "10 rounds in" in printed


def test_the_same_seed_gives_the_same_run(run: Run, tmp_path: Path) -> None:
    for name, seed in (("a", 3), ("b", 3), ("c", 4)):
        assert run("demo", *SMALL, "--seed", seed, "--out", tmp_path / name)[0] == 0
    assert same_weights(tmp_path / "a", tmp_path / "b")
    assert not same_weights(tmp_path / "a", tmp_path / "c")


def test_a_stopped_run_goes_on_where_it_was(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    small = [*SMALL, "--rounds", "4"]
    assert run("demo", *small, "--out", tmp_path / "whole")[0] == 0

    told = display.PlainDisplay.on_round_end

    def stopped(self: Any, record: Any, model: Any) -> None:
        told(self, record, model)
        if record.round == 3:
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(display.PlainDisplay, "on_round_end", stopped)
        code, printed, _ = run("demo", *small, "--out", tmp_path / "parts")
    assert code == 130
    assert "--resume goes on from there" in printed
    assert torch.load(tmp_path / "parts" / "checkpoint.pt")["round"] == 2

    code, printed, _ = run("demo", *small, "--out", tmp_path / "parts", "--resume")
    assert code == 0
    assert "after round 2 of 4" in printed
    assert "round   3" in printed
    assert "round   2" not in printed
    assert same_weights(tmp_path / "whole", tmp_path / "parts")
    assert len(json.loads((tmp_path / "parts" / "figures.json").read_text())["rounds"]) == 4


def test_more_rounds_for_a_finished_run(run: Run, tmp_path: Path) -> None:
    assert run("demo", *SMALL, "--rounds", "3", "--out", tmp_path / "whole")[0] == 0
    assert run("demo", *SMALL, "--rounds", "1", "--out", tmp_path / "more")[0] == 0
    assert run("demo", *SMALL, "--rounds", "3", "--out", tmp_path / "more", "--resume")[0] == 0
    assert same_weights(tmp_path / "whole", tmp_path / "more")


@pytest.mark.parametrize("partition", ["iid", "dirichlet", "shards", "quantity"])
def test_every_partition(run: Run, tmp_path: Path, partition: str) -> None:
    code, printed, _ = run(
        "demo", "--limit", 200, "--rounds", 1, "--workers", 10,
        "--partition", partition, "--alpha", 0.3, "--out", tmp_path,
    )  # fmt: skip
    assert code == 0
    assert f"spread {partition}" in printed
    counts = json.loads((tmp_path / "figures.json").read_text())["class_counts"]
    assert list(counts) == worker_names(10)
    assert sum(map(sum, counts.values())) == 200
    if partition == "shards":
        assert all(sum(count > 0 for count in row) <= 4 for row in counts.values())


def test_without_redistribution_it_warns(run: Run, tmp_path: Path) -> None:
    code, printed, _ = run("demo", *SMALL, "--partition", "shards", "--no-redistribute", "--out", tmp_path)
    assert code == 0
    assert "warning: the model of client" in printed


@pytest.mark.parametrize("workers", [2, 9])
def test_the_live_table(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, workers: int) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "120")
    code, printed, _ = run("demo", *SMALL, "--workers", workers, "--out", tmp_path)
    assert code == 0
    for word in ("rounds", "batches", "/2", "test loss", "alice" if workers == 2 else "best worker"):
        assert word in printed
    assert "worker-9" in printed or workers == 2
    plain = run("demo", *SMALL, "--no-progress", "--out", tmp_path)[1]
    assert "batches" not in plain


def write_idx_set(folder: Path, size: int, *, width: int | None = None) -> None:
    width = width or size
    for prefix, count in (("train", 40), ("t10k", 20)):
        pixels = torch.randint(
            0, 256, (count, size, width), generator=torch.Generator().manual_seed(1), dtype=torch.uint8
        )
        images = struct.pack(">4B3I", 0, 0, 8, 3, count, size, width) + pixels.numpy().tobytes()
        labels = struct.pack(">4BI", 0, 0, 8, 1, count) + bytes(i % 10 for i in range(count))
        (folder / f"{prefix}-images-idx3-ubyte.gz").write_bytes(gzip.compress(images))
        (folder / f"{prefix}-labels-idx1-ubyte").write_bytes(labels)


def test_mnist_from_a_folder(run: Run, tmp_path: Path) -> None:
    write_idx_set(tmp_path, 28)
    code, printed, _ = run(
        "demo", "--data", "mnist", "--root", tmp_path, "--rounds", 1, "--workers", 2, "--out", tmp_path / "out"
    )
    assert code == 0
    assert "40 images of 28 x 28 to train on, 20 to test with" in printed
    assert weights(tmp_path / "out")["fc.0.weight"].shape == (128, 64 * 12 * 12)
    assert math.isfinite(json.loads((tmp_path / "out" / "figures.json").read_text())["rounds"][0]["metrics"]["loss"])


def test_images_that_are_not_square(run: Run, tmp_path: Path) -> None:
    write_idx_set(tmp_path, 28, width=20)
    code, _, errors = run("demo", "--data", "mnist", "--root", tmp_path, "--out", tmp_path / "out")
    assert code == 2
    assert "are (28, 20) for training and (28, 20) for testing; the network needs square ones" in errors


BAD: dict[str, tuple[list[str], str]] = {
    "no workers": (["--workers", "0"], "'--workers'"),
    "no rounds": (["--rounds", "0"], "'--rounds'"),
    "rounds no number": (["--rounds", "many"], "'--rounds'"),
    "lr below 0": (["--lr", "-1"], "'--lr': -1 is not a finite number above 0"),
    "lr nan": (["--lr", "nan"], "'--lr': nan is not"),
    "alpha 0": (["--partition", "dirichlet", "--alpha", "0"], "'--alpha': 0 is not"),
    "unknown data": (["--data", "cifar"], "'digits', 'mnist'"),
    "unknown partition": (["--partition", "fair"], "'iid', 'dirichlet', 'shards', 'quantity'"),
    "mnist without root": (["--data", "mnist"], "--data mnist needs --root DIR"),
    "missing folder": (["--data", "mnist", "--root", "/nowhere/at/all"], "there is no folder /nowhere/at/all"),
    "empty folder": (["--data", "mnist", "--root", "OUT"], "there is no train-images-idx3-ubyte"),
    "more workers than images": (["--limit", "3"], "3 samples are not enough for 4 parts"),
    "nothing to resume": (["--resume"], "there is no run to go on with"),
    "unknown option": (["--wrokers", "3"], "--wrokers"),
    "learning rate too high": (["--limit", "64", "--workers", "1", "--lr", "1e30"], "client 'alice' sent back"),
}


@pytest.mark.parametrize("name", BAD)
def test_a_bad_argument_gives_one_line_and_exit_code_2(run: Run, tmp_path: Path, name: str) -> None:
    arguments, words = BAD[name]
    (tmp_path / "out").mkdir()
    given = [str(tmp_path) if argument == "OUT" else argument for argument in arguments]
    code, _, errors = run("demo", *given, "--out", tmp_path / "out")
    assert code == 2
    assert errors.count("\n") == 1
    assert errors.startswith("error: ")
    assert words in errors


def test_other_settings_than_the_run_to_go_on_with(run: Run, tmp_path: Path) -> None:
    assert run("demo", *SMALL, "--rounds", 1, "--out", tmp_path)[0] == 0
    code, _, errors = run("demo", *SMALL, "--lr", 0.2, "--batch-size", 8, "--resume", "--out", tmp_path)
    assert code == 2
    assert "was started with --batch-size 16, --lr 0.1; go on with the same settings" in errors


def test_an_output_folder_that_cannot_be_made(run: Run, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    code, _, errors = run("demo", *SMALL, "--out", tmp_path / "file")
    assert code == 2
    assert "settings.json cannot be written" in errors


@pytest.mark.parametrize(("missing", "package"), [("sklearn", "scikit-learn"), ("matplotlib", "matplotlib")])
def test_a_missing_extra_is_named(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, missing: str, package: str
) -> None:
    for module in [name for name in sys.modules if name.split(".")[0] == missing]:
        monkeypatch.delitem(sys.modules, module)
    monkeypatch.setitem(sys.modules, missing, None)
    code, _, errors = run("demo", *SMALL, "--out", tmp_path)
    assert code == 2
    assert package in errors
    assert "resyft[demo]" in errors


def test_an_error_that_is_no_ones_fault_keeps_its_traceback(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def broken(*_arguments: Any, **_options: Any) -> None:
        raise RuntimeError("a defect of ours")

    monkeypatch.setattr(experiment, "worker_names", broken)
    with pytest.raises(RuntimeError, match="a defect of ours"):
        main(["demo", *SMALL, "--out", str(tmp_path)])


def test_version_and_help(run: Run) -> None:
    assert run("--version") == (0, f"syft {__version__}\n", "")
    for arguments in ((), ("--help",)):
        code, printed, _ = run(*arguments)
        assert code == 0
        assert "demo" in printed
    code, printed, _ = run("demo", "--help")
    assert code == 0
    for option in (
        "--data --root --limit --workers --partition --alpha --rounds --local-epochs --batch-size --lr --redistribute "
        "--seed --out --resume --progress --threads"
    ).split():
        assert option in printed
    assert run("nonsense")[0] == 2


def test_the_command_starts_without_what_only_a_run_needs() -> None:
    script = (
        "import sys\n"
        "import syft\n"
        "heavy = {'matplotlib', 'sklearn', 'scipy', 'typer', 'rich'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
        "from syft.cli.main import main\n"
        "heavy = {'matplotlib', 'sklearn', 'scipy'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
        "main(['--version'])\n"
    )
    source = Path(__file__).parents[2] / "src"
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=60, env={"PYTHONPATH": str(source)}
    )
    assert done.stderr == ""
    assert done.stdout == f"syft {__version__}\n"


def test_the_network_fits_its_images() -> None:
    assert sum(p.numel() for p in Net().parameters()) == 320 + 18_496 + 9216 * 128 + 128 + 1290
    with pytest.raises(FederatedError, match="images of 5 x 5 are too small"):
        Net(size=5)
    assert Net(size=6)(torch.zeros(2, 1, 6, 6)).exp().sum(1).tolist() == pytest.approx([1.0, 1.0])
