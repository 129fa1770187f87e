"""Models on encrypted inputs: ``nn.Sequential`` as it is, and what cannot be computed says what can."""

from __future__ import annotations

import re
from typing import Any

import pytest
import torch
from torch import nn

import syft as sy
from syft.exceptions import DepthExceededError, LimitExceededError, UnsupportedOp
from tests.he.contexts import ckks


@pytest.fixture(autouse=True)
def _hooked(hook: sy.TorchHook) -> None:
    torch.manual_seed(5)


def encrypted(x: torch.Tensor, depth: int = 2) -> Any:
    return x.encrypt(protocol="ckks", context=ckks(depth=depth))


def normed(norm: Any) -> Any:
    """A batch norm as it is after training."""
    norm.running_mean.normal_()
    norm.running_var.uniform_(0.5, 2)
    nn.init.normal_(norm.weight)
    nn.init.normal_(norm.bias)
    return norm.eval()


IMAGES, LINES, ROWS = (3, 2, 6, 5), (3, 2, 9), (3, 4)
LAYERS: list[tuple[nn.Module, tuple[int, ...], int]] = [
    (nn.Linear(4, 3), ROWS, 1), (nn.Linear(4, 3, bias=False), ROWS, 1), (nn.Linear(5, 3), IMAGES, 1),
    (nn.Conv2d(2, 3, 3), IMAGES, 1), (nn.Conv2d(2, 3, (2, 3), stride=2, padding=1), IMAGES, 1),
    (nn.Conv2d(2, 4, 2, groups=2, bias=False), IMAGES, 1), (nn.Conv2d(2, 3, 2, dilation=2), IMAGES, 1),
    (nn.Conv2d(2, 1, 3, padding="same"), IMAGES, 1), (nn.Conv1d(2, 3, 3, stride=2), LINES, 1),
    (nn.AvgPool2d(2), IMAGES, 0), (nn.AvgPool2d(3, stride=1, padding=1), IMAGES, 0),
    (nn.AdaptiveAvgPool2d((3, 1)), IMAGES, 0), (nn.AdaptiveAvgPool2d(1), IMAGES, 0), (nn.Flatten(), IMAGES, 0),
    (nn.Flatten(1, 2), IMAGES, 0), (nn.Unflatten(1, (2, 2)), ROWS, 0), (nn.ZeroPad2d(1), IMAGES, 0),
    (nn.Identity(), ROWS, 0), (nn.Dropout(), ROWS, 0), (nn.Dropout2d(), IMAGES, 0),
    (normed(nn.BatchNorm2d(2)), IMAGES, 1), (normed(nn.BatchNorm1d(4)), ROWS, 1),
    (sy.he.Square(), ROWS, 1), (sy.he.Polynomial([0.3, 0.5, 0.12]), ROWS, 1),
    (sy.he.Polynomial([0.5, 0.197, 0, -0.004]), ROWS, 2),
]  # fmt: skip


@pytest.mark.parametrize(("layer", "shape", "levels"), LAYERS, ids=lambda value: str(value).replace("\n", " "))
def test_a_layer_gives_what_it_gives_in_plain_sight(layer: nn.Module, shape: tuple[int, ...], levels: int) -> None:
    layer, x = layer.eval(), torch.randn(shape)
    out = layer(encrypted(x))
    expected = layer(x).detach()
    assert out.shape == expected.shape
    assert (out.decrypt() - expected).abs().max() < 1e-5
    assert 2 - out.levels == levels == sy.he.levels_needed(layer, x)


def network() -> nn.Module:
    norm = normed(nn.BatchNorm2d(3))
    layers = [nn.Conv2d(1, 3, 3), norm, sy.he.Square(), nn.AvgPool2d(2), nn.Flatten(), nn.Dropout(), nn.Linear(12, 2)]
    return nn.Sequential(*layers).eval()


def test_a_whole_network_runs_as_it_is() -> None:
    model, x = network(), torch.randn(4, 1, 6, 6)
    needed = sy.he.levels_needed(model, x)
    assert needed == 4
    out = model(encrypted(x, needed))
    assert (out.decrypt() - model(x)).abs().max() < 1e-4
    assert out.levels == 0


def test_too_shallow_a_context_says_how_to_make_one() -> None:
    model, x = network(), torch.randn(4, 1, 6, 6)
    with pytest.raises(DepthExceededError, match=r"depth=3.*levels_needed"):
        model(encrypted(x, 2))


def test_counting_levels_needs_no_keys_and_agrees_with_what_is_used() -> None:
    model = nn.Sequential(nn.Linear(3, 3), sy.he.Polynomial([1, 2, 3, 4, 5]), nn.Linear(3, 1))
    needed = sy.he.levels_needed(model, torch.zeros(1, 3))
    assert needed == 5
    x = torch.rand(2, 3)
    out = model(encrypted(x, needed))
    assert out.levels == 0
    assert (out.decrypt() - model(x)).abs().max() < 1e-2


@pytest.mark.parametrize(
    ("layer", "error"),
    [(nn.Conv2d(2, 1, 9), UnsupportedOp), (nn.Conv2d(2, 1, 3, padding=10**6), LimitExceededError),
     (nn.AvgPool2d(7), UnsupportedOp), (nn.Conv2d(2, 1, 3, dilation=10**9), UnsupportedOp)],
)  # fmt: skip
def test_kernels_that_do_not_fit_are_refused(layer: nn.Module, error: type[Exception]) -> None:
    with pytest.raises(error):
        layer(encrypted(torch.randn(IMAGES)))


def test_square_and_polynomial_learn_in_plain_sight() -> None:
    x = torch.tensor([0.5, -2.0], requires_grad=True)
    (sy.he.Square()(x) + sy.he.Polynomial([1, -1, 0, 2])(x)).sum().backward()
    assert torch.allclose(x.grad, 2 * x.detach() - 1 + 6 * x.detach() ** 2)
    assert repr(sy.he.Polynomial([1, 0.5])) == "Polynomial(1, 0.5)"


def test_zero_weights_and_padding_cost_nothing_and_are_right() -> None:
    layer = nn.Linear(4, 3)
    with torch.no_grad():
        layer.weight[1] = 0
        layer.weight[:, 2] = 0
    x = torch.randn(2, 4)
    out = layer(encrypted(x))
    assert (out.decrypt() - layer(x)).abs().max() < 1e-5
    assert ((out * out).decrypt() - layer(x) ** 2).abs().max() < 1e-4


REFUSED: list[tuple[nn.Module, tuple[int, ...], str, str]] = [
    (nn.ReLU(), ROWS, "relu", r"sy\.he\.Square\(\)"), (nn.ReLU6(), ROWS, "hardtanh", "Polynomial"),
    (nn.LeakyReLU(), ROWS, "leaky_relu", "Polynomial"), (nn.GELU(), ROWS, "gelu", "Polynomial"),
    (nn.SiLU(), ROWS, "silu", "Polynomial"), (nn.ELU(), ROWS, "elu", "Polynomial"),
    (nn.MaxPool2d(2), IMAGES, "max_pool2d", r"nn\.AvgPool2d"), (nn.Sigmoid(), ROWS, "sigmoid", r"0\.197"),
    (nn.Tanh(), ROWS, "tanh", "near tanh"), (nn.Softmax(1), ROWS, "softmax", "after they are decrypted"),
    (nn.LogSoftmax(1), ROWS, "log_softmax", "after they are decrypted"), (nn.LayerNorm(4), ROWS, "layer_norm", ""),
    (nn.Dropout().train(), ROWS, "dropout", r"module\.eval\(\)"),
    (nn.BatchNorm1d(4).train(), ROWS, "batch norm", r"module\.eval\(\)"),
    (nn.ConvTranspose2d(2, 1, 2), IMAGES, "convolutions", "transposed ones are not"),
    (nn.LSTM(4, 2, batch_first=True), (3, 2, 4), "lstm", r"nn\.Conv1d"),
]  # fmt: skip


@pytest.mark.parametrize(("layer", "shape", "name", "remedy"), REFUSED, ids=lambda value: str(value)[:12])
def test_a_layer_that_cannot_be_computed_names_itself_and_the_remedy(
    layer: nn.Module, shape: tuple[int, ...], name: str, remedy: str
) -> None:
    with pytest.raises(UnsupportedOp, match=name) as error:
        layer(encrypted(torch.randn(shape)))
    assert re.search(remedy, str(error.value))


@pytest.mark.parametrize("function", [torch.argmax, torch.exp, torch.abs, torch.sort, torch.sqrt, lambda x: x > 0])
def test_functions_that_cannot_be_computed_are_refused(function: Any) -> None:
    with pytest.raises(UnsupportedOp, match="cannot be computed on ciphertexts"):
        function(encrypted(torch.randn(2, 3)))


def test_the_advised_polynomials_are_near_what_they_stand_for() -> None:
    x = torch.linspace(-1, 1, 201)
    for coefficients, function, reach, error in (
        ([0.3, 0.5, 0.12], torch.relu, 3, 0.31),
        ([0.5, 0.197, 0, -0.004], torch.sigmoid, 5, 0.06),
        ([0, 0.8, 0, -0.06], torch.tanh, 2, 0.18),
    ):
        assert (sy.he.Polynomial(coefficients)(reach * x) - function(reach * x)).abs().max() < error
