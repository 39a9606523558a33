"""What a picture needs to know of an array: numeric, finite, and with its channels summed."""

from __future__ import annotations

from typing import Any

import numpy as np

from innexplain.errors import InputError
from innexplain.regions import channel_position


def finite_array(values: Any, what: str) -> np.ndarray:
    """`values` as an array of finite numbers; booleans become 0 and 255, other dtypes stay.

    Args:
        values: Array, or anything `numpy.asarray` takes.
        what: How the message calls it, for instance `"attribution"`.

    Raises:
        InputError: If it is not numeric, is empty, or holds NaN or infinity.

    >>> finite_array([1, 2], "attribution")
    array([1, 2])
    """
    array = np.asarray(values)
    if array.dtype == np.bool_:
        array = array.astype(np.uint8) * 255
    if array.dtype.kind not in "iuf":
        raise InputError(f"{what}: expected numbers, received an array of dtype {array.dtype}.")
    if array.size == 0:
        raise InputError(f"{what}: expected values, received an empty array of shape {array.shape}.")
    if array.dtype.kind == "f" and not np.isfinite(array).all():
        count = int(np.size(array) - np.isfinite(array).sum())
        raise InputError(
            f"{what}: expected finite numbers, received {count} NaN or infinite of {array.size}. "
            "Look for their origin in the model or the input before drawing them."
        )
    return array


def sum_channels(
    attribution: Any, rank: int, channel_axis: int | None = -1, what: str = "attribution"
) -> np.ndarray:
    """The map with `rank` axes: `sum_c R[..., c]` where there is a channel axis.

    Args:
        attribution: One map, with or without a channel axis.
        rank: Number of axes without channels: 2 for an image, 1 for a signal.
        channel_axis: Where the channel axis is if there is one, -1 (default) or 0; `None` allows none.
        what: How messages call the array.

    Returns:
        float64 array of `rank` axes.

    Raises:
        InputError: If the array has neither `rank` nor `rank + 1` axes, or with `None` not `rank`.
        ArgumentError: If `channel_axis` is neither -1 nor 0 nor `None`.

    >>> sum_channels([[[1.0, -3.0]]], rank=2)
    array([[-2.]])
    """
    channels = channel_position(rank + 1, channel_axis)
    array = finite_array(attribution, what).astype(np.float64)
    if array.ndim == rank + 1 and channels is not None:
        array = array.sum(axis=channels)
    if array.ndim != rank:
        plain = {1: "(steps,)", 2: "(height, width)"}.get(rank, f"of {rank} axes")
        either = ", with or without channels" if channels is not None else ", since channel_axis=None"
        raise InputError(
            f"{what}: expected one map of shape {plain}{either}, received shape {array.shape}. "
            "For a whole batch draw `maps[i]`, or use `plots.gallery`."
        )
    return array
