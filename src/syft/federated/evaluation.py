"""Measures a model on batches that are here."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager

import torch
from torch import nn

from syft.exceptions import FederatedError
from syft.federated.averaging import accuracy
from syft.federated.client import check_reiterable

Evaluator = Callable[[nn.Module], Mapping[str, float]]
Metric = Callable[[torch.Tensor, torch.Tensor], torch.Tensor | float]


class Evaluation:
    """The mean of some metrics over local test batches; call it with a model.

    Args:
        batches: pairs of local tensors ``(data, targets)``, afresh each time: a list or a ``DataLoader``.
        metrics: functions of ``(output, targets)`` that give a batch's mean. The default is the accuracy.

    Raises:
        FederatedError: ``batches`` can be iterated over only once, or no metrics.

    Example:
        >>> batches = [(torch.eye(2), torch.tensor([0, 1]))]
        >>> Evaluation(batches, {"accuracy": accuracy, "loss": nn.functional.nll_loss})(nn.Identity())
        {'accuracy': 1.0, 'loss': -1.0}
    """

    def __init__(
        self, batches: Iterable[tuple[torch.Tensor, torch.Tensor]], metrics: Mapping[str, Metric] | None = None
    ) -> None:
        check_reiterable(batches)
        self.batches = batches
        self.metrics = dict(metrics) if metrics is not None else {"accuracy": accuracy}
        if not self.metrics:
            raise FederatedError("an evaluation needs at least one metric.")

    def __call__(self, model: nn.Module) -> dict[str, float]:
        """Measure a model.

        Args:
            model: a local model. Its training flags are put back afterwards.

        Returns:
            Each metric, the mean over all samples.

        Raises:
            FederatedError: there are no batches.
        """
        device = next((parameter.device for parameter in model.parameters()), torch.device("cpu"))
        sums, count = dict.fromkeys(self.metrics, 0.0), 0
        with evaluating(model):
            for data, targets in self.batches:
                data, targets = data.to(device), targets.to(device)
                output = model(data)
                for name, metric in self.metrics.items():
                    sums[name] += float(metric(output, targets)) * len(targets)
                count += len(targets)
        if count == 0:
            raise FederatedError("there are no samples to evaluate the model on; give at least one batch.")
        return {name: value / count for name, value in sums.items()}


def measured(evaluate: Evaluator | None, model: nn.Module) -> dict[str, float]:
    """What an evaluation says of a model; nothing without one.

    Args:
        evaluate: called with the model.
        model: a local model; it is left as it is.
    """
    if evaluate is None:
        return {}
    with evaluating(model):
        return {name: float(value) for name, value in evaluate(model).items()}


@contextmanager
def evaluating(model: nn.Module) -> Iterator[None]:
    """Evaluation mode without gradients that leaves no trace: flags and random numbers are put back.

    Args:
        model: the model to measure.
    """
    flags = [(module, module.training) for module in model.modules()]
    # A shuffling loader would otherwise make training depend on how often it is measured.
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        model.eval()
        try:
            yield
        finally:
            for module, training in flags:
                module.training = training
