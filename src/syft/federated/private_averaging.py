"""`PrivateFedAvg`: federated averaging whose models say almost the same whether or not any one client took part."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import nn

from syft.core.random import SYSTEM_RANDOM
from syft.dp.accounting import Accountant, spent_epsilon
from syft.dp.events import SampledGaussian
from syft.dp.ledger import Budget
from syft.dp.noise import GridNoise
from syft.dp.sampling import drawn_independently
from syft.exceptions import FederatedError, PrivacyBudgetError
from syft.federated.averaging import StateDict
from syft.federated.strategies import ClientUpdate, Strategy

Change = dict[str, torch.Tensor]


class PrivateFedAvg(Strategy):
    """The mean of the clients' changes, clipped and with Gaussian noise (DP-FedAvg, arXiv 1710.06963).

    1. Every client takes part in a round with chance ``sample_rate``, independently of the others.
    2. Its change of the model is clipped to the L2 norm ``max_norm``; all clients weigh the same.
    3. The sum gets noise of ``noise_multiplier * max_norm``, and is divided by the mean number of clients in a round.

    With ``target_quantile`` the bound follows that quantile of the norms (arXiv 1905.03871, algorithm 1): the count of
    norms below it is noised, too, and the noise on the sum is raised so that both together cost what
    ``noise_multiplier`` says.

    Formal guarantee: the models of all rounds are (`epsilon`, delta)-differentially private for sets of clients that
    differ by one client, with all of its data. Who learns what: the server sees every client's change; whoever gets
    the models does not learn of one. Buffers and frozen parameters stay as they are.

    Args:
        noise_multiplier: the standard deviation of the noise by the bound, above 0.
        max_norm: the bound, above 0; with ``target_quantile``, what it is in the first round.
        clients: how many there are to draw from.
        sample_rate: the chance of each to take part in a round, above 0 and up to 1.
        target_quantile: the part of the norms that should be below the bound, from 0 to 1; None keeps the bound.
        bound_rate: how fast the bound follows.
        budget: a round that would cost more is refused before it is released; None for no limit.
        accountant: see `syft.dp.accounting.spent_epsilon`.

    Attributes:
        max_norm: the bound, as it is now.
        rounds: how many were released.

    Raises:
        FederatedError: a number is out of range.

    Example:
        >>> strategy = PrivateFedAvg(noise_multiplier=1.0, max_norm=0.5, clients=1000, sample_rate=0.1)
        >>> strategy.begin(nn.Linear(2, 1))
        >>> start = {"weight": torch.zeros(1, 2), "bias": torch.zeros(1)}
        >>> una = ClientUpdate("una", {"weight": torch.ones(1, 2), "bias": torch.zeros(1)}, samples=9)
        >>> after = strategy.aggregate(start, [una])
        >>> after["weight"].shape, round(strategy.epsilon(delta=1e-5), 2)
        (torch.Size([1, 2]), 2.13)
    """

    def __init__(
        self,
        noise_multiplier: float,
        max_norm: float,
        *,
        clients: int,
        sample_rate: float = 1.0,
        target_quantile: float | None = None,
        bound_rate: float = 0.2,
        budget: Budget | None = None,
        accountant: Accountant = "rdp",
    ) -> None:
        if not (0 < noise_multiplier < math.inf and 0 < max_norm < math.inf and clients >= 1 and 0 < sample_rate <= 1):
            raise FederatedError(
                f"noise_multiplier={noise_multiplier}, max_norm={max_norm}, clients={clients}, "
                f"sample_rate={sample_rate}: the first two are above 0 and finite, there is a client, and the chance "
                "is above 0 and at most 1."
            )
        self.noise_multiplier, self.max_norm = noise_multiplier, max_norm
        self.clients, self.sample_rate = clients, sample_rate
        self.budget, self.accountant = budget, accountant
        self.rounds = 0
        self._quantile, self._bound_rate = target_quantile, bound_rate
        self._trained: tuple[str, ...] = ()
        self._count_noise = clients * sample_rate / 20  # as the paper has it
        if target_quantile is not None:
            self._check_quantile(target_quantile)

    def choose(self, names: Sequence[str]) -> list[str]:
        """Who takes part in the next round (see `Strategy.choose`).

        Raises:
            FederatedError: there are other numbers of clients than were said.
        """
        if len(names) != self.clients:
            raise FederatedError(
                f"there are {len(names)} clients, and {self.clients} were promised their privacy; say "
                f"clients={len(names)}."
            )
        return [names[index] for index in drawn_independently(len(names), self.sample_rate, SYSTEM_RANDOM)]

    def begin(self, model: nn.Module) -> None:
        """Note which entries are trainable parameters (see `Strategy.begin`)."""
        self._trained = tuple(name for name, parameter in model.named_parameters() if parameter.requires_grad)

    def aggregate(self, global_state: StateDict, updates: Sequence[ClientUpdate]) -> dict[str, torch.Tensor]:
        """The noisy mean of the clipped changes (see `Strategy.aggregate`); of no client, it is noise.

        Raises:
            PrivacyBudgetError: the round would cost more than the budget; nothing is released.
        """
        if not self._trained:
            raise FederatedError("PrivateFedAvg must see the model first: call begin(model), as the trainers do.")
        self._check_budget()
        self.rounds += 1
        changes = [_change(global_state, update, self._trained) for update in updates]
        norms = [_norm(change) for change in changes]
        noise = GridNoise(self.max_norm, self._sum_noise(), sum(global_state[name].numel() for name in self._trained))
        expected = self.clients * self.sample_rate
        after = {name: value.detach().clone() for name, value in global_state.items()}
        for name in self._trained:
            total = torch.zeros_like(after[name], dtype=torch.float64)
            for change, norm in zip(changes, norms, strict=True):
                total += change[name] * min(1.0, self.max_norm / norm) if norm > 0 else change[name]
            after[name] += (noise.release(total) / expected).to(after[name].dtype)
        if self._quantile is not None:
            self._follow(norms, self._quantile)
        return after

    def epsilon(self, delta: float) -> float:
        """The epsilon of all rounds so far, for a client with all of its data."""
        return spent_epsilon(self._events(self.rounds), delta, self.accountant)

    def state_dict(self) -> dict[str, Any]:
        """The bound, and how many rounds were released: what was spent survives a restart."""
        return {"max_norm": self.max_norm, "rounds": self.rounds}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on with a saved bound and count of rounds (see `Strategy.load_state_dict`)."""
        self.max_norm, self.rounds = float(state["max_norm"]), max(self.rounds, int(state["rounds"]))

    def _events(self, rounds: int) -> list[SampledGaussian]:
        return [SampledGaussian(self.noise_multiplier, self.sample_rate, rounds)]

    def _check_budget(self) -> None:
        if self.budget is None:
            return
        cost = spent_epsilon(self._events(self.rounds + 1), self.budget.delta, self.accountant)
        if cost > self.budget.epsilon:
            raise PrivacyBudgetError(
                f"round {self.rounds + 1} would bring the clients' cost to epsilon {cost:.4g} at delta "
                f"{self.budget.delta:g}, and {self.budget.epsilon:g} is the budget. The model stays as it is."
            )

    def _check_quantile(self, quantile: float) -> None:
        if not 0 <= quantile <= 1 or not 2 * self._count_noise > self.noise_multiplier:
            raise FederatedError(
                f"the bound cannot follow the quantile {quantile} of norms with {self.clients * self.sample_rate:g} "
                f"clients a round and noise_multiplier={self.noise_multiplier}: it lies between 0 and 1, and the "
                "noise on the count would take all there is. Draw more clients, or keep the bound."
            )

    def _sum_noise(self) -> float:
        """The multiplier of the noise on the sum, where a part of the privacy goes to the count (theorem 1)."""
        if self._quantile is None:
            return self.noise_multiplier
        return (self.noise_multiplier**-2 - (2 * self._count_noise) ** -2) ** -0.5

    def _follow(self, norms: Sequence[float], quantile: float) -> None:
        # A client moves the sum of +1/2 and -1/2 by 1/2.
        below = sum(0.5 if norm <= self.max_norm else -0.5 for norm in norms)
        noisy = GridNoise(0.5, 2 * self._count_noise, 1).release(torch.tensor(below, dtype=torch.float64))
        part = float(noisy) / (self.clients * self.sample_rate) + 0.5
        self.max_norm *= math.exp(-self._bound_rate * (min(max(part, 0.0), 1.0) - quantile))


def _change(before: StateDict, update: ClientUpdate, names: Sequence[str]) -> Change:
    return {name: update.state[name].detach().double() - before[name].detach().double() for name in names}


def _norm(change: Change) -> float:
    return math.sqrt(sum(float(value.square().sum()) for value in change.values()))
