"""Convolutions put so that every device has them in every precision, and their padding as a step of its own.

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


def padding_of(layer: Any) -> Callable[[Tensor], Tensor] | None:
    """What a convolution does to its input before it convolves with `padding="valid"`; `None` if nothing.

    >>> import keras
    >>> pad = padding_of(keras.layers.Conv2D(1, 3, strides=2, padding="same"))
    >>> pad(ops.ones((1, 8, 7, 1))).shape == (1, 9, 9, 1)    # of an even length one zero, at the end
    True
    """
    if layer.padding == "valid" or (layer.padding == "same" and _covers_one(layer)):
        return None
    first = 2 if layer.data_format == "channels_first" else 1

    def pad(x: Tensor) -> Tensor:
        lengths = ops.shape(x)[first:]
        widths: list[Any] = [[0, 0] for _ in x.shape]
        for i, (size, stride, dilation) in enumerate(_spans(layer)):
            if layer.padding == "causal":
                widths[first + i] = [dilation * (size - 1), 0]
            else:
                widths[first + i] = _same(lengths[i], dilation * (size - 1) + 1, stride)
        return ops.pad(x, widths)

    return pad


def _spans(layer: Any) -> list[tuple[int, int, int]]:
    """Kernel size, stride and dilation along every axis."""
    return list(zip(layer.kernel_size, layer.strides, layer.dilation_rate, strict=True))


def _covers_one(layer: Any) -> bool:
    return all(size == 1 for size in layer.kernel_size)


def _same(length: Any, span: int, stride: int) -> list[Any]:
    """How many zeros before and behind; the one more of an odd number stands behind."""
    total = (-(-length // stride) - 1) * stride + span - length
    total = max(total, 0) if isinstance(total, int) else ops.maximum(total, 0)
    return [total // 2, total - total // 2]
