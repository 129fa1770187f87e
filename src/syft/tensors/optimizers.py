"""What an optimizer remembers of a parameter must be where the parameter is when it steps."""

from __future__ import annotations

from typing import Any

import torch

from syft.exceptions import TensorsNotCollocatedException
from syft.tensors.base import Wrapper, is_wrapper, link_of
from syft.tensors.verbs import send

# What torch's optimizers count steps with, or average as numbers; it stays with the program.
_COUNTERS = frozenset({"step", "eta", "mu", "mu_product"})


class OptimizerStateElsewhere(TensorsNotCollocatedException):
    """An optimizer's state is on another worker than the parameter it belongs to."""


def bring_state_along(optimizer: torch.optim.Optimizer, args: Any, kwargs: Any) -> None:
    """Check and complete an optimizer's state before a step. `TorchHook` has torch call it.

    State that was made here before the model was sent (Adagrad's sums) follows the model. State on another
    worker is refused: moving it would tell one worker about the gradients of another.

    Args:
        optimizer: about to step.
        args: of ``step``, not used.
        kwargs: of ``step``, not used.

    Raises:
        OptimizerStateElsewhere: the state is on another worker; the message names ``Optims``.
    """
    for group in optimizer.param_groups:
        for parameter in group["params"]:
            if is_wrapper(parameter):
                if getattr(link_of(parameter), "location", None) is None:
                    continue  # encoded, not elsewhere: its state is encoded as it comes
                _to(parameter, optimizer.state.get(parameter))
            elif parameter in optimizer.state and type(parameter) is torch.nn.Parameter:
                _check_here(parameter, optimizer.state[parameter])


def _to(parameter: torch.Tensor, state: dict[str, Any] | None) -> None:
    location = getattr(link_of(parameter), "location", None)
    if location is None:  # encoded, and so is what was computed from it
        return
    for name, value in (state or {}).items():
        if isinstance(value, Wrapper):
            held = getattr(link_of(value), "location", None)
            if held is not location and held != location:
                raise _elsewhere(parameter, value, name)
        elif isinstance(value, torch.Tensor) and (value.dim() > 0 or (name not in _COUNTERS and parameter.dim() == 0)):
            state[name] = send(value, location)  # type: ignore[index]


def _check_here(parameter: torch.Tensor, state: dict[str, Any]) -> None:
    for name, value in state.items():
        if isinstance(value, Wrapper):
            raise _elsewhere(parameter, value, name)


def _elsewhere(parameter: torch.Tensor, value: torch.Tensor, name: str) -> OptimizerStateElsewhere:
    error = OptimizerStateElsewhere(parameter, value, f"optimizer.step() with its state {name!r}")
    error.args = (
        f"{error.args[0]} An optimizer with state (momentum, Adam) serves one worker: use one for each with "
        "Optims(workers, optim), or let its state travel with syft.federated.state_follows_model(optimizer).",
    )
    return error
