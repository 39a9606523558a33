"""One image and one map as PIL pictures: the input, its heatmap, and one over the other."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from innexplain.arguments import is_number
from innexplain.errors import ArgumentError, InputError
from innexplain.plots.arrays import finite_array, sum_channels
from innexplain.plots.colours import COLOUR_MAP, check_scale, colours
from innexplain.regions import channel_position

if TYPE_CHECKING:
    from matplotlib.colors import Colormap
    from PIL.Image import Image

# In overlays opacity shows strength; colour shows the sign, in a tone brighter than the darkest
# ends of the colour map, which would be lost in a photograph.
_SIGN_COLOUR = 0.8
_PALER = 0.4  # how far a grey goes to white at full opacity


def display_image(
    image: Any, *, value_range: tuple[float, float] | None = None, channel_axis: int | None = -1
) -> np.ndarray:
    """An image array as RGB that a screen can show.

    Args:
        image: (height, width), or with a channel axis. One channel is grey, three are RGB, any
            other number is averaged to grey.
        value_range: Values shown as black and as white. Default: 0 and 255 for uint8, 0 and 1 for
            floats that lie in between, else the image's own minimum and maximum.
        channel_axis: -1 (default), 0, or `None` where there is none.

    Returns:
        uint8 array (height, width, 3).

    Raises:
        InputError: If it is not an image, or holds NaN or infinity.
        ArgumentError: If `value_range` is not an increasing pair, or `channel_axis` no such value.

    >>> display_image(np.array([[0.0, 1.0]])).tolist()
    [[[0, 0, 0], [255, 255, 255]]]
    """
    array = finite_array(image, "image")
    channels = channel_position(3, channel_axis)
    if array.ndim == 2:
        array = array[..., None]
    elif array.ndim == 3 and channels is not None:
        array = np.moveaxis(array, channels, -1)
    else:
        raise InputError(
            f"image: expected shape (height, width) or (height, width, channels), received "
            f"{array.shape}, channel_axis={channel_axis!r}. For a whole batch use `plots.gallery`."
        )
    low, high = _value_range(array) if value_range is None else _check_range(value_range)
    unit = np.clip((array.astype(np.float64) - low) / (high - low), 0.0, 1.0)
    if unit.shape[-1] != 3:
        unit = np.repeat(unit.mean(axis=-1, keepdims=True), 3, axis=-1)
    return np.rint(unit * 255).astype(np.uint8)


def _value_range(array: np.ndarray) -> tuple[float, float]:
    if array.dtype == np.uint8:
        return 0.0, 255.0
    low, high = float(array.min()), float(array.max())
    if low >= 0 and high <= 1:
        return 0.0, 1.0
    # A constant image has no range of its own; any positive one draws it black.
    return (low, high) if high > low else (low, low + 1.0)


def _check_range(value_range: tuple[float, float]) -> tuple[float, float]:
    if np.shape(value_range) != (2,) or not value_range[0] < value_range[1]:
        raise ArgumentError(
            f"value_range: expected (black, white) with black < white, received {value_range!r}."
        )
    return float(value_range[0]), float(value_range[1])


def heatmap_image(
    attribution: Any,
    *,
    scale: float | None = None,
    cmap: str | Colormap = COLOUR_MAP,
    channel_axis: int | None = -1,
    min_side: int = 0,
) -> Image:
    """The map of one image in colours: red for, blue against, white nothing.

    Args:
        attribution: (height, width), or with a channel axis, which is summed.
        scale: Value at the ends of the colours. Default: the map's own `max |R|`.
        cmap: Name of a matplotlib colour map, or a `Colormap`; zero is at its centre.
        channel_axis: -1 (default), 0, or `None` where there is none.
        min_side: Enlarge by a whole factor until the shorter side has this many pixels.

    Returns:
        An RGB `PIL.Image.Image`.

    Raises:
        InputError: If the shape is not that of one image's map, or it holds NaN or infinity.
        ArgumentError: If `scale` is not positive.

    >>> heatmap_image([[0.0, 3.0]]).getpixel((1, 0))
    (103, 0, 31)
    """
    from PIL import Image

    flat = sum_channels(attribution, 2, channel_axis)
    picture = Image.fromarray(colours(flat, check_scale(scale, flat), cmap))
    return _enlarge(picture, min_side)


def overlay(
    image: Any,
    attribution: Any,
    opacity: float = 0.9,
    *,
    scale: float | None = None,
    cmap: str | Colormap = COLOUR_MAP,
    channel_axis: int | None = -1,
    value_range: tuple[float, float] | None = None,
    min_side: int = 0,
) -> Image:
    """The map over its image, more opaque where it is stronger.

    `pixel = (1 - alpha) image + alpha colour(sign R)`, with `alpha = opacity |R| / scale`.

    The image is drawn in grey, so that every colour belongs to the map, and is the paler the
    higher the opacity, so that colours stand out in its dark parts too.

    Args:
        image: (height, width), or with a channel axis.
        attribution: Map of the same height and width, with or without channels. A smaller map (of
            a deep layer) is enlarged linearly to the image.
        opacity: In [0, 1], of the strongest pixel; 0 shows the grey image alone. Default 0.9.
        scale: Value at the ends of the colours. Default: the map's own `max |R|`.
        cmap: Name of a matplotlib colour map, or a `Colormap`.
        channel_axis: -1 (default), 0, or `None` where there is none, for both arrays.
        value_range: See `display_image`.
        min_side: Enlarge by a whole factor until the shorter side has this many pixels.

    Returns:
        An RGB `PIL.Image.Image`.

    Raises:
        InputError: If the arrays are not one image and its map.
        ArgumentError: If `opacity` is outside [0, 1].

    >>> overlay([[1.0, 0.0]], [[0.0, 2.0]], opacity=1.0).getpixel((1, 0))
    (177, 23, 42)
    """
    from PIL import Image

    if not is_number(opacity) or not 0 <= opacity <= 1:
        raise ArgumentError(f"opacity: expected a number in [0, 1], received {opacity!r}.")
    grey = grey_image(image, value_range=value_range, channel_axis=channel_axis)
    flat = _fit(sum_channels(attribution, 2, channel_axis), grey.shape)
    strength = np.minimum(np.abs(flat) / check_scale(scale, flat), 1.0)
    mixed = blend(grey, colours(_SIGN_COLOUR * np.sign(flat), 1.0, cmap), strength, opacity)
    return _enlarge(Image.fromarray(mixed), min_side)


def grey_image(
    image: Any, *, value_range: tuple[float, float] | None = None, channel_axis: int | None = -1
) -> np.ndarray:
    """An image as `display_image` shows it, without its colours: uint8 (height, width).

    >>> grey_image(np.array([[[1.0, 1.0, 1.0], [0.0, 1.0, 0.0]]])).tolist()
    [[255, 150]]
    """
    from PIL import Image

    shown = display_image(image, value_range=value_range, channel_axis=channel_axis)
    return np.asarray(Image.fromarray(shown).convert("L"))


def blend(grey: np.ndarray, rgb: np.ndarray, strength: np.ndarray, opacity: float) -> np.ndarray:
    """Colours over a grey image: `(1 - alpha) pale + alpha rgb`, with `alpha = opacity strength`.

    Args:
        grey: What `grey_image` returned, (height, width).
        rgb: Colours from 0 to 255, (height, width, 3).
        strength: In [0, 1], (height, width).
        opacity: In [0, 1]; the higher it is, the paler the image, so that colours stand out in
            its dark parts too.

    Returns:
        uint8 array (height, width, 3).

    >>> blend(np.array([[100]]), np.array([[[0, 200, 0]]]), np.array([[0.5]]), 0.0).tolist()
    [[[100, 100, 100]]]
    """
    image, alpha = np.asarray(grey, dtype=np.float64)[..., None], opacity * strength[..., None]
    pale = image + _PALER * opacity * (255 - image)
    return np.asarray(np.rint((1 - alpha) * pale + alpha * rgb).astype(np.uint8))


def _fit(flat: np.ndarray, size: tuple[int, ...]) -> np.ndarray:
    """The map at the size of the image; only enlarging is meant, anything else is a mix-up."""
    from PIL import Image

    if flat.shape == size:
        return flat
    if flat.shape[0] > size[0] or flat.shape[1] > size[1]:
        raise InputError(
            f"attribution: expected a map of the image's height and width {size} or a smaller "
            f"one, received {flat.shape}. Do the image and the map belong together, and is "
            "channel_axis right?"
        )
    small = Image.fromarray(flat.astype(np.float32))
    return np.asarray(small.resize((size[1], size[0]), Image.Resampling.BILINEAR))


def _enlarge(picture: Image, min_side: int) -> Image:
    from PIL import Image

    factor = -(-min_side // min(picture.size))
    if factor <= 1:
        return picture
    width, height = picture.size
    return picture.resize((width * factor, height * factor), Image.Resampling.NEAREST)
