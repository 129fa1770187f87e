"""Modules that are encoded and shared at the worker that has them: the client never has the values."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn

ENCODING = {"base": 2, "precision_fractional": 16}


def test_a_model_and_images_that_are_shared_where_they_are_compute_together(alice: Any, bob: Any, james: Any) -> None:
    torch.manual_seed(0)
    net, x = nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 2)), torch.randn(5, 3)
    wanted, parameters = net(x).detach(), list(net.parameters())
    net.send(alice).fix_precision(**ENCODING).share(alice, bob, crypto_provider=james).get()
    there = x.send(bob).fix_precision(**ENCODING)
    got = net(there.share(alice, bob, crypto_provider=james).get()).get().float_precision()
    assert (got - wanted).abs().max() < 1e-3
    assert all(a is b for a, b in zip(net.parameters(), parameters, strict=True))


@pytest.mark.parametrize("trained", [True, False])
def test_what_is_trained_stays_trained_on_the_way(trained: bool, alice: Any, bob: Any, james: Any) -> None:
    net = nn.Linear(2, 1).requires_grad_(trained)
    weight = net.weight
    net.send(alice).fix_precision()
    assert weight.requires_grad is trained
    net.share(alice, bob, crypto_provider=james)
    assert weight.requires_grad is trained
    net.get()
    assert weight.requires_grad is trained
    net.get().float_precision()
    assert weight.requires_grad is trained and type(weight) is nn.Parameter


def test_a_model_that_was_trained_there_is_shared_there(alice: Any, bob: Any, james: Any) -> None:
    net = nn.Linear(2, 1)
    x: Any = torch.randn(3, 2)
    net(x).sum().backward()
    wanted = net(x).detach()
    net.send(alice).fix_precision(**ENCODING).share(alice, bob, crypto_provider=james).get()
    out = net(x.fix_precision(**ENCODING).share(alice, bob, crypto_provider=james))
    assert (out.get().float_precision() - wanted).abs().max() < 1e-3


def test_encoding_a_model_leaves_nothing_else_at_its_worker(alice: Any) -> None:
    net = nn.Linear(2, 1).send(alice).fix_precision()
    assert len(alice._objects) == 2
    net.float_precision()
    assert len(alice._objects) == 2
