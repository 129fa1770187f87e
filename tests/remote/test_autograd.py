"""Gradients that are asked for in other ways than ``loss.backward()``."""

from __future__ import annotations

import pytest
import torch
from torch import nn

import syft as sy
from syft.exceptions import NotLocalError, TensorsNotCollocatedException, UnsupportedOp


def leaf(worker: sy.VirtualWorker, *values: float) -> torch.Tensor:
    """A remote leaf that asks for a gradient."""
    return torch.tensor([float(value) for value in values], requires_grad=True).send(worker)


def test_autograd_backward_accumulates(worker: sy.VirtualWorker) -> None:
    x = leaf(worker, 1, 2)
    torch.autograd.backward((x * 2).sum())
    torch.autograd.backward([x * 3], [torch.ones(2).send(worker)])
    assert x.grad.get().tolist() == [5, 5]


def test_autograd_grad_of_several(worker: sy.VirtualWorker) -> None:
    x, z = leaf(worker, 1, 2), leaf(worker, 3, 4)
    by_x, by_z = torch.autograd.grad((x * x * z).sum(), [x, z])
    assert by_x.get().tolist() == [6, 16]
    assert by_z.get().tolist() == [1, 4]
    assert x.grad is None


def test_autograd_grad_of_a_gradient(worker: sy.VirtualWorker) -> None:
    x = leaf(worker, 1, 2)
    (first,) = torch.autograd.grad((x**3).sum(), x, create_graph=True)
    (second,) = torch.autograd.grad(first.sum(), x)
    assert second.get().tolist() == [6, 12]


def test_autograd_grad_of_what_is_not_used(worker: sy.VirtualWorker) -> None:
    x, z = leaf(worker, 1), leaf(worker, 1)
    by_x, by_z = torch.autograd.grad((x * x).sum(), [x, z], allow_unused=True)
    assert by_x.get().tolist() == [2]
    assert by_z is None


def test_backward_to_some_inputs(worker: sy.VirtualWorker) -> None:
    x, z = leaf(worker, 2), leaf(worker, 3)
    (x * z).sum().backward(inputs=[x])
    assert x.grad.get().tolist() == [3]
    assert z.grad is None


def test_a_second_backward_needs_the_graph(worker: sy.VirtualWorker) -> None:
    x = leaf(worker, 2)
    loss = (x * x).sum()
    loss.backward(retain_graph=True)
    loss.backward()
    with pytest.raises(RuntimeError, match="second time"):
        loss.backward()
    assert x.grad.get().tolist() == [8]


def test_retain_grad(worker: sy.VirtualWorker) -> None:
    x = leaf(worker, 2, 3)
    y = x * 2
    y.retain_grad()
    (y * y).sum().backward()
    assert y.grad.get().tolist() == [8, 12]


def test_a_local_gradient_is_refused(worker: sy.VirtualWorker) -> None:
    x = leaf(worker, 2)
    with pytest.raises(TensorsNotCollocatedException, match="backward"):
        (x * 2).backward(torch.ones(1))
    assert x.grad is None


def test_no_grad_and_enable_grad_reach_the_worker(worker: sy.VirtualWorker) -> None:
    model, x = nn.Linear(2, 1).send(worker), torch.ones(3, 2).send(worker)
    with torch.no_grad():
        assert model(x).requires_grad is False
        with torch.enable_grad():
            assert model(x).requires_grad is True
    with torch.inference_mode():
        assert model(x).requires_grad is False
    assert model(x).requires_grad is True


@torch.no_grad()
def _decorated(model: nn.Module, x: torch.Tensor) -> torch.Tensor:
    return model(x)


def test_a_function_without_gradients(worker: sy.VirtualWorker) -> None:
    assert _decorated(nn.Linear(2, 1).send(worker), torch.ones(3, 2).send(worker)).requires_grad is False


def test_hooks_on_tensors_are_refused(worker: sy.VirtualWorker) -> None:
    x = leaf(worker, 1)
    for register in (x.register_hook, x.register_post_accumulate_grad_hook):
        with pytest.raises(UnsupportedOp, match="code of the caller"):
            register(lambda gradient: gradient)


def test_function_transforms_are_refused(worker: sy.VirtualWorker) -> None:
    x = torch.ones(2).send(worker)
    with pytest.raises(NotLocalError, match="get"):
        torch.func.grad(lambda w: (w * w).sum())(x)
    with pytest.raises(NotLocalError, match="get"):
        torch.vmap(lambda w: w * 2)(x)
    assert x.get().tolist() == [1, 1]
