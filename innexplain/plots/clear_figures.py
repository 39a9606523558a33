"""Figures of CLEAR: how one map comes about, and many inputs with all their maps."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from innexplain.errors import InputError
from innexplain.plots.arrays import finite_array
from innexplain.plots.cells import draw_input, short_number
from innexplain.plots.class_colours import OTHER, class_name
from innexplain.plots.clear import (
    PERCENTILE,
    binary_heatmap_image,
    binary_map_image,
    clear_image,
    joint_scale,
    map_colours,
)
from innexplain.plots.clear_axes import draw_pixels
from innexplain.plots.clear_checks import check_maps, one_sample, true_classes
from innexplain.plots.clear_legends import CHARACTER, Names, class_handles, legend_below
from innexplain.plots.colours import COLOUR_MAP, colour_map, colours

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from innexplain.analyzers import ClearMaps

__all__ = ["clear_rows", "response_strip"]

_MOST_PANELS = 60
_SIGNAL = (2.6, 0.85)  # inches of a cell
_IMAGE = 1.5
_WIDEST = 11.0  # inches of all cells side by side


def response_strip(
    maps: ClearMaps,
    image: Any = None,
    *,
    sample: int = 0,
    class_names: Names = None,
    palette: str | Mapping[int, Any] = "distinct",
    percentile: float = PERCENTILE,
    channel_axis: int = -1,
    value_range: tuple[float, float] | None = None,
) -> Figure:
    """How the CLEAR map of one sample comes about: all responses, the dominant one, and the map.

    The responses and the dominant response have one colour scale, symmetric about zero: red for the class,
    blue against it. The frame of a class has the colour of the class in the CLEAR map.

    Args:
        maps: See `clear_map`.
        image: See `clear_map`; shown first.
        sample: See `clear_map`.
        class_names: See `clear_map`.
        palette: See `clear_image`.
        percentile: Of `|R|` where it is not zero, at the ends of the colours, and of the CLEAR map, see
            `clear_image`. Default 99.
        channel_axis: See `clear_image`.
        value_range: See `clear_image`.

    Returns:
        A `matplotlib.figure.Figure` that belongs to no window; write it with `save_figure`.

    Raises:
        InputError: As `clear_map`; or there are more than 60 classes.
        ArgumentError: If an option has a value it cannot have.

    Reference: Kumar et al. 2017 (CLEAR), figure 2.

    >>> import numpy as np
    >>> from innexplain import ClearMaps
    >>> from innexplain.plots import response_strip
    >>> maps = ClearMaps.of(np.array([[[[4.0, 0.0], [0.0, 2.0]]]]), np.array([[7, 9]]))
    >>> [axes.get_title() for axes in response_strip(maps).axes[:4]]
    ['class 7', 'class 9', 'dominant response', 'CLEAR map']
    """
    check_maps(maps)
    one, of_class = one_sample(maps, sample), map_colours(maps, palette)
    numbers = one.classes[0].tolist()
    _check_panels(len(numbers))
    limit = joint_scale(one.response, percentile)
    cells = _Cells(one, len(numbers) + 2 + (image is not None))
    if image is not None:
        _draw_sample(cells.next("input"), image, one, channel_axis, value_range)
    for i, number in enumerate(numbers):
        axes = cells.next(class_name(number, class_names))
        draw_pixels(axes, colours(one.response[0, ..., i], limit))
        axes.spines[:].set(color=of_class.get(number, OTHER), linewidth=2.5)
    draw_pixels(cells.next("dominant response"), colours(one.dominant_response[0], limit))
    draw_pixels(cells.next("CLEAR map"), clear_image(one, palette=of_class, percentile=percentile)[0])
    _colour_bar(cells.figure, limit)
    return cells.figure


def clear_rows(
    maps: ClearMaps,
    images: Any,
    true_class: Any,
    *,
    class_names: Names = None,
    labels: Sequence[str] | None = None,
    palette: str | Mapping[int, Any] = "distinct",
    opacity: float = 1.0,
    percentile: float = PERCENTILE,
    over_image: bool = False,
    channel_axis: int = -1,
    value_range: tuple[float, float] | None = None,
) -> Figure:
    """A row a sample: the input, its binary heatmap, its binary map and its CLEAR map.

    One legend holds for all CLEAR maps: a class has one colour. If there are too many classes for the
    palette, the true ones have a colour in any case.

    Args:
        maps: Of n images (n, h, w, classes) or signals (n, steps, classes).
        images: The n inputs, with or without channels.
        true_class: See `binary_heatmap_image`.
        class_names: See `clear_map`.
        labels: One text a row, written at its left. Default: the name of the true class.
        palette: See `clear_image`.
        opacity: See `clear_image`.
        percentile: Of heatmaps and CLEAR maps, see `clear_image`. Default 99.
        over_image: Draw the maps of images over them; default: on black, where weak colours can be seen too.
        channel_axis: See `clear_image`.
        value_range: See `clear_image`.

    Returns:
        A `matplotlib.figure.Figure` that belongs to no window; write it with `save_figure`.

    Raises:
        InputError: As `binary_heatmap_image`; or the number of images or labels is not that of the maps.
        ArgumentError: If an option has a value it cannot have.

    Reference: Kumar et al. 2017 (CLEAR), section 4.2 and figures 3 and 4.

    >>> import numpy as np
    >>> from innexplain import ClearMaps
    >>> from innexplain.plots import clear_rows
    >>> maps = ClearMaps.of(np.array([[[[4.0, 0.0], [0.0, 2.0]]]]), np.array([[7, 9]]))
    >>> figure = clear_rows(maps, np.zeros((1, 1, 2, 3)), [7])
    >>> [text.get_text() for text in figure.legends[0].get_texts()]
    ['class 7', 'class 9']
    """
    check_maps(maps)
    numbers = true_classes(maps, true_class)
    of_class = map_colours(maps, palette, first=numbers)
    inputs = finite_array(images, "images")
    texts = [class_name(n, class_names) for n in numbers.tolist()] if labels is None else list(labels)
    for what, given in (("images", inputs), ("labels", texts)):
        if len(given) != len(numbers):
            raise InputError(f"{what}: expected {len(numbers)}, one a sample, received {len(given)}.")
    below = inputs if over_image and maps.response.ndim == 4 else None
    look: dict[str, Any] = {
        "opacity": opacity, "channel_axis": channel_axis, "value_range": value_range,
    }  # fmt: skip
    shaded = {**look, "percentile": percentile}
    columns = {
        "heatmap\nhot: for, green: against": binary_heatmap_image(maps, numbers, below, **shaded),
        "binary map\nred: for, blue: against": binary_map_image(maps, numbers, below, **look),
        "CLEAR map\ncolour: dominant class": clear_image(maps, below, palette=of_class, **shaded),
    }
    wrapped = [textwrap.fill(str(text), 16) for text in texts]
    cells = _Cells(maps, 4 * len(numbers), wrapped)
    for row, text in enumerate(wrapped):
        first = cells.next("" if row else "input")
        _draw_sample(first, inputs[row], maps, channel_axis, value_range)
        first.set_ylabel(text, rotation=0, ha="right", va="center", fontsize=8)
        for title, pixels in columns.items():
            draw_pixels(cells.next("" if row else title), pixels[row])
    handles = class_handles(maps, of_class, class_names, below is None)
    legend_below(cells.figure, handles, "dominant class in the CLEAR map")
    return cells.figure


class _Cells:
    """The cells of a figure, row by row."""

    def __init__(self, maps: ClearMaps, count: int, labels: Sequence[str] = ()) -> None:
        from matplotlib.figure import Figure

        width, height = _SIGNAL
        if maps.response.ndim == 4:
            shape = maps.response.shape[1:3]
            width, height = _IMAGE, _IMAGE * float(np.clip(shape[0] / shape[1], 0.3, 3.0))
        # Even rows: thirteen cells where seven fit are drawn as seven and six.
        self.rows = len(labels) or -(-count // int(_WIDEST // width))
        self.columns = -(-count // self.rows)
        self.characters = int(16 * width)  # of a title
        # Rows with labels at their left have titles above the first one only.
        lines = [line for label in labels for line in label.split("\n")]
        beside = 0.1 + CHARACTER * max(map(len, lines), default=0)
        above = 0.07 if labels else 0.25
        size = (self.columns * (width + 0.1) + beside, self.rows * (height + above) + 0.6)
        self.figure = Figure(figsize=size, layout="constrained", facecolor="white")
        self.drawn = 0

    def next(self, title: str) -> Axes:
        """The next cell, with what is written above it."""
        self.drawn += 1
        axes = self.figure.add_subplot(self.rows, self.columns, self.drawn)
        lines = [textwrap.fill(line, self.characters) for line in title.split("\n")]
        axes.set_title("\n".join(lines), fontsize=8)
        return axes


def _check_panels(count: int) -> None:
    if count > _MOST_PANELS:
        raise InputError(
            f"maps: a strip shows at most {_MOST_PANELS} classes, received {count}. Take some, for instance "
            "`ClearMaps.of(maps.response[..., :10], maps.classes[:, :10])`."
        )


def _draw_sample(
    axes: Axes, value: Any, maps: ClearMaps, channel_axis: int, value_range: tuple[float, float] | None
) -> None:
    """The input itself, at the aspect of its map."""
    kind = "image" if maps.response.ndim == 4 else "signal"
    draw_input(axes, finite_array(value, "image"), kind, channel_axis, value_range)
    if kind == "image":
        axes.set_aspect("equal")


def _colour_bar(figure: Figure, limit: float) -> None:
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import Normalize

    shown = ScalarMappable(Normalize(-limit, limit), colour_map(COLOUR_MAP))
    bar = figure.colorbar(shown, ax=figure.axes, location="bottom", fraction=0.05, aspect=40, shrink=0.6)
    bar.set_ticks(
        [-limit, 0, limit],
        labels=[f"{short_number(-limit)} against the class", "0", f"{short_number(limit)} for it"],
    )
    bar.ax.tick_params(labelsize=8, length=2)
    bar.outline.set_linewidth(0.4)
