"""innexplain: why did the network decide this, and can I believe the explanation?

analyzer = innexplain.create_analyzer("guided_backprop", model)
heatmap = analyzer.analyze(x)
"""

from innexplain import errors
from innexplain.analyzers import (
    Analyzer,
    IntegratedGradients,
    SmoothGrad,
    analyzer_names,
    check_model,
    create_analyzer,
)
from innexplain.composites import register_rule, unregister_rule
from innexplain.graph.view import model_wo_softmax

__version__ = "0.1.0"

__all__ = [
    "Analyzer",
    "IntegratedGradients",
    "SmoothGrad",
    "__version__",
    "analyzer_names",
    "check_model",
    "create_analyzer",
    "errors",
    "model_wo_softmax",
    "register_rule",
    "unregister_rule",
]
