"""innexplain: why did the network decide this, and can I believe the explanation?

analyzer = innexplain.create_analyzer("guided_backprop", model)
heatmap = analyzer.analyze(x)
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from innexplain import errors

if TYPE_CHECKING:
    from innexplain.analyzers import (
        Analyzer,
        ClearMaps,
        IntegratedGradients,
        SmoothGrad,
        analyzer_names,
        check_model,
        create_analyzer,
        load_analyzer,
        register_method,
        unregister_method,
    )
    from innexplain.comparison import Comparison, compare
    from innexplain.composites import register_rule, unregister_rule
    from innexplain.graph.view import model_wo_softmax

__version__ = "0.1.0"

# Looked up when first used: `innexplain --help` and `--version` need not wait for TensorFlow, and
# the command can silence its start-up messages before it is imported.
_HOMES = {
    **dict.fromkeys(
        (
            "Analyzer",
            "ClearMaps",
            "IntegratedGradients",
            "SmoothGrad",
            "analyzer_names",
            "check_model",
            "create_analyzer",
            "load_analyzer",
            "register_method",
            "unregister_method",
        ),
        "innexplain.analyzers",
    ),
    **dict.fromkeys(("Comparison", "compare"), "innexplain.comparison"),
    **dict.fromkeys(("register_rule", "unregister_rule"), "innexplain.composites"),
    "model_wo_softmax": "innexplain.graph.view",
}
_FOLDERS = ("comparison", "evaluators", "patterns", "plots", "rules", "samplers")

__all__ = [
    "Analyzer",
    "ClearMaps",
    "Comparison",
    "IntegratedGradients",
    "SmoothGrad",
    "__version__",
    "analyzer_names",
    "check_model",
    "compare",
    "create_analyzer",
    "errors",
    "load_analyzer",
    "model_wo_softmax",
    "register_method",
    "register_rule",
    "unregister_method",
    "unregister_rule",
]


def __getattr__(name: str) -> Any:
    if name in _FOLDERS:
        return importlib.import_module(f"innexplain.{name}")
    if name not in _HOMES:
        raise AttributeError(f"module 'innexplain' has no attribute {name!r}")
    value = getattr(importlib.import_module(_HOMES[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__, *_FOLDERS})
