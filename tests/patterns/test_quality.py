"""rho against plain least squares, and the paper's linear model, in which everything is known."""

from __future__ import annotations

import warnings

import keras
import numpy as np
import pytest
from keras import layers

from innexplain.errors import ArgumentError, InnexplainWarning, InputError
from innexplain.patterns import (
    ESTIMATORS,
    PatternComputer,
    Patterns,
    S_a,
    S_a_two_component,
    S_w,
    S_x,
    Weights,
    quality,
)
from tests.eagerly import compiled
from tests.patterns.test_layers import ALL, images
from tests.zoo import randomise


def linear_data(signal, distractor, n, seed=0):
    """The paper's model: `x = a_s y + a_d eps`, and y."""
    rng = np.random.default_rng(seed)
    y, noise = rng.uniform(-1, 1, n), rng.normal(size=(n, distractor.shape[1]))
    return (y[:, None] * signal + noise @ distractor.T).astype("float32"), y


def solver(signal, distractor):
    """A network of one neuron whose weights find y: `w^T a_s = 1`, `w^T a_d = 0`, of least length."""
    both = np.column_stack([signal, distractor])
    w = np.linalg.pinv(both.T) @ np.eye(both.shape[1])[0]
    dense = layers.Dense(1, use_bias=False, name="neuron")
    model = keras.Sequential([keras.Input((len(signal),)), dense])
    dense.set_weights([w[:, None]])
    return model, w


CASES = {
    "paper": (np.array([1.0, 0.0]), np.array([[1.0], [1.0]])),
    "random 5": (np.random.default_rng(1).normal(size=5), np.random.default_rng(2).normal(size=(5, 3))),
    "random 8": (np.random.default_rng(3).normal(size=8), np.random.default_rng(4).normal(size=(8, 7))),
}


@pytest.mark.parametrize("case", CASES)
def test_linear_model(case):
    """The pattern finds the signal's direction, ever better with the sample; the filter does not."""
    signal, distractor = CASES[case]
    model, w = solver(signal, distractor)

    def error(n):
        found = [
            PatternComputer(model, "linear").fit(linear_data(signal, distractor, n, seed)[0], False, n)
            for seed in range(4)
        ]
        return np.mean([np.linalg.norm(p.get("neuron", "linear")[:, 0] - signal) for p in found])

    few, many = error(200), error(20000)
    length = np.linalg.norm(signal)
    assert many < 0.05 * length and many < 0.3 * few
    assert np.linalg.norm(w - signal) > 0.3 * length
    assert np.linalg.norm(w / (w @ w) - signal) > 0.3 * length


@pytest.mark.parametrize("case", CASES)
def test_quality_of_the_linear_model(case):
    """1 for S_a, within the sampling error; S_w and random directions leave y in the distractor."""
    signal, distractor = CASES[case]
    model, _ = solver(signal, distractor)
    patterns = PatternComputer(model, ALL).fit(linear_data(signal, distractor, 20000)[0], False, 20000)
    held_out, _ = linear_data(signal, distractor, 8000, seed=9)
    means = quality(model, held_out, patterns, samples=8000, batch_size=1000).means()
    assert means["S_a"][0] > 0.95
    assert means["S_w"][0] < 0.8 and means["random"][0] < 0.8
    if case == "paper":  # d = (eps + y / 2) (1, 1)
        variance = 1 / 3
        expected = 1 - 0.5 * np.sqrt(variance / (variance / 4 + 1))
        assert means["S_w"][0] == pytest.approx(expected, abs=0.03)


def plain_rho(signal_of, fit, test, w, j):
    """`1 - corr[v^T d, y]` with v from `numpy.linalg.lstsq` on the first samples."""
    parts = []
    for x in (fit, test):
        d, y = x - signal_of(x)[..., j], x @ w[:, j]
        parts.append((d - d.mean(0), y - y.mean()))
    v = np.linalg.lstsq(*parts[0], rcond=1e-5)[0]
    return 1 - max(np.corrcoef(parts[1][0] @ v, parts[1][1])[0, 1], 0)


def test_against_plain_least_squares():
    """A correlated layer in which all estimators differ, with a bias, so that the gate counts."""
    rng = np.random.default_rng(0)
    mix = rng.normal(size=(6, 6))
    x = np.maximum(rng.normal(size=(4000, 6)) @ mix + 0.5, 0).astype("float32")
    dense = layers.Dense(4, activation="relu", name="dense")
    model = randomise(keras.Sequential([keras.Input((6,)), dense]), 5)
    patterns = PatternComputer(model, ALL).fit(x[:2000], progress=False, batch_size=500)
    w, b = (np.asarray(v, "float64") for v in dense.get_weights())
    neurons = Weights(w, b, {t: patterns.get("dense", t) for t in ALL})
    found = quality(model, x[2000:], patterns, samples=2000, batch_size=2000, seed=7)
    rng = np.random.default_rng(7)
    order = rng.permutation(2000)  # what quality draws from the only batch
    held = x[2000:][order].astype("float64")
    functions = {"S_w": S_w, "S_a": S_a, "S_a+-": S_a_two_component}
    for name, function in functions.items():
        expected = [
            plain_rho(lambda v, f=function: f(v, neurons), held[:1000], held[1000:], w, j) for j in range(4)
        ]
        np.testing.assert_allclose(found.rho[name][0], expected, atol=2e-3)
    assert len({round(found.rho[n][0].mean(), 2) for n in functions}) == 3


def test_identity_leaves_no_distractor():
    """d = 0 has no correlation with anything: rho is not defined, and not among the estimators of quality."""
    model, _ = solver(*CASES["paper"])
    x, _ = linear_data(*CASES["paper"], 100)
    assert not (x[..., None] - S_x(x, Weights(np.ones((2, 1)), np.zeros(1), {}))).any()
    patterns = PatternComputer(model).fit(x, progress=False)
    with pytest.raises(ArgumentError, match="estimators"):
        quality(model, x, patterns, ["S_x"])
    assert "S_x" in ESTIMATORS


@pytest.fixture(scope="module")
def deep():
    stack = [
        keras.Input((8, 8, 2)),
        layers.Conv2D(6, 3, strides=2, padding="same", activation="relu", name="conv"),
        layers.DepthwiseConv2D(2, name="depthwise"),
        layers.Conv2D(4, 2, groups=2, name="grouped"),
        layers.Flatten(),
        layers.Dense(3, name="top"),
    ]
    model = randomise(keras.Sequential(stack), 3)
    x = images(8, 8, 2, n=300)
    with compiled():  # one operation after the other, XLA compiles grouped convolutions at each call
        return model, x, PatternComputer(model, ALL).fit(x[:150], progress=False, batch_size=50)


def test_layers_and_neurons(deep):
    model, x, patterns = deep
    found = quality(model, x[150:], patterns, samples=600, neurons=4)
    assert found.layers == ("conv", "top")
    assert set(found.left_out) == {"depthwise", "grouped"}
    assert [len(r) for r in found.rho["S_a"]] == [4, 3]
    text = str(found)
    for words in ("conv", "S_a+-", f"{found.means()['S_w'][1]:.3f}", "grouped: not measured"):
        assert words in text
    assert all((r >= 0).all() and (r <= 1).all() for own in found.rho.values() for r in own)


def test_seed_and_form_of_data(deep):
    model, x, patterns = deep

    def run(data, seed=0):
        return quality(model, data, patterns, samples=200, seed=seed).means()["S_a"]

    held = x[150:]
    expected = run(held)
    np.testing.assert_array_equal(run(held), expected)
    batches = [held[i : i + 32] for i in range(0, 150, 32)]
    np.testing.assert_array_equal(run(batches), expected)
    np.testing.assert_array_equal(run(iter(batches)), expected)
    assert (run(held, seed=1) != expected).any()


def test_errors(deep):
    model, x, patterns = deep
    arrays = {key: {"linear": own["linear"]} for key, own in patterns.arrays.items()}
    linear = Patterns(arrays, patterns.silent, patterns.prints)
    with pytest.raises(ArgumentError, match=r"'S_a\+-' needs patterns of the type 'relu'"):
        quality(model, x, linear)
    with pytest.raises(InputError, match="empty"):
        quality(model, [], patterns)
    with pytest.raises(ArgumentError, match="samples"):
        quality(model, x, patterns, samples=0)


def test_too_few_samples_are_refused(deep):
    """Three samples fit anything: rho was 1 for every estimator, random directions too."""
    model, x, patterns = deep
    words = r"in no layer: 'conv' \(18 inputs\): 48 of 92 .*'top' \(16 inputs\): 3 of 84 .*at least 81 more"
    with pytest.raises(InputError, match=words):
        quality(model, x[:3], patterns)


def warned(*arguments, **settings):
    """What `quality` found, and the one thing it warned of, at the line that called it."""
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("ignore")
        warnings.simplefilter("always", InnexplainWarning)
        found = quality(*arguments, **settings)
    assert len(said) == 1 and said[0].filename == __file__
    return found, str(said[0].message)


def test_layers_with_too_few_receptive_fields_are_nan(deep):
    """A convolution has 16 receptive fields an image, the dense layer one; what is asked for is enough."""
    model, x, patterns = deep
    few, text = warned(model, x[:60], patterns)
    assert "cannot be judged, in 'top' (16 inputs): 60 of 84 receptive fields. " in text
    assert text.endswith("Give at least 24 more samples.")
    for own in few.rho.values():
        assert np.isfinite(own[0]).all() and np.isnan(own[1]).all() and own[1].shape == (3,)
    assert "nan" in str(few) and np.isnan(few.means()["S_w"]).tolist() == [False, True]
    enough = quality(model, x[:84], patterns)
    assert all(np.isfinite(r).all() for own in enough.rho.values() for r in own)


def test_fewer_receptive_fields_than_needed_were_asked_for(deep):
    model, x, patterns = deep
    _, text = warned(model, x, patterns, samples=90, batch_size=300)
    assert "'conv' (18 inputs): 90 of 92 receptive fields. " in text and text.endswith("Give samples=92.")
    quality(model, x, patterns, samples=92, batch_size=300)
    with pytest.raises(InputError, match=r"Give at least 4 more samples and samples=92\.$"):
        quality(model, x[:80], patterns, samples=70)


def test_random_directions_are_the_floor_at_the_least_number_of_samples():
    """A layer with 30 inputs that vary alike: with as many samples as are let pass, random stays low."""
    x = np.random.default_rng(0).normal(size=(400, 30)).astype("float32")
    dense = layers.Dense(8, activation="relu", name="dense")
    model = randomise(keras.Sequential([keras.Input((30,)), dense]), 1)
    patterns = PatternComputer(model, ALL).fit(x[:200], progress=False)
    with pytest.raises(InputError, match=r"139 of 140 .*at least 1 more"):
        quality(model, x[200:339], patterns, batch_size=200)
    assert quality(model, x[200:340], patterns, ["random"], batch_size=200).means()["random"][0] < 0.2
