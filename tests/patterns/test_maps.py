"""PatternNet and PatternAttribution of a convolutional network, against a plain computation."""

from __future__ import annotations

import keras
import numpy as np
import pytest
from keras import layers

import innexplain
from innexplain.errors import ArgumentError, ModelError
from innexplain.patterns import PatternComputer, Patterns
from tests.patterns.test_layers import ALL, images
from tests.zoo import randomise

METHODS = ("pattern.net", "pattern.attribution")
X = images(8, 8, 2, n=40)


@pytest.fixture(scope="module")
def model():
    stack = [
        keras.Input((8, 8, 2)),
        layers.Conv2D(4, 3, activation="relu", name="low"),
        layers.MaxPooling2D(2, name="pool"),
        layers.Conv2D(5, 2, name="high"),
        layers.ReLU(),
        layers.Flatten(),
        layers.Dense(3, activation="softmax", name="top"),
    ]
    return randomise(keras.Sequential(stack), 1)


@pytest.fixture(scope="module")
def patterns(model):
    return PatternComputer(model, ALL).fit(X, progress=False)


def double(layer):
    """Kernel and bias in float64."""
    return (np.asarray(v, "float64") for v in layer.get_weights())


def conv(x, kernel, bias):
    """A valid convolution of stride 1, by loops over the kernel."""
    height, width = x.shape[1] - kernel.shape[0] + 1, x.shape[2] - kernel.shape[1] + 1
    taps = np.ndindex(kernel.shape[:2])
    return bias + sum(x[:, i : i + height, j : j + width] @ kernel[i, j] for i, j in taps)


def conv_back(r, kernel, shape):
    """Its transpose."""
    answer = np.zeros(shape)
    for i, j in np.ndindex(kernel.shape[:2]):
        answer[:, i : i + r.shape[1], j : j + r.shape[2]] += r @ kernel[i, j].T
    return answer


def plain(model, x, chosen, above, below):
    """The backward pass with kernels `chosen(name)`, from the largest logit, in float64.

    `above` and `below` are the kernels of the last layer for logits above zero and for the others.
    """
    x = x.astype("float64")
    first = conv(x, *double(model.get_layer("low")))
    cells = np.maximum(first, 0).reshape(len(x), 3, 2, 3, 2, 4)
    pooled = cells.max(axis=(2, 4))
    second = conv(pooled, *double(model.get_layer("high")))
    kernel, bias = double(model.get_layer("top"))
    z = np.maximum(second, 0).reshape(len(x), -1) @ kernel + bias
    best = z.argmax(axis=1)
    seed = z[np.arange(len(x)), best][:, None]
    columns = np.where(seed > 0, above.T[best], below.T[best])
    r = (seed * columns).reshape(second.shape) * (second > 0)
    r = conv_back(r, chosen("high"), pooled.shape)
    winners = cells == pooled[:, :, None, :, None]
    r = (winners * r[:, :, None, :, None]).reshape(first.shape) * (first > 0)
    return conv_back(r, chosen("low"), x.shape)


@pytest.mark.parametrize("head", ["two-component", "linear"])
@pytest.mark.parametrize("method", METHODS)
def test_plain_computation(model, patterns, method, head):
    def chosen(name, pattern_type="relu"):
        kernel, _ = double(model.get_layer(name))
        return patterns.get(name, pattern_type) * (kernel if method == "pattern.attribution" else 1)

    types = ("linear", "linear") if head == "linear" else ("relu", "relu.negative")
    expected = plain(model, X[:6], chosen, *(chosen("top", t) for t in types))
    analyzer = innexplain.create_analyzer(method, model, patterns=patterns, head=head)
    np.testing.assert_allclose(analyzer.analyze(X[:6]), expected, atol=1e-5 * np.abs(expected).max())


@pytest.mark.parametrize("method", METHODS)
def test_filters_as_patterns_are_the_filter_estimator(model, patterns, method):
    """With a = w / (w^T w) given as patterns, both methods are those of S_w."""
    arrays = {}
    for key in patterns.arrays:
        kernel, _ = double(model.get_layer(key))
        filters = kernel / (kernel**2).sum(axis=tuple(range(kernel.ndim - 1)))
        arrays[key] = dict.fromkeys(ALL, filters)
    own = Patterns(arrays, patterns.silent, patterns.prints)
    found = innexplain.create_analyzer(method, model, patterns=own).analyze(X[:4])
    expected = innexplain.create_analyzer(method, model, estimator="S_w").analyze(X[:4])
    assert np.abs(expected).max() > 1e-3
    np.testing.assert_allclose(found, expected, atol=1e-6 * np.abs(expected).max())


def test_identity_estimator(model):
    """Everything is signal: PatternAttribution is LRP's z rule, PatternNet's signal is the input."""
    found = innexplain.create_analyzer("pattern.attribution", model, estimator="S_x").analyze(X[:4])
    expected = innexplain.create_analyzer("lrp.z", model).analyze(X[:4])
    np.testing.assert_allclose(found, expected, atol=1e-6 * np.abs(expected).max())
    signal = innexplain.create_analyzer("pattern.net", model, estimator="S_x").analyze(X[:4])
    np.testing.assert_array_equal(signal, X[:4])


def test_attribution_is_conserved_where_nothing_is_gated():
    """w^T a = 1: a linear layer hands on all that it received, so that the map sums to the score."""
    x = images(5, n=50)
    stack = [keras.Input((5,)), *(layers.Dense(units) for units in (6, 4, 2))]
    model = randomise(keras.Sequential(stack), 4)
    for head in ("linear", "two-component"):
        analyzer = innexplain.create_analyzer("pattern.attribution", model, head=head).fit(x, progress=False)
        relevance, info = analyzer.analyze(x[:5], return_info=True)
        np.testing.assert_allclose(relevance.sum(1), info["score"], rtol=1e-4)


def test_models_with_several_outputs():
    inputs = keras.Input((5,))
    h = layers.Dense(4, activation="relu", name="below")(inputs)
    outputs = [layers.Dense(2, name="one")(h), layers.Dense(3, name="other")(h)]
    model, x = randomise(keras.Model(inputs, outputs)), images(5, n=50)
    lit = keras.Model(inputs, h)(x).numpy().any(axis=1)
    analyzer = innexplain.create_analyzer("pattern.net", model, output=1).fit(x, progress=False)
    patterns = PatternComputer(model, ["relu", "relu.negative"], output=1).fit(x, progress=False)
    assert list(patterns) == [("below",), ("other",)]
    given = innexplain.create_analyzer("pattern.net", model, output=1, patterns=patterns)
    np.testing.assert_allclose(given.analyze(x[lit]), analyzer.analyze(x[lit]), atol=1e-5)
    with pytest.raises(ModelError, match=r"'one' has no pattern.*another output"):
        innexplain.create_analyzer("pattern.net", model, output=0, patterns=patterns)


@pytest.mark.parametrize("method", METHODS)
def test_refusals(model, patterns, method):
    other = randomise(keras.models.clone_model(model), 9)
    with pytest.raises(ModelError, match="'low' differ"):
        innexplain.create_analyzer(method, other, patterns=patterns)
    wanting = PatternComputer(model, "linear").fit(X, progress=False)
    with pytest.raises(ArgumentError, match=r"'relu\.negative'.*Received.*'linear'"):
        innexplain.create_analyzer(method, model, patterns=wanting)


def test_network_with_norms_and_branches():
    """Shared layers, residuals and norms that stay: finite maps, the same for every batch size."""
    inputs = keras.Input((8, 8, 2))
    shared = layers.Conv2D(4, 3, padding="same")
    h = layers.ReLU()(layers.BatchNormalization()(layers.Conv2D(4, 3, padding="same")(inputs)))
    h = layers.Add()([h, layers.ReLU()(shared(h))])
    h = layers.BatchNormalization(axis=1)(shared(h))
    h = layers.GlobalAveragePooling2D()(layers.ReLU()(h))
    model = randomise(keras.Model(inputs, layers.Dense(3)(h)), 6)
    for method in METHODS:
        analyzer = innexplain.create_analyzer(method, model).fit(X, progress=False)
        found = analyzer.analyze(X[:5])
        assert np.isfinite(found).all() and np.abs(found).max() > 1e-4
        pieces = analyzer.analyze(X[:5], batch_size=2)
        np.testing.assert_allclose(pieces, found, atol=1e-5 * np.abs(found).max())
