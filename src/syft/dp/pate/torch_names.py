"""0.2.4's torch twins of the functions in `syft.dp.pate.analysis`: the same numbers, as tensors."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import torch

from syft.dp.pate import analysis

Numbers = torch.Tensor | np.ndarray[Any, Any]


def perform_analysis_torch(
    preds: Numbers,
    indices: Numbers,
    noise_eps: float = 0.1,
    delta: float = 1e-5,
    moments: int = 8,
    beta: float = 0.09,
) -> tuple[torch.Tensor, torch.Tensor]:
    """See `perform_analysis`.

    Returns:
        Two tensors of no dimension.
    """
    found = analysis.perform_analysis(_array(preds), _array(indices), noise_eps, delta, moments, beta)
    return torch.tensor(found[0]), torch.tensor(found[1])


def compute_q_noisy_max_torch(counts: Numbers, noise_eps: float) -> torch.Tensor:
    """See `compute_q_noisy_max`."""
    return torch.tensor(analysis.compute_q_noisy_max(_array(counts), noise_eps))


def compute_q_noisy_max_approx_torch(counts: Numbers, noise_eps: float) -> torch.Tensor:
    """See `compute_q_noisy_max_approx`."""
    return torch.tensor(analysis.compute_q_noisy_max_approx(_array(counts), noise_eps))


def logmgf_exact_torch(q: float, priv_eps: float, l: float) -> torch.Tensor:  # noqa: E741 - 0.2.4's name
    """See `logmgf_exact`."""
    return torch.tensor(analysis.logmgf_exact(float(q), float(priv_eps), float(l)))


def logmgf_from_counts_torch(counts: Numbers, noise_eps: float, l: float) -> torch.Tensor:  # noqa: E741
    """See `logmgf_from_counts`."""
    return torch.tensor(analysis.logmgf_from_counts(_array(counts), noise_eps, float(l)))


def sens_at_k_torch(counts: Numbers, noise_eps: float, l: float, k: float) -> torch.Tensor:  # noqa: E741
    """See `sens_at_k`."""
    return torch.tensor(analysis.sens_at_k(_array(counts), noise_eps, float(l), float(k)))


def smooth_sens_torch(counts: Numbers, noise_eps: float, l: float, beta: float) -> torch.Tensor:  # noqa: E741
    """See `smoothed_sens`."""
    return torch.tensor(analysis.smoothed_sens(_array(counts), noise_eps, float(l), beta))


def tensors_to_literals(tensor_list: Iterable[torch.Tensor]) -> list[float]:
    """The numbers in a list of tensors of one element each.

    Example:
        >>> tensors_to_literals([torch.tensor(1.5), torch.tensor(2.0)])
        [1.5, 2.0]
    """
    return [tensor.item() for tensor in tensor_list]


def _array(values: Numbers) -> np.ndarray[Any, Any]:
    return values.detach().cpu().numpy() if isinstance(values, torch.Tensor) else np.asarray(values)
