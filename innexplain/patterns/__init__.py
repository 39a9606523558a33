"""Patterns: which direction in the input carries a neuron's signal, fitted from data."""

from innexplain.patterns.computer import PatternComputer
from innexplain.patterns.estimators import ESTIMATORS, S_a, S_a_two_component, S_w, S_x, Weights
from innexplain.patterns.patterns import PATTERN_TYPES, Patterns
from innexplain.patterns.quality import QualityResult, quality

__all__ = [
    "ESTIMATORS",
    "PATTERN_TYPES",
    "PatternComputer",
    "Patterns",
    "QualityResult",
    "S_a",
    "S_a_two_component",
    "S_w",
    "S_x",
    "Weights",
    "quality",
]
