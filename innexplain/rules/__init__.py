"""The backward mapping of one step: gradient, ReLU rules."""

from innexplain.rules.base import Gradient, Rule
from innexplain.rules.relu import DeconvReLU, GuidedReLU, ReLURule

__all__ = ["DeconvReLU", "Gradient", "GuidedReLU", "ReLURule", "Rule"]
