"""A model run for each sample alone, with a copy of the parameters for each: right for any model, by construction."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Callable
from typing import Any

import torch
from torch.utils._pytree import tree_flatten, tree_map, tree_unflatten

logger = logging.getLogger("syft.dp")

Parameters = dict[str, torch.Tensor]


def computed_alone(
    compute: Callable[[Parameters, tuple[Any, ...], dict[str, Any]], Any],
    parameters: Parameters,
    inputs: tuple[Any, ...],
    options: dict[str, Any],
    batch: int,
) -> tuple[Any, Parameters]:
    """The outputs of a batch whose samples never met.

    Args:
        compute: the model as a function of its parameters, positional and named inputs.
        parameters: their values.
        inputs: positional; tensors of length ``batch`` are taken apart, everything else goes to every sample.
        options: by name, likewise.
        batch: how many samples there are.

    Returns:
        The outputs, and for every parameter its ``batch`` copies, of shape ``(batch, *parameter.shape)``: leaves
        whose gradient is that of each sample.
    """
    copies = {name: value.expand(batch, *value.shape).clone().requires_grad_() for name, value in parameters.items()}
    leaves, form = tree_flatten((inputs, options))
    apart = [isinstance(leaf, torch.Tensor) and leaf.dim() > 0 and len(leaf) == batch for leaf in leaves]

    def one(own: Parameters, *tensors: torch.Tensor) -> Any:
        given = iter(tensors)
        filled = [next(given).unsqueeze(0) if split else leaf for leaf, split in zip(leaves, apart, strict=True)]
        its_inputs, its_options = tree_unflatten(filled, form)
        return tree_map(_without_the_batch, compute(own, its_inputs, its_options))

    tensors = [leaf for leaf, split in zip(leaves, apart, strict=True) if split]
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "There is a performance drop", UserWarning)
            return torch.vmap(one, randomness="different")(copies, *tensors), copies
    except (RuntimeError, ValueError, NotImplementedError) as error:
        # What cannot be written for all samples at once, such as a branch on a value, is run for one after the other.
        logger.info("samples are computed one by one: %s", str(error).partition("\n")[0])
    rows = [
        dict(zip(copies, row, strict=True)) for row in zip(*(copy.unbind() for copy in copies.values()), strict=True)
    ]
    outputs = [one(row, *(t[i] for t in tensors)) for i, row in enumerate(rows)]
    flat = [tree_flatten(output)[0] for output in outputs]
    stacked = [torch.stack(column) for column in zip(*flat, strict=True)]
    return tree_unflatten(stacked, tree_flatten(outputs[0])[1]), copies


def _without_the_batch(value: Any) -> Any:
    return value.squeeze(0) if isinstance(value, torch.Tensor) else value
