"""What is sent without waiting and without being copied is as it was when it was sent."""

from __future__ import annotations

import asyncio

import pytest
import torch

import syft as sy
from syft.exceptions import PlanArgumentError
from tests.faults.conftest import Connect, Serve


def test_a_plan_that_gives_one_tensor_is_called_without_waiting(served: Serve, connect: Connect) -> None:
    bob = connect(served().port)

    @sy.func2plan(args_shape=[(2,)])
    def double(x: torch.Tensor) -> torch.Tensor:
        return x * 2

    @sy.func2plan(args_shape=[(2,)])
    def both(x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        return x * 2, x * 3

    x = torch.tensor([1.0, 2.0]).send(bob)
    one, two = double.send(bob), both.send(bob)
    before = bob.traffic.total.messages_in
    y = one(one(x))
    assert bob.traffic.total.messages_in == before
    assert y.get().tolist() == [4, 8]
    before = bob.traffic.total.messages_in
    assert [part.get().tolist() for part in two(x)] == [[2, 4], [3, 6]]
    assert bob.traffic.total.messages_in == before + 3, "of several results the worker says where they are"
    wrong = one(x, x)
    with pytest.raises(PlanArgumentError):
        wrong.get()
    assert one(x).get().tolist() == [2, 4]


# --- what is not copied ------------------------------------------------------------------------------

LONG = 300_000


def test_what_is_fetched_is_what_it_was_whatever_comes_next(served: Serve, connect: Connect) -> None:
    bob = connect(served().port)
    for _ in range(5):
        x = torch.zeros(LONG).send(bob)
        view, kept = x.view(2, LONG // 2), x.clone()
        held = [x.copy().get(), x.get()]
        view.add_(1)
        kept.add_(5)
        assert [float(part.sum()) for part in held] == [0, 0]
        assert float(view.get().sum()) == LONG
        assert float(kept.get().sum()) == 5 * LONG


def test_several_fetch_while_what_has_the_same_memory_changes(served: Serve, connect: Connect) -> None:
    bob = connect(served().port)
    x = torch.zeros(LONG).send(bob)
    view = x.view(LONG)

    async def fetch() -> torch.Tensor:
        fetched = bob.async_get(x)
        task = asyncio.ensure_future(fetched)
        await asyncio.sleep(0)
        for _ in range(50):
            view.add_(1)
        return await task

    got = asyncio.run(fetch())
    assert got.min() == got.max(), "a fetched tensor has values of one moment"


def test_a_model_that_was_sent_is_no_longer_the_senders(served: Serve, connect: Connect) -> None:
    bob = connect(served().port)
    model = torch.nn.Linear(600, 600)
    before = {name: p.detach().clone() for name, p in model.state_dict().items()}
    for _ in range(3):
        model.send(bob)
        others = [torch.full((600, 600), 7.0) for _ in range(5)]  # may get the memory that the model had
        model.get()
        assert all(torch.equal(p, before[name]) for name, p in model.state_dict().items())
        del others
        (model.weight.sum() + model.bias.sum()).backward()
        assert float(model.weight.grad.sum()) > 0
