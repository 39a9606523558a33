"""CLEAR on matplotlib axes: one sample's map with its legend."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from innexplain.plots.arrays import finite_array
from innexplain.plots.cells import bare, draw_input
from innexplain.plots.class_colours import class_name
from innexplain.plots.clear import (
    PERCENTILE,
    binary_heatmap_image,
    binary_map_image,
    clear_image,
)
from innexplain.plots.clear_checks import check_axes, check_fits, check_maps, one_sample, true_classes
from innexplain.plots.clear_colours import sample_colours
from innexplain.plots.clear_legends import (
    Handles,
    Names,
    class_handles,
    draw_legend,
    heatmap_handles,
    legend_size,
    map_handles,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from innexplain.class_maps import ClearMaps

_SIGNAL, _IMAGE, _MARGIN = (4.6, 2.2), 3.4, 0.12  # inches
_BAND = 0.45  # height of a signal's map, as a part of the height of the signal


def clear_map(
    maps: ClearMaps,
    image: Any = None,
    *,
    sample: int = 0,
    class_names: Names = None,
    palette: str | Mapping[int, Any] = "distinct",
    opacity: float = 1.0,
    scale: float | None = None,
    percentile: float = PERCENTILE,
    channel_axis: int | None = -1,
    value_range: tuple[float, float] | None = None,
    axes: Axes | None = None,
) -> Axes:
    """The CLEAR map of one sample, with a legend of the classes that dominate somewhere.

    A class has the colour that it has in every other sample of `maps`, unless these have more than 12
    classes in all: then the colours belong to the classes of this sample, those that dominate most in it.
    To keep colours over such samples choose the classes that matter and give the same
    `palette=class_colours([3, 7, 9])`, or a dict {class: colour}, to each picture; the others are light
    grey. `palette="hue"` keeps colours too.

    The map of a signal is a band, and the signal is drawn above it.

    Args:
        maps: Of a batch of images (n, h, w, classes) or signals (n, steps, classes).
        image: The sample itself, (h, w), (h, w, channels), (steps,) or (steps, channels). Default: the map
            alone, on black.
        sample: Which sample of the batch, default 0.
        class_names: A name for each class number, or `{number: name}`. Default: "class 7".
        palette: See `clear_image`.
        opacity: See `clear_image`.
        scale: See `clear_image`.
        percentile: See `clear_image`; here 99, since a few extreme pixels would darken real maps.
        channel_axis: See `clear_image`.
        value_range: See `clear_image`.
        axes: Where to draw. Default: those of a new figure that belongs to no window, `axes.figure`.

    Returns:
        The axes.

    Raises:
        InputError: As `clear_image`; or there is no such sample, or no name for a class; or the image or
            signal does not fit its map.
        ArgumentError: If an option has a value it cannot have.

    Reference: Kumar et al. 2017 (CLEAR), equation 6 and figure 2.

    >>> import numpy as np
    >>> from innexplain import ClearMaps
    >>> from innexplain.plots import clear_map
    >>> maps = ClearMaps.of(np.array([[[[4.0, 0.0], [0.0, 2.0], [1.0, 1.0]]]]), np.array([[7, 9]]))
    >>> axes = clear_map(maps, class_names={7: "seven", 9: "nine"})
    >>> [text.get_text() for text in axes.get_legend().get_texts()]
    ['seven', 'nine', 'no class']
    """
    check_maps(maps)
    one = one_sample(maps, sample)
    colours = sample_colours(maps, one, palette)
    over = _picture_below(one, image, channel_axis)
    pixels = clear_image(
        one, over, palette=colours, opacity=opacity, scale=scale, percentile=percentile,
        channel_axis=channel_axis, value_range=value_range,
    )  # fmt: skip
    handles = class_handles(one, colours, class_names, over is None)
    note = "brighter: stronger" if over is None else "more opaque: stronger"
    return _draw(axes, pixels[0], image, channel_axis, handles, f"dominant class\n({note})")


def binary_heatmap(
    maps: ClearMaps,
    true_class: Any,
    image: Any = None,
    *,
    sample: int = 0,
    class_names: Names = None,
    opacity: float = 1.0,
    scale: float | None = None,
    percentile: float = PERCENTILE,
    channel_axis: int | None = -1,
    value_range: tuple[float, float] | None = None,
    axes: Axes | None = None,
) -> Axes:
    """The binary heatmap of one sample: hot for the true class, green for the strongest other one.

    Args:
        maps: See `clear_map`.
        true_class: The class number, or n of them, one a sample of the batch.
        image: See `clear_map`.
        sample: See `clear_map`.
        class_names: See `clear_map`.
        opacity: See `clear_image`.
        scale: See `binary_heatmap_image`.
        percentile: See `clear_map`.
        channel_axis: See `clear_image`.
        value_range: See `clear_image`.
        axes: See `clear_map`.

    Returns:
        The axes.

    Raises:
        InputError: As `clear_map`; or the true class is not among the classes of the sample.
        ArgumentError: If an option has a value it cannot have.

    Reference: Kumar et al. 2017 (CLEAR), section 4.2 and figure 3.

    >>> import numpy as np
    >>> from innexplain import ClearMaps
    >>> from innexplain.plots import binary_heatmap
    >>> maps = ClearMaps.of(np.array([[[[4.0, 0.0], [0.0, 2.0], [1.0, 1.0]]]]), np.array([[7, 9]]))
    >>> [text.get_text() for text in binary_heatmap(maps, 7).get_legend().get_texts()]
    ['for class 7', 'for another class']
    """
    one, number = _sample_and_class(maps, true_class, sample)
    over = _picture_below(one, image, channel_axis)
    pixels = binary_heatmap_image(
        one, number, over, opacity=opacity, scale=scale, percentile=percentile,
        channel_axis=channel_axis, value_range=value_range,
    )  # fmt: skip
    handles = heatmap_handles(class_name(number, class_names), None if over is None else opacity)
    note = "weak to strong" if over is None else "more opaque: stronger"
    return _draw(axes, pixels[0], image, channel_axis, handles, f"largest response\n({note})")


def binary_map(
    maps: ClearMaps,
    true_class: Any,
    image: Any = None,
    *,
    sample: int = 0,
    class_names: Names = None,
    threshold: float = 0.05,
    opacity: float = 1.0,
    scale: float | None = None,
    channel_axis: int | None = -1,
    value_range: tuple[float, float] | None = None,
    axes: Axes | None = None,
) -> Axes:
    """The binary map of one sample: red where the true class responds most, blue where another does.

    Args:
        maps: See `clear_map`.
        true_class: See `binary_heatmap`.
        image: See `clear_map`.
        sample: See `clear_map`.
        class_names: See `clear_map`.
        threshold: See `binary_map_image`.
        opacity: See `clear_image`.
        scale: See `binary_heatmap_image`.
        channel_axis: See `clear_image`.
        value_range: See `clear_image`.
        axes: See `clear_map`.

    Returns:
        The axes.

    Raises:
        InputError: As `binary_heatmap`.
        ArgumentError: If an option has a value it cannot have.

    Reference: Kumar et al. 2017 (CLEAR), section 4.2 and figure 4.

    >>> import numpy as np
    >>> from innexplain import ClearMaps
    >>> from innexplain.plots import binary_map
    >>> maps = ClearMaps.of(np.array([[[[4.0, 0.0], [0.0, 2.0], [1.0, 1.0]]]]), np.array([[7, 9]]))
    >>> binary_map(maps, 7).images[0].get_array()[0, :, 0].tolist()
    [230, 64, 0]
    """
    one, number = _sample_and_class(maps, true_class, sample)
    over = _picture_below(one, image, channel_axis)
    pixels = binary_map_image(
        one, number, over, threshold=threshold, opacity=opacity, scale=scale,
        channel_axis=channel_axis, value_range=value_range,
    )  # fmt: skip
    handles = map_handles(class_name(number, class_names))
    return _draw(axes, pixels[0], image, channel_axis, handles, "largest response")


def draw_pixels(axes: Axes, pixels: np.ndarray, signal: Any = None, channel_axis: int | None = -1) -> None:
    """An RGB picture; the pixels of a signal as a band, below the signal if it is given.

    Args:
        axes: Where to draw.
        pixels: uint8, (h, w, 3) or (steps, 3).
        signal: Of one sample; not drawn where the pixels are those of an image.
        channel_axis: -1, 0 or `None`, of the signal.
    """
    if pixels.ndim == 3:
        axes.imshow(pixels, interpolation="nearest")
        bare(axes)
        return
    low, top = 0.0, 0.0
    if signal is not None:
        draw_input(axes, finite_array(signal, "image"), "signal", channel_axis)
        low, top = axes.get_ylim()
    bottom = low - (_BAND * (top - low) or 1.0)
    ends = (-0.5, len(pixels) - 0.5)
    axes.imshow(pixels[None], aspect="auto", interpolation="nearest", extent=(*ends, bottom, low))
    axes.set_ylim(bottom, top)
    axes.set_xlim(*ends)
    bare(axes)


def _sample_and_class(maps: ClearMaps, true_class: Any, sample: int) -> tuple[ClearMaps, int]:
    check_maps(maps)
    one = one_sample(maps, sample)
    given = true_class if np.ndim(true_class) == 0 else true_classes(maps, true_class)[sample]
    return one, int(true_classes(one, given)[0])


def _picture_below(maps: ClearMaps, image: Any, channel_axis: int | None) -> Any:
    """The image as a batch of one; a signal is drawn above its map, not below it."""
    if image is None:
        return None
    check_fits(maps, image, channel_axis)
    return None if maps.response.ndim == 3 else np.asarray(image)[None]


def _draw(
    axes: Axes | None, pixels: np.ndarray, image: Any, channel_axis: int | None, handles: Handles, title: str
) -> Axes:
    axes = _new_axes(pixels.shape[:-1], handles) if axes is None else check_axes(axes)
    draw_pixels(axes, pixels, image, channel_axis)
    draw_legend(axes, handles, title)
    return axes


def _new_axes(shape: tuple[int, ...], handles: Handles) -> Axes:
    """Axes of a new figure with room for the legend: in inches, so that nothing is cut."""
    from matplotlib.figure import Figure

    width, height = _SIGNAL
    if len(shape) == 2:
        width = min(_IMAGE * shape[1] / shape[0], 1.5 * _IMAGE)
        height = min(width * shape[0] / shape[1], 2 * _IMAGE)
    beside, lines = legend_size(handles)
    size = (width + beside + 2 * _MARGIN, max(height, lines) + 2 * _MARGIN)
    top = size[1] - _MARGIN - height
    place = (_MARGIN / size[0], top / size[1], width / size[0], height / size[1])
    return Figure(figsize=size, facecolor="white").add_axes(place)
