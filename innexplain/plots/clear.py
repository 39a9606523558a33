"""CLEAR as pixels: which class dominates, and what speaks for and against the true class."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from innexplain.arguments import check_number
from innexplain.errors import InputError
from innexplain.plots.arrays import finite_array
from innexplain.plots.class_colours import paint
from innexplain.plots.clear_checks import check_fits, check_maps, true_classes
from innexplain.plots.clear_colours import dominance, map_colours, unit
from innexplain.plots.colours import colour_map
from innexplain.plots.images import blend, grey_image

if TYPE_CHECKING:
    from innexplain.class_maps import ClearMaps

PERCENTILE = 99.0  # of figures: real maps have a few extreme pixels, beside which all others are black

# Of binary maps; blue is light enough for a black ground.
FOR, AGAINST = (0.90, 0.10, 0.12), (0.25, 0.45, 1.0)
HOT, GREEN = "hot", (0.0, 0.85, 0.3)  # of binary heatmaps
_HOT_START = 0.36  # where "hot" has become red: over an image opacity shows strength, not darkness


def clear_image(
    maps: ClearMaps,
    images: Any = None,
    *,
    palette: str | Mapping[int, Any] = "distinct",
    opacity: float = 1.0,
    scale: float | None = None,
    percentile: float = 100.0,
    channel_axis: int | None = -1,
    value_range: tuple[float, float] | None = None,
) -> np.ndarray:
    """CLEAR maps: the colour says which class dominates, its strength how much.

    `pixel = V colour(C(x))`, with `V = max(D(x), 0) / max D`; with images
    `pixel = (1 - alpha) grey image + alpha colour(C(x))`, with `alpha = opacity V`. Where no class
    responds, or several equally, there is no colour.

    A class has one colour in all samples: colours belong to the sorted classes of the whole batch. Where
    these are more than `"distinct"` has, the 12 that dominate most have a colour and the others are light
    grey.

    Args:
        maps: Of n images (n, h, w, classes) or signals (n, steps, classes).
        images: The n images (n, h, w) or (n, h, w, channels); drawn in grey. Default: a black ground.
        palette: `"distinct"` (default), `"hue"` or `{class: colour}`, see `class_colours`.
        opacity: In [0, 1], of the strongest pixel over its image; 0 shows the grey image. Default 1.
        scale: Response at full strength. Default: of each sample the strongest dominant response, or with
            `percentile` below 100 that percentile of the positive ones: stronger ones look the same, and a
            few extreme pixels no longer darken all others.
        percentile: In (0, 100], default 100, the strongest.
        channel_axis: -1 (default), 0, or `None` where there is none: of one image.
        value_range: Values of the images shown as black and as white, see `display_image`.

    Returns:
        uint8 array (n, h, w, 3), for signals (n, steps, 3).

    Raises:
        InputError: If the maps are neither of images nor of signals, the images do not fit them, or
            something holds NaN or infinity.
        ArgumentError: If an option has a value it cannot have.

    Reference: Kumar et al. 2017 (CLEAR), equation 6 and figure 2.

    >>> import numpy as np
    >>> from innexplain import ClearMaps
    >>> from innexplain.plots import clear_image
    >>> maps = ClearMaps.of(np.array([[[[4.0, 0.0], [0.0, 2.0], [-1.0, -2.0]]]]), np.array([[7, 9]]))
    >>> clear_image(maps, palette="hue").tolist()
    [[[[255, 0, 0], [0, 128, 128], [0, 0, 0]]]]
    """
    check_maps(maps)
    strength = np.stack([unit(one, scale, percentile) for one in dominance(maps)])
    rgb = paint(maps.dominant_class, map_colours(maps, palette))
    on_black = rgb * strength[..., None]
    return _compose(maps, on_black, rgb, strength, images, opacity, channel_axis, value_range)


def binary_heatmap_image(
    maps: ClearMaps,
    true_class: Any,
    images: Any = None,
    *,
    opacity: float = 1.0,
    scale: float | None = None,
    percentile: float = 100.0,
    channel_axis: int | None = -1,
    value_range: tuple[float, float] | None = None,
) -> np.ndarray:
    """Binary heatmaps: hot where the true class responds most, green where another class does.

    At each location the larger one of `R(x|true)` and `max R(x|c)`, c the other classes, is shown if it
    is positive; one scale for both, so that their brightness can be compared.

    Args:
        maps: See `clear_image`.
        true_class: n class numbers, or one for all, of those that `maps.classes` has for the sample.
        images: See `clear_image`.
        opacity: See `clear_image`.
        scale: Response at full strength. Default: of each sample the strongest one shown, or a percentile.
        percentile: See `clear_image`.
        channel_axis: See `clear_image`.
        value_range: See `clear_image`.

    Returns:
        uint8 array (n, h, w, 3), for signals (n, steps, 3).

    Raises:
        InputError: As `clear_image`; or a true class is not among the classes of its sample.
        ArgumentError: If an option has a value it cannot have.

    Reference: Kumar et al. 2017 (CLEAR), section 4.2 and figure 3.

    >>> import numpy as np
    >>> from innexplain import ClearMaps
    >>> from innexplain.plots import binary_heatmap_image
    >>> maps = ClearMaps.of(np.array([[[[4.0, 0.0], [0.0, 2.0], [-1.0, -2.0]]]]), np.array([[7, 9]]))
    >>> binary_heatmap_image(maps, [7]).tolist()
    [[[[255, 255, 255], [0, 108, 38], [0, 0, 0]]]]
    """
    speaks_for, against = _sides(maps, true_class, scale, percentile)
    is_for = (speaks_for > 0)[..., None]
    strength = speaks_for + against  # one of them is zero
    on_black = np.where(is_for, colour_map(HOT)(speaks_for)[..., :3], against[..., None] * np.array(GREEN))
    over = np.where(is_for, warm(speaks_for), np.array(GREEN))
    return _compose(maps, on_black, over, strength, images, opacity, channel_axis, value_range)


def binary_map_image(
    maps: ClearMaps,
    true_class: Any,
    images: Any = None,
    *,
    threshold: float = 0.05,
    opacity: float = 1.0,
    scale: float | None = None,
    channel_axis: int | None = -1,
    value_range: tuple[float, float] | None = None,
) -> np.ndarray:
    """Binary maps: red where the true class responds most, blue where another does, whatever its strength.

    Args:
        maps: See `clear_image`.
        true_class: See `binary_heatmap_image`.
        images: See `clear_image`.
        threshold: In [0, 1]: nothing is drawn where the larger response is below this part of the
            strongest one. Default 0.05: without it responses that are zero but for rounding would have
            the same full colour as the strongest.
        opacity: See `clear_image`, here of every red and blue pixel.
        scale: See `binary_heatmap_image`.
        channel_axis: See `clear_image`.
        value_range: See `clear_image`.

    Returns:
        uint8 array (n, h, w, 3), for signals (n, steps, 3).

    Raises:
        InputError: As `binary_heatmap_image`.
        ArgumentError: If an option has a value it cannot have.

    Reference: Kumar et al. 2017 (CLEAR), section 4.2 and figure 4.

    >>> import numpy as np
    >>> from innexplain import ClearMaps
    >>> from innexplain.plots import binary_map_image
    >>> maps = ClearMaps.of(np.array([[[[4.0, 0.0], [0.0, 2.0], [0.1, 0.0]]]]), np.array([[7, 9]]))
    >>> binary_map_image(maps, [7]).tolist()
    [[[[230, 26, 31], [64, 115, 255], [0, 0, 0]]]]
    """
    least = check_number("threshold", threshold, 0, 1)
    speaks_for, against = _sides(maps, true_class, scale)
    strength = speaks_for + against
    shown = np.where((strength > 0) & (strength >= least), 1.0, 0.0)
    rgb = np.where((speaks_for > 0)[..., None], np.array(FOR), np.array(AGAINST))
    on_black = rgb * shown[..., None]
    return _compose(maps, on_black, rgb, shown, images, opacity, channel_axis, value_range)


def warm(strength: np.ndarray) -> np.ndarray:
    """The colours for the true class over an image: from red on, since opacity shows the strength too.

    >>> warm(np.array([1.0])).tolist()
    [[1.0, 1.0, 1.0]]
    """
    return np.asarray(colour_map(HOT)(_HOT_START + (1 - _HOT_START) * strength))[..., :3]


def _sides(
    maps: ClearMaps, true_class: Any, scale: float | None, percentile: float = 100.0
) -> tuple[np.ndarray, np.ndarray]:
    """Strengths for and against the true class, in [0, 1]: the larger one at each place, the other 0."""
    check_maps(maps)
    response = maps.response.astype(np.float64)
    is_true = maps.classes == true_classes(maps, true_class)[:, None]
    is_true = is_true.reshape(len(response), *[1] * (response.ndim - 2), -1)
    own = np.where(is_true, response, -np.inf).max(axis=-1)
    rest = np.where(is_true, -np.inf, response).max(axis=-1)
    larger = np.where(own == rest, 0.0, np.maximum(np.maximum(own, rest), 0.0))
    strength = np.stack([unit(one, scale, percentile) for one in larger])
    return np.where(own > rest, strength, 0.0), np.where(own > rest, 0.0, strength)


def _compose(
    maps: ClearMaps,
    on_black: np.ndarray,
    rgb: np.ndarray,
    strength: np.ndarray,
    images: Any,
    opacity: float,
    channel_axis: int | None,
    value_range: tuple[float, float] | None,
) -> np.ndarray:
    """uint8 pixels: the colours on black, or over their images where there are some."""
    check_number("opacity", opacity, 0, 1)
    if images is None:
        return np.asarray(np.rint(255 * on_black).astype(np.uint8))
    if strength.ndim != 3:
        raise InputError(
            "images: only maps of images (n, height, width, classes) can be drawn over them, received maps "
            f"of shape {strength.shape}. `clear_map` draws a signal above its map."
        )
    array = finite_array(images, "images")
    if len(array) != len(strength):
        raise InputError(f"images: expected {len(strength)}, one a map, received shape {array.shape}.")
    check_fits(maps, array[0], channel_axis, "images")
    greys = [grey_image(one, value_range=value_range, channel_axis=channel_axis) for one in array]
    parts = zip(greys, 255 * rgb, strength, strict=True)
    return np.stack([blend(grey, colour, part, opacity) for grey, colour, part in parts])
