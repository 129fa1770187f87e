"""torch's own optimizers as part of a plan: named on the wire, made where the parameters are."""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Any

import torch

from syft.exceptions import PlanBuildError

_ALL: tuple[type[torch.optim.Optimizer], ...] = (
    torch.optim.ASGD, torch.optim.Adadelta, torch.optim.Adafactor, torch.optim.Adagrad, torch.optim.Adam,
    torch.optim.AdamW, torch.optim.Adamax, torch.optim.NAdam, torch.optim.RAdam, torch.optim.RMSprop,
    torch.optim.Rprop, torch.optim.SGD, torch.optim.SparseAdam,
)  # fmt: skip
OPTIMIZERS: Mapping[str, type[torch.optim.Optimizer]] = MappingProxyType({cls.__name__: cls for cls in _ALL})
"""What a plan may hold, by name. LBFGS is not among them: it calls the program back."""

Groups = Iterable[tuple[Iterable[torch.Tensor], Mapping[str, Any]]]


def stock_optimizer(name: str, groups: Groups) -> torch.optim.Optimizer:
    """An optimizer of ``torch.optim``.

    Args:
        name: of its class.
        groups: tensors and options of each parameter group.

    Returns:
        A new optimizer.

    Raises:
        PlanBuildError: the name is none of `OPTIMIZERS`, or torch does not take the options.
    """
    cls: Any = OPTIMIZERS.get(name)
    if cls is None:
        known = ", ".join(OPTIMIZERS)
        raise PlanBuildError(f"a plan cannot hold an optimizer called {name!r}; these it can: {known}.")
    # Not with torch's fused kernels: they trust strides, and a gradient may be an expanded view.
    groups = [(list(tensors), {k: v for k, v in options.items() if k != "fused"}) for tensors, options in groups]
    taken = inspect.signature(cls.__init__).parameters
    for _, options in groups:
        if unknown := sorted(options.keys() - taken.keys()):
            raise PlanBuildError(f"torch does not make a {name} with these options: it has no {', '.join(unknown)}.")
    try:
        # Some read an option of their own, not of the group, while they are made (Adagrad's first sums).
        made: torch.optim.Optimizer = cls(
            [{"params": tensors, **options} for tensors, options in groups], **groups[0][1]
        )
    except (TypeError, ValueError) as error:
        raise PlanBuildError(f"torch does not make a {name} with these options: {error}") from error
    return made


def check_state(name: str, groups: Groups, state: Any) -> None:
    """Check the state of an optimizer that came over a wire: torch's kernels trust its shapes.

    Args:
        name: of the optimizer's class.
        groups: its tensors and options.
        state: as in ``state_dict()["state"]``, by the number of the parameter.

    Raises:
        ValueError: it is not what a step of this optimizer on these tensors leaves behind.
    """
    if type(state) is not dict:
        raise ValueError(f"the state of an optimizer is a dict, not a {type(state).__name__}")
    if not state:
        return
    twins = [([_with_gradient(tensor) for tensor in tensors], options) for tensors, options in groups]
    template = stock_optimizer(name, twins)
    with torch.enable_grad():
        template.step()
    expected = template.state_dict()["state"]
    for number, entry in state.items():
        if number not in expected or type(entry) is not dict or entry.keys() != expected[number].keys():
            raise ValueError(f"the state of a {name} has not these entries for parameter {str(number)[:20]}")
        for key, value in entry.items():
            if _form(value) != _form(expected[number][key]):
                raise ValueError(
                    f"{key!r} in the state of a {name} is {_form(expected[number][key])}, not {_form(value)}"
                )


def _with_gradient(tensor: torch.Tensor) -> torch.Tensor:
    twin = torch.zeros_like(tensor, requires_grad=True)
    twin.grad = torch.zeros_like(tensor)
    return twin


def _form(value: Any) -> str:
    if isinstance(value, torch.Tensor):
        return f"a tensor of shape {tuple(value.shape)} and {value.dtype}"
    return f"a {type(value).__name__}"


def options_of(optimizer: torch.optim.Optimizer, group: Mapping[str, Any]) -> dict[str, Any]:
    """The options of a parameter group that its class takes, as plain values.

    Args:
        optimizer: of one of `OPTIMIZERS`.
        group: of its ``param_groups``.

    Raises:
        PlanBuildError: the optimizer is not one of torch's own, or an option is no plain value.
    """
    cls = type(optimizer)
    if OPTIMIZERS.get(cls.__name__) is not cls:
        known = ", ".join(OPTIMIZERS)
        raise PlanBuildError(f"a plan cannot hold a {cls.__name__}; of torch.optim it can hold {known}.")
    taken = inspect.signature(cls.__init__).parameters.keys() & group.keys() - {"self", "params"}
    return {name: _plain(name, group[name]) for name in sorted(taken)}


def _plain(name: str, value: Any) -> Any:
    if isinstance(value, torch.Tensor):
        value = value.item()
    parts = value if isinstance(value, (tuple, list)) else (value,)
    if all(part is None or type(part) in (bool, int, float) for part in parts):
        return tuple(parts) if isinstance(value, (tuple, list)) else value
    raise PlanBuildError(f"the option {name} of an optimizer in a plan must be a number, not {type(value).__name__}.")
