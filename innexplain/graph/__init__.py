"""Reading Keras models: the only place that knows Keras's internals."""

from innexplain.graph.canonical import Canonical, canonical
from innexplain.graph.linear import LinearPart, linear_parts
from innexplain.graph.step import Entry, Exit, Graph, Step, Value
from innexplain.graph.trace import trace
from innexplain.graph.view import ModelView, model_wo_softmax

__all__ = [
    "Canonical",
    "Entry",
    "Exit",
    "Graph",
    "LinearPart",
    "ModelView",
    "Step",
    "Value",
    "canonical",
    "linear_parts",
    "model_wo_softmax",
    "trace",
]
