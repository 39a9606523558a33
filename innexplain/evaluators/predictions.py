"""What an evaluator asks a model: the outputs for an array, and the score that is watched."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np

from innexplain.backward import fixed_batch, naming_failures
from innexplain.errors import ArgumentError, InputError, ModelError
from innexplain.graph.canonical import canonical
from innexplain.graph.step import Graph
from innexplain.graph.trace import trace
from innexplain.numerics import compiled

Predict = Callable[[np.ndarray], np.ndarray]


def predictor(model: Any) -> Predict:
    """A function from a batch (rows, ...) to outputs (rows, classes), of a Keras model or any callable.

    One sigmoid unit becomes two columns: `1 - p` and `p`.  Outputs of more axes are flattened, a score a
    row (rows,) becomes one column.

    Args:
        model: a `keras.Model` with one input and one output, or a callable from array to array, such as
            `other_model.predict`.

    Raises:
        ModelError: the model has several inputs or outputs, or is neither a model nor callable.
    """
    if not isinstance(model, keras.Model):
        if not callable(model):
            raise ModelError(
                "model must be a Keras model, or a function from an array of inputs to an array of outputs. "
                f"Received: {type(model).__name__}"
            )
        # A copy: functions that prepare pictures in place are common.
        return lambda x: _columns(model(np.array(x)), len(x))
    graph = _graph(model)
    binary = not graph.opaque and len(graph.exits) == 1 and canonical(graph).binary
    fixed = fixed_batch(graph)
    run = compiled(lambda x: _single(model(_packed(x, graph), training=False), model))

    def predict(x: np.ndarray) -> np.ndarray:
        with naming_failures(model, [x]):
            outputs = np.concatenate([run(b)[:n] for b, n in _filled(x, fixed)]) if fixed else run(x)
        columns = _columns(outputs, len(x))
        return np.concatenate([1 - columns, columns], axis=1) if binary else columns

    return predict


def predict_all(predict: Predict, x: np.ndarray, batch_size: int) -> np.ndarray:
    """The outputs for all rows, at most `batch_size` rows in a call."""
    parts = [predict(x[start : start + batch_size]) for start in range(0, len(x), batch_size)]
    return np.concatenate(parts)


@dataclass(frozen=True)
class Watched:
    """The score that is watched of each sample: one of its outputs, or any function of them.

    Args:
        classes: the index of the watched output, one a sample; -1 where `function` reads the score.
        function: from outputs (rows, classes) to scores (rows,), instead of an index.
    """

    classes: np.ndarray
    function: Callable[[np.ndarray], Any] | None = None

    def scores(self, outputs: np.ndarray, samples: np.ndarray) -> np.ndarray:
        """The score of each row.

        Args:
            outputs: (rows, classes).
            samples: the sample that each row was made of, (rows,).
        """
        if self.function is None:
            return outputs[np.arange(len(outputs)), self.classes[samples]]
        scores = np.asarray(self.function(outputs))
        if scores.dtype.kind not in "fiub" or scores.shape != (len(outputs),):
            raise ArgumentError(
                "A callable target must give one score a row, shape (n,), of outputs (n, classes). Received: "
                f"dtype {scores.dtype}, shape {scores.shape} for outputs of shape {outputs.shape}"
            )
        if not np.isfinite(scores).all():
            raise ArgumentError("A callable target must give finite scores. Received: NaN or infinity")
        return scores.astype("float64")


def watch(outputs: np.ndarray, target: Any = None) -> Watched:
    """Which score to watch, from the outputs for the samples as they are.

    Args:
        outputs: (n, classes).
        target: `None` for the predicted class of each sample, an int, one int a sample, or a callable
            from outputs (rows, classes) to scores (rows,).

    Raises:
        ArgumentError: an index is out of range, or there is not one a sample.
    """
    n, classes = outputs.shape
    if callable(target):
        return Watched(np.full(n, -1), target)
    if target is None:
        return Watched(outputs.argmax(axis=1))
    try:
        index = np.asarray(target)
    except ValueError:  # lists of unequal length
        index = np.asarray(None)
    if index.dtype.kind not in "iu" or index.shape not in ((), (n,)):
        raise ArgumentError(
            f"target must be None (the predicted class), an int, {n} ints (one a sample), or a callable "
            f"outputs -> scores. Received: target={target!r}"
        )
    if index.min() < 0 or index.max() >= classes:
        raise ArgumentError(
            f"target must lie between 0 and {classes - 1}: the model has {classes} output(s). "
            f"Received: {index.min() if index.min() < 0 else index.max()}"
        )
    return Watched(np.broadcast_to(index, (n,)))


def _columns(outputs: Any, rows: int) -> np.ndarray:
    array = np.asarray(outputs)
    if array.dtype.kind not in "fiub" or array.ndim == 0 or len(array) != rows:
        raise ModelError(
            f"The predict function must give an array of numbers with one row an input, {rows}. "
            f"Received: {type(outputs).__name__} of shape {array.shape}"
        )
    if not np.isfinite(array).all():
        raise InputError("The model gives NaN or infinity for some of the (perturbed) inputs.")
    return array.reshape(rows, -1).astype("float64")


def _single(outputs: Any, model: keras.Model) -> Any:
    found = keras.tree.flatten(outputs)
    if len(found) != 1:
        raise ModelError(
            f"Evaluation watches one output; {model.name!r} gives {len(found)}. Give a function that picks "
            "one, such as lambda x: model.predict(x, verbose=0)[0]."
        )
    return found[0]


def _graph(model: keras.Model) -> Graph:
    inputs = getattr(model, "inputs", None)
    if inputs is not None and len(inputs) > 1:
        raise ModelError(
            f"Evaluation changes one input; {model.name!r} takes {len(inputs)}. Give a function of the one "
            "to change, such as lambda x: model.predict([x, other], verbose=0)."
        )
    return trace(model)


def _packed(x: Any, graph: Graph) -> Any:
    """The input in the structure in which the model takes it, such as a dict with one key."""
    return keras.tree.map_structure(lambda index: x, graph.input_structure)


def _filled(x: np.ndarray, size: int) -> list[tuple[np.ndarray, int]]:
    """Blocks of just `size` rows, the last row repeated, each with the number of rows that count."""
    blocks = [x[start : start + size] for start in range(0, len(x), size)]
    return [(np.concatenate([b, np.repeat(b[-1:], size - len(b), axis=0)]), len(b)) for b in blocks]
