"""SmoothGrad and integrated gradients: in closed form, and around any analyzer that goes backwards."""

import functools

import keras
import numpy as np
import pytest
from keras import layers as L
from keras import ops

import innexplain
from innexplain.errors import ArgumentError, UnknownNameError
from tests.zoo import randomise
from tests.zoo.models import MODELS

from . import NAMES, SEEDED, assert_alike, assert_different, create, rng

pytestmark = pytest.mark.filterwarnings("ignore::innexplain.errors.InnexplainWarning")


@functools.cache
def square():
    """S(x) = sum_i k_i x_i^2: the gradient is 2 k x, its integral k x^2."""
    x = keras.Input((4,))
    model = keras.Model(x, L.Dense(1, use_bias=False)(ops.square(x)))
    model.layers[-1].kernel.assign([[1.0], [-2.0], [3.0], [0.5]])
    return model, np.array([1.0, -2.0, 3.0, 0.5])


X = rng(3).normal(size=(3, 4))


def analyze(name, model, x=X, **kwargs):
    return innexplain.create_analyzer(name, model, **kwargs).analyze(x)


@functools.cache
def network():
    model = MODELS["conv_net"].build()
    return model, MODELS["conv_net"].inputs(2, rng())


# --- Integrated gradients ------------------------------------------------------------------------


@pytest.mark.parametrize("rule", ["midpoint", "trapezoid", "gauss_legendre"])
def test_integral_of_a_square_is_exact(rule):
    """A linear integrand: every rule is exact, from its smallest number of steps on."""
    model, k = square()
    least = 2 if rule == "trapezoid" else 1
    for steps in (least, 5):
        maps = analyze("integrated_gradients", model, steps=steps, rule=rule)
        assert_alike(maps, k * X**2, 1e-6)


@pytest.mark.parametrize(
    "baseline", [2.0, -1, np.float32(0.5), [1.0, 0.0, -1.0, 2.0], np.arange(4.0), np.arange(4)]
)
def test_baselines(baseline):
    """k (x^2 - x0^2), whatever is given as x0: a number or an array of one sample."""
    model, k = square()
    analyzer = innexplain.create_analyzer("integrated_gradients", model, steps=3, baseline=baseline)
    maps, info = analyzer.analyze(X, return_info=True)
    assert_alike(maps, k * (X**2 - np.asarray(baseline, "float64") ** 2), 1e-6)
    np.testing.assert_allclose(info["gap"], 0, atol=1e-4)


def test_one_baseline_an_input():
    a, b = keras.Input((4,)), keras.Input((2,))
    y = L.Dense(1, kernel_initializer="ones")(L.Concatenate()([ops.square(a), ops.square(b)]))
    analyzer = innexplain.create_analyzer(
        "integrated_gradients", keras.Model([a, b], y), steps=2, baseline=[1.0, np.array([2.0, 3.0])]
    )
    maps = analyzer.analyze([X, X[:, :2]])
    assert_alike(maps, [X**2 - 1, X[:, :2] ** 2 - [4, 9]], 1e-6)


@pytest.mark.parametrize("rule", ["midpoint", "trapezoid", "gauss_legendre"])
def test_more_steps_close_the_gap(rule):
    model, x = network()
    gaps = []
    for steps in (3, 100):
        analyzer = innexplain.create_analyzer("integrated_gradients", model, steps=steps, rule=rule)
        gaps.append(np.abs(analyzer.analyze(x, return_info=True)[1]["gap"]).max())
    assert gaps[1] < gaps[0] / 5


def test_every_point_is_explained_for_the_neuron_of_the_sample():
    """On the way from the baseline the predicted class changes; the explained one does not."""
    x = keras.Input((2,))
    model = keras.Model(x, L.Dense(2, bias_initializer="ones")(x))
    model.layers[-1].set_weights([np.array([[1.0, -1.0], [0.0, 0.0]]), np.array([0.0, 1.0])])
    rows = np.array([[3.0, 0.0]])  # class 0 here, class 1 at the baseline
    assert_alike(analyze("integrated_gradients", model, rows), [[3.0, 0.0]] * np.ones((1, 2)))
    analyzer = innexplain.create_analyzer("integrated_gradients", model)
    np.testing.assert_allclose(analyzer.analyze(rows, return_info=True)[1]["gap"], 0, atol=1e-5)


# --- SmoothGrad ----------------------------------------------------------------------------------


def test_without_noise_it_is_the_analyzer_itself():
    model, x = network()
    for name in ("gradient", "guided_backprop", "sensitivity"):
        smooth = analyze("smoothgrad", model, x, analyzer=name, noise_scale=0, augment_by_n=3)
        assert_alike(smooth, analyze(name, model, x), 1e-6)


def test_the_noise_is_a_fraction_of_the_range_and_averages_out():
    """On a square the mean gradient is 2 k (x + mean noise): the noise itself can be read off."""
    model, k = square()
    gradient = innexplain.create_analyzer("gradient", model)
    analyzers = (innexplain.SmoothGrad(gradient, n, noise_scale=0.1) for n in (1, 1000))
    few, many = (a.analyze(X, batch_size=1000) / (2 * k) - X for a in analyzers)
    sigma = 0.1 * np.ptp(X, axis=1, keepdims=True)
    assert 0.5 < (few / sigma).std() < 2
    assert np.abs(many / sigma).max() < 5 / np.sqrt(1000)


def test_the_noise_scales():
    model, k = square()
    once, twice = (
        analyze("smoothgrad", model, X, augment_by_n=3, noise_scale=s) / (2 * k) - X for s in (0.1, 0.2)
    )
    assert_alike(twice, 2 * once, 1e-4)


def test_a_constant_sample_has_no_range_and_no_noise():
    model, k = square()
    rows = np.full((1, 4), 2.0)
    assert_alike(analyze("smoothgrad", model, rows, augment_by_n=2), 4.0 * k[None], 1e-6)


# --- Around each other ---------------------------------------------------------------------------

GRADIENT_LIKE = ("gradient", "deconvnet", "guided_backprop", "smoothgrad")
BACKWARDS = [name for name in NAMES if name not in ("input", "random", "integrated_gradients", "smoothgrad")]
# Of relevance rules one is quick: noise is added and maps are averaged outside of them.
AROUND = [
    pytest.param(
        n, marks=pytest.mark.slow if n.startswith(("lrp", "deep_taylor.")) and n != "lrp.gamma" else ()
    )
    for n in BACKWARDS
]


@pytest.mark.parametrize("inner", AROUND)
def test_smoothgrad_around_every_analyzer_that_goes_backwards(inner):
    x = keras.Input((5,))
    model = randomise(keras.Model(x, L.Dense(2)(L.Dense(4, activation="relu")(x))), 1)
    model.layers[-1].bias.assign([9.0, 9.0])
    rows = rng().normal(size=(2, 5)).astype("float32")
    analyzer = create(inner, model)
    smooth = analyze("smoothgrad", model, rows, analyzer=analyzer, augment_by_n=2, noise_scale=1e-6)
    assert_alike(smooth, analyzer.analyze(rows), 1e-2)


@pytest.mark.parametrize("inner", GRADIENT_LIKE)
def test_integrals_of_what_acts_like_a_gradient(inner):
    model, x = network()
    analyzer = innexplain.create_analyzer(inner, model)
    by_name = analyze("integrated_gradients", model, x, analyzer=inner, steps=2)
    by_object = analyze("integrated_gradients", model, x, analyzer=analyzer, steps=2)
    by_class = innexplain.IntegratedGradients(analyzer, steps=2).analyze(x)
    assert_alike(by_object, by_name, 0)
    assert_alike(by_class, by_name, 0)
    if inner == "guided_backprop":
        assert_different(by_name, analyze("integrated_gradients", model, x, steps=2))


def test_integrals_of_what_is_no_gradient():
    for inner in NAMES:
        if inner not in (*GRADIENT_LIKE, "input", "random"):
            with pytest.raises(ArgumentError, match=rf"integrates a derivative: gradient.*Received: {inner}"):
                innexplain.IntegratedGradients(create(inner, network()[0]), steps=2)


def test_smooth_integrals_in_any_batch_size():
    """A wrapper around a wrapper: copies of copies, all for the neuron of the sample."""
    model, x = network()
    integral = innexplain.create_analyzer("integrated_gradients", model, steps=3)
    smooth = innexplain.SmoothGrad(integral, augment_by_n=4, seed=5)
    assert smooth.rows_per_sample == 12
    whole, info = smooth.analyze(x, return_info=True)
    assert_alike(smooth.analyze(x, batch_size=1), whole)
    assert_alike(smooth.analyze(x, batch_size=5), whole)
    np.testing.assert_array_equal(info["neuron"], integral.analyze(x, return_info=True)[1]["neuron"])


@pytest.mark.parametrize(
    ("name", "batch_size"), [("integrated_gradients", 5), ("integrated_gradients", 64), ("smoothgrad", 1)]
)
def test_batch_size_bounds_the_rows_of_every_call(name, batch_size, monkeypatch):
    model, x = square()[0], X
    analyzer = innexplain.create_analyzer(name, model)
    assert analyzer.rows_per_sample == 64
    run, rows = analyzer.network.runner.answer, []

    def spy(key, function, arrays):
        rows.append(len(arrays[0]))
        return run(key, function, arrays)

    monkeypatch.setattr(analyzer.network.runner, "answer", spy)
    analyzer.analyze(x, batch_size=batch_size)
    assert max(rows) == batch_size
    assert sum(rows) >= 64 * len(x)


def test_the_selection_of_the_wrapped_analyzer_counts():
    model, x = network()
    inner = innexplain.create_analyzer("gradient", model, neuron_selection_mode="index")
    smooth = innexplain.SmoothGrad(inner, augment_by_n=2, noise_scale=0)
    assert_alike(smooth.analyze(x, 2), inner.analyze(x, 2), 1e-6)


# --- Refusals ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "kwargs", "words"),
    [
        ("integrated_gradients", {"steps": 0}, "steps must be an int of at least 1.*steps=0"),
        ("integrated_gradients", {"steps": 2.5}, "steps must be an int.*2.5"),
        ("integrated_gradients", {"steps": True}, "steps must be an int.*True"),
        ("integrated_gradients", {"steps": 1, "rule": "trapezoid"}, "at least 2"),
        ("integrated_gradients", {"rule": "simpson"}, "'midpoint', 'trapezoid' or 'gauss_legendre'.*simpson"),
        ("integrated_gradients", {"analyzer": "sensitivity"}, "integrates a derivative.*sensitivity"),
        ("integrated_gradients", {"analyzer": "input"}, "integrates a derivative.*input"),
        ("smoothgrad", {"augment_by_n": 0}, "augment_by_n must be an int of at least 1"),
        ("smoothgrad", {"noise_scale": -1}, "noise_scale must be a finite number of at least 0.*-1"),
        ("smoothgrad", {"noise_scale": float("nan")}, "noise_scale.*nan"),
        ("smoothgrad", {"noise_scale": "much"}, "noise_scale.*much"),
        ("smoothgrad", {"noise_scale": True}, "noise_scale.*True"),
        ("smoothgrad", {"seed": -1}, "seed must be an int of at least 0.*-1"),
        ("smoothgrad", {"seed": 0.5}, "seed must be an int.*0.5"),
        ("smoothgrad", {"analyzer": "random"}, "goes backwards.*random does not.*'gradient'"),
        ("smoothgrad", {"analyzer": "input"}, "goes backwards.*input does not"),
        ("smoothgrad", {"steps": 3}, "does not take 'steps'.*augment_by_n"),
        ("random", {"seed": None}, "seed must be an int.*None"),
    ],
)
def test_arguments_out_of_range(name, kwargs, words):
    with pytest.raises(ArgumentError, match=words):
        innexplain.create_analyzer(name, square()[0], **kwargs)


@pytest.mark.parametrize("baseline", ["black", np.nan, np.inf, np.zeros(3), np.zeros((1, 4)), None])
def test_no_baseline(baseline):
    analyzer = innexplain.create_analyzer("integrated_gradients", square()[0], baseline=baseline)
    with pytest.raises(ArgumentError, match=r"baseline must be a finite number.*\(4,\).*Received"):
        analyzer.analyze(X)


def test_another_number_of_baselines_than_inputs():
    case = MODELS["shared_submodel"]
    analyzer = innexplain.create_analyzer("integrated_gradients", case.build(), baseline=[0.0, 0.0, 0.0])
    with pytest.raises(ArgumentError, match=r"a list of 2, one an explained input.*Received: 3"):
        analyzer.analyze(case.inputs(2, rng()))


def test_unknown_analyzer_inside():
    with pytest.raises(UnknownNameError, match=r"gradeint.*Did you mean 'gradient'"):
        innexplain.create_analyzer("smoothgrad", square()[0], analyzer="gradeint")


def test_an_analyzer_of_another_model():
    other = innexplain.create_analyzer("gradient", network()[0])
    with pytest.raises(ArgumentError, match="explains another model"):
        innexplain.create_analyzer("smoothgrad", square()[0], analyzer=other)


def test_settings_that_belong_to_the_wrapped_analyzer():
    model, _ = square()
    inner = innexplain.create_analyzer("gradient", model)
    with pytest.raises(ArgumentError, match=r"keeps its own settings.*neuron_selection_mode"):
        innexplain.create_analyzer("smoothgrad", model, analyzer=inner, neuron_selection_mode="all")


def test_who_takes_a_seed():
    assert {"random", "smoothgrad"} <= set(SEEDED)
    assert "gradient" not in SEEDED
