"""How precise CKKS is, by depth; and that decrypted numbers carry no noise in their low bits."""

from __future__ import annotations

from typing import Any

import pytest
import torch

import syft as sy
from syft.he.levelled.ckks import CkksArithmetic
from tests.he.contexts import ckks


@pytest.fixture(autouse=True)
def _hooked(hook: sy.TorchHook) -> None:
    torch.manual_seed(3)


def raw(x: Any, context: sy.he.Context) -> torch.Tensor:
    """What is in the slots before anything is rounded, of a tensor in one ciphertext."""
    numbers = context.decrypted(x.child.vectors[0])[: x.child.size]
    return torch.tensor(numbers, dtype=torch.float64) * x.child.factor


@pytest.mark.parametrize(("precision", "depth"), [(8, 1), (8, 3), (20, 1), (20, 3), (20, 6), (25, 3)])
def test_numbers_of_size_one_are_right_to_the_precision_at_any_depth(precision: int, depth: int) -> None:
    context = ckks(depth=depth, precision=precision)
    expected = near_one()
    out = expected.encrypt(protocol="ckks", context=context)
    for level in range(depth + 1):
        error = (raw(out, context) - expected).abs() / expected.abs()
        assert error.max() < 2.0**-precision / 2, level
        if level < depth:
            factor = near_one()
            out = out * (factor if level % 3 == 2 else factor.encrypt(protocol="ckks", context=context))
            expected = expected * factor


def near_one() -> torch.Tensor:
    """Numbers whose products stay of size one."""
    return (0.9 + 0.2 * torch.rand(2000, dtype=torch.float64)) * (2 * torch.randint(2, (2000,)) - 1)


def test_control_one_bit_more_than_there_is_would_be_missed() -> None:
    context = sy.he.ckks_context(degree=8192, prime_bits=[45, 25, 25, 45], scale_bits=25)
    x = torch.rand(2000, dtype=torch.float64)
    assert (raw(x.encrypt(protocol="ckks", context=context), context) - x).abs().max() > 2.0**-20


@pytest.mark.parametrize("terms", [10, 300])
def test_sums_of_multiples_are_as_precise(terms: int) -> None:
    x, w = torch.randn(50, terms, dtype=torch.float64), torch.randn(1, terms, dtype=torch.float64) / terms**0.5
    out = torch.nn.functional.linear(x.encrypt(protocol="ckks", context=ckks()), w)
    assert (raw(out, ckks()) - (x @ w.t())[:, 0]).abs().max() < 2.0**-21


def test_the_prime_that_was_divided_by_is_reckoned_with(monkeypatch: pytest.MonkeyPatch) -> None:
    x = torch.rand(1000, dtype=torch.float64) + 1

    def error() -> float:
        encrypted = x.encrypt(protocol="ckks", context=ckks())
        return float((raw(encrypted * encrypted, ckks()) - x * x).abs().max())

    exact = error()
    monkeypatch.setattr(CkksArithmetic, "correction", lambda self, level: 1.0)
    assert exact < error() / 4  # a negative control: 2^s in the place of the prime


# --- Li and Micciancio ----------------------------------------------------------------------------


def computed(x: torch.Tensor, context: sy.he.Context) -> Any:
    out = x.encrypt(protocol="ckks", context=context)
    return out * out + out - 0.25


def test_decrypted_numbers_have_no_bits_below_the_useful_ones() -> None:
    x = torch.rand(2000, dtype=torch.float64)
    out = x.encrypt(protocol="ckks", context=ckks())
    shown, noisy = out.decrypt(), raw(out, ckks())
    step = 2.0**-20
    assert bool((shown / step == (shown / step).round()).all())
    assert not bool((noisy / step == (noisy / step).round()).any())  # control: the noise is there


def test_what_is_shown_does_not_tell_two_encryptions_apart() -> None:
    # Numbers that no noise brings over the edge of a step.
    x = torch.randint(-100, 100, (2000,)).double() / 128
    first, second = (x.encrypt(protocol="ckks", context=ckks()) for _ in range(2))
    assert torch.equal(first.decrypt(), second.decrypt())
    assert not torch.equal(raw(first, ckks()), raw(second, ckks()))  # control: the ciphertexts have noise of their own
    assert torch.equal(first.decrypt(), x)


def test_after_a_product_errors_are_whole_steps_and_mostly_none() -> None:
    x = torch.randint(-100, 100, (2000,)).double() / 128
    out = computed(x, ckks())
    expected = x * x + x - 0.25
    steps = (out.decrypt() - expected) / (2.0**-20)
    assert bool((steps.abs() < 1.5).all())
    noise = raw(out, ckks()) - expected
    assert noise.abs().max() > 0
    # What is left of the noise after rounding is smaller than what it was made of, and the same for two encryptions.
    again = (computed(x, ckks()).decrypt() - expected) / (2.0**-20)
    assert (steps - again).abs().mean() < 0.2
