"""Functions of tensors over any number of rows: in batches, compiled once a shape, arrays in and out."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable, Hashable, Iterator, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from innexplain.errors import InnexplainError, InputError
from innexplain.network.results import Rows, chunks, joined


class Runner:
    """Runs functions of tensors.

    Args:
        name: of the model, for messages.
        fixed: the number of rows that the model insists on, if it does.
        compiles: whether functions are compiled; a predict function of the user's is just called.
    """

    def __init__(self, name: str, fixed: int | None = None, compiles: bool = True) -> None:
        self.name = name
        self.fixed = fixed
        self.compiles = compiles
        self.traces = 0
        self._compiled: dict[Any, Callable[..., Any]] = {}

    def ask(
        self, key: Hashable, function: Callable[..., Any], arrays: Rows, batch_size: int, *data: np.ndarray
    ) -> Any:
        """What a function gives for all rows, as arrays in its structure, samples first.

        Args:
            key: names the function; one key always means the same function.
            function: takes one tensor an array.
            arrays: samples first; where the function fails, messages tell their shapes.
            batch_size: the most rows in one call; a model that insists on its own gets just that many, the
                last row repeated.
            *data: further arrays, such as a target's data.
        """
        size = self.fixed or batch_size
        parts = []
        for part in chunks(len(arrays[0]), size):
            block, n = [a[part] for a in (*arrays, *data)], part.stop - part.start
            if self.fixed and n < size:
                block = [np.concatenate([a, np.repeat(a[-1:], size - n, axis=0)]) for a in block]
            with naming_failures(self.name, block[: len(arrays)]):
                answer = self.answer(key, function, block)
            kept = n if self.fixed else None  # no more is hidden: what gives too many rows is refused
            parts.append(tf.nest.map_structure(lambda t, kept=kept: t.numpy()[:kept], answer))
        return parts[0] if len(parts) == 1 else joined(parts)

    def answer(self, key: Hashable, function: Callable[..., Any], arrays: Rows) -> Any:
        """What a function gives for one batch, as tensors.

        It is compiled once a shape, for any number of rows, so that a last, smaller batch does not compile
        again.
        """
        tensors = [tf.constant(a) for a in arrays]
        if not self.compiles:
            return function(*tensors)
        shapes = (key, *((a.shape[1:], str(a.dtype)) for a in arrays))
        if shapes not in self._compiled:
            self._compiled[shapes] = self._compile(function, arrays)
        return self._compiled[shapes](*tensors)

    def _compile(self, function: Callable[..., Any], arrays: Rows) -> Any:
        def traced(*tensors: Any) -> Any:
            self.traces += 1
            return function(*tensors)

        rows = None if self.fixed is None else len(arrays[0])
        specs = [tf.TensorSpec((rows, *a.shape[1:]), a.dtype) for a in arrays]
        return tf.function(traced, autograph=False).get_concrete_function(*specs)


@contextlib.contextmanager
def naming_failures(name: str, x: Sequence[np.ndarray]) -> Iterator[None]:
    """Turn what Keras and TensorFlow say about data that a model cannot take into an `InputError`."""
    try:
        yield
    except InnexplainError:
        raise
    except (ValueError, tf.errors.OpError) as error:
        told = re.sub(r"\x1b\[\d+m", "", str(error))  # Keras sets parts in bold
        reason = next((line for line in told.splitlines()[1:] if line.strip()), told).strip()
        raise InputError(
            f"The model {name!r} fails on this input. Expected: data that the model itself can be "
            f"called on. Received: shape(s) {[a.shape for a in x]}, which gives {reason}"
        ) from error
