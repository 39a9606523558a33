"""The zeros that a convolution pads, as a step of its own."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from keras import ops

Tensor = Any


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
