"""Reading Keras models: the only place that knows Keras's internals."""

from innexplain.graph.canonical import canonical
from innexplain.graph.linear import linear_parts
from innexplain.graph.step import Entry, Exit, Graph, Step, Value
from innexplain.graph.trace import trace

__all__ = [
    "Entry",
    "Exit",
    "Graph",
    "Step",
    "Value",
    "canonical",
    "linear_parts",
    "trace",
]
