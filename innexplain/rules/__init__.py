"""The backward mapping of one step: gradient, ReLU rules, relevance propagation, routing."""

from innexplain.rules.base import Gradient, Rule
from innexplain.rules.lrp import AlphaBeta, Bounded, Epsilon, Flat, Gamma, WSquare, Z, ZPlus, ZPlusFast
from innexplain.rules.pattern import FilterSignal, IdentitySignal, PatternSignal, SignalRule, Unfitted
from innexplain.rules.relu import DeconvReLU, GuidedReLU, ReLURule
from innexplain.rules.routing import Gate, Pass, PositiveShares, Shares

__all__ = [
    "AlphaBeta",
    "Bounded",
    "DeconvReLU",
    "Epsilon",
    "FilterSignal",
    "Flat",
    "Gamma",
    "Gate",
    "Gradient",
    "GuidedReLU",
    "IdentitySignal",
    "Pass",
    "PatternSignal",
    "PositiveShares",
    "ReLURule",
    "Rule",
    "Shares",
    "SignalRule",
    "Unfitted",
    "WSquare",
    "Z",
    "ZPlus",
    "ZPlusFast",
]
