"""Selections that must give what torch gives, as functions of one tensor; used on values here and on shares."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch.nn import functional as F

Function = Callable[[Any], Any]

TIED = torch.tensor([[[2.0, -3, 2, 0], [-1, -1, -2, -1], [0, 5, 5, 5]], [[2, 7, -8, 7], [-1, 0, 0, 1], [4, 4, 4, 4]]])
DISTINCT = (torch.arange(24).mul(7).remainder(24).reshape(2, 3, 4).float() - 11) / 4
IMAGE = (torch.arange(96).mul(37).remainder(96).reshape(1, 2, 6, 8).float() - 48) / 8


def flat(out: Any) -> Iterator[Any]:
    """The tensors of a result."""
    if isinstance(out, torch.Tensor):
        yield out
    else:
        for one in out:
            yield from flat(one)


TIES: dict[str, Function] = {
    "max": torch.max,
    "max of a dimension": lambda x: x.max(1),
    "max of the last, kept": lambda x: torch.max(x, dim=-1, keepdim=True),
    "min": lambda x: x.min(),
    "min of a dimension": lambda x: torch.min(x, 0),
    "amax of two": lambda x: x.amax((0, 2)),
    "amin of all, kept": lambda x: torch.amin(x, keepdim=True),
    "argmax": torch.argmax,
    "argmax of a dimension": lambda x: x.argmax(dim=-1),
    "argmax kept": lambda x: x.argmax(1, keepdim=True),
    "argmin": lambda x: x.argmin(),
    "argmin of a dimension": lambda x: torch.argmin(x, -2, True),
    "sort": lambda x: torch.sort(x, stable=True),
    "sort down": lambda x: x.sort(dim=1, descending=True, stable=True),
    "argsort": lambda x: x.argsort(stable=True, dim=0),
    "topk values": lambda x: x.topk(2).values,
    "kthvalue": lambda x: torch.kthvalue(x, 2, 1).values,
    "median": lambda x: x.median(),
    "maximum": lambda x: torch.maximum(x, x.flip(0)),
    "minimum": lambda x: torch.min(x, x.flip(1)),
}
"""Run on `TIED`."""

GRADIENTS: dict[str, Function] = {
    "max": torch.max,
    "max of a dimension": lambda x: x.max(1).values,
    "min kept": lambda x: x.min(-1, keepdim=True)[0],
    "amax of two": lambda x: x.amax((0, 2)),
    "amin": lambda x: torch.amin(x, dim=1),
    "sort": lambda x: x.sort(0)[0],
    "sort down": lambda x: torch.sort(x, 1, True)[0],
    "topk": lambda x: x.topk(2, 1).values,
    "topk smallest": lambda x: x.topk(3, largest=False).values,
    "kthvalue": lambda x: x.kthvalue(3, keepdim=True)[0],
    "median": lambda x: x.median(),
    "median of a dimension": lambda x: torch.median(x, 2)[0],
    "maximum": lambda x: torch.maximum(x, x.flip(0)),
}
"""Run on `DISTINCT`, with gradients."""

POOLS: dict[str, Function] = {
    "2": lambda x: F.max_pool2d(x, 2),
    "3, stride 2, padded": lambda x: F.max_pool2d(x, 3, 2, 1),
    "3, stride 1": lambda x: torch.max_pool2d(x, 3, 1),
    "3 x 2, stride 1 x 2, padded": lambda x: F.max_pool2d(x, (3, 2), (1, 2), (0, 1)),
    "dilated": lambda x: F.max_pool2d(x, 2, dilation=2),
    "dilated and padded": lambda x: F.max_pool2d(x, 3, 2, 1, 2),
    "ceil_mode": lambda x: F.max_pool2d(x, 3, 2, ceil_mode=True),
    "ceil_mode, no window behind the end": lambda x: F.max_pool2d(x, 2, 3, 1, ceil_mode=True),
    "module": torch.nn.MaxPool2d(2, padding=1),
    "without batch": lambda x: F.max_pool2d(x[0], 2),
    "one dimension": lambda x: torch.nn.MaxPool1d(3, 2)(x[0]),
    "three dimensions": lambda x: F.max_pool3d(x, (1, 2, 4)),
    "adaptive": lambda x: F.adaptive_max_pool2d(x, (3, 2)),
    "adaptive, one dimension": lambda x: torch.nn.AdaptiveMaxPool1d(4)(x[0]),
    "adaptive mean": lambda x: F.adaptive_avg_pool2d(x, (2, 4)),
    "adaptive mean of all": lambda x: torch.nn.AdaptiveAvgPool2d(1)(x),
    "adaptive mean, one dimension": lambda x: F.adaptive_avg_pool1d(x[0], 2),
    "adaptive mean of a dimension": lambda x: torch.nn.AdaptiveAvgPool2d((None, 2))(x),
}
"""Run on `IMAGE`, with gradients."""
