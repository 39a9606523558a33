"""Patterns: which direction in the input carries a neuron's signal, fitted from data."""

from innexplain.patterns.computer import PatternComputer
from innexplain.patterns.patterns import PATTERN_TYPES, Patterns

__all__ = ["PATTERN_TYPES", "PatternComputer", "Patterns"]
