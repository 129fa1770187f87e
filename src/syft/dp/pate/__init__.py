"""PATE: a student learns from labels that teachers, each trained on private data of its own, vote for with noise."""

from syft.dp.pate.analysis import (
    compute_q_noisy_max,
    compute_q_noisy_max_approx,
    logmgf_exact,
    logmgf_from_counts,
    perform_analysis,
    sens_at_k,
    smoothed_sens,
    vote_counts,
)
from syft.dp.pate.gnmax import UNANSWERED, Aggregator, PateCost
from syft.dp.pate.torch_names import (
    compute_q_noisy_max_approx_torch,
    compute_q_noisy_max_torch,
    logmgf_exact_torch,
    logmgf_from_counts_torch,
    perform_analysis_torch,
    sens_at_k_torch,
    smooth_sens_torch,
    tensors_to_literals,
)

__all__ = [
    "UNANSWERED",
    "Aggregator",
    "PateCost",
    "compute_q_noisy_max",
    "compute_q_noisy_max_approx",
    "compute_q_noisy_max_approx_torch",
    "compute_q_noisy_max_torch",
    "logmgf_exact",
    "logmgf_exact_torch",
    "logmgf_from_counts",
    "logmgf_from_counts_torch",
    "perform_analysis",
    "perform_analysis_torch",
    "sens_at_k",
    "sens_at_k_torch",
    "smooth_sens_torch",
    "smoothed_sens",
    "tensors_to_literals",
    "vote_counts",
]
