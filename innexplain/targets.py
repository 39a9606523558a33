"""Which part of the output is explained: from outputs to the score, and so to the seed.

A target is a frozen object; what differs from sample to sample (an index, weights) is data that goes into
the compiled function, so that one trace serves every class.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from keras import ops

from innexplain.errors import ArgumentError

Tensor = Any
MAX = -1  # index that asks for the most activated neuron


@dataclass(frozen=True)
class Target(ABC):
    """How a score is read off an output.

    Args:
        binary: one sigmoid unit stands for two classes: neuron 1 is the unit, neuron 0 its opposite.
        stripped: whether the sigmoid was taken off, so that the opposite of `z` is `-z`, not `1 - p`.
    """

    binary: bool = False
    stripped: bool = True

    @abstractmethod
    def data(self, selection: Any, n: int, output_shape: tuple[int, ...]) -> np.ndarray:
        """The per-sample data for `n` samples, checked."""

    def per_sample(self, selection: Any, output_shape: tuple[int, ...]) -> bool:
        """Whether a selection holds one entry a sample, so that each batch of a dataset takes its part."""
        return False

    @abstractmethod
    def score(self, outputs: Tensor, data: Tensor) -> tuple[Tensor, Tensor]:
        """The score (n,) and the explained neuron (n,), -1 where there is no single one."""

    def _classes(self, outputs: Tensor) -> Tensor:
        """Outputs with one column a neuron; two for a binary output."""
        flat = ops.reshape(outputs, (ops.shape(outputs)[0], -1))
        if not self.binary:
            return flat
        opposite = -flat if self.stripped else 1 - flat
        return ops.concatenate([opposite, flat], axis=-1)


@dataclass(frozen=True)
class IndexTarget(Target):
    """The neuron with a given index, one a sample; of a spatial output, an index into it, flattened."""

    def data(self, selection: Any, n: int, output_shape: tuple[int, ...]) -> np.ndarray:
        if selection is None:
            raise ArgumentError(
                "neuron_selection_mode='index' needs neuron_selection: an int, or one int per sample."
            )
        if isinstance(selection, tuple) and len(output_shape) > 1:
            selection = _ravel(selection, output_shape)
        units = 2 if self.binary else int(np.prod(output_shape))
        return _check_index(selection, n, units)

    def per_sample(self, selection: Any, output_shape: tuple[int, ...]) -> bool:
        """A list of indices is; a tuple may be one position in a spatial output."""
        spatial = isinstance(selection, tuple) and len(output_shape) > 1
        return not spatial and _ndim(selection) == 1

    def score(self, outputs: Tensor, data: Tensor) -> tuple[Tensor, Tensor]:
        classes = self._classes(outputs)
        best = ops.cast(ops.argmax(classes, axis=-1), data.dtype)
        neuron = ops.where(data == MAX, best, data)
        chosen = ops.take_along_axis(classes, ops.expand_dims(neuron, -1), axis=-1)
        return ops.reshape(chosen, (-1,)), neuron


@dataclass(frozen=True)
class MaxActivation(IndexTarget):
    """The most activated neuron of each sample: the predicted class."""

    def data(self, selection: Any, n: int, output_shape: tuple[int, ...]) -> np.ndarray:
        _no_selection(selection, "max_activation")
        return np.full(n, MAX, "int32")


@dataclass(frozen=True)
class AllNeurons(Target):
    """The sum of all outputs."""

    def data(self, selection: Any, n: int, output_shape: tuple[int, ...]) -> np.ndarray:
        _no_selection(selection, "all")
        return np.full(n, MAX, "int32")

    def score(self, outputs: Tensor, data: Tensor) -> tuple[Tensor, Tensor]:
        flat = ops.reshape(outputs, (ops.shape(outputs)[0], -1))
        return ops.sum(flat, axis=-1), data


@dataclass(frozen=True)
class WeightsTarget(Target):
    """A weighted sum of the outputs; weights of the output's shape, one set or one a sample."""

    def data(self, selection: Any, n: int, output_shape: tuple[int, ...]) -> np.ndarray:
        try:
            weights = np.asarray(selection, "float64")
        except (TypeError, ValueError):
            weights = np.asarray(np.nan)
        if weights.shape == tuple(output_shape):
            weights = np.broadcast_to(weights, (n, *output_shape))
        if weights.shape != (n, *output_shape) or not np.isfinite(weights).all():
            raise ArgumentError(
                "neuron_selection_mode='weights' needs neuron_selection: finite weights of shape "
                f"{tuple(output_shape)} or {(n, *output_shape)}. Received: "
                + (f"shape {np.shape(selection)}" if _ndim(selection) > 0 else repr(selection))
            )
        return weights

    def per_sample(self, selection: Any, output_shape: tuple[int, ...]) -> bool:
        """Weights with one axis more than the output are."""
        return _ndim(selection) == len(output_shape) + 1

    def score(self, outputs: Tensor, data: Tensor) -> tuple[Tensor, Tensor]:
        product = outputs * ops.cast(data, outputs.dtype)
        flat = ops.reshape(product, (ops.shape(product)[0], -1))
        return ops.sum(flat, axis=-1), ops.full((ops.shape(product)[0],), MAX, dtype="int32")


@dataclass(frozen=True)
class CallableTarget(Target):
    """Any function from the outputs, (n, ...), to a score (n,), written with `keras.ops`."""

    function: Callable[[Tensor], Tensor] = ops.sum

    def data(self, selection: Any, n: int, output_shape: tuple[int, ...]) -> np.ndarray:
        _no_selection(selection, "a callable")
        return np.full(n, MAX, "int32")

    def score(self, outputs: Tensor, data: Tensor) -> tuple[Tensor, Tensor]:
        try:
            score = ops.convert_to_tensor(self.function(outputs))
        except (TypeError, ValueError) as error:
            raise ArgumentError(
                "A callable neuron_selection_mode must take the outputs and give a score per sample, with "
                f"keras.ops. Received: one that fails on outputs of shape {tuple(outputs.shape)}: {error}"
            ) from error
        if len(score.shape) == 2 and score.shape[-1] == 1:
            score = ops.reshape(score, (-1,))
        if len(score.shape) != 1:
            raise ArgumentError(
                "A callable neuron_selection_mode must give one score per sample, shape (n,), for "
                f"outputs of shape {tuple(outputs.shape)}. Received: shape {tuple(score.shape)}"
            )
        return score, data


_MODES: dict[str, type[Target]] = {
    "max_activation": MaxActivation,
    "index": IndexTarget,
    "all": AllNeurons,
    "weights": WeightsTarget,
}


def make_target(mode: Any, binary: bool = False, stripped: bool = True) -> Target:
    """The target for a `neuron_selection_mode`.

    >>> make_target("all")
    AllNeurons(binary=False, stripped=True)
    """
    if callable(mode):
        return CallableTarget(binary, stripped, mode)
    if not isinstance(mode, str) or mode not in _MODES:
        raise ArgumentError(
            f"neuron_selection_mode must be one of {sorted(_MODES)} or a callable outputs -> score. "
            f"Received: neuron_selection_mode={mode!r}"
        )
    return _MODES[mode](binary, stripped)


def _no_selection(selection: Any, mode: str) -> None:
    if selection is not None:
        raise ArgumentError(
            f"neuron_selection is for neuron_selection_mode='index' or 'weights'; this analyzer was "
            f"made with {mode}. Received: neuron_selection={selection!r}. Create the analyzer with "
            "neuron_selection_mode='index'."
        )


def _ndim(selection: Any) -> int:
    try:
        return np.ndim(selection)
    except (TypeError, ValueError):  # lists of unequal length
        return -1


def _ravel(selection: tuple[Any, ...], output_shape: tuple[int, ...]) -> int:
    try:
        return int(np.ravel_multi_index(selection, output_shape))
    except (TypeError, ValueError):
        raise ArgumentError(
            f"A tuple neuron_selection is a position in the output of shape {output_shape}. "
            f"Received: neuron_selection={selection!r}"
        ) from None


def _check_index(selection: Any, n: int, units: int) -> np.ndarray:
    try:
        index = np.asarray(selection)
    except (TypeError, ValueError):  # lists of unequal length
        index = np.asarray(np.nan)
    if index.dtype.kind not in "iu" or index.ndim > 1 or (index.ndim == 1 and len(index) != n):
        raise ArgumentError(
            f"neuron_selection must be an int, or a list of {n} ints, one per sample. "
            f"Received: neuron_selection={selection!r}"
        )
    wrong = index[(index < 0) | (index >= units)]
    if wrong.size:
        raise ArgumentError(
            f"neuron_selection must lie between 0 and {units - 1}: the explained output has {units} "
            f"neurons. Received: {np.ravel(wrong)[0]}"
        )
    return np.broadcast_to(index, (n,)).astype("int32")
