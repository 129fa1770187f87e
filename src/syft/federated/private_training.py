"""DP-SGD at the worker that has the data, on a plan of somebody who may not see them.

The plan only says what the loss of a sample is. It runs for every sample alone, on values that are thrown away
afterwards, so whatever it does, no sample has a say in the gradient of another. Clipping, sampling, noise and the
steps of the optimizer are this module's. Gradients of samples are found in the first of three ways that works:
followed op by op under ``torch.vmap``, written down under it, or one sample after the other.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, TypeVar

import torch
from torch.func import grad
from torch.utils.data import default_collate

from syft.core.random import SYSTEM_RANDOM
from syft.dp.clipping import clip, together
from syft.dp.contributions import Contribution, Written
from syft.dp.events import SampledGaussian
from syft.dp.following_alone import followed_alone
from syft.dp.noise import GridNoise
from syft.dp.sampling import drawn_independently
from syft.dp.terms import TrainingTerms
from syft.exceptions import CommandNotPermittedError, FederatedError, LimitExceededError, UsageError
from syft.federated.train_config import TrainConfig
from syft.plans.optimizers import OPTIMIZERS, stock_optimizer
from syft.plans.plan import Plan
from syft.workers.policy import RUN_LIMITS
from syft.workers.time_limits import next_batch

Pair = tuple[torch.Tensor, torch.Tensor]
T = TypeVar("T")
_FOLLOWED = 256  # samples at a time, where their gradients need not be written down
_HELD = 1 << 24  # numbers of gradients that are held at a time, where they are


@dataclass
class PrivateFit:
    """One private training of a plan on a data set.

    Args:
        plan: gives the loss for data and targets; its state is trained in place.
        config: the settings, with terms.
        dataset: has ``len`` and gives pairs.
        device: where samples are put.

    Raises:
        UsageError: settings, a plan or a data set with which no private training is possible. Nothing was computed
            from the data yet.
    """

    plan: Plan
    config: TrainConfig
    dataset: Any
    device: str
    trained: dict[str, torch.Tensor] = field(init=False)
    terms: TrainingTerms = field(init=False)
    steps: int = field(init=False)
    _follows: bool = field(init=False, default=True)

    def __post_init__(self) -> None:
        config, size = self.config, len(self.dataset)
        if config.privacy is None or config.optimizer not in OPTIMIZERS:
            raise UsageError(f"a private training needs terms and an optimizer of torch, not {config.optimizer!r}")
        if not 1 <= config.batch_size <= size:
            raise UsageError(f"batches of {config.batch_size} cannot be drawn from {size} samples")
        self.terms = config.privacy
        planned = config.epochs * math.ceil(size / config.batch_size)
        self.steps = min(planned, config.max_nr_batches) if config.max_nr_batches >= 0 else planned
        if self.steps < 1:
            raise FederatedError(f"nothing is to be trained: {config.epochs} epochs, max_nr_batches {self.steps}")
        self.trained = {
            str(number): tensor for number, tensor in enumerate(self.plan.state.tensors()) if tensor.requires_grad
        }
        if not self.trained:
            raise UsageError("the plan has no parameters to train")
        self._check_plan()

    @property
    def event(self) -> SampledGaussian:
        """What the training is to an accountant."""
        return self.terms.event(len(self.dataset), self.config.batch_size, self.steps)

    def run(self, told: Callable[[], bool]) -> None:
        """Train.

        Args:
            told: called after every step; the training ends when it gives True.

        Raises:
            LimitExceededError: it takes longer than the worker allows.
            FederatedError: it failed; why may speak of the data, and is not said.
        """
        try:
            self._run(told)
        except LimitExceededError:
            raise
        except Exception:
            raise FederatedError("the training failed, and was charged; what it said is kept at the worker") from None

    def _run(self, told: Callable[[], bool]) -> None:
        parameters = list(self.trained.values())
        optimizer = stock_optimizer(self.config.optimizer, [(parameters, self.config.optimizer_args)])
        noise = GridNoise(
            self.terms.max_grad_norm, self.terms.noise_multiplier, sum(parameter.numel() for parameter in parameters)
        )
        for _ in range(self.steps):
            next_batch()
            sums = self._clipped_sums()
            with torch.no_grad():
                for name, parameter in self.trained.items():
                    parameter.grad = noise.release(sums[name]).div_(self.config.batch_size)
            optimizer.step()
            optimizer.zero_grad()
            if told():
                break

    # --- gradients of single samples ----------------------------------------------------------------

    def _clipped_sums(self) -> dict[str, torch.Tensor]:
        """The sum of the clipped gradients of a new batch, for every parameter."""
        indices = drawn_independently(len(self.dataset), self.config.batch_size / len(self.dataset), SYSTEM_RANDOM)
        values = {name: parameter.detach().clone() for name, parameter in self.trained.items()}
        sums = {name: torch.zeros_like(value) for name, value in values.items()}
        for at in range(0, len(indices), _FOLLOWED):
            for parts in self._contributions(values, *self._samples(indices[at : at + _FOLLOWED].tolist())):
                with torch.no_grad():
                    clipped = clip(parts, self.terms.max_grad_norm)
                    for name, part in clipped.parts.items():
                        sums[name] += part.weighted_sum(clipped.weights)
        return sums

    def _contributions(
        self, values: dict[str, torch.Tensor], data: torch.Tensor, targets: torch.Tensor
    ) -> Iterator[dict[str, Contribution]]:
        """What the samples contribute, some at a time."""
        if self._follows:
            followed = self._quietly(lambda: self._followed(values, data, targets))
            if followed:
                yield followed
                return
            self._follows = False
        few = max(1, _HELD // sum(value.numel() for value in values.values()))
        for x, y in zip(data.split(few), targets.split(few), strict=True):
            yield self._gradients(values, x, y)

    def _followed(
        self, values: dict[str, torch.Tensor], data: torch.Tensor, targets: torch.Tensor
    ) -> dict[str, Contribution]:
        own = {name: value.clone().requires_grad_() for name, value in values.items()}
        return together(followed_alone(functools.partial(self._loss, own), own, (data, targets)))

    def _gradients(
        self, values: dict[str, torch.Tensor], data: torch.Tensor, targets: torch.Tensor
    ) -> dict[str, Contribution]:
        def at_once() -> dict[str, torch.Tensor]:
            compute = torch.vmap(grad(self._loss), in_dims=(None, 0, 0), randomness="different")
            found: dict[str, torch.Tensor] = compute(values, data, targets)
            return found

        each = self._quietly(at_once)
        if each is None:
            rows = [self._gradient(values, x, y) for x, y in zip(data, targets, strict=True)]
            each = {name: torch.stack([row[name] for row in rows]) for name in values}
        return {name: Written(gradients) for name, gradients in each.items()}

    def _quietly(self, compute: Callable[[], T]) -> T | None:
        """What is computed for all samples at once; None where that fails, as its error may speak of a sample."""
        # How much a step of the plan may make was checked with one sample; the batching is ours.
        limits = RUN_LIMITS.set(None)
        try:
            return compute()
        except Exception:
            return None
        finally:
            RUN_LIMITS.reset(limits)

    def _gradient(self, values: dict[str, torch.Tensor], x: torch.Tensor, y: torch.Tensor) -> dict[str, torch.Tensor]:
        """The gradient of one sample; NaN, which counts as nothing, where the plan fails on it."""
        try:
            return self._one_gradient(values, x, y)
        except Exception:  # one sample must not decide whether the training goes on
            return {name: torch.full_like(value, math.nan) for name, value in values.items()}

    def _one_gradient(
        self, values: dict[str, torch.Tensor], x: torch.Tensor, y: torch.Tensor
    ) -> dict[str, torch.Tensor]:
        own = {name: value.clone().requires_grad_() for name, value in values.items()}
        with torch.enable_grad():
            found = torch.autograd.grad(self._loss(own, x.clone(), y.clone()), list(own.values()), allow_unused=True)
        zeros = (torch.zeros_like(value) for value in values.values())
        return {name: zero if g is None else g for name, g, zero in zip(own, found, zeros, strict=True)}

    def _loss(self, own: dict[str, torch.Tensor], x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        # Buffers are copies too: what a plan writes into them must not reach the next sample, or its owner.
        state = [
            own[str(number)] if str(number) in own else tensor.detach().clone()
            for number, tensor in enumerate(self.plan.state.tensors())
        ]
        loss: torch.Tensor = self.plan.run_over(state, x.unsqueeze(0), y.unsqueeze(0))
        return loss.reshape(())

    # --- data ---------------------------------------------------------------------------------------

    def _samples(self, indices: list[int]) -> Pair:
        data, targets = default_collate([self.dataset[index] for index in indices])
        return data.to(self.device), targets.to(self.device)

    def _check_plan(self) -> None:
        """Runs the plan on zeros in the form of a sample, so that a plan that cannot be trained costs nothing."""
        data, targets = self._samples([0])
        values = {name: parameter.detach() for name, parameter in self.trained.items()}
        try:
            self._one_gradient(values, torch.zeros_like(data[0]), torch.zeros_like(targets[0]))
        except Exception as error:
            raise UsageError(
                f"the plan does not give the gradient of a loss for one sample of the form {tuple(data[0].shape)}, "
                f"{tuple(targets[0].shape)}: {error}"
            ) from None


def refuse_plainly(dataset_key: str, what: str) -> None:
    """Refuses to compute with private data without noise.

    Raises:
        CommandNotPermittedError: always, with the way out.
    """
    raise CommandNotPermittedError(
        f"data set {dataset_key!r} is private, and {what} would tell about single samples. Train with "
        "TrainConfig(..., privacy=sy.dp.TrainingTerms(noise_multiplier=..., max_grad_norm=...))."
    )
