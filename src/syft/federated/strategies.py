"""How a server turns the models of its clients into the next global model.

A strategy sees states only, never data. It also has a say in the local training, where methods such
as FedProx add a term to the loss.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import nn

from syft.exceptions import FederatedError
from syft.federated.averaging import StateDict, average_state_dicts


@dataclass(frozen=True, slots=True)
class ClientUpdate:
    """What one client sends back at the end of a round.

    Args:
        name: the client.
        state: the state dict of its trained model, local tensors; not to be changed.
        samples: how many samples it trained on in one pass.
        metrics: figures of its training, such as ``train_loss`` and ``seconds``.
    """

    name: str
    state: StateDict
    samples: int
    metrics: Mapping[str, float] = field(default_factory=dict)


class Strategy:
    """Base of all strategies: subclass it and write `aggregate`.

    Attributes:
        needs_start: whether `local_loss` needs the parameters that the round began with.
    """

    needs_start: bool = False

    def aggregate(self, global_state: StateDict, updates: Sequence[ClientUpdate]) -> dict[str, torch.Tensor]:
        """Make the next global state.

        Args:
            global_state: what the clients started from.
            updates: one update a client that took part, at least one, all finite.

        Returns:
            A new state dict; the arguments are not changed.
        """
        raise NotImplementedError

    def local_loss(self, loss: torch.Tensor, model: nn.Module, start: Sequence[torch.Tensor]) -> torch.Tensor:
        """The loss that a client minimises, on the worker (all tensors here are pointers).

        Args:
            loss: what the loss function gave for one batch.
            model: the client's model.
            start: the values its trainable parameters had when the round began; empty unless
                `needs_start` is true.

        Returns:
            A scalar to call ``backward`` on.
        """
        return loss

    def choose(self, names: Sequence[str]) -> list[str] | None:
        """Who takes part in the next round.

        Args:
            names: of all clients.

        Returns:
            Some of them, perhaps none; or None to leave it to the trainer.
        """
        return None

    def begin(self, model: nn.Module) -> None:
        """Look at the global model before the first round.

        Args:
            model: the model, local; not to be changed.
        """

    def state_dict(self) -> dict[str, Any]:
        """What the strategy remembers between rounds: tensors, numbers, lists and dicts of them."""
        return {}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from what `state_dict` gave.

        Args:
            state: as `state_dict` gave it.
        """


class FedAvg(Strategy):
    """The mean of the clients' models (McMahan et al. 2017).

    Args:
        weighted: weigh each client by its count of samples, as in the paper; otherwise all alike.

    Example:
        >>> updates = [ClientUpdate("a", {"w": torch.zeros(1)}, 30), ClientUpdate("b", {"w": torch.ones(1)}, 10)]
        >>> FedAvg().aggregate({"w": torch.zeros(1)}, updates)
        {'w': tensor([0.2500])}
    """

    def __init__(self, *, weighted: bool = True) -> None:
        self.weighted = weighted

    def aggregate(self, global_state: StateDict, updates: Sequence[ClientUpdate]) -> dict[str, torch.Tensor]:
        """The weighted mean of the updates (see `Strategy.aggregate`)."""
        weights = {update.name: float(update.samples) for update in updates} if self.weighted else None
        return average_state_dicts({update.name: update.state for update in updates}, weights)


class FedProx(FedAvg):
    """`FedAvg` that holds clients near the global model while they train (Li et al. 2020).

    Adds ``mu / 2 * ||w - w_global||^2`` to every batch's loss, which helps where clients' data differ much.

    Args:
        mu: how strongly; 0 is `FedAvg`.
        weighted: weigh clients by their counts of samples.
    """

    needs_start = True

    def __init__(self, mu: float = 0.01, *, weighted: bool = True) -> None:
        if not 0 <= mu < float("inf"):
            raise FederatedError(f"mu is {mu}; it must be a finite number, 0 or more.")
        super().__init__(weighted=weighted)
        self.mu = mu

    def local_loss(self, loss: torch.Tensor, model: nn.Module, start: Sequence[torch.Tensor]) -> torch.Tensor:
        """The loss plus the proximal term (see `Strategy.local_loss`)."""
        trainable = [parameter for parameter in model.parameters() if parameter.requires_grad]
        for parameter, origin in zip(trainable, start, strict=True):
            loss = loss + (parameter - origin).square().sum() * (self.mu / 2)
        return loss


class FedOpt(Strategy):
    """A server-side optimizer that steps along the clients' mean change (Reddi et al. 2021).

    ``FedOpt(lambda p: torch.optim.Adam(p, lr=0.01))`` is FedAdam, SGD with momentum is FedAvgM, and SGD with
    ``lr=1.0`` is `FedAvg` up to rounding. Buffers and frozen parameters are averaged. What the
    optimizer remembers is part of checkpoints.

    Args:
        optimizer: makes the server's optimizer from the parameters that it steps.
        weighted: weigh clients by their counts of samples.
    """

    def __init__(
        self, optimizer: Callable[[Iterable[torch.Tensor]], torch.optim.Optimizer], *, weighted: bool = True
    ) -> None:
        self._make = optimizer
        self._mean = FedAvg(weighted=weighted)
        self._stepped: dict[str, nn.Parameter] = {}
        self._optimizer: torch.optim.Optimizer | None = None

    def begin(self, model: nn.Module) -> None:
        """Note which entries are trainable parameters (see `Strategy.begin`)."""
        trainable = {name: parameter for name, parameter in model.named_parameters() if parameter.requires_grad}
        if self._stepped.keys() == trainable.keys():
            return
        self._stepped = {name: nn.Parameter(parameter.detach().clone()) for name, parameter in trainable.items()}
        self._optimizer = self._make(list(self._stepped.values()))

    def aggregate(self, global_state: StateDict, updates: Sequence[ClientUpdate]) -> dict[str, torch.Tensor]:
        """One step of the server's optimizer (see `Strategy.aggregate`)."""
        if self._optimizer is None:
            raise FederatedError("FedOpt must see the model first: call begin(model), as FederatedTrainer does.")
        new = self._mean.aggregate(global_state, updates)
        with torch.no_grad():
            for name, parameter in self._stepped.items():
                parameter.copy_(global_state[name])
                parameter.grad = global_state[name].detach() - new[name]
        self._optimizer.step()
        new.update({name: parameter.detach().clone() for name, parameter in self._stepped.items()})
        return new

    def state_dict(self) -> dict[str, Any]:
        """The state of the server's optimizer."""
        return {} if self._optimizer is None else {"optimizer": copy.deepcopy(self._optimizer.state_dict())}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on with a saved optimizer state; call `begin` first (see `Strategy.load_state_dict`)."""
        if "optimizer" in state and self._optimizer is not None:
            self._optimizer.load_state_dict(copy.deepcopy(state["optimizer"]))
