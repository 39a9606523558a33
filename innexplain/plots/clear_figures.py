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
)
from innexplain.plots.clear_axes import draw_pixels
from innexplain.plots.clear_checks import check_fits, check_maps, check_texts, one_sample, true_classes
from innexplain.plots.clear_colours import joint_scale, map_colours, sample_colours
from innexplain.plots.clear_legends import CHARACTER, Names, class_handles, legend_below, room_below
from innexplain.plots.colours import COLOUR_MAP, colour_map, colours

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from innexplain.class_maps import ClearMaps

_MOST_PANELS = 60
_SIGNAL = (2.6, 0.85)  # inches of a cell
_IMAGE = 1.5
_WIDEST = 11.0  # inches of all cells side by side
_GAP, _SIDE = 0.1, 0.1  # inches between cells, and at the sides of the figure
_LINE, _PAD = 0.16, 0.11  # inches of a line of 8 points, and between a title and its cell
_BAR = 0.45  # inches of the colour bar with its numbers
_LABEL = 24  # characters of a line at the left of a row


def response_strip(
    maps: ClearMaps,
    image: Any = None,
    *,
    sample: int = 0,
    class_names: Names = None,
    palette: str | Mapping[int, Any] = "distinct",
    percentile: float = PERCENTILE,
    channel_axis: int | None = -1,
    value_range: tuple[float, float] | None = None,
) -> Figure:
    """How the CLEAR map of one sample comes about: all responses, the dominant one, and the map.

    The responses and the dominant response have one colour scale, symmetric about zero: red for the class,
    blue against it. The frame of a class has the colour of the class in the CLEAR map; `clear_map` says how
    to keep colours over samples.

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
    one = one_sample(maps, sample)
    if image is not None:
        check_fits(one, image, channel_axis)
    of_class = sample_colours(maps, one, palette)
    numbers = one.classes[0].tolist()
    _check_panels(len(numbers))
    limit = joint_scale(one.response, percentile)
    names = [class_name(number, class_names) for number in numbers]
    cells = _Cells(one, ["input"] * (image is not None) + [*names, "dominant response", "CLEAR map"])
    if image is not None:
        _draw_sample(cells.next(), image, one, channel_axis, value_range)
    for i, number in enumerate(numbers):
        axes = cells.next()
        draw_pixels(axes, colours(one.response[0, ..., i], limit))
        axes.spines[:].set(color=of_class.get(number, OTHER), linewidth=2.5)
    draw_pixels(cells.next(), colours(one.dominant_response[0], limit))
    draw_pixels(cells.next(), clear_image(one, palette=of_class, percentile=percentile)[0])
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
    channel_axis: int | None = -1,
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
        labels: One text a row, written at its left; lines of more than 24 characters are wrapped. Default:
            the name of the true class.
        palette: See `clear_image`.
        opacity: See `clear_image`.
        percentile: Of heatmaps and CLEAR maps, see `clear_image`. Default 99.
        over_image: Draw the maps of images over them; default: on black, where weak colours can be seen too.
        channel_axis: See `clear_image`.
        value_range: See `clear_image`.

    Returns:
        A `matplotlib.figure.Figure` that belongs to no window; write it with `save_figure`.

    Raises:
        InputError: As `binary_heatmap_image`; or the number of images or labels is not that of the maps, or
            the inputs do not fit their maps.
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
    names = [class_name(n, class_names) for n in numbers.tolist()] if labels is None else labels
    texts = check_texts(names)
    for what, given in (("images", inputs), ("labels", texts)):
        if len(given) != len(numbers):
            raise InputError(f"{what}: expected {len(numbers)}, one a sample, received {len(given)}.")
    check_fits(maps, inputs[0], channel_axis, "images")
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
    titles = ["input", *columns] + [""] * 4 * (len(numbers) - 1)
    wrapped = [_wrap(text, _LABEL) for text in texts]
    cells = _Cells(maps, titles, wrapped)
    for row, text in enumerate(wrapped):
        first = cells.next()
        _draw_sample(first, inputs[row], maps, channel_axis, value_range)
        first.set_ylabel(text, rotation=0, ha="right", va="center", fontsize=8)
        for pixels in columns.values():
            draw_pixels(cells.next(), pixels[row])
    handles = class_handles(maps, of_class, class_names, below is None)
    legend_below(cells.figure, handles, "dominant class in the CLEAR map")
    return cells.figure


class _Cells:
    """The cells of a figure, row by row, placed in inches: every title has the room that its lines need."""

    def __init__(self, maps: ClearMaps, titles: Sequence[str], labels: Sequence[str] = ()) -> None:
        from matplotlib.figure import Figure

        self.cell = _SIGNAL
        if maps.response.ndim == 4:
            shape = maps.response.shape[1:3]
            self.cell = (_IMAGE, _IMAGE * float(np.clip(shape[0] / shape[1], 0.3, 3.0)))
        # Even rows: thirteen cells where seven fit are drawn as seven and six.
        rows = len(labels) or -(-len(titles) // int(_WIDEST // self.cell[0]))
        self.columns = -(-len(titles) // rows)
        self.titles = [_wrap(title, int(16 * self.cell[0])) for title in titles]
        self.left = _SIDE + (_GAP + CHARACTER * _longest(labels) if labels else 0.0)
        height = max(self.cell[1], _LINE * max(map(_lines, labels), default=0))
        self.middles, bottom = [], 0.0  # inches below the top of the figure
        for row in range(rows):
            lines = max(map(_lines, self.titles[row * self.columns : (row + 1) * self.columns]))
            self.middles.append(bottom + _GAP + (_PAD + _LINE * lines if lines else 0.0) + height / 2)
            bottom = self.middles[-1] + height / 2
        self.size = (self.left + self.columns * (self.cell[0] + _GAP) - _GAP + _SIDE, bottom + _GAP)
        self.figure = Figure(figsize=self.size, facecolor="white")

    def next(self) -> Axes:
        """The next cell, with its title."""
        drawn = len(self.figure.axes)
        row, column = divmod(drawn, self.columns)
        x = self.left + column * (self.cell[0] + _GAP)
        y = self.size[1] - self.middles[row] - self.cell[1] / 2
        (across, up), (width, height) = self.size, self.cell
        axes = self.figure.add_axes((x / across, y / up, width / across, height / up))
        axes.set_title(self.titles[drawn], fontsize=8)
        return axes


def _wrap(text: str, characters: int) -> str:
    """A text with the lines that it has itself, of which long ones are broken."""
    return "\n".join(textwrap.fill(line, characters) for line in text.split("\n"))


def _lines(text: str) -> int:
    return text.count("\n") + 1 if text else 0


def _longest(texts: Sequence[str]) -> int:
    """Characters of the longest line."""
    return max(len(line) for text in texts for line in text.split("\n"))


def _check_panels(count: int) -> None:
    if count > _MOST_PANELS:
        raise InputError(
            f"maps: a strip shows at most {_MOST_PANELS} classes, received {count}. Take some, for instance "
            "`ClearMaps.of(maps.response[..., :10], maps.classes[:, :10])`."
        )


def _draw_sample(
    axes: Axes, value: Any, maps: ClearMaps, channel_axis: int | None, value_range: tuple[float, float] | None
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
    room_below(figure, _BAR)
    height = figure.get_figheight()
    place = figure.add_axes((0.2, 0.28 / height, 0.6, 0.09 / height))
    bar = figure.colorbar(shown, cax=place, orientation="horizontal")
    bar.set_ticks(
        [-limit, 0, limit],
        labels=[f"{short_number(-limit)} against the class", "0", f"{short_number(limit)} for it"],
    )
    bar.ax.tick_params(labelsize=8, length=2)
    bar.outline.set_linewidth(0.4)
