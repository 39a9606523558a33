"""Patterns of every kind of layer equal those of receptive fields that are cut out one by one."""

from __future__ import annotations

from contextlib import nullcontext

import keras
import numpy as np
import pytest
from keras import layers

from innexplain.patterns import PATTERN_TYPES, PatternComputer, blocks, parts, sites
from tests.eagerly import compiled
from tests.patterns import slow_but
from tests.patterns.naive import conv_neurons, pattern, transposed_neurons
from tests.zoo import randomise

ALL = list(PATTERN_TYPES)


@pytest.fixture(autouse=True, params=["small", "large"])
def size(request, monkeypatch):
    """Of large activations, some rows of a sample are summed at a time; of large kernels, some rows too."""
    if request.param == "large":
        monkeypatch.setattr(sites, "_FEW_WEIGHTS", 0)
        monkeypatch.setattr(parts, "_MOST_VALUES", 200)
        monkeypatch.setattr(blocks, "_WEIGHTS_AT_A_TIME", 4)


def images(*shape, n=12, seed=1):
    """Data of non-zero mean, as after a ReLU."""
    rng = np.random.default_rng(seed)
    return (rng.normal(size=(n, *shape)) + 0.5).astype("float32")


def one_layer(layer, x, dtype="float32"):
    """A network of one layer with random weights."""
    model = keras.Sequential([keras.Input(x.shape[1:], dtype=dtype), layer])
    return randomise(model, 3)


def close(found, expected, within=2e-5):
    """Equal up to a share of the largest number."""
    np.testing.assert_allclose(found, expected, rtol=0, atol=within * np.abs(expected).max())


def check(patterns, layer, neurons, bias, mean_y, within=2e-5, part=None):
    """Every type of pattern of every neuron, against the plain computation."""
    for number, (place, w, fields) in enumerate(neurons):
        y = fields @ w + bias[number]
        assert 0 < (y > 0).sum() < len(y)  # else one of the groups would be empty
        for pattern_type in patterns.pattern_types:
            found = patterns.get(layer, pattern_type, part)[place].ravel()
            close(found, pattern(fields, y, y, w, pattern_type, mean_y), within)
            np.testing.assert_allclose(w @ found, 1, atol=2e-5)


@pytest.mark.parametrize(
    ("shape", "mean_y"), [((7,), "conditional"), ((4, 7), "all")], ids=["rank 2", "rank 3, all"]
)
def test_dense(shape, mean_y):
    x = images(*shape, n=40)
    layer = layers.Dense(5, activation="relu")
    model = one_layer(layer, x)
    patterns = PatternComputer(model, ALL, mean_y).fit(x, progress=False)
    kernel, bias = layer.get_weights()
    fields = x.reshape(-1, 7).astype("float64")
    neurons = [((..., j), kernel[:, j].astype("float64"), fields) for j in range(5)]
    check(patterns, layer, neurons, bias, mean_y)


CONVOLUTIONS = {
    "1D": ((11, 3), lambda **k: layers.Conv1D(4, 3, **k)),
    "1D strides": ((11, 3), lambda **k: layers.Conv1D(4, 3, strides=2, padding="same", **k)),
    "1D causal": ((11, 3), lambda **k: layers.Conv1D(4, 3, padding="causal", dilation_rate=2, **k)),
    "2D": ((6, 7, 2), lambda **k: layers.Conv2D(3, (3, 2), **k)),
    "2D same": ((6, 7, 2), lambda **k: layers.Conv2D(3, (3, 2), padding="same", **k)),
    "2D strides": ((6, 7, 2), lambda **k: layers.Conv2D(3, 3, strides=(2, 3), padding="same", **k)),
    "2D dilation": ((8, 7, 2), lambda **k: layers.Conv2D(3, 3, dilation_rate=(2, 1), **k)),
    "2D dilation, same": ((8, 7, 2), lambda **k: layers.Conv2D(3, 3, dilation_rate=2, padding="same", **k)),
    "3D": ((4, 5, 4, 2), lambda **k: layers.Conv3D(3, 2, strides=(1, 2, 1), padding="same", **k)),
    "grouped": ((6, 7, 4), lambda **k: layers.Conv2D(6, 3, groups=2, padding="same", **k)),
    "depthwise": ((6, 7, 3), lambda **k: layers.DepthwiseConv2D(3, depth_multiplier=2, **k)),
    "depthwise same": ((6, 7, 3), lambda **k: layers.DepthwiseConv2D(3, strides=2, padding="same", **k)),
    "depthwise 1D": ((11, 3), lambda **k: layers.DepthwiseConv1D(3, depth_multiplier=2, **k)),
}


def convolutions():
    """In float64, which the other mean takes, samples are cut into rows; else a few are taken at a time."""
    quick = {(case, "all", "large") for case in CONVOLUTIONS}
    quick |= {(case, "conditional", "large") for case in ("1D strides", "2D same", "3D", "depthwise")}
    quick |= {(case, "conditional", "small") for case in ("1D causal", "2D dilation, same")}
    return slow_but(quick, CONVOLUTIONS, ["conditional", "all"], ["small", "large"])


@pytest.mark.parametrize(("case", "mean_y", "size"), convolutions(), indirect=["size"])
def test_convolutions(case, mean_y):
    shape, make = CONVOLUTIONS[case]
    x = images(*shape)
    layer = make(activation="relu")
    model = one_layer(layer, x)
    # Many rows are faster compiled; grouped convolutions, XLA would compile at each call.
    with compiled() if mean_y == "all" or case == "grouped" else nullcontext():
        patterns = PatternComputer(model, ALL, mean_y).fit(x, progress=False, batch_size=5)
    assert patterns.get(layer).shape == tuple(layer.kernel.shape)
    check(patterns, layer, conv_neurons(layer, x), np.asarray(layer.bias, "float64"), mean_y)


@pytest.mark.parametrize(
    ("case", "size"), [("2D same", "small"), ("3D", "large"), ("depthwise", "large")], indirect=["size"]
)
def test_float64_models(case):
    shape, make = CONVOLUTIONS[case]
    x = images(*shape).astype("float64")
    layer = make(activation="relu", dtype="float64")
    model = one_layer(layer, x, "float64")
    patterns = PatternComputer(model, ALL).fit(x, progress=False, batch_size=5)
    check(patterns, layer, conv_neurons(layer, x), np.asarray(layer.bias), "conditional", 1e-11)


@pytest.mark.parametrize("size", ["large"], indirect=True)
def test_mixed_precision():
    x = images(6, 7, 2, n=40)
    layer = layers.Conv2D(3, 3, dtype="mixed_float16")
    model = one_layer(layer, x)
    patterns = PatternComputer(model, ALL).fit(x, progress=False)
    half = x.astype("float16")
    seen = layer(x).numpy()  # in half precision, too
    for number, (place, w, fields) in enumerate(conv_neurons(layer, half)):
        y = seen[..., number].ravel().astype("float64")
        for pattern_type in ALL:
            expected = pattern(fields, y, y, w, pattern_type)
            close(patterns.get(layer, pattern_type)[place].ravel(), expected)


def test_separable():
    """Its depthwise part, then its pointwise part, which alone has the bias and the ReLU."""
    x = images(6, 7, 3)
    layer = layers.SeparableConv2D(4, 3, depth_multiplier=2, padding="same", activation="relu")
    model = one_layer(layer, x)
    patterns = PatternComputer(model, ALL).fit(x, progress=False)
    assert list(patterns) == [(layer.name,)] and len(patterns) == 1
    depthwise = layers.DepthwiseConv2D(3, depth_multiplier=2, padding="same", use_bias=False)
    depthwise(x)
    depthwise.kernel.assign(layer.depthwise_kernel)
    check(patterns, layer, conv_neurons(depthwise, x), np.zeros(6), "conditional", part="depthwise")
    between = depthwise(x).numpy()
    pointwise = layers.Conv2D(4, 1)
    pointwise(between)
    pointwise.kernel.assign(layer.pointwise_kernel)
    bias = np.asarray(layer.bias, "float64")
    check(patterns, layer, conv_neurons(pointwise, between), bias, "conditional", part="pointwise")


@pytest.mark.parametrize(
    ("kernel_size", "strides", "padding"),
    [(3, 2, "same"), (2, 1, "valid"), (1, (3, 2), "valid"), (2, 3, "same")],
)
def test_transposed(kernel_size, strides, padding):
    """With kernels smaller than their strides as well."""
    x = images(4, 3, 2)
    layer = layers.Conv2DTranspose(3, kernel_size, strides=strides, padding=padding)
    model = one_layer(layer, x)
    layer.bias.assign([0.1, -0.1, 0.05])
    patterns = PatternComputer(model, ALL).fit(x, progress=False)
    check(patterns, layer, transposed_neurons(layer, x), np.asarray(layer.bias, "float64"), "conditional")


def test_einsum():
    x = images(5, 4, n=20)
    layer = layers.EinsumDense("abc,cde->abde", output_shape=(None, 3, 2), bias_axes="de")
    model = one_layer(layer, x)
    kernel, bias = (v.astype("float64") for v in layer.get_weights())
    places = list(np.ndindex(3, 2))
    neurons = [((..., d, e), kernel[:, d, e], x.reshape(-1, 4).astype("float64")) for d, e in places]
    patterns = PatternComputer(model, ALL).fit(x, progress=False)
    check(patterns, layer, neurons, bias.ravel(), "conditional")


def test_einsum_with_dots():
    x = images(5, 4, n=20)
    layer = layers.EinsumDense("...x,xy->...y", output_shape=3, bias_axes="y")
    model = one_layer(layer, x)
    kernel, bias = (v.astype("float64") for v in layer.get_weights())
    neurons = [((..., j), kernel[:, j], x.reshape(-1, 4).astype("float64")) for j in range(3)]
    check(PatternComputer(model, ALL).fit(x, progress=False), layer, neurons, bias, "conditional")
