"""One cell of a gallery: an input or its map, as image, signal or table."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from innexplain.plots.arrays import sum_channels
from innexplain.plots.colours import COLOUR_MAP, colours
from innexplain.plots.images import display_image
from innexplain.regions import channel_position

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.colors import Colormap


@dataclass(frozen=True)
class Kind:
    """How one sort of input is drawn: its column's title, axes of its map, inches of a cell."""

    title: str
    rank: int
    width: float
    height: float


KINDS = {
    "image": Kind("image", rank=2, width=1.15, height=1.15),
    "signal": Kind("signal", rank=1, width=2.4, height=0.9),
    "table": Kind("features", rank=1, width=1.6, height=0.9),
}


def draw_input(
    axes: Axes,
    value: np.ndarray,
    kind: str,
    channel_axis: int | None = -1,
    value_range: tuple[float, float] | None = None,
) -> None:
    """One input: a picture, lines over time (one a channel), or a bar a feature.

    Args:
        axes: Where to draw.
        value: One sample.
        kind: `"image"`, `"signal"` or `"table"`.
        channel_axis: -1, 0 or `None`.
        value_range: Of an image, see `display_image`.
    """
    if kind == "image":
        shown = display_image(value, value_range=value_range, channel_axis=channel_axis)
        axes.imshow(shown, aspect="auto")
    elif kind == "signal":
        _draw_lines(axes, value, channel_axis)
    else:
        axes.bar(np.arange(len(value)), value, color="0.45", width=0.8)
        axes.axhline(0, color="0.6", linewidth=0.5)
    bare(axes)


def draw_map(
    axes: Axes,
    flat: np.ndarray,
    value: np.ndarray,
    kind: str,
    scale: float,
    cmap: str | Colormap = COLOUR_MAP,
    channel_axis: int | None = -1,
) -> None:
    """One map: a heatmap, a coloured strip behind the signal, or a coloured bar a feature.

    Args:
        axes: Where to draw.
        flat: The map, channels summed.
        value: The sample it belongs to.
        kind: `"image"`, `"signal"` or `"table"`.
        scale: Value at the ends of the colours.
        cmap: Name of a matplotlib colour map, or a `Colormap`.
        channel_axis: -1, 0 or `None`, of `value`.
    """
    rgb = colours(flat, scale, cmap)
    if kind == "image":
        axes.imshow(rgb, aspect="auto")
    elif kind == "signal":
        low, high = _draw_lines(axes, value, channel_axis)
        # The map may be shorter than the signal (a deep layer's): the strip spans the signal.
        steps = len(sum_channels(value, 1, channel_axis, "images"))
        axes.imshow(rgb[None], aspect="auto", extent=(-0.5, steps - 0.5, low, high), zorder=0)
    else:
        axes.bar(np.arange(len(flat)), flat, color=rgb / 255.0, width=0.8, edgecolor="0.4", lw=0.3)
        axes.axhline(0, color="0.6", linewidth=0.5)
        axes.set_ylim(-1.05 * scale, 1.05 * scale)
    bare(axes)


def _draw_lines(axes: Axes, value: np.ndarray, channel_axis: int | None) -> tuple[float, float]:
    channels = channel_position(value.ndim, channel_axis)
    lines = value[:, None] if channels is None else np.moveaxis(value, channels, -1)
    axes.plot(lines, color="0.15", linewidth=0.8)
    low, high = float(lines.min()), float(lines.max())
    margin = 0.08 * (high - low) or 0.5  # a constant signal still needs a strip of some height
    axes.set_xlim(-0.5, len(lines) - 0.5)
    axes.set_ylim(low - margin, high + margin)
    return low - margin, high + margin


def bare(axes: Axes) -> None:
    """A cell has no ticks, and a thin pale frame."""
    axes.set_xticks([])
    axes.set_yticks([])
    for spine in axes.spines.values():
        spine.set_color("0.75")
        spine.set_linewidth(0.6)


def short_number(value: float) -> str:
    """A number in few characters: two or three digits, an exponent only for extremes.

    >>> [short_number(v) for v in (0.01234, 163.7, 2500000.0)]
    ['0.0123', '164', '2.5e+06']
    """
    return f"{value:.0f}" if 100 <= abs(value) < 1e5 else f"{value:.3g}"
