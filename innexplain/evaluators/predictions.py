"""What an evaluator asks a model: the outputs for an array, and the score that is watched."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from innexplain.errors import ArgumentError, InputError, ModelError
from innexplain.network import Network, Options, chunks

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
    _check_outputs(model)
    network = Network.of(model, Options(pre_softmax=False))
    if len(network.inputs) > 1:
        raise ModelError(
            f"Evaluation changes one input; {network.name!r} takes {len(network.inputs)}. Give a function of "
            "the one to change, such as lambda x: model.predict([x, other], verbose=0)."
        )

    def predict(x: np.ndarray) -> np.ndarray:
        outputs = network.outputs([x], len(x))
        if len(outputs) > 1:
            raise ModelError(_several(network.name, len(outputs)))
        columns = _columns(outputs[0])
        return np.concatenate([1 - columns, columns], axis=1) if network.canonical.binary else columns

    return predict


def _check_outputs(model: Any) -> None:
    """Refuse a model with a graph that has several outputs."""
    outputs = getattr(model, "outputs", None) or ()
    if len(outputs) > 1:
        raise ModelError(_several(model.name, len(outputs)))


def _several(name: str, outputs: int) -> str:
    return (
        f"Evaluation watches one output; {name!r} gives {outputs}. Give a function that picks one, such as "
        "lambda x: model.predict(x, verbose=0)[0]."
    )


def predict_all(predict: Predict, x: np.ndarray, batch_size: int) -> np.ndarray:
    """The outputs for all rows, at most `batch_size` rows in a call."""
    return np.concatenate([predict(x[part]) for part in chunks(len(x), batch_size)])


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


def _columns(outputs: np.ndarray) -> np.ndarray:
    if not np.isfinite(outputs).all():
        raise InputError("The model gives NaN or infinity for some of the (perturbed) inputs.")
    return outputs.reshape(len(outputs), -1).astype("float64")
