"""0.2.4's ``syft.frameworks.torch.fl.utils``: the names that old programs import from there."""

from __future__ import annotations

from syft.federated.averaging import accuracy, add_model, federated_avg, scale_model
from syft.federated.batches import extract_batches_per_worker
from syft.federated.toy_data import create_gaussian_mixture_toy_data, iris_data_partial

__all__ = [
    "accuracy",
    "add_model",
    "create_gaussian_mixture_toy_data",
    "extract_batches_per_worker",
    "federated_avg",
    "iris_data_partial",
    "scale_model",
]
