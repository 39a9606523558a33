"""Several analyzers, several evaluators, one table: which heatmap can be believed."""

from innexplain.comparison.evaluations import (
    Completeness,
    Complexity,
    MaxSensitivity,
    Randomisation,
    RegionPerturbation,
    StrongFeatures,
)
from innexplain.comparison.evaluator import Evaluator, Findings, Picture, Subject
from innexplain.comparison.result import Comparison
from innexplain.comparison.running import compare

__all__ = [
    "Comparison",
    "Completeness",
    "Complexity",
    "Evaluator",
    "Findings",
    "MaxSensitivity",
    "Picture",
    "Randomisation",
    "RegionPerturbation",
    "StrongFeatures",
    "Subject",
    "compare",
]
