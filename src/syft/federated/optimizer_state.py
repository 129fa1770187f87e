"""Making any torch optimizer work on parameters that are on a worker.

Most optimizers only compute with tensors, so they step where the parameters are; what they remember
(momentum, moments, sums) must then be there as well. A few read numbers out of tensors to decide what to do;
for them the parameters come here for the time of a step.
"""

from __future__ import annotations

import copy
from collections import OrderedDict, defaultdict
from collections.abc import Callable
from typing import Any

import torch
from torch import nn

from syft.plans.recorder import recorder_of
from syft.tensors import modules
from syft.tensors.optimizers import bring_state_along

# Counters and scalar averages that torch's optimizers keep with the program and read as numbers.
_STAYS_HERE = frozenset({"step", "eta", "mu", "mu_product"})

_READ_VALUES = (torch.optim.LBFGS, torch.optim.SparseAdam, torch.optim.Adafactor)


def state_follows_model(optimizer: torch.optim.Optimizer, *, step_here: bool | None = None) -> torch.optim.Optimizer:
    """Let an optimizer serve a model that visits worker after worker: its state moves to the parameters.

    Each worker then receives a state that tells of the gradients of those before. For a state that stays with
    each worker use `Optims`. Hooks are not saved with an optimizer: call this again after unpickling one.

    Args:
        optimizer: any torch optimizer.
        step_here: fetch parameters and gradients for each step, compute it here, and send the parameters
            back. Needed for optimizers that read values of parameters or gradients, such as LBFGS; None
            decides by what is known of torch's own.

    Returns:
        The same optimizer.

    Example:
        >>> weight = torch.nn.Parameter(torch.ones(2))
        >>> optimizer = state_follows_model(torch.optim.SGD([weight], lr=0.1, momentum=0.9))
    """
    if isinstance(optimizer, _READ_VALUES) if step_here is None else step_here:
        if not any(isinstance(hook, _StepHere) for hook in optimizer._optimizer_step_pre_hooks.values()):
            hook = _StepHere()
            optimizer.register_step_pre_hook(hook)
            optimizer.register_step_post_hook(hook.afterwards)
    elif move_state_before_step not in optimizer._optimizer_step_pre_hooks.values():
        optimizer.register_step_pre_hook(move_state_before_step)
    return optimizer


def before_step(optimizer: torch.optim.Optimizer, args: Any, kwargs: Any) -> None:
    """Make any optimizer fit for a model on a worker; `TorchHook` has torch call it before every step.

    State made here before the model was sent follows the model; state on another worker is refused (see
    `bring_state_along`). A step on the state of a plan that is being recorded is written
    down. Optimizers that read values step here, with parameters fetched and sent back.

    Args:
        optimizer: about to step.
        args: of ``step``.
        kwargs: of ``step``.

    """
    recorder = recorder_of([p for group in optimizer.param_groups for p in group["params"]])
    if recorder is not None:
        recorder.optimize(optimizer)
        return
    own = optimizer._optimizer_step_pre_hooks.values()  # they run after this one
    if move_state_before_step in own or any(isinstance(hook, _StepHere) for hook in own):
        return
    if isinstance(optimizer, _READ_VALUES) and any(
        getattr(p, "location", None) is not None for group in optimizer.param_groups for p in group["params"]
    ):
        state_follows_model(optimizer)
        return
    bring_state_along(optimizer, args, kwargs)


class _StepHere:
    """Fetches the parameters before a step and sends them back after it; a closure runs where they were."""

    def __init__(self) -> None:
        self.parts: list[tuple[Any, _Parameters]] = []

    def __call__(self, optimizer: torch.optim.Optimizer, args: Any, kwargs: Any) -> Any:
        by_worker: dict[Any, list[nn.Parameter]] = {}
        for group in optimizer.param_groups:
            for parameter in group["params"]:
                if getattr(parameter, "location", None) is not None:
                    by_worker.setdefault(parameter.location, []).append(parameter)
        self.parts = [(worker, _Parameters(parameters)) for worker, parameters in by_worker.items()]
        self._fetch()
        move_state_before_step(optimizer, args, kwargs)
        closure = args[1] if len(args) > 1 else kwargs.get("closure")
        if closure is None or not self.parts:
            return None
        return (args[0], self._where_they_were(closure)), {k: v for k, v in kwargs.items() if k != "closure"}

    def _where_they_were(self, closure: Callable[[], Any]) -> Callable[[], Any]:
        def run() -> Any:
            self._send_back()
            loss = closure()
            self._fetch()
            return loss

        return run

    def afterwards(self, optimizer: torch.optim.Optimizer, args: Any, kwargs: Any) -> None:
        self._send_back()

    def _fetch(self) -> None:
        for _, parameters in self.parts:
            modules.get(parameters)

    def _send_back(self) -> None:
        for worker, parameters in self.parts:
            modules.send(parameters, worker)


class _Parameters(nn.Module):
    """Parameters that are sent and fetched together, in one message, as those of a module are."""

    def __init__(self, parameters: list[nn.Parameter]) -> None:
        super().__init__()
        # Not by setattr, which asks each for its history, and remote ones do not tell.
        self._parameters.update({str(number): parameter for number, parameter in enumerate(parameters)})


def move_state_before_step(optimizer: torch.optim.Optimizer, args: Any, kwargs: Any) -> None:
    """Move every tensor of the state to its parameter; those that are there already cost nothing.

    Args:
        optimizer: the optimizer that is about to step.
        args: the arguments of ``step``, left alone.
        kwargs: likewise.
    """
    for parameter, state in optimizer.state.items():
        if isinstance(parameter, torch.Tensor):
            place = getattr(parameter, "location", None)
            state.update({key: _placed(key, value, parameter, place) for key, value in state.items()})


def _placed(key: str, value: Any, parameter: torch.Tensor, place: Any) -> Any:
    if isinstance(value, list):
        return [_placed(key, item, parameter, place) for item in value]
    if not isinstance(value, torch.Tensor):
        return value
    here = getattr(value, "location", None)
    if here == place:
        return value
    if here is None:
        stays = value.dim() == 0 and (parameter.dim() > 0 or key in _STAYS_HERE)
        return value if stays else value.send(place)  # type: ignore[attr-defined]
    return value.get() if place is None else value.move(place)  # type: ignore[attr-defined]


def independent_copy(optimizer: torch.optim.Optimizer) -> torch.optim.Optimizer:
    """An optimizer of the same parameters with settings and state of its own.

    Unlike ``copy.copy`` it keeps what optimizers such as LBFGS hold besides parameter groups, and unlike
    ``copy.deepcopy`` it can copy a state that is on a worker (the copy is made there).

    Args:
        optimizer: any torch optimizer; it is not changed.

    Returns:
        A new optimizer of the same class. Hooks are kept, an attached scheduler is not.
    """
    cls = type(optimizer)
    out = cls.__new__(cls)
    # A scheduler replaces ``step`` on the instance with one bound to that instance.
    out.__dict__.update({name: value for name, value in vars(optimizer).items() if name != "step"})
    for name, value in vars(optimizer).items():
        if isinstance(value, OrderedDict):
            out.__dict__[name] = OrderedDict(value)
    out.defaults = copy.deepcopy(optimizer.defaults)
    out.param_groups = [
        {name: list(value) if name == "params" else copy.deepcopy(value) for name, value in group.items()}
        for group in optimizer.param_groups
    ]
    out.state = defaultdict(dict, {parameter: copied(state) for parameter, state in optimizer.state.items()})
    return out


def copied(value: Any, of_tensor: Callable[[torch.Tensor], Any] = lambda tensor: tensor.detach().clone()) -> Any:
    """A copy of a piece of optimizer state, containers and all.

    Args:
        value: tensors, numbers, and lists, tuples and dicts of them.
        of_tensor: copies one tensor; by default it stays where it is.

    Returns:
        The copy.
    """
    if isinstance(value, torch.Tensor):
        return of_tensor(value)
    if isinstance(value, dict):
        return {key: copied(item, of_tensor) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return type(value)([copied(item, of_tensor) for item in value])
    return copy.deepcopy(value)


def fetched(tensor: torch.Tensor) -> torch.Tensor:
    """A local copy of a tensor that may be on a worker; the original stays where it is."""
    duplicate = tensor.detach().clone()
    if getattr(tensor, "location", None) is None:
        return duplicate
    local: torch.Tensor = duplicate.get()  # type: ignore[attr-defined]
    return local
