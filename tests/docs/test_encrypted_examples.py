"""``examples/encrypted``: each program runs, and computes what the same steps give in plain sight."""

from __future__ import annotations

import io
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from examples.encrypted import ckks_inference, mnist_inference, mnist_training, paillier_aggregation
from examples.encrypted import part09_intro_to_encrypted_programs as part09
from examples.encrypted import part10_secure_aggregation as part10
from examples.encrypted import part11_secure_classification as part11
from examples.encrypted import part12_train_encrypted_network as part12
from examples.encrypted import part12bis_encrypted_mnist_training as part12bis
from examples.encrypted.cnn import Net, train_plain
from examples.encrypted.digits import Digits, load_digits, one_hot, side_by_side
from examples.websocket_mnist.workers import Workers
from rich.console import Console
from rich.table import Table
from torch import optim

import syft as sy

REPOSITORY = Path(__file__).resolve().parents[2]
MNIST = REPOSITORY.parent / "shared" / "data" / "MNIST"
PROGRAMS = sorted((REPOSITORY / "examples" / "encrypted").glob("[a-z]*_*.py"))
# Options that make each program short.
SHORT = {
    "part10_secure_aggregation": ["--epochs", "2"],
    "part11_secure_classification": ["--train", "256", "--test", "8"],
    "part12bis_encrypted_mnist_training": ["--train", "128", "--test", "64"],
    "mnist_inference": ["--train", "256", "--images", "6", "--batch-size", "6"],
    "mnist_training": ["--train", "32"],
    "ckks_inference": ["--train", "256", "--images", "5", "--epochs", "2", "--channels", "1"],
    "paillier_aggregation": ["--rounds", "1", "--bits", "2048"],
}
ENCODING = {"base": 2, "precision_fractional": 16}


@pytest.fixture
def parties(hook: sy.TorchHook) -> list[Any]:
    """Alice, bob and james."""
    return [sy.VirtualWorker(hook, id=name, auto_add=False) for name in ("alice", "bob", "james")]


@pytest.fixture(scope="module")
def mnist() -> Digits:
    """MNIST: 6000 digits to train with, 1000 to test with."""
    if not MNIST.is_dir():
        pytest.skip(f"MNIST's files are not in {MNIST}")
    return load_digits(MNIST, 6000, 1000)


@pytest.fixture
def small() -> Digits:
    """Few of the small digits."""
    pytest.importorskip("sklearn", reason="the small digits come with scikit-learn")
    return load_digits(None, 128, 16)


def run(program: Path, *options: str) -> str:
    environment = {**os.environ, "PYTHONPATH": f"{REPOSITORY / 'src'}:{REPOSITORY}", "OMP_NUM_THREADS": "1"}
    finished = subprocess.run(
        [sys.executable, str(program), *options], cwd=REPOSITORY, env=environment, capture_output=True, text=True,
        timeout=170, check=False,
    )  # fmt: skip
    assert finished.returncode == 0, finished.stderr
    return finished.stdout


# --- the programs as they are run -----------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.timeout(180)
@pytest.mark.parametrize("program", PROGRAMS, ids=lambda path: path.stem)
def test_a_program_runs_and_says_something(program: Path) -> None:
    pytest.importorskip("sklearn", reason="the small digits come with scikit-learn")
    assert len(run(program, *SHORT.get(program.stem, [])).splitlines()) > 1


@pytest.mark.slow
@pytest.mark.timeout(180)
def test_without_mnist_the_demo_says_what_it_uses_instead() -> None:
    pytest.importorskip("sklearn", reason="the small digits come with scikit-learn")
    said = run(REPOSITORY / "examples/encrypted/mnist_inference.py", "--mnist", "/nowhere", *SHORT["mnist_inference"])
    assert "/nowhere is not there" in said and "scikit-learn digits" in said
    assert re.search(r"as in plain sight +6 of 6 *\n", said)
    for heading in ("right", "seconds", "rounds", "bytes", "max_pool2d"):
        assert heading in said


def test_encrypted_updates_train_the_model_that_those_in_the_open_train(hook: sy.TorchHook) -> None:
    pytest.importorskip("sklearn", reason="the small digits come with scikit-learn")
    pytest.importorskip("gmpy2", reason="Paillier's cryptosystem needs gmpy2")
    found = paillier_aggregation.main(rounds=2, bits=2048)
    assert found["apart"] < 1e-5
    assert found["encrypted"] == pytest.approx(found["in the open"], abs=0.01) and found["encrypted"] > 0.8


def test_a_network_in_another_process_reads_encrypted_digits(hook: sy.TorchHook, small: Digits, tmp_path: Path) -> None:
    pytest.importorskip("tenseal", reason="CKKS needs TenSEAL")
    torch.manual_seed(0)
    model = ckks_inference.network(channels=1, size=6)
    train, images = (F.avg_pool2d(images, 4)[:, :, :6, :6] for images in (small.train[0], small.test[0]))
    ckks_inference.train(model, train, small.train[1], epochs=3)
    context = sy.he.ckks_context(precision=8, depth=sy.he.levels_needed(model, images), largest=100)
    with Workers({"alice": ""}, tmp_path) as processes:
        alice: Any = sy.WebsocketClientWorker(hook, "localhost", processes["alice"].port, id="alice")
        alice.serve_model(model, "digits", allow_remote_inference=True, example=images[:2])
        context.send(alice)
        answer = ckks_inference.ask(alice, images, context)
        alice.close(end=True)
    with torch.no_grad():
        assert (answer.scores - model(images)).abs().max() < 0.02
    assert answer.got < answer.sent / 10
    assert "public keys" in drawn_table(ckks_inference.table_of(answer, small.test[1], answer.scores, context))


def drawn_table(table: Table) -> str:
    page = io.StringIO()
    Console(width=200, file=page).print(table)
    return page.getvalue()


# --- part 9 ---------------------------------------------------------------------------------------


def test_part_9_by_hand() -> None:
    x, y = part09.encrypt(25), part09.encrypt(5)
    assert part09.decrypt(x) == 25 and part09.decrypt(part09.add(x, y)) == 30
    assert part09.encrypt(25) != x


def test_part_9_with_workers(hook: sy.TorchHook, parties: list[Any], capsys: pytest.CaptureFixture[str]) -> None:
    bill = sy.VirtualWorker(hook, id="bill", auto_add=False)
    assert part09.shares_and_back(*parties[:2], bill) == 25
    printed = capsys.readouterr().out
    assert printed.startswith("(Wrapper)>[AdditiveSharingTensor]\n\t-> [PointerTensor | me:")
    assert "*crypto provider: me*" in printed
    assert part09.arithmetic(*parties) == {
        "x + y": [30, 12],
        "x - y": [20, -2],
        "x * y": [125, 35],
        "x * 3": [75, 15],
        "square.mm(double)": [2, 4, 6, 8],
    }
    assert part09.comparisons(*parties) == {
        "x > y": [1, 0],
        "x <= y": [0, 1],
        "x == y": [0, 1],
        "x == y + 20": [1, 0],
    }
    assert part09.maxima(*parties) == {
        "x.max()": [4],
        "values of x.max(dim=0)": [4, 3],
        "indices of x.max(dim=0)": [1, 0],
    }


# --- part 10 --------------------------------------------------------------------------------------


def test_part_10_averages_models_that_stay_where_they_are(hook: sy.TorchHook) -> None:
    bob, alice, james = (sy.VirtualWorker(hook, id=name) for name in ("bob", "alice", "james"))
    torch.manual_seed(0)
    models = [part10.Net(), part10.Net()]
    params = [list(model.parameters()) for model in models]
    wanted = [(a.detach() + b.detach()) / 2 for a, b in zip(*params, strict=True)]
    for model, worker in zip(models, (bob, alice), strict=True):
        model.send(worker)
    means = part10.averaged(params, [bob, alice], james)
    for mean, exact in zip(means, wanted, strict=True):
        assert (mean - exact).abs().max() < 0.002
    assert not james._objects
    assert len(bob._objects) == len(alice._objects) == 6, "the models, and nothing else"


# --- parts 11 and 12 ------------------------------------------------------------------------------


def test_part_11_counts_right_answers_on_shares(small: Digits, parties: list[Any]) -> None:
    alice, bob, james = parties
    torch.manual_seed(0)
    model = part11.Net()
    part11.train(model, [small.train])
    wanted = int(part11.count_right(model, [small.test]))
    images, labels = small.test
    private = [
        (
            x.fix_precision(**ENCODING).share(alice, bob, crypto_provider=james),
            y.float().fix_precision(**ENCODING).share(alice, bob, crypto_provider=james),
        )
        for x, y in zip(images.split(8), labels.split(8), strict=True)
    ]
    model.fix_precision(**ENCODING).share(alice, bob, crypto_provider=james)
    right = part11.count_right(model, private)
    assert right.copy().get().float_precision().long().item() == wanted > 0


def test_part_12_trains_like_the_plain_network(parties: list[Any]) -> None:
    alice, bob, james = parties
    plain, encrypted = part12.plain(), part12.encrypted(bob, alice, james)
    assert plain[0] == pytest.approx(1.2987, abs=1e-3) and plain[-1] == pytest.approx(0.0123, abs=1e-3)
    assert max(abs(a - b) for a, b in zip(plain, encrypted, strict=True)) < 0.005


@pytest.mark.slow
@pytest.mark.timeout(180)
@pytest.mark.parametrize("encoding", [{}, ENCODING], ids=["tutorial", "binary"])
def test_part_12bis_trains_within_a_percent(encoding: dict[str, int], mnist: Digits, parties: list[Any]) -> None:
    *holders, james = parties
    torch.manual_seed(0)
    model, twin = part12bis.Net(), part12bis.Net()
    twin.load_state_dict(model.state_dict())
    model.fix_precision(**encoding).share(*holders, crypto_provider=james, requires_grad=True)
    images, targets = mnist.train[0][:640], one_hot(mnist.train[1][:640])
    private = part12bis.in_batches(
        images, targets, lambda t: t.fix_precision(**encoding).share(*holders, crypto_provider=james)
    )
    plain = part12bis.in_batches(images, targets, lambda t: t)
    optimizer = optim.SGD(model.parameters(), lr=0.02).fix_precision(**encoding)
    there = [loss.get().float_precision().item() for loss in part12bis.epoch(model, optimizer, private)]
    here = [loss.item() for loss in part12bis.epoch(twin, optim.SGD(twin.parameters(), lr=0.02), plain)]
    assert here[-1] < here[0]
    assert there == pytest.approx(here, rel=0.01)


# --- MNIST ----------------------------------------------------------------------------------------


def test_images_and_network_are_shared_by_those_who_have_them(small: Digits, hook: sy.TorchHook) -> None:
    alice, bob, james = (sy.VirtualWorker(hook, id=name) for name in ("alice", "bob", "james"))
    torch.manual_seed(0)
    model = Net((4, 8), 32)
    train_plain(model, *small.train)
    images = small.test[0]
    wanted = model(images).argmax(1)
    model = mnist_inference.share_model(model, alice, bob, james)
    result = mnist_inference.read(model, images.send(bob), (alice, bob), james, batch_size=8)
    assert torch.equal(result.labels, wanted)
    assert result.costs.total.rounds > 0 and result.costs.total.bytes > 0
    assert len(bob._objects) == 8, "shares of the network's parameters, and nothing else"


def test_a_network_is_trained_on_shares_like_in_plain_sight(small: Digits, hook: sy.TorchHook) -> None:
    alice, bob, james = (sy.VirtualWorker(hook, id=name) for name in ("alice", "bob", "james"))
    torch.manual_seed(0)
    model, twin = Net((2, 3), 8), Net((2, 3), 8)
    twin.load_state_dict(model.state_dict())
    images, labels = small.train[0][:24], one_hot(small.train[1][:24])
    batches = list(zip(images.split(8), labels.split(8), strict=True))
    model.fix_precision(**ENCODING).share(alice, bob, crypto_provider=james)
    private = mnist_training.shared_batches(batches, bob, (alice, bob), james)
    there = [loss.get().float_precision().item() for loss in mnist_training.losses(model, private, 0.005)]
    here = [loss.item() for loss in mnist_training.losses(twin, batches, 0.005)]
    assert there == pytest.approx(here, abs=0.005)
    model.get().float_precision()
    pairs = zip(model.parameters(), twin.parameters(), strict=True)
    differences = torch.cat([(a - b).detach().abs().flatten() for a, b in pairs])
    # Where a gradient vanishes, the length of Adam's step is chance; most parameters have moved by 0.003.
    assert differences.mean() < 0.001


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_thousand_digits_are_read_on_shares_as_in_fixed_precision(mnist: Digits, hook: sy.TorchHook) -> None:
    alice, bob, james = (sy.VirtualWorker(hook, id=name) for name in ("alice", "bob", "james"))
    torch.manual_seed(0)
    model, fixed = Net(), Net()
    train_plain(model, *mnist.train)
    fixed.load_state_dict(model.state_dict())
    images, labels = mnist.test
    with torch.no_grad():
        fixed.fix_precision(**ENCODING)
        scores = [fixed(batch.fix_precision(**ENCODING)).float_precision() for batch in images.split(50)]
    expected = torch.cat(scores).argmax(1)
    model = mnist_inference.share_model(model, alice, bob, james)
    result = mnist_inference.read(model, images.send(bob), (alice, bob), james, batch_size=50)
    assert (result.labels == expected).float().mean() >= 0.999
    assert (result.labels == labels).float().mean() > 0.9


# --- pictures -------------------------------------------------------------------------------------


def test_images_are_drawn_side_by_side(small: Digits) -> None:
    lines = side_by_side(small.test[0][:3]).split("\n")
    assert len(lines) == 7 and max(map(len, lines)) <= 3 * 14 + 2 * 2
    assert set("".join(lines)) <= set(" ▄▀█") and "█" in "".join(lines)
