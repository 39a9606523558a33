"""Two numbers a weight: in float64, or in float32 and four more bits each, which share a byte.

The four bits tell what float32 leaves out, in sevenths of the most that can be: with them, a number is right
to a share of 2**-26 of it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import tensorflow as tf

__all__ = ["added", "covariance", "kept", "mean", "rounding"]

Tensor = Any

#: Four bits are a whole number up to this one, positive or negative, and two such numbers are one of a byte.
_MOST = 7
_BASE = 2 * _MOST + 2
#: What is left out is half of a last digit, and as much again while numbers still change a lot.
_UNIT = 2.0**-23 / _MOST


def rounding(dtype: str) -> float:
    """How much of a number may be lost, as a share of it."""
    return float(np.finfo(dtype).epsneg) if dtype == "float64" else _UNIT / 2


def kept(xy: Tensor, x: Tensor, dtype: str) -> dict[str, Tensor]:
    """Two arrays of float64 numbers as they are kept.

    >>> xy, x = np.array([1 + 2e-8]), np.array([-1 / 3])
    >>> sums = kept(xy, x, "float32")
    >>> bool(abs(covariance(sums) - xy) < 2**-26), bool(abs(mean(sums) - x) < 2**-26)
    (True, True)
    >>> sorted(sums), sorted(kept(xy, x, "float64"))
    (['low', 'x', 'xy'], ['x', 'xy'])
    """
    if dtype == "float64":
        return {"xy": xy, "x": x}
    high = [tf.cast(v, dtype) for v in (xy, x)]
    left = [_left(v - _wide(h), h) for v, h in zip((xy, x), high, strict=True)]
    return {"xy": high[0], "x": high[1], "low": tf.cast(_packed(*left), tf.int8)}


def added(state: Mapping[str, Tensor], **more: Callable[[], Tensor]) -> dict[str, Tensor]:
    """What has to be added to each array that is kept so that float64 numbers are added to `xy` and `x`.

    The numbers are given as functions, called one after the other: fewer large arrays are held at a time.
    """
    if "low" not in state:
        return {name: function() for name, function in more.items()}
    change, left = {}, list[Any]()
    for place, name in enumerate(("xy", "x")):
        with tf.control_dependencies(left):
            old = state[name]
            value = more[name]() + _wide(_rest(old, _unpacked(state["low"])[place]))
            change[name] = tf.cast(value, old.dtype)
            new = old + change[name]
            left.append(_left(value - (_wide(new) - _wide(old)), new))
    low = tf.cast(_packed(*left), state["low"].dtype)
    return {**change, "low": low - state["low"]}


def covariance(sums: Mapping[str, Any]) -> Tensor:
    """The array `xy` of what is kept, in float64."""
    return _whole(sums, "xy", 0)


def mean(sums: Mapping[str, Any]) -> Tensor:
    """The array `x` of what is kept, in float64."""
    return _whole(sums, "x", 1)


def _whole(sums: Mapping[str, Any], name: str, place: int) -> Tensor:
    high = tf.convert_to_tensor(sums[name])
    return _wide(high) + _wide(_rest(high, _unpacked(sums["low"])[place])) if "low" in sums else high


def _wide(value: Tensor) -> Tensor:
    return tf.cast(value, tf.float64)


def _left(value: Tensor, high: Tensor) -> Tensor:
    """What is left out of a number in float32, in units."""
    share = tf.math.divide_no_nan(tf.cast(value, high.dtype), high * _UNIT)
    return tf.clip_by_value(tf.round(share), -_MOST, _MOST)


def _rest(high: Tensor, left: Tensor) -> Tensor:
    """The other way around."""
    return high * (left * _UNIT)


def _packed(first: Tensor, second: Tensor) -> Tensor:
    return first * _BASE + second


def _unpacked(low: Any) -> tuple[Tensor, Tensor]:
    """The two numbers of a byte.

    >>> [v.numpy().tolist() for v in _unpacked(_packed(tf.constant([-7.0, 7.0]), tf.constant([7.0, -3.0])))]
    [[-7.0, 7.0], [7.0, -3.0]]
    """
    both = tf.cast(low, tf.float32)
    first = tf.round(both * (1 / _BASE))
    return first, both - first * _BASE
