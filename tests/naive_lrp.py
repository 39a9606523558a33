"""LRP on an explicit weight matrix, written from the formulas, in float64 and without any of the package.

`matrix[i, j]` is the weight from input i to output j, `exists[i, j]` whether there is a connection at all.
"""

from __future__ import annotations

import keras
import numpy as np


def explicit(layer: keras.layers.Layer, shape: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray]:
    """The weight matrix and the bias of a layer without activation, by feeding it unit vectors."""
    size = int(np.prod(shape))
    units = np.eye(size).reshape(size, *shape)
    bias = np.asarray(layer(np.zeros((1, *shape)))).reshape(-1)
    return np.asarray(layer(units)).reshape(size, -1) - bias, bias


def _divide(r: np.ndarray, z: np.ndarray) -> np.ndarray:
    return np.where(z == 0, 0.0, r / np.where(z == 0, 1.0, z))


def epsilon(x, w, b, r, *, epsilon=1e-7, bias=True, **_):
    z = x @ w + b * bias
    z = z + epsilon * np.where(z >= 0, 1.0, -1.0)
    return (x[:, None] * w * _divide(r, z)).sum(1)


def alpha_beta(x, w, b, r, *, alpha=2.0, beta=1.0, bias=True, **_):
    z = x[:, None] * w
    plus, minus = np.maximum(z, 0), np.minimum(z, 0)
    z_plus = plus.sum(0) + np.maximum(b, 0) * bias
    z_minus = minus.sum(0) + np.minimum(b, 0) * bias
    return (alpha * plus * _divide(r, z_plus) - beta * minus * _divide(r, z_minus)).sum(1)


def z_plus_fast(x, w, b, r, *, bias=True, **_):
    w_plus = np.maximum(w, 0)
    return (x[:, None] * w_plus * _divide(r, x @ w_plus + np.maximum(b, 0) * bias)).sum(1)


def gamma(x, w, b, r, *, gamma=0.25, bias=True, **_):
    up, down = w + gamma * np.maximum(w, 0), w + gamma * np.minimum(w, 0)
    own_b, b = b, b * bias
    b_up, b_down = b + gamma * np.maximum(b, 0), b + gamma * np.minimum(b, 0)
    x_plus, x_minus = np.maximum(x, 0)[:, None], np.minimum(x, 0)[:, None]
    for_positive, for_negative = x_plus * up + x_minus * down, x_plus * down + x_minus * up
    positive = x @ w + own_b >= 0
    share_positive = for_positive * _divide(r * positive, for_positive.sum(0) + b_up)
    share_negative = for_negative * _divide(r * ~positive, for_negative.sum(0) + b_down)
    return (share_positive + share_negative).sum(1)


def w_square(x, w, b, r, **_):
    return (w**2 * _divide(r, (w**2).sum(0))).sum(1)


def flat(x, w, b, r, *, exists, **_):
    return (exists * _divide(r, exists.sum(0).astype(float))).sum(1)


def bounded(x, w, b, r, *, low, high, bias=False, **_):
    part = x[:, None] * w - low * np.maximum(w, 0) - high * np.minimum(w, 0)
    return (part * _divide(r, part.sum(0) + b * bias)).sum(1)
