"""Checkpoints: readable by plain torch.load, never half written, and refused with a clear word when damaged."""

from __future__ import annotations

import os
import random
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import syft.federated.checkpoint as checkpoint_module
from syft.exceptions import CheckpointError
from syft.federated.checkpoint import Checkpoint, load_checkpoint, restore_rng, rng_state, save_checkpoint
from syft.federated.history import ClientRecord, History, RoundRecord


def example(value: float = 1.0) -> Checkpoint:
    record = RoundRecord(1, 0.5, {"bob": ClientRecord(3, 1, 0.2, 0.1, 0.0, {"accuracy": 0.5})}, {"loss": float("nan")})
    return Checkpoint(
        state_dict={"weight": torch.full((2, 2), value, requires_grad=True), "steps": torch.tensor(3)},
        round=1,
        history=History([record]),
        rng=rng_state(),
        strategy={"optimizer": {"state": {0: {"step": torch.tensor(1.0)}}, "param_groups": [{"lr": 0.1}]}},
        clients={"bob": {"state_dict": {"weight": torch.ones(1)}}},
    )


def test_plain_torch_reads_it_with_its_defaults(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "down" / "checkpoint.pt"
    save_checkpoint(path, example())
    script = (
        "import sys, torch\n"
        f"content = torch.load({str(path)!r})\n"
        "assert 'syft' not in sys.modules\n"
        "layer = torch.nn.Linear(2, 2, bias=False)\n"
        "del content['state_dict']['steps']\n"
        "layer.load_state_dict(content['state_dict'])\n"
        "print(type(content).__name__, layer.weight.sum().item(), content['round'])\n"
    )
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", script], capture_output=True, text=True, timeout=60, cwd=tmp_path
    )
    assert done.stderr == ""
    assert done.stdout.split() == ["dict", "4.0", "1"]


def test_there_and_back(tmp_path: Path) -> None:
    path = tmp_path / "checkpoint.pt"
    saved = example()
    save_checkpoint(path, saved)
    loaded = load_checkpoint(path)
    assert torch.equal(loaded.state_dict["weight"], torch.ones(2, 2))
    assert not loaded.state_dict["weight"].requires_grad
    assert loaded.state_dict["steps"].dtype == torch.int64
    assert loaded.round == 1
    assert loaded.history.clients == ["bob"]
    assert loaded.strategy["optimizer"]["param_groups"] == [{"lr": 0.1}]
    assert torch.equal(loaded.clients["bob"]["state_dict"]["weight"], torch.ones(1))
    assert os.listdir(tmp_path) == ["checkpoint.pt"]


def draw() -> list[float]:
    return [torch.rand(1).item(), random.random(), np.random.rand(), random.gauss(0, 1), np.random.randn()]


def test_random_numbers_go_on_where_they_were(tmp_path: Path) -> None:
    draw()  # so that the generators of normal numbers have one in stock
    save_checkpoint(tmp_path / "c.pt", example())
    expected = draw() + draw()
    draw()
    restore_rng(load_checkpoint(tmp_path / "c.pt").rng)
    assert draw() + draw() == expected


def test_writing_does_not_draw_random_numbers(tmp_path: Path) -> None:
    before = rng_state()
    save_checkpoint(tmp_path / "c.pt", example())
    after = rng_state()
    assert torch.equal(before["torch"], after["torch"])
    assert before["python"] == after["python"]
    assert before["numpy"] == after["numpy"]


def test_a_crash_while_writing_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "checkpoint.pt"
    save_checkpoint(path, example(1.0))

    def power_cut(content: Any, stream: Any) -> None:
        stream.write(b"half of it")
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(checkpoint_module.torch, "save", power_cut)
        with pytest.raises(KeyboardInterrupt):
            save_checkpoint(path, example(2.0))
    assert os.listdir(tmp_path) == ["checkpoint.pt"]
    assert load_checkpoint(path).state_dict["weight"][0, 0] == 1.0
    save_checkpoint(path, example(3.0))
    assert load_checkpoint(path).state_dict["weight"][0, 0] == 3.0


def test_where_it_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(CheckpointError, match="cannot be written"):
        save_checkpoint(tmp_path / "file" / "checkpoint.pt", example())


def test_a_missing_file(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="there is no checkpoint"):
        load_checkpoint(tmp_path / "nothing.pt")


@pytest.mark.parametrize("keep", [0, 10, 300, -1])
def test_a_cut_or_foreign_file(tmp_path: Path, keep: int) -> None:
    path = tmp_path / "c.pt"
    save_checkpoint(path, example())
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(CheckpointError, match="not a checkpoint, or it is damaged"):
        load_checkpoint(path)


class Bomb:
    """Writes a file when it is unpickled by a careless reader."""

    def __init__(self, target: Path) -> None:
        self.target = target

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self.target,)


def test_nothing_in_the_file_is_run(tmp_path: Path) -> None:
    torch.save({"format": Bomb(tmp_path / "boom")}, tmp_path / "c.pt")
    with pytest.raises(CheckpointError, match="not a checkpoint, or it is damaged"):
        load_checkpoint(tmp_path / "c.pt")
    assert not (tmp_path / "boom").exists()


def content(**changes: Any) -> dict[str, Any]:
    good = {
        "format": "syft.federated.checkpoint",
        "version": 1,
        "state_dict": {"w": torch.ones(1)},
        "round": 0,
        "history": {"rounds": []},
        "rng": {},
        "strategy": {},
        "clients": {},
    }
    return {key: value for key, value in {**good, **changes}.items() if value is not None}


@pytest.mark.parametrize(
    ("made", "words"),
    [
        (torch.ones(2), "is not a checkpoint of a federated training"),
        ({"state_dict": {}}, "is not a checkpoint of a federated training"),
        (content(version=2), "has version 2 and this release reads version 1"),
        (content(state_dict={"w": 3}), "its state_dict is not a dict of tensors"),
        (content(history={"rounds": 3}), "not a training history"),
        (content(rng=None), "damaged checkpoint: 'rng'"),
        (content(round="many"), "damaged checkpoint"),
    ],
)
def test_other_content(tmp_path: Path, made: Any, words: str) -> None:
    torch.save(made, tmp_path / "c.pt")
    with pytest.raises(CheckpointError) as caught:
        load_checkpoint(tmp_path / "c.pt")
    assert words in str(caught.value)


@pytest.mark.parametrize(
    "state", [{"torch": torch.zeros(3)}, {"python": {}}, {"numpy": {"words": [1], "position": 0}}, {"torch": 3}]
)
def test_damaged_random_states(state: dict[str, Any]) -> None:
    before = rng_state()
    with pytest.raises(CheckpointError, match="random number states are damaged"):
        restore_rng(state)
    restore_rng(before)
