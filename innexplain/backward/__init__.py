"""Backward layers and the model that they make up."""

from innexplain.backward.class_sweeps import REDUCTIONS, ClassSweeps, reduce_channels
from innexplain.backward.layer import BackwardLayer
from innexplain.backward.model import BackwardModel, fixed_batch, naming_failures

__all__ = [
    "REDUCTIONS",
    "BackwardLayer",
    "BackwardModel",
    "ClassSweeps",
    "fixed_batch",
    "naming_failures",
    "reduce_channels",
]
