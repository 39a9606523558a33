"""Convolutions put so that every device has them in every precision.

On a CPU, TensorFlow has no convolutions in float64 whose channels come first, and no dilated transposed ones.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import keras
from keras import ops

Tensor = Any


def in_format(layer: Any, convolve: Callable[..., Tensor], x: Tensor, kernel: Tensor, **how: Any) -> Tensor:
    """`convolve(x, kernel, data_format=..., **how)`: that of the layer, or in float64 channels last."""
    if layer.data_format == "channels_last" or keras.backend.standardize_dtype(x.dtype) != "float64":
        return convolve(x, kernel, data_format=layer.data_format, **how)
    z = convolve(ops.moveaxis(x, 1, -1), kernel, data_format="channels_last", **how)
    return ops.moveaxis(z, -1, 1)


def dilated(kernel: Tensor, rates: Sequence[int]) -> Tensor:
    """A kernel with the zeros of a dilation between its weights; without them, what it is.

    >>> dilated(ops.ones((3, 1, 1)), [2])[:, 0, 0].numpy().tolist()
    [1.0, 0.0, 1.0, 0.0, 1.0]
    """
    for axis, rate in enumerate(rates):
        if rate > 1:
            shape, apart = list(kernel.shape), ops.expand_dims(kernel, axis + 1)
            widths = [[0, 0] for _ in apart.shape]
            widths[axis + 1] = [0, rate - 1]
            shape[axis] *= rate
            kernel = ops.reshape(ops.pad(apart, widths), shape)
            kernel = kernel[(slice(None),) * axis + (slice(shape[axis] - rate + 1),)]
    return kernel
