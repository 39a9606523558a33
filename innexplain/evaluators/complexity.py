"""How complex a map is: bytes of its picture, entropy, sparseness.

A good map marks what matters and not more, so it is easier to compress than a noisy one (Samek et al. 2017,
section IV-B and figure 5).  All functions take attributions (n, *spatial) or with channels, which are summed.
"""

from __future__ import annotations

import io
from typing import Any

import numpy as np

from innexplain.arguments import check_count
from innexplain.errors import ArgumentError, InputError
from innexplain.evaluators.arrays import lone_maps
from innexplain.plots import heatmap_image

_LONGEST = {"PNG": 2**31 - 1, "JPEG": 65500}  # pixels a side that the formats and their libraries hold


def png_size(attributions: Any, channel_axis: int | None = -1, *, channels: bool | None = None) -> np.ndarray:
    """Bytes of every map's heatmap as a PNG file.

    The picture is that of `innexplain.plots.heatmap_image`, each map scaled by its own `max |R|`.  A map of
    one axis becomes a strip of one row; of three and more, its slices stand side by side.

    Args:
        attributions: one map a sample, `(n, *spatial)` or with channels, which are summed.
        channel_axis: of one sample, -1 (default) or 0.
        channels: whether there is a channel axis; `None` (default): from four axes on, as in
            (n, height, width, channels), there is one, with fewer there is none.  Say `True` for signals
            (n, steps, channels), `False` for volumes (n, depth, height, width).

    Returns:
        int64 array (n,).

    Raises:
        InputError: the attributions are no finite array of maps.
        ArgumentError: another argument is out of range.

    Example:
        >>> import numpy as np
        >>> noise = np.random.default_rng(0).normal(size=(1, 32, 32))
        >>> bool(png_size(noise)[0] > png_size(np.ones((1, 32, 32)))[0])
        True

    Reference: Samek et al. 2017, section IV-B.
    """
    return _file_sizes(lone_maps(attributions, channels, channel_axis), "PNG")


def jpeg_size(
    attributions: Any,
    quality: int = 75,
    channel_axis: int | None = -1,
    *,
    channels: bool | None = None,
) -> np.ndarray:
    """Bytes of every map's heatmap as a JPEG file; the picture is that of `png_size`.

    Args:
        attributions: see `png_size`.
        quality: of the compression, from 1 to 100; default 75.
        channel_axis: see `png_size`.
        channels: see `png_size`.

    Returns:
        int64 array (n,).

    Raises:
        InputError: the attributions are no finite array of maps, or too large for the format.
        ArgumentError: another argument is out of range.

    Example:
        >>> import numpy as np
        >>> noise = np.random.default_rng(0).normal(size=(1, 32, 32))
        >>> bool(jpeg_size(noise, quality=90)[0] > jpeg_size(noise, quality=30)[0])
        True

    Reference: Samek et al. 2017, section IV-B.
    """
    if check_count("quality", quality) > 100:
        raise ArgumentError(f"quality must be an int from 1 to 100. Received: quality={quality!r}")
    return _file_sizes(lone_maps(attributions, channels, channel_axis), "JPEG", quality=int(quality))


def entropy(
    attributions: Any,
    bins: int = 256,
    channel_axis: int | None = -1,
    *,
    channels: bool | None = None,
) -> np.ndarray:
    """The entropy of every map's histogram, `- sum_b p_b log2 p_b`, in bits.

    The bins divide the symmetric scale `[-max |R|, max |R|]` evenly; a map of zeros has 0 bits.

    Args:
        attributions: see `png_size`.
        bins: of the histogram, default 256.
        channel_axis: see `png_size`.
        channels: see `png_size`.

    Returns:
        float64 array (n,), each in [0, log2(bins)].

    Raises:
        InputError: the attributions are no finite array of maps.
        ArgumentError: another argument is out of range.

    Example:
        >>> import numpy as np
        >>> entropy(np.array([[-1.0, -1.0, 1.0, 1.0]])).tolist()
        [1.0]

    Reference: Samek et al. 2017, section IV-B.
    """
    check_count("bins", bins)
    maps = _relative(lone_maps(attributions, channels, channel_axis))
    counts = np.stack([np.histogram(r, bins=bins, range=(-1, 1))[0] for r in maps])
    shares = counts / counts.sum(axis=1, keepdims=True)
    logarithms = np.log2(shares, out=np.zeros_like(shares), where=shares > 0)
    return 0.0 - (shares * logarithms).sum(axis=1)  # not a plain minus, which gives -0.0


def gini(attributions: Any, channel_axis: int | None = -1, *, channels: bool | None = None) -> np.ndarray:
    """The Gini index of every map's `|R|`: 0 where all locations are alike, near 1 where few stand out.

    `G = 1 - 2 sum_k r_(k) / |r|_1 (N - k + 1/2) / N`, with `r_(1) <= ... <= r_(N)` the sorted `|R|`; one
    location alone gives `1 - 1/N`, and a map of zeros 0.

    Args:
        attributions: see `png_size`.
        channel_axis: see `png_size`.
        channels: see `png_size`.

    Returns:
        float64 array (n,), each in [0, 1].

    Raises:
        InputError: the attributions are no finite array of maps.
        ArgumentError: another argument is out of range.

    Example:
        >>> import numpy as np
        >>> gini(np.array([[0.0, 0.0, 0.0, 2.0], [1.0, 1.0, 1.0, 1.0]])).tolist()
        [0.75, 0.0]

    Reference: Hurley and Rickard 2009, table I.
    """
    ordered = np.sort(np.abs(_relative(lone_maps(attributions, channels, channel_axis))), axis=1)
    count = ordered.shape[1]
    sums = ordered.sum(axis=1, keepdims=True)
    shares = np.divide(ordered, sums, out=np.full_like(ordered, 1 / count), where=sums > 0)
    weights = (count - np.arange(1, count + 1) + 0.5) / count
    return np.clip(1 - 2 * (shares * weights).sum(axis=1), 0, 1)


def _relative(maps: np.ndarray) -> np.ndarray:
    """Flat maps (n, locations) in parts of their own `max |R|`."""
    flat = maps.reshape(len(maps), -1)
    largest = np.abs(flat).max(axis=1, keepdims=True)
    return flat / np.where(largest == 0, 1, largest)


def _file_sizes(maps: np.ndarray, file_format: str, **options: Any) -> np.ndarray:
    return np.array([_file_size(_picture(r), file_format, **options) for r in maps], "int64")


def _file_size(flat: np.ndarray, file_format: str, **options: Any) -> int:
    longest = _LONGEST[file_format]
    if max(flat.shape) > longest:
        raise InputError(
            f"A {file_format} file holds at most {longest} pixels a side. Received: a map drawn as "
            f"{flat.shape} (height, width). Use png_size, or shorter maps."
        )
    stream = io.BytesIO()
    heatmap_image(flat).save(stream, file_format, **options)
    return stream.tell()


def _picture(values: np.ndarray) -> np.ndarray:
    """One map with two axes: a row of a signal, the slices of a volume side by side."""
    if values.ndim < 2:
        return values[None]
    slices = values.reshape(-1, *values.shape[-2:])
    return np.concatenate(list(slices), axis=1)
