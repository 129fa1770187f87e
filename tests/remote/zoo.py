"""The modules of torch.nn with inputs for each."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import nn
from torch.nn.utils import parametrizations


@dataclass(frozen=True)
class Case:
    """A module and what it is called with.

    Attributes:
        make: makes the module.
        inputs: the positional inputs.
        named: the keyword inputs.
        training: whether it is in training mode.
    """

    make: Callable[[], nn.Module]
    inputs: tuple[Any, ...]
    named: dict[str, Any] = field(default_factory=dict)
    training: bool = True


GENERATOR = torch.Generator().manual_seed(11)


def x(*shape: int) -> torch.Tensor:
    """Values that ask for a gradient."""
    return torch.randn(*shape, generator=GENERATOR).requires_grad_()


def p(*shape: int) -> torch.Tensor:
    """Probabilities that ask for a gradient."""
    return (torch.rand(*shape, generator=GENERATOR) * 0.8 + 0.1).requires_grad_()


def c(high: int, *shape: int) -> torch.Tensor:
    """Class numbers or word numbers."""
    return torch.randint(high, shape, generator=GENERATOR)


def sign(*shape: int) -> torch.Tensor:
    """Ones and minus ones."""
    return c(2, *shape).float() * 2 - 1


class ResidualBlock(nn.Module):
    """Two convolutions and a way around them."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        self.norm1 = nn.BatchNorm2d(channels)
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        self.norm2 = nn.BatchNorm2d(channels)
        self.act = nn.ReLU(inplace=True)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        out = self.norm2(self.conv2(self.act(self.norm1(self.conv1(x)))))
        out += x
        return self.act(out)


class ResNet(nn.Module):
    """A small residual network."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(3, 4, 3, padding=1), nn.BatchNorm2d(4), nn.ReLU(), nn.MaxPool2d(2))
        self.blocks = nn.ModuleList([ResidualBlock(4), ResidualBlock(4)])
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.head = nn.Linear(4, 5)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.stem(x)
        for block in self.blocks:
            x = block(x)
        return torch.log_softmax(self.head(torch.flatten(self.pool(x), 1)), dim=1)


LAYERS = {
    "Linear": Case(lambda: nn.Linear(3, 4), (x(5, 3),)),
    "Linear-no-bias": Case(lambda: nn.Linear(3, 4, bias=False), (x(2, 5, 3),)),
    "Identity": Case(nn.Identity, (x(5, 3),)),
    "Bilinear": Case(lambda: nn.Bilinear(3, 4, 2), (x(5, 3), x(5, 4))),
    "Conv1d": Case(lambda: nn.Conv1d(2, 4, 3), (x(2, 2, 9),)),
    "Conv2d": Case(lambda: nn.Conv2d(2, 4, 3, stride=2, padding=1), (x(2, 2, 7, 7),)),
    "Conv2d-groups": Case(lambda: nn.Conv2d(4, 4, 3, groups=2, dilation=2), (x(2, 4, 9, 9),)),
    "Conv2d-same": Case(lambda: nn.Conv2d(2, 4, 3, padding="same"), (x(2, 2, 7, 7),)),
    "Conv2d-circular": Case(lambda: nn.Conv2d(2, 4, 3, padding=1, padding_mode="circular"), (x(2, 2, 7, 7),)),
    "Conv3d": Case(lambda: nn.Conv3d(1, 2, 2), (x(1, 1, 4, 4, 4),)),
    "ConvTranspose1d": Case(lambda: nn.ConvTranspose1d(2, 3, 3), (x(2, 2, 5),)),
    "ConvTranspose2d": Case(lambda: nn.ConvTranspose2d(2, 3, 3, stride=2), (x(2, 2, 5, 5),)),
    "ConvTranspose2d-size": Case(lambda: nn.ConvTranspose2d(2, 3, 3, stride=2), (x(2, 2, 5, 5), [12, 12])),
    "Embedding": Case(lambda: nn.Embedding(7, 3), (c(7, 2, 4),)),
    "Embedding-padding": Case(lambda: nn.Embedding(7, 3, padding_idx=0), (c(7, 2, 4),)),
    "Embedding-max-norm": Case(lambda: nn.Embedding(7, 3, max_norm=1.0), (c(7, 2, 4),)),
    "EmbeddingBag": Case(lambda: nn.EmbeddingBag(7, 3), (c(7, 2, 4),)),
    "EmbeddingBag-max": Case(lambda: nn.EmbeddingBag(7, 3, mode="max"), (c(7, 2, 4),)),
    "EmbeddingBag-offsets": Case(lambda: nn.EmbeddingBag(7, 3, mode="sum"), (c(7, 6), torch.tensor([0, 2]))),
    "Flatten": Case(nn.Flatten, (x(2, 3, 4),)),
    "Unflatten": Case(lambda: nn.Unflatten(1, (2, 3)), (x(2, 6),)),
    "Fold": Case(lambda: nn.Fold((4, 5), (2, 2)), (x(1, 12, 12),)),
    "Unfold": Case(lambda: nn.Unfold((2, 2)), (x(1, 3, 4, 5),)),
    "Upsample-nearest": Case(lambda: nn.Upsample(scale_factor=2), (x(1, 2, 3, 3),)),
    "Upsample-bilinear": Case(
        lambda: nn.Upsample(scale_factor=2, mode="bilinear", align_corners=True), (x(1, 2, 3, 3),)
    ),
    "Upsample-size": Case(lambda: nn.Upsample(size=(5, 7), mode="bicubic"), (x(1, 2, 3, 3),)),
    "PixelShuffle": Case(lambda: nn.PixelShuffle(2), (x(1, 8, 3, 3),)),
    "PixelUnshuffle": Case(lambda: nn.PixelUnshuffle(2), (x(1, 2, 4, 4),)),
    "ChannelShuffle": Case(lambda: nn.ChannelShuffle(2), (x(1, 4, 3, 3),)),
    "ZeroPad2d": Case(lambda: nn.ZeroPad2d(1), (x(1, 2, 3, 3),)),
    "ReflectionPad2d": Case(lambda: nn.ReflectionPad2d(1), (x(1, 2, 3, 3),)),
    "ReplicationPad1d": Case(lambda: nn.ReplicationPad1d(2), (x(1, 2, 3),)),
    "CircularPad2d": Case(lambda: nn.CircularPad2d(1), (x(1, 2, 3, 3),)),
    "CosineSimilarity": Case(nn.CosineSimilarity, (x(3, 4), x(3, 4))),
    "PairwiseDistance": Case(nn.PairwiseDistance, (x(3, 4), x(3, 4))),
    "Sequential": Case(lambda: nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 1)), (x(5, 3),)),
    "ResNet": Case(ResNet, (x(2, 3, 8, 8),)),
    "ResNet-eval": Case(ResNet, (x(2, 3, 8, 8),), training=False),
}

POOLS = {
    "MaxPool1d": Case(lambda: nn.MaxPool1d(2), (x(2, 2, 6),)),
    "MaxPool2d": Case(lambda: nn.MaxPool2d(2, stride=1), (x(2, 2, 6, 6),)),
    "MaxPool2d-indices": Case(lambda: nn.MaxPool2d(2, return_indices=True), (x(2, 2, 6, 6),)),
    "MaxPool3d": Case(lambda: nn.MaxPool3d(2), (x(2, 2, 4, 4, 4),)),
    "AvgPool1d": Case(lambda: nn.AvgPool1d(2), (x(2, 2, 6),)),
    "AvgPool2d": Case(lambda: nn.AvgPool2d(2), (x(2, 2, 6, 6),)),
    "AvgPool3d": Case(lambda: nn.AvgPool3d(2), (x(2, 2, 4, 4, 4),)),
    "LPPool2d": Case(lambda: nn.LPPool2d(2, 2), (x(2, 2, 6, 6),)),
    "AdaptiveMaxPool1d": Case(lambda: nn.AdaptiveMaxPool1d(3), (x(2, 2, 6),)),
    "AdaptiveMaxPool2d": Case(lambda: nn.AdaptiveMaxPool2d((3, None)), (x(2, 2, 6, 6),)),
    "AdaptiveMaxPool3d": Case(lambda: nn.AdaptiveMaxPool3d(2), (x(2, 2, 4, 4, 4),)),
    "AdaptiveAvgPool1d": Case(lambda: nn.AdaptiveAvgPool1d(3), (x(2, 2, 6),)),
    "AdaptiveAvgPool2d": Case(lambda: nn.AdaptiveAvgPool2d((3, None)), (x(2, 2, 6, 6),)),
    "AdaptiveAvgPool3d": Case(lambda: nn.AdaptiveAvgPool3d(2), (x(2, 2, 4, 4, 4),)),
    "FractionalMaxPool2d": Case(lambda: nn.FractionalMaxPool2d(2, output_size=3), (x(2, 2, 7, 7),)),
}

NORMS = {
    f"{name}-{'train' if training else 'eval'}": Case(make, inputs, training=training)
    for training in (True, False)
    for name, make, inputs in (
        ("BatchNorm1d", lambda: nn.BatchNorm1d(3), (x(6, 3),)),
        ("BatchNorm2d", lambda: nn.BatchNorm2d(3), (x(2, 3, 4, 4),)),
        ("BatchNorm3d", lambda: nn.BatchNorm3d(2), (x(2, 2, 3, 3, 3),)),
        ("BatchNorm-average", lambda: nn.BatchNorm1d(3, momentum=None), (x(6, 3),)),
        ("BatchNorm-stateless", lambda: nn.BatchNorm1d(3, track_running_stats=False), (x(6, 3),)),
        ("BatchNorm-not-affine", lambda: nn.BatchNorm1d(3, affine=False), (x(6, 3),)),
        ("LayerNorm", lambda: nn.LayerNorm(4), (x(2, 3, 4),)),
        ("GroupNorm", lambda: nn.GroupNorm(2, 4), (x(2, 4, 5),)),
        ("InstanceNorm1d", lambda: nn.InstanceNorm1d(3, affine=True), (x(2, 3, 5),)),
        ("InstanceNorm2d", lambda: nn.InstanceNorm2d(3, track_running_stats=True), (x(2, 3, 4, 4),)),
        ("RMSNorm", lambda: nn.RMSNorm(4), (x(2, 3, 4),)),
        ("LocalResponseNorm", lambda: nn.LocalResponseNorm(2), (x(2, 4, 3, 3),)),
        ("Dropout", lambda: nn.Dropout(0.4), (x(20, 5),)),
        ("Dropout-inplace", lambda: nn.Sequential(nn.Linear(5, 5), nn.Dropout(0.4, inplace=True)), (x(20, 5),)),
        ("Dropout1d", lambda: nn.Dropout1d(0.4), (x(5, 4, 3),)),
        ("Dropout2d", lambda: nn.Dropout2d(0.4), (x(5, 4, 3, 3),)),
        ("AlphaDropout", lambda: nn.AlphaDropout(0.4), (x(20, 5),)),
        ("FeatureAlphaDropout", lambda: nn.FeatureAlphaDropout(0.4), (x(20, 5, 2),)),
    )
}


def recurrent() -> dict[str, Case]:
    """RNN, GRU and LSTM in one and two layers, both directions, batch first, with and without a state."""
    cases = {}
    for kind in (nn.RNN, nn.GRU, nn.LSTM):
        for layers, both, first, dropout, with_state in (
            (1, False, False, 0.0, False),
            (1, False, True, 0.0, True),
            (2, False, True, 0.0, False),
            (2, True, True, 0.0, True),
            (1, True, False, 0.0, False),
            (2, False, False, 0.5, False),
            (2, False, False, 0.5, True),
        ):
            state = x(layers * (1 + both), 2, 4)
            states = ((state, x(*state.shape)) if kind is nn.LSTM else state,) if with_state else ()
            name = f"{kind.__name__}-{layers}{'-both' * both}{'-first' * first}{'-drop' * (dropout > 0)}"
            settings = {"batch_first": first, "bidirectional": both, "dropout": dropout}
            cases[f"{name}{'-hx' * with_state}"] = Case(
                lambda kind=kind, layers=layers, settings=settings: kind(3, 4, layers, **settings),
                (x(*((2, 5, 3) if first else (5, 2, 3))), *states),
            )
    return cases


RECURRENT = recurrent() | {
    "RNN-relu": Case(lambda: nn.RNN(3, 4, nonlinearity="relu"), (x(5, 2, 3),)),
    "RNN-unbatched": Case(lambda: nn.RNN(3, 4), (x(5, 3),)),
    "LSTM-projection": Case(lambda: nn.LSTM(3, 4, proj_size=2), (x(5, 2, 3),)),
    "LSTM-no-bias": Case(lambda: nn.LSTM(3, 4, bias=False), (x(5, 2, 3),)),
    "LSTM-eval": Case(lambda: nn.LSTM(3, 4, 2, dropout=0.5), (x(5, 2, 3),), training=False),
    "RNNCell": Case(lambda: nn.RNNCell(3, 4), (x(2, 3), x(2, 4))),
    "RNNCell-no-hx": Case(lambda: nn.RNNCell(3, 4), (x(2, 3),)),
    "GRUCell": Case(lambda: nn.GRUCell(3, 4), (x(2, 3), x(2, 4))),
    "GRUCell-no-hx": Case(lambda: nn.GRUCell(3, 4), (x(2, 3),)),
    "LSTMCell": Case(lambda: nn.LSTMCell(3, 4), (x(2, 3), (x(2, 4), x(2, 4)))),
    "LSTMCell-no-hx": Case(lambda: nn.LSTMCell(3, 4), (x(2, 3),)),
}

QUERY = x(2, 5, 8)
CAUSAL = torch.triu(torch.full((5, 5), float("-inf")), diagonal=1)
PADDING = torch.tensor([[False] * 5, [False, False, False, True, True]])


def layer(**settings: Any) -> nn.TransformerEncoderLayer:
    return nn.TransformerEncoderLayer(8, 2, 16, batch_first=True, **settings)


def whole(**settings: Any) -> nn.Transformer:
    return nn.Transformer(8, 2, 1, 1, 16, batch_first=True, **settings)


ATTENTION = {
    "Attention": Case(lambda: nn.MultiheadAttention(8, 2), (x(5, 2, 8), x(6, 2, 8), x(6, 2, 8))),
    "Attention-self": Case(lambda: nn.MultiheadAttention(8, 2, batch_first=True), (QUERY, QUERY, QUERY)),
    "Attention-dropout": Case(
        lambda: nn.MultiheadAttention(8, 2, dropout=0.3, batch_first=True), (QUERY, QUERY, QUERY)
    ),
    "Attention-no-weights": Case(
        lambda: nn.MultiheadAttention(8, 2, batch_first=True), (QUERY, QUERY, QUERY), {"need_weights": False}
    ),
    "Attention-masks": Case(
        lambda: nn.MultiheadAttention(8, 2, batch_first=True),
        (QUERY, QUERY, QUERY),
        {"attn_mask": CAUSAL == float("-inf"), "key_padding_mask": PADDING},
    ),
    "Attention-sizes": Case(
        lambda: nn.MultiheadAttention(8, 2, kdim=3, vdim=4, batch_first=True), (QUERY, x(2, 6, 3), x(2, 6, 4))
    ),
    "Attention-bias-kv": Case(
        lambda: nn.MultiheadAttention(8, 2, add_bias_kv=True, add_zero_attn=True, batch_first=True),
        (QUERY, QUERY, QUERY),
    ),
    "Attention-eval": Case(
        lambda: nn.MultiheadAttention(8, 2, batch_first=True), (QUERY, QUERY, QUERY), training=False
    ),
    "EncoderLayer": Case(lambda: layer(dropout=0.0), (QUERY,)),
    "EncoderLayer-dropout": Case(lambda: layer(dropout=0.3), (QUERY,)),
    "EncoderLayer-gelu-first": Case(lambda: layer(activation="gelu", norm_first=True), (QUERY,)),
    "EncoderLayer-eval": Case(layer, (QUERY,), training=False),
    "EncoderLayer-causal": Case(lambda: layer(dropout=0.0), (QUERY,), {"src_mask": CAUSAL, "is_causal": True}),
    "Encoder": Case(lambda: nn.TransformerEncoder(layer(), 2), (QUERY,)),
    "Encoder-mask": Case(
        lambda: nn.TransformerEncoder(layer(dropout=0.0), 2), (QUERY,), {"mask": CAUSAL, "is_causal": True}
    ),
    "Encoder-padding": Case(
        lambda: nn.TransformerEncoder(layer(dropout=0.0), 2), (QUERY,), {"src_key_padding_mask": PADDING}
    ),
    "Encoder-eval": Case(lambda: nn.TransformerEncoder(layer(), 2), (QUERY,), training=False),
    "Encoder-eval-padding": Case(
        lambda: nn.TransformerEncoder(layer(), 2), (QUERY,), {"src_key_padding_mask": PADDING}, training=False
    ),
    "DecoderLayer": Case(lambda: nn.TransformerDecoderLayer(8, 2, 16, batch_first=True), (QUERY, x(2, 4, 8))),
    "Transformer": Case(whole, (QUERY, x(2, 4, 8))),
    "Transformer-mask": Case(
        lambda: whole(dropout=0.0),
        (x(2, 5, 8), QUERY),
        {"tgt_mask": CAUSAL, "tgt_is_causal": False, "src_key_padding_mask": PADDING},
    ),
    "Transformer-eval": Case(whole, (QUERY, x(2, 4, 8)), training=False),
}

ACTIVATIONS = {
    name: Case(make, (x(4, 6),))
    for name, make in {
        **{
            kind.__name__: kind
            for kind in (
                nn.ReLU, nn.ReLU6, nn.LeakyReLU, nn.PReLU, nn.ELU, nn.SELU, nn.CELU, nn.GELU, nn.SiLU, nn.Mish,
                nn.Hardswish, nn.Hardsigmoid, nn.Hardtanh, nn.Hardshrink, nn.Softshrink, nn.Tanhshrink, nn.Softplus,
                nn.Softsign, nn.Sigmoid, nn.LogSigmoid, nn.Tanh, nn.GLU, nn.RReLU,
            )
        },
        "Threshold": lambda: nn.Threshold(0.1, 5.0),
        "PReLU-channels": lambda: nn.PReLU(6),
        "Softmax": lambda: nn.Softmax(dim=1),
        "Softmin": lambda: nn.Softmin(dim=1),
        "LogSoftmax": lambda: nn.LogSoftmax(dim=-1),
    }.items()
} | {"Softmax2d": Case(nn.Softmax2d, (x(2, 3, 4, 4),))}  # fmt: skip

LOSSES = {
    "L1Loss": Case(nn.L1Loss, (x(4, 3), x(4, 3))),
    "MSELoss": Case(nn.MSELoss, (x(4, 3), x(4, 3))),
    "MSELoss-none": Case(lambda: nn.MSELoss(reduction="none"), (x(4, 3), x(4, 3))),
    "CrossEntropyLoss": Case(nn.CrossEntropyLoss, (x(4, 3), c(3, 4))),
    "CrossEntropyLoss-weight": Case(
        lambda: nn.CrossEntropyLoss(torch.tensor([1.0, 2, 3]), label_smoothing=0.1), (x(4, 3), c(3, 4))
    ),
    "NLLLoss": Case(lambda: nn.NLLLoss(reduction="sum"), (x(4, 3), c(3, 4))),
    "PoissonNLLLoss": Case(nn.PoissonNLLLoss, (x(4, 3), p(4, 3))),
    "GaussianNLLLoss": Case(nn.GaussianNLLLoss, (x(4, 3), x(4, 3), p(4, 3))),
    "KLDivLoss": Case(lambda: nn.KLDivLoss(reduction="batchmean"), (x(4, 3), p(4, 3))),
    "BCELoss": Case(nn.BCELoss, (p(4, 3), c(2, 4, 3).float())),
    "BCEWithLogitsLoss": Case(nn.BCEWithLogitsLoss, (x(4, 3), c(2, 4, 3).float())),
    "BCEWithLogitsLoss-weight": Case(
        lambda: nn.BCEWithLogitsLoss(pos_weight=torch.tensor([1.0, 2, 3])), (x(4, 3), c(2, 4, 3).float())
    ),
    "MarginRankingLoss": Case(nn.MarginRankingLoss, (x(4), x(4), sign(4))),
    "HingeEmbeddingLoss": Case(nn.HingeEmbeddingLoss, (x(4, 3), sign(4, 3))),
    "MultiLabelMarginLoss": Case(nn.MultiLabelMarginLoss, (x(1, 4), torch.tensor([[3, 0, -1, 1]]))),
    "HuberLoss": Case(nn.HuberLoss, (x(4, 3), x(4, 3))),
    "SmoothL1Loss": Case(nn.SmoothL1Loss, (x(4, 3), x(4, 3))),
    "SoftMarginLoss": Case(nn.SoftMarginLoss, (x(4, 3), sign(4, 3))),
    "MultiLabelSoftMarginLoss": Case(nn.MultiLabelSoftMarginLoss, (x(4, 3), c(2, 4, 3).float())),
    "CosineEmbeddingLoss": Case(nn.CosineEmbeddingLoss, (x(4, 3), x(4, 3), sign(4))),
    "MultiMarginLoss": Case(nn.MultiMarginLoss, (x(4, 3), c(3, 4))),
    "TripletMarginLoss": Case(nn.TripletMarginLoss, (x(4, 3), x(4, 3), x(4, 3))),
    "CTCLoss": Case(nn.CTCLoss, (x(6, 2, 4), c(3, 2, 3) + 1, torch.tensor([6, 6]), torch.tensor([3, 2]))),
    "AdaptiveLogSoftmaxWithLoss": Case(lambda: nn.AdaptiveLogSoftmaxWithLoss(16, 8, [3, 5]), (x(4, 16), c(8, 4))),
}

PARAMETRIZED = {
    "weight-norm": Case(lambda: parametrizations.weight_norm(nn.Linear(3, 4)), (x(5, 3),)),
    "spectral-norm": Case(lambda: parametrizations.spectral_norm(nn.Linear(3, 4)), (x(5, 3),)),
    "spectral-norm-eval": Case(lambda: parametrizations.spectral_norm(nn.Linear(3, 4)), (x(5, 3),), training=False),
    "orthogonal": Case(lambda: parametrizations.orthogonal(nn.Linear(3, 3)), (x(5, 3),)),
}

ZOO = LAYERS | POOLS | NORMS | RECURRENT | ATTENTION | ACTIVATIONS | LOSSES | PARAMETRIZED
