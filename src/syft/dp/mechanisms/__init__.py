"""Mechanisms: how a value gets the noise that hides any one person's part in it."""

from syft.dp.mechanisms.choice import exponential_mechanism, report_noisy_max
from syft.dp.mechanisms.discrete import discrete_gaussian, discrete_laplace
from syft.dp.mechanisms.gaussian import GaussianMechanism, analytic_noise_multiplier
from syft.dp.mechanisms.laplace import LaplaceMechanism

__all__ = [
    "GaussianMechanism",
    "LaplaceMechanism",
    "analytic_noise_multiplier",
    "discrete_gaussian",
    "discrete_laplace",
    "exponential_mechanism",
    "report_noisy_max",
]
