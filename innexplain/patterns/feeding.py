"""Batch by batch from whatever a user calls a data set."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import keras
import numpy as np
from keras import ops

from innexplain.arguments import check_count
from innexplain.errors import InputError
from innexplain.graph.inputs import NO_LABELS, batches_of, is_dataset


def batches_in(dataset: Any, batch_size: int) -> tuple[Iterable[Any], int | None]:
    """The inputs of a data set batch by batch, and the number of batches where it is known.

    Args:
        dataset: a batched `tf.data.Dataset`, an array (of several inputs a tuple or dict of arrays), or an
            iterable of batches, with or without labels: a batch with labels is a tuple (inputs, labels).
        batch_size: of an array.

    Raises:
        InputError: it is nothing of the kind.

    >>> batches, length = batches_in(np.arange(5), 2)
    >>> [batch.tolist() for batch in batches], length
    ([[0, 1], [2, 3], [4]], 3)
    """
    if is_dataset(dataset):
        length = int(dataset.cardinality())
        return batches_of(dataset), length if length >= 0 else None
    if isinstance(dataset, (np.ndarray, dict, tuple)) or ops.is_tensor(dataset):
        return _slices(dataset, check_count("batch_size", batch_size))
    if not isinstance(dataset, Iterable) or isinstance(dataset, (str, bytes)):
        raise InputError(
            "dataset must be a tf.data.Dataset, an array, or an iterable of batches. "
            f"Received: {type(dataset).__name__}"
        )
    if isinstance(dataset, list):
        _check_list(dataset)
    return _first_parts(dataset), len(dataset) if isinstance(dataset, Sequence) else None


def _slices(arrays: Any, size: int) -> tuple[Iterable[Any], int]:
    leaves = keras.tree.flatten(arrays)
    if not all(getattr(leaf, "shape", ()) for leaf in leaves):
        parts = arrays.values() if isinstance(arrays, dict) else arrays
        raise InputError(
            "dataset as a tuple or dict must hold one array an input, samples first. Received: "
            f"{[type(part).__name__ for part in parts]}. {NO_LABELS}"
        )
    lengths = {len(leaf) for leaf in leaves}
    if len(lengths) > 1:
        raise InputError(
            f"All inputs must have the same number of samples. Received: {sorted(lengths)}. {NO_LABELS}"
        )
    starts = range(0, max(lengths, default=0), size)
    return (keras.tree.map_structure(lambda a, s=s: a[s : s + size], arrays) for s in starts), len(starts)


def _check_list(batches: list[Any]) -> None:
    """Refuse `[x, y]` before x is added: of several batches none has fewer axes than another."""
    ranks = {np.ndim(batch) for batch in batches if hasattr(batch, "shape")}
    if len(ranks) > 1:
        raise InputError(
            "dataset as a list is a list of batches, which have the same number of axes. Received: arrays of "
            f"ranks {sorted(ranks)}. If labels are among them, give x alone, or [(x, y)]; of several inputs, "
            "give a tuple of arrays."
        )


def _first_parts(batches: Iterable[Any]) -> Iterator[Any]:
    """The inputs of each batch, without labels and sample weights."""
    for batch in batches:
        yield batch[0] if isinstance(batch, tuple) else batch
