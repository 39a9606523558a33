"""Two numbers a weight, a covariance and a mean, to which batches are added: in float64 or in nine bytes.

In nine bytes, a covariance is float32 and eight more bits, which tell what float32 leaves out: nothing small
is lost in a sum of many batches.  A mean is a whole number of units, 2**30 of which are no less than the
largest mean of the same input in any neuron: where inputs form clusters, means are large and close to each
other, and float32 would spend bits on how small a number may be.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import tensorflow as tf
from keras import ops

Tensor = Any

#: Eight bits are a whole number up to this one, positive or negative.
_MOST = 127
_STEP = 2.0**-24 / _MOST
#: The largest mean is 2**29 to 2**30 units.
_BITS = 30


def layout(shape: Sequence[int], axes: Sequence[int], dtype: str) -> dict[str, tuple[tuple[int, ...], str]]:
    """The arrays that are kept, each with its shape and type.

    Args:
        shape: of the kernel.
        axes: those of its axes along which neurons see the same inputs.
        dtype: float64, or float32 for nine bytes.

    >>> layout((3, 3, 8, 16), (3,), "float32")["unit"]
    ((3, 3, 8, 1), 'float64')
    """
    whole = tuple(shape)
    if dtype == "float64":
        return {"xy": (whole, dtype), "x": (whole, dtype)}
    one = tuple(1 if i in axes else n for i, n in enumerate(whole))
    return {"xy": (whole, dtype), "low": (whole, "int8"), "x": (whole, "int32"), "unit": (one, "float64")}


def kept(xy: Tensor, x: Tensor, axes: Sequence[int], dtype: str) -> dict[str, Tensor]:
    """Two arrays of float64 numbers as they are kept; `axes` and `dtype` as in `layout`.

    >>> xy, x = np.array([1 + 2e-9, 0.01]), np.array([-1 / 3, 1e-4])
    >>> sums = kept(xy, x, (0,), "float32")
    >>> bool(np.all(abs(covariance(sums) - xy) < 2**-31)), bool(np.all(abs(mean(sums) - x) < 2**-31))
    (True, True)
    """
    if dtype == "float64":
        return {"xy": xy, "x": x}
    high, unit = tf.cast(xy, dtype), _unit(x, axes)
    low = tf.cast(_left(xy - _wide(high), high), tf.int8)
    return {"xy": high, "low": low, "x": _whole(x, unit), "unit": unit}


def added(
    state: Mapping[str, Tensor], xy: Callable[[], Tensor], x: Callable[[], Tensor]
) -> dict[str, Tensor]:
    """What has to be added to each array that is kept so that float64 numbers are added to both.

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
        moved = mean(state) + x()
        unit = _unit(moved, _axes(state))
        whole = _whole(moved, unit) - state["x"]
        return {"xy": change, "low": left - low, "x": whole, "unit": unit - state["unit"]}


def covariance(sums: Mapping[str, Any]) -> Tensor:
    """The array `xy` of what is kept, in float64."""
    high = tf.convert_to_tensor(sums["xy"])
    return _wide(high) + _wide(_rest(high, sums["low"])) if "low" in sums else high


def mean(sums: Mapping[str, Any]) -> Tensor:
    """The array `x` of what is kept, in float64."""
    return _wide(sums["x"]) * sums["unit"] if "unit" in sums else tf.convert_to_tensor(sums["x"])


def rounding(sums: Mapping[str, Any]) -> Tensor:
    """How much of each mean may be lost when it is kept."""
    return sums["unit"] / 2 if "unit" in sums else abs(mean(sums)) * np.finfo("float64").epsneg


def _wide(value: Tensor) -> Tensor:
    return tf.cast(value, tf.float64)


def _left(value: Tensor, high: Tensor) -> Tensor:
    """What is left out of a number in float32, in steps."""
    share = tf.math.divide_no_nan(tf.cast(value, high.dtype), high * _STEP)
    return tf.clip_by_value(tf.round(share), -_MOST, _MOST)


def _rest(high: Tensor, left: Any) -> Tensor:
    """The other way around."""
    return high * (tf.cast(left, high.dtype) * _STEP)


def _axes(state: Mapping[str, Tensor]) -> list[int]:
    return [i for i, length in enumerate(state["unit"].shape) if length == 1]


def _unit(x: Tensor, axes: Sequence[int]) -> Tensor:
    """The unit for means, of each input: a power of two, so that a larger one is a multiple."""
    most = tf.reduce_max(abs(x), axis=list(axes), keepdims=True)
    power = ops.floor(ops.log2(tf.where(most == 0, tf.ones_like(most), most))) + (1 - _BITS)
    return tf.where(most == 0, tf.zeros_like(most), 2**power)


def _whole(x: Tensor, unit: Tensor) -> Tensor:
    return tf.cast(tf.round(tf.math.divide_no_nan(x, unit)), tf.int32)
