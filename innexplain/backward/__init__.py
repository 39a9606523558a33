"""Backward layers and the model that they make up."""

from innexplain.backward.class_sweeps import REDUCTIONS, ClassSweeps, reduce_channels
from innexplain.backward.model import BackwardModel

__all__ = ["REDUCTIONS", "BackwardModel", "ClassSweeps", "reduce_channels"]
