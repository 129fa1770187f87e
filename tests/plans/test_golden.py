"""The wire form of plans is kept: one file for each version, which today's code must read and write alike."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

import syft as sy
from syft.exceptions import DecodeError
from syft.plans import wire
from syft.serde import decode, encode

pytestmark = pytest.mark.usefixtures("hook")

GOLDEN = Path(__file__).parent / "golden"
FILES = {version: GOLDEN / f"plan-v{version}.bin" for version in range(1, wire.VERSION + 1)}


def sample() -> sy.Plan:
    """A plan with every kind of instruction."""
    weight = torch.nn.Parameter(torch.tensor([[1.0, -2.0], [0.5, 3.0]]))
    optimizer = torch.optim.SGD([weight], lr=0.5, momentum=0.5)

    def forward(x: Any, named: Any, scale: float = 2.0) -> Any:
        if x.shape[0] < 1:
            return x
        rows = (x @ weight).view(x.shape[0] * 2, -1) * scale + torch.tensor([1.0])
        optimizer.zero_grad()
        rows.pow(2).sum().backward()
        optimizer.step()
        with torch.no_grad():
            values, _ = torch.max(named["bias"][0:1], dim=0)
        return {"rows": rows.detach(), "values": values, "count": x.shape[0]}

    plan = sy.Plan("golden", forward=forward, state=[weight], id=17, tags={"#a"}, description="all of it")
    plan._passed_state = lambda: ()  # type: ignore[method-assign]
    plan.build(torch.ones(3, 2), {"bias": torch.zeros(2, 2)})
    return plan


@pytest.mark.parametrize("version", FILES)
def test_a_plan_of_that_version_still_runs(version: int) -> None:
    plan = decode(FILES[version].read_bytes(), None)
    assert (plan.name, plan.id, plan.tags, plan.description) == ("golden", 17, {"#a"}, "all of it")
    bias = torch.tensor([[4.0, 5.0], [6.0, 7.0]])
    out = plan(torch.eye(2), {"bias": bias})
    assert out["rows"].tolist() == [[3.0], [-3.0], [2.0], [7.0]]
    assert out["values"].tolist() == [4.0, 5.0]
    assert out["count"] == 2
    # d/dW of the sum of squares is 2 · 2 · rows for this input.
    expected = torch.tensor([[1.0, -2.0], [0.5, 3.0]]) - 0.5 * 4 * torch.tensor([[3.0, -3.0], [2.0, 7.0]])
    assert torch.equal(plan.state.tensors()[0].detach(), expected)


def test_the_bytes_of_today_are_those_of_the_file() -> None:
    assert encode(sample()) == FILES[wire.VERSION].read_bytes()


def test_a_plan_of_another_version_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wire, "VERSION", 2)
    with pytest.raises(DecodeError, match="version"):
        decode(FILES[1].read_bytes(), None)


def test_a_plan_has_a_size_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    binary = encode(sample())
    monkeypatch.setattr(wire, "MAX_INSTRUCTIONS", 5)
    with pytest.raises(DecodeError, match="at most 5 instructions"):
        decode(binary, None)
