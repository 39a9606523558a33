"""How an input is cut into regions: a grid of windows over the spatial axes, of any rank."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from innexplain.arguments import check_count
from innexplain.errors import ArgumentError

__all__ = ["Grid"]


def channel_position(rank: int, channel_axis: int | None = -1) -> int | None:
    """Which axis of one sample holds its channels, counted from 0; `None` if none does.

    Args:
        rank: number of axes of one sample; samples of rank 1 (tables) have no channels.
        channel_axis: -1 (default), 0, or `None` for samples without a channel axis, such as grey
            pictures (height, width).

    Raises:
        ArgumentError: `channel_axis` is something else.

    >>> channel_position(3), channel_position(3, 0), channel_position(3, None), channel_position(1)
    (2, 0, None, None)
    """
    if channel_axis is not None and (isinstance(channel_axis, bool) or channel_axis not in (-1, 0)):
        raise ArgumentError(
            "channel_axis must be -1 (channels last), 0 (channels first) or None (no channel axis). "
            f"Received: channel_axis={channel_axis!r}"
        )
    if rank < 2 or channel_axis is None:
        return None
    return rank - 1 if channel_axis == -1 else 0


def spatial_shape(shape: Sequence[int], channel_axis: int | None = -1) -> tuple[int, ...]:
    """The shape of one sample without its channel axis.

    Args:
        shape: of one sample, without the batch axis.
        channel_axis: see `channel_position`.

    >>> spatial_shape((224, 200, 3)), spatial_shape((3, 224, 200), channel_axis=0), spatial_shape((7,))
    ((224, 200), (224, 200), (7,))
    """
    channels = channel_position(len(shape), channel_axis)
    return tuple(int(d) for axis, d in enumerate(shape) if axis != channels)


@dataclass(frozen=True)
class Grid:
    """Non-overlapping windows that cover every location once.

    The first window starts at the first location of every axis.  Where `size` does not divide an axis,
    the last window along it is smaller: it holds the remainder, so that nothing is left out.

    Args:
        shape: lengths of the spatial axes: (height, width), (steps,), (features,) ...
        size: lengths of a window, one an axis, or one number for all: `size=1` cuts into single pixels.

    Raises:
        ArgumentError: `size` is not positive, has another number of axes, or exceeds the input.

    >>> Grid((5, 4), 3).labels
    array([[0, 0, 0, 1],
           [0, 0, 0, 1],
           [0, 0, 0, 1],
           [2, 2, 2, 3],
           [2, 2, 2, 3]])
    """

    shape: tuple[int, ...]
    size: Any

    def __post_init__(self) -> None:
        shape = tuple(check_count("shape", d) for d in self.shape)
        size = self.size.tolist() if isinstance(self.size, np.ndarray) else self.size
        if not isinstance(size, (tuple, list)):
            size = (size,) * len(shape)
        if len(size) != len(shape):
            raise ArgumentError(
                f"region_size must be an int, or {len(shape)} ints, one a spatial axis of {shape}. "
                f"Received: region_size={self.size!r}"
            )
        size = tuple(check_count("region_size", s) for s in size)
        if any(s > d for s, d in zip(size, shape, strict=True)):
            raise ArgumentError(
                f"region_size must not exceed the input, whose spatial shape is {shape}. "
                f"Received: region_size={self.size!r}"
            )
        object.__setattr__(self, "shape", shape)
        object.__setattr__(self, "size", size)

    @property
    def counts(self) -> tuple[int, ...]:
        """How many windows there are along each axis."""
        return tuple(-(-d // s) for d, s in zip(self.shape, self.size, strict=True))

    def __len__(self) -> int:
        return int(np.prod(self.counts))

    @property
    def labels(self) -> np.ndarray:
        """The number of the window that each location belongs to, of shape `shape`, in reading order."""
        axes = [np.arange(d) // s for d, s in zip(self.shape, self.size, strict=True)]
        return np.asarray(np.ravel_multi_index(np.meshgrid(*axes, indexing="ij"), self.counts))

    def sums(self, maps: np.ndarray) -> np.ndarray:
        """The sum of every window, (n, windows), of maps of shape `(n, *shape)`, in float64."""
        labels = self.labels.ravel()
        flat = np.asarray(maps, "float64").reshape(len(maps), -1)
        return np.stack([np.bincount(labels, row, minlength=len(self)) for row in flat])
