"""What can only be called as a graph of one step: a subclassed model, or a predict function on arrays."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import keras
import numpy as np
from keras import ops, tree

from innexplain.errors import ModelError
from innexplain.graph.kinds import OPAQUE, Kind
from innexplain.graph.run import run_opaque
from innexplain.graph.step import Entry, Exit, Graph, Step, Value


def function_graph(function: Any, x: Any = 0.0, output: Any = None) -> Graph:
    """The graph of a function from arrays to arrays, for data like x.

    Args:
        function: takes x's structure with arrays of its dtypes, and gives an array (n, ...), or several.
        x: data, or anything else of that structure.
        output: the index of the output that is explained, of several.

    Raises:
        ModelError: it cannot be called.
    """
    if not callable(function) or isinstance(function, (type, keras.layers.Layer)):
        raise ModelError(
            "Expected a keras.Model, or a function from an array of inputs to an array of outputs. "
            f"Received: {function!r} (of type {type(function).__name__}). Load a saved model with "
            "keras.models.load_model, or build one from layers with keras.Model."
        )
    given = [np.asarray(leaf).dtype for leaf in tree.flatten(x)]
    read = [dtype.name if dtype.kind == "f" else "float32" for dtype in given]
    graph = _one_step(function, OnArrays(function, given), x, read, output)
    return replace(graph, values={i: Value((), dtype.name) for i, dtype in enumerate(given)})


def opaque_graph(model: Any, x: Any = 0, output: Any = None) -> Graph:
    """The graph of a model without one: its own call is the only step.

    Args:
        model: a subclassed model.
        x: data, or anything else of the structure in which the model takes its inputs.
        output: the index of the output that is explained, of a model with several.
    """
    dtype = "float64" if model.variable_dtype == "float64" else "float32"
    return _one_step(model, model, x, [dtype] * len(tree.flatten(x)), output)


def _one_step(operation: Any, called: Any, x: Any, dtypes: Sequence[str], output: Any) -> Graph:
    """The graph of what is called as a whole, for data like x that are read in some dtypes."""
    slots = tuple(range(len(dtypes)))
    end = len(slots)
    structure = tree.pack_sequence_as(x, list(slots))
    run = run_opaque(called, structure, output)
    step = Step(operation, (called.name,), slots, (end,), run, Kind(OPAQUE))
    entries = tuple(Entry(i, f"input_{i}", Value((), dtypes[i]), i, explained=True) for i in slots)
    return Graph((step,), entries, (Exit(end, "output"),), {}, structure, opaque=True)


def name_of(model: Any) -> str:
    """What messages call a model or a function."""
    return str(getattr(model, "name", None) or getattr(model, "__name__", type(model).__name__))


class OnArrays:
    """A function of arrays as one of tensors.

    Args:
        function: the user's.
        dtypes: what its arrays are cast to, one an input, flat; `None` leaves them as they come.
    """

    def __init__(self, function: Callable[..., Any], dtypes: Sequence[Any] | None = None) -> None:
        self.name = name_of(function)
        self._function = function
        self._dtypes = dtypes

    def __call__(self, x: Any) -> list[Any]:
        """Its outputs, flat, a row a sample; a score a row (n,) becomes one column."""
        arrays = [np.array(leaf) for leaf in tree.flatten(x)]  # copies: functions may work in place
        if self._dtypes is not None:
            arrays = [a.astype(dtype) for a, dtype in zip(arrays, self._dtypes, strict=True)]
        outputs = self._function(tree.pack_sequence_as(x, arrays))
        found = tree.flatten(outputs)
        if isinstance(outputs, (list, tuple)) and all(np.ndim(output) == 0 for output in found):
            found = [outputs]  # a list of scores is one output
        return [self._checked(output, len(arrays[0])) for output in found]

    def _checked(self, output: Any, rows: int) -> Any:
        array = np.asarray(output)
        if array.dtype.kind not in "fiub" or array.ndim == 0 or len(array) != rows:
            raise ModelError(
                f"The predict function must give an array of numbers with one row an input, {rows}. "
                f"Received: {type(output).__name__} of shape {array.shape}"
            )
        wide = array if array.dtype.kind == "f" else array.astype("float32")
        return ops.convert_to_tensor(wide[:, None] if array.ndim == 1 else wide)
