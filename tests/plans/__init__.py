"""Plans: recorded once, run here, on workers and after a journey; always compared with what plain Python computes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch

import syft as sy


def plan_of(function: Callable[..., Any], *examples: Any, state: Any = None, **options: Any) -> sy.Plan:
    """A built plan of a function."""
    plan = sy.Plan("plan", forward=function, state=state)
    plan.build(*examples, **options)
    return plan


def there(value: Any, worker: Any) -> Any:
    """Copies of all tensors of a value on a worker, in the same containers."""
    if isinstance(value, torch.Tensor):
        return value.detach().clone().requires_grad_(value.requires_grad).send(worker)
    if isinstance(value, (list, tuple)):
        return type(value)([there(part, worker) for part in value])
    return {k: there(v, worker) for k, v in value.items()} if isinstance(value, dict) else value


def here(value: Any) -> Any:
    """All pointers of a value fetched."""
    if isinstance(value, torch.Tensor):
        return value.get()
    if isinstance(value, (list, tuple)):
        return type(value)([here(part) for part in value])
    return {k: here(v) for k, v in value.items()} if isinstance(value, dict) else value


def remote(pointer: Any, worker: Any, *args: Any, **kwargs: Any) -> Any:
    """What a plan on a worker makes of arguments that are on that worker."""
    return here(pointer(*[there(arg, worker) for arg in args], **{k: there(v, worker) for k, v in kwargs.items()}))


def same(first: Any, second: Any) -> bool:
    """Whether two results are equal bit for bit; tuples and lists of workers' answers count as one kind."""
    if isinstance(first, torch.Tensor) or isinstance(second, torch.Tensor):
        return isinstance(first, torch.Tensor) and first.dtype == second.dtype and torch.equal(first, second)
    if isinstance(first, (list, tuple)):
        return len(first) == len(second) and all(same(a, b) for a, b in zip(first, second, strict=True))
    if isinstance(first, dict):
        return first.keys() == second.keys() and all(same(first[k], second[k]) for k in first)
    return bool(first == second)


class OfModule(sy.Plan):
    """A plan that calls a module."""

    def __init__(self, module: torch.nn.Module) -> None:
        super().__init__("of module")
        self.module = module

    def forward(self, *args: torch.Tensor) -> Any:
        """The module's answer."""
        return self.module(*args)
