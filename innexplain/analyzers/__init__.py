"""The analyzers and the registry that makes them."""

from innexplain.analyzers.base import Analyzer
from innexplain.analyzers.check import Check, CheckRow, check_model
from innexplain.analyzers.clear_maps import ClearMaps
from innexplain.analyzers.registry import analyzer_names, create_analyzer
from innexplain.analyzers.wrappers import IntegratedGradients, SmoothGrad

__all__ = [
    "Analyzer",
    "Check",
    "CheckRow",
    "ClearMaps",
    "IntegratedGradients",
    "SmoothGrad",
    "analyzer_names",
    "check_model",
    "create_analyzer",
]
