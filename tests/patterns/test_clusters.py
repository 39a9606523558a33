"""Inputs in clusters, which no mean suits, and which layers are summed in float64 for their sake."""

from __future__ import annotations

import keras
import numpy as np
import pytest
from keras import layers

from innexplain.patterns import PatternComputer, sites
from tests.patterns import slow_but
from tests.patterns.naive import conv_neurons
from tests.patterns.test_far_from_zero import ALL, by_neuron, check, far_off
from tests.patterns.test_layers import one_layer


def clusters(apart):
    """Two kinds of inputs, one of which alone makes a neuron fire: the mean of a batch fits neither."""
    x = far_off((9, 6), 0, 1, n=200)
    x += apart * (np.random.default_rng(0).random((200, 9, 1)) < 0.5)
    return x, np.array([[1, 0.5, 0.5, -1, 0.5, 1], [1, 1, 1, 1, 1, 1]], "float32").T


WAYS = [
    ("compensated", "conditional", 100, 1e-5),
    ("compensated", "all", 100, 1e-5),
    ("float64", "conditional", 4000, 3e-6),
    (None, "all", 4000, 3e-6),
]


@pytest.mark.usefixtures("no_layer_is_small")
@pytest.mark.parametrize(("batch_size", "way"), slow_but([(64, WAYS[0]), (64, WAYS[3])], (1, 64), WAYS))
def test_clusters(batch_size, way):
    precision, mean_y, apart, within = way
    x, kernel = clusters(apart)
    layer = layers.Conv1D(2, 1)
    model = one_layer(layer, x)
    layer.set_weights([kernel[None], -apart / 2 * kernel.sum(axis=0)])
    outputs = by_neuron(model(x).numpy())
    computer = PatternComputer(model, ALL, mean_y, precision=precision)
    patterns = computer.fit(x, progress=False, batch_size=batch_size)
    check(patterns, layer, conv_neurons(layer, x), outputs, mean_y, within)


@pytest.mark.slow
@pytest.mark.compiled
@pytest.mark.usefixtures("no_layer_is_small")
def test_sorted_clusters():
    """The mean output moves a long way, and with it sums that count on the mean input of each weight."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(4000, 32)) + 200.0 * (rng.random((4000, 1)) < 0.5)
    kernel = rng.normal(size=(32, 4))
    kernel *= np.sign(kernel.sum(axis=0))
    x = x[np.argsort(x @ kernel[:, 0])].astype("float32")
    dense = layers.Dense(4)
    model = one_layer(dense, x)
    dense.set_weights([kernel, -100 * kernel.sum(axis=0)])
    found, expected = (
        PatternComputer(model, precision=p).fit(x, progress=False, batch_size=16).get(dense)
        for p in sites.PRECISIONS
    )
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-5 * np.abs(expected).max())


@pytest.mark.parametrize(
    "make",
    [lambda: layers.Dense(2), pytest.param(lambda: layers.Conv1D(2, 1), marks=pytest.mark.slow)],
    ids=["dense", "conv"],
)
def test_clusters_in_data(make):
    """Layers that read the data themselves are summed in float64."""
    x, kernel = clusters(4000)
    layer = make()
    model = one_layer(layer, x)
    layer.set_weights([kernel.reshape(layer.kernel.shape), -2000 * kernel.sum(axis=0)])
    outputs = by_neuron(model(x).numpy())
    patterns = PatternComputer(model, ALL).fit(x, progress=False, batch_size=64)
    fields = x.reshape(-1, 6).astype("float64")
    check(patterns, layer, [((..., j), kernel[:, j].astype("float64"), fields) for j in range(2)], outputs)


UNEVEN = {
    "grouped": (2, lambda: layers.Conv1D(4, 2, groups=2)),
    "depthwise": (2, lambda: layers.DepthwiseConv1D(2, depth_multiplier=2)),
    "places": (1, lambda: layers.EinsumDense("bhi,iho->bho", output_shape=(6, 3))),
    "places, turned": (1, lambda: layers.EinsumDense("bhi,oih->bho", output_shape=(6, 3))),
}


@pytest.mark.usefixtures("no_layer_is_small")
@pytest.mark.parametrize(
    ("case", "mean_y"), slow_but([("depthwise", "conditional")], UNEVEN, ["conditional", "all"])
)
def test_inputs_of_different_size(case, mean_y):
    """What some neurons see says nothing about how many digits others need."""
    axis, make = UNEVEN[case]
    x = far_off((6, 6), 0, 1, n=200) * np.expand_dims(4.0 ** (5 * np.arange(6)), 2 - axis)
    layer = make()
    model = one_layer(layer, x)
    axes = PatternComputer(model).sites[0].neurons.kernel_axes
    found, expected = (
        PatternComputer(model, ALL, mean_y, precision=p).fit(x, progress=False, batch_size=7)
        for p in sites.PRECISIONS
    )
    for pattern_type in ALL:
        a, b = (np.moveaxis(p.get(layer, pattern_type), axes, range(len(axes))) for p in (found, expected))
        most = np.abs(b).max(axis=tuple(range(len(axes), b.ndim)), keepdims=True)
        assert (np.abs(a - b) <= 1e-5 * most).all()


def precise(model, **settings):
    return [s.key for s in PatternComputer(model, **settings).sites if s.dtype == "float64"]


def test_which_layers_are_summed_in_float64(monkeypatch):
    twice, inputs = layers.Conv2D(4, 3, padding="same", name="shared"), keras.Input((8, 8, 4))
    y = layers.Conv2D(4, 3, name="first")(layers.Rescaling(0.1)(inputs))
    y = layers.Conv2D(4, 3, name="second")(y)
    y = layers.Conv2DTranspose(4, 2, strides=2, name="transposed")(twice(twice(y)))
    y = layers.Conv2D(4, 6, padding="same", groups=2, name="grouped")(y)
    y = layers.Dense(3, name="row")(layers.Flatten()(layers.Dense(2, name="places")(y)))
    model = keras.Model(inputs, y)
    names = ["first", "second", "shared", "transposed", "grouped", "places", "row"]
    assert precise(model) == names
    monkeypatch.setattr(sites, "_FEW_WEIGHTS", 100)
    assert precise(model) == ["shared", "transposed", "grouped", "places"]
    assert precise(model, precision="float64") == names
