"""Inputs and attributions as evaluators take them: arrays that fit each other."""

from __future__ import annotations

from typing import Any

import numpy as np

from innexplain.errors import InputError
from innexplain.regions import spatial_shape

__all__ = ["check_inputs", "check_labels", "spatial_maps"]


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


def spatial_maps(attributions: Any, x: np.ndarray, channel_axis: int = -1) -> np.ndarray:
    """Attributions without a channel axis, (n, *spatial), in float64; channels are summed.

    Args:
        attributions: one map a sample of x, with the channel axis of x or without.
        x: the inputs (n, ...).
        channel_axis: of one sample, -1 (default) or 0.

    Raises:
        InputError: they do not fit x, or are not finite.

    >>> import numpy as np
    >>> spatial_maps(np.ones((2, 5, 4, 3)), np.ones((2, 5, 4, 3))).shape
    (2, 5, 4)
    """
    maps = check_inputs(attributions, "attributions")
    spatial = spatial_shape(x.shape[1:], channel_axis)
    without = (len(x), *spatial)
    if maps.shape == without:
        return maps.astype("float64")
    channels_apart = [
        d for i, d in enumerate(maps.shape) if i != (maps.ndim - 1 if channel_axis == -1 else 1)
    ]
    if x.ndim > 2 and maps.ndim == x.ndim and tuple(channels_apart) == without:
        return maps.sum(axis=-1 if channel_axis == -1 else 1, dtype="float64")
    raise InputError(
        f"attributions must have the shape of x, {x.shape}, or that without channels, {without}. "
        f"Received: {maps.shape}. Where channels come first, say channel_axis=0."
    )


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


def _several(x: Any) -> bool:
    """Whether it is a dict, or a list of arrays of batches rather than of samples."""
    if isinstance(x, dict):
        return True
    return isinstance(x, (list, tuple)) and len({np.shape(leaf) for leaf in x}) > 1
