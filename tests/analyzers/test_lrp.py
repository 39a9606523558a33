"""Properties of relevance propagation on whole networks: conservation, identities, placement, records."""

from __future__ import annotations

import functools

import keras
import numpy as np
import pytest
from keras import layers, ops

import innexplain
from innexplain.composites import is_last, name_is
from innexplain.errors import AddressError, ArgumentError, InnexplainWarning, UnknownNameError
from innexplain.layers import LocalResponseNormalization
from innexplain.rules import AlphaBeta, Epsilon, Flat, Gamma, WSquare, ZPlus
from tests.zoo import randomise

# Rules that lose nothing on a network without biases, whatever the signs of the contributions.
CONSERVING = ("lrp.z", "lrp.epsilon", "lrp.gamma", "lrp.w_square", "lrp.flat")


@functools.cache
def random_graph(seed, bias=False):
    """A random network of kernel layers, pools, sums, concatenations, batch norms and a nested model."""
    rng = np.random.default_rng(seed)
    x = keras.Input((8, 8, 3))

    def conv(h, filters, size=3, **kwargs):
        kind = rng.integers(3)
        if kind == 0:
            return layers.Conv2D(filters, size, padding="same", use_bias=bias, **kwargs)(h)
        if kind == 1:
            return layers.SeparableConv2D(filters, size, padding="same", use_bias=bias, **kwargs)(h)
        h = layers.ZeroPadding2D(size // 2)(h)
        return layers.Conv2D(filters, size, use_bias=bias, **kwargs)(h)

    def norm(h):
        return layers.BatchNormalization(center=bias)(h) if rng.random() < 0.7 else h

    h = layers.ReLU()(norm(conv(x, 6)))
    h = layers.Add()([h, layers.ReLU()(norm(conv(h, 6)))])
    h = layers.Concatenate()([h, conv(h, 4, activation="relu")])
    h = (layers.MaxPooling2D(2) if rng.random() < 0.5 else layers.AveragePooling2D(2))(h)
    inner = keras.Sequential(
        [keras.Input(h.shape[1:]), layers.Conv2D(8, 2, use_bias=bias), layers.ReLU()], name="inner"
    )
    h = layers.GlobalAveragePooling2D()(inner(h))
    model = keras.Model(x, layers.Dense(4, use_bias=bias, activation="softmax")(h))
    randomise(model, seed)
    if not bias:
        for layer in model.layers:
            if isinstance(layer, layers.BatchNormalization):
                layer.moving_mean.assign(np.zeros(layer.moving_mean.shape))
    return model


def explain(name, model, x, **kwargs):
    """Relevance and record without compiling, in the model's own precision."""
    core = innexplain.create_analyzer(name, model, **kwargs).network
    data = core.target.data(None, len(x), core.output_shape([x]))
    answer = core.backward.recorded([ops.convert_to_tensor(x)], ops.convert_to_tensor(data), ())
    score = ops.convert_to_numpy(answer["score"])
    absorbed = sum(ops.convert_to_numpy(a) + np.zeros(len(x)) for a in answer["absorbed"].values())
    return ops.convert_to_numpy(answer["relevance"][0]), score, absorbed


def inputs(seed=0, n=2):
    return np.random.default_rng(seed).normal(size=(n, 8, 8, 3)).astype("float32")


@pytest.mark.parametrize("seed", [0, 1, 2, *(pytest.param(s, marks=pytest.mark.slow) for s in (3, 4, 5))])
@pytest.mark.parametrize("name", CONSERVING)
def test_conservation_without_biases(name, seed):
    relevance, score, absorbed = explain(name, random_graph(seed), inputs(seed))
    # The sum of large numbers of both signs can only be as exact as their size allows.
    slack = 1e-4 * np.abs(score) + 1e-6 * np.abs(relevance).sum(axis=(1, 2, 3))
    assert (np.abs(relevance.sum(axis=(1, 2, 3)) + absorbed - score) <= slack).all()
    assert np.isfinite(relevance).all() and relevance.any()


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("name", ["lrp.z_plus", "lrp.alpha_2_beta_1", "lrp.sequential_preset_a", "lrp.gamma"])
def test_what_biases_absorb_accounts_for_the_gap(name, seed):
    relevance, score, absorbed = explain(name, random_graph(seed, bias=True), inputs(seed))
    total = relevance.sum(axis=(1, 2, 3))
    assert np.abs(total - score).max() > 1e-3  # something was absorbed, or the test says nothing
    slack = 1e-4 * np.abs(score) + 1e-5 * np.abs(relevance).sum(axis=(1, 2, 3)) + 1e-5
    assert (np.abs(total + absorbed - score) <= slack).all()


@pytest.mark.parametrize("name", ["lrp.z_IB", "lrp.epsilon_IB", "lrp.alpha_1_beta_0_IB", "deep_taylor"])
def test_methods_that_ignore_biases_conserve_with_them(name):
    relevance, score, absorbed = explain(name, random_graph(1, bias=True), inputs(1))
    promised = np.maximum(score, 0) if name == "deep_taylor" else score
    slack = 1e-3 * np.abs(promised) + 1e-5 * np.abs(relevance).sum(axis=(1, 2, 3))
    assert (np.abs(relevance.sum(axis=(1, 2, 3)) + absorbed - promised) <= slack).all()


@pytest.mark.parametrize("bias", [False, True], ids=["no_bias", "bias"])
@pytest.mark.parametrize("seed", range(3))
def test_z_is_input_times_gradient(seed, bias):
    """On ReLU networks, with biases as well: they take their share of every denominator."""
    model, x = random_graph(seed, bias), inputs(seed)
    expected, _, _ = explain("input_t_gradient", model, x)
    found, _, _ = explain("lrp.z", model, x)
    np.testing.assert_allclose(found, expected * x, atol=1e-4 * np.abs(found).max())


def test_identities_between_names():
    model, x = random_graph(0, bias=True), inputs()
    epsilon, _, _ = explain("lrp.epsilon", model, x, epsilon=0.0)
    np.testing.assert_allclose(explain("lrp.gamma", model, x, gamma=0.0)[0], epsilon, atol=1e-4)
    z_plus, _, _ = explain("lrp.z_plus", model, x)
    np.testing.assert_array_equal(explain("lrp.alpha_beta", model, x, alpha=1)[0], z_plus)
    np.testing.assert_array_equal(explain("lrp.alpha_beta", model, x, beta=0)[0], z_plus)
    np.testing.assert_array_equal(explain("lrp", model, x, rule="ZPlus")[0], z_plus)
    np.testing.assert_array_equal(explain("lrp", model, x, rules={layers.Layer: "ZPlus"})[0], z_plus)


@pytest.mark.parametrize("name", ["deep_taylor", "deep_taylor.bounded", "excitation_backprop"])
def test_positive_methods_stay_positive(name):
    relevance, _, _ = explain(name, random_graph(2, bias=True), inputs(2))
    assert relevance.min() >= -1e-6 * relevance.max() and relevance.max() > 0
    if name == "excitation_backprop":
        np.testing.assert_allclose(relevance.sum(axis=(1, 2, 3)), 1.0, rtol=0.05)


def _rules(name, model, **kwargs):
    analyzer = innexplain.create_analyzer(name, model, **kwargs)
    return [a.rule for a in analyzer.assignments if a.step.linear is not None]


@functools.cache
def _sequential():
    model = keras.Sequential(
        [
            keras.Input((8, 8, 3)),
            layers.ZeroPadding2D(name="pad"),
            layers.Conv2D(4, 3, activation="relu", name="first"),
            layers.Conv2D(4, 3, name="second"),
            layers.BatchNormalization(name="norm"),
            layers.ReLU(name="relu"),
            layers.Flatten(name="flat"),
            layers.Dense(5, activation="relu", name="hidden"),
            layers.Dense(3, name="out"),
        ]
    )
    randomise(model, 0)
    return model


def test_presets_place_their_rules():
    model = _sequential()
    dense = [Epsilon(0.1)] * 2
    assert _rules("lrp.sequential_preset_a", model) == [AlphaBeta(1.0, 0.0)] * 2 + dense
    assert _rules("lrp.sequential_preset_b", model) == [AlphaBeta(2.0, 1.0)] * 2 + dense
    assert _rules("lrp.sequential_preset_a_flat", model) == [Flat(), AlphaBeta(1.0, 0.0), *dense]
    assert _rules("lrp.sequential_preset_b_flat_until_idx", model, until_layer_idx=2) == [Flat()] * 2 + dense
    assert _rules("lrp.epsilon_plus_flat", model) == [Flat(), ZPlus(), Epsilon(1e-6), Epsilon(1e-6)]
    assert _rules("deep_taylor", model)[:2] == [WSquare(), ZPlus(bias=False)]
    assert _rules("lrp.epsilon_gamma_box", model, low=-1.0, high=1.0)[1] == Gamma(0.25)


def test_placement_by_the_caller():
    model = _sequential()
    rules = _rules("lrp", model, rule="Z", input_layer_rule=(-1.0, 1.0))
    assert type(rules[0]).__name__ == "Bounded" and (rules[0].low, rules[0].high) == (-1.0, 1.0)
    ordered = [
        ("hidden", Gamma(1.0)),
        (name_is("s*"), "Flat"),
        (is_last, "WSquare"),
        (layers.Dense, "ZPlus"),
    ]
    assert _rules("lrp.epsilon", model, rules=ordered) == [Epsilon(), Flat(), Gamma(1.0), WSquare()]
    until = _rules("lrp.epsilon", model, until_layer_idx=0, until_layer_rule="Flat")
    assert until[:2] == [Flat(), Epsilon()]
    with pytest.raises(ArgumentError, match="go together"):
        _rules("lrp.epsilon", model, until_layer_idx=0)
    with pytest.raises(UnknownNameError, match="Did you mean 'Epsilon'"):
        _rules("lrp", model, rule="Epsilom")
    with pytest.raises(ArgumentError, match="epsilon must be a finite number"):
        _rules("lrp.epsilon", model, epsilon=-1)


def test_rule_of_batch_norms_has_two_names_of_which_one_is_given():
    x = keras.Input((4,))
    y = layers.Dense(3, activation="relu")(x)
    model = keras.Model(x, layers.Dense(2)(layers.BatchNormalization()(layers.Concatenate()([y, x]))))
    assert _rules("lrp.z", model, bn_rule="Flat") == _rules("lrp.z", model, bn_layer_rule="Flat")
    with pytest.raises(ArgumentError, match="two names of one argument"):
        _rules("lrp.z", model, bn_rule="Flat", bn_layer_rule="Flat")


def test_several_layers_touch_the_input():
    x = keras.Input((8, 8, 3))
    h = layers.Concatenate()([layers.Conv2D(2, 1, name="a")(x), layers.Conv2D(2, 1, name="b")(x)])
    model = keras.Model(x, layers.Dense(2, name="c")(layers.GlobalMaxPooling2D()(h)))
    assert _rules("lrp.z", model, input_layer_rule="Flat")[:2] == [Flat(), Flat()]


def test_flat_counts_inputs_that_exist_around_a_padding_layer():
    """A padding layer before a convolution must not swallow relevance."""
    model = keras.Sequential(
        [
            keras.Input((4, 4, 1)),
            layers.ZeroPadding2D(1),
            layers.Conv2D(1, 3, use_bias=False),
            layers.Flatten(),
        ]
    )
    randomise(model, 0)
    relevance, score, _ = explain("lrp.flat", model, np.ones((1, 4, 4, 1), "float32"))
    np.testing.assert_allclose(relevance.sum(), score[0], rtol=1e-5)


def test_ties_in_max_pooling_never_duplicate_relevance():
    model = keras.Sequential(
        [keras.Input((4, 4, 1)), layers.MaxPooling2D(2), layers.Flatten(), layers.Dense(1)]
    )
    randomise(model, 0)
    relevance, score, absorbed = explain("lrp.z", model, np.ones((1, 4, 4, 1), "float32"))
    np.testing.assert_allclose(relevance.sum() + absorbed[0], score[0], rtol=1e-5)


def test_zero_input_gives_zeros_and_a_warning():
    model = random_graph(0)
    analyzer = innexplain.create_analyzer("lrp.epsilon", model)
    with pytest.warns(InnexplainWarning, match="zero everywhere"):
        relevance = analyzer.analyze(np.zeros((1, 8, 8, 3), "float32"))
    assert not relevance.any()


def test_gates_are_constants_and_other_products_are_refused():
    x = keras.Input((6,))
    gate = layers.Dense(6, activation="sigmoid", name="gate")(x)
    signal = layers.Dense(6, use_bias=False, name="signal")(x)
    model = keras.Model(x, layers.Dense(1, use_bias=False)(layers.Multiply(name="times")([signal, gate])))
    randomise(model, 1)
    analyzer = innexplain.create_analyzer("lrp.z", model)
    x = np.random.default_rng(0).normal(size=(2, 6)).astype("float32")
    relevance, info = analyzer.analyze(x, return_info=True, return_layers=["gate", "signal"])
    np.testing.assert_allclose(relevance.sum(1), info["score"], rtol=1e-4)
    assert (
        info["layers"]["gate [activation]"].shape == (2, 6) and not info["layers"]["gate [activation]"].any()
    )
    np.testing.assert_allclose(info["layers"]["signal [linear]"].sum(1), info["score"], rtol=1e-4)
    swish = keras.Sequential([keras.Input((6,)), layers.Dense(4)])
    out = swish.outputs[0]
    written = keras.Model(swish.inputs, layers.Dense(2)(out * ops.sigmoid(out)))
    assert innexplain.create_analyzer("lrp.z", written).analyze(x).any()
    squared = keras.Model(swish.inputs, layers.Dense(2)(layers.Multiply(name="square")([out, out])))
    with pytest.raises(innexplain.errors.UnsupportedLayerError, match="square"):
        innexplain.create_analyzer("lrp.z", squared)


def test_local_response_normalization_passes_relevance_and_is_saved(tmp_path):
    model = keras.Sequential(
        [keras.Input((6, 6, 2)), layers.Conv2D(4, 3, use_bias=False),
         LocalResponseNormalization(1, name="lrn"), layers.GlobalAveragePooling2D(), layers.Dense(3)]
    )  # fmt: skip
    randomise(model, 0)
    model.save(tmp_path / "net.keras")
    model = keras.models.load_model(tmp_path / "net.keras", safe_mode=True)
    analyzer = innexplain.create_analyzer("lrp.z", model)
    names = {str(a.step): a.rule.name for a in analyzer.assignments}
    assert names["lrn"] == "Pass"
    assert analyzer.analyze(np.random.default_rng(0).normal(size=(1, 6, 6, 2))).any()


@pytest.mark.compiled  # which layers are asked for must not be mixed up with what was compiled before
def test_the_record_of_a_pass():
    model, x = _sequential(), inputs()
    analyzer = innexplain.create_analyzer("lrp.epsilon", model)
    assert list(analyzer.analyze(x, return_layers=["hidden"])[1]["layers"]) == ["hidden [activation]"]
    relevance, info = analyzer.analyze(x, return_info=True, return_layers=["first", ("hidden",)])
    np.testing.assert_allclose(info["gap"], info["score"] - info["sum"], atol=1e-6)
    np.testing.assert_allclose(sum(info["absorbed"].values()), info["gap"], rtol=1e-2, atol=1e-3)
    np.testing.assert_allclose(info["steps"]["first [linear]"], relevance.sum(axis=(1, 2, 3)), rtol=1e-3)
    assert [layer.shape for layer in info["layers"].values()] == [(2, 8, 8, 4), (2, 5)]
    bounded = analyzer.analyze(x, return_layers=["first"], batch_size=1)[1]["layers"]["first [activation]"]
    np.testing.assert_allclose(bounded, info["layers"]["first [activation]"], rtol=1e-3, atol=1e-6)
    with pytest.raises(AddressError, match="Did you mean 'first'"):
        analyzer.analyze(x, return_layers=["frist"])


def test_explanations_start_at_hidden_units_and_feature_maps():
    model, x = _sequential(), inputs()
    unit = innexplain.create_analyzer("lrp.z_IB", model, output="hidden")
    relevance, info = unit.analyze(x, return_info=True)
    hidden = ops.convert_to_numpy(keras.Model(model.inputs[0], model.get_layer("hidden").output)(x))
    np.testing.assert_allclose(info["score"], hidden.max(1), rtol=1e-4, atol=1e-6)
    np.testing.assert_array_equal(info["neuron"], hidden.argmax(1))
    np.testing.assert_allclose(info["sum"], info["score"], rtol=1e-3, atol=1e-4)
    weights = np.zeros((6, 6, 4), "float32")
    weights[..., 1] = 1  # one feature map
    feature = innexplain.create_analyzer("lrp.z_IB", model, output="relu", neuron_selection_mode="weights")
    relevance, info = feature.analyze(x, weights, return_info=True)
    np.testing.assert_allclose(info["sum"], info["score"], rtol=1e-3, atol=1e-3)
    assert relevance.any()
