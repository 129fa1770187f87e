"""Histories: figures by name, and JSON there and back."""

from __future__ import annotations

import json
import math

import pytest

from syft.exceptions import FederatedError
from syft.federated.history import ClientRecord, History, RoundRecord


def history() -> History:
    bob = ClientRecord(samples=30, batches=3, train_loss=0.5, seconds=1.5, drift=0.1, metrics={"accuracy": 0.8})
    alice = ClientRecord(samples=10, batches=1, train_loss=1.5, seconds=0.5, drift=0.2)
    return History(
        [
            RoundRecord(1, 2.0, {"bob": bob}, {"accuracy": 0.7, "loss": 0.9}),
            RoundRecord(2, 2.5, {"bob": bob, "alice": alice}, {"accuracy": 0.75}),
        ]
    )


def test_figures_by_name() -> None:
    made = history()
    assert len(made) == 2
    assert made.clients == ["bob", "alice"]
    assert made.metric("accuracy") == [0.7, 0.75]
    assert made.metric("train_loss") == [0.5, 0.75]  # by samples: (30 * 0.5 + 10 * 1.5) / 40
    assert made.metric("loss")[0] == 0.9
    assert math.isnan(made.metric("loss")[1])
    assert made.client_figure("bob", "samples") == [30.0, 30.0]
    assert made.client_figure("bob", "accuracy") == [0.8, 0.8]
    missing, drift = made.client_figure("alice", "drift")
    assert math.isnan(missing)
    assert drift == 0.2
    assert math.isnan(made.client_figure("alice", "accuracy")[1])
    assert math.isnan(made.client_figure("bob", "metrics")[0])
    assert repr(made) == "<History of 2 rounds, last {'accuracy': 0.75}>"


def test_json_there_and_back() -> None:
    made = history()
    assert History.from_json(made.to_json()) == made
    assert json.loads(made.to_json())["rounds"][0]["clients"]["bob"]["metrics"] == {"accuracy": 0.8}


def test_json_is_standard_even_with_nan() -> None:
    record = ClientRecord(1, 1, math.nan, 0.1, math.inf, {"accuracy": -math.inf})
    text = History([RoundRecord(1, 0.1, {"bob": record}, {"loss": math.nan})]).to_json()
    assert "NaN" not in text
    assert "Infinity" not in text
    back = History.from_json(text)[0]
    assert math.isnan(back.metrics["loss"])
    assert math.isnan(back.clients["bob"].drift)


def test_a_round_without_samples_has_no_loss() -> None:
    assert math.isnan(RoundRecord(1, 0.1, {}).train_loss)


def test_rounds_follow_one_another() -> None:
    with pytest.raises(FederatedError, match="round 2 cannot follow after 0 rounds"):
        History().append(history()[1])


@pytest.mark.parametrize(
    "text", ["", "{", "[]", "3", '{"rounds": 3}', '{"rounds": [{}]}', '{"rounds": [{"round": "x", "clients": {}}]}']
)
def test_other_text_is_refused(text: str) -> None:
    with pytest.raises(FederatedError, match="not a training history"):
        History.from_json(text)
