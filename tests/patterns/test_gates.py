"""Which samples count: batch norms folded or not, activations inside or apart, shared and nested layers."""

from __future__ import annotations

import keras
import numpy as np
import pytest
from keras import layers

from innexplain.errors import InnexplainWarning
from innexplain.patterns import PATTERN_TYPES, PatternComputer, sites
from tests.patterns import slow_but
from tests.patterns.naive import pattern
from tests.patterns.test_layers import ALL, close, images
from tests.zoo import randomise

X = images(6, 5, 3, n=20)


def fit(model, x=X, **kwargs):
    """All types of patterns."""
    return PatternComputer(model, ALL, **kwargs).fit(x, progress=False)


def expected(fields, w, bias, gate=None):
    """Patterns of all neurons of a kernel (inputs, neurons), by type, plainly."""
    y = fields @ w + bias
    gate = y if gate is None else gate
    return {
        t: np.stack([pattern(fields, y[:, j], gate[:, j], w[:, j], t) for j in range(w.shape[1])], axis=1)
        for t in PATTERN_TYPES
    }


def agree(patterns, layer, wanted, within=2e-5, **kwargs):
    """Fitted and plain patterns, whatever the shape of the kernel."""
    for pattern_type, array in wanted.items():
        found = patterns.get(layer, pattern_type, **kwargs)
        close(found.reshape(array.shape), array, within)


def norm_weights(norm):
    """A batch norm as `s x + t`, in float64."""
    gamma, beta, mean, variance = (np.asarray(v, "float64") for v in norm.get_weights())
    scale = gamma / np.sqrt(variance + norm.epsilon)
    return scale, beta - scale * mean


def patches(x):
    """Receptive fields of a valid 2 x 2 convolution, (m, 2 * 2 * channels)."""
    x = x.astype("float64")
    cuts = [x[:, i : x.shape[1] - 1 + i, j : x.shape[2] - 1 + j] for i in range(2) for j in range(2)]
    return np.stack(cuts, axis=3).reshape(-1, 4 * x.shape[-1])


def kernel_of(layer):
    """Kernel and bias in float64, the kernel (inputs, neurons)."""
    kernel, bias = (np.asarray(v, "float64") for v in layer.get_weights())
    return kernel.reshape(-1, kernel.shape[-1]), bias


@pytest.mark.parametrize("spelling", ["inside", "apart", "function", "dropout between", "none"])
def test_spellings_of_the_activation(spelling):
    conv = layers.Conv2D(4, 2, activation="relu" if spelling == "inside" else None)
    after = {
        "apart": [layers.ReLU()],
        "function": [layers.Activation("relu")],
        "dropout between": [layers.Dropout(0.5), layers.ReLU()],
    }.get(spelling, [])
    model = randomise(keras.Sequential([keras.Input(X.shape[1:]), conv, *after]))
    agree(fit(model), conv, expected(patches(X), *kernel_of(conv)))


@pytest.mark.parametrize("between", [[], [layers.Dropout(0.3)]], ids=["plain", "dropout"])
def test_batch_norm_behind(between):
    """The norm is part of the filter: the sign is that of what the ReLU sees."""
    conv, norm = layers.Conv2D(4, 2), layers.BatchNormalization()
    model = randomise(keras.Sequential([keras.Input(X.shape[1:]), conv, *between, norm, layers.ReLU()]))
    norm.gamma.assign([1.0, -0.7, 1.3, 0.5])
    kernel, bias = kernel_of(conv)
    scale, shift = norm_weights(norm)
    if between:  # not folded: w is the layer's own, the gate the norm's
        y = patches(X) @ kernel + bias
        wanted = expected(patches(X), kernel, bias, y * scale + shift)
    else:
        wanted = expected(patches(X), kernel * scale, bias * scale + shift)
    agree(fit(model), conv, wanted)


def test_batch_norm_ahead_of_padding():
    """What is padded behind a norm are zeros: the filter works on the norm's input, with zeros around it."""
    norm, conv = layers.BatchNormalization(), layers.Conv2D(4, 2)
    model = keras.Sequential(
        [keras.Input(X.shape[1:]), norm, layers.ZeroPadding2D(((1, 0), (0, 1))), conv, layers.ReLU()]
    )
    randomise(model)
    kernel, bias = kernel_of(conv)
    scale, shift = norm_weights(norm)
    widths = [(0, 0), (1, 0), (0, 1), (0, 0)]
    fields, shifts = patches(np.pad(X, widths)), patches(np.pad(np.ones_like(X) * shift, widths))
    effective = kernel * np.tile(scale, 4)[:, None]
    y = fields @ effective + shifts @ kernel + bias
    np.testing.assert_allclose(np.maximum(y, 0), model(X).numpy().reshape(-1, 4), atol=1e-4)
    patterns = fit(model)
    for pattern_type in ALL:
        columns = [pattern(fields, y[:, j], y[:, j], effective[:, j], pattern_type) for j in range(4)]
        close(patterns.get(conv, pattern_type).reshape(-1, 4), np.stack(columns, 1))


def test_batch_norm_that_cannot_be_folded():
    """Its scale differs along rows: w is the layer's own, and what the ReLU sees gates."""
    inputs = keras.Input(X.shape[1:])
    conv, norm = layers.Conv2D(4, 2), layers.BatchNormalization(axis=1)
    model = randomise(keras.Model(inputs, layers.ReLU()(norm(conv(inputs)))))
    kernel, bias = kernel_of(conv)
    scale, shift = norm_weights(norm)  # along rows, which no kernel can take up
    y = (patches(X) @ kernel + bias).reshape(len(X), 5, 4, 4)
    gate = y * scale[:, None, None] + shift[:, None, None]
    agree(fit(model), conv, expected(patches(X), kernel, bias, gate.reshape(-1, 4)))


def test_norm_behind_the_activation():
    """conv, ReLU, norm: the norm belongs to the layer that follows."""
    first, norm, second = layers.Conv2D(4, 2, activation="relu"), layers.BatchNormalization(), layers.Dense(3)
    model = randomise(keras.Sequential([keras.Input(X.shape[1:]), first, norm, second]))
    scale, shift = norm_weights(norm)
    kernel, bias = kernel_of(second)
    patterns = fit(model)
    agree(patterns, first, expected(patches(X), *kernel_of(first)))
    between = first(X).numpy().reshape(-1, 4).astype("float64")
    agree(patterns, second, expected(between, kernel * scale[:, None], bias + shift @ kernel))


def test_shared_layers_pool_all_calls():
    one, other = keras.Input((5,)), keras.Input((5,))
    dense = layers.Dense(4, activation="relu")
    model = randomise(keras.Model([one, other], layers.Add()([dense(one), dense(other)])))
    x = [images(5, n=30, seed=1), images(5, n=30, seed=2) * 2 + 1]
    agree(fit(model, tuple(x)), dense, expected(np.concatenate(x).astype("float64"), *kernel_of(dense)))


def test_nested_models():
    inner = keras.Sequential(
        [keras.Input((5,)), layers.Dense(4, activation="relu", name="deep")], name="base"
    )
    inputs = keras.Input((5,))
    model = randomise(keras.Model(inputs, layers.Dense(3, name="top")(inner(inputs))))
    x = images(5, n=40)
    patterns = fit(model, x)
    assert list(patterns) == [("base", "deep"), ("top",)]
    deep = inner.get_layer("deep")
    agree(patterns, ("base", "deep"), expected(x.astype("float64"), *kernel_of(deep)))
    agree(patterns, "top", expected(deep(x).numpy().astype("float64"), *kernel_of(model.get_layer("top"))))


def test_dead_neurons_have_no_pattern_and_are_counted():
    dense = layers.Dense(4, activation="relu", name="dense")
    model = randomise(keras.Sequential([keras.Input((5,)), dense]))
    kernel, bias = dense.get_weights()
    kernel[:, 3] = 0  # one value only, and that above zero
    dense.set_weights([kernel, bias * 0 + [-1e3, 1e3, 0, 7]])
    patterns = fit(model, images(5, n=200))
    assert not patterns.get(dense)[:, 0].any() and not patterns.get(dense, "relu.negative")[:, 1].any()
    assert not patterns.get(dense)[:, 3].any()
    w = kernel.astype("float64")
    np.testing.assert_allclose((w * patterns.get(dense)).sum(0), [0, 1, 1, 0], atol=1e-4)
    assert patterns.silent == {"dense": {"relu": 2, "relu.negative": 2, "linear": 1}}
    header, _, row = patterns.report().splitlines()
    assert header.split("  ")[0] == "layer" and row.split() == ["dense", "2", "2", "1"]


@pytest.mark.parametrize("few", [0, 2**20])
def test_activations_that_overflow(few, monkeypatch):
    """A pattern is NaN then, not zero as if the neuron did not fire, and someone is told."""
    monkeypatch.setattr(sites, "_FEW_WEIGHTS", few)
    x = np.random.default_rng(0).normal(size=(60, 3)).astype("float32")
    x[7, 1] = 500
    stack = [layers.Activation("exponential"), layers.Dense(4, "relu", name="behind"), layers.Dense(2)]
    model = keras.Sequential([keras.Input((3,)), layers.Dense(3, name="before"), *stack])
    model.layers[0].set_weights([np.eye(3), np.zeros(3)])
    model.layers[2].set_weights([np.array([[1, -1, 1, -1], [1, 1, -1, -1], [-1, 1, 1, 1]]), np.zeros(4)])
    computer = PatternComputer(model, list(PATTERN_TYPES))
    with pytest.warns(InnexplainWarning, match="Patterns are NaN in 'behind'.*activations"):
        patterns = computer.fit(x, progress=False, batch_size=16)
    assert np.isfinite(patterns.get("before")).all()
    assert np.isnan(patterns.get("behind", "linear")).all()
    assert patterns.silent["behind"]["relu"] == 0


@pytest.mark.parametrize(("batch_size", "offset"), slow_but([(7, 1000), (60, 0)], [1, 7, 60], [0, 1000]))
def test_differences_that_vanish(offset, batch_size):
    """Of equal inputs: about the mean of all, roundings of their mean are no signal either."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(60, 1)).repeat(2, axis=1) + offset
    x[::3, 0] += rng.random(20)  # these fire
    dense = layers.Dense(1, use_bias=False)
    model = keras.Sequential([keras.Input((2,)), dense])
    dense.set_weights([np.array([[1.0], [-1.0]])])
    patterns = PatternComputer(model, list(PATTERN_TYPES), "all").fit(
        x.astype("float32"), progress=False, batch_size=batch_size
    )
    assert not patterns.get(dense, "relu.negative").any()
    assert patterns.silent[dense.name] == {"relu": 0, "relu.negative": 1, "linear": 0}
