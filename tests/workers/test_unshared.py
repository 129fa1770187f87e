"""Who else has a tensor: whatever may still change its bytes is noticed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch

from syft.workers.unshared import unshared


def leaf() -> torch.Tensor:
    """A parameter with a gradient that an engine made."""
    parameter = torch.nn.Parameter(torch.ones(3))
    (parameter * 2).sum().backward()
    return parameter


def result() -> torch.Tensor:
    """What was computed, with a gradient that it was told to keep."""
    made = torch.ones(3, requires_grad=True) * 2
    made.retain_grad()
    made.sum().backward()
    return made


def twice_derived() -> torch.Tensor:
    """A parameter whose gradient has a gradient."""
    parameter = leaf()
    assert parameter.grad is not None
    (parameter.grad.requires_grad_() * 2).sum().backward()
    return parameter


@pytest.mark.parametrize("make", [lambda: torch.zeros(3), leaf, lambda: torch.ones(2, requires_grad=True) * 2])
def test_a_tensor_of_which_only_the_caller_knows_is_unshared(make: Callable[[], torch.Tensor]) -> None:
    store = {1: make()}
    objects = [store[1]]
    assert unshared(objects, holders=1)
    assert not unshared(objects, holders=0), "the store was not noticed"


HOLD: dict[str, tuple[Callable[[], torch.Tensor], Callable[[torch.Tensor], Any]]] = {
    "another name": (leaf, lambda t: [t]),
    "a view": (leaf, lambda t: t.detach()[1:]),
    "data": (leaf, lambda t: t.data),
    "an array": (lambda: torch.zeros(3), lambda t: t.numpy()),
    "its gradient": (leaf, lambda t: t.grad),
    "a view of its gradient": (leaf, lambda t: t.grad[1:]),  # type: ignore[index]
    "the gradient of a result": (result, lambda t: t.grad),
    "a graph": (leaf, lambda t: (t * t).sum()),
}


@pytest.mark.parametrize("name", HOLD)
def test_whoever_else_holds_it_is_noticed(name: str) -> None:
    make, hold = HOLD[name]
    objects = [make()]
    assert unshared(objects, holders=0)
    held = hold(objects[0])
    assert not unshared(objects, holders=0)
    del held
    assert unshared(objects, holders=0), "the test above could not fail"


def test_a_gradient_that_is_an_object_of_its_own_is_noticed() -> None:
    given = torch.zeros(3)
    objects = [torch.ones(3, requires_grad=True)]
    objects[0].grad = given
    assert not unshared(objects, holders=0)
    del given
    assert unshared(objects, holders=0)


def test_what_has_a_gradient_of_a_gradient_counts_as_shared() -> None:
    objects = [twice_derived()]
    held = objects[0].grad.grad  # type: ignore[union-attr]
    assert held is not None and not unshared(objects, holders=0)


@pytest.mark.parametrize("obj", [torch.zeros(2, 2).to_sparse(), 5, [torch.zeros(1)]], ids=["sparse", "int", "list"])
def test_what_is_no_plain_tensor_counts_as_shared(obj: Any) -> None:
    assert not unshared([obj], holders=9)
