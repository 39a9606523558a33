"""Inputs that lie far from zero compared with their spread cost no digits, in whatever batches they come.

All numbers here have so few bits that the own outputs of layers are exact in float32, in whatever order they
are summed.  What is found is then the doing of the fit alone.
"""

from __future__ import annotations

import itertools

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers

from innexplain.graph.linear import linear_parts
from innexplain.patterns import PATTERN_TYPES, PatternComputer, sites
from tests.patterns import slow_but
from tests.patterns.naive import conv_neurons, pattern, transposed_neurons
from tests.patterns.test_layers import CONVOLUTIONS, close, one_layer

pytestmark = pytest.mark.usefixtures("no_layer_is_small")
ALL = list(PATTERN_TYPES)
FAR = [(10, 0.1), (100, 0.1), (1000, 0.1)]


def far_off(shape, mean, spread, n=40):
    """Data whose channels have different means, in steps of about a tenth of their spread."""
    rng = np.random.default_rng(1)
    step = 2.0 ** np.floor(np.log2(spread / 6))
    means = mean * (1 + np.arange(shape[-1]) / shape[-1])
    return (np.round((rng.normal(size=(n, *shape)) * spread + means) / step) * step).astype("float32")


def by_neuron(z):
    """Outputs in rows, neurons along the last axis."""
    return z.reshape(-1, z.shape[-1])


def halved(model, layer, x, rows=by_neuron):
    """Weights of few bits, and a bias that puts half of every neuron's outputs above zero; the outputs."""
    kernel, bias = layer.get_weights()
    rng = np.random.default_rng(2)
    layer.set_weights([rng.choice([-1, -0.5, 0.5, 1], kernel.shape), np.zeros_like(bias)])
    z = np.sort(rows(model(x).numpy()), axis=0)
    layer.bias.assign(-z[len(z) // 2].reshape(bias.shape))
    return rows(model(x).numpy())


def check(patterns, layer, neurons, outputs, mean_y="conditional", within=3e-6):
    """Every type of pattern of every neuron, by place in the kernel, weights, and fields."""
    bias = layer.bias.numpy().ravel().astype("float64")
    for number, (place, w, fields) in enumerate(neurons):
        y = fields @ w + bias[number]
        np.testing.assert_array_equal(y, outputs[:, number])  # no digit is lost before the fit
        assert 0 < (y > 0).sum() < len(y)
        for pattern_type in patterns.pattern_types:
            found = patterns.get(layer, pattern_type)[place].ravel()
            expected = pattern(fields, y, y, w, pattern_type, mean_y)
            # Of weights that are nearly orthogonal to their pattern, w^T a = 1 magnifies what is rounded.
            close(found, expected, within * max(1, np.abs(expected * w).sum() / 3))


def dense_neurons(layer, x):
    """What `check` needs."""
    kernel = layer.kernel.numpy().astype("float64")
    fields = x.reshape(-1, x.shape[-1]).astype("float64")
    return [((..., j), kernel[:, j], fields) for j in range(kernel.shape[1])]


WAYS = (sites.PRECISIONS, ("conditional", "all"), [*FAR, (1000, 0.02)], (1, 32, 1000))
QUICK = [("compensated", "conditional", (1000, 0.1), 32), ("float64", "all", (1000, 0.02), 1000)]


@pytest.mark.parametrize(("precision", "mean_y", "far", "batch_size"), slow_but(QUICK, *WAYS))
def test_dense(precision, mean_y, far, batch_size):
    x = far_off((8,), *far, n=300)
    layer = layers.Dense(4)
    model = one_layer(layer, x)
    outputs = halved(model, layer, x)
    computer = PatternComputer(model, ALL, mean_y, precision=precision)
    patterns = computer.fit(x, progress=False, batch_size=batch_size)
    check(patterns, layer, dense_neurons(layer, x), outputs, mean_y)


WAYS = [*(("compensated", *far) for far in FAR), ("float64", 1000, 0.1)]


@pytest.mark.parametrize(("case", "way"), slow_but([("2D strides", WAYS[1])], CONVOLUTIONS, WAYS))
def test_convolutions(case, way):
    """Where zeros are padded, they are the far-off ones."""
    (shape, make), (precision, *far) = CONVOLUTIONS[case], way
    x = far_off(shape, *far)
    layer = make()
    model = one_layer(layer, x)
    outputs = halved(model, layer, x)
    patterns = PatternComputer(model, ALL, precision=precision).fit(x, progress=False, batch_size=11)
    check(patterns, layer, conv_neurons(layer, x), outputs)


TRANSPOSED = {
    "1 wide": ((5, 4, 3), lambda: layers.Conv2DTranspose(2, 1)),
    "as wide as the stride": ((5, 4, 3), lambda: layers.Conv2DTranspose(2, 2, strides=2)),
    "narrower": ((5, 4, 3), lambda: layers.Conv2DTranspose(2, 2, strides=3, padding="same")),
    "wider": ((5, 4, 3), lambda: layers.Conv2DTranspose(2, 3, strides=2, padding="same")),
    "dilated": ((5, 4, 3), lambda: layers.Conv2DTranspose(2, 2, dilation_rate=2)),
    "1D": ((7, 3), lambda: layers.Conv1DTranspose(2, 2, strides=2)),
    "3D": ((3, 2, 3, 2), lambda: layers.Conv3DTranspose(2, 2, strides=2)),
}


WAYS = (TRANSPOSED, FAR[1:], [("conditional", 11), ("all", 1)])
QUICK = [("wider", FAR[1], ("conditional", 11)), ("narrower", FAR[2], ("conditional", 11))]


@pytest.mark.parametrize(("case", "far", "fit"), slow_but(QUICK, *WAYS))
def test_transposed_convolutions(case, far, fit):
    """Between inputs there are zeros, which do not move with their mean."""
    (shape, make), (mean_y, batch_size) = TRANSPOSED[case], fit
    x = far_off(shape, *far)
    layer = make()
    model = one_layer(layer, x)
    outputs = halved(model, layer, x)
    patterns = PatternComputer(model, ALL, mean_y).fit(x, progress=False, batch_size=batch_size)
    check(patterns, layer, transposed_neurons(layer, x), outputs, mean_y)


@pytest.mark.compiled  # else their size is known
@pytest.mark.parametrize("padding", [pytest.param("valid", marks=pytest.mark.slow), "same"])
def test_images_of_any_size(padding):
    x = far_off((6, 7, 2), 100, 0.1)
    layer = layers.Conv2D(3, 3, strides=2, padding=padding)
    model = keras.Sequential([keras.Input((None, None, 2)), layer])
    outputs = halved(model, layer, x)
    patterns = PatternComputer(model, ALL).fit(x, progress=False, batch_size=11)
    check(patterns, layer, conv_neurons(layer, x), outputs)


@pytest.mark.parametrize("precision", ["compensated", pytest.param("float64", marks=pytest.mark.slow)])
def test_padding_ahead(precision):
    """Zeros that a layer of their own pads belong to the convolution."""
    x = far_off((6, 7, 2), 100, 0.1)
    own, same = (layers.Conv2D(3, 3, padding=p) for p in ("valid", "same"))
    model = keras.Sequential([keras.Input(x.shape[1:]), layers.ZeroPadding2D(1), own])
    outputs = halved(model, own, x)
    same.build((None, *x.shape[1:]))
    same.set_weights(own.get_weights())
    patterns = PatternComputer(model, ALL, precision=precision).fit(x, progress=False, batch_size=11)
    check(patterns, own, conv_neurons(same, x), outputs)


def test_einsum():
    x = far_off((5, 4), 1000, 0.1)
    layer = layers.EinsumDense("abc,dc->adb", output_shape=(3, None), bias_axes="d")
    model = one_layer(layer, x)
    outputs = halved(model, layer, x, lambda z: by_neuron(np.moveaxis(z, 1, -1)))
    fields, kernel = x.reshape(-1, 4).astype("float64"), layer.kernel.numpy().astype("float64")
    neurons = [((j, ...), kernel[j], fields) for j in range(3)]
    check(PatternComputer(model, ALL).fit(x, progress=False, batch_size=7), layer, neurons, outputs)


def test_einsum_of_places():
    """A neuron of its own for every place: its inputs are as many channels."""
    x = far_off((5, 4), 1000, 0.1, n=60)
    layer = layers.EinsumDense("abc,bcd->abd", output_shape=(5, 3), bias_axes="bd")
    model = one_layer(layer, x)
    outputs = halved(model, layer, x, lambda z: z.reshape(60, -1))
    kernel, places = layer.kernel.numpy().astype("float64"), list(np.ndindex(5, 3))
    neurons = [((b, slice(None), d), kernel[b, :, d], x[:, b].astype("float64")) for b, d in places]
    check(PatternComputer(model, ALL).fit(x, progress=False, batch_size=7), layer, neurons, outputs)


@pytest.mark.parametrize("far", slow_but([(FAR[1],)], FAR))
def test_einsum_that_sums_places(far):
    """What a weight sees is the sum over them."""
    x = far_off((5, 4), *far, n=60)
    layer = layers.EinsumDense("abc,cd->ad", output_shape=(3,), bias_axes="d")
    model = one_layer(layer, x)
    outputs = halved(model, layer, x)
    kernel, fields = layer.kernel.numpy().astype("float64"), x.sum(axis=1).astype("float64")
    neurons = [((..., j), kernel[:, j], fields) for j in range(3)]
    check(PatternComputer(model, ALL).fit(x, progress=False, batch_size=7), layer, neurons, outputs)


@pytest.mark.parametrize(("far", "mean_y"), slow_but([(FAR[1], "conditional")], FAR, ["conditional", "all"]))
def test_shared_layers(far, mean_y):
    """Two calls, whose inputs lie in different places, for one of which alone most neurons fire."""
    x = far_off((8,), *far, n=100)
    layer = layers.Dense(3)
    inputs = keras.Input((8,))
    outputs = layers.Concatenate()([layer(inputs), layer(layers.Rescaling(-0.5)(inputs))])
    model = keras.Model(inputs, outputs)
    found = halved(model, layer, x, lambda z: np.concatenate([z[:, :3], z[:, 3:]]))
    patterns = PatternComputer(model, ALL, mean_y).fit(x, progress=False, batch_size=13)
    both = np.concatenate([x, x * np.float32(-0.5)])
    check(patterns, layer, dense_neurons(layer, both), found, mean_y)


@pytest.mark.parametrize(
    ("precision", "mean_y"),
    slow_but([("compensated", "conditional")], sites.PRECISIONS, ["conditional", "all"]),
)
def test_merged_parts(mean_y, precision, tmp_path):
    """They lie in different places, one of them is read from a file, and one has no samples."""
    x = far_off((8,), 1000, 0.1, n=200)
    x[:80] += 7
    layer = layers.Dense(3)
    model = one_layer(layer, x)
    outputs = halved(model, layer, x)
    first, last, read, none = (PatternComputer(model, ALL, mean_y, precision=precision) for _ in range(4))
    path = last.partial_fit(x[80:]).save(tmp_path / "sums")
    merged = first.partial_fit(x[:80]).merge(read.load(path)).merge(none)
    check(merged.finalize(), layer, dense_neurons(layer, x), outputs, mean_y)


@pytest.mark.parametrize("mean_y", ["conditional", pytest.param("all", marks=pytest.mark.slow)])
def test_parts_very_far_from_zero(mean_y):
    """Outputs are as far, there is no bias; the linear pattern is made of two groups, or of merged parts."""
    x = far_off((4,), 1e5, 0.1, n=200).astype("float64")
    layer = layers.Dense(2, dtype="float64")
    model = one_layer(layer, x, "float64")
    w = np.array([[1, 0.5, 0.5, -0.5], [1, -2, 0.5, 0.5]]).T
    layer.set_weights([w, np.zeros(2)])
    groups, first, last = (PatternComputer(model, t, mean_y) for t in (ALL, "linear", "linear"))
    whole = groups.fit(x, progress=False)
    merged = first.partial_fit(x[:90]).merge(last.partial_fit(x[90:])).finalize()
    for j, found in itertools.product(range(2), (whole, merged)):
        expected = pattern(x - x.mean(axis=0), (x - x.mean(axis=0)) @ w[:, j], x @ w[:, j], w[:, j], "linear")
        close(found.get(layer, "linear")[:, j], expected, 1e-8)


@pytest.mark.slow
@pytest.mark.compiled
@pytest.mark.parametrize("mean_y", ["conditional", "all"])
@pytest.mark.parametrize("batch_size", [1, 64])
def test_whole_numbers(mean_y, batch_size):
    """Rounded the same way again and again, 30,000 pixels would add up to an error."""
    rng = np.random.default_rng(0)
    x = rng.integers(-8, 9, (64, 22, 22, 3)).astype("float32")
    layer = layers.Conv2D(2, 3, padding="same")
    model = one_layer(layer, x)
    outputs = halved(model, layer, x)
    computer = PatternComputer(model, ALL, mean_y, precision="compensated")
    patterns = computer.fit(x, progress=False, batch_size=batch_size)
    check(patterns, layer, conv_neurons(layer, x), outputs, mean_y, within=1e-6)


@pytest.mark.parametrize("case", CONVOLUTIONS)
def test_explicit_padding(case):
    """What a layer pads, and the convolution without it, are the layer."""
    shape, make = CONVOLUTIONS[case]
    x = far_off(shape, 1, 1)
    layer = make(use_bias=False)
    layer(x)
    (part,) = linear_parts(layer)
    x = tf.constant(x)
    padded = x if part.pad is None else part.pad(x)
    np.testing.assert_allclose(part.unpadded(padded, layer.kernel), layer(x), rtol=1e-5, atol=1e-5)
