"""PatternNet and PatternAttribution: by hand, with every estimator, fitted or given; and refusals."""

import functools

import keras
import numpy as np
import pytest
from keras import layers as L

import innexplain
from innexplain.errors import ArgumentError, ModelError, NotFittedError
from innexplain.patterns import PatternComputer
from tests.zoo import randomise

from . import assert_alike, assert_different, rng

METHODS = ("pattern.net", "pattern.attribution")
each_method = pytest.mark.parametrize("method", METHODS)
ALL = ["linear", "relu", "relu.negative"]
DATA = rng(5).normal(size=(300, 6)).astype("float32") + 0.3
X = DATA[:4]


def network(seed=7):
    layers = [keras.Input((6,)), L.Dense(8, activation="relu", name="low"), L.Dense(3, name="high")]
    return randomise(keras.Sequential(layers), seed)


MODEL = network()
PATTERNS = PatternComputer(MODEL, ALL).fit(DATA, progress=False)


@functools.cache
def of_types(*fitted):
    return PatternComputer(MODEL, fitted).fit(DATA, progress=False)


def create(method, model=MODEL, **kwargs):
    return innexplain.create_analyzer(method, model, **kwargs)


def patterns_of(layer, estimator, head, gated):
    """The pattern above zero and the one below, from equations of the paper or as fitted."""
    kernel = MODEL.get_layer(layer).kernel.numpy().astype("float64")
    if estimator == "S_w":
        return (kernel / (kernel**2).sum(axis=0),) * 2
    if estimator == "S_a" or (head == "linear" and not gated):
        return (PATTERNS.get(layer, "linear"),) * 2
    above = PATTERNS.get(layer, "relu")
    return above, above if gated else PATTERNS.get(layer, "relu.negative")


def by_hand(x, attribution, estimator, head):
    """R = y_c, then `R <- R u^T` through both layers, gated by the ReLU between them."""
    (low, b_low, high, b_high) = (w.astype("float64") for w in MODEL.get_weights())
    hidden = x @ low + b_low
    y = np.maximum(hidden, 0) @ high + b_high
    r = np.where(np.arange(3) == y.argmax(-1)[:, None], y, 0)
    for name, z, kernel, gated in (("high", y, high, False), ("low", hidden, low, True)):
        above, below = (p * kernel if attribution else p for p in patterns_of(name, estimator, head, gated))
        r = (r * (z > 0)) @ above.T + (0 if gated else (r * (z <= 0)) @ below.T)
    return r


@pytest.mark.parametrize("head", ["two-component", "linear"])
@pytest.mark.parametrize("estimator", ["S_w", "S_a", "S_a+-"])
@each_method
def test_two_layers_by_hand(method, estimator, head):
    analyzer = create(method, patterns=PATTERNS, estimator=estimator, head=head)
    assert_alike(analyzer.analyze(X), by_hand(X, method == METHODS[1], estimator, head).astype("float32"))


def test_below_zero_the_head_takes_the_other_pattern():
    """Outputs are lowered so that the largest is below zero for about half of the data."""
    model, scores = network(), MODEL(DATA).numpy().max(axis=1)
    model.layers[-1].bias.assign(model.layers[-1].bias - np.median(scores))
    rows = DATA[scores < np.median(scores)][:4]
    every = PatternComputer(model, ALL).fit(DATA, progress=False)
    plus = PatternComputer(model, ["relu"]).fit(DATA, progress=False)
    low, b_low, high, b_high = model.get_weights()
    y = np.maximum(rows @ low + b_low, 0) @ high + b_high
    assert (y < 0).all(axis=1).all()
    for patterns, last in ((every, "relu.negative"), (plus, "relu")):
        r = np.where(np.arange(3) == y.argmax(-1)[:, None], y, 0) @ patterns.get("high", last).T
        expected = (r * (rows @ low + b_low > 0)) @ patterns.get("low", "relu").T
        assert_alike(create("pattern.net", model, patterns=patterns).analyze(rows), expected)
    assert_different(every.get("high", "relu"), every.get("high", "relu.negative"))


def test_identity():
    """Everything is signal: the input itself, and the z rule of LRP."""
    assert_alike(create("pattern.net", estimator="S_x").analyze(X), X, 0)
    assert_alike(create("pattern.attribution", estimator="S_x").analyze(X), create("lrp.z").analyze(X), 0)


@each_method
def test_fitted_is_as_given(method):
    analyzer = create(method, head="linear")
    assert analyzer.fit(DATA, progress=False) is analyzer
    assert_alike(analyzer.analyze(X), create(method, patterns=PATTERNS, head="linear").analyze(X), 1e-5)


@each_method
def test_nothing_to_fit(method):
    """Filters and inputs are known without data: `fit` reads none."""
    for estimator in ("S_w", "S_x"):
        analyzer = create(method, estimator=estimator)
        expected = analyzer.analyze(X)
        assert_alike(analyzer.fit(None).analyze(X), expected, 0)


@each_method
def test_smoothgrad_takes_the_fitted_object(method):
    analyzer = create(method, patterns=PATTERNS)
    smooth = innexplain.SmoothGrad(analyzer, augment_by_n=2, noise_scale=0)
    assert_alike(smooth.analyze(X), analyzer.analyze(X))
    with pytest.raises(
        NotFittedError, match=f"analyzer='{method}' needs patterns.*Give an analyzer that has"
    ):
        innexplain.create_analyzer("smoothgrad", MODEL, analyzer=method)


@each_method
def test_before_the_fit(method):
    words = rf"{method} needs patterns.*fit\(dataset\).*PatternComputer\(model, \['relu', 'relu.negative'\]\)"
    with pytest.raises(NotFittedError, match=words):
        create(method).analyze(X)
    rules = [a.rule.name for a in create(method).assignments if a.step.linear is not None]
    assert [rule.split("(")[0] for rule in rules] == ["Unfitted", "Unfitted"]


@pytest.mark.parametrize(
    ("kwargs", "fitted", "needed"),
    [
        ({}, ["linear"], "['relu', 'relu.negative']"),
        ({"estimator": "S_a"}, ["relu"], "['linear']"),
        ({"head": "linear"}, ["relu"], "['relu', 'relu.negative', 'linear']"),
    ],
)
@each_method
def test_patterns_of_other_types_than_the_estimator_needs(method, kwargs, fitted, needed):
    patterns = of_types(*fitted)
    with pytest.raises(ArgumentError) as caught:
        create(method, patterns=patterns, **kwargs)
    assert f"needs patterns of the types {needed}. Received: patterns of the types {fitted}" in str(
        caught.value
    )


@each_method
def test_patterns_of_other_models_and_what_is_none(method):
    with pytest.raises(ArgumentError, match=r"patterns must be what.*Received: list"):
        create(method, patterns=[1.0])
    with pytest.raises(ModelError, match="other weights: those of the layer 'low'"):
        create(method, network(8), patterns=PATTERNS)
    hidden = PatternComputer(MODEL, ["relu"], output="low").fit(DATA, progress=False)
    with pytest.raises(ModelError, match="The layer 'high' has no pattern"):
        create(method, patterns=hidden)
