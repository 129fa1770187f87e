"""What happens at one client in one round: its own copy of the model travels, trains and comes back."""

from __future__ import annotations

import copy
import math
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from syft.exceptions import FederatedError
from syft.federated.averaging import is_remote
from syft.federated.client import Client
from syft.federated.strategies import ClientUpdate, Strategy

LossFunction = Callable[[Any, Any], torch.Tensor]
OptimizerFactory = Callable[[Iterable[torch.Tensor]], torch.optim.Optimizer]
BatchListener = Callable[[int, int, int, float | None], None]


class LocalCopy:
    """One client's own copy of the global model, with its optimizer while that is kept.

    The module keeps its identity over all rounds, so an optimizer stays bound to its parameters and
    the state of that optimizer stays on the worker.

    Args:
        model: the global model; it is copied.
        saved: what `state` gave before a restart.
    """

    def __init__(self, model: nn.Module, saved: Mapping[str, Any] | None = None) -> None:
        self.module: Any = copy.deepcopy(model)
        self.optimizer: torch.optim.Optimizer | None = None
        self._saved_optimizer: Mapping[str, Any] | None = None
        if saved is not None:
            self.module.load_state_dict(saved["state_dict"])
            self._saved_optimizer = saved.get("optimizer")

    def optimizer_for(self, factory: OptimizerFactory, *, keep: bool) -> torch.optim.Optimizer:
        """The optimizer to train with, bound to the parameters where they are now.

        Args:
            factory: makes an optimizer from parameters.
            keep: go on with that of the last round.

        Returns:
            The optimizer.
        """
        if not keep:
            return factory(self.module.parameters())
        if self.optimizer is None:
            self.optimizer = factory(self.module.parameters())
            if self._saved_optimizer is not None:
                _restore_optimizer(self.optimizer, self._saved_optimizer, self.module.location)
                self._saved_optimizer = None
        return self.optimizer

    def state(self) -> dict[str, Any]:
        """All that must be saved to go on later: plain local tensors and numbers."""
        saved: dict[str, Any] = {"state_dict": dict(self.module.state_dict())}
        if self.optimizer is not None:
            saved["optimizer"] = _optimizer_state(self.optimizer)
        return saved


@dataclass(frozen=True, slots=True)
class LeftThere:
    """A model that was trained on a worker and stayed there.

    Args:
        update: who trained it and on how many samples; without its state.
        module: the remote module.
        trained: pointers to the tensors of its state, in the order of the state dict.
        start: pointers to copies of what they were before the training.
        train_loss: a pointer to the mean training loss of a sample.
    """

    update: ClientUpdate
    module: Any
    trained: list[Any]
    start: list[Any]
    train_loss: Any


@dataclass(frozen=True, slots=True)
class _Passes:
    """What was trained: samples in one pass, batches in all, and the mean loss of a sample, here or there."""

    samples: int
    batches: int
    train_loss: Any


@dataclass(frozen=True, slots=True)
class LocalTraining:
    """How every client trains in a round.

    Args:
        loss_fn: called with the output and the targets of a batch, both pointers.
        optimizer: makes an optimizer from the parameters, which are pointers.
        strategy: may add to the loss.
        epochs: passes over the client's batches.
        keep_optimizer: keep optimizers, and their state on the workers, from round to round.
        loss_interval: fetch the loss of every so many-th batch for the listener; 0 fetches none.
    """

    loss_fn: LossFunction
    optimizer: OptimizerFactory
    strategy: Strategy
    epochs: int
    keep_optimizer: bool
    loss_interval: int

    def run(self, name: str, client: Client, local: LocalCopy, on_batch: BatchListener | None) -> ClientUpdate:
        """Send the copy to the client, train it there and fetch it.

        Args:
            name: the client's name.
            client: its worker and batches.
            local: its copy of the model, local before and afterwards.
            on_batch: called with epoch, batch (both from 1), samples and loss or None.

        Returns:
            The trained state, which shares memory with ``local``, and the figures ``train_loss`` (the mean a
            sample over all epochs), ``batches`` and ``seconds``.

        Raises:
            FederatedError: the client has no batches, or a batch that is not a pair of pointers to its worker.
        """
        started = time.perf_counter()
        module = local.module
        module.train()
        module.send(client.worker)
        done = self._passes(name, client, local, on_batch, reveal=True)
        module.get()
        samples = client.samples if client.samples is not None else done.samples
        figures = {"train_loss": done.train_loss, "batches": done.batches, "seconds": time.perf_counter() - started}
        return ClientUpdate(name, detached(module), samples, figures)

    def run_there(self, name: str, client: Client, local: LocalCopy, on_batch: BatchListener | None) -> LeftThere:
        """Send the copy to the client and train it there; it stays there, and so do the losses.

        Args:
            name: the client's name.
            client: its worker and batches.
            local: its copy of the model; a remote one afterwards.
            on_batch: called with epoch, batch (both from 1), samples and None.

        Returns:
            Where everything is, and the figures ``train_loss`` (NaN), ``batches`` and ``seconds``.

        Raises:
            FederatedError: the client has no batches, or a batch that is not a pair of pointers to its worker.
        """
        started = time.perf_counter()
        module = local.module
        module.train()
        module.send(client.worker)
        trained = list(module.state_dict(keep_vars=True).values())
        start = [value.detach().clone() for value in trained]
        done = self._passes(name, client, local, on_batch, reveal=False)
        samples = client.samples if client.samples is not None else done.samples
        figures = {"train_loss": math.nan, "batches": done.batches, "seconds": time.perf_counter() - started}
        update = ClientUpdate(name, {}, samples, figures)
        return LeftThere(update, module, trained, start, done.train_loss)

    def _passes(
        self, name: str, client: Client, local: LocalCopy, on_batch: BatchListener | None, *, reveal: bool
    ) -> _Passes:
        module = local.module
        optimizer = local.optimizer_for(self.optimizer, keep=self.keep_optimizer)
        start = _values(module) if self.strategy.needs_start else []
        total: Any = 0.0
        seen, steps = 0, 0
        for epoch in range(1, self.epochs + 1):
            sizes, losses = [], []
            for number, batch in enumerate(client.batches, start=1):
                data, targets = _checked_batch(name, module.location, batch)
                loss = self._step(module, optimizer, data, targets, start)
                sizes.append(int(data.shape[0]))
                losses.append(loss)
                if on_batch is not None:
                    wanted = reveal and self.loss_interval > 0 and (number - 1) % self.loss_interval == 0
                    on_batch(epoch, number, sizes[-1], _fetch(loss) if wanted else None)
            if not sizes:
                raise FederatedError(f"client {name!r} has no batches to train on; leave it out or give it data.")
            figures = _fetch_all(losses) if reveal else losses
            total = total + sum(size * loss for size, loss in zip(sizes, figures, strict=True))
            seen, steps = seen + sum(sizes), steps + len(sizes)
        optimizer.zero_grad(set_to_none=True)  # gradients tell more of the data than weights: they stay there
        return _Passes(sum(sizes), steps, total / seen)

    def _step(
        self, module: nn.Module, optimizer: torch.optim.Optimizer, data: Any, targets: Any, start: list[torch.Tensor]
    ) -> Any:
        optimizer.zero_grad()
        loss = self.loss_fn(module(data), targets)
        self.strategy.local_loss(loss, module, start).backward()
        optimizer.step()
        return loss.detach()


def detached(module: nn.Module) -> dict[str, torch.Tensor]:
    """The state dict of a local module as plain tensors that share its memory.

    Args:
        module: a local module.

    Returns:
        A new dict.
    """
    return {name: tensor.detach() for name, tensor in module.state_dict().items()}


def _values(module: nn.Module) -> list[torch.Tensor]:
    return [parameter.detach().clone() for parameter in module.parameters() if parameter.requires_grad]


def _checked_batch(name: str, worker: Any, batch: Any) -> tuple[Any, Any]:
    if not isinstance(batch, tuple | list) or len(batch) != 2:
        raise FederatedError(
            f"a batch of client {name!r} is a {type(batch).__name__}; it must be a pair (data, targets) of pointers."
        )
    for field in batch:
        place = getattr(getattr(field, "location", None), "id", None)
        if place != worker.id:
            where = "here" if place is None else f"on worker {place!r}"
            raise FederatedError(
                f"client {name!r} trains on worker {worker.id!r}, but a batch of it is {where}; "
                "give each client the data of its own worker."
            )
    return batch[0], batch[1]


def _fetch(loss: Any) -> float:
    return float(loss.clone().get())


def _fetch_all(losses: list[Any]) -> list[float]:
    # Stacked on the worker: one round trip instead of one a batch.
    stacked: Any = torch.stack(losses)
    values: list[float] = stacked.get().tolist()
    return values


def _optimizer_state(optimizer: torch.optim.Optimizer) -> dict[str, Any]:
    state = optimizer.state_dict()
    remote = {
        number: [key for key, value in entry.items() if _is_pointer(value)] for number, entry in state["state"].items()
    }
    fetched = {
        number: {key: value.copy().get() if _is_pointer(value) else value for key, value in entry.items()}
        for number, entry in state["state"].items()
    }
    return {"state": fetched, "param_groups": state["param_groups"], "remote": remote}


def _restore_optimizer(optimizer: torch.optim.Optimizer, saved: Mapping[str, Any], worker: Any) -> None:
    optimizer.load_state_dict({"state": saved["state"], "param_groups": saved["param_groups"]})
    parameters = [parameter for group in optimizer.param_groups for parameter in group["params"]]
    for number, keys in saved["remote"].items():
        entry = optimizer.state[parameters[number]]
        for key in keys:
            entry[key] = entry[key].send(worker)


def _is_pointer(value: Any) -> bool:
    return isinstance(value, torch.Tensor) and is_remote(value)
