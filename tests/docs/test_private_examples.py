"""``examples/private``: PATE and the sweep over budgets run, small, and give what they promise."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from examples.encrypted.digits import load_digits
from examples.private import mnist_dp, pate_mnist
from examples.private.training import Recipe, train

import syft as sy
from syft.dp import pate

REPOSITORY = Path(__file__).resolve().parents[2]
MNIST = REPOSITORY.parent / "shared" / "data" / "MNIST"
pytest.importorskip("sklearn", reason="the small digits come with scikit-learn")


def test_a_student_learns_from_teachers(hook: sy.TorchHook) -> None:
    setting = pate_mnist.Setting(
        teachers=4, questions=100, sigma=0.1, threshold=3, sigma_threshold=0.1, epochs=12, student_epochs=10
    )
    outcome = pate_mnist.run(hook, load_digits(None, 1200, 360), setting)
    assert outcome.cost.answered == (outcome.labels != pate.UNANSWERED).sum() > 60
    assert outcome.right > outcome.teacher_accuracy > 0.6
    assert outcome.accuracy > 0.5
    assert outcome.cost.data_dependent <= outcome.cost.data_independent


def test_votes_are_put_together_as_totals_only(hook: sy.TorchHook) -> None:
    holders = [sy.VirtualWorker(hook, id=f"vote_holder{i}") for i in range(2)]
    dealer = sy.VirtualWorker(hook, id="vote_dealer")
    votes = []
    for number, label in enumerate((3, 3, 7)):
        teacher = sy.VirtualWorker(hook, id=f"voter{number}")
        votes.append(torch.nn.functional.one_hot(torch.tensor([label]).send(teacher), 10))
    counts = pate_mnist.totals(votes, holders, dealer)
    assert counts.tolist() == np.bincount([3, 3, 7], minlength=10)[None].tolist()
    for vote in votes:
        assert vote.location is not None  # the votes are where they were cast


def test_a_private_training_spends_its_budget_and_no_more(capsys: pytest.CaptureFixture[str]) -> None:
    mnist_dp.main(["--train", "300", "--test", "50", "--batch-size", "50", "--epochs", "2"])
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("scikit-learn digits: 300 images, budget epsilon 3")
    assert [line.startswith(f"epoch  {number}") for number, line in enumerate(lines[1:], 1)] == [True, True]
    assert lines[-1].count("epsilon 3.00") == 1


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_one_epoch_on_mnist_reads_most_digits() -> None:
    if not MNIST.is_dir():
        pytest.skip(f"MNIST's files are not in {MNIST}")
    (epoch,) = train(load_digits(MNIST, 60_000, 10_000), Recipe(epochs=1))
    assert epoch.epsilon is not None
    assert 2.9 < epoch.epsilon <= 3.0
    assert epoch.accuracy > 0.85


@pytest.mark.slow
def test_the_sweep_draws_its_pictures(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib", reason="pictures are drawn by matplotlib")
    command = [sys.executable, "-W", "ignore", "-m", "examples.private.budget_sweep"]
    options = "--train 128 --test 32 --epochs 1 --batch-size 32 --epsilons 2 8 --out".split()
    environment = {**os.environ, "PYTHONPATH": f"{REPOSITORY / 'src'}:{REPOSITORY}"}
    done = subprocess.run(
        [*command, *options, str(tmp_path)], capture_output=True, text=True, timeout=120, cwd=REPOSITORY,
        env=environment, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert {path.name for path in tmp_path.iterdir()} == {"accuracy_by_epsilon.png", "privacy_spending.png"}
