"""`make_private`: an ordinary training loop whose model is differentially private."""

from __future__ import annotations

import functools
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch.func import functional_call
from torch.utils.data import DataLoader

from syft.dp.accounting import Accountant, noise_multiplier_for, spent_epsilon
from syft.dp.clipping import Clipper
from syft.dp.events import SampledGaussian
from syft.dp.isolated import Parameters
from syft.dp.layers import check_layers
from syft.dp.noise import GridNoise, source_of
from syft.dp.sampling import PoissonLoader
from syft.exceptions import PrivacyBudgetError, UsageError
from syft.tensors.base import is_wrapper


@dataclass
class PrivateTraining:
    """A model, its optimizer and its loader, which together keep a promise; unpacks into the three.

    Attributes:
        model: the model that was given; while it trains, its samples are clipped one by one.
        optimizer: the optimizer that was given; its ``step`` adds the noise first.
        loader: batches by Poisson sampling.
        noise_multiplier: the standard deviation of the noise by ``max_grad_norm``.
        max_grad_norm: what the gradient of one sample is clipped to.
        planned: after so many steps the budget is spent and ``step`` refuses; None where no budget was given.
        delta: of the budget.
        steps: how many were taken.
    """

    model: torch.nn.Module
    optimizer: torch.optim.Optimizer
    loader: PoissonLoader
    noise_multiplier: float
    max_grad_norm: float
    clipper: Clipper
    mechanism: GridNoise
    mean_loss: bool
    planned: int | None
    delta: float | None
    accountant: Accountant
    steps: int = 0

    def __post_init__(self) -> None:
        self.model.forward = self.clipper.forward
        self.optimizer.register_step_pre_hook(self.before_step)

    def __iter__(self) -> Iterator[Any]:
        return iter((self.model, self.optimizer, self.loader))

    @property
    def events(self) -> list[SampledGaussian]:
        """What the steps so far are to an accountant."""
        return [SampledGaussian(self.noise_multiplier, self.loader.sample_rate, self.steps)]

    @property
    def refused(self) -> int:
        """How many samples counted as 0, over all steps, because their gradient had a NaN or an infinity in it."""
        return self.clipper.refused

    def epsilon(self, delta: float | None = None, accountant: Accountant | None = None) -> float:
        """The epsilon of all steps so far.

        Args:
            delta: by default that of the budget.
            accountant: see `syft.dp.accounting.spent_epsilon`.

        Raises:
            UsageError: no delta was given, here or to `make_private`.
        """
        delta = self.delta if delta is None else delta
        if delta is None:
            raise UsageError("epsilon is for a delta: epsilon(delta=1e-5), far below one by the number of samples")
        return spent_epsilon(self.events, delta, accountant or self.accountant)

    def __str__(self) -> str:
        promise = "" if self.delta is None else f" = ({self.epsilon():.4g}, {self.delta:g})-differentially private"
        return (
            f"{self.steps} steps of DP-SGD{promise}: every sample in a batch with chance "
            f"{self.loader.sample_rate:.4g}, its gradient clipped to L2 norm {self.max_grad_norm:g}, Gaussian noise of "
            f"{self.noise_multiplier:.4g} times that; neighbouring data sets differ by one sample more or less"
        )

    def before_step(self, _optimizer: Any, arguments: tuple[Any, ...], options: dict[str, Any]) -> None:
        """Puts what may be seen into the gradients; torch calls it before every step of the optimizer."""
        if any(value is not None for value in (*arguments[1:], *options.values())):
            raise UsageError("a private step takes no closure: every evaluation of the loss would cost privacy")
        if self.planned is not None and self.steps >= self.planned:
            raise PrivacyBudgetError(
                f"the budget was for {self.planned} steps and they are taken; this one would cost more. Plan for more "
                "epochs, or a larger epsilon, from the start."
            )
        self._check_batch()
        self._check_parameters()
        # All of a step is released or none of it, so it is counted before the first number is.
        self.steps += 1
        scale = 1 / self.loader.batch_size if self.mean_loss else 1.0
        with torch.no_grad():
            for name in self.clipper.parameters:
                released = self.mechanism.release(self.clipper.taken(name))
                self.clipper.released(name, released.mul_(scale))
        self.clipper.summed.clear()

    def state_dict(self) -> dict[str, Any]:
        """What a checkpoint needs besides the model and the optimizer: how much was spent."""
        return {"steps": self.steps, "noise_multiplier": self.noise_multiplier, "sample_rate": self.loader.sample_rate}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from a checkpoint; steps that were taken meanwhile stay taken.

        Raises:
            UsageError: it is of a training with other noise or other sampling, whose costs do not add up like this.
        """
        ours = self.state_dict()
        if any(state[key] != ours[key] for key in ("noise_multiplier", "sample_rate")):
            raise UsageError(
                f"the checkpoint is of one with noise multiplier {state['noise_multiplier']:.4g} at sample rate "
                f"{state['sample_rate']:.4g}, here it is {ours['noise_multiplier']:.4g} at {ours['sample_rate']:.4g}; "
                "make it with the same noise_multiplier=... and batch size"
            )
        self.steps = max(self.steps, int(state["steps"]))

    def _check_parameters(self) -> None:
        names = {id(parameter) for parameter in self.clipper.parameters.values()}
        for group in self.optimizer.param_groups:
            for parameter in group["params"]:
                if id(parameter) not in names and parameter.grad is not None:
                    raise UsageError(
                        f"the optimizer has a parameter of shape {tuple(parameter.shape)} whose gradient nobody "
                        "clipped: it was added, or needed no gradient, when the training was made private. Call "
                        "make_private on all parameters that will be trained."
                    )

    def _check_batch(self) -> None:
        drawn, summed = self.loader.drawn, self.clipper.summed
        if len(summed) > 1 or sum(summed.values()) > drawn.size or not summed.keys() <= {drawn.number}:
            raise UsageError(
                f"a step sums {sum(summed.values())} samples of {len(summed)} batches, the last one of {drawn.size} "
                "samples, and the promise is for one batch of the private loader in each step, every sample once. Take "
                "a step for every batch and call backward once for a batch, or once for each part of it."
            )


def make_private(
    model: torch.nn.Module,
    optimizer: torch.optim.Optimizer,
    loader: DataLoader[Any],
    *,
    max_grad_norm: float,
    noise_multiplier: float | None = None,
    epsilon: float | None = None,
    delta: float | None = None,
    epochs: int | None = None,
    loss_reduction: str = "mean",
    accountant: Accountant = "rdp",
    isolate: bool = False,
    unsafe_seed: int | None = None,
) -> PrivateTraining:
    """Train with differential privacy (DP-SGD, arXiv 1607.00133); the training loop stays as it is.

    1. Batches are drawn by Poisson sampling at the rate ``batch_size / len(dataset)``.
    2. ``loss.backward()`` clips the gradient of every sample to ``max_grad_norm`` and sums them.
    3. ``optimizer.step()`` adds Gaussian noise to the sum, divides by the mean batch size and takes the step.

    Formal guarantee: the parameters after all steps are (`epsilon`, ``delta``)-differentially private for data sets
    that differ by one sample, as long as the loss of a sample does not depend on others in its batch.

    Args:
        model: any module whose samples lie along dimension 0. Its ``forward`` is replaced.
        optimizer: any of torch, over parameters of the model. Its ``step`` adds the noise from now on.
        loader: a plain loader; its data set, batch size, collate function and workers are taken over.
        max_grad_norm: what the gradient of one sample is clipped to, above 0.
        noise_multiplier: the standard deviation of the noise by ``max_grad_norm``; or give ``epsilon``.
        epsilon: a budget for ``epochs`` passes over the loader, from which the noise follows; more are refused.
        delta: with ``epsilon``, far below one by the number of samples.
        epochs: with ``epsilon``.
        loss_reduction: ``"mean"`` or ``"sum"``, how the loss adds up over the batch.
        accountant: see `syft.dp.accounting.spent_epsilon`.
        isolate: compute every sample alone, without trying the faster way.
        unsafe_seed: the same noise and batches every time, which protects nobody: for tests.

    Returns:
        The three, and what they cost.

    Raises:
        UsageError: settings or layers that cannot be private, parameters of others, a loader with its own sampling.
        DependencyError: Opacus is not installed.

    Example:
        >>> data = torch.utils.data.TensorDataset(torch.randn(200, 3), torch.randn(200, 1))
        >>> model = torch.nn.Linear(3, 1)
        >>> optimizer, loader = torch.optim.SGD(model.parameters(), 0.1), DataLoader(data, batch_size=20)
        >>> private = make_private(model, optimizer, loader, epsilon=2.0, delta=1e-4, epochs=3, max_grad_norm=1.0)
        >>> for x, y in private.loader:
        ...     private.optimizer.zero_grad()
        ...     torch.nn.functional.mse_loss(private.model(x), y).backward()
        ...     private.optimizer.step()
        >>> 0 < private.epsilon() < 2
        True
    """
    if loss_reduction not in ("mean", "sum"):
        raise UsageError(f"loss_reduction={loss_reduction!r} makes no sense; it is 'mean' or 'sum'")
    check_layers(model)
    source = source_of(unsafe_seed)
    batches = PoissonLoader.instead_of(loader, source)
    planned = None if epochs is None else epochs * len(batches)
    sigma = _noise(noise_multiplier, epsilon, delta, batches.sample_rate, planned, accountant)
    clipper = _clipper(model, _trained(model, optimizer), batches, max_grad_norm, loss_reduction == "mean", isolate)
    return PrivateTraining(
        model=model,
        optimizer=optimizer,
        loader=batches,
        noise_multiplier=sigma,
        max_grad_norm=max_grad_norm,
        clipper=clipper,
        mechanism=GridNoise(max_grad_norm, sigma, clipper.dimension, source),
        mean_loss=loss_reduction == "mean",
        planned=planned if epsilon is not None else None,
        delta=delta,
        accountant=accountant,
    )


def _clipper(
    model: torch.nn.Module,
    trained: dict[str, torch.nn.Parameter],
    batches: PoissonLoader,
    max_grad_norm: float,
    mean_loss: bool,
    isolate: bool,
) -> Clipper:
    return Clipper(
        trained,
        model.forward,
        functools.partial(_call_with, model, model.forward, threading.RLock()),
        max_grad_norm,
        mean_loss=mean_loss,
        isolate=isolate,
        drawn=lambda: batches.drawn,
    )


def _noise(
    noise_multiplier: float | None,
    epsilon: float | None,
    delta: float | None,
    sample_rate: float,
    steps: int | None,
    accountant: Accountant,
) -> float:
    if (noise_multiplier is None) == (epsilon is None):
        raise UsageError("give either noise_multiplier=..., or epsilon=..., delta=... and epochs=...")
    if noise_multiplier is not None:
        return noise_multiplier
    if epsilon is None or delta is None or steps is None:
        raise UsageError("a budget is epsilon=... with delta=... and epochs=..., how often the loader is iterated over")
    return noise_multiplier_for(epsilon, delta, sample_rate, steps, accountant)


def _trained(model: torch.nn.Module, optimizer: torch.optim.Optimizer) -> dict[str, torch.nn.Parameter]:
    names = {id(parameter): name for name, parameter in model.named_parameters()}
    listed = [parameter for group in optimizer.param_groups for parameter in group["params"]]
    strangers = sum(id(parameter) not in names for parameter in listed)
    if strangers:
        raise UsageError(
            f"{strangers} of the optimizer's {len(listed)} parameters are not the model's, so nothing would clip their "
            "gradients. Make one module of all that is trained."
        )
    if any(is_wrapper(parameter) for parameter in listed):
        raise UsageError(
            "the model is at a worker or encoded, and make_private trains here. At a worker that has the data, it is "
            "TrainConfig(..., privacy=sy.dp.TrainingTerms(...)) and worker.fit(key)."
        )
    trained = {names[id(parameter)]: parameter for parameter in listed if parameter.requires_grad}
    if not trained:
        raise UsageError("the optimizer has no parameter that needs a gradient")
    return trained


def _call_with(
    model: torch.nn.Module, forward: Any, lock: threading.RLock, parameters: Parameters, inputs: Any, options: Any
) -> Any:
    """The model's own forward pass with other parameters."""
    with lock:
        watched, model.forward = model.forward, forward
        try:
            return functional_call(model, parameters, inputs, options)
        finally:
            model.forward = watched
