"""A part of a user's model as a Keras model of its own that shares every weight."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
from keras import ops, tree

from innexplain.errors import HeadError
from innexplain.graph.canonical import split
from innexplain.graph.head import find_head, strip_output
from innexplain.graph.step import Graph
from innexplain.graph.trace import trace

Tensor = Any


def forward_values(graph: Graph, inputs: Sequence[Tensor]) -> dict[int, Tensor]:
    """Run a graph forwards: one tensor an entry in, every tensor out, by slot."""
    values = {entry.slot: x for entry, x in zip(graph.entries, inputs, strict=True)}
    with keras.StatelessScope():
        for step in graph.steps:
            values.update(zip(step.outputs, step.function(*[values[s] for s in step.inputs]), strict=True))
    return values


def run_forward(graph: Graph, inputs: Sequence[Tensor]) -> list[Tensor]:
    """Run a graph forwards: one tensor an entry in, one an exit out."""
    values = forward_values(graph, inputs)
    return [values[exit_.slot] for exit_ in graph.exits]


class ModelView(keras.Model):
    """A Keras model that runs a graph of another model's layers, without adding nodes to them.

    It predicts, exports and is explained like any model; its weights are those of the original.
    """

    def __init__(self, graph: Graph, source: keras.Model) -> None:
        super().__init__(name="view", dtype=source.dtype_policy)
        self._convert_input_args = False  # as in functional models: `call` converts to each input's dtype
        self._allow_non_tensor_positional_args = True
        self.source = source
        self.innexplain_graph = graph
        self.built = True

    @property
    def input_shape(self) -> Any:
        """The shapes of the inputs, in the structure in which the model takes them."""
        entries = self.innexplain_graph.entries
        structure = self.innexplain_graph.input_structure
        return tree.map_structure(lambda i: entries[i].value.shape, structure)

    @property
    def output_shape(self) -> Any:
        """The shape of the output, or a list of shapes."""
        graph = self.innexplain_graph
        shapes = [graph.values[e.slot].shape for e in graph.exits]
        return shapes[0] if len(shapes) == 1 else shapes

    def call(self, inputs: Any) -> Any:
        """The graph's outputs: a tensor, or a list of them."""
        entries = self.innexplain_graph.entries
        given = [ops.cast(x, e.value.dtype) for x, e in zip(tree.flatten(inputs), entries, strict=True)]
        outputs = run_forward(self.innexplain_graph, given)
        return outputs[0] if len(outputs) == 1 else outputs


def model_wo_softmax(model: keras.Model) -> ModelView:
    """The model without its final softmax or sigmoid: the same layers, the same weights, logits out.

    Nothing is copied, and the model given is not changed. Of a model with several outputs, every output
    that ends in a softmax or sigmoid is stripped.

    Args:
        model: a built Functional or Sequential model.

    Returns:
        A Keras model for `predict` and for `create_analyzer`.

    Raises:
        HeadError: no output ends in a softmax or sigmoid.

    >>> model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(3, activation="softmax")])
    >>> model_wo_softmax(model).output_shape
    (None, 3)
    """
    graph = split(trace(model))
    found = [i for i, exit_ in enumerate(graph.exits) if find_head(graph, exit_.slot) is not None]
    if not found:
        raise HeadError(
            f"No output of the model {model.name!r} ends in a softmax or sigmoid that can be found. "
            "Use the model as it is; a softmax inside a Lambda or a subclassed model cannot be seen."
        )
    for number in found:
        graph = strip_output(graph, number)
    return ModelView(graph, model)
