"""Backward layers and the model that they make up."""

from innexplain.backward.layer import BackwardLayer
from innexplain.backward.model import BackwardModel, fixed_batch, naming_failures

__all__ = ["BackwardLayer", "BackwardModel", "fixed_batch", "naming_failures"]
