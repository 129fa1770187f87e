"""The products of two operands: which there are, and how they run on ring elements.

All are exact over Z/2^64: torch's int64 arithmetic wraps around.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import lru_cache
from types import MappingProxyType
from typing import Any

import numpy as np
import torch
from torch.nn import functional as F

from syft.encoded.shapes import broadcast, matrix_product
from syft.exceptions import ProtocolStepError

Spec = tuple[Any, ...]


def conv(x: torch.Tensor, w: torch.Tensor, spec: Spec) -> torch.Tensor:
    """A convolution without bias.

    Args:
        x: int64, (batch, channels, height, width).
        w: int64, (outputs, channels / groups, kernel height, kernel width).
        spec: stride, padding, dilation, each a pair, and groups.

    Returns:
        int64, (batch, outputs, out height, out width).
    """
    groups = spec[3]
    patches, (batch, out_h, out_w) = _patches(x, w.shape[2:], spec)
    out = w.reshape(groups, w.shape[0] // groups, -1) @ patches
    return out.reshape(w.shape[0], batch, out_h, out_w).transpose(0, 1).contiguous()


def conv_weight(x: torch.Tensor, g: torch.Tensor, spec: Spec) -> torch.Tensor:
    """The gradient of a convolution for its weight.

    Args:
        x: int64, the input.
        g: int64, the gradient of the output.
        spec: of `conv`, followed by the kernel's size.
    """
    groups, kernel = spec[3], spec[4]
    patches, _ = _patches(x, kernel, spec)
    grads = g.transpose(0, 1).reshape(groups, g.shape[1] // groups, -1)
    # The sum goes over all positions, which are last in both.
    out = patches @ grads.transpose(1, 2)
    return out.transpose(1, 2).reshape(g.shape[1], x.shape[1] // groups, *kernel)


def conv_input(g: torch.Tensor, w: torch.Tensor, spec: Spec) -> torch.Tensor:
    """The gradient of a convolution for its input.

    Args:
        g: int64, the gradient of the output.
        w: int64, the weight.
        spec: of `conv`, followed by the input's height and width.
    """
    stride, padding, dilation, groups, size = spec
    batch, _, out_h, out_w = g.shape
    kernel_h, kernel_w = w.shape[2:]
    filters = w.reshape(groups, w.shape[0] // groups, -1).transpose(1, 2)
    patches = filters @ g.transpose(0, 1).reshape(groups, g.shape[1] // groups, -1)
    patches = patches.reshape(-1, kernel_h, kernel_w, batch, out_h, out_w)
    padded = g.new_zeros(patches.shape[0], batch, size[0] + 2 * padding[0], size[1] + 2 * padding[1])
    for i in range(kernel_h):
        rows = slice(i * dilation[0], i * dilation[0] + (out_h - 1) * stride[0] + 1, stride[0])
        for j in range(kernel_w):
            columns = slice(j * dilation[1], j * dilation[1] + (out_w - 1) * stride[1] + 1, stride[1])
            padded[:, :, rows, columns] += patches[:, i, j]
    inside = padded[:, :, padding[0] : padding[0] + size[0], padding[1] : padding[1] + size[1]]
    return inside.transpose(0, 1).contiguous()


def _patches(x: torch.Tensor, kernel: Any, spec: Spec) -> tuple[torch.Tensor, tuple[int, int, int]]:
    """(groups, elements of a patch, batch * positions), and the three sizes of its last dimension.

    Positions come last: that is the order in which an integer matrix product is several times faster.
    """
    stride, padding, dilation, groups = spec[:4]
    if padding[0] or padding[1]:
        x = F.pad(x, (padding[1], padding[1], padding[0], padding[0]))
    spans = [(k - 1) * d + 1 for k, d in zip(kernel, dilation, strict=True)]
    views = x.unfold(2, spans[0], stride[0]).unfold(3, spans[1], stride[1])[..., :: dilation[0], :: dilation[1]]
    batch, channels, out_h, out_w = views.shape[:4]
    columns = views.permute(1, 4, 5, 0, 2, 3).reshape(groups, channels // groups * kernel[0] * kernel[1], -1)
    return columns, (batch, out_h, out_w)


def _mul(x: torch.Tensor, y: torch.Tensor, spec: Spec) -> torch.Tensor:
    if x.is_cpu and y.is_cpu:  # numpy takes two thirds of torch's time
        return torch.from_numpy(np.asarray(x.numpy() * y.numpy()))
    return x * y


def _matmul(x: torch.Tensor, y: torch.Tensor, spec: Spec) -> torch.Tensor:
    if x.dim() == 2 and x.shape[0] == 1 and y.dim() == 2:
        return torch.mv(y.t(), x[0]).unsqueeze(0)  # three times faster for one row
    return torch.matmul(x, y)


PRODUCTS: Mapping[str, Callable[[torch.Tensor, torch.Tensor, Spec], torch.Tensor]] = MappingProxyType(
    {"mul": _mul, "matmul": _matmul, "conv": conv, "conv_weight": conv_weight, "conv_input": conv_input}
)
"""By the names that travel."""


def product(kind: str, spec: Spec, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    """One of the products.

    Args:
        kind: a key of `PRODUCTS`.
        spec: what it needs besides its operands.
        x: int64.
        y: int64.

    Raises:
        ProtocolStepError: there is no such product.

    Example:
        >>> product("matmul", (), torch.tensor([[1, 2]]), torch.tensor([[3], [4]]))
        tensor([[11]])
    """
    try:
        return PRODUCTS[kind](x, y, spec)
    except KeyError:
        raise ProtocolStepError(f"{kind!r} is no product that holders compute; there are {sorted(PRODUCTS)}") from None


@lru_cache(maxsize=4096)
def product_shape(kind: str, spec: Spec, x: torch.Size, y: torch.Size) -> torch.Size:
    """The shape of a product of operands of these shapes."""
    if kind == "mul":
        return broadcast(x, y)
    if kind == "matmul":
        return matrix_product(x, y)
    # On tensors without memory: a peer may ask for a shape that does not fit.
    nothing = torch.empty((), dtype=torch.int64, device="meta")
    return product(kind, spec, nothing.expand(x), nothing.expand(y)).shape


def largest(kind: str, spec: Spec, x: torch.Size, y: torch.Size) -> int:
    """How many elements the largest tensor has that a product makes, be it the result or one on the way to it."""
    out = product_shape(kind, spec, x, y)
    if kind not in ("conv", "conv_weight", "conv_input"):
        return out.numel()
    padding = spec[1]
    back = kind == "conv_input"
    batch, _, height, width = (x[0], 0, *spec[4]) if back else x
    channels = out[1] if back else x[1]
    rows, columns = (x if back else y if kind == "conv_weight" else out)[2:]
    kernel = spec[4] if kind == "conv_weight" else y[2:]
    padded = batch * channels * (height + 2 * padding[0]) * (width + 2 * padding[1])
    return max(out.numel(), padded, batch * rows * columns * channels * kernel[0] * kernel[1])
