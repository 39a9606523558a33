"""Patterns computed plainly: receptive fields cut out one by one, moments in float64."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any

import numpy as np

SIGN = {"relu": 1, "relu.negative": -1, "linear": 0}


def receptive_fields(x, size, strides, dilation, padding):
    """What every output position of a convolution sees, (n, *positions, *size, channels)."""
    rank = len(size)
    spans = [(k - 1) * d + 1 for k, d in zip(size, dilation, strict=True)]
    lengths = x.shape[1 : rank + 1]
    if padding == "same":
        outs = [-(-n // s) for n, s in zip(lengths, strides, strict=True)]
        total = [
            max((o - 1) * s + span - n, 0)
            for o, s, span, n in zip(outs, strides, spans, lengths, strict=True)
        ]
        widths = [(t // 2, t - t // 2) for t in total]
    else:
        widths = [(spans[0] - 1, 0)] if padding == "causal" else [(0, 0)] * rank
    x = np.pad(x, [(0, 0), *widths, (0, 0)])
    outs = [(n - span) // s + 1 for n, span, s in zip(x.shape[1:], spans, strides, strict=False)]
    fields = np.zeros((len(x), *outs, *size, x.shape[-1]))
    for place in itertools.product(*map(range, outs)):
        for tap in itertools.product(*map(range, size)):
            at = [p * s + t * d for p, s, t, d in zip(place, strides, tap, dilation, strict=True)]
            fields[(slice(None), *place, *tap)] = x[(slice(None), *at)]
    return fields


def pattern(fields, y, gate, w, pattern_type, mean_y="conditional"):
    """`(E[x y] - E[x] E[y]) / (w^T E[x y] - w^T E[x] E[y])` of one neuron, from samples one by one.

    Args:
        fields: (m, inputs).
        y: the neuron's output, (m,).
        gate: what the ReLU behind it sees, (m,).
        w: its weights, (inputs,).
    """
    sign = SIGN[pattern_type]
    kept = np.ones(len(y), bool) if sign == 0 else (gate > 0 if sign > 0 else gate <= 0)
    if not kept.any():
        return np.zeros_like(w)
    x, own = fields[kept], y[kept]
    mean = y.mean() if mean_y == "all" else own.mean()
    covariance = (x * own[:, None]).mean(axis=0) - x.mean(axis=0) * mean
    return covariance / (w @ covariance)


def conv_neurons(layer: Any, x: np.ndarray) -> Iterator[tuple[Any, np.ndarray, np.ndarray]]:
    """Of a convolution, grouped or depthwise too, every neuron's place in the kernel, weights, fields."""
    kernel = np.asarray(layer.kernel, "float64")
    rank = len(layer.kernel_size)
    fields = receptive_fields(
        x.astype("float64"), layer.kernel_size, layer.strides, layer.dilation_rate, layer.padding
    )
    depthwise = "Depthwise" in type(layer).__name__
    if depthwise:
        for c, m in itertools.product(range(kernel.shape[-2]), range(kernel.shape[-1])):
            yield (..., c, m), kernel[..., c, m].ravel(), fields[..., c].reshape(-1, kernel[..., 0, 0].size)
        return
    width, filters = kernel.shape[rank], kernel.shape[-1]
    for f in range(filters):
        group = f // (filters // layer.groups)
        own = fields[..., group * width : (group + 1) * width]
        yield (..., f), kernel[..., f].ravel(), own.reshape(-1, kernel[..., f].size)


def transposed_neurons(layer: Any, x: np.ndarray) -> Iterator[tuple[Any, np.ndarray, np.ndarray]]:
    """Likewise of a transposed convolution, whose kernel has the neurons on the axis before the last."""
    kernel, fields = np.asarray(layer.kernel, "float64"), map_fields(layer, x)
    for f in range(layer.filters):
        w = kernel[..., f, :]
        own = np.take(fields, f, axis=kernel.ndim - 2)[..., f]
        yield (..., f, slice(None)), w.ravel(), own.reshape(w.size, -1).T


def map_fields(layer: Any, x: np.ndarray) -> np.ndarray:
    """What any linear layer multiplies each weight by, (kernel's shape..., output's shape...).

    Found by running it with one weight at 1 and all others at 0.
    """
    kernel, bias = layer.kernel.numpy(), layer.bias.numpy()
    found = []
    layer.bias.assign(np.zeros_like(bias))
    for place in np.ndindex(kernel.shape):
        one = np.zeros_like(kernel)
        one[place] = 1
        layer.kernel.assign(one)
        found.append(layer(x).numpy())
    layer.kernel.assign(kernel)
    layer.bias.assign(bias)
    return np.reshape(found, (*kernel.shape, *found[0].shape)).astype("float64")
