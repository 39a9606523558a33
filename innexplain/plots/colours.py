"""Colours of signed maps: diverging, symmetric about zero, readable by the colour-blind."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from innexplain.arguments import is_number
from innexplain.errors import ArgumentError, UnknownNameError, nearest
from innexplain.plots.arrays import finite_array

if TYPE_CHECKING:
    from matplotlib.colors import Colormap

# Red and blue differ in hue for every common colour blindness, and both darken with |value|.
COLOUR_MAP = "RdBu_r"

# An odd number of colours puts zero in the middle of the central one, not between two.
_LEVELS = 513


def colour_map(name: str | Colormap = COLOUR_MAP) -> Colormap:
    """A matplotlib colour map with an odd number of colours, so that one stands for zero.

    Args:
        name: A name that matplotlib knows, or a `Colormap`.

    Raises:
        UnknownNameError: If matplotlib has no colour map of that name.

    >>> [round(float(c), 2) for c in colour_map()(0.5)]
    [0.97, 0.97, 0.97, 1.0]
    """
    import matplotlib
    from matplotlib.colors import Colormap

    if isinstance(name, Colormap):
        return name
    if name not in matplotlib.colormaps:
        raise UnknownNameError(
            f"cmap: expected the name of a matplotlib colour map, received {name!r}."
            + nearest(name, matplotlib.colormaps)
        )
    return matplotlib.colormaps[name].resampled(_LEVELS)


def symmetric_scale(attribution: Any, percentile: float = 100.0) -> float:
    """The value at the ends of the colours: `max |R|`, or a percentile of `|R|`.

    Args:
        attribution: Map whose channels are already summed, any shape.
        percentile: In (0, 100]. Below 100 a few extreme pixels no longer bleach all the others:
            they are shown in the end colour.

    Returns:
        A positive number; 1.0 for a map of zeros.

    Raises:
        ArgumentError: If `percentile` is outside (0, 100].
        InputError: If the map is empty, or holds NaN or infinity.

    >>> symmetric_scale([0.5, -2.0])
    2.0
    """
    if not is_number(percentile) or not 0 < percentile <= 100:
        raise ArgumentError(f"percentile: expected a number in (0, 100], received {percentile!r}.")
    magnitude = np.abs(finite_array(attribution, "attribution").astype(np.float64))
    scale = float(np.percentile(magnitude, percentile))
    return scale or float(magnitude.max()) or 1.0


def check_scale(scale: float | None, attribution: np.ndarray) -> float:
    """`scale` if it is a positive number, the map's own symmetric scale if it is None."""
    if scale is None:
        return symmetric_scale(attribution)
    if not is_number(scale) or not 0 < scale < np.inf:
        raise ArgumentError(
            f"scale: expected a positive number (the value at the ends of the colours) or None "
            f"for the map's own maximum, received {scale!r}."
        )
    return float(scale)


def colours(attribution: np.ndarray, scale: float, cmap: str | Colormap = COLOUR_MAP) -> np.ndarray:
    """RGB of each value: blue at `-scale`, white at 0, red at `+scale`, clipped beyond.

    Args:
        attribution: Any shape.
        scale: Value at the ends of the colours, positive.
        cmap: Name of a matplotlib colour map, or a `Colormap`.

    Returns:
        uint8 array of the same shape with a last axis of 3.

    >>> colours(np.array([-1.0, 0.0, 1.0]), 1.0).tolist()
    [[5, 48, 97], [247, 247, 247], [103, 0, 31]]
    """
    # Dividing first keeps subnormal and huge maps inside the range of the dtype.
    unit = np.clip(np.asarray(attribution, dtype=np.float64) / scale, -1.0, 1.0)
    rgba = colour_map(cmap)(0.5 + 0.5 * unit, bytes=True)
    return np.asarray(rgba[..., :3])
