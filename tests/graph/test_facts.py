"""What a step knows of its place: whether it takes zeros, and only zeros, or all below zero, to zeros."""

from __future__ import annotations

import keras
import numpy as np
import pytest
from keras import layers, ops

from innexplain.graph.canonical import canonical
from innexplain.graph.trace import trace

ACTIVATIONS = (
    "relu", "tanh", "gelu", "silu", "elu", "selu", "celu", "mish", "softsign", "hard_silu", "hard_tanh",
    "leaky_relu", "relu6", "sigmoid", "softplus", "hard_sigmoid", "exponential", "squareplus",
    "soft_shrink", "hard_shrink", "tanh_shrink", "softmax",
)  # fmt: skip

# Each is tried on numbers around zero: the fact must agree with what the step computes.
STEPS = {
    # Older versions of Keras have fewer.
    **{name: layers.Activation(name) for name in ACTIVATIONS if hasattr(keras.activations, name)},
    "thresholded": layers.ReLU(threshold=0.3),
    "leaky_thresholded": layers.ReLU(negative_slope=0.5, threshold=0.3),
    "nested": layers.Activation(layers.ReLU(negative_slope=0.5, threshold=0.3)),
    "prelu": layers.PReLU(alpha_initializer="ones"),
    "scaled": layers.Rescaling(0.5),
    "shifted": layers.Rescaling(0.5, 0.1),
    "normalised": layers.Normalization(axis=None, mean=0.5, variance=2.0),
    "layer_norm": layers.LayerNormalization(beta_initializer="ones"),
    "unit_norm": layers.UnitNormalization(),
    "negative": lambda x: -x,
    "times": lambda x: x * 3.0,
    "over": lambda x: x / 3.0,
    "plus": lambda x: x + 3.0,
    "from": lambda x: 3.0 - x,
    "sine": ops.sin,
    "cosine": ops.cos,
    "root": ops.sqrt,
    "square": ops.square,
    "sign": ops.sign,
    "reshaped": layers.Reshape((2, 2)),
    "clipped": lambda x: ops.clip(x, 0.2, 1.0),
}  # fmt: skip


@pytest.mark.parametrize("name", STEPS)
def test_facts_agree_with_what_the_step_computes(name):
    x = keras.Input((4,))
    (step,) = canonical(trace(keras.Model(x, STEPS[name](x))), pre_softmax=False).graph.steps
    near = np.array([[0.0, 1e-3, -1e-3, 0.0]], "float32")
    y = np.nan_to_num(ops.convert_to_numpy(step.function(ops.convert_to_tensor(near))[0]), nan=1.0)
    y = y.reshape(1, 4)
    keeps = not y[near == 0].any() and (np.abs(y) <= 2000 * np.abs(near)).all()
    bounded = keeps and (name == "unit_norm" or np.abs(y).max() <= 10 * np.abs(near).max())
    assert step.facts.keeps_zero == bounded
    below = ops.convert_to_tensor(np.array([[-2.0, -0.5, -1e-3, 0.0]], "float32"))
    vanishes = not ops.convert_to_numpy(step.function(below)[0]).any()
    assert step.facts.rectifies == vanishes
    assert vanishes == (name in ("relu", "relu6", "thresholded"))


@pytest.mark.parametrize(("interpolation", "expected"), [("nearest", True), ("bilinear", False)])
def test_what_blends_values_does_not_keep_zeros(interpolation, expected):
    x = keras.Input((2, 2, 1))
    layer = layers.UpSampling2D(2, interpolation=interpolation)
    (step,) = canonical(trace(keras.Model(x, layer(x)))).graph.steps
    assert step.facts.keeps_zero == expected
