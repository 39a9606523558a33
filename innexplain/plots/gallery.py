"""Many inputs and many analyzers in one figure: inputs down, analyzers across."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from innexplain.errors import ArgumentError, InputError
from innexplain.plots.arrays import finite_array, sum_channels
from innexplain.plots.cells import KINDS, draw_input, draw_map, short_number
from innexplain.plots.colours import COLOUR_MAP, symmetric_scale
from innexplain.plots.legends import Legend, draw_legends, legends, meanings_of

if TYPE_CHECKING:
    from matplotlib.colors import Colormap
    from matplotlib.figure import Figure

_SCALES = {
    "sample": "each map has its own colour ends (written below it)",
    "joint": "one scale for all maps of an analyzer (written below its name)",
}
# By whether there is no channel axis.
_KINDS_OF_RANK = {
    False: (
        {4: "image", 3: "signal", 2: "table"},
        "(n, height, width, channels), (n, steps, channels) or (n, features)",
    ),
    True: ({3: "image", 2: "table"}, "(n, height, width) or (n, features)"),
}


@dataclass(frozen=True)
class _Layout:
    """Where the cells are, in inches from the top left corner: computed, so nothing overlaps."""

    rows: int
    columns: int
    blocks: int
    width: float
    height: float
    label: float
    top: float
    header: float
    foot: float
    below: float = 0.17
    gap: float = 0.1

    @property
    def block(self) -> float:
        return self.header + self.rows * (self.height + self.below) + 0.1

    @property
    def size(self) -> tuple[float, float]:
        width = self.label + (self.columns + 1) * (self.width + self.gap) + 0.15
        return max(width, 5.2), self.top + self.blocks * self.block + self.foot

    def cell(self, block: int, row: int, column: int) -> tuple[float, float, float, float]:
        """left, bottom, width, height as fractions of the figure; column 0 is the input's."""
        width, height = self.size
        left = self.label + column * (self.width + self.gap)
        upper = self.top + block * self.block + self.header + row * (self.height + self.below)
        bottom = height - upper - self.height
        return left / width, bottom / height, self.width / width, self.height / height


def gallery(
    images: Any,
    maps: Mapping[str, Any],
    row_labels: Sequence[str] | None = None,
    *,
    scale: str = "sample",
    percentile: float = 100.0,
    kind: str = "auto",
    columns: int = 10,
    title: str | None = None,
    cmap: str | Colormap = COLOUR_MAP,
    channel_axis: int | None = -1,
    value_range: tuple[float, float] | None = None,
    meaning: str | Mapping[str, str] | None = None,
) -> Figure:
    """A figure of n inputs (rows) and the maps of several analyzers (columns).

    Colours are symmetric about zero: red above, blue below, white zero; bars at the foot say what that means.

    Args:
        images: The n inputs: images (n, height, width, channels), signals (n, steps, channels) or
            tables (n, features); with the `kind` given, also without the channel axis.
        maps: Name of the analyzer -> its n maps, with or without channel axis (it is summed).
        row_labels: One text an input, written at its left; may have several lines.
        scale: What the colour ends mean: `"sample"` (default), the largest `|R|` of each map, or
            `"joint"`, the largest `|R|` of all n maps of an analyzer.
        percentile: of `|R|` at the colour ends, default 100, the largest; a few extreme pixels no longer
            bleach all others with 99.5.
        kind: `"image"`, `"signal"`, `"table"`, or `"auto"` (default): by the rank of `images`.
        columns: Analyzers side by side; further ones follow in a block below. Default 10.
        title: Written above; may have several lines.
        cmap: Name of a matplotlib colour map, or a `Colormap`.
        channel_axis: -1 (default) or 0: of one sample, so 0 means (n, channels, height, width); `None` where
            there is none, as of images (n, height, width).
        value_range: Values of the images shown as black and as white, see `display_image`.
        meaning: What the numbers of maps stand for: `"relevance"` (for or against the explained class),
            `"strength"` (never below zero, as of `sensitivity`) or `"signal"` (values like those of inputs,
            as of `pattern.net`), or a dict by name of the analyzer; default: what the maps of analyzers of
            these names stand for, of other names relevance.

    Returns:
        A `matplotlib.figure.Figure` that belongs to no window; write it with `save_figure`.

    Raises:
        ArgumentError: If an option has a value it cannot have.
        UnknownNameError: If `meaning` is none of these, or names an analyzer that has no maps.
        InputError: If shapes or numbers of inputs, maps and labels do not fit each other.

    >>> figure = gallery(np.zeros((2, 8, 8, 1)), {"gradient": np.ones((2, 8, 8, 1))})
    >>> [axes.get_title() for axes in figure.axes][:2]
    ['image', 'gradient']
    """
    from matplotlib.figure import Figure

    _check_options(scale, columns, maps)
    inputs = finite_array(images, "images")
    kind = _kind(kind, inputs, channel_axis)
    labels = _labels(row_labels, len(inputs))
    rank = KINDS[kind].rank
    flat = {name: _flat_maps(name, values, inputs, rank, channel_axis) for name, values in maps.items()}
    names = list(flat)
    meanings = meanings_of(meaning, names)
    foot = legends(meanings, _SCALES[scale])
    # Even blocks: twelve analyzers at ten a block are drawn as six and six.
    columns = -(-len(names) // -(-len(names) // columns))
    layout = _layout(kind, inputs, labels, names, columns, title, channel_axis, foot)
    figure = Figure(figsize=layout.size)
    figure.patch.set_facecolor("white")
    if title:
        figure.text(0.15 / layout.size[0], 1 - 0.12 / layout.size[1], title, va="top", fontsize=11)
    for block in range(layout.blocks):
        part = names[block * columns : (block + 1) * columns]
        for row in range(len(inputs)):
            axes = figure.add_axes(layout.cell(block, row, 0))
            draw_input(axes, inputs[row], kind, channel_axis, value_range)
            axes.set_ylabel(labels[row], rotation=0, ha="right", va="center", fontsize=8)
            if row == 0:
                axes.set_title(KINDS[kind].title, fontsize=8, fontweight="bold")
            for column, name in enumerate(part, start=1):
                axes = figure.add_axes(layout.cell(block, row, column))
                drawn = flat[name] if scale == "joint" else flat[name][row]
                limit = symmetric_scale(drawn, percentile)
                draw_map(axes, flat[name][row], inputs[row], kind, limit, cmap, channel_axis)
                _caption(axes, name, _ends(limit, meanings[name]), row, scale)
    draw_legends(figure, layout.size, cmap, foot)
    return figure


def _check_options(scale: str, columns: int, maps: Mapping[str, Any]) -> None:
    if scale not in _SCALES:
        raise ArgumentError(f"scale: expected 'sample' or 'joint', received {scale!r}.")
    if isinstance(columns, bool) or not isinstance(columns, int) or columns < 1:
        raise ArgumentError(f"columns: expected a whole number from 1 on, received {columns!r}.")
    if not isinstance(maps, Mapping) or not maps:
        raise ArgumentError(
            "maps: expected a dict {name of the analyzer: its maps} with at least one entry, "
            f"received {type(maps).__name__} {'without entries' if not maps else ''}".rstrip()
            + "."
        )


def _kind(kind: str, inputs: np.ndarray, channel_axis: int | None) -> str:
    if kind not in ("auto", *KINDS):
        raise ArgumentError(f"kind: expected 'auto' or one of {[*KINDS]}, received {kind!r}.")
    if kind == "auto":
        known, drawn = _KINDS_OF_RANK[channel_axis is None]
        if inputs.ndim not in known:
            raise InputError(
                f"images: a gallery draws {drawn}, received shape {inputs.shape}, "
                f"channel_axis={channel_axis!r}. For volumes or videos, draw slices."
            )
        return known[inputs.ndim]
    least = KINDS[kind].rank + 1
    most = least + (kind != "table" and channel_axis is not None)
    if inputs.ndim not in (least, most):
        also = f" or {most}" if most > least else ""
        raise InputError(
            f"images: kind={kind!r} expects {least} axes (no channels){also}, "
            f"the first counting samples; received shape {inputs.shape}, channel_axis={channel_axis!r}."
        )
    return kind


def _labels(row_labels: Sequence[str] | None, count: int) -> list[str]:
    labels = [""] * count if row_labels is None else [str(label) for label in row_labels]
    if len(labels) != count:
        raise InputError(f"row_labels: expected {count}, one an input, received {len(labels)}.")
    return labels


def _flat_maps(
    name: str, values: Any, inputs: np.ndarray, rank: int, channel_axis: int | None
) -> list[np.ndarray]:
    array = finite_array(values, f"maps[{name!r}]")
    if array.ndim == 0 or len(array) != len(inputs):
        raise InputError(
            f"maps[{name!r}]: expected {len(inputs)} maps, one an input, received shape {array.shape}."
        )
    return [sum_channels(one, rank, channel_axis, f"maps[{name!r}][{i}]") for i, one in enumerate(array)]


def _layout(
    kind: str,
    inputs: np.ndarray,
    labels: list[str],
    names: list[str],
    columns: int,
    title: str | None,
    channel_axis: int | None,
    foot: list[Legend],
) -> _Layout:
    width, height = KINDS[kind].width, KINDS[kind].height
    if kind == "image":
        shape = inputs.shape[2:] if inputs.ndim == 4 and channel_axis == 0 else inputs.shape[1:]
        height = float(np.clip(width * shape[0] / shape[1], 0.3, 3.0))
    heads = max(_wrap(name).count("\n") + 2 for name in names)  # lines, one for the scale
    longest = max((len(line) for label in labels for line in label.split("\n")), default=0)
    return _Layout(
        rows=len(inputs),
        columns=columns,
        blocks=-(-len(names) // columns),
        width=width,
        height=height,
        label=0.25 + 0.068 * longest,
        top=0.15 + (0.2 * (title.count("\n") + 1) if title else 0.0),
        header=0.2 + 0.14 * heads,
        foot=sum(legend.height for legend in foot),
    )


def _ends(limit: float, meaning: str) -> str:
    return ("0 to " if meaning == "strength" else "\N{PLUS-MINUS SIGN}") + short_number(limit)


def _caption(axes: Any, name: str, ends: str, row: int, scale: str) -> None:
    if row == 0:
        shown = _wrap(name)
        axes.set_title(shown + (f"\n{ends}" if scale == "joint" else ""), fontsize=8)
    if scale == "sample":
        axes.set_xlabel(ends, fontsize=6.5, labelpad=2, color="0.35")


def _wrap(name: str, width: int = 17) -> str:
    """The name in lines of at most `width` characters, broken after dots and underscores."""
    lines = [""]
    for piece in re.findall(r"[^._]*[._]?", name):
        if lines[-1] and len(lines[-1]) + len(piece) > width:
            lines.append("")
        lines[-1] += piece
    return "\n".join(lines)
