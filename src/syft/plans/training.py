"""`TrainingPlan`: a whole training step as a plan: forward, loss, backward and the step of an optimizer."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from torch import nn

from syft.exceptions import PlanBuildError
from syft.plans.optimizers import stock_optimizer
from syft.plans.plan import Plan


class TrainingPlan(Plan):
    """One step of training, recorded once and run on data where they lie; the weights stay with the plan.

    Args:
        model: any module. It stays as it is; ``load_state`` brings trained weights back into it.
        loss_fn: called with the output of the model and the targets.
        optimizer: the name of an optimizer of ``torch.optim``.
        optimizer_args: its options; torch's defaults when None.
        name: of the plan.

    Raises:
        PlanBuildError: a plan cannot hold such an optimizer.

    Example:
        >>> import syft as sy, torch
        >>> hook = sy.TorchHook(torch)
        >>> hal = sy.VirtualWorker(hook, id="hal")
        >>> model = torch.nn.Linear(2, 1)
        >>> plan = TrainingPlan(model, torch.nn.functional.mse_loss, "SGD", {"lr": 0.1})
        >>> plan.build(torch.zeros(4, 2), torch.zeros(4, 1))
        >>> data, targets = torch.randn(32, 2).send(hal), torch.zeros(32, 1).send(hal)
        >>> there = plan.send(hal)
        >>> losses = there.run_epochs(data, targets, batch_size=8, epochs=5)  # one message
        >>> losses.get().shape
        torch.Size([20])
        >>> model = plan.load_state(there.get()).model
    """

    def __init__(
        self,
        model: nn.Module,
        loss_fn: Callable[..., Any],
        optimizer: str = "SGD",
        optimizer_args: Mapping[str, Any] | None = None,
        *,
        name: str = "training",
        **about: Any,
    ) -> None:
        super().__init__(name, **about)
        self.model = model
        self.loss_fn = loss_fn
        trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
        if not trained:
            raise PlanBuildError("the model has no parameters to train.")
        self.optimizer = stock_optimizer(optimizer, [(trained, dict(optimizer_args or {}))])

    def forward(self, data: Any, targets: Any) -> Any:
        """One step; returns the loss."""
        self.optimizer.zero_grad()
        loss = self.loss_fn(self.model(data), targets)
        loss.backward()
        self.optimizer.step()
        return loss.detach()

    def build(self, *args: Any, trace_autograd: bool = True, **kwargs: Any) -> None:
        """Record a step in training mode, from examples of data and targets; the model's weights do not change.

        Args:
            *args: an example of the data and of the targets, of 2 rows or more.
            trace_autograd: accepted for 0.2.5 code, no effect.
            **kwargs: likewise by name.

        Raises:
            PlanBuildError: the model or the loss does something that cannot be recorded.
        """
        with in_mode(self.model, training=True):
            super().build(*args, **kwargs)


class LossPlan(Plan):
    """The loss of a model in training mode, as a plan: whoever runs it takes the gradients.

    Args:
        model: any module.
        loss_fn: called with the output of the model and the targets.
        name: of the plan.
    """

    def __init__(self, model: nn.Module, loss_fn: Callable[..., Any], *, name: str = "loss", **about: Any) -> None:
        super().__init__(name, **about)
        self.model, self.loss_fn = model, loss_fn

    def forward(self, data: Any, targets: Any) -> Any:
        """The loss."""
        return self.loss_fn(self.model(data), targets)

    def build(self, *args: Any, trace_autograd: bool = True, **kwargs: Any) -> None:
        """Record the loss in training mode, from examples of data and targets; see `Plan.build`."""
        with in_mode(self.model, training=True):
            super().build(*args, **kwargs)


@contextmanager
def in_mode(model: nn.Module, *, training: bool) -> Iterator[None]:
    """Put a module in training or evaluation mode; afterwards each part has the mode that it had.

    Args:
        model: any module.
        training: which mode.
    """
    modes = [(part, part.training) for part in model.modules()]
    model.train(training)
    try:
        yield
    finally:
        for part, before in modes:
            part.training = before


def evaluation_plan(
    model: nn.Module, loss_fn: Callable[..., Any], data: torch.Tensor, targets: torch.Tensor, name: str = "evaluation"
) -> Plan:
    """A plan that gives a model's output and the loss of it, in evaluation mode and without gradients.

    Args:
        model: any module.
        loss_fn: called with the output of the model and the targets.
        data: an example.
        targets: likewise.
        name: of the plan.

    Returns:
        A built plan whose state has the names and the order of that of a `TrainingPlan` of the same model.
    """
    plan = _Evaluation(name)
    plan.model, plan.loss_fn = model, loss_fn
    with in_mode(model, training=False):
        plan.build(data, targets)
    return plan


class _Evaluation(Plan):
    model: nn.Module
    loss_fn: Callable[..., Any]

    def forward(self, data: Any, targets: Any) -> Any:
        with torch.no_grad():
            output = self.model(data)
            return output, self.loss_fn(output, targets)
