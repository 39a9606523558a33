"""Samplers that need no reference data: noise, a constant, means, blur."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from scipy import ndimage

from innexplain.arguments import check_choice, check_number
from innexplain.errors import ArgumentError
from innexplain.samplers.base import Sampler

__all__ = ["BlurSampler", "ConstantSampler", "MeanSampler", "UniformSampler"]


@dataclass(frozen=True)
class UniformSampler(Sampler):
    """Uniform noise in the range of the inputs, every value drawn on its own: the choice of the paper.

    Args:
        low: smallest value: a number, or one a channel; `None` takes the minimum of each channel (of
            tables: of each feature) over all inputs of the evaluation.
        high: largest value, likewise.

    Reference: Samek et al. 2017, section III-B.

    >>> import numpy as np
    >>> image = np.zeros((2, 2, 1))
    >>> sampler = UniformSampler(0.0, 1.0)
    >>> bool((sampler.fill(image, np.arange(4).reshape(2, 2), np.random.default_rng(0)) > 0).all())
    True
    """

    low: Any = None
    high: Any = None
    random = True

    def __post_init__(self) -> None:
        for name in ("low", "high"):
            _check_values(name, getattr(self, name))
        if self.low is not None and self.high is not None and np.any(np.greater(self.low, self.high)):
            raise ArgumentError(f"low must not exceed high. Received: low={self.low!r}, high={self.high!r}")

    def fitted(self, x: np.ndarray, channel_axis: int = -1) -> UniformSampler:
        """With the range of x where none is given."""
        others = _all_but_channels(x.ndim, channel_axis)
        low = _as_tuple(x.min(axis=others)) if self.low is None else self.low
        high = _as_tuple(x.max(axis=others)) if self.high is None else self.high
        return replace(self, low=low, high=high)

    def fill(
        self, image: np.ndarray, labels: np.ndarray, rng: np.random.Generator, channel_axis: int = -1
    ) -> np.ndarray:
        """See `Sampler.fill`."""
        if self.low is None or self.high is None:
            return self.fitted(image[None], channel_axis).fill(image, labels, rng, channel_axis)
        low, high = (per_channel(v, image, channel_axis) for v in (self.low, self.high))
        noise = rng.random(image.shape, "float32").astype(image.dtype)
        # Rounding may step over an end by the last digit.
        return np.clip(low + (high - low) * noise, low, high)


@dataclass(frozen=True)
class ConstantSampler(Sampler):
    """The same value everywhere.

    Args:
        value: a number, or one a channel.

    >>> import numpy as np
    >>> ConstantSampler(0.5).fill(np.zeros((1, 2, 1)), np.zeros((1, 2)), None).ravel().tolist()
    [0.5, 0.5]
    """

    value: Any = 0.0

    def __post_init__(self) -> None:
        if self.value is None:
            raise ArgumentError("value must be a number, or one a channel. Received: value=None")
        _check_values("value", self.value)

    def fill(
        self, image: np.ndarray, labels: np.ndarray, rng: np.random.Generator, channel_axis: int = -1
    ) -> np.ndarray:
        """See `Sampler.fill`."""
        return np.broadcast_to(per_channel(self.value, image, channel_axis), image.shape)


@dataclass(frozen=True)
class MeanSampler(Sampler):
    """The mean of each channel, over the region itself or over the whole image.

    Args:
        of: `"region"` (default; Kindermans et al. 2018, figure 5) or `"image"`.

    >>> import numpy as np
    >>> image = np.array([[[0.0], [2.0], [4.0]]])
    >>> MeanSampler().fill(image, np.array([[0, 0, 1]]), None).ravel().tolist()
    [1.0, 1.0, 4.0]
    """

    of: str = "region"

    def __post_init__(self) -> None:
        check_choice("of", self.of, ("region", "image"))

    def fill(
        self, image: np.ndarray, labels: np.ndarray, rng: np.random.Generator, channel_axis: int = -1
    ) -> np.ndarray:
        """See `Sampler.fill`."""
        if self.of == "image":
            axes = tuple(a - 1 for a in _all_but_channels(image.ndim + 1, channel_axis) if a)
            mean = image.mean(axis=axes, keepdims=True, dtype="float64") if axes else image
            return np.broadcast_to(mean.astype(image.dtype), image.shape)
        flat = labels.ravel()
        counts = np.maximum(np.bincount(flat), 1)
        last = image[..., None] if image.ndim == 1 else np.moveaxis(image, channel_axis, -1)
        columns = last.reshape(-1, last.shape[-1]).astype("float64")
        means = np.stack([(np.bincount(flat, c) / counts)[flat] for c in columns.T], axis=-1)
        filled = means.reshape(last.shape).astype(image.dtype)
        return filled[..., 0] if image.ndim == 1 else np.moveaxis(filled, -1, channel_axis)


@dataclass(frozen=True)
class BlurSampler(Sampler):
    """The image itself, blurred by a Gaussian over its spatial axes.

    Args:
        sigma: standard deviation in pixels, default 5.

    >>> import numpy as np
    >>> sharp = np.zeros((9, 9, 1)); sharp[4, 4] = 1
    >>> bool(BlurSampler(2.0).fill(sharp, np.zeros((9, 9)), None)[4, 4, 0] < 0.1)
    True
    """

    sigma: float = 5.0

    def __post_init__(self) -> None:
        check_number("sigma", self.sigma, low=0)

    def fill(
        self, image: np.ndarray, labels: np.ndarray, rng: np.random.Generator, channel_axis: int = -1
    ) -> np.ndarray:
        """See `Sampler.fill`."""
        sigma = [float(self.sigma)] * image.ndim
        if image.ndim > 1:
            sigma[channel_axis] = 0.0
        return ndimage.gaussian_filter(image, sigma, mode="nearest")


def per_channel(value: Any, image: np.ndarray, channel_axis: int) -> np.ndarray:
    """A number, or one a channel, in a shape that broadcasts against one image."""
    array = np.asarray(value, image.dtype)
    if array.ndim == 0:
        return array
    if array.shape != (image.shape[channel_axis],):
        raise ArgumentError(
            f"A sampler's value must be a number, or one for each of the {image.shape[channel_axis]} "
            f"channels. Received: {value!r}"
        )
    shape = [1] * image.ndim
    shape[channel_axis] = -1
    return array.reshape(shape)


def _all_but_channels(rank: int, channel_axis: int) -> tuple[int, ...]:
    """The axes of a batch of a rank that are not the channels'; of a table, all but the features'."""
    kept = rank - 1 if channel_axis == -1 or rank == 2 else 1
    return tuple(axis for axis in range(rank) if axis != kept)


def _as_tuple(values: np.ndarray) -> tuple[float, ...]:
    return tuple(float(v) for v in values)


def _check_values(name: str, value: Any) -> None:
    if value is None:
        return
    array = np.asarray(value)
    if array.dtype.kind not in "iuf" or array.ndim > 1 or not np.isfinite(array).all():
        raise ArgumentError(
            f"{name} must be a finite number, or a list of them, one a channel. Received: {name}={value!r}"
        )
