"""Rectifiers take the product with a comparison's result out of its own material, and the bits when they are needed."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch.nn import functional as F

import syft as sy
from syft.core.ids import new_id
from syft.core.messages import Command, Ref
from syft.exceptions import ProtocolStepError
from syft.mpc.comparison import ORDER
from syft.mpc.comparisons import COMPARISONS
from tests.mpc.parties import Parties, listened, new_parties

VALUES = torch.tensor([[-1.5, 0.0, 2.25], [3.0, -0.25, -8.0]])


@pytest.fixture
def group(hook: Any) -> Parties:
    return new_parties(2)


def numbers(shared: Any) -> torch.Tensor:
    out: torch.Tensor = shared.get().float_precision()
    return out


@pytest.mark.parametrize("protocol", ["tree", "fss"])
def test_a_rectifier_takes_no_product_and_no_bits(group: Parties, protocol: str) -> None:
    x = group.share(VALUES.fix_precision(base=2, precision_fractional=16), protocol=protocol)
    with sy.mpc.profile() as profile:
        traffic = listened(group, lambda: numbers(F.relu(x)))
    assert not [name for name in traffic.sent if "product" in name or "bits" in name]
    assert [name for name in traffic.sent if name.startswith("mpc.gate")]
    assert profile.costs["relu"].rounds == {"tree": 7, "fss": 2}[protocol]


@pytest.mark.parametrize("protocol", ["tree", "fss"])
def test_its_gradient_passes_where_values_did_as_often_as_it_is_asked_for(group: Parties, protocol: str) -> None:
    x = group.share(VALUES.fix_precision(base=2, precision_fractional=16), protocol=protocol, requires_grad=True)
    out = F.relu(x)
    out.sum().backward(retain_graph=True)
    out.sum().backward()
    assert torch.equal(numbers(x.grad), 2.0 * (VALUES >= 0))


def test_without_gradients_nothing_is_kept_for_them(group: Parties) -> None:
    x = group.share(VALUES.fix_precision(base=2, precision_fractional=16))
    F.relu(x)
    before = group.objects()
    with torch.no_grad():
        out = F.relu(x)
    assert [now - then for now, then in zip(group.objects(), before, strict=True)] == [1, 1, 0]
    assert out.child.child.passes is None


def gated(group: Parties, *, gate: bool) -> tuple[Any, Any]:
    x = group.shared(torch.tensor([1, -2, 3]))
    return x, COMPARISONS["tree"].compared(x, ORDER, gate=gate)


def test_the_material_of_a_gate_is_used_once(group: Parties) -> None:
    _, outcome = gated(group, gate=True)
    assert torch.equal(outcome.gated(keep=True).get(), torch.tensor([0, -2, 0]))
    assert torch.equal(outcome.bits().get(), torch.tensor([0, 1, 0]))
    with pytest.raises(ProtocolStepError, match="no material left"):
        outcome.gated(keep=True)


def test_a_comparison_that_was_not_made_for_it_has_no_gate(group: Parties) -> None:
    _, outcome = gated(group, gate=False)
    with pytest.raises(ProtocolStepError, match="no material left"):
        outcome.gated(keep=False)


@pytest.mark.parametrize(
    ("place", "other"),
    [(1, torch.ones(4).long()), (2, torch.ones(1).long()), (3, torch.ones(3).long()), (3, torch.ones(4).bool())],
)
def test_the_parts_of_a_gate_have_one_shape_and_its_results_are_booleans(
    group: Parties, place: int, other: torch.Tensor
) -> None:
    """What is too short would be repeated, silently."""
    x, outcome = gated(group, gate=True)
    holder = group.holders[0]
    parts: list[Any] = [outcome.steps[0].ref, x.shares[holder.id].ref, x.wire.public.tensor, outcome.result, False]
    parts[place] = other
    with pytest.raises(ProtocolStepError, match="one shape|a boolean for each"):
        holder.request(Command("mpc.gate", tuple(parts), None, new_id(), False))


def test_a_gate_needs_a_comparison(group: Parties) -> None:
    """Not any object that is there."""
    x, outcome = gated(group, gate=True)
    holder = group.holders[0]
    holder._objects["text"] = sy.String("no comparison")
    share = x.shares[holder.id].ref
    with pytest.raises(ProtocolStepError, match="come from a comparison"):
        holder.request(Command("mpc.bits", (Ref("text"), outcome.result), None, new_id(), False))
    with pytest.raises(ProtocolStepError, match="come from a comparison"):
        holder.request(Command("mpc.bits", (share, outcome.result), None, new_id(), False))
