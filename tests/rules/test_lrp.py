"""Every LRP rule against the formulas on an explicit weight matrix, over kernel layers and their options."""

from __future__ import annotations

import functools
from dataclasses import replace

import keras
import numpy as np
import pytest
from keras import layers, ops

from innexplain.errors import ArgumentError
from innexplain.graph.canonical import canonical
from innexplain.graph.trace import trace
from innexplain.rules import AlphaBeta, Bounded, Epsilon, Flat, Gamma, WSquare, Z, ZPlus, ZPlusFast
from tests import naive_lrp
from tests.zoo import randomise

RULES = {
    "epsilon": (Epsilon(0.01), naive_lrp.epsilon, {"epsilon": 0.01}),
    "epsilon_IB": (Epsilon(0.01, bias=False), naive_lrp.epsilon, {"epsilon": 0.01, "bias": False}),
    "z": (Z(), naive_lrp.epsilon, {"epsilon": 0.0}),
    "z_IB": (Z(bias=False), naive_lrp.epsilon, {"epsilon": 0.0, "bias": False}),
    "alpha_2_beta_1": (AlphaBeta(), naive_lrp.alpha_beta, {}),
    "alpha_3_beta_2_IB": (
        AlphaBeta(3.0, 2.0, bias=False),
        naive_lrp.alpha_beta,
        {"alpha": 3.0, "beta": 2.0, "bias": False},
    ),
    "z_plus": (ZPlus(), naive_lrp.alpha_beta, {"alpha": 1.0, "beta": 0.0}),
    "z_plus_IB": (
        ZPlus(bias=False),
        naive_lrp.alpha_beta,
        {"alpha": 1.0, "beta": 0.0, "bias": False},
    ),
    "z_plus_fast": (ZPlusFast(), naive_lrp.z_plus_fast, {}),
    "gamma": (Gamma(0.3), naive_lrp.gamma, {"gamma": 0.3}),
    "gamma_IB": (Gamma(0.3, bias=False), naive_lrp.gamma, {"gamma": 0.3, "bias": False}),
    "w_square": (WSquare(), naive_lrp.w_square, {}),
    "flat": (Flat(), naive_lrp.flat, {}),
    "bounded": (Bounded(-3.0, 3.5), naive_lrp.bounded, {"low": -3.0, "high": 3.5}),
    "bounded_bias": (
        Bounded(-3.0, 3.5, bias=True),
        naive_lrp.bounded,
        {"low": -3.0, "high": 3.5, "bias": True},
    ),
}

LAYERS = {
    "dense": (lambda **k: layers.Dense(3, **k), (5,)),
    "dense_rank3": (lambda **k: layers.Dense(3, **k), (2, 4)),
    "einsum_dense": (
        lambda **k: layers.EinsumDense("abc,cd->abd", (2, 3), **_bias_axes(k)),
        (2, 4),
    ),
    "conv1d": (lambda **k: layers.Conv1D(3, 3, strides=2, padding="same", **k), (7, 2)),
    "conv1d_causal": (
        lambda **k: layers.Conv1D(3, 2, dilation_rate=2, padding="causal", **k),
        (6, 2),
    ),
    "conv2d_valid": (lambda **k: layers.Conv2D(3, (2, 3), **k), (4, 5, 2)),
    "conv2d_same_stride": (
        lambda **k: layers.Conv2D(3, 3, strides=2, padding="same", **k),
        (5, 4, 2),
    ),
    "conv2d_dilated": (lambda **k: layers.Conv2D(2, 2, dilation_rate=2, **k), (5, 5, 2)),
    "conv2d_groups": (lambda **k: layers.Conv2D(4, 2, groups=2, **k), (3, 4, 4)),
    "conv3d": (lambda **k: layers.Conv3D(2, 2, padding="same", **k), (3, 2, 3, 2)),
    "conv1d_transpose": (lambda **k: layers.Conv1DTranspose(2, 3, strides=2, **k), (3, 2)),
    "conv2d_transpose": (
        lambda **k: layers.Conv2DTranspose(2, 3, strides=2, padding="same", **k),
        (3, 2, 2),
    ),
    "conv3d_transpose": (lambda **k: layers.Conv3DTranspose(2, 2, strides=2, **k), (2, 1, 2, 2)),
    "depthwise1d": (
        lambda **k: layers.DepthwiseConv1D(3, depth_multiplier=2, padding="same", **k),
        (5, 2),
    ),
    "depthwise2d": (
        lambda **k: layers.DepthwiseConv2D(2, strides=2, depth_multiplier=2, **k),
        (4, 4, 2),
    ),
}


# Each kind of kernel once, with all that may differ: strides, padding, who sees what.
QUICK = ("dense", "einsum_dense", "conv2d_same_stride", "conv1d_causal", "conv2d_transpose", "depthwise2d")
KINDS = [pytest.param(name, marks=() if name in QUICK else pytest.mark.slow) for name in LAYERS]
# Grouped convolutions are compiled by XLA at each call on a CPU, which takes seconds.
FEW = ("epsilon", "alpha_2_beta_1", "flat")


def _rules(layer_name):
    return {n: rule for n, rule in RULES.items() if layer_name != "conv2d_groups" or n in FEW}


def _bias_axes(kwargs):
    return {"bias_axes": "d" if kwargs["use_bias"] else None, "dtype": kwargs["dtype"]}


@functools.cache
def _step(layer_name, bias, dtype):
    """A layer with random weights, and the step that it is."""
    make, shape = LAYERS[layer_name]
    layer = make(use_bias=bias, dtype=dtype)
    model = keras.Sequential([keras.Input(shape, dtype=dtype), layer])
    randomise(model, seed=3)
    (step,) = canonical(trace(model)).graph.steps
    return layer, step


@functools.cache
def _connections(layer_name, bias, dtype="float64"):
    """The matrix and the bias of that layer, and where connections exist: that of a kernel of ones."""
    make, shape = LAYERS[layer_name]
    matrix, b = (a.astype("float64") for a in naive_lrp.explicit(_step(layer_name, bias, dtype)[0], shape))
    layer = make(use_bias=False, dtype="float64")
    layer.build((None, *shape))
    (kernel,) = layer.weights
    kernel.assign(np.ones(kernel.shape))
    return matrix, b, naive_lrp.explicit(layer, shape)[0]


def _data(shape, outputs, signed, seed=0):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(2, *shape))
    x[0].reshape(-1)[0] = 0.0  # a silent input
    x = x if signed else np.maximum(x, 0)
    return x, rng.normal(size=(2, outputs))


def _relevance(rule, step, x, r):
    """What the rule makes of r (n, outputs), as (n, inputs)."""
    (z,), pullback = rule.forward(step, ops.convert_to_tensor(x))
    (found,) = pullback([ops.reshape(ops.convert_to_tensor(r), ops.shape(z))])
    return ops.convert_to_numpy(found).reshape(len(x), -1)


def _expected(naive, x, matrix, b, r, **settings):
    rows = zip(x.reshape(len(x), -1), r, strict=True)
    return np.stack([naive(xi, matrix, b, ri, **settings) for xi, ri in rows])


def _check(layer_name, bias, signed, rectified=False):
    """All rules in float64; rectified, relevance arrives at positive outputs alone."""
    _, step = _step(layer_name, bias, "float64")
    matrix, b, exists = _connections(layer_name, bias)
    x, r = _data(LAYERS[layer_name][1], matrix.shape[1], signed)
    r = r * (x.reshape(len(x), -1) @ matrix + b > 0) if rectified else r
    step = replace(step, facts=replace(step.facts, nonnegative=not signed))
    for name, (rule, naive, settings) in _rules(layer_name).items():
        found = _relevance(replace(rule, rectified=True) if rectified else rule, step, x, r)
        expected = _expected(naive, x, matrix, b, r, exists=exists, **settings)
        np.testing.assert_allclose(
            found, expected, rtol=1e-9, atol=1e-9 * np.abs(expected).max(), err_msg=name
        )


@pytest.mark.parametrize("layer_name", LAYERS)
def test_rules_equal_their_formulas(layer_name):
    _check(layer_name, bias=True, signed=True)


@pytest.mark.parametrize("bias", [False, True], ids=["no bias", "bias"])
@pytest.mark.parametrize("layer_name", KINDS)
def test_rules_behind_a_relu_equal_their_formulas(layer_name, bias):
    _check(layer_name, bias, signed=False)


@pytest.mark.parametrize("signed", [True, False], ids=["signed", "relu"])
@pytest.mark.parametrize("layer_name", KINDS)
def test_rules_before_a_relu_equal_their_formulas(layer_name, signed):
    """Denominators are found with less work."""
    _check(layer_name, True, signed, rectified=True)


@pytest.mark.parametrize("layer_name", KINDS)
def test_rules_equal_their_formulas_in_single_precision(layer_name):
    _, step = _step(layer_name, True, "float32")
    matrix, b, exists = _connections(layer_name, True, "float32")
    x, r = (a.astype("float32") for a in _data(LAYERS[layer_name][1], matrix.shape[1], False))
    for sample in range(len(x)):  # where contributions cancel, no rule can be right in single precision
        terms = x[sample].reshape(-1, 1) * matrix
        for z in (terms.sum(0), terms.sum(0) + b):
            r[sample][np.abs(z) < 0.05 * np.abs(terms).sum(0)] = 0
    for name, (rule, naive, settings) in _rules(layer_name).items():
        found = _relevance(rule, step, x, r)
        expected = _expected(naive, x, matrix, b, r, exists=exists, **settings)
        assert np.abs(found - expected).max() <= 1e-4 * np.abs(expected).max(), name


@pytest.mark.parametrize(
    ("x", "bias"),
    [([1.0, 3e-4], 0.0), ([3e-4, 1.0], 1.0), ([0.5, 0.5001], 0.5), ([1.0, 0.0], -0.5), ([0.0, 1.0], 2.0)],
    ids=["few against", "few in favour", "cancelling", "none against", "none in favour"],
)
def test_denominators_before_a_relu_lose_no_digits(x, bias):
    layer = layers.Dense(1)
    model = keras.Sequential([keras.Input((2,)), layer])
    layer.set_weights([np.array([[1.0], [-1.0]]), np.array([bias])])
    (step,) = canonical(trace(model)).graph.steps
    step = replace(step, facts=replace(step.facts, nonnegative=True))
    x = np.array(x, "float32")
    for rule in (AlphaBeta(), AlphaBeta(3.0, 2.0), ZPlus(), Gamma(0.3)):
        (z,), pullback = replace(rule, rectified=True).forward(step, ops.convert_to_tensor(x[None]))
        assert z[0, 0] > 0
        found = ops.convert_to_numpy(pullback([z])[0])[0]
        naive, settings = naive_lrp.gamma, {"gamma": 0.3}
        if not isinstance(rule, Gamma):
            naive = naive_lrp.alpha_beta
            settings = {"alpha": getattr(rule, "alpha", 1.0), "beta": getattr(rule, "beta", 0.0)}
        matrix = np.array([[1.0], [-1.0]])
        expected = naive(x.astype("float64"), matrix, np.array([bias]), np.array(z[0], "float64"), **settings)
        np.testing.assert_allclose(found, expected, rtol=1e-6)


@pytest.mark.parametrize("rectified", [False, True])
@pytest.mark.parametrize("name", RULES)
def test_what_is_absorbed_and_what_goes_on_add_up(name, rectified):
    rule = replace(RULES[name][0], rectified=rectified)
    layer, step = _step("conv2d_same_stride", True, "float64")
    shape = LAYERS["conv2d_same_stride"][1]
    x, r = _data(shape, int(np.prod(layer.compute_output_shape((None, *shape))[1:])), True)
    (z,), pullback = rule.forward(step, ops.convert_to_tensor(x))
    r = ops.reshape(ops.convert_to_tensor(r), ops.shape(z))
    r = ops.where(z > 0, r, 0) if rectified else r
    leaving = ops.convert_to_numpy(ops.sum(pullback([r])[0], axis=(1, 2, 3)))
    absorbed = ops.convert_to_numpy(ops.sum(r, axis=(1, 2, 3))) - leaving
    np.testing.assert_allclose(
        ops.convert_to_numpy(pullback.absorbed([r])) + np.zeros(2), absorbed, atol=1e-9
    )


@pytest.mark.parametrize("name", RULES)
def test_zero_input_gives_no_nan(name):
    _, step = _step("conv2d_valid", False, "float32")
    (z,), pullback = RULES[name][0].forward(step, ops.zeros((1, 4, 5, 2)))
    found = ops.convert_to_numpy(pullback([ops.ones_like(z)])[0])
    assert np.isfinite(found).all()
    if not name.startswith(("w_square", "flat", "bounded")):
        assert not found.any()


def test_per_channel_bounds_and_the_bounds_of_the_sample():
    _, step = _step("conv2d_valid", False, "float64")
    rng = np.random.default_rng(1)
    x = ops.convert_to_tensor(rng.normal(size=(1, 4, 5, 2)))
    low, high = float(ops.min(x)), float(ops.max(x))
    answers = []
    for rule in (Bounded(low, high), Bounded((low, low), np.array([high, high])), Bounded()):
        (z,), pullback = rule.forward(step, x)
        answers.append(ops.convert_to_numpy(pullback([ops.ones_like(z)])[0]))
    np.testing.assert_allclose(answers[1], answers[0], rtol=1e-12)
    np.testing.assert_allclose(answers[2], answers[0], rtol=1e-12)
    assert Bounded(np.array([1.0]), 2.0) == Bounded((1.0,), 2.0)


def test_settings_out_of_range():
    with pytest.raises(ArgumentError, match="alpha - beta must be 1"):
        AlphaBeta(2.0, 2.0)
    with pytest.raises(ArgumentError, match="low must lie below high"):
        Bounded(1.0, -1.0)


def test_gamma_zero_is_epsilon_zero_and_alpha_one_is_z_plus():
    _, step = _step("conv2d_valid", True, "float64")
    x = ops.convert_to_tensor(np.random.default_rng(2).normal(size=(1, 4, 5, 2)))

    def relevance(rule):
        (z,), pullback = rule.forward(step, x)
        return ops.convert_to_numpy(pullback([z])[0])

    np.testing.assert_allclose(relevance(Gamma(0.0)), relevance(Epsilon(0.0)), atol=1e-12)
    np.testing.assert_allclose(relevance(AlphaBeta(1.0, 0.0)), relevance(ZPlus()), atol=1e-12)
    assert np.abs(relevance(Gamma(1.0)) - relevance(Gamma(0.0))).max() > 1e-3
