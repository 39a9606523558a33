"""Batch norms and paddings in linear parts: the same function, the right effective weights."""

from __future__ import annotations

import keras
import numpy as np
import pytest
from keras import layers, ops

import innexplain
from innexplain.graph.canonical import canonical
from innexplain.graph.trace import trace
from innexplain.graph.view import run_forward
from tests.zoo import randomise

SHAPE = (6, 5, 4)


def _chain(*made):
    model = keras.Sequential([keras.Input(SHAPE), *made])
    randomise(model, seed=2)
    return model


CHAINS = {
    "conv_bn": (lambda: _chain(layers.Conv2D(3, 3), layers.BatchNormalization(epsilon=0.2)), 1),
    "conv_bn_no_bias": (lambda: _chain(layers.Conv2D(3, 3, use_bias=False), layers.BatchNormalization()), 1),
    "depthwise_bn": (
        lambda: _chain(layers.DepthwiseConv2D(3, depth_multiplier=2), layers.BatchNormalization()), 1,
    ),
    "transpose_bn": (lambda: _chain(layers.Conv2DTranspose(3, 3, strides=2), layers.BatchNormalization()), 1),
    "separable_bn": (lambda: _chain(layers.SeparableConv2D(3, 3), layers.BatchNormalization()), 2),
    "dense_bn": (lambda: _chain(layers.Dense(3), layers.BatchNormalization()), 1),
    "bn_conv_same": (lambda: _chain(layers.BatchNormalization(), layers.Conv2D(3, 3, padding="same")), 1),
    "bn_pad_conv": (
        lambda: _chain(layers.BatchNormalization(), layers.ZeroPadding2D(2), layers.Conv2D(3, 3)), 1,
    ),
    "bn_dense": (lambda: _chain(layers.BatchNormalization(epsilon=0.1), layers.Dense(3)), 1),
    "bn_depthwise": (lambda: _chain(layers.BatchNormalization(), layers.DepthwiseConv2D(3)), 1),
    "bn_transpose": (lambda: _chain(layers.BatchNormalization(), layers.Conv2DTranspose(2, 3)), 1),
    "bn_conv_bn": (
        lambda: _chain(layers.BatchNormalization(), layers.Conv2D(3, 3), layers.BatchNormalization()), 1,
    ),
    "no_scale_no_center": (
        lambda: _chain(layers.Conv2D(3, 3), layers.BatchNormalization(scale=False, center=False)), 1,
    ),
    "bn_bn": (lambda: _chain(layers.BatchNormalization(epsilon=0.1), layers.BatchNormalization()), 2),
    "other_axis_stays": (lambda: _chain(layers.Conv2D(3, 3), layers.BatchNormalization(axis=1)), 2),
    "activation_between_stays": (
        lambda: _chain(layers.Conv2D(3, 3, activation="relu"), layers.BatchNormalization()), 3,
    ),
    "bn_grouped_stays": (lambda: _chain(layers.BatchNormalization(), layers.Conv2D(4, 3, groups=2)), 2),
}  # fmt: skip


@pytest.mark.parametrize("name", CHAINS)
def test_folding_keeps_the_function(name):
    build, steps = CHAINS[name]
    model = build()
    graph = canonical(trace(model), folded=True).graph
    assert len(graph.steps) == steps, [str(step) for step in graph.steps]
    x = np.random.default_rng(0).normal(size=(2, *SHAPE)).astype("float32")
    (found,) = run_forward(graph, [ops.convert_to_tensor(x)])
    np.testing.assert_allclose(found, model(x), rtol=1e-4, atol=1e-5)


def test_folding_reads_the_variables_at_each_call():
    model = CHAINS["conv_bn"][0]()
    graph = canonical(trace(model), folded=True).graph
    x = ops.ones((1, *SHAPE))
    before = ops.convert_to_numpy(run_forward(graph, [x])[0])
    model.layers[1].moving_mean.assign_add(np.ones(3))
    after = ops.convert_to_numpy(run_forward(graph, [x])[0])
    np.testing.assert_allclose(after, model(x), rtol=1e-4, atol=1e-5)
    assert np.abs(after - before).min() > 1e-3


def test_a_batch_norm_that_feeds_two_layers_stays():
    x = keras.Input(SHAPE)
    h = layers.BatchNormalization()(x)
    model = keras.Model(x, layers.Add()([layers.Conv2D(4, 1)(h), h]))
    randomise(model, seed=1)
    assert len(canonical(trace(model), folded=True).graph.steps) == 3


def test_effective_weights_of_a_folded_batch_norm():
    model = CHAINS["dense_bn"][0]()
    dense, norm = model.layers
    (step,) = canonical(trace(model), folded=True).graph.steps
    kernel, bias = step.linear.weights(ops.ones((1, *SHAPE)))
    scale = norm.gamma.numpy() / np.sqrt(norm.moving_variance.numpy() + norm.epsilon)
    np.testing.assert_allclose(kernel, dense.kernel.numpy() * scale, rtol=1e-5)
    expected = (dense.bias.numpy() - norm.moving_mean.numpy()) * scale + norm.beta.numpy()
    np.testing.assert_allclose(bias, expected, rtol=1e-4, atol=1e-6)


def test_dense_batch_norm_relevance_is_of_the_order_of_the_score():
    """Two inputs, one unit, a batch norm whose shift cancels the activation: a known trap."""
    dense, norm = layers.Dense(1, use_bias=False), layers.BatchNormalization()
    model = keras.Sequential([keras.Input((2,)), dense, norm])
    dense.kernel.assign([[1.0], [1.0]])
    norm.moving_mean.assign([1.0])
    norm.moving_variance.assign([1.0 - norm.epsilon])
    x = np.array([[0.5, 0.5 + 1e-7], [1.0, 2.0]], "float32")
    analyzer = innexplain.create_analyzer("lrp.epsilon", model, epsilon=1e-2)
    relevance, info = analyzer.analyze(x, return_info=True)
    assert np.abs(relevance).max() <= 3 * max(np.abs(info["score"]).max(), 1.0)
    np.testing.assert_allclose(info["gap"], sum(info["absorbed"].values()), atol=1e-5)
