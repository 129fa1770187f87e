"""The calls of 0.2.4's `FederatedClient` on a worker. `TorchHook` puts them on workers."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from syft.federated import training_service  # noqa: F401 - registers the service

Worker = Any


def add_dataset(self: Worker, dataset: Any, key: str, *, private: bool = False) -> None:
    """Let clients train on a data set of this worker; called where the data are.

    Args:
        dataset: gives pairs of data and target, like any data set of torch.
        key: the name that ``fit`` and ``evaluate`` take.
        private: train on it with differential privacy only, within the budgets of ``worker.privacy``.

    Raises:
        UsageError: the key is taken.
    """
    self.service("training").add_dataset(dataset, key, private=private)


def remove_dataset(self: Worker, key: str) -> None:
    """Take a data set away; a key that is not there is fine."""
    service = self.service("training")
    service.datasets.pop(key, None)
    service.private.discard(key)


def datasets(self: Worker) -> dict[str, Any]:
    """The data sets of this worker by key."""
    held: dict[str, Any] = self.service("training").datasets
    return held


def train_config(self: Worker) -> Any:
    """The `TrainConfig` that was sent here last, or None."""
    return self.service("training").config


def fit(self: Worker, dataset_key: str, device: str = "cpu", **kwargs: Any) -> torch.Tensor:
    """Have this worker train on a data set of its own, as the `TrainConfig` says that was sent to it.

    Args:
        dataset_key: the key of the data set.
        device: where the worker puts batches.
        **kwargs: accepted for 0.2.4 code, no effect.

    Returns:
        The loss of the last batch.

    Raises:
        ValueError: the worker has no config, no such data set, or torch no such optimizer.
        ObjectNotFoundError: the model was fetched.
    """
    loss: torch.Tensor = self.fetch_reply(self.ask("training", "fit", dataset_key, device))
    return loss


def evaluate(
    self: Worker,
    dataset_key: str,
    return_histograms: bool = False,
    nr_bins: int = -1,
    return_loss: bool = True,
    return_raw_accuracy: bool = True,
    device: str = "cpu",
) -> dict[str, Any]:
    """Have this worker evaluate the model on a data set of its own.

    Args:
        dataset_key: the key of the data set.
        return_histograms: also count predictions and targets by class.
        nr_bins: how many classes to count; all that occur when below 1.
        return_loss: also the mean loss of a sample.
        return_raw_accuracy: also how many predictions are right, and how many there are.
        device: where the worker puts batches.

    Returns:
        What was asked for, by 0.2.4's keys; histograms as arrays of floats.

    Raises:
        ValueError: the worker has no config or no such data set.
        ObjectNotFoundError: the model was fetched.
    """
    asked = (dataset_key, return_histograms, nr_bins, return_loss, return_raw_accuracy, device)
    report = dict(self.fetch_reply(self.ask("training", "evaluate", *asked)))
    return {key: np.array(value) if key.startswith("histogram") else value for key, value in report.items()}
