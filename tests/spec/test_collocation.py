"""Operands in different places: one clear error, and nothing lost anywhere."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import nn
from torch.nn import functional as F

import syft as sy
from syft.exceptions import TensorsNotCollocatedException

Worker = sy.VirtualWorker
Call = Callable[[Any, Any], Any]

BOTH_WAYS: dict[str, Call] = {
    "+": lambda a, b: a + b, "-": lambda a, b: a - b, "@": lambda a, b: a @ b, "==": lambda a, b: a == b,
    ">": lambda a, b: a > b, "add": lambda a, b: a.add(b), "add keyword": lambda a, b: a.add(other=b),
    "+=": lambda a, b: a.__iadd__(b), "add_": lambda a, b: a.add_(b), "mul_": lambda a, b: a.mul_(b),
    "torch.add": torch.add, "torch.matmul": torch.matmul, "torch.mm": torch.mm, "torch.equal": torch.equal,
    "cat": lambda a, b: torch.cat([a, b]), "stack": lambda a, b: torch.stack((a, b)),
    "where": lambda a, b: torch.where(a > 0, a, b), "where condition": lambda a, b: torch.where(b > 0, a, a),
    "F.mse_loss": F.mse_loss, "F.mse_loss keywords": lambda a, b: F.mse_loss(input=a, target=b),
    "F.linear": F.linear, "F.nll_loss": lambda a, b: F.nll_loss(a, b.argmax(dim=1)),
    "F.cross_entropy": lambda a, b: F.cross_entropy(a, b.argmax(dim=1)),
    "F.conv2d": lambda a, b: F.conv2d(a[None, None], b[None, None]),
    "einsum": lambda a, b: torch.einsum("ij,ij->", a, b), "copy_": lambda a, b: a.copy_(b),
    "nn.MSELoss": lambda a, b: nn.MSELoss()(a, b), "index": lambda a, b: a[b.argmax(dim=1)],
    "index assignment": lambda a, b: a.__setitem__(0, b[0]), "out": lambda a, b: torch.add(a, a, out=b),
    "masked_fill": lambda a, b: a.masked_fill(b > 0, 0.0), "_foreach": lambda a, b: torch._foreach_add([a, a], [b, b]),
}  # fmt: skip


@pytest.fixture
def two_by_two(hook: sy.TorchHook) -> torch.Tensor:
    """A small matrix."""
    return torch.tensor([[1.0, 2.0], [3.0, 4.0]])


def values(worker: Worker) -> list[Any]:
    return [t.tolist() for t in worker._objects.values()]


@pytest.mark.parametrize("call", BOTH_WAYS.values(), ids=BOTH_WAYS.keys())
def test_two_workers_do_not_mix(bob: Worker, alice: Worker, two_by_two: torch.Tensor, call: Call) -> None:
    p, q = two_by_two.send(bob), (two_by_two * 2).send(alice)
    with pytest.raises(TensorsNotCollocatedException, match="You tried to call") as caught:
        call(p, q)
    assert "bob" in str(caught.value)
    assert "alice" in str(caught.value)
    del caught
    assert values(bob) == [two_by_two.tolist()]
    assert values(alice) == [(two_by_two * 2).tolist()]
    assert torch.equal(p.get(), two_by_two)
    assert torch.equal(q.get(), two_by_two * 2)


@pytest.mark.parametrize("call", BOTH_WAYS.values(), ids=BOTH_WAYS.keys())
def test_remote_then_local_do_not_mix(bob: Worker, two_by_two: torch.Tensor, call: Call) -> None:
    p = two_by_two.send(bob)
    local = two_by_two * 2
    with pytest.raises(TensorsNotCollocatedException, match="You tried to call"):
        call(p, local)
    assert values(bob) == [two_by_two.tolist()]
    assert torch.equal(local, two_by_two * 2)
    assert torch.equal(p.get(), two_by_two)


@pytest.mark.parametrize("call", BOTH_WAYS.values(), ids=BOTH_WAYS.keys())
def test_local_then_remote_do_not_mix(bob: Worker, two_by_two: torch.Tensor, call: Call) -> None:
    p = two_by_two.send(bob)
    local = two_by_two * 2
    with pytest.raises(TensorsNotCollocatedException, match="You tried to call"):
        call(local, p)
    assert values(bob) == [two_by_two.tolist()]
    assert torch.equal(local, two_by_two * 2)
    assert torch.equal(p.get(), two_by_two)


@pytest.mark.parametrize("call", [lambda a, b: a + b, torch.add, lambda a, b: torch.cat([a, b])])
def test_a_pointer_and_a_pointer_to_a_pointer_do_not_mix(
    bob: Worker, alice: Worker, two_by_two: torch.Tensor, call: Call
) -> None:
    p, pp = two_by_two.send(bob), (two_by_two * 2).send(bob).send(alice)
    for a, b in ((p, pp), (pp, p)):
        with pytest.raises(TensorsNotCollocatedException):
            call(a, b)
    assert torch.equal(pp.get().get(), two_by_two * 2)
    assert torch.equal(p.get(), two_by_two)


def test_the_error_names_the_op(bob: Worker, alice: Worker) -> None:
    p, q = torch.tensor([1.0]).send(bob), torch.tensor([1.0]).send(alice)
    for call, name in ((lambda: p + q, "add"), (lambda: torch.matmul(p, q), "matmul"), (lambda: p.sub_(q), "sub_")):
        with pytest.raises(TensorsNotCollocatedException, match=rf"call \S*{name}"):
            call()


def test_the_error_says_which_side_is_remote(bob: Worker) -> None:
    p, local = torch.tensor([1.0]).send(bob), torch.tensor([1.0])
    with pytest.raises(TensorsNotCollocatedException, match="first is remote"):
        p.add(local)
    with pytest.raises(TensorsNotCollocatedException, match="second is remote"):
        local.add(p)


def test_the_error_holds_the_operands(bob: Worker, alice: Worker) -> None:
    p, q, local = torch.tensor([1.0]).send(bob), torch.tensor([1.0]).send(alice), torch.tensor([1.0])
    with pytest.raises(TensorsNotCollocatedException) as caught:
        p + local
    assert caught.value.tensor_b is local
    assert caught.value.tensor_a.location is bob
    with pytest.raises(TensorsNotCollocatedException) as caught:
        p + q
    assert [caught.value.tensor_a.location, caught.value.tensor_b.location] == [bob, alice]


def test_a_local_gradient_is_refused(bob: Worker) -> None:
    w = torch.tensor([1.0, 2.0], requires_grad=True).send(bob)
    y = w * 2
    with pytest.raises(TensorsNotCollocatedException):
        y.backward(torch.ones(2))
    assert w.grad is None
    y.backward(torch.ones(2).send(bob))
    assert w.get().grad.tolist() == [2.0, 2.0]


# --- modules ----------------------------------------------------------------------------------------


def make_modules() -> dict[str, tuple[nn.Module, torch.Tensor]]:
    return {
        "Linear": (nn.Linear(2, 1), torch.ones(3, 2)),
        "Conv2d": (nn.Conv2d(1, 2, 2), torch.ones(1, 1, 3, 3)),
        "BatchNorm1d": (nn.BatchNorm1d(2), torch.randn(4, 2)),
        "Sequential": (nn.Sequential(nn.Linear(2, 3), nn.ReLU(), nn.Linear(3, 1)), torch.ones(3, 2)),
        "LSTM": (nn.LSTM(2, 3), torch.ones(4, 1, 2)),
        "GRUCell": (nn.GRUCell(2, 3), torch.ones(1, 2)),
        "Embedding": (nn.Embedding(4, 2), torch.tensor([1, 3])),
        "LayerNorm": (nn.LayerNorm(2), torch.ones(3, 2)),
    }


@pytest.mark.parametrize("name", list(make_modules()))
def test_a_model_does_not_take_data_from_another_worker(bob: Worker, alice: Worker, name: str) -> None:
    model, x = make_modules()[name]
    before = {k: v.clone() for k, v in model.state_dict().items()}
    model.send(bob)
    p = x.send(alice)
    held = len(bob._objects)
    with pytest.raises(TensorsNotCollocatedException):
        model(p)
    assert len(bob._objects) == held
    assert torch.equal(p.get(), x)
    model.get()
    after = model.state_dict()
    # BatchNorm counts a batch before it looks at it, in plain torch too.
    assert all(torch.equal(after[k], before[k]) for k in before if not k.endswith("num_batches_tracked"))


@pytest.mark.parametrize("name", list(make_modules()))
def test_a_remote_model_does_not_take_local_data(bob: Worker, name: str) -> None:
    model, x = make_modules()[name]
    model.send(bob)
    with pytest.raises(TensorsNotCollocatedException):
        model(x)
    model.get()
    model(x)


@pytest.mark.parametrize("name", list(make_modules()))
def test_a_local_model_does_not_take_remote_data(bob: Worker, name: str) -> None:
    model, x = make_modules()[name]
    p = x.send(bob)
    with pytest.raises(TensorsNotCollocatedException):
        model(p)
    assert torch.equal(p.get(), x)
    model(x)
