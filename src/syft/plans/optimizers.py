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
    groups = [(list(tensors), dict(options)) for tensors, options in groups]
    taken = inspect.signature(cls.__init__).parameters
    for _, options in groups:
        if unknown := sorted(options.keys() - taken.keys()):
            raise PlanBuildError(f"torch does not make a {name} with these options: it has no {', '.join(unknown)}.")
    try:
        made: torch.optim.Optimizer = cls([{"params": tensors, **options} for tensors, options in groups])
    except (TypeError, ValueError) as error:
        raise PlanBuildError(f"torch does not make a {name} with these options: {error}") from error
    return made


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
