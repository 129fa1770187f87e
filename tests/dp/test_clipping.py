"""Clipped sums of gradients: equal to those of batches of one, for every layer, whatever the samples hold."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import nn
from torch.func import functional_call

from syft.dp.clipping import Clipper
from syft.dp.layer_rules import can_follow
from syft.exceptions import UsageError
from tests.dp.oracle import clipped_sum, gradients_of_each, norm

BATCH = 5


def watched(model: nn.Module, bound: float, **options: Any) -> tuple[nn.Module, Clipper]:
    """A copy of a model under a clipper."""
    model = copy.deepcopy(model)
    plain = copy.deepcopy(model)
    clipper = Clipper(
        {n: p for n, p in model.named_parameters() if p.requires_grad},
        model.forward,
        lambda parameters, inputs, named: functional_call(plain, parameters, inputs, named),
        bound,
        **options,
    )
    model.forward = clipper.forward
    return model, clipper


class Reshaped(nn.Module):
    """Flattens what the layer returns, so that a loss can be taken."""

    def __init__(self, layer: nn.Module) -> None:
        super().__init__()
        self.layer = layer

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        out = self.layer(x)
        return (out[0] if isinstance(out, tuple) else out).flatten(1)


class Tied(nn.Module):
    """A weight that is used three times, and as an input of a scaled copy of itself."""

    def __init__(self) -> None:
        super().__init__()
        self.inner = nn.Linear(4, 4)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        for _ in range(3):
            x = torch.tanh(self.inner(x))
        return x


class LanguageModel(nn.Module):
    """A table that is looked up at the start and is the weight of the last layer."""

    def __init__(self) -> None:
        super().__init__()
        self.table = nn.Embedding(7, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return F.linear(torch.tanh(self.table(x)), self.table.weight)


class Bare(nn.Module):
    """Parameters in ops that have no rule."""

    def __init__(self) -> None:
        super().__init__()
        self.scale, self.matrix = nn.Parameter(torch.randn(4)), nn.Parameter(torch.randn(4, 3))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.sigmoid(x * self.scale) @ self.matrix


class Branching(nn.Module):
    """Looks at values, which cannot be written for all samples at once."""

    def __init__(self) -> None:
        super().__init__()
        self.scale, self.inner = nn.Parameter(torch.randn(4)), nn.Linear(4, 2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = x * self.scale
        return self.inner(x if bool(x.detach().sum() > 0) else -2 * x)


class Mixing(nn.Module):
    """Centres the inputs over the batch, which lets samples meet before the first layer does."""

    def __init__(self) -> None:
        super().__init__()
        self.inner = nn.Linear(4, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.inner(x - x.mean(0))


def tokens(*shape: int) -> torch.Tensor:
    return torch.randint(0, 7, shape)


FOLLOWED = {
    "linear": (nn.Linear(6, 4), (BATCH, 6)),
    "linear without bias": (nn.Linear(6, 4, bias=False), (BATCH, 6)),
    "linear on few positions": (nn.Linear(6, 4), (BATCH, 2, 6)),
    "linear on many positions": (nn.Linear(3, 2), (BATCH, 3, 5, 3)),
    "conv1d": (nn.Conv1d(3, 4, 3, padding=1, stride=2, dilation=2), (BATCH, 3, 11)),
    "conv2d": (nn.Conv2d(2, 5, 3), (BATCH, 2, 6, 6)),
    "conv2d with everything": (nn.Conv2d(4, 6, (3, 2), (2, 1), (2, 1), (1, 2), 2), (BATCH, 4, 7, 6)),
    "conv2d with few places": (nn.Conv2d(8, 9, 3), (BATCH, 8, 4, 3)),
    "conv2d same": (nn.Conv2d(2, 3, (3, 5), padding="same"), (BATCH, 2, 5, 5)),
    "conv2d depthwise": (nn.Conv2d(4, 8, 3, groups=4, bias=False), (BATCH, 4, 5, 5)),
    "conv2d circular": (nn.Conv2d(2, 3, 3, padding=1, padding_mode="circular"), (BATCH, 2, 5, 5)),
    "conv3d": (nn.Conv3d(2, 3, 2, stride=(1, 2, 1), padding=(0, 1, 1), dilation=(2, 1, 1)), (BATCH, 2, 5, 4, 3)),
    "layer norm": (nn.LayerNorm(6), (BATCH, 6)),
    "layer norm over positions": (nn.LayerNorm(6), (BATCH, 3, 6)),
    "layer norm over all": (nn.LayerNorm((3, 6)), (BATCH, 3, 6)),
    "rms norm": (nn.RMSNorm(6), (BATCH, 3, 6)),
    "group norm": (nn.GroupNorm(2, 4), (BATCH, 4, 3, 3)),
    "instance norm": (nn.InstanceNorm2d(4, affine=True), (BATCH, 4, 3, 3)),
    "embedding": (nn.Embedding(7, 3), tokens(BATCH, 6)),
    "embedding with padding": (nn.Embedding(7, 3, padding_idx=2), tokens(BATCH, 6)),
    "tied weights": (Tied(), (BATCH, 4)),
    "tied table": (LanguageModel(), tokens(BATCH, 4)),
    "in place": (nn.Sequential(nn.Linear(6, 4), nn.ReLU(inplace=True), nn.Linear(4, 4)), (BATCH, 6)),
    "small network": (
        nn.Sequential(
            nn.Conv2d(1, 4, 3), nn.GroupNorm(2, 4), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(36, 3)
        ),
        (BATCH, 1, 8, 8),
    ),
}
ALONE = {
    "ops without a rule": (Bare(), (BATCH, 4)),
    "branches": (Branching(), (BATCH, 4)),
    "weights made of others": (nn.utils.parametrizations.weight_norm(nn.Linear(3, 2)), (BATCH, 3)),
    "recurrent": (nn.LSTM(3, 4, batch_first=True), (BATCH, 5, 3)),
    "transposed convolution": (nn.ConvTranspose2d(2, 3, 3), (BATCH, 2, 4, 4)),
    "attention": (nn.TransformerEncoderLayer(4, 2, 8, dropout=0.0, batch_first=True), (BATCH, 3, 4)),
}


def square_loss(outputs: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    return ((outputs - targets) ** 2).flatten(1).sum(1).mean()


def case(layer: nn.Module, inputs: Any) -> tuple[nn.Module, torch.Tensor, torch.Tensor]:
    model = Reshaped(layer).double()
    x = torch.randn(inputs, dtype=torch.float64) if isinstance(inputs, tuple) else inputs
    return model, x, torch.randn_like(model(x).detach())


def check_against_batches_of_one(model: nn.Module, x: torch.Tensor, y: torch.Tensor, *, isolate: bool) -> Clipper:
    each = gradients_of_each(model, square_loss, x, y)
    bound = sorted(map(norm, each))[BATCH // 2]  # clips some and leaves others
    private, clipper = watched(model, bound, isolate=isolate)
    square_loss(private(x), y).backward()
    expected = clipped_sum(each, bound)
    for name, parameter in private.named_parameters():
        torch.testing.assert_close(parameter.grad, expected[name], rtol=3e-6, atol=3e-6 * bound)
    return clipper


@pytest.mark.parametrize("name", FOLLOWED)
def test_a_layer_with_a_rule_clips_as_batches_of_one_do(name):
    assert not check_against_batches_of_one(*case(*FOLLOWED[name]), isolate=False).isolated


@pytest.mark.parametrize("name", ALONE)
def test_a_layer_without_a_rule_clips_as_batches_of_one_do(name):
    assert check_against_batches_of_one(*case(*ALONE[name]), isolate=False).isolated


@pytest.mark.parametrize("name", ["conv2d", "small network", "tied weights", "embedding"])
def test_samples_can_be_computed_alone_from_the_start(name):
    check_against_batches_of_one(*case(*FOLLOWED[name]), isolate=True)


@pytest.mark.parametrize("name", FOLLOWED)
def test_no_sample_contributes_more_than_the_bound(name):
    layer, inputs = FOLLOWED[name]
    model = Reshaped(layer).float()
    x = 30 * torch.randn(inputs) if isinstance(inputs, tuple) else inputs
    y = 30 * torch.randn_like(model(x))
    for i in range(BATCH):
        private, _ = watched(model, 0.01)
        square_loss(private(x[i : i + 1]), y[i : i + 1]).backward()
        assert norm({n: p.grad for n, p in private.named_parameters()}) <= 0.01 * (1 + 1e-6)


@pytest.mark.parametrize("option", [{"max_norm": 0.0}, {"max_norm": 1.0}, {"scale_grad_by_freq": True}])
def test_options_that_change_a_table_by_what_is_looked_up_are_not_followed(option):
    layer = nn.Embedding(7, 3, **option)
    assert can_follow(F.embedding, BATCH, (tokens(BATCH, 4), layer.weight), {"max_norm": None} | option) is False
    assert can_follow(F.embedding, BATCH, (tokens(BATCH, 4), layer.weight), {"max_norm": None}) is True


def test_samples_that_meet_in_the_model_are_found_out_and_computed_alone():
    model, x, y = case(Mixing(), (BATCH, 4))
    private, clipper = watched(model, 1e9)
    square_loss(private(x), y).backward()
    assert clipper.isolated
    # Alone, a sample is its own mean.
    expected = gradients_of_each(model, square_loss, x, y)
    torch.testing.assert_close(private.layer.inner.bias.grad, sum(g["layer.inner.bias"] for g in expected))
    assert private.layer.inner.weight.grad.abs().max() < 1e-12


@pytest.mark.parametrize("isolate", [False, True])
@pytest.mark.parametrize("bad", [float("nan"), float("inf"), 1e30])
def test_a_sample_without_a_finite_gradient_counts_as_nothing(bad, isolate):
    model = nn.Sequential(nn.Conv1d(2, 3, 2), nn.Flatten(), nn.LayerNorm(12), nn.Linear(12, 2))
    x, y = torch.randn(BATCH, 2, 5), torch.randn(BATCH, 2)
    good = [0, 2, 3, 4]
    expected = clipped_sum(gradients_of_each(model, square_loss, x[good], y[good]), 0.5)
    x[1, 0, 3] = bad
    y[1] = bad
    private, clipper = watched(model, 0.5, isolate=isolate)
    square_loss(private(x), y).backward()
    assert clipper.refused == 1
    for name, parameter in private.named_parameters():
        torch.testing.assert_close(parameter.grad, expected[name], rtol=1e-4, atol=1e-5)


def test_parts_of_a_batch_add_up_to_the_batch():
    model, x, y = case(*FOLLOWED["small network"])
    whole, _ = watched(model, 0.5)
    square_loss(whole(x), y).backward()
    parts, clipper = watched(model, 0.5)
    for some in (slice(0, 2), slice(2, BATCH)):
        square_loss(parts(x[some]), y[some]).backward()
    assert clipper.summed == {0: BATCH}
    for a, b in zip(whole.parameters(), parts.parameters(), strict=True):
        torch.testing.assert_close(a.grad, b.grad)


def test_a_loss_that_is_a_sum_clips_the_same_gradients():
    model, x, y = case(*FOLLOWED["linear"])
    mean, _ = watched(model, 0.5)
    square_loss(mean(x), y).backward()
    total, _ = watched(model, 0.5, mean_loss=False)
    (square_loss(total(x), y) * BATCH).backward()
    torch.testing.assert_close(mean.layer.weight.grad, total.layer.weight.grad)


def test_frozen_parameters_get_no_gradient_and_take_no_part_in_the_norm():
    model, x, y = case(nn.Sequential(nn.Linear(6, 4), nn.Linear(4, 2)), (BATCH, 6))
    model.layer[0].requires_grad_(False)
    private, _ = watched(model, 0.5)
    square_loss(private(x), y).backward()
    assert private.layer[0].weight.grad is None
    each = [{n: g for n, g in one.items() if ".1." in n} for one in gradients_of_each(model, square_loss, x, y)]
    torch.testing.assert_close(
        private.layer[1].weight.grad, clipped_sum(each, 0.5)["layer.1.weight"], rtol=1e-5, atol=1e-6
    )


def test_evaluation_is_the_model_itself():
    model, x, _ = case(*FOLLOWED["small network"])
    private, clipper = watched(model, 0.5)
    with torch.no_grad():
        assert torch.equal(private(x), model(x))
    assert not clipper.summed


def test_a_gradient_that_goes_around_the_clipping_is_refused():
    model, x, y = case(*FOLLOWED["linear"])
    private, _ = watched(model, 0.5)
    with pytest.raises(UsageError, match=r"without being clipped.*weight decay"):
        (square_loss(private(x), y) + private.layer.weight.square().sum()).backward()


def test_a_gradient_that_was_written_by_hand_is_refused():
    model, x, y = case(*FOLLOWED["linear"])
    private, clipper = watched(model, 0.5)
    square_loss(private(x), y).backward()
    private.layer.weight.grad.mul_(2)
    with pytest.raises(UsageError, match="changed by something else"):
        clipper.taken("layer.weight")


def test_zeroed_gradients_are_welcome():
    model, x, y = case(*FOLLOWED["linear"])
    private, clipper = watched(model, 0.5)
    square_loss(private(x), y).backward()
    private.zero_grad(set_to_none=False)
    square_loss(private(x), y).backward()
    assert norm({n: clipper.taken(n) for n, _ in private.named_parameters()}) <= 0.5 * BATCH


def test_an_input_that_is_overwritten_after_its_layer_is_found_out():
    class Overwriting(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.one, self.two = nn.Linear(4, 4), nn.Linear(4, 4)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            hidden = self.one(x)
            out = self.two(hidden)
            hidden.mul_(2)
            return out

    model, x, y = case(Overwriting(), (BATCH, 4))
    private, _ = watched(model, 0.5)
    with pytest.raises(UsageError, match="in place"):
        square_loss(private(x), y).backward()


def test_dropout_is_the_same_forwards_and_backwards():
    model = nn.Sequential(nn.Linear(4, 50), nn.Dropout(0.5), nn.Linear(50, 1, bias=False))
    for isolate in (False, True):
        private, _ = watched(model, 1e6, isolate=isolate)
        out = private(torch.ones(BATCH, 4))
        F.mse_loss(out, torch.zeros(BATCH, 1)).backward()
        # The output is linear in the last weight, so the gradient repeats the mask: weight . grad = 2 sum of out^2.
        product = float((private[2].weight * private[2].weight.grad).sum().detach())
        assert product == pytest.approx(2 * float((out.detach() ** 2).sum()), rel=1e-4)


def test_a_model_without_a_batch_is_refused():
    private, _ = watched(nn.Linear(2, 2), 1.0)
    with pytest.raises(UsageError, match="a batch"):
        private(3)


@pytest.mark.parametrize("bound", [0.0, -1.0, float("nan"), float("inf")])
def test_a_bound_that_bounds_nothing_is_refused(bound):
    with pytest.raises(UsageError, match="max_grad_norm"):
        watched(nn.Linear(2, 2), bound)
