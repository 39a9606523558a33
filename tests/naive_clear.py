"""Equation 3 of Kumar et al. 2017 (CLEAR) in NumPy loops: transposed filters and max-pool switches.

Written for chains of convolutions (stride 1, "valid" or "same"), ReLUs and max-pools that do not overlap,
with the class maps before a global average pooling.
"""

import numpy as np
from keras import layers as L


def project(model, image, kernel, rectify=False):
    """One class's map projected down to the image, in the image's shape; `None` keeps all kernels."""
    undo, z = [], np.asarray(image, "float64")
    for layer in model.layers[1:]:
        if isinstance(layer, L.GlobalAveragePooling2D):
            break
        z, back = _forward(layer, z, rectify)
        undo.append(back)
    if kernel is not None:
        z = z * (np.arange(z.shape[-1]) == kernel)
    for back in reversed(undo):
        z = back(z)
    return z


def _forward(layer, z, rectify):
    if isinstance(layer, L.MaxPooling2D):
        return _pool(z, layer.pool_size)
    kernel, bias = (w.astype("float64") for w in layer.get_weights())
    before = _paddings(kernel.shape[:2]) if layer.padding == "same" else ((0, 0), (0, 0))
    padded = np.pad(z, (*before, (0, 0)))
    height, width = (p - k + 1 for p, k in zip(padded.shape[:2], kernel.shape[:2], strict=True))
    out = np.zeros((height, width, kernel.shape[-1])) + bias
    for i, j in np.ndindex(kernel.shape[:2]):
        out += padded[i : i + height, j : j + width] @ kernel[i, j]
    rectified = layer.activation.__name__ == "relu"

    def back(r):
        r = np.maximum(r, 0) if rectify and rectified else r
        down = np.zeros_like(padded)
        for i, j in np.ndindex(kernel.shape[:2]):
            down[i : i + height, j : j + width] += r @ kernel[i, j].T
        return down[before[0][0] : down.shape[0] - before[0][1], before[1][0] : down.shape[1] - before[1][1]]

    return (np.maximum(out, 0) if rectified else out), back


def _paddings(size):
    return tuple(((k - 1) // 2, k // 2) for k in size)


def _pool(z, size):
    height, width = (n // s for n, s in zip(z.shape[:2], size, strict=True))
    out, switches = np.zeros((height, width, z.shape[-1])), {}
    for i, j, c in np.ndindex(out.shape):
        window = z[i * size[0] : (i + 1) * size[0], j * size[1] : (j + 1) * size[1], c]
        row, column = np.unravel_index(window.argmax(), window.shape)
        switches[i, j, c] = (i * size[0] + row, j * size[1] + column, c)
        out[i, j, c] = window.max()

    def back(r):
        up = np.zeros_like(z)
        for place, switch in switches.items():
            up[switch] += r[place]
        return up

    return out, back
