"""The seeds' MNIST programs run as they are written; only the folder's content and the epochs come from outside."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from .conftest import ProgramRun, ProgramRunner

TRAIN_LINE = re.compile(r"Train Epoch:(\d+)\[(\d+)/(\d+)\((\d+\.\d{6})%\)\]\tLoss:(\d+\.\d{6})")
TEST_LINE = re.compile(r"Test set: Average loss: (\d+\.\d{4}), Accuracy: (\d+)/(\d+) \((\d+)%\)")
STOCK_LOAD = """
import sys, torch
state = torch.load(sys.argv[1])
print({name: tuple(value.shape) for name, value in state.items()})
print(all(type(value) is torch.Tensor and value.isfinite().all() for value in state.values()), "syft" in sys.modules)
"""
SHAPES = {
    "conv.0.weight": (32, 1, 3, 3),
    "conv.0.bias": (32,),
    "conv.2.weight": (64, 32, 3, 3),
    "conv.2.bias": (64,),
    "fc.0.weight": (128, 9216),
    "fc.0.bias": (128,),
    "fc.2.weight": (10, 128),
    "fc.2.bias": (10,),
}


def images(folder: Path, train: int, test: int) -> list[str]:
    """The launcher's options for the first `train` and `test` images of the real files."""
    return ["--mnist", str(folder), "--train-images", str(train), "--test-images", str(test)]


def mode(wire: bool) -> list[str]:
    """The launcher's option for workers that serialise."""
    return ["--wire"] if wire else []


def check_checkpoint(run: ProgramRun) -> None:
    """The saved model opens with stock `torch.load`, in a process that never imports syft."""
    command = [sys.executable, "-I", "-W", "error", "-c", STOCK_LOAD, str(run.folder / "mnist_cnn.pt")]
    loaded = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert loaded.stderr == ""
    assert loaded.stdout.splitlines() == [str(SHAPES), "True False"]


def read_scores(run: ProgramRun) -> list[tuple[float, int, int]]:
    """Loss, hits and images of each epoch's test line."""
    return [(float(match[1]), int(match[2]), int(match[3])) for match in TEST_LINE.finditer(run.text)]


@pytest.mark.timeout(180)
def test_training_data_load_as_written(run_program: ProgramRunner, mnist: Path) -> None:
    show = ("len(mnist_data)", "mnist_data[0][0].shape", "mnist_data[0][1]")
    run = run_program("mnist_data", *images(mnist, 640, 200), show=show)
    assert run.lines == []
    assert run.shown == {
        "len(mnist_data)": "640",
        "mnist_data[0][0].shape": "torch.Size([1, 28, 28])",
        "mnist_data[0][1]": "5",
    }


@pytest.mark.timeout(180)
def test_first_batches(run_program: ProgramRunner, mnist: Path, wire: bool) -> None:
    show = ("len(federated_train_loader)", "isinstance(data, torch.Tensor)", "data.location.id", "data.shape")
    run = run_program("mnist_batches", *mode(wire), *images(mnist, 700, 200), show=show)
    assert run.lines == [f"{n} <class 'torch.Tensor'> <VirtualWorker id:qin #objects:4>" for n in range(5)]
    # 350 images on each worker are six batches: the sixth is still qin's.
    assert run.shown == {
        "len(federated_train_loader)": "12",
        "isinstance(data, torch.Tensor)": "True",
        "data.location.id": "qin",
        "data.shape": "torch.Size([30, 1, 28, 28])",
    }


@pytest.mark.timeout(300)
def test_program(run_program: ProgramRunner, mnist: Path, wire: bool) -> None:
    options = [*mode(wire), "--seed", "0", "--epochs", "1", *images(mnist, 1280, 200)]
    run = run_program("mnist", *options, show=("qin", "zheng", "model.training"), seconds=280)
    lines = [match for line in run.lines if (match := TRAIN_LINE.fullmatch(line))]
    assert [match.groups()[:4] for match in lines] == [
        ("1", "0", "1280", "0.000000"),
        ("1", "640", "1280", "50.000000"),
    ]
    first, later = (float(match[5]) for match in lines)
    assert 2.1 < first < 2.5
    assert later < first
    ((loss, hits, total),) = read_scores(run)
    assert total == 200
    assert loss < first
    assert hits > 60
    assert run.shown["model.training"] == "False"
    # The epoch is over: each worker has its part of the data set, and no batch, model or loss is left.
    assert run.shown["qin"] == "<VirtualWorker id:qin #objects:2>"
    assert run.shown["zheng"] == "<VirtualWorker id:zheng #objects:2>"
    check_checkpoint(run)


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_whole_training_set(run_program: ProgramRunner, mnist: Path, request: pytest.FixtureRequest) -> None:
    if "slow" not in request.config.option.markexpr:
        pytest.skip("one epoch over 60 000 images takes minutes; run it with -m slow")
    run = run_program("mnist", "--seed", "0", "--epochs", "1", *images(mnist, 60_000, 10_000), seconds=1750)
    assert "Train Epoch:1[59520/60032(99.147122%)]" in run.text
    ((loss, hits, total),) = read_scores(run)
    assert total == 10_000
    assert loss < 0.5
    assert hits > 8_500
    check_checkpoint(run)
