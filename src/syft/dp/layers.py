"""Which layers cannot train privately, and what to put in their place."""

from __future__ import annotations

import copy
from collections.abc import Iterator

import torch
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.modules.instancenorm import _InstanceNorm

from syft.core.optional import require
from syft.exceptions import UsageError


def mixing_layers(model: torch.nn.Module) -> Iterator[tuple[str, torch.nn.Module]]:
    """The layers, by name, whose output for one sample depends on the others or on samples of the past.

    >>> [name for name, _ in mixing_layers(torch.nn.Sequential(torch.nn.Linear(2, 2), torch.nn.BatchNorm1d(2)))]
    ['1']
    """
    for name, layer in model.named_modules():
        if isinstance(layer, _BatchNorm) or (isinstance(layer, _InstanceNorm) and layer.track_running_stats):
            yield name, layer


def check_layers(model: torch.nn.Module) -> None:
    """Refuses a model with `mixing_layers`.

    Raises:
        UsageError: with the layer's name and the way out.
    """
    for name, layer in mixing_layers(model):
        raise UsageError(
            f"the layer {name or 'model'!r} ({layer}) computes with statistics over samples, so what it makes of one "
            "sample tells about others, and no clipping bounds that. Use a GroupNorm or a LayerNorm, or let "
            "sy.dp.fix(model) put them in."
        )


def fix(model: torch.nn.Module) -> torch.nn.Module:
    """A copy of a model in which every batch normalisation is a group normalisation, by the rules of Opacus.

    Args:
        model: any model; it stays as it is.

    Returns:
        The copy. Groups are of the size that Opacus chooses; instance normalisations keep no running statistics.

    Raises:
        DependencyError: Opacus is not installed.

    Example:
        >>> type(fix(torch.nn.Sequential(torch.nn.Linear(2, 64), torch.nn.BatchNorm1d(64)))[1]).__name__
        'GroupNorm'
    """
    fixers = require("opacus.validators", "dp").ModuleValidator.FIXERS
    fixed = copy.deepcopy(model)
    for name, layer in list(mixing_layers(fixed)):
        make = fixers.get(type(layer))
        if make is None:
            raise UsageError(f"there is no replacement for the layer {name or 'model'!r} ({layer}); use a GroupNorm")
        device = next((tensor.device for tensor in layer.state_dict().values()), None)
        new = make(layer).to(device)
        if not name:
            return torch.nn.Module.train(new, fixed.training)
        parent, _, last = name.rpartition(".")
        setattr(fixed.get_submodule(parent), last, new)
    return fixed
