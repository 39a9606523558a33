"""Which heatmap can be believed: measures of attributions, as functions on arrays."""

from innexplain.evaluators.complexity import entropy, gini, jpeg_size, png_size
from innexplain.evaluators.perturbation import PerturbationResult, region_perturbation
from innexplain.evaluators.quality import NetworkQuality
from innexplain.evaluators.randomisation import RandomisationResult, parameter_randomisation
from innexplain.evaluators.robustness import completeness_gap, max_sensitivity
from innexplain.evaluators.similarity import rank_correlation, ssim
from innexplain.evaluators.strong_features import StrongFeaturesResult, strong_features

__all__ = [
    "NetworkQuality",
    "PerturbationResult",
    "RandomisationResult",
    "StrongFeaturesResult",
    "completeness_gap",
    "entropy",
    "gini",
    "jpeg_size",
    "max_sensitivity",
    "parameter_randomisation",
    "png_size",
    "rank_correlation",
    "region_perturbation",
    "ssim",
    "strong_features",
]
