"""What a sampler is: something that fills the regions of an image with other content."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any

import numpy as np

from innexplain.errors import ArgumentError


@dataclass(frozen=True)
class Sampler(ABC):
    """Gives an image's regions new content.

    Samplers are frozen dataclasses: their fields are their settings.
    """

    #: Whether two fills of one image differ, so that repeating is worth its time.
    random = False

    def fitted(self, x: np.ndarray, channel_axis: int | None = -1) -> Sampler:
        """The sampler for a set of inputs (n, ...), with what it has to know of them; itself by default.

        Args:
            x: all inputs of an evaluation.
            channel_axis: of one sample, -1, 0, or `None` where it has none.
        """
        return self

    @abstractmethod
    def fill(
        self, image: np.ndarray, labels: np.ndarray, rng: np.random.Generator, channel_axis: int | None = -1
    ) -> np.ndarray:
        """New content for every region of one image at once, in the image's shape.

        What stands in one region must not depend on that of the others being replaced, too.

        Args:
            image: one sample, without a batch axis, floating point.
            labels: the number of the region that each location belongs to, see `Grid.labels`.
            rng: where random numbers come from.
            channel_axis: of the image, -1, 0, or `None` where it has none.
        """


def check_sampler(name: str, sampler: Any) -> Sampler:
    """The sampler, if it is one."""
    if not isinstance(sampler, Sampler):
        raise ArgumentError(
            f"{name} must be one of innexplain.samplers, such as UniformSampler() or ConstantSampler(0). "
            f"Received: {name}={sampler!r}"
        )
    return sampler


def content_for(
    sampler: Sampler,
    sample: np.ndarray,
    labels: np.ndarray,
    rng: np.random.Generator,
    channel_axis: int | None = -1,
) -> np.ndarray:
    """What a sampler puts into the regions of one sample, checked, in the sample's own dtype.

    Whole numbers (pixels of dtype uint8) are filled in floating point and rounded.

    Raises:
        ArgumentError: the content has another shape, is not finite, or does not fit the dtype.

    >>> from innexplain.samplers import ConstantSampler
    >>> content_for(ConstantSampler(0.6), np.zeros((1, 2), "uint8"), np.array([0, 1]), None).tolist()
    [[1, 1]]
    """
    floats = sample.astype("float64" if sample.dtype.kind != "f" else sample.dtype)
    filled = np.asarray(sampler.fill(floats, labels, rng, channel_axis))
    if filled.shape != sample.shape:
        raise ArgumentError(
            f"A sampler must fill an image in its own shape, {sample.shape}. "
            f"Received: {filled.shape} from {sampler!r}"
        )
    filled = np.rint(filled) if sample.dtype.kind != "f" else filled
    low, high = _limits(sample.dtype)
    if not (np.isfinite(filled).all() and low <= filled.min() and filled.max() <= high):
        raise ArgumentError(
            f"What replaces a region must be finite and fit the dtype of x, {sample.dtype}. Received: from "
            f"{filled.min():g} to {filled.max():g}, of {sampler!r}. Choose other values, or give x as floats."
        )
    return filled.astype(sample.dtype)


def _limits(dtype: np.dtype) -> tuple[float, float]:
    if dtype.kind == "b":
        return 0, 1
    limits = np.finfo(dtype) if dtype.kind == "f" else np.iinfo(dtype)
    return limits.min, limits.max
