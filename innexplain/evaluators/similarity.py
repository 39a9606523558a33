"""How alike two maps of one sample are: the correlation of their ranks, and their structural similarity."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy import ndimage

from innexplain.arguments import check_choice
from innexplain.errors import InputError
from innexplain.evaluators.arrays import lone_maps

# Wang et al. 2004: windows of 11 locations an axis, Gaussian of standard deviation 1.5, and what
# stabilises the quotient.
_RADIUS, _SIGMA = 5, 1.5
_K1, _K2 = 0.01, 0.03


def rank_correlation(
    a: Any,
    b: Any,
    absolute: bool = True,
    *,
    channels: bool | None = None,
    channel_axis: int | None = -1,
) -> np.ndarray:
    """Spearman's correlation of the ranks of two maps, sample by sample; equal values share a mean rank.

    A map whose values are all equal ranks nothing, and correlates with none: 0.

    Args:
        a: one map a sample, `(n, *spatial)` or with channels, which are summed.
        b: as many maps of the same shape.
        absolute: whether `|R|` is ranked (default) or R with its sign.
        channels: whether there is a channel axis; `None` (default): from four axes on there is.
        channel_axis: of one sample, -1 (default) or 0.

    Returns:
        float64 array (n,), each in [-1, 1].

    Raises:
        InputError: the maps are no finite arrays, or do not fit each other.
        ArgumentError: another argument is out of range.

    Example:
        >>> import numpy as np
        >>> rank_correlation(np.array([[1.0, 2.0, -9.0]]), np.array([[0.1, 0.5, 0.7]])).tolist()
        [1.0]

    Reference: Adebayo et al. 2018, section 3.
    """
    from scipy.stats import rankdata  # takes a second to import

    both = [m.reshape(len(m), -1) for m in _pair(a, b, absolute, channels, channel_axis)]
    ranks = [rankdata(m, axis=1) for m in both]
    x, y = (r - r.mean(axis=1, keepdims=True) for r in ranks)
    lengths = np.sqrt((x**2).sum(axis=1) * (y**2).sum(axis=1))
    products = (x * y).sum(axis=1)
    return np.clip(np.divide(products, lengths, out=np.zeros(len(x)), where=lengths > 0), -1, 1)


def ssim(
    a: Any,
    b: Any,
    absolute: bool = True,
    *,
    window: str = "gaussian",
    channels: bool | None = None,
    channel_axis: int | None = -1,
) -> np.ndarray:
    """The structural similarity of two maps, sample by sample, of any spatial rank.

    The mean, over all windows that lie inside the map, of
    `(2 m_a m_b + C1) (2 s_ab + C2) / ((m_a^2 + m_b^2 + C1) (s_a^2 + s_b^2 + C2))`, with the window's means m,
    variances s^2 and covariance s_ab, `C1 = 0.01^2` and `C2 = 0.03^2`.

    Each map is brought into [0, 1] by its own `max |R|`: to `|R| / max |R|`, or with its sign to
    `(1 + R / max |R|) / 2`, since the quotient takes brightness to be positive.  Windows have 11
    locations an axis, and along a shorter axis the largest odd number that fits.

    Args:
        a: one map a sample, `(n, *spatial)` or with channels, which are summed.
        b: as many maps of the same shape.
        absolute: whether `|R|` is compared (default) or R with its sign.
        window: `"gaussian"` (default; standard deviation 1.5) or `"uniform"`.
        channels: whether there is a channel axis; `None` (default): from four axes on there is.
        channel_axis: of one sample, -1 (default) or 0.

    Returns:
        float64 array (n,), each in [-1, 1]; 1 for equal maps.

    Raises:
        InputError: the maps are no finite arrays, or do not fit each other.
        ArgumentError: another argument is out of range.

    Example:
        >>> import numpy as np
        >>> maps = np.random.default_rng(0).random((2, 16, 16))
        >>> ssim(maps, 3 * maps).round(6).tolist()
        [1.0, 1.0]

    Reference: Wang et al. 2004, equation 13.
    """
    check_choice("window", window, ("gaussian", "uniform"))
    x, y = (_scaled(m) for m in _pair(a, b, absolute, channels, channel_axis))
    x, y = (x, y) if absolute else ((1 + x) / 2, (1 + y) / 2)
    c1, c2 = _K1**2, _K2**2
    mean_x, mean_y, xx, yy, xy = (_windowed(m, window) for m in (x, y, x * x, y * y, x * y))
    variances = (xx - mean_x**2) + (yy - mean_y**2)
    likeness = (2 * mean_x * mean_y + c1) * (2 * (xy - mean_x * mean_y) + c2)
    values = likeness / ((mean_x**2 + mean_y**2 + c1) * (variances + c2))
    return values.reshape(len(values), -1).mean(axis=1)


def _pair(
    a: Any, b: Any, absolute: bool, channels: bool | None, channel_axis: int | None
) -> tuple[np.ndarray, np.ndarray]:
    first, second = (lone_maps(m, channels, channel_axis, what) for m, what in ((a, "a"), (b, "b")))
    if first.shape != second.shape:
        raise InputError(
            f"Two sets of maps must have one shape to be compared. Received: {np.shape(a)} and {np.shape(b)}"
            f", without channels {first.shape} and {second.shape}"
        )
    return (np.abs(first), np.abs(second)) if absolute else (first, second)


def _scaled(maps: np.ndarray) -> np.ndarray:
    largest = np.abs(maps).max(axis=tuple(range(1, maps.ndim)), keepdims=True)
    return maps / np.where(largest == 0, 1, largest)


def _windowed(maps: np.ndarray, window: str) -> np.ndarray:
    """The weighted mean over every window that lies inside the map."""
    for axis in range(1, maps.ndim):
        length = maps.shape[axis]
        radius = min(_RADIUS, (length - 1) // 2)
        offsets = np.arange(-radius, radius + 1)
        weights = np.exp(-(offsets**2) / (2 * _SIGMA**2)) if window == "gaussian" else np.ones(len(offsets))
        means = ndimage.correlate1d(maps, weights / weights.sum(), axis=axis)
        maps = means.take(np.arange(radius, length - radius), axis=axis)
    return maps
