"""How many digits are computed with, and what that costs."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from examples.encrypted import part12_train_encrypted_network as part12

import syft as sy


@pytest.fixture(params=[{"base": 10, "precision_fractional": 3}, {"base": 2, "precision_fractional": 16}])
def shared(request: pytest.FixtureRequest, alice: Any, bob: Any, james: Any) -> Any:
    """Encode and share a tensor."""
    return lambda t, **kwargs: t.fix_precision(**request.param).share(alice, bob, crypto_provider=james, **kwargs)


def test_training_with_three_decimals_stays_near_the_plain_one(alice: Any, bob: Any, james: Any) -> None:
    wanted = part12.plain()
    for _ in range(3):
        losses = part12.encrypted(bob, alice, james)
        assert max(abs(a - b) for a, b in zip(losses, wanted, strict=True)) < 0.005


def test_steps_smaller_than_the_last_digit_add_up(alice: Any, bob: Any, james: Any) -> None:
    zeros: Any = torch.zeros(50)
    steps: Any = torch.full((50,), 0.004)
    x, step = (t.fix_precision().share(alice, bob, crypto_provider=james) for t in (zeros, steps))
    for _ in range(30):
        x.add_(step, alpha=0.1)
    assert (x.get().float_precision() - 0.012).abs().max() < 0.0021


def test_comparisons_of_32_bits_see_products_right(shared: Any) -> None:
    torch.manual_seed(0)
    x, w = torch.randn(4, 30), torch.randn(30, 8)
    product = shared(x, width=32) @ shared(w, width=32)
    wanted = x @ w
    assert (product.relu().get().float_precision() - wanted.relu()).abs().max() < 0.05
    positive = (product > 0).get().float_precision() == (wanted > 0)
    assert positive[wanted.abs() > 0.05].all()


def test_where_a_product_is_can_be_asked_without_messages(shared: Any) -> None:
    product = shared(torch.ones(3)) * shared(torch.ones(3))
    with sy.mpc.profile() as profile:
        assert product.location is None
    assert profile.total.rounds == 0


def test_the_square_of_a_product_is_rescaled_once(shared: Any) -> None:
    x = shared(torch.tensor([1.5, -2.0]))
    product = x * x
    with sy.mpc.profile() as profile:
        square = product**2
    assert profile.total.rounds == 1
    assert (square.get().float_precision() - torch.tensor([5.0625, 16.0])).abs().max() < 0.05


def test_what_an_op_in_place_costs_is_counted_for_it(shared: Any) -> None:
    x = shared(torch.ones(2))
    product = x * x
    with sy.mpc.profile() as profile:
        x.add_(product)
    assert set(profile.costs) == {"add_"} and profile.costs["add_"].rounds == 1
