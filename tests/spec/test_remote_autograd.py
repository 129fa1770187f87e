"""Gradients are computed by the worker that holds the graph."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn

import syft as sy
from syft.exceptions import ObjectNotFoundError, TensorsNotCollocatedException

Worker = sy.VirtualWorker


@pytest.fixture
def w(bob: Worker) -> Any:
    """A remote leaf that requires a gradient."""
    return torch.tensor([3.0, 1.0], requires_grad=True).send(bob)


def test_nothing_is_recorded_here(w: Any) -> None:
    y = (w * w).sum()
    assert y.grad_fn is None
    assert y.requires_grad is True


def test_backward_gives_a_printable_pointer_to_nothing(w: Any, bob: Worker) -> None:
    out = (w * w).sum().backward()
    assert str(out) == f"(Wrapper)>[PointerTensor | me:{out.id} -> bob:{out.id_at_location}]"
    with pytest.raises(ObjectNotFoundError):
        out.get()
    assert list(bob._objects) == [w.id_at_location]


def test_what_backward_gives_deletes_nothing(w: Any, bob: Worker) -> None:
    (w * w).sum().backward()
    assert len(bob._objects) == 1


def test_backward_takes_a_gradient_at_the_same_place(w: Any, bob: Worker) -> None:
    (w * w).backward(torch.tensor([1.0, 10.0]).send(bob))
    assert w.grad.copy().get().tolist() == [6.0, 20.0]


def test_backward_refuses_a_local_gradient(w: Any) -> None:
    with pytest.raises(TensorsNotCollocatedException):
        (w * w).backward(torch.tensor([1.0, 10.0]))


def test_backward_twice_needs_retain_graph(w: Any) -> None:
    y = (w * w).sum()
    y.backward(retain_graph=True)
    y.backward()
    assert w.grad.copy().get().tolist() == [12.0, 4.0]
    with pytest.raises(RuntimeError, match="backward through the graph a second time"):
        y.backward()


def test_backward_twice_through_a_sum_accumulates(bob: Worker) -> None:
    x = torch.tensor([1.0, 2.0, 3.0], requires_grad=True).send(bob)
    y = torch.tensor([1.0, 1.0, 1.0], requires_grad=True).send(bob)
    z = (x + y).sum()
    z.backward()
    z.backward()
    assert x.grad.copy().get().tolist() == [2.0, 2.0, 2.0]
    assert y.get().grad.tolist() == [2.0, 2.0, 2.0]


def test_grad_prints_the_ids_of_its_tensor(w: Any, bob: Worker) -> None:
    (w * w).sum().backward()
    assert str(w.grad) == f"(Wrapper)>[PointerTensor | me:{w.id} -> bob:{w.id_at_location}]::grad"


def test_ops_on_grad_run_on_the_remote_gradient(w: Any) -> None:
    (w * w).sum().backward()
    assert w.grad.copy().get().tolist() == [6.0, 2.0]
    assert (w.grad + 1).get().tolist() == [7.0, 3.0]
    assert w.grad.shape == (2,)
    w.grad.zero_()
    assert w.get().grad.tolist() == [0.0, 0.0]


def test_getting_a_gradient_gives_a_copy_and_loses_nothing(w: Any, bob: Worker) -> None:
    (w * w).sum().backward()
    assert w.grad.get().tolist() == [6.0, 2.0]
    assert w.grad.get().tolist() == [6.0, 2.0]
    assert list(bob._objects) == [w.id_at_location]
    assert w.get().grad.tolist() == [6.0, 2.0]


def test_cloning_a_gradient_clones_the_gradient(w: Any, bob: Worker) -> None:
    (w * w).sum().backward()
    assert w.grad.clone().get().tolist() == [6.0, 2.0]
    assert w.get().tolist() == [3.0, 1.0]


def test_get_brings_the_gradient_along(w: Any) -> None:
    (w * w).sum().backward()
    back = w.get()
    assert back.grad.tolist() == [6.0, 2.0]
    assert back.requires_grad


def test_send_takes_the_gradient_along(bob: Worker) -> None:
    x = torch.tensor([1.0], requires_grad=True)
    (x * 5).backward()
    p = x.send(bob)
    assert p.grad.copy().get().tolist() == [5.0]
    (p * 5).sum().backward()
    assert p.grad.copy().get().tolist() == [10.0]
    assert x.grad is not None
    assert x.grad.tolist() == [5.0]


def test_requires_grad_is_set_remotely(bob: Worker) -> None:
    p, q = torch.tensor([1.0]).send(bob), torch.tensor([1.0]).send(bob)
    assert p.requires_grad_() is p
    q.requires_grad = True
    assert bob._objects[p.id_at_location].requires_grad
    assert bob._objects[q.id_at_location].requires_grad
    (p * q).sum().backward()
    assert p.get().grad.tolist() == q.get().grad.tolist() == [1.0]


def test_requires_grad_can_be_switched_off(w: Any, bob: Worker) -> None:
    w.requires_grad = False
    assert bob._objects[w.id_at_location].requires_grad is False
    assert w.requires_grad is False


def test_without_a_gradient_grad_is_none(w: Any, bob: Worker) -> None:
    assert w.grad is None
    assert torch.tensor([1.0]).send(bob).grad is None
    assert (w * 2).detach().grad is None


def test_grad_appears_whoever_called_backward(w: Any, bob: Worker) -> None:
    assert w.grad is None
    y = (w * 2).sum()
    assert w.grad is None
    y.backward()
    assert w.grad is not None


def test_grad_is_none_again_after_it_was_removed(w: Any, bob: Worker) -> None:
    (w * w).sum().backward()
    w.grad = None
    assert w.grad is None
    assert bob._objects[w.id_at_location].grad is None


def test_a_remote_gradient_can_be_assigned(w: Any, bob: Worker) -> None:
    w.grad = torch.tensor([7.0, 8.0]).send(bob)
    assert w.grad.copy().get().tolist() == [7.0, 8.0]
    assert w.get().grad.tolist() == [7.0, 8.0]


def test_a_kept_gradient_pointer_follows_the_gradient(w: Any) -> None:
    (w * w).sum().backward()
    g = w.grad
    (w * w).sum().backward()
    assert g.copy().get().tolist() == [12.0, 4.0]


def test_a_gradient_pointer_keeps_its_tensor_alive(bob: Worker) -> None:
    w = torch.tensor([3.0], requires_grad=True).send(bob)
    (w * w).sum().backward()
    g = w.grad
    del w
    assert g.copy().get().tolist() == [6.0]
    del g
    assert bob._objects == {}


def test_gradients_of_several_tensors(bob: Worker) -> None:
    a = torch.tensor([2.0], requires_grad=True).send(bob)
    b = torch.tensor([5.0], requires_grad=True).send(bob)
    c = torch.tensor([1.0]).send(bob)
    (a * b * c).sum().backward()
    assert a.grad.get().tolist() == [5.0]
    assert b.grad.get().tolist() == [2.0]
    assert c.grad is None


def test_torch_autograd_grad_works_remotely(w: Any) -> None:
    (g,) = torch.autograd.grad((w * w).sum(), [w])
    assert g.get().tolist() == [6.0, 2.0]
    assert w.grad is None


def test_second_derivatives_work_remotely(w: Any) -> None:
    (g,) = torch.autograd.grad((w**3).sum(), [w], create_graph=True)
    g.sum().backward()
    assert w.grad.get().tolist() == [18.0, 6.0]


def test_a_leaf_in_place_change_raises_torch_s_error(w: Any) -> None:
    with pytest.raises(RuntimeError, match="leaf Variable that requires grad"):
        w.add_(1)
    with torch.no_grad():
        w.add_(1)
    assert w.get().tolist() == [4.0, 2.0]


def test_set_under_no_grad_replaces_the_values(w: Any, bob: Worker) -> None:
    with torch.no_grad():
        w.set_(torch.tensor([8.0, 9.0]).send(bob))
    back = w.get()
    assert back.tolist() == [8.0, 9.0]
    assert back.requires_grad


def test_detach_cuts_the_remote_graph(w: Any) -> None:
    y = (w * 2).detach().requires_grad_()
    (y * 3).sum().backward()
    assert w.grad is None
    assert y.grad.get().tolist() == [3.0, 3.0]


def test_a_network_split_over_two_workers(bob: Worker, alice: Worker) -> None:
    torch.manual_seed(1)
    first, second = nn.Linear(2, 3), nn.Linear(3, 1)
    x = torch.randn(4, 2)
    local = second(torch.tanh(first(x))).pow(2).sum()
    local.backward()
    expected = [p.grad.clone() for p in (*first.parameters(), *second.parameters()) if p.grad is not None]
    first.zero_grad()
    second.zero_grad()

    first.send(bob)
    second.send(alice)
    a = torch.tanh(first(x.send(bob)))
    remote = a.detach().move(alice).requires_grad_()
    loss = second(remote).pow(2).sum()
    loss.backward()
    a.backward(remote.grad.copy().move(bob))
    assert torch.allclose(loss.get(), local)
    first.get()
    second.get()
    for p, value in zip((*first.parameters(), *second.parameters()), expected, strict=True):
        assert p.grad is not None
        assert torch.allclose(p.grad, value)


def test_the_example_of_the_manual(make_worker: Any) -> None:
    lab = make_worker("lab")
    w = torch.tensor([3.0, 1.0], requires_grad=True).send(lab)
    (w * w).sum().backward()
    assert str(w.grad).endswith("::grad")
    assert w.grad.copy().get().tolist() == [6.0, 2.0]
    back = w.get()
    assert back.grad.tolist() == [6.0, 2.0]
