"""Samplers that need no reference data: noise, a constant, means, blur."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from scipy import ndimage

from innexplain.arguments import check_choice, check_number
from innexplain.errors import ArgumentError
from innexplain.regions import channel_position
from innexplain.samplers.base import Sampler


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
            if getattr(self, name) is not None:
                object.__setattr__(self, name, check_values(name, getattr(self, name)))
        if self.low is None or self.high is None:
            return
        if len({len(v) for v in (self.low, self.high) if isinstance(v, tuple)}) > 1:
            raise ArgumentError(
                "low and high must have one value a channel, of the same channels. "
                f"Received: low={self.low!r}, high={self.high!r}"
            )
        if np.any(np.greater(self.low, self.high)):
            raise ArgumentError(f"low must not exceed high. Received: low={self.low!r}, high={self.high!r}")

    def fitted(self, x: np.ndarray, channel_axis: int | None = -1) -> UniformSampler:
        """With the range of x where none is given; the features of tables have a range each."""
        channels = 0 if x.ndim == 2 else channel_position(x.ndim - 1, channel_axis)
        others = tuple(axis for axis in range(x.ndim) if channels is None or axis != channels + 1)
        low = x.min(axis=others).astype("float64") if self.low is None else self.low
        high = x.max(axis=others).astype("float64") if self.high is None else self.high
        return replace(self, low=low, high=high)

    def fill(
        self, image: np.ndarray, labels: np.ndarray, rng: np.random.Generator, channel_axis: int | None = -1
    ) -> np.ndarray:
        """See `Sampler.fill`."""
        if self.low is None or self.high is None:
            return self.fitted(image[None], channel_axis).fill(image, labels, rng, channel_axis)
        low, high = (per_channel(v, image, channel_axis) for v in (self.low, self.high))
        noise = rng.random(image.shape, "float32").astype(image.dtype)
        # Rounding may step over an end by the last digit; high - low could overflow.
        return np.clip(low * (1 - noise) + high * noise, low, high)


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
        object.__setattr__(self, "value", check_values("value", self.value))

    def fill(
        self, image: np.ndarray, labels: np.ndarray, rng: np.random.Generator, channel_axis: int | None = -1
    ) -> np.ndarray:
        """See `Sampler.fill`."""
        return np.broadcast_to(per_channel(self.value, image, channel_axis), image.shape)


@dataclass(frozen=True)
class MeanSampler(Sampler):
    """The mean of each channel, over the region itself or over the whole image.

    A region of one location is its own mean: take `"image"` there, or larger regions.

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
        self, image: np.ndarray, labels: np.ndarray, rng: np.random.Generator, channel_axis: int | None = -1
    ) -> np.ndarray:
        """See `Sampler.fill`."""
        channels = channel_position(image.ndim, channel_axis)
        last = image[..., None] if channels is None else np.moveaxis(image, channels, -1)
        columns = last.reshape(-1, last.shape[-1]).astype("float64")
        regions = np.zeros(len(columns), "int64") if self.of == "image" else labels.ravel()
        counts = np.maximum(np.bincount(regions), 1)
        means = np.stack([(np.bincount(regions, c) / counts)[regions] for c in columns.T], axis=-1)
        filled = means.reshape(last.shape).astype(image.dtype)
        return filled[..., 0] if channels is None else np.moveaxis(filled, -1, channels)


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
        self, image: np.ndarray, labels: np.ndarray, rng: np.random.Generator, channel_axis: int | None = -1
    ) -> np.ndarray:
        """See `Sampler.fill`."""
        sigma = [float(self.sigma)] * image.ndim
        channels = channel_position(image.ndim, channel_axis)
        if channels is not None:
            sigma[channels] = 0.0
        wide = image.astype("float32") if image.dtype == "float16" else image  # SciPy knows no float16
        return ndimage.gaussian_filter(wide, sigma, mode="nearest").astype(image.dtype)


def per_channel(value: Any, image: np.ndarray, channel_axis: int | None) -> np.ndarray:
    """A number, or one a channel (of tables: a feature), in a shape that broadcasts against one image."""
    array = np.asarray(value, image.dtype)
    channels = 0 if image.ndim == 1 else channel_position(image.ndim, channel_axis)
    if array.ndim == 0:
        return array
    if channels is None or array.shape != (image.shape[channels],):
        wanted = "" if channels is None else f", or one for each of the {image.shape[channels]} channels"
        raise ArgumentError(f"A sampler's value must be a number{wanted}. Received: {value!r}")
    shape = [1] * image.ndim
    shape[channels] = -1
    return array.reshape(shape)


def check_values(name: str, value: Any) -> float | tuple[float, ...]:
    """A number, or a tuple of numbers, so that samplers can be compared."""
    try:
        array = np.asarray(value)
    except ValueError:  # lists of unequal length
        array = np.asarray(None)
    if array.dtype.kind not in "iuf" or array.ndim > 1 or not array.size or not np.isfinite(array).all():
        raise ArgumentError(
            f"{name} must be a finite number, or a list of them, one a channel. Received: {name}={value!r}"
        )
    return float(array) if array.ndim == 0 else tuple(float(v) for v in array)
