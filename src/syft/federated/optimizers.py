"""One optimizer a worker over one set of parameters, for models that travel from worker to worker.

A stateful optimizer cannot serve two workers: its moments are where its first step was. With `Optims` each
worker has moments of its own, which stay there and never travel with the model.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import torch

from syft.exceptions import FederatedError, WorkerNotFoundException
from syft.federated.optimizer_state import copied, fetched, independent_copy, state_follows_model
from syft.federated.worker_keys import id_of


class Optims:
    """Independent copies of an optimizer, one a worker: the same parameters, own state, own settings.

    Works for every optimizer of ``torch.optim``, also for those that make their state when they are
    constructed or that were used before: each copy sends its state to the parameters at its first step.

    Args:
        workers: workers or their ids.
        optim: the optimizer to copy, made from the parameters of the model.
        step_here: whether steps are computed here, on parameters fetched for that time; see
            `state_follows_model`.

    Attributes:
        workers: the workers as given.
        optim: the optimizer that was copied; what happens to it later does not reach the copies.
        optimizers: the copies, by the worker's id as text.

    Raises:
        FederatedError: ``optim`` is not an optimizer.

    Example:
        >>> model = torch.nn.Linear(2, 1)
        >>> optims = Optims(["bob", "alice"], optim=torch.optim.Adam(model.parameters(), lr=0.1))
        >>> optims.count(), type(optims.get_optim("bob")).__name__
        (2, 'Adam')
    """

    def __init__(self, workers: Iterable[Any], optim: torch.optim.Optimizer, *, step_here: bool | None = None) -> None:
        if not isinstance(optim, torch.optim.Optimizer):
            raise FederatedError(
                f"optim must be an optimizer such as torch.optim.Adam(model.parameters(), lr=0.1), and it is {optim!r}."
            )
        self.workers = list(workers)
        self.optim = optim
        self.optimizers: dict[str, torch.optim.Optimizer] = {
            str(id_of(worker)): state_follows_model(independent_copy(optim), step_here=step_here)
            for worker in self.workers
        }

    def get_optim(self, worker: Any) -> torch.optim.Optimizer:
        """The optimizer of a worker.

        Args:
            worker: the worker, its id, or the id as text.

        Raises:
            WorkerNotFoundException: this worker was not given to the constructor.
        """
        try:
            return self.optimizers[str(id_of(worker))]
        except KeyError:
            known = ", ".join(self.optimizers) or "none"
            raise WorkerNotFoundException(
                f"there is no optimizer for worker {id_of(worker)!r}; there are optimizers for: {known}. "
                "Name all workers in Optims(workers, optim=...)."
            ) from None

    def __getitem__(self, worker: Any) -> torch.optim.Optimizer:
        return self.get_optim(worker)

    def count(self) -> int:
        """How many workers were given."""
        return len(self.workers)

    def scheduler(self, factory: Callable[..., Any], *args: Any, **kwargs: Any) -> Schedulers:
        """Attach a learning rate scheduler of its own to every optimizer.

        Args:
            factory: called as ``factory(optimizer, *args, **kwargs)`` for each of them, such as
                ``torch.optim.lr_scheduler.StepLR``.
            *args: passed on.
            **kwargs: passed on.

        Returns:
            The schedulers together; its ``step()`` steps all.

        Example:
            >>> model = torch.nn.Linear(2, 1)
            >>> optims = Optims(["bob", "alice"], optim=torch.optim.SGD(model.parameters(), lr=1.0))
            >>> schedule = optims.scheduler(torch.optim.lr_scheduler.ExponentialLR, gamma=0.5)
            >>> for optimizer in optims.optimizers.values():
            ...     _ = optimizer.step()
            >>> schedule.step()
            >>> schedule.get_last_lr()
            {'bob': [0.5], 'alice': [0.5]}
        """
        made = {worker: factory(optimizer, *args, **kwargs) for worker, optimizer in self.optimizers.items()}
        return Schedulers(made)

    def adopt_settings(self) -> None:
        """Copy the present settings of ``optim`` (learning rate and the like) to every worker's optimizer.

        For programs that schedule or edit the optimizer they gave to `Optims`: call it after each change.
        """
        for optimizer in self.optimizers.values():
            for group, source in zip(optimizer.param_groups, self.optim.param_groups, strict=True):
                group.update({name: copied(value) for name, value in source.items() if name != "params"})

    def state_dict(self) -> dict[str, dict[str, Any]]:
        """The state dicts of all optimizers by worker id, with all tensors fetched as copies."""
        return {worker: copied(optimizer.state_dict(), fetched) for worker, optimizer in self.optimizers.items()}

    def load_state_dict(self, state_dict: Mapping[str, dict[str, Any]]) -> None:
        """Restore what `state_dict` gave; states go to the workers at the next step.

        Args:
            state_dict: state dicts by worker id, for exactly the workers of this object.

        Raises:
            FederatedError: the workers differ.
        """
        if set(state_dict) != set(self.optimizers):
            raise FederatedError(
                f"these are states for the workers {sorted(state_dict)}, and there are optimizers for "
                f"{sorted(self.optimizers)}. Make Optims with the same workers."
            )
        for worker, optimizer in self.optimizers.items():
            optimizer.load_state_dict(state_dict[worker])


class Schedulers:
    """One learning rate scheduler a worker, used like one; made by `Optims.scheduler`.

    Args:
        schedulers: the schedulers by worker id.
    """

    def __init__(self, schedulers: dict[str, Any]) -> None:
        self.schedulers = schedulers

    def __getitem__(self, worker: Any) -> Any:
        try:
            return self.schedulers[str(id_of(worker))]
        except KeyError:
            known = ", ".join(self.schedulers) or "none"
            raise WorkerNotFoundException(
                f"there is no scheduler for worker {id_of(worker)!r}; there are schedulers for: {known}."
            ) from None

    def step(self, *args: Any, **kwargs: Any) -> None:
        """Step every scheduler; arguments, such as a metric, are passed on."""
        for scheduler in self.schedulers.values():
            scheduler.step(*args, **kwargs)

    def get_last_lr(self) -> dict[str, list[float]]:
        """The last learning rates of every worker's optimizer."""
        return {worker: scheduler.get_last_lr() for worker, scheduler in self.schedulers.items()}

    def state_dict(self) -> dict[str, Any]:
        """The state dicts of all schedulers by worker id."""
        return {worker: scheduler.state_dict() for worker, scheduler in self.schedulers.items()}

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Restore what `state_dict` gave.

        Args:
            state_dict: state dicts by worker id.
        """
        for worker, scheduler in self.schedulers.items():
            scheduler.load_state_dict(state_dict[worker])
