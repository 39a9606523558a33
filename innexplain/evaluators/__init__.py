"""Which heatmap can be believed: measures of attributions, as functions on arrays."""

from innexplain.evaluators.perturbation import PerturbationResult, region_perturbation

__all__ = ["PerturbationResult", "region_perturbation"]
