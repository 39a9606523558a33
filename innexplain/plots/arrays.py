"""What a picture needs to know of an array: numeric, finite, and with its channels summed."""

from __future__ import annotations

from typing import Any

import numpy as np

from innexplain.errors import ArgumentError, InputError


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
    attribution: Any, rank: int, channel_axis: int = -1, what: str = "attribution"
) -> np.ndarray:
    """The map with `rank` axes: `sum_c R[..., c]` where there is a channel axis.

    Args:
        attribution: One map, with or without a channel axis.
        rank: Number of axes without channels: 2 for an image, 1 for a signal.
        channel_axis: Where the channel axis is if there is one, -1 (default) or 0.
        what: How messages call the array.

    Returns:
        float64 array of `rank` axes.

    Raises:
        InputError: If the array has neither `rank` nor `rank + 1` axes.
        ArgumentError: If `channel_axis` is neither -1 nor 0.

    >>> sum_channels([[[1.0, -3.0]]], rank=2)
    array([[-2.]])
    """
    if channel_axis not in (-1, 0):
        raise ArgumentError(
            f"channel_axis: expected -1 (channels last) or 0 (channels first), received {channel_axis!r}."
        )
    array = finite_array(attribution, what).astype(np.float64)
    if array.ndim == rank + 1:
        array = array.sum(axis=channel_axis)
    if array.ndim != rank:
        shapes = {
            1: "(steps,) or (steps, channels)",
            2: "(height, width), with or without channels",
        }
        raise InputError(
            f"{what}: expected one map of shape {shapes.get(rank, f'of {rank} axes')}, received "
            f"shape {array.shape}. For a whole batch draw `maps[i]`, or use `plots.gallery`."
        )
    return array
