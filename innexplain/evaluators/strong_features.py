"""Does the network decide by what a map marks as strong?  Accuracy with and without it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from innexplain.arguments import check_count, check_number, check_seed
from innexplain.errors import ArgumentError
from innexplain.evaluators.arrays import check_classes, check_inputs, check_labels, spatial_maps
from innexplain.evaluators.predictions import Predict, predict_all, predictor
from innexplain.randomness import sample_rng
from innexplain.regions import channel_position
from innexplain.samplers import ConstantSampler, Sampler
from innexplain.samplers.base import content_for
from innexplain.samplers.simple import check_values

_PURPOSE = 3  # of the random numbers: not those of other evaluators


@dataclass(frozen=True)
class StrongFeaturesResult:
    """Which of n inputs the network classifies rightly, as a whole and in parts.

    Args:
        full: whether each whole input is classified rightly, bool (n,).
        only_strong: the same with nothing but the strong features.
        without_strong: the same without them.
        share: the share of each input's locations that is strong, (n,).
    """

    full: np.ndarray
    only_strong: np.ndarray
    without_strong: np.ndarray
    share: np.ndarray

    @property
    def accuracy_full(self) -> float:
        """The accuracy on whole inputs."""
        return float(self.full.mean())

    @property
    def accuracy_only_strong(self) -> float:
        """The accuracy with nothing but the strong features."""
        return float(self.only_strong.mean())

    @property
    def accuracy_without_strong(self) -> float:
        """The accuracy without the strong features."""
        return float(self.without_strong.mean())


def strong_features(
    model: Any,
    x: Any,
    attributions: Any,
    y: Any,
    *,
    threshold: float = 0.5,
    fill: Any = 0.0,
    seed: int = 0,
    batch_size: int = 32,
    channel_axis: int | None = -1,
) -> StrongFeaturesResult:
    """Accuracy on whole inputs, with only the features that a map marks as strong, and without them.

    Strong is where `R > threshold max R` in that map.  A map without positive relevance marks nothing, so
    that all of its input is replaced in one case and nothing in the other.

    Args:
        model: a Keras model with one input and output, or any function from inputs to outputs (n, classes).
        x: inputs (n, ...), as the model takes them.
        attributions: one map a sample, with or without channels, of any origin; the paper takes those of
            the true class: `analyze(x, neuron_selection=y)`.
        y: the true class of each sample, n ints.
        threshold: in [0, 1], as a fraction of the map's own maximum; default 0.5.  The paper names none.
        fill: what replaces the rest: a number, one a channel, or one of `innexplain.samplers`.  Default 0,
            the background of MNIST; the paper takes gray, 0.5, for SVHN.  Of samplers that look at regions
            the strong features are one and the rest another.
        seed: of a sampler with noise.
        batch_size: the most inputs in one call of the model.
        channel_axis: of one sample, -1 (default), 0, or `None` where it has none.

    Returns:
        A `StrongFeaturesResult`.

    Raises:
        InputError: x, the attributions or the labels do not fit each other.
        ArgumentError: another argument is out of range.

    Example:
        >>> import numpy as np
        >>> x = np.array([[1.0, 0.0], [0.2, 0.9]])
        >>> found = strong_features(lambda x: x, x, x, [0, 1])
        >>> found.accuracy_full, found.accuracy_only_strong, found.accuracy_without_strong
        (1.0, 1.0, 0.5)

    Reference: Kumar et al. 2017 (CLEAR), section 4.3 and table 1.
    """
    x = check_inputs(x)
    maps = spatial_maps(attributions, x, channel_axis)
    labels = check_labels(y, len(x))
    check_number("threshold", threshold, low=0, high=1)
    check_seed(seed)
    check_count("batch_size", batch_size)
    sampler = fill if isinstance(fill, Sampler) else ConstantSampler(check_values("fill", fill))
    strong = _strong(maps, threshold)
    predict = predictor(model)
    outputs = predict_all(predict, x, batch_size)
    _check_classes(labels, outputs.shape[1])
    parts = _Parts(x, strong, sampler.fitted(x, channel_axis), seed, channel_axis)
    return StrongFeaturesResult(
        full=outputs.argmax(axis=1) == labels,
        only_strong=parts.predicted(predict, batch_size, keep=True) == labels,
        without_strong=parts.predicted(predict, batch_size, keep=False) == labels,
        share=strong.reshape(len(x), -1).mean(axis=1),
    )


@dataclass(frozen=True)
class _Parts:
    """Inputs of which some locations are strong."""

    x: np.ndarray
    strong: np.ndarray
    sampler: Sampler
    seed: int
    channel_axis: int | None

    def predicted(self, predict: Predict, batch_size: int, keep: bool) -> np.ndarray:
        """The class of each input with only its strong features (`keep`), or without them."""
        found = [predict(rows).argmax(axis=1) for rows in self._batches(batch_size, keep)]
        return np.concatenate(found)

    def _batches(self, batch_size: int, keep: bool) -> Iterator[np.ndarray]:
        for start in range(0, len(self.x), batch_size):
            samples = range(start, min(start + batch_size, len(self.x)))
            yield np.stack([self._part(i, keep) for i in samples])

    def _part(self, sample: int, keep: bool) -> np.ndarray:
        row, strong = self.x[sample], self.strong[sample]
        rng = sample_rng(self.seed, [self.x], sample, _PURPOSE)
        content = content_for(self.sampler, row, strong.astype("int64"), rng, self.channel_axis)
        channels = channel_position(row.ndim, self.channel_axis)
        located = strong if channels is None else np.expand_dims(strong, channels)
        return np.where(located == keep, row, content)


def _strong(maps: np.ndarray, threshold: float) -> np.ndarray:
    largest = maps.max(axis=tuple(range(1, maps.ndim)), keepdims=True)
    return maps > threshold * largest  # never where the largest is not positive


def _check_classes(labels: np.ndarray, classes: int) -> None:
    if classes < 2:
        raise ArgumentError(
            "Accuracy needs an output for each class, and the model gives one. Give a function with a column "
            "a class, such as lambda x: numpy.concatenate([1 - f(x), f(x)], axis=1)."
        )
    check_classes(labels, classes)
