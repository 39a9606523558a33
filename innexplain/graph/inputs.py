"""What a user gives to `analyze`: checked, and brought into the order in which the graph takes it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from keras import ops, tree

from innexplain.errors import InputError
from innexplain.graph.step import Entry, Graph

Repack = Callable[[list[Any]], Any]

#: For messages on tuples and lists in which there may be labels.
NO_LABELS = (
    "Labels have no place among the inputs: leave them out, or give a data set of batches that are tuples "
    "(x, y)."
)


def is_dataset(x: Any) -> bool:
    """Whether x is a `tf.data.Dataset`."""
    return isinstance(x, tf.data.Dataset)


def check_ends(dataset: Any) -> None:
    """Refuse a dataset that repeats for ever."""
    if dataset.cardinality() == tf.data.INFINITE_CARDINALITY:
        raise InputError("The dataset never ends (it repeats without a count). Give dataset.take(n) instead.")


def batches_of(dataset: Any) -> Any:
    """The inputs in each batch of a dataset, without labels and sample weights.

    Raises:
        InputError: the dataset never ends.
    """
    check_ends(dataset)
    for element in dataset:
        yield element[0] if isinstance(element, tuple) else element


def flatten_inputs(x: Any, graph: Graph) -> tuple[list[Any], Repack]:
    """The leaves of x, one a model input in the graph's order, and how to give an answer x's structure.

    Raises:
        InputError: the structure is not that of the model's inputs.
    """
    names = [e.name for e in graph.entries if e.embedding is None]
    if isinstance(x, dict) and not _same(x, graph.input_structure):
        return _from_dict(x, names)
    if _same(x, graph.input_structure) and not _is_leaf(x):
        order = tree.flatten(graph.input_structure)
        flat = tree.flatten(x)
        leaves = [flat[order.index(i)] for i in range(len(names))]
        return leaves, lambda answer: tree.pack_sequence_as(x, [answer[i] for i in order])
    if isinstance(x, (list, tuple)) and (len(names) > 1 or _holds_arrays(x)):
        if len(x) != len(names):
            raise InputError(_wrong_number(len(x), names))
        named = hasattr(x, "_fields")  # a named tuple takes its fields one by one
        return list(x), lambda answer: type(x)(*answer) if named else type(x)(answer)
    if len(names) != 1:
        raise InputError(_wrong_number(1, names))
    return [x], lambda answer: answer[0]


def _same(x: Any, structure: Any) -> bool:
    """Whether two structures have the same containers, whatever their leaves."""
    return bool(tree.map_structure(lambda _: 0, x) == tree.map_structure(lambda _: 0, structure))


def _is_leaf(x: Any) -> bool:
    return not isinstance(x, (list, tuple, dict))


def _holds_arrays(x: Sequence[Any]) -> bool:
    return len(x) > 0 and all(hasattr(leaf, "shape") and np.ndim(leaf) > 0 for leaf in x)


def _from_dict(x: dict[str, Any], names: list[str]) -> tuple[list[Any], Repack]:
    if set(x) != set(names):
        raise InputError(
            f"A dict of inputs must have the keys {sorted(names)}. Received: {sorted(map(str, x))}"
        )

    def repack(answer: list[Any]) -> dict[str, Any]:
        found = dict(zip(names, answer, strict=True))
        return {name: found[name] for name in x}

    return [x[name] for name in names], repack


def _wrong_number(received: int, names: list[str]) -> str:
    stack = " Stack samples into one array with numpy.stack." if len(names) == 1 else ""
    labels = f" {NO_LABELS}" if received > len(names) else ""
    return (
        f"The model takes {len(names)} input(s) {names}: give an array, or a list, tuple or dict with "
        f"one array an input. Received: {received}.{stack}{labels}"
    )


def check_arrays(leaves: Sequence[Any], entries: Sequence[Entry]) -> list[np.ndarray]:
    """The leaves as arrays that fit the model's inputs.

    Raises:
        InputError: wrong type, rank, shape, number of samples, range of tokens; NaN or infinity.
    """
    arrays = [_as_array(leaf, e) for leaf, e in zip(leaves, entries, strict=True)]
    sizes = {len(a) for a in arrays}
    if len(sizes) > 1:
        raise InputError(
            "All inputs must have the same number of samples (first axis). Received: "
            f"{[len(a) for a in arrays]}"
        )
    if sizes == {0}:
        raise InputError("x is empty: there is no sample to explain.")
    return arrays


def _as_array(leaf: Any, entry: Entry) -> np.ndarray:
    where = f"Input {entry.name!r}"
    try:
        array = np.asarray(leaf)
    except (TypeError, ValueError) as error:
        labels = f". {NO_LABELS}" if isinstance(leaf, tuple) else ""
        raise InputError(f"{where} must be an array. Received: {type(leaf).__name__}{labels}") from error
    if entry.value.dtype == "string":
        return array
    if array.dtype.kind not in "fiub" and array.dtype.name != "bfloat16":
        raise InputError(
            f"{where} must hold numbers, of a dtype like {entry.value.dtype}. Received: dtype {array.dtype}"
        )
    _check_shape(array, entry, where)
    with np.errstate(over="ignore", invalid="ignore"):
        fed = array.astype(entry.value.dtype, copy=False)
    if fed.dtype.kind in "iub" and fed.dtype != array.dtype:
        _check_values(array, fed == array, f"{where} must hold whole numbers of dtype {fed.dtype}.")
    elif fed.dtype.kind not in "iub":
        _check_values(array, np.isfinite(fed), f"{where} must be finite: neither NaN nor beyond {fed.dtype}.")
    return fed


def _check_values(array: np.ndarray, fine: np.ndarray, message: str) -> None:
    if not fine.all():
        first = tuple(int(i) for i in np.argwhere(~fine)[0])
        raise InputError(
            f"{message} Received: {int((~fine).sum())} other value(s), the first at {first}: {array[first]}"
        )


def _check_shape(array: np.ndarray, entry: Entry, where: str) -> None:
    expected = entry.value.shape
    if not expected:
        if array.ndim == 0:
            raise InputError(f"{where} must have a batch axis first. Received: a scalar.")
        return
    if array.ndim != len(expected):
        hint = ""
        if array.ndim == len(expected) - 1:
            hint = " A single sample needs a batch axis: x[numpy.newaxis]."
        raise InputError(
            f"{where} must have rank {len(expected)}, shape {expected}. "
            f"Received: rank {array.ndim}, shape {array.shape}.{hint}"
        )
    pairs = list(zip(array.shape, expected, strict=True))[1:]
    if any(e is not None and a != e for a, e in pairs):
        raise InputError(f"{where} must have shape {expected} (None is free). Received: {array.shape}")


def rows_of(arrays: Sequence[np.ndarray], entries: Sequence[Entry]) -> list[np.ndarray]:
    """One array an entry: the model's inputs, and the embeddings that stand in for tokens."""
    embedded = [_embed(e, arrays[e.origin]) for e in entries if e.embedding is not None]
    return [*arrays, *embedded]


def _embed(entry: Entry, tokens: np.ndarray) -> np.ndarray:
    step = entry.embedding
    if step is None:
        raise InputError(f"{entry.name} is no embedding")
    vocabulary = step.operation.input_dim
    if (tokens % 1).any():
        raise InputError(
            f"Input {entry.name!r} must hold tokens, whole numbers. Received: {tokens[tokens % 1 != 0][0]}"
        )
    if tokens.size and not (tokens.min() >= 0 and tokens.max() < vocabulary):
        raise InputError(
            f"Tokens of input {entry.name!r} must lie between 0 and {vocabulary - 1}, the vocabulary of "
            f"{step}. Received: from {tokens.min()} to {tokens.max()}."
        )
    with keras.StatelessScope():
        embedded = step.function(ops.convert_to_tensor(tokens))[0]
    return ops.convert_to_numpy(embedded).astype(entry.value.dtype)
