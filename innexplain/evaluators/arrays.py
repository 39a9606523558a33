"""Inputs and attributions as evaluators take them: arrays that fit each other."""

from __future__ import annotations

from typing import Any

import numpy as np

from innexplain.errors import ArgumentError, InputError
from innexplain.regions import channel_position, spatial_shape


def check_inputs(x: Any, what: str = "x") -> np.ndarray:
    """One array of finite numbers with a batch axis, and at least one sample.

    Raises:
        InputError: it is no such array.
    """
    if _several(x):
        raise InputError(
            f"{what} must be one array (n, ...). Received: {type(x).__name__} of arrays. For a model of "
            "several inputs give a function of the one to change, and that one's array."
        )
    try:
        array = np.asarray(x)
    except (TypeError, ValueError) as error:
        raise InputError(f"{what} must be an array (n, ...). Received: {type(x).__name__}") from error
    if array.dtype.kind not in "fiub" or array.ndim < 2 or array.size == 0:
        raise InputError(
            f"{what} must be an array of numbers (n, ...) with at least one sample. Received: dtype "
            f"{array.dtype}, shape {array.shape}. A single sample needs a batch axis: {what}[numpy.newaxis]."
        )
    if array.dtype.kind == "f" and not np.isfinite(array).all():
        bad = np.argwhere(~np.isfinite(array))
        raise InputError(
            f"{what} must be finite. Received: {len(bad)} NaN or infinite value(s), the first at "
            f"{tuple(int(i) for i in bad[0])}."
        )
    return array


def spatial_maps(attributions: Any, x: np.ndarray, channel_axis: int | None = -1) -> np.ndarray:
    """Attributions without a channel axis, (n, *spatial), in float64; channels are summed.

    Args:
        attributions: one map a sample of x, with the channel axis of x or without.
        x: the inputs (n, ...).
        channel_axis: of one sample, -1 (default), 0, or `None` where it has none.

    Raises:
        InputError: they do not fit x, or are not finite.

    >>> import numpy as np
    >>> spatial_maps(np.ones((2, 5, 4, 3)), np.ones((2, 5, 4, 3))).shape
    (2, 5, 4)
    """
    maps = check_inputs(attributions, "attributions")
    without = (len(x), *spatial_shape(x.shape[1:], channel_axis))
    if maps.shape == without:
        return maps.astype("float64")
    channels = channel_position(x.ndim - 1, channel_axis)
    if channels is not None and maps.ndim == x.ndim:
        apart = tuple(d for axis, d in enumerate(maps.shape) if axis != channels + 1)
        if apart == without:
            return maps.sum(axis=channels + 1, dtype="float64")
    raise InputError(
        f"attributions must have the shape of x, {x.shape}, or that without channels, {without}. "
        f"Received: {maps.shape}. Where channels come first, say channel_axis=0; where pictures have no "
        "channel axis, channel_axis=None."
    )


def lone_maps(
    attributions: Any,
    channels: bool | None = None,
    channel_axis: int | None = -1,
    what: str = "attributions",
) -> np.ndarray:
    """`spatial_maps` where there is no input to tell whether attributions have a channel axis.

    Args:
        attributions: one map a sample, (n, *spatial), with or without channels.
        channels: whether there is a channel axis; `None` (default): from four axes on, as in
            (n, height, width, channels), there is, and with fewer, as in (n, height, width), there is none.
        channel_axis: of one sample, -1 (default) or 0, where there is one.
        what: how messages call them.

    Raises:
        InputError: they are no finite array of maps.
        ArgumentError: `channels` or `channel_axis` is no such value.

    >>> import numpy as np
    >>> lone_maps(np.ones((2, 5, 4, 3))).shape, lone_maps(np.ones((2, 5, 4))).shape
    ((2, 5, 4), (2, 5, 4))
    """
    if not (channels is None or isinstance(channels, (bool, np.bool_))):
        raise ArgumentError(
            "channels must be True (there is a channel axis), False (there is none), or None (from four "
            f"axes on there is). Received: channels={channels!r}"
        )
    maps = check_inputs(attributions, what)
    axis = channel_position(maps.ndim - 1, channel_axis)
    if channels is None:
        channels = maps.ndim >= 4 and axis is not None
    if not channels:
        return maps.astype("float64")
    if axis is None:
        raise InputError(
            f"{what} with a channel axis must have another one beside it, (n, *spatial, channels). "
            f"Received: shape {maps.shape}, channels={channels!r}, channel_axis={channel_axis!r}"
        )
    return maps.sum(axis=axis + 1, dtype="float64")


def check_labels(y: Any, n: int) -> np.ndarray:
    """One class index a sample.

    Raises:
        InputError: y is no list of n ints.
    """
    try:
        labels = np.asarray(y)
    except (TypeError, ValueError) as error:
        raise InputError(f"y must be {n} class indices, one a sample. Received: {y!r}") from error
    if labels.dtype.kind in "iu" and labels.shape == (n, 1):
        labels = labels[:, 0]
    if labels.dtype.kind not in "iu" or labels.shape != (n,):
        raise InputError(
            f"y must be {n} class indices, one a sample. Received: dtype {labels.dtype}, shape {labels.shape}"
        )
    return labels.astype("int64")


def check_classes(labels: np.ndarray, classes: int) -> None:
    """Refuse labels that are no class of the model.

    Raises:
        ArgumentError: one is out of range.
    """
    wrong = labels[(labels < 0) | (labels >= classes)]
    if wrong.size:
        raise ArgumentError(
            f"y must lie between 0 and {classes - 1}: the model has {classes} outputs. Received: {wrong[0]}"
        )


def _several(x: Any) -> bool:
    """Whether it is a dict, or a list of arrays of batches rather than of samples."""
    if isinstance(x, dict):
        return True
    try:
        return isinstance(x, (list, tuple)) and len({np.shape(leaf) for leaf in x}) > 1
    except ValueError:  # lists of unequal length are no arrays at all
        return False
