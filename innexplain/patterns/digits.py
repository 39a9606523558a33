"""Two numbers a weight: in float64, or the covariance in float32 and eight more bits, the mean in float32.

The eight bits tell what float32 leaves out: nothing small is lost in a sum of many batches.  An error in the
mean input only counts as far as the mean output still moves.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import tensorflow as tf

__all__ = ["added", "covariance", "kept", "mean", "rounding"]

Tensor = Any

#: Eight bits are a whole number up to this one, positive or negative.
_MOST = 127
_UNIT = 2.0**-24 / _MOST


def rounding(dtype: str) -> float:
    """How much of a mean may be lost, as a share of it."""
    return float(np.finfo(dtype).epsneg)


def kept(xy: Tensor, x: Tensor, dtype: str) -> dict[str, Tensor]:
    """Two arrays of float64 numbers as they are kept.

    >>> xy, x = np.array([1 + 2e-9]), np.array([-1 / 3])
    >>> sums = kept(xy, x, "float32")
    >>> bool(abs(covariance(sums) - xy) < 2**-31), bool(abs(mean(sums) - x) < 2**-25)
    (True, True)
    >>> sorted(sums), sorted(kept(xy, x, "float64"))
    (['low', 'x', 'xy'], ['x', 'xy'])
    """
    if dtype == "float64":
        return {"xy": xy, "x": x}
    high = tf.cast(xy, dtype)
    return {"xy": high, "x": tf.cast(x, dtype), "low": tf.cast(_left(xy - _wide(high), high), tf.int8)}


def added(
    state: Mapping[str, Tensor], xy: Callable[[], Tensor], x: Callable[[], Tensor]
) -> dict[str, Tensor]:
    """What has to be added to each array that is kept so that float64 numbers are added to `xy` and `x`.

    The numbers are given as functions, called one after the other: fewer large arrays are held at a time.
    """
    if "low" not in state:
        return {"xy": xy(), "x": x()}
    old, low = state["xy"], state["low"]
    value = xy() + _wide(_rest(old, low))
    change = tf.cast(value, old.dtype)
    new = old + change
    left = tf.cast(_left(value - (_wide(new) - _wide(old)), new), low.dtype)
    with tf.control_dependencies([left]):
        return {"xy": change, "low": left - low, "x": tf.cast(x(), state["x"].dtype)}


def covariance(sums: Mapping[str, Any]) -> Tensor:
    """The array `xy` of what is kept, in float64."""
    high = tf.convert_to_tensor(sums["xy"])
    return _wide(high) + _wide(_rest(high, sums["low"])) if "low" in sums else high


def mean(sums: Mapping[str, Any]) -> Tensor:
    """The array `x` of what is kept, in float64."""
    return _wide(sums["x"])


def _wide(value: Tensor) -> Tensor:
    return tf.cast(value, tf.float64)


def _left(value: Tensor, high: Tensor) -> Tensor:
    """What is left out of a number in float32, in units."""
    share = tf.math.divide_no_nan(tf.cast(value, high.dtype), high * _UNIT)
    return tf.clip_by_value(tf.round(share), -_MOST, _MOST)


def _rest(high: Tensor, left: Any) -> Tensor:
    """The other way around."""
    return high * (tf.cast(left, high.dtype) * _UNIT)
