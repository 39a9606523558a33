"""The analyzers and the registry that makes them."""

from innexplain.analyzers.base import Analyzer
from innexplain.analyzers.check import Check, CheckRow, check_model
from innexplain.analyzers.loading import load_analyzer
from innexplain.analyzers.method import Method
from innexplain.analyzers.registry import analyzer_names, create_analyzer, register_method, unregister_method
from innexplain.analyzers.wrappers import IntegratedGradients, SmoothGrad
from innexplain.class_maps import ClearMaps

__all__ = [
    "Analyzer",
    "Check",
    "CheckRow",
    "ClearMaps",
    "IntegratedGradients",
    "Method",
    "SmoothGrad",
    "analyzer_names",
    "check_model",
    "create_analyzer",
    "load_analyzer",
    "register_method",
    "unregister_method",
]
