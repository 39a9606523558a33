"""Naive re-implementations in numpy and float64, written from the papers: what answers are held against.

A network is a list of layers; each has `forward(x)`, which keeps what going back needs, and
`backward(r, method)` with `method` one of "gradient", "deconvnet" and "guided_backprop".
Nothing here is fast, and nothing here uses Keras to compute.
"""

from collections.abc import Callable
from typing import Any

import numpy as np

METHODS = ("gradient", "deconvnet", "guided_backprop")


def same_padding(size: int, kernel: int, stride: int, dilation: int = 1) -> tuple[int, int]:
    """Zeros before and after one axis, so that there are `ceil(size / stride)` positions."""
    positions = -(-size // stride)
    total = max((positions - 1) * stride + (kernel - 1) * dilation + 1 - size, 0)
    return total // 2, total - total // 2


class _Window:
    """What convolution and pooling share: windows over the two spatial axes of (n, h, w, c)."""

    def __init__(self, size: tuple, strides: tuple, padding: str, dilation: tuple = (1, 1)):
        self.size, self.strides, self.padding, self.dilation = size, strides, padding, dilation

    def pad(self, x: np.ndarray, value: float) -> np.ndarray:
        """`x` with its padding; remembers what was added."""
        self.shape = x.shape
        self.added = [(0, 0), (0, 0)]
        if self.padding == "same":
            pairs = zip(x.shape[1:3], self.size, self.strides, self.dilation, strict=True)
            self.added = [same_padding(*pair) for pair in pairs]
        return np.pad(x, [(0, 0), *self.added, (0, 0)], constant_values=value)

    def crop(self, padded: np.ndarray) -> np.ndarray:
        """What belongs to the unpadded input."""
        (top, _), (left, _) = self.added
        return padded[:, top : top + self.shape[1], left : left + self.shape[2]]

    def windows(self, padded: np.ndarray) -> list:
        """`(i, j, rows, columns)` for each output position: which pixels its window holds."""
        offsets = [np.arange(k) * d for k, d in zip(self.size, self.dilation, strict=True)]
        tops, lefts = (
            range(0, n - o[-1], stride)
            for n, o, stride in zip(padded.shape[1:3], offsets, self.strides, strict=True)
        )
        return [
            (i, j, top + offsets[0], left + offsets[1])
            for i, top in enumerate(tops)
            for j, left in enumerate(lefts)
        ]


class Dense:
    """`z = x W + b`."""

    def __init__(self, kernel: np.ndarray, bias: np.ndarray):
        self.kernel, self.bias = kernel, bias

    def forward(self, x: np.ndarray) -> np.ndarray:
        return x @ self.kernel + self.bias

    def backward(self, r: np.ndarray, method: str) -> np.ndarray:
        return r @ self.kernel.T


class Conv2D(_Window):
    """Each output is the sum over its window of pixel times kernel, plus the bias."""

    def __init__(self, kernel: np.ndarray, bias: np.ndarray, **window: Any):
        super().__init__(kernel.shape[:2], **window)
        self.kernel, self.bias = kernel, bias

    def forward(self, x: np.ndarray) -> np.ndarray:
        padded = self.pad(x, 0.0)
        windows = self.windows(padded)
        self.padded_shape = padded.shape
        z = np.zeros((len(x), windows[-1][0] + 1, windows[-1][1] + 1, self.kernel.shape[-1]))
        for i, j, rows, columns in windows:
            for u, row in enumerate(rows):
                for v, column in enumerate(columns):
                    z[:, i, j] += padded[:, row, column] @ self.kernel[u, v]
        return z + self.bias

    def backward(self, r: np.ndarray, method: str) -> np.ndarray:
        answer = np.zeros(self.padded_shape)
        for i, j, rows, columns in self.windows(answer):
            for u, row in enumerate(rows):
                for v, column in enumerate(columns):
                    answer[:, row, column] += r[:, i, j] @ self.kernel[u, v].T
        return self.crop(answer)


class MaxPool2D(_Window):
    """The largest value of each window; going back, all goes to the switch that was recorded."""

    def forward(self, x: np.ndarray) -> np.ndarray:
        padded = self.pad(x, -np.inf)
        self.padded_shape = padded.shape
        windows = self.windows(padded)
        z = np.zeros((len(x), windows[-1][0] + 1, windows[-1][1] + 1, x.shape[-1]))
        self.switches = np.zeros((*z.shape, 2), int)
        for i, j, rows, columns in windows:
            for n in range(len(x)):
                for c in range(x.shape[-1]):
                    window = padded[n][np.ix_(rows, columns, [c])][:, :, 0]
                    u, v = np.unravel_index(window.argmax(), window.shape)
                    self.switches[n, i, j, c] = rows[u], columns[v]
                    z[n, i, j, c] = window[u, v]
        return z

    def backward(self, r: np.ndarray, method: str) -> np.ndarray:
        answer = np.zeros(self.padded_shape)
        for n, i, j, c in np.ndindex(*r.shape):
            row, column = self.switches[n, i, j, c]
            answer[n, row, column, c] += r[n, i, j, c]
        return self.crop(answer)


class AveragePool2D(_Window):
    """The mean of the pixels of each window; what is padded is no pixel."""

    def forward(self, x: np.ndarray) -> np.ndarray:
        padded, real = self.pad(x, 0.0), self.pad(np.ones_like(x), 0.0)
        windows = self.windows(padded)
        z = np.zeros((len(x), windows[-1][0] + 1, windows[-1][1] + 1, x.shape[-1]))
        self.count = np.ones((z.shape[1], z.shape[2]))
        for i, j, rows, columns in windows:
            self.count[i, j] = real[0][np.ix_(rows, columns, [0])].sum()
            z[:, i, j] = padded[:, rows][:, :, columns].sum(axis=(1, 2)) / self.count[i, j]
        self.padded_shape = padded.shape
        return z

    def backward(self, r: np.ndarray, method: str) -> np.ndarray:
        answer = np.zeros(self.padded_shape)
        for i, j, rows, columns in self.windows(answer):
            for row in rows:
                for column in columns:
                    answer[:, row, column] += r[:, i, j] / self.count[i, j]
        return self.crop(answer)


class GlobalAverage:
    """The mean over the two spatial axes."""

    def forward(self, x: np.ndarray) -> np.ndarray:
        self.shape = x.shape
        return x.mean(axis=(1, 2))

    def backward(self, r: np.ndarray, method: str) -> np.ndarray:
        share = r[:, None, None, :] / (self.shape[1] * self.shape[2])
        return np.broadcast_to(share, self.shape).copy()


class Flatten:
    """One axis instead of many."""

    def forward(self, x: np.ndarray) -> np.ndarray:
        self.shape = x.shape
        return x.reshape(len(x), -1)

    def backward(self, r: np.ndarray, method: str) -> np.ndarray:
        return r.reshape(self.shape)


class BatchNorm:
    """At inference a scale and a shift for each channel."""

    def __init__(self, gamma: Any, beta: Any, mean: Any, variance: Any, epsilon: float):
        self.scale = gamma / np.sqrt(variance + epsilon)
        self.shift = beta - mean * self.scale

    def forward(self, x: np.ndarray) -> np.ndarray:
        return x * self.scale + self.shift

    def backward(self, r: np.ndarray, method: str) -> np.ndarray:
        return r * self.scale


class ReLU:
    """`max(z, 0)`, and the three ways back through it."""

    def forward(self, x: np.ndarray) -> np.ndarray:
        self.on = x > 0
        return np.where(self.on, x, 0.0)

    def backward(self, r: np.ndarray, method: str) -> np.ndarray:
        if method == "gradient":
            return r * self.on
        if method == "deconvnet":
            return np.maximum(r, 0)
        if method == "guided_backprop":
            return np.maximum(r, 0) * self.on
        raise ValueError(f"Expected one of {METHODS}. Received: {method!r}")


class Network:
    """Layers one after the other."""

    def __init__(self, layers: list):
        self.layers = layers

    def forward(self, x: np.ndarray) -> np.ndarray:
        x = np.asarray(x, "float64")
        for layer in self.layers:
            x = layer.forward(x)
        return x

    def explain(self, x: np.ndarray, neurons: Any, method: str = "gradient") -> np.ndarray:
        """From a one-hot seed on one neuron of each sample back to the input."""
        output = self.forward(x)
        r = np.zeros_like(output)
        r[np.arange(len(output)), neurons] = 1.0
        for layer in reversed(self.layers):
            r = layer.backward(r, method)
        return r

    def integrated_gradients(self, x: np.ndarray, neurons: Any, baseline: Any, steps: int) -> np.ndarray:
        """`(x - x0)` times the mean gradient at the middles of `steps` pieces of the straight path."""
        x0 = np.broadcast_to(np.asarray(baseline, "float64"), x.shape)
        total = np.zeros(x.shape)
        for k in range(steps):
            total += self.explain(x0 + (k + 0.5) / steps * (x - x0), neurons)
        return (x - x0) * total / steps


def _read(layer: Any) -> list:
    """The naive twins of one Keras layer: its linear part, then its ReLU if it has one."""
    w = [np.asarray(weight, "float64") for weight in layer.get_weights()]
    bias = w[1] if len(w) > 1 else 0.0
    relu = [ReLU()] if getattr(getattr(layer, "activation", None), "__name__", "") == "relu" else []
    make: dict[str, Callable[[], Any]] = {
        "Dense": lambda: Dense(w[0], bias),
        "Conv2D": lambda: Conv2D(
            w[0], bias, strides=layer.strides, padding=layer.padding, dilation=layer.dilation_rate
        ),
        "MaxPooling2D": lambda: MaxPool2D(layer.pool_size, layer.strides, layer.padding),
        "AveragePooling2D": lambda: AveragePool2D(layer.pool_size, layer.strides, layer.padding),
        "GlobalAveragePooling2D": GlobalAverage,
        "Flatten": Flatten,
        "ReLU": ReLU,
        "BatchNormalization": lambda: BatchNorm(*w, layer.epsilon),
    }
    return [make[type(layer).__name__](), *relu]


def read_sequential(model: Any) -> Network:
    """The naive twin of a chain of layers that ends in logits."""
    layers = [layer for layer in model.layers if type(layer).__name__ != "InputLayer"]
    return Network([twin for layer in layers for twin in _read(layer)])
